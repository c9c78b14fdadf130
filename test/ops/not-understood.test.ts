import t from 'tap'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bytes, enumeration, type Item, integer, long, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  AES,
  algorithm,
  attribute,
  bits,
  group,
  keyBlock,
  makeLab,
  type Name,
  name,
  named,
  objectType,
  parameters,
  type Step,
  symmetricKey,
  U,
  uid,
  usage,
  usageLimits,
} from './harness.ts'

// What is not understood is refused: nothing of a request is passed over as if it were not there.

t.test('a structure that is no structure is not an absent one', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const id = await c.create()
  const none = (tag: number): Item => integer(tag, 5)
  const CASES: readonly (readonly [Name, ...Item[]])[] = [
    ['Locate', none(TAG.Attributes)],
    ['Create', objectType('SymmetricKey'), none(TAG.Attributes)],
    ['CreateKeyPair', none(TAG.CommonAttributes)],
    ['ReKey', uid(id), none(TAG.Attributes)],
    ['GetAttributes', uid(id), none(TAG.AttributeReference)],
    ['DeleteAttribute', uid(id), none(TAG.AttributeReference)],
    ['DeleteAttribute', uid(id), none(TAG.CurrentAttribute)],
    ['AddAttribute', uid(id), none(TAG.NewAttribute)],
    ['SetConstraints', structure(TAG.Constraints, [structure(TAG.Constraint, [none(TAG.Attributes)])])],
    [
      'SetDefaults',
      structure(TAG.DefaultsInformation, [structure(TAG.ObjectDefaults, [objectType('SymmetricKey'), none(TAG.Attributes)])]),
    ],
    ['Query', enumeration(TAG.QueryFunction, ENUM.QueryFunction.QueryOperations), none(TAG.ObjectGroups)],
    // An Interval or a Date-Time: a ticket without either has no end.
    ['Login', none(TAG.LeaseTime)],
  ]
  for (const version of [20, 21])
    for (const [operation, ...payload] of CASES)
      if (version === 21 || !operation.startsWith('Set'))
        t.equal(await c.in(version).result(operation, ...payload), 'InvalidMessage', `${operation} in ${version}`)
})

t.test('trap 14 and 15: an attribute of 1.x has a name, an index and a value, each once', async t => {
  const c = (await makeLab()).client()
  const id = await c.create([group('g')])
  const fields = (attribute(group('h')) as { value: readonly Item[] }).value
  const unknown = structure(TAG.Attribute, [...fields, text(TAG.Comment, 'more')])
  const twoValues = structure(TAG.Attribute, [...fields, text(TAG.AttributeValue, 'other')])
  const twoNames = structure(TAG.Attribute, [named('Comment'), ...fields])
  for (const version of [10, 14])
    for (const [wrong, reason] of [
      [unknown, 'InvalidField'],
      [twoValues, 'InvalidMessage'],
      [twoNames, 'InvalidMessage'],
    ] as const) {
      const v = c.in(version)
      const template = structure(TAG.TemplateAttribute, [...[...AES, bits(256)].map(attribute), wrong])
      t.equal(await v.result('Create', objectType('SymmetricKey'), template), reason)
      t.equal(await v.result('AddAttribute', uid(id), wrong), reason)
      t.equal(await v.result('ModifyAttribute', uid(id), wrong), reason)
      t.equal(await v.result('Locate', wrong), reason)
    }
  t.same(await c.values(id, 'Object Group'), ['g'])
})

t.test('trap 69: no structures inside the structure of a custom attribute', async t => {
  const c = (await makeLab()).client()
  const custom = (value: Item): Item => structure(TAG.Attribute, [named('x-Parts'), { ...value, tag: TAG.AttributeValue } as Item])
  const id = await c.create()
  t.equal(await c.result('AddAttribute', uid(id), custom(structure(0, [name('deep')]))), 'InvalidField')
  t.equal(await c.result('AddAttribute', uid(id), custom(structure(0, [text(TAG.NameValue, 'flat')]))), 'Success')
  t.same(await c.values(id, 'x-Parts'), [['flat']])
})

t.test('a Key Value is bytes that are wrapped, or a structure around bytes or numbers', async t => {
  const c = (await makeLab()).client()
  const register = (value: Item, ...more: Item[]): Promise<string> =>
    c.result(
      'Register',
      objectType('SymmetricKey'),
      c.template([usage(12)]),
      structure(TAG.SymmetricKey, [
        structure(TAG.KeyBlock, [enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw), value, algorithm('AES'), bits(128), ...more]),
      ]),
    )
  const key = Buffer.alloc(16, 1)
  const value = (...fields: Item[]): Item => structure(TAG.KeyValue, fields)
  const material = bytes(TAG.KeyMaterial, key)
  const wrapping = structure(TAG.KeyWrappingData, [enumeration(TAG.WrappingMethod, ENUM.WrappingMethod.Encrypt)])
  t.equal(await register(value(material)), 'Success')
  t.equal(await register(value(material), wrapping), 'Success')
  t.equal(await register(bytes(TAG.KeyValue, key), wrapping), 'Success')
  t.equal(await register(bytes(TAG.KeyValue, key)), 'InvalidMessage')
  t.equal(await register(text(TAG.KeyValue, 'key'), wrapping), 'InvalidMessage')
  t.equal(await register(value(text(TAG.KeyMaterial, 'key'))), 'InvalidMessage')
  t.equal(await register(value()), 'InvalidMessage')
  t.equal(await register(value(material, material)), 'InvalidMessage')
  t.equal(await register(value(material, text(TAG.Comment, 'more'))), 'InvalidField')
})

t.test('what a request says of a key is what its key block says', async t => {
  const key = Buffer.alloc(32, 1)
  const c = (await makeLab()).client({ version: 21 })
  const register = (version: number, object: Item, ...items: Item[]): Promise<string> =>
    c.in(version).result('Register', objectType('SymmetricKey'), c.in(version).template([usage(12), ...items]), object)
  const format = (one: keyof typeof ENUM.KeyFormatType): Item => enumeration(TAG.KeyFormatType, ENUM.KeyFormatType[one])
  for (const [version, reason] of [
    [10, 'InvalidField'],
    [14, 'InvalidField'],
    [20, 'InvalidAttributeValue'],
    [21, 'InvalidAttributeValue'],
  ] as const) {
    // biome-ignore format: a list
    t.equal(await register(version, symmetricKey(key), algorithm('DES3')), reason)
    t.equal(await register(version, symmetricKey(key), bits(128)), reason)
    t.equal(await register(version, symmetricKey(key), algorithm('AES'), bits(256)), 'Success')
  }
  t.equal(await register(21, symmetricKey(key), format('PKCS_8')), 'InvalidAttributeValue')
  t.equal(await register(21, symmetricKey(key), format('Raw')), 'Success')
  const triple = symmetricKey(key.subarray(0, 24), { algorithm: 'DES3', length: 168 })
  t.equal(await register(21, triple, bits(192)), 'Success', 'with and without the parity bits')
  const curve = structure(TAG.PrivateKey, [keyBlock(key, { format: 'Opaque', algorithm: 'EC', length: 256 })])
  const asKeyFor = (name: keyof typeof ENUM.CryptographicAlgorithm): Promise<string> =>
    c.result('Register', objectType('PrivateKey'), c.template([usage(U.Sign), algorithm(name), bits(256)]), curve)
  t.equal(await asKeyFor('ECDSA'), 'Success')
  t.equal(await asKeyFor('RSA'), 'InvalidAttributeValue')
})

t.test('the Key Format Type of a key that comes is that of its key block', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const format = (one: keyof typeof ENUM.KeyFormatType): Item => enumeration(TAG.KeyFormatType, ENUM.KeyFormatType[one])
  const told = async (id: string): Promise<unknown> =>
    (await c.ok('GetAttributes', uid(id), enumeration(TAG.AttributeReference, TAG.KeyFormatType))).at(TAG.Attributes, TAG.KeyFormatType)
  const key = await c.create()
  const exported = await c.ok('Export', uid(key), format('TransparentSymmetricKey'))
  const [object, attributes] = [exported.all(TAG.SymmetricKey)[0]!, exported.all(TAG.Attributes)[0]!]
  await c.ok('Import', uid('taken'), objectType('SymmetricKey'), attributes, object)
  t.equal(await told('taken'), ENUM.KeyFormatType.TransparentSymmetricKey)

  const defaults = structure(TAG.ObjectDefaults, [
    objectType('SymmetricKey'),
    structure(TAG.Attributes, [format('TransparentSymmetricKey')]),
  ])
  await c.ok('SetDefaults', structure(TAG.DefaultsInformation, [defaults]))
  t.equal(await told(await c.register('SymmetricKey', symmetricKey(Buffer.alloc(16, 1)), [usage(12)])), ENUM.KeyFormatType.Raw)
  t.equal(await told(await c.create()), ENUM.KeyFormatType.TransparentSymmetricKey)
})

t.test('a choice that is not known is not taken for another', async t => {
  const c = (await makeLab({ interop: true })).client({ version: 21 })
  const id = await c.create()
  const wrapping = await c.active([usage(U.WrapKey), parameters({ mode: 'NISTKeyWrap' })])
  const specification = structure(TAG.KeyWrappingSpecification, [
    enumeration(TAG.WrappingMethod, ENUM.WrappingMethod.Encrypt),
    structure(TAG.EncryptionKeyInformation, [uid(wrapping)]),
    enumeration(TAG.EncodingOption, 99),
  ])
  const wrapType = enumeration(TAG.KeyWrapType, 99)
  const limits = structure(TAG.UsageLimits, [long(TAG.UsageLimitsTotal, 5), enumeration(TAG.UsageLimitsUnit, 99)])
  const imported = (...items: Item[]): Step => [
    'Import',
    uid('imported'),
    objectType('SymmetricKey'),
    structure(TAG.Attributes, [usage(12), ...items]),
    symmetricKey(Buffer.alloc(16, 1)),
  ]
  const CASES: readonly (readonly [reason: string, step: Step])[] = [
    ['InvalidField', ['Locate', enumeration(TAG.ObjectGroupMember, 99)]],
    ['EncodingOptionError', ['Get', uid(id), specification]],
    ['KeyWrapTypeNotSupported', ['Get', uid(id), wrapType]],
    ['KeyWrapTypeNotSupported', ['Export', uid(id), wrapType]],
    ['InvalidField', ['Interop', enumeration(TAG.InteropFunction, 99)]],
    ['InvalidField', ['Login', integer(TAG.RequestCount, -1)]],
    ['InvalidAttributeValue', ['AddAttribute', uid(id), structure(TAG.NewAttribute, [limits])]],
    ['InvalidAttributeValue', ['SetAttribute', uid(id), structure(TAG.NewAttribute, [usageLimits(-1)])]],
    ['InvalidAttributeValue', imported(usageLimits(5, 'Object', -1))],
    ['InvalidAttributeValue', imported(enumeration(TAG.State, 99))],
    ['InvalidAttributeValue', imported(bits(-128))],
  ]
  for (const [reason, [operation, ...payload]] of CASES) t.equal((await c.try(operation, ...payload)).result, reason, String(operation))
  const old = c.in(14)
  t.equal(await old.result('Get', uid(id), wrapType), 'FeatureNotSupported')
  t.equal(await old.result('Get', uid(id), specification), 'EncodingOptionError')
  t.equal(await old.result('AddAttribute', uid(id), attribute(limits)), 'InvalidField')
})
