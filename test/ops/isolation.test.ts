import t from 'tap'
import { requestMessage } from '../../src/client/message.ts'
import { OPERATIONS } from '../../src/ops/index.ts'
import type { Records } from '../../src/seal/records.ts'
import { encode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bytes, child, enumeration, type Item, integer, long, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  AES,
  attribute,
  bits,
  type Client,
  data,
  Lab,
  makeLab,
  name,
  named,
  objectType,
  opaque,
  parameters,
  revocation,
  symmetricKey,
  uid,
  usage,
  usageLimits,
  x,
} from './harness.ts'

// Mistakes of other servers that were published, and what must hold between clients: scopes, roles, caches and races.

const KEY = Buffer.alloc(16, 0x5a)
const ECB = parameters({ mode: 'ECB' })
const wrappedBy = (id: string): Item =>
  structure(TAG.KeyWrappingSpecification, [
    enumeration(TAG.WrappingMethod, ENUM.WrappingMethod.Encrypt),
    structure(TAG.EncryptionKeyInformation, [uid(id), parameters({ mode: 'NISTKeyWrap' })]),
  ])

/** A request of each operation about an object, in 2.x and in 1.x. */
function requestsAbout(c: Client, id: string): Map<string, readonly Item[]> {
  const v2 = c.version >= 20
  const added = (tag: number): Item => (v2 ? structure(tag, [text(TAG.Description, 'd')]) : attribute(text(TAG.Description, 'd')))
  const derivation = structure(TAG.DerivationParameters, [parameters({ hash: 'SHA_256' }), bytes(TAG.DerivationData, KEY)])
  const reference = v2 ? enumeration(TAG.AttributeReference, TAG.Name) : named('Name')
  const about: Record<string, readonly Item[]> = {
    ReKeyKeyPair: [text(TAG.PrivateKeyUniqueIdentifier, id)],
    DeriveKey: [
      objectType('SymmetricKey'),
      uid(id),
      enumeration(TAG.DerivationMethod, ENUM.DerivationMethod.HMAC),
      derivation,
      c.template([...AES, bits(128)]),
    ],
    Get: [uid(id)],
    AddAttribute: [uid(id), added(TAG.NewAttribute)],
    ModifyAttribute: [uid(id), added(TAG.NewAttribute)],
    SetAttribute: [uid(id), added(TAG.NewAttribute)],
    AdjustAttribute: [uid(id), enumeration(TAG.AttributeReference, TAG.RotateInterval), enumeration(TAG.AdjustmentType, 1)],
    DeleteAttribute: [uid(id), reference],
    GetUsageAllocation: [uid(id), long(TAG.UsageLimitsCount, 1)],
    Revoke: [uid(id), revocation('KeyCompromise')],
    Encrypt: [uid(id), ECB, data(KEY)],
    Decrypt: [uid(id), ECB, data(KEY)],
    Sign: [uid(id), data(KEY)],
    SignatureVerify: [uid(id), data(KEY), bytes(TAG.SignatureData, KEY)],
    MAC: [uid(id), data(KEY)],
    MACVerify: [uid(id), data(KEY), bytes(TAG.MACData, KEY)],
    CreateSplitKey: [
      objectType('SplitKey'),
      uid(id),
      integer(TAG.SplitKeyParts, 2),
      integer(TAG.SplitKeyThreshold, 2),
      enumeration(TAG.SplitKeyMethod, ENUM.SplitKeyMethod.XOR),
    ],
    JoinSplitKey: [objectType('SymmetricKey'), uid(id), uid(id)],
    Validate: [uid(id)],
    Certify: [uid(id)],
    ReCertify: [uid(id)],
    Import: [uid(id), ...(v2 ? [objectType('SymmetricKey'), structure(TAG.Attributes, [])] : []), symmetricKey(KEY)],
    Locate: v2 ? [structure(TAG.Attributes, [uid(id)])] : [attribute(uid(id))],
    Register: [objectType('SymmetricKey'), c.template([usage(12)]), symmetricKey(KEY)],
    Create: [objectType('SymmetricKey'), c.template([...AES, bits(128)])],
    CreateKeyPair: [],
  }
  return new Map(OPERATIONS.map(({ name }) => [name, about[name] ?? [uid(id)]]))
}

t.test('no other scope can learn that an object exists: every operation answers the same bytes', async t => {
  const lab = await makeLab()
  const owner = lab.client()
  const mine = await owner.active([name('mine'), usage(-1 >>> 1), usageLimits(99)])
  const absent = 'ffffffff-0000-4000-8000-000000000000'
  for (const version of [10, 14, 20, 21]) {
    for (const operation of OPERATIONS) {
      if (version < operation.since) continue
      // What makes something new answers a new identifier; it asks about no object.
      if (['Create', 'CreateKeyPair', 'Register', 'RNGRetrieve', 'Login', 'DelegatedLogin'].includes(operation.name)) continue
      const answer = async (id: string): Promise<string> => {
        // A scope for each question: Import makes an object of its own under this identifier.
        const stranger = lab.client({ scope: `${version} ${operation.name} ${id}`, version })
        const payload = requestsAbout(stranger, id).get(operation.name)!
        const { bytes } = await stranger.raw(encode(requestMessage([{ operation: operation.code, payload }], { version })))
        return bytes.toString('latin1').replaceAll(id, 'ID')
      }
      t.ok((await answer(mine)) === (await answer(absent)), `${operation.name} in ${version}`)
    }
    const stranger = lab.client({ scope: 'scope-3' })
    const wrapped = await stranger.create([name(`own ${version}`)])
    const get = async (key: string): Promise<string> =>
      (await stranger.send([['Get', uid(wrapped), wrappedBy(key)]])).bytes.toString('latin1').replaceAll(key, 'ID')
    t.equal(await get(mine), await get(absent), `a wrapping key in ${version}`)
  }
  t.equal(await owner.state(mine), 'Active', 'nothing happened to it')
  t.same(await owner.value(mine, 'Name'), ['mine', 1])
  t.equal(((await owner.value(mine, 'Usage Limits')) as bigint[])[1], 99n)
  const stranger = lab.client({ scope: 'scope-2' })
  t.same(await stranger.locate([name('mine')]), [])
  t.same(await stranger.locate([]), [])
})

t.test('lesson 7: Import does not take over the object of another scope', async t => {
  const lab = await makeLab()
  const owner = lab.client()
  const id = await owner.register('SymmetricKey', symmetricKey(KEY), [usage(12)])
  const stranger = lab.client({ scope: 'scope-2' })
  const replace = { tag: TAG.ReplaceExisting, type: 6, value: true } as const
  t.equal(await stranger.result('Import', uid(id), replace, symmetricKey(Buffer.alloc(16, 1))), 'Success')
  const material = (c: Client) =>
    c.ok('Get', uid(id)).then(reply => reply.at(TAG.SymmetricKey, TAG.KeyBlock, TAG.KeyValue, TAG.KeyMaterial))
  t.same(await material(owner), KEY)
  t.same(await material(stranger), Buffer.alloc(16, 1), 'in its own scope it has one of its own')
})

t.test('the outcome of an operation that was put off is not given to a role that lost the operation meanwhile', async t => {
  const lab = await makeLab()
  const lost = new Set<string>()
  const c = lab.client({ version: 21, may: operation => !lost.has(operation) })
  const id = await c.create()
  const message = requestMessage([{ operation: 'Get', payload: [uid(id)] }], { version: 21 })
  const [header, ...rest] = message.value
  const later = enumeration(TAG.AsynchronousIndicator, ENUM.AsynchronousIndicator.Mandatory)
  const fields = [...(header as { value: readonly Item[] }).value, later]
  const { reply } = await c.raw(encode(structure(message.tag, [structure(TAG.RequestHeader, fields), ...rest])))
  const correlation = child(reply.item, TAG.AsynchronousCorrelationValue)!
  for (const operation of ['Process', 'Poll'] as const) {
    lost.add('Get')
    t.equal(await c.result(operation, correlation), 'PermissionDenied', operation)
    lost.clear()
  }
  t.equal((await c.ok('Process', correlation)).id, id)
})

t.test('what a client has kept for it or answered at once is bounded in bytes', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const MiB = 2 ** 20
  const large = await c.register('OpaqueObject', opaque(Buffer.alloc(MiB)))
  for (const errorContinuation of ['Continue', 'Undo'] as const) {
    const { results, bytes: answer } = await c.send(
      Array.from({ length: 40 }, () => ['Get', uid(large)] as const),
      { errorContinuation },
    )
    t.ok(answer.length < 17 * MiB, `a batch with ${errorContinuation}`)
    t.equal(results.filter(result => result === 'ResponseTooLarge').length, errorContinuation === 'Undo' ? 1 : 25)
  }
  const key = await c.active()
  const gcm = parameters({ mode: 'GCM', tagLength: 16 })
  const flag = (tag: number): Item => ({ tag, type: 6, value: true })
  const iv = bytes(TAG.IVCounterNonce, Buffer.alloc(12))
  const tag = bytes(TAG.AuthenticatedEncryptionTag, Buffer.alloc(16))
  const first = await c.ok('Decrypt', uid(key), gcm, data(Buffer.alloc(MiB)), iv, flag(TAG.InitIndicator), tag)
  const correlation = bytes(TAG.CorrelationValue, first.at(TAG.CorrelationValue) as Buffer)
  let parts = 1
  let result = 'Success'
  for (; result === 'Success' && parts < 80; parts++)
    result = await c.result('Decrypt', uid(key), gcm, data(Buffer.alloc(MiB)), correlation)
  t.equal(result, 'ServerLimitExceeded')
  t.equal(parts, 65, 'plaintext that is not authentic yet is kept, but not without end')
})

t.test('lessons 1 to 3: each operation needs its own permission', async t => {
  const lab = await makeLab()
  const owner = lab.client()
  const id = await owner.active([name('k'), usage(-1 >>> 1)])
  for (const version of [14, 21]) {
    const requests = requestsAbout(lab.client({ version }), id)
    for (const operation of OPERATIONS) {
      if (version < operation.since) continue
      const asked = new Set<string>()
      const c = lab.client({ version, may: one => asked.add(one) && one !== operation.name })
      const { reply } = await c.raw(
        encode(requestMessage([{ operation: operation.code, payload: requests.get(operation.name)! }], { version })),
      )
      t.equal(reply.result, 'PermissionDenied', `${operation.name} is refused to a role that may do all but that, in ${version}`)
      t.same([...asked], [operation.name])
    }
  }
  t.equal(await owner.state(id), 'Active')
  const reKeyOnly = lab.client({ may: operation => operation === 'ReKey' })
  t.equal(await reKeyOnly.result('Get', uid(id)), 'PermissionDenied')
  const made = await reKeyOnly.ok('ReKey', uid(id))
  t.same(made.fields, ['UniqueIdentifier'], 'Re-key gives no key material')
  const getOnly = lab.client({ may: operation => operation === 'Get' })
  t.equal(await getOnly.result('Activate', uid(await owner.create())), 'PermissionDenied')
  const batch = await getOnly.send([['Get', uid(id)], ['Destroy', uid(id)]], { errorContinuation: 'Continue' }) // biome-ignore format: a batch
  t.same(batch.results, ['Success', 'PermissionDenied'], 'within a batch too')
})

t.test('lesson 4: nothing that is stored shows key material', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const store: Buffer[] = []
  const id = await c.register('SymmetricKey', symmetricKey(KEY), [usage(12), usageLimits(5), name('secret name')])
  await c.ok('Activate', uid(id))
  await c.ok('Encrypt', uid(id), ECB, data(KEY))
  const record = (await lab.records.get('scope-1', id))!
  t.ok(record.body.includes(KEY), 'the record holds it, under the seal')
  t.same(store, [])
  t.equal(((await c.value(id, 'Usage Limits')) as bigint[])[1], 4n)
})

t.test('lesson 5: no cache serves what was revoked, destroyed or changed, by whichever process', async t => {
  const lab = await makeLab()
  const here = lab.client()
  const there = lab.client({ engine: lab.anotherEngine() })
  for (const [one, other] of [
    [here, there],
    [there, here],
  ] as const) {
    const id = await one.create([name('shared')])
    t.equal(await other.result('Encrypt', uid(id), ECB, data(KEY)), 'PermissionDenied')
    await one.ok('Activate', uid(id))
    t.equal(await other.result('Encrypt', uid(id), ECB, data(KEY)), 'Success')
    await one.ok('ModifyAttribute', uid(id), attribute(name('renamed')))
    t.same(await other.value(id, 'Name'), ['renamed', 1])
    t.same(await other.locate([name('shared')]), [])
    await one.ok('Revoke', uid(id), revocation('KeyCompromise'))
    t.equal(await other.result('Encrypt', uid(id), ECB, data(KEY)), 'PermissionDenied')
    t.equal(await other.result('Get', uid(id)), 'Success')
    await one.ok('Destroy', uid(id))
    for (const operation of ['Get', 'Decrypt', 'ReKey'] as const)
      t.not(await other.result(operation, uid(id), ...(operation === 'Decrypt' ? [ECB, data(KEY)] : [])), 'Success', operation)
    t.equal(await other.state(id), 'DestroyedCompromised')
  }
})

const times = <T>(count: number, work: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)))
const MANY = 60

t.test('lesson 6: of many at once exactly one wins', async t => {
  const lab = await makeLab()
  const clients = [lab.client(), lab.client({ serial: '2' }), lab.client({ engine: lab.anotherEngine() })]
  const [c] = clients as [Client]
  const by = (n: number): Client => clients[n % clients.length]!
  const wins = (results: string[]): number => results.filter(result => result === 'Success').length
  const only = (results: string[], ...reasons: string[]): boolean =>
    results.every(result => result === 'Success' || reasons.includes(result))

  const created = await times(MANY, n => by(n).result('Create', objectType('SymmetricKey'), c.template([...AES, bits(128), name('one')])))
  t.equal(wins(created), 1, 'Create with one Name')
  t.ok(only(created, 'InvalidField'))
  t.equal((await c.locate([name('one')])).length, 1)

  const pre = await c.create()
  const activated = await times(MANY, n => by(n).result('Activate', uid(pre)))
  t.equal(wins(activated), 1, 'Activate')
  t.ok(only(activated, 'PermissionDenied'))

  const racing = await c.create()
  await times(MANY, n => (n % 2 ? by(n).result('Activate', uid(racing)) : by(n).result('Revoke', uid(racing), revocation('KeyCompromise'))))
  t.equal(await c.state(racing), 'Compromised', 'Revoke and Activate')

  const rekeyed = await c.active([name('rekeyed')])
  t.equal(wins(await times(20, n => by(n).result('ReKey', uid(rekeyed)))), 1, 'Re-key')
  t.equal((await c.locate([name('rekeyed')])).length, 1)

  const destroyed = await c.create()
  t.equal(wins(await times(MANY, n => by(n).result('Destroy', uid(destroyed)))), 1, 'Destroy')

  const counted = await c.create([x('n', 'first')])
  const added = await times(MANY, n => by(n).result('AddAttribute', uid(counted), x('n', String(n))))
  t.equal(wins(added), MANY, 'none is lost')
  t.equal((await c.values(counted, 'x-n')).length, MANY + 1)

  const other = await times(MANY, () => lab.client({ scope: 'scope-2' }).result('ModifyAttribute', uid(counted), x('n', 'stolen')))
  t.equal(wins(other), 0)
})

t.test('trap 103: Usage Limits are counted right when many use the key at once', async t => {
  const lab = await makeLab()
  const clients = [lab.client(), lab.client({ engine: lab.anotherEngine() })]
  const [c] = clients as [Client]
  const id = await c.active([usageLimits(40)])
  const results = await times(100, n => clients[n % 2]!.result('Encrypt', uid(id), ECB, data(KEY)))
  t.equal(results.filter(result => result === 'Success').length, 40)
  t.ok(
    results.every(result => result === 'Success' || result === 'PermissionDenied'),
    'and nothing else is said',
  )
  t.equal(((await c.value(id, 'Usage Limits')) as bigint[])[1], 0n)
})

t.test('lesson 9: internal errors say nothing to the client, and all to the log', async t => {
  const secret = '/var/lib/secret/path select * from record'
  const broken = await makeLab()
  const id = await broken.client().create()
  const failing: Records = new Proxy(broken.records, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (property === 'version' || typeof value !== 'function') return typeof value === 'function' ? value.bind(target) : value
      return async () => {
        throw new Error(secret)
      }
    },
  })
  const c = new Lab(failing, {}).client()
  for (const [operation, ...payload] of [
    ['Get', uid(id)],
    ['Create', objectType('SymmetricKey'), c.template([...AES, bits(128)])],
    ['Locate'],
  ] as [Parameters<Client['ok']>[0], ...Item[]][]) {
    const message = await c.send([[operation, ...payload]])
    t.equal(message.reply.result, 'GeneralFailure', operation)
    t.notOk(/secret|select|Error|\//.test(message.reply.message!), message.reply.message!)
    t.match(message.entries, [{ operation, status: 'OperationFailed', reason: 'GeneralFailure', cause: { message: secret } }])
  }
})

t.test('messages to a client never repeat what may hold a secret', async t => {
  const c = (await makeLab()).client()
  const strange = 'no\nsuch\u0007<script>'
  const reply = await c.try('Get', uid(strange))
  t.equal(reply.result, 'ItemNotFound')
  t.notOk(reply.message!.includes('script'))
})

t.test('a stream belongs to the client that began it', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.active()
  const begun = await c.ok('Encrypt', uid(id), ECB, data(KEY), { tag: TAG.InitIndicator, type: 6, value: true })
  const correlation = bytes(TAG.CorrelationValue, begun.at(TAG.CorrelationValue) as Buffer)
  for (const [who, client] of [
    ['another scope', lab.client({ scope: 'scope-2' })],
    ['another role', lab.client({ role: 'other' })],
  ] as const)
    t.equal(await client.result('Encrypt', uid(id), data(KEY), correlation), 'ItemNotFound', who)
  t.equal(await c.result('Encrypt', uid(await c.active()), data(KEY), correlation), 'ItemNotFound', 'another key')
  t.equal(await c.result('Decrypt', uid(id), data(KEY), correlation), 'ItemNotFound', 'another operation')
  t.equal(await c.result('Encrypt', uid(id), data(KEY), correlation), 'Success')
})
