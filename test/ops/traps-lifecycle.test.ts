import t from 'tap'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { boolean, dateTime, enumeration, type Item, integer, interval, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  AES,
  attribute,
  bits,
  type Client,
  custom,
  data,
  type Lab,
  makeLab,
  name,
  named,
  objectType,
  opaque,
  parameters,
  revocation,
  secretData,
  symmetricKey,
  U,
  uid,
  usage,
  usageLimits,
  x,
} from './harness.ts'

// The life of a managed object: states, dates, revocation, archiving, usage limits and Re-key.

const KEY = Buffer.alloc(16, 5)
const ECB = parameters({ mode: 'ECB' })
const at = (tag: number, seconds: bigint): Item => dateTime(tag, seconds)
const long = (value: number): Item => ({ tag: TAG.UsageLimitsCount, type: 3, value: BigInt(value) })

type State = 'PreActive' | 'Active' | 'Deactivated' | 'Compromised' | 'Destroyed' | 'DestroyedCompromised'
type Cause = 'Activate' | 'Deactivate' | 'Compromise' | 'CACompromise' | 'Destroy'
const STATES: readonly State[] = ['PreActive', 'Active', 'Deactivated', 'Compromised', 'Destroyed', 'DestroyedCompromised']

const act = (c: Client, id: string, cause: Cause): Promise<string> =>
  cause === 'Activate' || cause === 'Destroy'
    ? c.result(cause, uid(id))
    : c.result(
        'Revoke',
        uid(id),
        revocation(cause === 'Deactivate' ? 'CessationOfOperation' : cause === 'Compromise' ? 'KeyCompromise' : cause),
      )

/** An object in a state, reached by operations. */
async function inState(c: Client, state: State, items: readonly Item[] = []): Promise<string> {
  const id = await c.create(items)
  const ways: Record<State, Cause[]> = {
    PreActive: [],
    Active: ['Activate'],
    Deactivated: ['Activate', 'Deactivate'],
    Compromised: ['Activate', 'Compromise'],
    Destroyed: ['Destroy'],
    DestroyedCompromised: ['Compromise', 'Destroy'],
  }
  for (const cause of ways[state]) await act(c, id, cause)
  if ((await c.state(id)) !== state) throw new Error(`no way to ${state}`)
  return id
}

// From each state by each cause: the state that follows; where it stays as it is and the request is refused, nothing. A Deactivated object may
// be revoked again for no compromise, and a Pre-Active one be deactivated: clients do so before they destroy.
const TRANSITIONS: Record<State, Partial<Record<Cause, State>>> = {
  PreActive: {
    Activate: 'Active',
    Deactivate: 'Deactivated',
    Compromise: 'Compromised',
    CACompromise: 'Compromised',
    Destroy: 'Destroyed',
  },
  Active: { Deactivate: 'Deactivated', Compromise: 'Compromised', CACompromise: 'Compromised' },
  Deactivated: { Deactivate: 'Deactivated', Compromise: 'Compromised', CACompromise: 'Compromised', Destroy: 'Destroyed' },
  Compromised: { Compromise: 'Compromised', CACompromise: 'Compromised', Destroy: 'DestroyedCompromised' },
  Destroyed: { Compromise: 'DestroyedCompromised', CACompromise: 'DestroyedCompromised' },
  DestroyedCompromised: { Compromise: 'DestroyedCompromised', CACompromise: 'DestroyedCompromised' },
}
for (const from of STATES)
  t.test(`traps 92 to 100: every way out of ${from}`, async t => {
    const c = (await makeLab()).client()
    for (const cause of ['Activate', 'Deactivate', 'Compromise', 'CACompromise', 'Destroy'] as const) {
      const id = await inState(c, from)
      const to = TRANSITIONS[from][cause]
      const result = await act(c, id, cause)
      t.equal(result, to === undefined ? 'PermissionDenied' : 'Success', `${cause} answers`)
      t.equal(await c.state(id), to ?? from, `${cause} leads to ${to ?? from}`)
    }
  })

t.test('trap 48: the reason for a wrong state is of the version', async t => {
  const c = (await makeLab()).client()
  const id = await c.active()
  for (const version of [10, 14, 20, 21])
    for (const operation of ['Destroy', 'Activate'] as const)
      t.equal(
        await c.in(version).result(operation, uid(id)),
        version < 21 ? 'PermissionDenied' : 'WrongKeyLifecycleState',
        `${operation} in ${version}`,
      )
})

t.test('trap 92: a date that passes changes the state without a request', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const past = await c.create([at(TAG.ActivationDate, 6n)])
  t.equal(await c.state(past), 'Active', 'long past: active at once')
  t.equal(await c.value(past, 'Activation Date'), 6n)
  const id = await c.create([at(TAG.ActivationDate, lab.now + 100n), at(TAG.DeactivationDate, lab.now + 200n), name('dated')])
  const byState = (state: keyof typeof ENUM.State) => c.locate([enumeration(TAG.State, ENUM.State[state]), name('dated')])
  t.equal(await c.state(id), 'PreActive')
  t.same(await byState('PreActive'), [id])
  lab.now += 99n
  t.equal(await c.state(id), 'PreActive')
  lab.now += 1n
  t.equal(await c.state(id), 'Active', 'active at that second')
  t.same([await byState('PreActive'), await byState('Active')], [[], [id]], 'Locate sees it too')
  t.equal(await c.result('Encrypt', uid(id), ECB, data(KEY)), 'Success')
  lab.now += 100n
  t.equal(await c.state(id), 'Deactivated', 'trap 93')
  t.same(await byState('Deactivated'), [id])
  t.equal(await c.result('Encrypt', uid(id), ECB, data(KEY)), 'PermissionDenied')
  t.equal(await c.result('Destroy', uid(id)), 'Success')
})

t.test('trap 92: dates may be moved to now, and change the state', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.create([at(TAG.ActivationDate, lab.now + 100n), at(TAG.DeactivationDate, lab.now + 200n)])
  t.equal(await c.result('ModifyAttribute', uid(id), custom('Activation Date', at(0, lab.now))), 'Success')
  t.equal(await c.state(id), 'Active')
  t.equal(await c.result('ModifyAttribute', uid(id), custom('Deactivation Date', at(0, lab.now))), 'Success')
  t.equal(await c.state(id), 'Deactivated')
  const added = await c.create()
  t.equal(await c.result('AddAttribute', uid(added), custom('Activation Date', at(0, lab.now - 5n))), 'Success')
  t.equal(await c.state(added), 'Active')
})

t.test('trap 93: an Active object is deactivated by a past date, even one before it became Active', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const deactivate = (id: string) => c.result('ModifyAttribute', uid(id), custom('Deactivation Date', at(0, lab.now - 100n)))
  const id = await c.create([at(TAG.ActivationDate, lab.now), at(TAG.DeactivationDate, lab.now + 200n)])
  t.equal(await deactivate(id), 'Success')
  t.equal(await c.state(id), 'Deactivated')
  t.equal(await c.result('AddAttribute', uid(id), x('foo', 'bar')), 'Success', 'other attributes may change as before')
  const early = await c.create([at(TAG.ActivationDate, lab.now + 100n), at(TAG.DeactivationDate, lab.now + 200n)])
  t.equal(await deactivate(early), 'InvalidField', 'what was never Active does not end')
})

t.test('trap 93: Process Start and Protect Stop gate the uses, not the state', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.register('SymmetricKey', symmetricKey(KEY), [
    usage(12),
    at(TAG.ActivationDate, lab.now),
    at(TAG.ProcessStartDate, lab.now + 10n),
    at(TAG.ProtectStopDate, lab.now + 20n),
  ])
  const uses = async (): Promise<string[]> => [
    await c.result('Encrypt', uid(id), ECB, data(KEY)),
    await c.result('Decrypt', uid(id), ECB, data(KEY)),
  ]
  t.same(await uses(), ['Success', 'PermissionDenied'], 'before Process Start')
  lab.now += 10n
  t.same(await uses(), ['Success', 'Success'], 'between')
  lab.now += 10n
  t.same(await uses(), ['PermissionDenied', 'Success'], 'trap 94: after Protect Stop protecting ends, processing goes on')
  t.equal(await c.state(id), 'Active')
  t.equal(await c.in(21).result('Encrypt', uid(id), ECB, data(KEY)), 'WrongKeyLifecycleState')
})

t.test('trap 95: the order of dates, and until when they may change', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const create = (...items: Item[]) => c.result('Create', objectType('SymmetricKey'), c.template([...AES, bits(128), ...items]))
  const D = (seconds: number): bigint => lab.now + BigInt(seconds)
  const ORDERS: [ok: boolean, ...Item[]][] = [
    [true, at(TAG.ActivationDate, D(1)), at(TAG.ProcessStartDate, D(1)), at(TAG.ProtectStopDate, D(5)), at(TAG.DeactivationDate, D(5))],
    [false, at(TAG.ActivationDate, D(2)), at(TAG.ProcessStartDate, D(1))],
    [false, at(TAG.ActivationDate, D(2)), at(TAG.ProtectStopDate, D(1))],
    [false, at(TAG.ActivationDate, D(2)), at(TAG.DeactivationDate, D(1))],
    [false, at(TAG.ProtectStopDate, D(2)), at(TAG.DeactivationDate, D(1))],
  ]
  for (const [ok, ...items] of ORDERS) t.equal(await create(...items), ok ? 'Success' : 'InvalidField')
  const change = (id: string, title: string, seconds: bigint) => c.result('ModifyAttribute', uid(id), custom(title, at(0, seconds)))
  const id = await c.create([
    at(TAG.ActivationDate, D(10)),
    at(TAG.ProcessStartDate, D(20)),
    at(TAG.ProtectStopDate, D(30)),
    at(TAG.DeactivationDate, D(40)),
  ])
  t.equal(await change(id, 'Deactivation Date', D(25)), 'InvalidField', 'before Protect Stop')
  t.equal(await change(id, 'Activation Date', D(11)), 'Success')
  lab.now += 11n
  t.equal(await change(id, 'Activation Date', lab.now + 1n), 'PermissionDenied', 'it has passed')
  t.equal(await change(id, 'Process Start Date', lab.now + 5n), 'Success')
  lab.now += 6n
  t.equal(await change(id, 'Process Start Date', lab.now + 5n), 'PermissionDenied')
  t.equal(await change(id, 'Protect Stop Date', lab.now + 5n), 'Success')
  lab.now += 6n
  t.equal(await change(id, 'Protect Stop Date', lab.now + 5n), 'PermissionDenied')
  t.equal(await change(id, 'Deactivation Date', lab.now + 5n), 'Success')
  lab.now += 5n
  t.equal(await change(id, 'Deactivation Date', lab.now + 5n), 'PermissionDenied')
  t.equal(await c.state(id), 'Deactivated')
  t.equal(
    await c.result('AddAttribute', uid(await inState(c, 'Compromised')), custom('Activation Date', at(0, lab.now))),
    'IllegalOperation',
  )
})

t.test('trap 97: Destroy keeps what is known of the object, and nothing of the key', async t => {
  const lab = await makeLab()
  const c = lab.client()
  for (const [type, object] of [
    ['SymmetricKey', symmetricKey(KEY)],
    ['SecretData', secretData(KEY)],
    ['OpaqueObject', opaque(KEY)],
  ] as const) {
    const id = await c.register(type, object, [name(`gone ${type}`), x('foo', 'bar')])
    await c.ok('Destroy', uid(id))
    t.equal(await c.state(id), 'Destroyed')
    t.equal(await c.value(id, 'Destroy Date'), lab.now)
    t.same(await c.values(id, 'x-foo'), ['bar'])
    t.equal(await c.result('Get', uid(id)), 'ItemNotFound', 'the reason by which clients of 1.x tell that a key is gone')
    t.equal(await c.in(21).result('Get', uid(id)), 'ObjectDestroyed')
    t.equal(await c.result('Destroy', uid(id)), 'PermissionDenied')
    const [record] = [await lab.records.get('scope-1', id)]
    t.notOk(record!.body.includes(KEY), 'the key material is not in the store any more')
    t.same(await c.locate([name(`gone ${type}`)]), [], 'trap 114: Locate does not find it')
  }
})

t.test('trap 98: what Revoke sets', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const created = lab.now
  const dates = (id: string) =>
    Promise.all(['Compromise Date', 'Compromise Occurrence Date', 'Deactivation Date'].map(title => c.value(id, title)))
  const ids = [await c.active(), await c.active(), await c.active()]
  lab.now += 50n
  await c.ok('Revoke', uid(ids[0]!), revocation('KeyCompromise', 'lost'))
  t.same(await dates(ids[0]!), [lab.now, created, undefined], 'a compromise: since the Initial Date if nothing is said')
  t.same(await c.value(ids[0]!, 'Revocation Reason'), [ENUM.RevocationReasonCode.KeyCompromise, 'lost'])
  await c.ok('Revoke', uid(ids[1]!), revocation('CACompromise'), at(TAG.CompromiseOccurrenceDate, created + 7n))
  t.same(await dates(ids[1]!), [lab.now, created + 7n, undefined])
  await c.ok('Revoke', uid(ids[2]!), revocation('Superseded'))
  t.same(await dates(ids[2]!), [undefined, undefined, lab.now])
  t.equal(await c.result('Revoke', uid(await c.active()), revocation('Superseded'), at(TAG.CompromiseOccurrenceDate, 1n)), 'InvalidField')
  t.equal(await c.result('Revoke', uid(await c.active())), 'InvalidMessage')
  const unknown = structure(TAG.RevocationReason, [enumeration(TAG.RevocationReasonCode, 99)])
  t.equal(await c.result('Revoke', uid(await c.active()), unknown), 'InvalidField')
})

t.test('trap 101: Archive and Recover', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.active([name('archived')])
  await c.ok('Archive', uid(id))
  t.equal(await c.value(id, 'Archive Date'), lab.now)
  for (const [operation, ...payload] of [
    ['Get'],
    ['Activate'],
    ['Destroy'],
    ['Revoke', revocation('Unspecified')],
    ['ReKey'],
    ['Encrypt', ECB, data(KEY)],
    ['AddAttribute', x('a', 'b')],
    ['ModifyAttribute', attribute(name('b'))],
    ['DeleteAttribute', named('Name')],
    ['Archive'],
    ['Check'],
    ['ObtainLease'],
  ] as [Parameters<Client['ok']>[0], ...Item[]][])
    t.equal(await c.result(operation, uid(id), ...payload), 'ObjectArchived', operation)
  await c.ok('Recover', uid(id))
  t.same(await c.values(id, 'Archive Date'), [])
  t.equal(await c.result('Encrypt', uid(id), ECB, data(KEY)), 'Success')
})

t.test('trap 102: Usage Limits', async t => {
  const c = (await makeLab()).client()
  const limits = async (id: string): Promise<unknown> => c.value(id, 'Usage Limits')
  const id = await c.active([usageLimits(3, 'Object', 99)])
  t.same(await limits(id), [3n, 3n, ENUM.UsageLimitsUnit.Object], 'Count starts at Total, whatever is sent')
  t.equal(await c.result('ModifyAttribute', uid(id), attribute(usageLimits(4))), 'Success')
  t.same(await limits(id), [4n, 4n, ENUM.UsageLimitsUnit.Object])
  await c.ok('Encrypt', uid(id), ECB, data(KEY))
  await c.ok('Decrypt', uid(id), ECB, data(KEY))
  t.same(await limits(id), [4n, 3n, ENUM.UsageLimitsUnit.Object], 'only protecting counts')
  t.equal(await c.result('ModifyAttribute', uid(id), attribute(usageLimits(9))), 'PermissionDenied', 'fixed once some of it is used')
  t.equal(await c.result('DeleteAttribute', uid(id), named('Usage Limits')), 'PermissionDenied')
  const byBytes = await c.active([usageLimits(40, 'Byte')])
  await c.ok('Encrypt', uid(byBytes), ECB, data(Buffer.alloc(32)))
  t.equal(await c.result('Encrypt', uid(byBytes), ECB, data(Buffer.alloc(16))), 'PermissionDenied')
  t.same(await limits(byBytes), [40n, 8n, ENUM.UsageLimitsUnit.Byte], 'what is refused is not charged')
})

t.test('trap 103: Get Usage Allocation', async t => {
  const c = (await makeLab()).client()
  const id = await c.create([usageLimits(10)])
  t.equal(await c.result('GetUsageAllocation', uid(id), long(1)), 'PermissionDenied', 'not before it is active')
  await c.ok('Activate', uid(id))
  t.equal(await c.result('GetUsageAllocation', uid(id), long(7)), 'Success')
  t.equal(await c.result('GetUsageAllocation', uid(id), long(4)), 'PermissionDenied')
  t.equal(await c.result('GetUsageAllocation', uid(id), long(-4)), 'PermissionDenied', 'nothing comes back')
  t.equal(await c.result('Check', uid(id), long(3)), 'Success')
  t.equal(await c.result('Check', uid(id), long(4)), 'PermissionDenied')
  t.equal(await c.result('GetUsageAllocation', uid(id), long(3)), 'Success')
  t.equal(await c.result('Encrypt', uid(id), ECB, data(KEY)), 'PermissionDenied')
  t.equal(await c.result('GetUsageAllocation', uid(await c.active()), long(1)), 'IllegalOperation', 'without limits')
})

t.test('trap 104: Re-key', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const begin = lab.now
  const old = await c.create([
    name('key'),
    x('owner', 'me'),
    text(TAG.OperationPolicyName, 'default'),
    usageLimits(5),
    at(TAG.ActivationDate, begin),
    at(TAG.DeactivationDate, begin + 1000n),
  ])
  await c.ok('Encrypt', uid(old), ECB, data(KEY))
  lab.now += 100n
  const { id } = await c.ok('ReKey', uid(old))
  t.not(id, old)
  t.same(await c.values(old, 'Name'), [], 'names move')
  t.same(await c.values(id, 'Name'), [['key', 1]])
  t.same(await c.locate([name('key')]), [id])
  t.same(await c.values(id, 'Link'), [[ENUM.LinkType.ReplacedObjectLink, old]])
  t.same(await c.values(old, 'Link'), [[ENUM.LinkType.ReplacementObjectLink, id]])
  t.same(await c.value(id, 'Usage Limits'), [5n, 5n, 2], 'counted anew')
  t.same(await c.value(old, 'Usage Limits'), [5n, 4n, 2])
  t.same(await c.values(id, 'x-owner'), ['me'])
  t.same(await c.values(id, 'Operation Policy Name'), ['default'])
  t.equal(await c.state(id), 'Active')
  t.equal(await c.value(id, 'Initial Date'), lab.now)
  t.equal(await c.value(id, 'Activation Date'), begin, 'without Offset the dates are the same')
  t.equal(await c.value(id, 'Deactivation Date'), begin + 1000n)
  t.same(await c.values(id, 'Digest').then(values => values.length), 1)
  const material = async (of: string) =>
    (await c.ok('Get', uid(of))).at(TAG.SymmetricKey, TAG.KeyBlock, TAG.KeyValue, TAG.KeyMaterial) as Buffer
  t.notOk((await material(id)).equals(await material(old)), 'another key')
  t.equal(await c.result('ReKey', uid(old)), 'PermissionDenied', 'a key is replaced once')
  t.equal(await c.result('ReKey', uid(id)), 'Success', 'and its replacement once too')
})

t.test('trap 104: Re-key of other states and with other attributes', async t => {
  const lab = await makeLab()
  const c = lab.client()
  for (const [state, result] of [
    ['PreActive', 'Success'],
    ['Active', 'Success'],
    ['Deactivated', 'Success'],
    ['Compromised', 'Success'],
    ['Destroyed', 'PermissionDenied'],
  ] as const)
    t.equal(await c.result('ReKey', uid(await inState(c, state))), result, state)
  const early = (await c.ok('ReKey', uid(await c.create([at(TAG.DeactivationDate, lab.now + 9n)])))).id
  t.equal(await c.value(early, 'Deactivation Date'), lab.now + 9n, 'dates without an Activation Date are taken too')
  const ended = await c.create([at(TAG.ActivationDate, lab.now - 9n), at(TAG.DeactivationDate, lab.now - 2n)])
  const successor = (await c.ok('ReKey', uid(ended))).id
  t.equal(await c.state(successor), 'Active', 'what replaces a key that has ended has not ended too')
  t.equal(await c.value(successor, 'Deactivation Date'), lab.now + 7n)
  const id = (await c.ok('ReKey', uid(await c.active([name('old')])), c.template([usage(U.Encrypt), name('new')]))).id
  t.equal(await c.value(id, 'Cryptographic Usage Mask'), U.Encrypt)
  t.same((await c.values(id, 'Name')).length, 2)
  const failing = await c.active([name('stays')])
  t.equal(await c.result('ReKey', uid(failing), c.template([enumeration(TAG.State, 2)])), 'InvalidField')
  t.same(await c.values(failing, 'Name'), [['stays', 1]], 'a refused one moves nothing')
  t.equal(await c.result('ReKey', uid(await c.register('OpaqueObject', opaque(KEY)))), 'PermissionDenied')
})

t.test('trap 105: Offset of Re-key', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const offset = (seconds: number): Item => interval(TAG.Offset, seconds)
  const dated = (): Promise<string> =>
    c.create([at(TAG.ActivationDate, lab.now), at(TAG.ProtectStopDate, lab.now + 10n), at(TAG.DeactivationDate, lab.now + 20n)])
  const { id } = await c.ok('ReKey', uid(await dated()), offset(100))
  t.equal(await c.state(id), 'PreActive')
  t.equal(await c.value(id, 'Activation Date'), lab.now + 100n)
  t.equal(await c.value(id, 'Protect Stop Date'), lab.now + 110n)
  t.equal(await c.value(id, 'Deactivation Date'), lab.now + 120n)
  t.equal(await c.result('ReKey', uid(await dated()), offset(1), c.template([at(TAG.ActivationDate, lab.now)])), 'InvalidMessage')
  t.equal(await c.result('ReKey', uid(await c.create([at(TAG.DeactivationDate, lab.now + 20n)])), offset(1)), 'IllegalOperation')
  const endless = await c.create([at(TAG.ActivationDate, 1n), at(TAG.DeactivationDate, 2n ** 63n - 1n)])
  t.equal(await c.result('ReKey', uid(endless), offset(0)), 'InvalidField', 'no date is so late')
  t.equal(await c.result('ReKey', uid(endless)), 'Success', 'without an Offset nothing is shifted')
})

t.test('trap 104: what takes long has one date all the same', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const { id } = await c.ok('ReKey', uid(await c.create()), interval(TAG.Offset, 0))
  t.equal(await c.value(id, 'Activation Date'), await c.value(id, 'Initial Date'))
  let ticking = lab.now
  Object.defineProperty(lab, 'now', { get: () => ticking++ })
  const slow = (await c.ok('ReKey', uid(id), interval(TAG.Offset, 100))).id
  t.equal(await c.value(slow, 'Activation Date'), ((await c.value(slow, 'Initial Date')) as bigint) + 100n)
})

t.test('trap 104: Re-key Key Pair', async t => {
  const c = (await makeLab()).client()
  const pair = async () => {
    const reply = await c.ok(
      'CreateKeyPair',
      c.template(
        [custom('Cryptographic Algorithm', enumeration(0, ENUM.CryptographicAlgorithm.EC)), bits(256)],
        TAG.CommonTemplateAttribute,
      ),
      c.template([name('prv'), usage(U.Sign)], TAG.PrivateKeyTemplateAttribute),
      c.template([name('pub'), usage(U.Verify)], TAG.PublicKeyTemplateAttribute),
    )
    return [reply.at(TAG.PrivateKeyUniqueIdentifier), reply.at(TAG.PublicKeyUniqueIdentifier)] as [string, string]
  }
  const [prv, pub] = await pair()
  const reply = await c.ok('ReKeyKeyPair', text(TAG.PrivateKeyUniqueIdentifier, prv))
  const [newPrv, newPub] = [reply.at(TAG.PrivateKeyUniqueIdentifier), reply.at(TAG.PublicKeyUniqueIdentifier)] as [string, string]
  t.same([await c.values(newPrv, 'Name'), await c.values(newPub, 'Name'), await c.values(prv, 'Name')], [[['prv', 1]], [['pub', 1]], []])
  const { LinkType } = ENUM
  t.same(await c.values(newPrv, 'Link'), [[LinkType.PublicKeyLink, newPub], [LinkType.ReplacedObjectLink, prv]]) // biome-ignore format: links
  t.same(await c.values(newPub, 'Link'), [[LinkType.PrivateKeyLink, newPrv], [LinkType.ReplacedObjectLink, pub]]) // biome-ignore format: links
  t.same(await c.values(pub, 'Link'), [[LinkType.PrivateKeyLink, prv], [LinkType.ReplacementObjectLink, newPub]]) // biome-ignore format: links
  t.equal(await c.result('ReKeyKeyPair', text(TAG.PrivateKeyUniqueIdentifier, prv)), 'PermissionDenied')
  t.equal(await c.result('ReKeyKeyPair', text(TAG.PrivateKeyUniqueIdentifier, newPub)), 'PermissionDenied')
})

t.test('trap 107: Check tells what is the reason, in fields of its own', async t => {
  const c = (await makeLab()).client()
  const id = await c.active([usageLimits(2)])
  const mask = (value: number): Item => integer(TAG.CryptographicUsageMask, value)
  const passed = await c.ok('Check', uid(id), long(2), mask(U.Encrypt))
  t.same(passed.fields, ['UniqueIdentifier'])
  const refused = await c.try('Check', uid(id), long(3), mask(U.Sign))
  t.equal(refused.result, 'PermissionDenied')
  t.notOk(refused.fields.includes('UniqueIdentifier'))
  t.equal(refused.fields.length, 2)
  t.equal(await c.in(21).result('Check', uid(id), mask(U.Sign)), 'IncompatibleCryptographicUsageMask')
})

t.test('trap 137: which states allow which uses', async t => {
  const lab: Lab = await makeLab()
  const c = lab.client()
  for (const state of STATES) {
    const id = await inState(c, state)
    t.equal(await c.result('Encrypt', uid(id), ECB, data(KEY)), state === 'Active' ? 'Success' : 'PermissionDenied', `Encrypt, ${state}`)
    const mayProcess = ['Active', 'Deactivated', 'Compromised'].includes(state)
    t.equal(await c.result('Decrypt', uid(id), ECB, data(KEY)), mayProcess ? 'Success' : 'PermissionDenied', `Decrypt, ${state}`)
  }
  const id = await c.active([usage(U.Decrypt)])
  t.equal(await c.result('Encrypt', uid(id), ECB, data(KEY)), 'PermissionDenied', 'the mask does not allow it')
  t.equal(await c.in(21).result('Encrypt', uid(id), ECB, data(KEY)), 'IncompatibleCryptographicUsageMask')
  const sensitive = await c.create([boolean(TAG.Sensitive, true)])
  t.equal(await c.result('Get', uid(sensitive)), 'Sensitive', 'trap 123')
})
