import t from 'tap'
import { ENUM, MASK } from '../../src/ttlv/enumerations.ts'
import { bytes, child, enumeration, enumName, type Item, integer, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  AES,
  algorithm,
  bits,
  type Client,
  group,
  makeLab,
  objectType,
  type Reply,
  symmetricKey,
  U,
  uid,
  usage,
  VERSIONS,
} from './harness.ts'

// Operations and fields that KMIP 2.0 and 2.1 added for a server as a whole: constraints, defaults, storage, Query's answers.

const types = (...names: (keyof typeof ENUM.ObjectType)[]): Item => structure(TAG.ObjectTypes, names.map(objectType))
const groups = (...names: string[]): Item => structure(TAG.ObjectGroups, names.map(group))
const attributes = (...items: Item[]): Item => structure(TAG.Attributes, items)
const constraint = (...fields: Item[]): Item => structure(TAG.Constraint, fields)
const constraints = (...list: Item[]): Item => structure(TAG.Constraints, list)
const defaults = (...fields: Item[]): Item => structure(TAG.ObjectDefaults, fields)
const defaultsInformation = (...list: Item[]): Item => structure(TAG.DefaultsInformation, list)
const createWith = (c: Client, ...items: Item[]): Promise<string> =>
  c.result('Create', objectType('SymmetricKey'), c.template([...items, ...AES.filter(item => !items.some(one => one.tag === item.tag))]))

t.test('constraints bind all creations of a scope', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const list = [
    constraint(types('SymmetricKey'), groups('gold'), attributes(algorithm('AES'), bits(256))),
    constraint(types('SymmetricKey'), attributes(algorithm('AES'), bits(192))),
    constraint(types('SymmetricKey'), attributes(algorithm('AES'), bits(128), usage(U.Encrypt | U.Decrypt))),
  ]
  await c.ok('SetConstraints', constraints(...list))
  t.same((await c.ok('GetConstraints')).payload, structure(TAG.ResponsePayload, [constraints(...list)]))
  const cases: readonly [what: string, items: Item[], result: string][] = [
    ['a key of the group as the group demands', [bits(256), group('gold')], 'Success'],
    ['a key of the group as others may be', [bits(192), group('gold')], 'ConstraintViolation'],
    ['a key of another group', [bits(192), group('silver')], 'Success'],
    ['a key of no group', [bits(256)], 'ConstraintViolation'],
    ['one alternative', [bits(192)], 'Success'],
    ['another alternative', [bits(128)], 'Success'],
    ['a part of the mask', [bits(128), usage(U.Encrypt)], 'Success'],
    ['more than the mask', [bits(128), usage(U.Encrypt | U.WrapKey)], 'ConstraintViolation'],
  ]
  for (const [what, items, result] of cases) t.equal(await createWith(c, ...items), result, what)
  t.equal(
    await c.result('Register', objectType('SymmetricKey'), attributes(), symmetricKey(Buffer.alloc(32))),
    'ConstraintViolation',
    'what a client brings is bound too',
  )
  t.equal(await createWith(c.in(14), bits(256)), 'PermissionDenied', 'clients of other versions are bound too')
  t.equal(await createWith(lab.client({ version: 21, scope: 'scope-2' }), bits(256)), 'Success', 'another scope is not')
  const elsewhere = lab.client({ version: 21, engine: lab.anotherEngine() })
  t.equal(await createWith(elsewhere, bits(256)), 'ConstraintViolation', 'another process obeys them')
  await elsewhere.ok('SetConstraints')
  t.equal(await createWith(c, bits(256)), 'Success', 'and their end is seen at once')
  t.same((await c.ok('GetConstraints')).payload, structure(TAG.ResponsePayload, [constraints()]))
  for (const [what, item, result] of [
    ['an unknown object type', constraint(structure(TAG.ObjectTypes, [enumeration(TAG.ObjectType, 99)])), 'InvalidObjectType'],
    ['an attribute that is none', constraint(attributes(text(TAG.Username, 'a'))), 'InvalidAttribute'],
    ['an attribute of a wrong type', constraint(attributes(text(TAG.CryptographicLength, 'a'))), 'InvalidAttributeValue'],
  ] as const)
    t.equal(await c.result('SetConstraints', constraints(item)), result, what)
  t.equal(await c.in(20).result('SetConstraints'), 'OperationNotSupported', 'there are none in 2.0')
})

t.test('constraints are undone with their batch', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const message = await c.send(
    [
      ['SetConstraints', constraints(constraint(types('SymmetricKey'), attributes(bits(256))))],
      ['Create', objectType('SymmetricKey'), c.template([...AES, bits(128)])],
    ],
    { errorContinuation: 'Undo' },
  )
  t.same(
    message.replies.map(reply => reply.status),
    ['OperationUndone', 'OperationFailed'],
  )
  t.equal(message.replies[1]?.reason, 'ConstraintViolation', 'the batch sees its own constraint')
  t.equal(await createWith(c, bits(128)), 'Success')
})

t.test('defaults fill what clients leave out', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const lengthOf = async (...items: Item[]): Promise<unknown> => {
    const { id } = await c.ok('Create', objectType('SymmetricKey'), attributes(...items))
    return c.value(id, 'Cryptographic Length')
  }
  t.equal(await lengthOf(), 256, 'the server has its own')
  t.equal(await lengthOf(algorithm('DES3')), 168, 'that of another algorithm is not taken')
  await c.ok(
    'SetDefaults',
    defaultsInformation(
      defaults(objectType('SymmetricKey'), attributes(bits(192), text(TAG.Comment, 'made by default'))),
      defaults(types('SymmetricKey', 'SecretData'), attributes(bits(128)), groups('small')),
    ),
  )
  t.equal(await lengthOf(), 192)
  t.equal(await lengthOf(bits(256)), 256, 'what the client says stands')
  t.equal(await lengthOf(group('small')), 128, 'defaults of the group go first')
  const id = await c.register('SymmetricKey', symmetricKey(Buffer.alloc(32)))
  t.equal(await c.value(id, 'Cryptographic Length'), 256, 'a key that the client brings says itself how long it is')
  t.equal(await c.value(id, 'Comment'), 'made by default')
  const shown = await c.ok('Query', enumeration(TAG.QueryFunction, ENUM.QueryFunction.QueryDefaultsInformation))
  t.same(
    (shown.at(TAG.DefaultsInformation) as readonly Item[]).slice(0, 3),
    [
      defaults(objectType('SymmetricKey'), attributes(bits(192), text(TAG.Comment, 'made by default'))),
      defaults(types('SymmetricKey', 'SecretData'), attributes(bits(128)), groups('small')),
      defaults(objectType('SymmetricKey'), attributes(algorithm('AES'), usage(U.Encrypt | U.Decrypt))),
    ],
    'Query shows them, and what is left of the server’s own',
  )
  await c.ok('SetDefaults')
  t.equal(await lengthOf(), 256, 'without any the server’s own come back')
  for (const [what, item, result] of [
    ['no object type', defaults(attributes(bits(1))), 'InvalidMessage'],
    ['an unknown one', defaults(enumeration(TAG.ObjectType, 99), attributes(bits(1))), 'InvalidObjectType'],
    ['what only the server sets', defaults(objectType('SymmetricKey'), attributes(enumeration(TAG.State, 1))), 'InvalidField'],
  ] as const)
    t.equal(await c.result('SetDefaults', defaultsInformation(item)), result, what)
})

t.test('keys of a pair have one algorithm and length, whichever side names them', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const pair = await c.ok('CreateKeyPair', structure(TAG.PublicKeyAttributes, [algorithm('RSA'), integer(TAG.CryptographicLength, 3072)]))
  const id = String(pair.at(TAG.PrivateKeyUniqueIdentifier))
  t.equal(await c.value(id, 'Cryptographic Length'), 3072)
  t.equal(await c.value(id, 'Cryptographic Usage Mask'), U.Sign)
})

t.test('protection storage masks must be satisfiable by software', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const masks = (tag: number, ...values: number[]): Item =>
    structure(
      tag,
      values.map(value => integer(TAG.ProtectionStorageMask, value)),
    )
  const { Software, Hardware, Validated } = MASK.ProtectionStorageMask
  const Masks = TAG.ProtectionStorageMasks
  for (const [what, item, result] of [
    ['software alone', masks(Masks, Software), 'Success'],
    ['software as an alternative', masks(Masks, Hardware, Software), 'Success'],
    ['no mask', masks(Masks), 'Success'],
    ['hardware alone', masks(Masks, Hardware), 'ProtectionStorageUnavailable'],
    ['software that is validated', masks(Masks, Software | Validated), 'ProtectionStorageUnavailable'],
  ] as const) {
    t.equal(await c.result('Create', objectType('SymmetricKey'), attributes(...AES, bits(256)), item), result, `Create: ${what}`)
    t.equal(
      await c.result('Register', objectType('SymmetricKey'), attributes(), symmetricKey(Buffer.alloc(16)), item),
      result,
      `Register: ${what}`,
    )
  }
  for (const [tag, result] of [
    [TAG.CommonProtectionStorageMasks, 'ProtectionStorageUnavailable'],
    [TAG.PrivateProtectionStorageMasks, 'PrivateProtectionStorageUnavailable'],
    [TAG.PublicProtectionStorageMasks, 'PublicProtectionStorageUnavailable'],
  ] as const)
    t.equal(await c.result('CreateKeyPair', structure(TAG.CommonAttributes, [algorithm('RSA')]), masks(tag, Hardware)), result)
  const shown = await c.ok('Query', enumeration(TAG.QueryFunction, ENUM.QueryFunction.QueryStorageProtectionMasks))
  t.same(shown.payload, structure(TAG.ResponsePayload, [masks(Masks, Software)]))
})

t.test('Query answers what was asked, by what the server and the role can do', async t => {
  const lab = await makeLab()
  const withHttps = await makeLab({ hasHttps: true })
  const query = (version: number, name: keyof typeof ENUM.QueryFunction, may = (_: string) => true, from = lab): Promise<Reply> =>
    from.client({ version, may }).ok('Query', enumeration(TAG.QueryFunction, ENUM.QueryFunction[name]))
  const names = async (version: number, from = lab): Promise<Set<string>> =>
    new Set(
      (await query(version, 'QueryProfiles', undefined, from))
        .all(TAG.ProfileInformation)
        .map(item => enumName('ProfileName', Number(child(item, TAG.ProfileName)?.value))),
    )
  for (const [version, has, hasNot] of [
    [
      13,
      ['BaselineServerBasicKMIPV1_2', 'SymmetricKeyLifecycleServerKMIPV1_0', 'TapeLibraryServerKMIPV1_3'],
      ['TapeLibraryServerKMIPV1_4'],
    ],
    [14, ['AdvancedCryptographicServerKMIPV1_4'], ['BasicCryptographicClientKMIPV1_4', 'AESXTSServer', 'CompleteServerBasicKMIPV1_4']],
    [20, ['BaselineServer', 'AESXTSServer'], ['SuiteBMinLOS_128ServerKMIPV1_4', 'BaselineServerBasicKMIPV1_4']],
    [21, [], ['CompleteServer', 'QuantumSafeServer', 'SymmetricKeyLifecycleClient']],
  ] as const) {
    const got = await names(version)
    for (const name of has) t.ok(got.has(name), `${version} has ${name}`)
    for (const name of hasNot) t.notOk(got.has(name), `${version} has no ${name}`)
  }
  for (const [version, name] of [
    [13, 'JSONServerKMIPV1_0'],
    [14, 'HTTPSServerKMIPV1_4'],
    [21, 'XMLServer'],
  ] as const) {
    t.notOk((await names(version)).has(name), `${name} needs an HTTPS listener`)
    t.ok((await names(version, withHttps)).has(name), `${name} with one`)
  }
  const [profile] = (await query(20, 'QueryProfiles')).all(TAG.ProfileInformation)
  t.same(
    child(profile!, TAG.ProfileVersion),
    structure(TAG.ProfileVersion, [integer(TAG.ProfileVersionMajor, 2), integer(TAG.ProfileVersionMinor, 0)]),
  )
  t.equal(child((await query(14, 'QueryProfiles')).all(TAG.ProfileInformation)[0]!, TAG.ProfileVersion), undefined, 'a field of 2.x')
  const operations = await query(21, 'QueryOperations', name => name === 'Get' || name === 'Query' || name === 'SetConstraints')
  t.same(
    operations.all(TAG.Operation).map(item => enumName('Operation', Number(item.value))),
    ['Get', 'Query', 'SetConstraints'],
    'operations that the role may not do are not told',
  )
  t.equal((await query(21, 'QueryCapabilities')).at(TAG.CapabilityInformation, TAG.AsynchronousCapability), true)
  t.equal((await query(14, 'QueryCapabilities')).at(TAG.CapabilityInformation, TAG.QuantumSafeCapability), undefined)
  const types = async (version: number): Promise<string[]> =>
    (await query(version, 'QueryObjects', undefined, await makeLab({ experimental: true })))
      .all(TAG.ObjectType)
      .map(item => enumName('ObjectType', Number(item.value)))
  const system = ['User', 'Group', 'PasswordCredential']
  t.same((await types(30)).slice(-3), system, 'objects of the draft')
  t.notOk((await types(21)).some(type => system.includes(type)))
  for (const name of ['QueryExtensionList', 'QueryExtensionMap', 'QueryValidations', 'QueryAttestationTypes'] as const)
    t.same((await query(21, name)).fields, [], `${name}: there are none`)
  t.same((await query(14, 'QueryDefaultsInformation')).fields, [], 'nothing of a later version')
  for (const version of VERSIONS) {
    const asked = [ENUM.QueryFunction.QueryOperations, ENUM.QueryFunction.QueryObjects].map(one => enumeration(TAG.QueryFunction, one))
    const { bytes } = await lab.client({ version }).send([['Query', ...asked]])
    t.ok(bytes.length <= 2048, `${version}: operations and objects fit into 2048 bytes`)
  }
})

t.test('an object that is registered wrapped is linked to its wrapping key', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const kek = await c.active([usage(U.WrapKey | U.UnwrapKey)])
  const wrapped = (id: string): Item =>
    structure(TAG.SymmetricKey, [
      structure(TAG.KeyBlock, [
        enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw),
        bytes(TAG.KeyValue, Buffer.alloc(24)),
        structure(TAG.KeyWrappingData, [
          enumeration(TAG.WrappingMethod, ENUM.WrappingMethod.Encrypt),
          structure(TAG.EncryptionKeyInformation, [uid(id)]),
        ]),
      ]),
    ])
  const links = async (from: Client, of: string): Promise<unknown[]> =>
    from.values(await from.register('SymmetricKey', wrapped(of), [usage(U.Encrypt)]), 'Link')
  t.same(await links(c, kek), [[ENUM.LinkType.WrappingKeyLink, kek]])
  t.same(await links(c, 'elsewhere'), [], 'a key that is not here')
  t.same(await links(lab.client({ version: 21, scope: 'another' }), kek), [], 'nor a key of others')
  t.same(await links(c.in(14), kek), [], '1.x has no such link')
})
