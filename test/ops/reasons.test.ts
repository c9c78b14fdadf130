import t from 'tap'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { boolean, dateTime, enumeration, type Item, integer, long as longInteger, structure, tagName, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { AES, type Client, data, makeLab, objectType, opaque, type Step, uid, usageLimits } from './harness.ts'

// Result Reasons by the tables that 2.1 has for each operation, sections 6.1.1.1 to 6.1.59.1.

const long = (count: number): Item => longInteger(TAG.UsageLimitsCount, BigInt(count))
const KEY = Buffer.alloc(16, 1)
const created = (tag: number): Item => structure(tag, [dateTime(TAG.InitialDate, 1n)])
const reference = (tag: number): Item => enumeration(TAG.AttributeReference, tag)
const negate = enumeration(TAG.AdjustmentType, ENUM.AdjustmentType.Negate)
const SPLIT = [
  objectType('SplitKey'),
  uid('none'),
  integer(TAG.SplitKeyParts, 3),
  integer(TAG.SplitKeyThreshold, 2),
  enumeration(TAG.SplitKeyMethod, ENUM.SplitKeyMethod.XOR),
]

t.test('each operation has its own words', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const key = await c.active()
  const limited = await c.active([usageLimits(2)])
  const blob = await c.register('OpaqueObject', opaque(KEY))
  const CASES: [step: Step, in20: string, in21: string][] = [
    [['AddAttribute', uid(key), created(TAG.NewAttribute)], 'PermissionDenied', 'ReadOnlyAttribute'],
    [['SetAttribute', uid(key), created(TAG.NewAttribute)], 'ReadOnlyAttribute', 'ReadOnlyAttribute'],
    [['AdjustAttribute', uid(key), reference(TAG.AlwaysSensitive), negate], 'ReadOnlyAttribute', 'ReadOnlyAttribute'],
    [['ModifyAttribute', uid(key), created(TAG.NewAttribute)], 'PermissionDenied', 'AttributeReadOnly'],
    [['DeleteAttribute', uid(key), reference(TAG.InitialDate)], 'PermissionDenied', 'AttributeReadOnly'],
    [['AdjustAttribute', uid('none'), reference(TAG.Sensitive), negate], 'ItemNotFound', 'ItemNotFound'],
    [['Certify', uid('none')], 'ItemNotFound', 'ItemNotFound'],
    [['CreateSplitKey', ...SPLIT, structure(TAG.Attributes, [])], 'ItemNotFound', 'ItemNotFound'],
    [['Get', uid('none')], 'ObjectNotFound', 'ObjectNotFound'],
    [['GetUsageAllocation', uid(key), long(1)], 'AttributeNotFound', 'AttributeNotFound'],
    [['GetUsageAllocation', uid(limited), long(3)], 'UsageLimitExceeded', 'UsageLimitExceeded'],
    [['Check', uid(limited), long(3)], 'UsageLimitExceeded', 'UsageLimitExceeded'],
    [['ReKey', uid(blob)], 'InvalidObjectType', 'InvalidObjectType'],
    [['ReKeyKeyPair', text(TAG.PrivateKeyUniqueIdentifier, blob)], 'InvalidObjectType', 'InvalidObjectType'],
    [['Certify', uid(blob)], 'InvalidObjectType', 'InvalidObjectType'],
    [['Activate', uid(blob)], 'Success', 'WrongKeyLifecycleState'],
  ]
  for (const [[operation, ...payload], in20, in21] of CASES) {
    t.equal(await result(c.in(20), operation, payload), in20, `${operation} in 2.0`)
    t.equal(await result(c, operation, payload), in21, `${operation} in 2.1`)
  }
})

t.test('Adjust Attribute begins at 0 for numbers alone', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const id = await c.create()
  const more = (tag: number): Item[] => [uid(id), reference(tag), enumeration(TAG.AdjustmentType, ENUM.AdjustmentType.Increment)]
  t.equal(await c.result('AdjustAttribute', ...more(TAG.ProtectionPeriod)), 'Success')
  t.equal(await c.result('AdjustAttribute', ...more(TAG.DeactivationDate)), 'AttributeNotFound', 'a key does not end in 1970')
  t.equal(await c.state(id), 'PreActive')
})

t.test('Adjust Attribute tells first whether it may be, and takes numbers alone', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const id = await c.create()
  const adjusted = (tag: number, by: Item, type: keyof typeof ENUM.AdjustmentType = 'Increment'): Promise<string> =>
    c.result('AdjustAttribute', uid(id), reference(tag), enumeration(TAG.AdjustmentType, ENUM.AdjustmentType[type]), by)
  const by = (type: 2 | 5 | 10, value = 2): Item => ({ tag: TAG.AdjustmentValue, type, value })
  for (const tag of [TAG.UniqueIdentifier, TAG.State, TAG.ObjectType, TAG.LeaseTime, TAG.Digest, TAG.CryptographicAlgorithm])
    t.equal(await adjusted(tag, by(2), 'Decrement'), 'ReadOnlyAttribute', tagName(tag))
  t.equal(await adjusted(TAG.BatchCount, by(2)), 'UnsupportedAttribute')
  t.equal(await adjusted(TAG.ProtectionPeriod, { tag: TAG.AdjustmentValue, type: 7, value: '5' }), 'InvalidDataType')
  t.equal(await adjusted(TAG.ProtectionPeriod, by(5)), 'InvalidDataType')
  t.equal(await adjusted(TAG.ProtectionPeriod, by(2)), 'Success')
  t.equal(await adjusted(TAG.ProtectionPeriod, by(10)), 'Success')
  const period = await c.ok('GetAttributes', uid(id), reference(TAG.ProtectionPeriod))
  t.equal(period.at(TAG.Attributes, TAG.ProtectionPeriod), 4)
})

t.test('what concerns rotation is set once', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const id = await c.create()
  const set = (value: number): Promise<string> =>
    c.result('SetAttribute', uid(id), structure(TAG.NewAttribute, [{ tag: TAG.RotateInterval, type: 10, value }]))
  t.same([await set(60), await set(90)], ['Success', 'ReadOnlyAttribute'])
})

t.test('what is replaced counts its generations', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const set = (tag: number, value: boolean): Item => structure(TAG.Attributes, [...AES, boolean(tag, value)])
  t.equal(await c.result('Create', objectType('SymmetricKey'), set(TAG.RotateAutomatic, true)), 'UnsupportedAttribute')
  const first = (await c.ok('Create', objectType('SymmetricKey'), set(TAG.RotateAutomatic, false))).id
  const second = (await c.ok('ReKey', uid(first))).id
  const third = (await c.ok('ReKey', uid(second))).id
  const told = async (id: string) => {
    const reply = await c.ok('GetAttributes', uid(id))
    return [TAG.RotateGeneration, TAG.RotateLatest, TAG.RotateDate].map(tag => reply.at(TAG.Attributes, tag))
  }
  t.same(await told(first), [undefined, false, lab.now])
  t.same(await told(second), [1, false, lab.now])
  t.same(await told(third), [2, true, undefined])
})

t.test('1.x has its own', async t => {
  const c = (await makeLab()).client()
  const key = await c.active()
  const limited = await c.active([usageLimits(2)])
  t.equal(await c.result('GetUsageAllocation', uid(key), long(1)), 'IllegalOperation')
  t.equal(await c.result('GetUsageAllocation', uid(limited), long(3)), 'PermissionDenied')
  t.equal(await c.result('Check', uid(limited), long(3)), 'PermissionDenied')
  t.equal(await c.result('ReKey', uid(await c.register('OpaqueObject', opaque(KEY)))), 'PermissionDenied')
  await c.ok('Encrypt', uid(limited), ECB, data(KEY))
  await c.ok('Encrypt', uid(limited), ECB, data(KEY))
  for (const version of [14, 20, 21])
    t.equal(await c.in(version).result('Encrypt', uid(limited), ECB, data(KEY)), 'PermissionDenied', 'as the published cases have it')
})

const ECB = structure(TAG.CryptographicParameters, [enumeration(TAG.BlockCipherMode, ENUM.BlockCipherMode.ECB)])
const result = async (c: Client, operation: Step[0], payload: readonly Item[]): Promise<string> =>
  (await c.try(operation, ...payload)).result
