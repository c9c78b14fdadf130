import t from 'tap'
import { passwordCredential, requestMessage } from '../../src/client/message.ts'
import { encode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bytes, child, dateTime, enumeration, type Item, integer, long, structure, TYPE } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  AES,
  type Client,
  group,
  keyBlock,
  type Message,
  makeLab,
  name,
  objectType,
  type Step,
  symmetricKey,
  U,
  uid,
  usage,
} from './harness.ts'

// Whom a request names within what its certificate allows: users and tickets can only narrow it. Spec: KMIP 2.1 section 6.1.12, 6.1.30, 7.34, 9.3

const ACCOUNTS = ['alice', 'bob'].map(name => ({ name, password: `${name}'s` }))
const as = (user: string): Item => passwordCredential(user, `${user}'s`)
const ask = async (c: Client, who: Item | undefined, ...step: Step): Promise<string> =>
  (await c.send([step], who && { credentials: [who] })).reply.result

/** A Get that need not be answered at once. */
function askLater(c: Client, who: Item, id: Item): Promise<Message> {
  const message = requestMessage([{ operation: 'Get', payload: [id] }], { version: c.version, credentials: [who] })
  const [header, ...rest] = message.value
  const fields = header?.type === TYPE.Structure ? header.value : []
  const later = enumeration(TAG.AsynchronousIndicator, ENUM.AsynchronousIndicator.Mandatory)
  return c.raw(encode(structure(message.tag, [structure(TAG.RequestHeader, [...fields, later]), ...rest])))
}

const code = (operation: keyof typeof ENUM.Operation): Item => enumeration(TAG.Operation, ENUM.Operation[operation])
interface Allowed {
  readonly operations?: readonly (keyof typeof ENUM.Operation)[]
  readonly objects?: readonly string[]
  readonly groups?: readonly string[]
}
const right = ({ operations, objects, groups }: Allowed, ...more: Item[]): Item =>
  structure(TAG.Right, [
    ...more,
    ...(operations ? [structure(TAG.Operations, operations.map(code))] : []),
    ...(objects ? [structure(TAG.Objects, objects.map(uid))] : []),
    ...(groups ? [structure(TAG.ObjectGroups, groups.map(group))] : []),
  ])
const rights = (...list: Item[]): Item => structure(TAG.Rights, list)
const LIMITS = structure(TAG.UsageLimits, [
  long(TAG.UsageLimitsTotal, 10n),
  long(TAG.UsageLimitsCount, 10n),
  enumeration(TAG.UsageLimitsUnit, ENUM.UsageLimitsUnit.Byte),
])
const seconds = (value: number): Item => ({ tag: TAG.LeaseTime, type: TYPE.Interval, value })
const count = (value: number): Item => integer(TAG.RequestCount, value)

const credential = (ticket: Buffer): Item =>
  structure(TAG.Credential, [
    enumeration(TAG.CredentialType, ENUM.CredentialType.Ticket),
    structure(TAG.CredentialValue, [ticketItem(ticket)]),
  ])
const ticketItem = (value: Buffer): Item =>
  structure(TAG.Ticket, [enumeration(TAG.TicketType, ENUM.TicketType.Login), bytes(TAG.TicketValue, value)])
/** The ticket that a Login or Delegated Login answers. */
const ticketOf = async (c: Client, operation: 'Login' | 'DelegatedLogin', ...fields: Item[]): Promise<Buffer> =>
  (await c.ok(operation, ...fields)).at(TAG.Ticket, TAG.TicketValue) as Buffer

t.test('what a user made, no other user can use, for anything', async t => {
  const lab = await makeLab({ accounts: ACCOUNTS })
  const c = lab.client({ version: 20 })
  const wrapping = [usage(U.WrapKey | U.UnwrapKey), dateTime(TAG.ActivationDate, 1n), name('kek')]
  const made = await c.send([['Register', objectType('SymmetricKey'), c.template(wrapping), symmetricKey(Buffer.alloc(32, 1))]], {
    credentials: [as('alice')],
  })
  const kek = made.reply.id
  const by = structure(TAG.KeyWrappingSpecification, [
    enumeration(TAG.WrappingMethod, ENUM.WrappingMethod.Encrypt),
    structure(TAG.EncryptionKeyInformation, [
      uid(kek),
      structure(TAG.CryptographicParameters, [enumeration(TAG.BlockCipherMode, ENUM.BlockCipherMode.NISTKeyWrap)]),
    ]),
  ])
  const everybodys = await c.create()
  t.equal(await ask(c, as('alice'), 'Get', uid(everybodys), by), 'Success')
  t.equal(await ask(c, as('bob'), 'Get', uid(everybodys), by), 'PermissionDenied', 'not to wrap with it')
  t.equal(await ask(c, as('bob'), 'Get', uid(kek)), 'PermissionDenied')
  t.equal(await ask(c, as('alice'), 'Get', uid(kek)), 'Success')
  const wrapped = await c.send([['Get', uid(everybodys), by]], { credentials: [as('alice')] })
  const blob = wrapped.reply.at(TAG.SymmetricKey, TAG.KeyBlock, TAG.KeyValue) as Buffer
  const information = structure(TAG.KeyWrappingData, [
    enumeration(TAG.WrappingMethod, ENUM.WrappingMethod.Encrypt),
    structure(TAG.EncryptionKeyInformation, [
      uid(kek),
      structure(TAG.CryptographicParameters, [enumeration(TAG.BlockCipherMode, ENUM.BlockCipherMode.NISTKeyWrap)]),
    ]),
  ])
  const stolen = structure(TAG.SymmetricKey, [
    keyBlock(bytes(TAG.KeyValue, blob), { format: 'Raw', algorithm: 'AES', length: 256, wrapping: information }),
  ])
  const register: Step = [
    'Import',
    uid('mine'),
    objectType('SymmetricKey'),
    enumeration(TAG.KeyWrapType, 1),
    c.template([usage(4)]),
    stolen,
  ]
  t.equal(await ask(c, as('bob'), ...register), 'PermissionDenied', 'nor to unwrap what it wrapped')
  t.equal(await ask(c, as('alice'), ...register), 'Success')
  t.equal(await ask(c, as('nobody'), 'Get', uid(everybodys)), 'AuthenticationNotSuccessful')
})

t.test('nor is what a user asked to be done later for another one', async t => {
  const lab = await makeLab({ accounts: ACCOUNTS })
  const c = lab.client({ version: 21 })
  const id = (await c.send([['Create', objectType('SymmetricKey'), c.template(AES)]], { credentials: [as('alice')] })).reply.id
  const correlation = child((await askLater(c, as('alice'), uid(id))).reply.item, TAG.AsynchronousCorrelationValue)!
  t.equal(await ask(c, as('bob'), 'Poll', correlation), 'InvalidAsynchronousCorrelationValue')
  t.equal(await ask(c, as('bob'), 'Process', correlation), 'InvalidAsynchronousCorrelationValue')
  const listed = await c.send([['QueryAsynchronousRequests']], { credentials: [as('bob')] })
  t.equal(listed.reply.all(TAG.AsynchronousRequest).length, 0)
  t.equal(await ask(c, as('alice'), 'Process', correlation), 'Success')
})

t.test('a ticket stands for who asked for it, as often and as long as it is said, at each server of the store', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const other = lab.client({ version: 21, engine: lab.anotherEngine() })
  const id = await c.create()
  const get = (ticket: Buffer, client = c): Promise<string> => ask(client, credential(ticket), 'Get', uid(id))

  const ticket = await ticketOf(c, 'Login')
  t.equal(await get(ticket), 'Success')
  t.equal(await get(ticket, other), 'Success', 'at another process')
  t.equal(await get(ticket, lab.client({ version: 21, role: 'other' })), 'InvalidTicket', 'not for another role')
  t.equal(await get(Buffer.alloc(32)), 'InvalidTicket')
  t.equal(await other.result('Logout', ticketItem(ticket)), 'Success')
  t.equal(await get(ticket), 'InvalidTicket', 'logged out at another process')
  t.equal(await c.result('Logout', ticketItem(ticket)), 'InvalidTicket')

  const twice = await ticketOf(c, 'Login', count(2))
  t.same(await Promise.all([get(twice), get(twice, other), get(twice)]).then(all => all.sort()), [
    'Success',
    'Success',
    'UsageLimitExceeded',
  ])
  const short = await ticketOf(c, 'Login', seconds(60))
  t.equal(await get(short), 'Success')
  lab.now += 60n
  t.equal(await get(short), 'InvalidTicket', 'its time is over')
  const endless = await ticketOf(c, 'Login', seconds(0), count(0))
  lab.now += 30n * 86_400n
  t.equal(await get(endless), 'Success', '0: no end')
  lab.now += 400n * 86_400n
  t.equal(await get(endless), 'InvalidTicket', 'but none is good for ever')
  t.equal(await c.result('Login', LIMITS), 'FeatureNotSupported', 'what cannot be kept is not promised')
  const kept = await lab.records.find('tickets', [], { limit: 10 })
  t.notOk(
    kept.some(({ id }) => [twice, short, endless].some(value => id.includes(value.toString('hex')))),
    'the store names none',
  )
})

t.test('of a role’s tickets the oldest goes when there are too many', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const id = await c.create()
  const first = await ticketOf(c, 'Login')
  const second = await ticketOf(c, 'Login')
  for (let i = 0; i < 999; i++) await ticketOf(c, 'Login')
  t.equal(await ask(c, credential(first), 'Get', uid(id)), 'InvalidTicket')
  t.equal(await ask(c, credential(second), 'Get', uid(id)), 'Success')
})

t.test('a delegated ticket may do what one of its rights allows, on the objects that this right names', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const [gold, silver, named] = [await c.active([group('gold')]), await c.active([group('silver')]), await c.active([name('n')])]
  const ticket = credential(
    await ticketOf(
      c,
      'DelegatedLogin',
      rights(
        right({ operations: ['Get', 'Locate'], groups: ['gold'] }),
        right({ operations: ['GetAttributes', 'Locate'], objects: [named] }),
        right({ operations: ['Query'] }),
      ),
    ),
  )
  const cases: readonly [what: string, step: Step, result: string][] = [
    ['an object of the group', ['Get', uid(gold)], 'Success'],
    ['one of another group', ['Get', uid(silver)], 'NotAuthorised'],
    ['one of no group', ['Get', uid(named)], 'NotAuthorised'],
    ['another right for that', ['GetAttributes', uid(named)], 'Success'],
    ['not for this', ['GetAttributes', uid(gold)], 'NotAuthorised'],
    ['an operation that no right has', ['Destroy', uid(gold)], 'NotAuthorised'],
    ['an operation on no object', ['Query', enumeration(TAG.QueryFunction, 1)], 'Success'],
    ['another ticket', ['DelegatedLogin', rights(right({}))], 'NotAuthorised'],
  ]
  for (const [what, step, result] of cases) t.equal(await ask(c, ticket, ...step), result, what)
  const located = await c.send([['Locate', structure(TAG.Attributes, [objectType('SymmetricKey')])]], { credentials: [ticket] })
  t.same(new Set(located.reply.ids), new Set([gold, named]), 'Locate shows what the rights name')
  const both = credential(await ticketOf(c, 'DelegatedLogin', rights(right({ objects: [gold, silver], groups: ['silver'] }))))
  t.equal(await ask(c, both, 'Get', uid(silver)), 'Success')
  t.equal(await ask(c, both, 'Get', uid(gold)), 'NotAuthorised', 'a right with both asks for both')
  t.equal(await c.result('DelegatedLogin', rights(right({}, LIMITS))), 'FeatureNotSupported')
})
