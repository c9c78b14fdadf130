import { createCipheriv, createPrivateKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import t from 'tap'
import { decode, encode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bigInteger, boolean, bytes, child, dateTime, enumeration, type Item, integer, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  AES,
  algorithm,
  attribute,
  bits,
  type Client,
  captured,
  custom,
  keyBlock,
  makeLab,
  name,
  named,
  objectType,
  opaque,
  parameters,
  type Reply,
  revocation,
  secretData,
  symmetricKey,
  U,
  uid,
  usage,
  x,
} from './harness.ts'

// Objects going in and out: Register, Get, key formats, wrapping, Import and Export.

const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
const KEK = Buffer.alloc(32, 0x42)
const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const material = (reply: Reply, tag: number = TAG.SymmetricKey): unknown => reply.at(tag, TAG.KeyBlock, TAG.KeyValue, TAG.KeyMaterial)
const objectOf = (reply: Reply): Item => (reply.payload as { value: readonly Item[] }).value.at(-1)!
const split = (part: number): Item[] => [
  integer(TAG.SplitKeyParts, 3),
  integer(TAG.KeyPartIdentifier, part),
  integer(TAG.SplitKeyThreshold, 2),
  enumeration(TAG.SplitKeyMethod, ENUM.SplitKeyMethod.PolynomialSharingGF2_8),
]
const certificate = (): Item => {
  const item = child(decode(captured('pykmip').get('register-1.2-5')!), TAG.BatchItem)!
  return child(child(item, TAG.RequestPayload)!, TAG.Certificate)!
}

const keyMaterial = (...items: Item[]): Item => structure(TAG.KeyMaterial, items)
const big = (tag: number, hex: string): Item => bigInteger(tag, Buffer.from(hex, 'hex'))
const jwk = rsa.privateKey.export({ format: 'jwk' })
const bigOf = (tag: number, base64url: string): Item => {
  const digits = Buffer.from(base64url, 'base64url')
  return bigInteger(tag, Buffer.concat([Buffer.alloc(8 + ((8 - (digits.length % 8)) % 8)), digits]))
}

const OBJECTS: [what: string, type: keyof typeof ENUM.ObjectType, object: Item, since?: number][] = [
  ['a symmetric key', 'SymmetricKey', symmetricKey(KEY)],
  ['a symmetric key without algorithm and length', 'SymmetricKey', structure(TAG.SymmetricKey, [keyBlock(KEY)])],
  ['a transparent symmetric key', 'SymmetricKey', structure(TAG.SymmetricKey, [keyBlock(keyMaterial(bytes(TAG.Key, KEY)), { format: 'TransparentSymmetricKey', algorithm: 'AES', length: 128 })])],
  ['a symmetric key of a vendor’s format', 'SymmetricKey', structure(TAG.SymmetricKey, [structure(TAG.KeyBlock, [enumeration(TAG.KeyFormatType, 0x80000001), structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, KEY)])])])],
  ['a key with attributes inside its value', 'SymmetricKey', structure(TAG.SymmetricKey, [keyBlock(structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, KEY), attribute(bits(128)), x('inside', 'v')]))])],
  ['a wrapped key whose wrapping key is elsewhere', 'SymmetricKey', structure(TAG.SymmetricKey, [keyBlock(KEY, { algorithm: 'AES', length: 128, wrapping: structure(TAG.KeyWrappingData, [enumeration(TAG.WrappingMethod, 1), structure(TAG.EncryptionKeyInformation, [uid('elsewhere'), parameters({ mode: 'NISTKeyWrap' })]), bytes(TAG.IVCounterNonce, KEY), enumeration(TAG.EncodingOption, 1)]) })]), 11],
  ['a key wrapped as a whole', 'SymmetricKey', structure(TAG.SymmetricKey, [structure(TAG.KeyBlock, [enumeration(TAG.KeyFormatType, 1), bytes(TAG.KeyValue, KEY), structure(TAG.KeyWrappingData, [enumeration(TAG.WrappingMethod, 1), structure(TAG.EncryptionKeyInformation, [uid('elsewhere')])])])])],
  ['a password', 'SecretData', secretData(Buffer.from('pass wörd'))],
  ['an empty secret', 'SecretData', secretData(Buffer.alloc(0), 'Seed')],
  ['an opaque object', 'OpaqueObject', opaque(Buffer.from([0, 255, 1]), 0x80000123)],
  ['an empty opaque object', 'OpaqueObject', opaque(Buffer.alloc(0))],
  ['a private key, PKCS#8', 'PrivateKey', structure(TAG.PrivateKey, [keyBlock(rsa.privateKey.export({ format: 'der', type: 'pkcs8' }), { format: 'PKCS_8', algorithm: 'RSA', length: 1024 })])],
  ['a private key, PKCS#1, that says no more', 'PrivateKey', structure(TAG.PrivateKey, [keyBlock(rsa.privateKey.export({ format: 'der', type: 'pkcs1' }), { format: 'PKCS_1' })])],
  ['a private key, SEC 1', 'PrivateKey', structure(TAG.PrivateKey, [keyBlock(ec.privateKey.export({ format: 'der', type: 'sec1' }), { format: 'ECPrivateKey', algorithm: 'EC', length: 256 })])],
  ['a private key that nobody can read', 'PrivateKey', structure(TAG.PrivateKey, [keyBlock(KEY, { format: 'PKCS_8', algorithm: 'RSA', length: 2048 })])],
  ['trap 4: a transparent private key', 'PrivateKey', structure(TAG.PrivateKey, [keyBlock(keyMaterial(bigOf(TAG.Modulus, jwk.n!), bigOf(TAG.PrivateExponent, jwk.d!), big(TAG.PublicExponent, '0000000000010001')), { format: 'TransparentRSAPrivateKey', algorithm: 'RSA', length: 1024 })])],
  ['trap 134: a transparent private key by its primes', 'PrivateKey', structure(TAG.PrivateKey, [keyBlock(keyMaterial(bigOf(TAG.Modulus, jwk.n!), big(TAG.PublicExponent, '0000000000010001'), bigOf(TAG.P, jwk.p!), bigOf(TAG.Q, jwk.q!)), { format: 'TransparentRSAPrivateKey', algorithm: 'RSA', length: 1024 })])],
  ['a public key, X.509', 'PublicKey', structure(TAG.PublicKey, [keyBlock(rsa.publicKey.export({ format: 'der', type: 'spki' }), { format: 'X_509', algorithm: 'RSA', length: 1024 })])],
  ['a certificate', 'Certificate', certificate()],
  ['a certificate that nobody can read', 'Certificate', structure(TAG.Certificate, [enumeration(TAG.CertificateType, 1), bytes(TAG.CertificateValue, KEY)])],
  ['a part of a split key', 'SplitKey', structure(TAG.SplitKey, [...split(2), keyBlock(KEY, { algorithm: 'AES', length: 128 })])],
  ['a PGP key', 'PGPKey', structure(TAG.PGPKey, [integer(TAG.PGPKeyVersion, 4), keyBlock(KEY, { format: 'Opaque' })]), 12],
  ['a template', 'Template', structure(TAG.Template, [attribute(algorithm('AES')), attribute(bits(128)), x('t', 'v')])],
] // biome-ignore format: one object a line

t.test('trap 118: every object comes back as it was registered', async t => {
  const c = (await makeLab()).client()
  for (const [what, type, object, since = 10] of OBJECTS) {
    const attributes = type === 'SymmetricKey' ? [usage(12), algorithm('AES'), bits(128)] : []
    for (const version of [since, 14]) {
      const client = c.in(version)
      const id = await client.register(type, object, [...attributes, name(`${what} ${version}`)])
      const reply = await client.ok('Get', uid(id))
      t.equal(encode(objectOf(reply)).toString('hex'), encode(object).toString('hex'), `${what}, ${version}`)
      t.same(reply.at(TAG.ObjectType), ENUM.ObjectType[type])
      t.ok((await client.ok('GetAttributes', uid(id))).all(TAG.Attribute).length >= 4)
    }
  }
  for (const [what, type, object] of OBJECTS.filter(([, type]) => type !== 'Template' && type !== 'SymmetricKey')) {
    const v2 = c.in(21)
    t.equal(
      encode(objectOf(await v2.ok('Get', uid(await v2.register(type, object))))).toString('hex'),
      encode(object).toString('hex'),
      `${what}, 2.1`,
    )
  }
})

t.test('what is registered must be what it is said to be', async t => {
  const c = (await makeLab()).client()
  const register = (type: keyof typeof ENUM.ObjectType, ...object: Item[]) =>
    c.result('Register', objectType(type), c.template([]), ...object)
  t.equal(await register('SecretData', symmetricKey(KEY)), 'InvalidField')
  t.equal(await register('SymmetricKey'), 'InvalidMessage')
  t.equal(await register('SymmetricKey', structure(TAG.SymmetricKey, [])), 'InvalidMessage')
  t.equal(await register('OpaqueObject', structure(TAG.OpaqueObject, [enumeration(TAG.OpaqueDataType, 1)])), 'InvalidMessage')
  t.equal(await register('SymmetricKey', symmetricKey(KEY), symmetricKey(KEY)), 'InvalidMessage', 'trap 14')
})

t.test('key formats', async t => {
  const c = (await makeLab()).client()
  const format = (one: keyof typeof ENUM.KeyFormatType): Item => enumeration(TAG.KeyFormatType, ENUM.KeyFormatType[one])
  const [, , pkcs8] = OBJECTS.find(([what]) => what.includes('PKCS#8'))!
  const prv = await c.register('PrivateKey', pkcs8)
  const pkcs1 = await c.ok('Get', uid(prv), format('PKCS_1'))
  t.same(material(pkcs1, TAG.PrivateKey), rsa.privateKey.export({ format: 'der', type: 'pkcs1' }))
  for (const what of ['trap 4: a transparent private key', 'trap 134: a transparent private key by its primes']) {
    const id = await c.register('PrivateKey', OBJECTS.find(([one]) => one === what)![2])
    const key = material(await c.ok('Get', uid(id), format('PKCS_8')), TAG.PrivateKey) as Buffer
    const signature = sign('sha256', KEY, createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
    t.ok(verify('sha256', KEY, rsa.publicKey, signature), what)
  }
  const transparent = await c.ok('Get', uid(prv), format('TransparentRSAPrivateKey'))
  const modulus = transparent.at(TAG.PrivateKey, TAG.KeyBlock, TAG.KeyValue, TAG.KeyMaterial, TAG.Modulus) as Buffer
  t.equal(modulus.length % 8, 0)
  t.ok(modulus[0]! < 0x80, 'trap 3: positive')
  const id = await c.register('SymmetricKey', symmetricKey(KEY))
  t.same(await c.ok('Get', uid(id), format('Raw')).then(reply => material(reply)), KEY)
  t.same(
    (await c.ok('Get', uid(id), format('TransparentSymmetricKey'))).at(
      TAG.SymmetricKey,
      TAG.KeyBlock,
      TAG.KeyValue,
      TAG.KeyMaterial,
      TAG.Key,
    ),
    KEY,
  )
  t.equal(await c.result('Get', uid(id), format('PKCS_8')), 'KeyFormatTypeNotSupported')
  t.equal(await c.result('Get', uid(id), enumeration(TAG.KeyCompressionType, 2)), 'KeyCompressionTypeNotSupported')
})

const wrapping = (id: string, more: { own?: Item; names?: string[]; raw?: boolean } = {}): Item =>
  structure(TAG.KeyWrappingSpecification, [
    enumeration(TAG.WrappingMethod, ENUM.WrappingMethod.Encrypt),
    structure(TAG.EncryptionKeyInformation, [uid(id), ...(more.own ? [more.own] : [])]),
    ...(more.names ?? []).map(one => named(one)),
    ...(more.raw ? [enumeration(TAG.EncodingOption, ENUM.EncodingOption.NoEncoding)] : []),
  ])
const NIST = parameters({ mode: 'NISTKeyWrap' })
const kek = async (c: Client, items: readonly Item[] = []): Promise<string> => {
  const id = await c.register('SymmetricKey', symmetricKey(KEK), [usage(U.WrapKey | U.UnwrapKey), ...items])
  await c.ok('Activate', uid(id))
  return id
}
const aesKeyWrap = (plain: Buffer): Buffer => {
  const cipher = createCipheriv('id-aes256-wrap', KEK, Buffer.alloc(8, 0xa6))
  return Buffer.concat([cipher.update(plain), cipher.final()])
}

t.test('trap 119: wrapping in both encodings, out and in', async t => {
  const c = (await makeLab()).client()
  const wrapper = await kek(c)
  const id = await c.register('SymmetricKey', symmetricKey(KEY), [name('k'), usage(12)])
  const value = structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, KEY)])
  const raw = await c.ok('Get', uid(id), wrapping(wrapper, { own: NIST, raw: true }))
  t.same(material(raw), aesKeyWrap(KEY), 'No Encoding: the material alone, in a Key Value')
  t.equal(raw.at(TAG.SymmetricKey, TAG.KeyBlock, TAG.KeyWrappingData, TAG.EncryptionKeyInformation, TAG.UniqueIdentifier), wrapper)
  const encoded = await c.ok('Get', uid(id), wrapping(wrapper, { own: NIST }))
  t.same(encoded.at(TAG.SymmetricKey, TAG.KeyBlock, TAG.KeyValue), aesKeyWrap(encode(value)), 'TTLV Encoding: the Key Value')
  const names = await c.ok('Get', uid(id), wrapping(wrapper, { own: NIST, names: ['Cryptographic Usage Mask'] }))
  const withAttributes = structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, KEY), attribute(usage(12))])
  t.same(names.at(TAG.SymmetricKey, TAG.KeyBlock, TAG.KeyValue), aesKeyWrap(encode(withAttributes)), 'with attributes')
  t.equal(await c.result('Get', uid(id), wrapping(wrapper, { own: NIST, names: ['Name'], raw: true })), 'EncodingOptionError')

  const notWrapped = enumeration(TAG.KeyWrapType, ENUM.KeyWrapType.NotWrapped)
  for (const [what, answer] of [
    ['No Encoding', raw],
    ['TTLV Encoding', encoded],
    ['attributes inside', names],
  ] as const) {
    const object = objectOf(answer)
    const registered = await c.register('SymmetricKey', object, [usage(12)])
    t.same(objectOf(await c.ok('Get', uid(registered))), object, `${what}: as registered`)
    t.same(material(await c.ok('Get', uid(registered), notWrapped)), KEY, `${what}: not wrapped`)
    await c.ok('Activate', uid(registered))
    t.match(
      await c.result('Get', uid(registered), wrapping(wrapper, { own: NIST })),
      /^(IllegalOperation|PermissionDenied)$/,
      'not wrapped twice',
    )
  }
  const gcm = await c.ok('Get', uid(id), wrapping(wrapper, { own: parameters({ mode: 'GCM', tagLength: 16 }) }))
  const back = await c.register('SymmetricKey', objectOf(gcm), [usage(12)])
  t.same(material(await c.ok('Get', uid(back), notWrapped)), KEY, 'in another mode, with an IV')
})

t.test('trap 120: parameters of the wrapping key', async t => {
  const c = (await makeLab()).client()
  const id = await c.register('SymmetricKey', symmetricKey(KEY))
  const none = await kek(c)
  t.equal(await c.result('Get', uid(id), wrapping(none, { raw: true })), 'ItemNotFound', 'neither side says how')
  const own = await kek(c, [NIST, parameters({ mode: 'ECB' })])
  t.same(material(await c.ok('Get', uid(id), wrapping(own, { raw: true }))), aesKeyWrap(KEY), 'the instance with the lowest index')
  t.equal(await c.result('Get', uid(id), wrapping(own, { own: parameters({ mode: 'ECB' }), raw: true })), 'Success', 'another of its own')
  const other = wrapping(own, { own: parameters({ mode: 'AESKeyWrapPadding' }), raw: true })
  t.equal(await c.result('Get', uid(id), other), 'ItemNotFound', 'none of its own')
  t.equal(await c.in(21).result('Get', uid(id), other), 'BadCryptographicParameters')
})

t.test('trap 122: which key may wrap', async t => {
  const c = (await makeLab()).client()
  const id = await c.register('SymmetricKey', symmetricKey(KEY))
  const get = (version: number, wrapper: string) => c.in(version).result('Get', uid(id), wrapping(wrapper, { own: NIST, raw: true }))
  const inactive = await c.register('SymmetricKey', symmetricKey(KEK), [usage(U.WrapKey)])
  const cannot = await c.active([usage(U.Encrypt)])
  const archived = await kek(c)
  await c.ok('Archive', uid(archived))
  const destroyed = await kek(c)
  await c.ok('Revoke', uid(destroyed), revocation('KeyCompromise'))
  await c.ok('Destroy', uid(destroyed))
  const CASES: [what: string, id: string, in14: string, in21: string][] = [
    ['one that does not exist', 'none', 'ItemNotFound', 'WrappingObjectNotFound'],
    ['one that is not active', inactive, 'PermissionDenied', 'WrongKeyLifecycleState'],
    ['one whose mask does not allow it', cannot, 'PermissionDenied', 'IncompatibleCryptographicUsageMask'],
    ['an archived one', archived, 'ObjectArchived', 'WrappingObjectArchived'],
    ['a destroyed one', destroyed, 'PermissionDenied', 'WrappingObjectDestroyed'],
    ['an object that is no key', await c.register('OpaqueObject', opaque(KEK)), 'IllegalOperation', 'InvalidObjectType'],
  ]
  for (const [what, wrapper, in14, in21] of CASES) {
    t.equal(await get(14, wrapper), in14, what)
    t.equal(await get(21, wrapper), in21, `${what}, 2.1`)
  }
})

t.test('trap 123: sensitive keys leave only wrapped, others not at all', async t => {
  const c = (await makeLab()).client()
  const wrapper = await kek(c)
  const sensitive = await c.create([boolean(TAG.Sensitive, true)])
  const kept = await c.create([boolean(TAG.Extractable, false)])
  for (const operation of ['Get', 'Export'] as const) {
    t.equal(await c.result(operation, uid(sensitive)), 'Sensitive')
    t.equal(await c.result(operation, uid(sensitive), wrapping(wrapper, { own: NIST })), 'Success')
    t.equal(await c.result(operation, uid(kept)), 'NotExtractable')
    t.equal(await c.result(operation, uid(kept), wrapping(wrapper, { own: NIST })), 'NotExtractable')
  }
  for (const [id, result] of [
    [sensitive, 'Sensitive'],
    [kept, 'NotExtractable'],
  ] as const) {
    const parts = (
      await c.ok(
        'CreateSplitKey',
        objectType('SplitKey'),
        uid(id),
        integer(TAG.SplitKeyParts, 3),
        integer(TAG.SplitKeyThreshold, 2),
        enumeration(TAG.SplitKeyMethod, ENUM.SplitKeyMethod.PolynomialSharingGF2_8),
        c.template([boolean(TAG.Sensitive, false)]),
      )
    ).ids
    for (const part of parts) t.equal(await c.result('Get', uid(part)), result, 'nor in parts')
    const joined = await c.ok('JoinSplitKey', objectType('SymmetricKey'), ...parts.map(uid))
    t.equal(await c.result('Get', uid(joined.id)), result, 'nor put together again')
  }
  t.equal(await c.in(12).result('Get', uid(sensitive)), 'PermissionDenied', 'in words that the version knows')
  t.equal(await c.in(10).result('Get', uid(kept)), 'PermissionDenied')
})

t.test('trap 125: a key whose value is elsewhere', async t => {
  const c = (await makeLab()).client()
  const location = structure(TAG.KeyValueLocation, [text(TAG.KeyValueLocationValue, 'hsm 7'), enumeration(TAG.KeyValueLocationType, 1)])
  const object = structure(TAG.SymmetricKey, [keyBlock(undefined, { algorithm: 'AES', length: 128 })])
  const id = await c.register('SymmetricKey', object, [usage(12), location])
  t.equal(await c.value(id, 'Key Value Present'), false)
  t.same(await c.value(id, 'Key Value Location'), ['hsm 7', 1])
  await c.ok('Activate', uid(id))
  const encrypted = await c.result('Encrypt', uid(id), parameters({ mode: 'ECB' }), bytes(TAG.Data, KEY))
  t.equal(encrypted, 'KeyValueNotPresent')
  t.same((await c.values(id, 'Digest')).length, 0)
  t.same(await c.values(await c.create(), 'Key Value Present'), [], 'not said of others')
})

t.test('trap 126: attributes inside a Key Value are not the object’s', async t => {
  const c = (await makeLab()).client()
  const [, type, object] = OBJECTS.find(([what]) => what.includes('inside its value'))!
  const id = await c.register(type, object, [usage(12)])
  t.same(await c.values(id, 'x-inside'), [])
  t.same(await c.locate([x('inside', 'v')]), [])
})

t.test('trap 127: Import', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const dates = [
    dateTime(TAG.InitialDate, 5n),
    dateTime(TAG.ActivationDate, 6n),
    dateTime(TAG.OriginalCreationDate, 4n),
    dateTime(TAG.LastChangeDate, 7n),
  ]
  const importing = (id: string, replace: boolean | undefined, items: readonly Item[], object = symmetricKey(KEY)) =>
    c.result('Import', uid(id), ...(replace === undefined ? [] : [boolean(TAG.ReplaceExisting, replace)]), ...items.map(attribute), object)
  t.equal(
    await importing('here', undefined, [
      ...dates,
      ...AES,
      enumeration(TAG.State, ENUM.State.Active),
      name('in'),
      x('a', 'b'),
      custom('y-a', text(0, 'c')),
    ]),
    'Success',
  )
  t.equal(await c.state('here'), 'Active')
  t.same(await Promise.all(['Initial Date', 'Activation Date', 'Original Creation Date'].map(title => c.value('here', title))), [
    5n,
    6n,
    4n,
  ])
  t.same(await c.value('here', 'y-a'), 'c', 'the server’s own attributes too')
  t.same(material(await c.ok('Get', uid('here'))), KEY)
  for (const replace of [undefined, false]) t.equal(await importing('here', replace, AES), 'ObjectAlreadyExists')
  t.equal(await importing('here', true, [...AES, name('in')], symmetricKey(KEK)), 'Success')
  t.same(material(await c.ok('Get', uid('here'))), KEK)
  t.same(await c.values('here', 'x-a'), [], 'replaced altogether')
  t.equal(await importing('there', undefined, [...AES, name('in')]), 'InvalidField', 'its name is another’s')
  t.equal(await c.result('Get', uid('there')), 'ItemNotFound', 'and it was not kept')
  for (const id of ['', 'a/b', 'a\nb', 'ü']) t.equal(await importing(id, undefined, AES), 'InvalidField', JSON.stringify(id))
})

t.test('of an imported object that is destroyed the key is not kept', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const destroyed = [...AES, enumeration(TAG.State, ENUM.State.Destroyed)].map(attribute)
  const kept = async (id: string): Promise<boolean> => (await lab.records.get('scope-1', id))!.body.includes(KEY)
  await c.ok('Import', uid('living'), ...AES.map(attribute), symmetricKey(KEY))
  t.ok(await kept('living'))
  await c.ok('Import', uid('gone'), ...destroyed, symmetricKey(KEY))
  await c.ok('Import', uid('living'), boolean(TAG.ReplaceExisting, true), ...destroyed, symmetricKey(KEY))
  for (const id of ['gone', 'living']) {
    t.equal(await c.state(id), 'Destroyed')
    t.notOk(await kept(id))
    t.equal(await c.result('Get', uid(id)), 'ItemNotFound')
  }
})

t.test('trap 128: Export, of destroyed objects too, and Import of what it gave', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.active([name('moving'), x('a', 'b')])
  const exported = await c.ok('Export', uid(id))
  const attributes = exported.all(TAG.Attribute)
  t.same(attributes, (await c.ok('GetAttributes', uid(id))).all(TAG.Attribute), 'all attributes')
  const elsewhere = lab.client({ scope: 'scope-2' })
  await elsewhere.ok('Import', uid(id), ...attributes, objectOf(exported))
  t.same(objectOf(await elsewhere.ok('Get', uid(id))), objectOf(await c.ok('Get', uid(id))))
  t.equal(await elsewhere.state(id), 'Active')
  const moved = (await elsewhere.ok('GetAttributes', uid(id))).all(TAG.Attribute).map(item => encode(item).toString('hex'))
  t.same(
    new Set(moved),
    new Set((await c.ok('GetAttributes', uid(id))).all(TAG.Attribute).map(item => encode(item).toString('hex'))),
    'a lossless move',
  )
  await c.ok('Revoke', uid(id), revocation('KeyCompromise'))
  await c.ok('Destroy', uid(id))
  const gone = await c.ok('Export', uid(id))
  t.same(gone.all(TAG.SymmetricKey), [])
  t.ok(gone.all(TAG.Attribute).length > 8)
})

t.test('trap 131: an opaque object has a state and dates', async t => {
  const c = (await makeLab()).client()
  const id = await c.register('OpaqueObject', opaque(KEY))
  t.equal(await c.state(id), 'PreActive')
  await c.ok('Activate', uid(id))
  t.equal(await c.result('Destroy', uid(id)), 'PermissionDenied')
  const template = await c.register('Template', structure(TAG.Template, [attribute(bits(128))]), [name('t')])
  t.equal(await c.result('Activate', uid(template)), 'IllegalOperation', 'a template has none')
  t.equal(await c.result('Destroy', uid(template)), 'Success')
  t.equal(await c.result('Get', uid(template)), 'ItemNotFound')
})

t.test('trap 132: Create makes symmetric keys, from 2.0 on secret data too', async t => {
  const c = (await makeLab()).client()
  for (const [one, length] of [
    ['AES', 128],
    ['AES', 256],
    ['DES3', 168],
    ['HMAC_SHA256', 256],
    ['HMAC_SHA512', 512],
    ['ChaCha20', 256],
  ] as const) {
    const id = await c.create([algorithm(one)], length)
    const key = material(await c.ok('Get', uid(id))) as Buffer
    t.equal(key.length, one === 'DES3' ? 24 : length / 8, `${one} ${length}`)
    t.same((await c.ok('Get', uid(id))).at(TAG.SymmetricKey, TAG.KeyBlock, TAG.CryptographicLength), length)
  }
  for (const length of [0, 8, 100, 1024, -128])
    t.not(await c.result('Create', objectType('SymmetricKey'), c.template([...AES, bits(length)])), 'Success', `AES ${length}`)
  t.not(await c.result('Create', objectType('SymmetricKey'), c.template([algorithm('RSA'), bits(2048), usage(1)])), 'Success')
  t.equal(await c.result('Create', objectType('PrivateKey'), c.template([...AES, bits(128)])), 'InvalidField')
  const v2 = c.in(21)
  t.equal(await v2.result('Create', objectType('SecretData'), v2.template([bits(128)])), 'Success')
})
