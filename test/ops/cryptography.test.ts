import { createCipheriv, createHash, createHmac, hkdfSync, pbkdf2Sync, verify } from 'node:crypto'
import t from 'tap'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { boolean, bytes, enumeration, type Item, integer, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  AES,
  algorithm,
  attribute,
  bits,
  type Client,
  data,
  type Lab,
  makeLab,
  objectType,
  parameters,
  type Reply,
  revocation,
  secretData,
  symmetricKey,
  U,
  uid,
  usage,
  usageLimits,
} from './harness.ts'

// Operations on data, through messages; algorithms themselves are tested with the cryptography.

const KEY = Buffer.alloc(32, 0x11)
const IV = Buffer.alloc(16, 0x22)
const NONCE = Buffer.alloc(12, 0x33)
const TEXT = Buffer.from('forty-two bytes of text, in two and a half.')
const iv = (value: Buffer): Item => bytes(TAG.IVCounterNonce, value)
const aad = (value: Buffer): Item => bytes(TAG.AuthenticatedEncryptionAdditionalData, value)
const tag = (value: Buffer): Item => bytes(TAG.AuthenticatedEncryptionTag, value)
const init = boolean(TAG.InitIndicator, true)
const final = boolean(TAG.FinalIndicator, true)
const on = (reply: Reply): Item => bytes(TAG.CorrelationValue, reply.at(TAG.CorrelationValue) as Buffer)
const bytesOf = (reply: Reply, of: number = TAG.Data): Buffer => (reply.at(of) as Buffer | undefined) ?? Buffer.alloc(0)

async function aes(c: Client, items: readonly Item[] = []): Promise<string> {
  const mask = items.some(item => item.tag === TAG.CryptographicUsageMask) ? [] : [usage(-1 >>> 1)]
  const id = await c.register('SymmetricKey', symmetricKey(KEY), [...mask, ...items])
  await c.ok('Activate', uid(id))
  return id
}
const cbc = (plain: Buffer): Buffer => {
  const cipher = createCipheriv('aes-256-cbc', KEY, IV)
  return Buffer.concat([cipher.update(plain), cipher.final()])
}
const CBC = parameters({ mode: 'CBC', padding: 'PKCS5' })
const GCM = parameters({ mode: 'GCM', tagLength: 16 })

t.test('trap 138: parameters of the request, or else the object’s own with the lowest index', async t => {
  const c = (await makeLab()).client()
  const id = await aes(c, [CBC, parameters({ mode: 'ECB', padding: 'PKCS5' })])
  t.same(bytesOf(await c.ok('Encrypt', uid(id), data(TEXT), iv(IV))), cbc(TEXT))
  const other = await aes(c)
  t.same(bytesOf(await c.ok('Encrypt', uid(other), CBC, data(TEXT), iv(IV))), cbc(TEXT))
  t.not(await c.result('Encrypt', uid(other), data(TEXT), iv(IV)), 'Success', 'neither says how')
  const empty = structure(TAG.CryptographicParameters, [])
  t.same(bytesOf(await c.ok('Encrypt', uid(id), empty, data(TEXT), iv(IV))), cbc(TEXT), 'empty ones are none')
})

t.test('trap 139: initialization vectors', async t => {
  const c = (await makeLab()).client()
  const id = await aes(c)
  const random = parameters({ mode: 'CBC', padding: 'PKCS5', randomIv: true })
  const first = await c.ok('Encrypt', uid(id), random, data(TEXT))
  const second = await c.ok('Encrypt', uid(id), random, data(TEXT))
  t.equal(bytesOf(first, TAG.IVCounterNonce).length, 16)
  t.notOk(bytesOf(first, TAG.IVCounterNonce).equals(bytesOf(second, TAG.IVCounterNonce)))
  t.same(bytesOf(await c.ok('Decrypt', uid(id), CBC, data(bytesOf(first)), iv(bytesOf(first, TAG.IVCounterNonce)))), TEXT)
  t.same(
    (await c.ok('Encrypt', uid(id), random, data(TEXT), iv(IV))).fields,
    ['UniqueIdentifier', 'Data'],
    'a given one does not come back',
  )
  for (const version of [12, 14, 21]) {
    t.equal(await c.in(version).result('Decrypt', uid(id), CBC, data(cbc(TEXT))), 'InvalidMessage', `none to decrypt with, ${version}`)
    const without = parameters({ mode: 'CBC', padding: 'PKCS5', randomIv: false })
    t.equal(await c.in(version).result('Encrypt', uid(id), without, data(TEXT)), 'InvalidMessage', `none wanted, ${version}`)
  }
  t.equal(await c.result('Encrypt', uid(id), CBC), 'InvalidMessage', 'no data')
})

t.test('traps 140 and 141: authenticated encryption', async t => {
  const c = (await makeLab()).client()
  const id = await aes(c)
  const sealed = await c.ok('Encrypt', uid(id), GCM, data(TEXT), iv(NONCE), aad(IV))
  t.equal(bytesOf(sealed, TAG.AuthenticatedEncryptionTag).length, 16)
  const open = (...more: Item[]) => c.try('Decrypt', uid(id), GCM, data(bytesOf(sealed)), ...more)
  const right = tag(bytesOf(sealed, TAG.AuthenticatedEncryptionTag))
  t.same(bytesOf(await open(iv(NONCE), aad(IV), right)), TEXT)
  const WRONG: [what: string, ...Item[]][] = [
    ['another tag', iv(NONCE), aad(IV), tag(Buffer.alloc(16))],
    ['another IV', iv(Buffer.alloc(12)), aad(IV), right],
    ['other additional data', iv(NONCE), aad(KEY), right],
    ['no additional data', iv(NONCE), right],
  ]
  for (const [what, ...items] of WRONG) {
    const reply = await open(...items)
    t.equal(reply.result, 'CryptographicFailure', what)
    t.equal(reply.at(TAG.Data), undefined)
  }
  for (const tagLength of [1, 32])
    t.equal(
      await c.result('Encrypt', uid(id), parameters({ mode: 'GCM', tagLength }), data(TEXT), iv(NONCE)),
      'GeneralFailure',
      `tag of ${tagLength}`,
    )
})

t.test('traps 142 and 143: data in parts', async t => {
  const lab: Lab = await makeLab()
  const c = lab.client()
  const id = await aes(c, [usageLimits(100)])
  const mac = await c.register('SymmetricKey', symmetricKey(KEY, { algorithm: 'HMAC_SHA256' }), [usage(U.MACGenerate | U.MACVerify)])
  await c.ok('Activate', uid(mac))
  const rsa = await keyPair(c)
  const parts = [TEXT.subarray(0, 5), TEXT.subarray(5, 30), TEXT.subarray(30)] as const
  const stream = async (
    operation: 'Encrypt' | 'Decrypt' | 'MAC' | 'MACVerify' | 'Hash' | 'Sign' | 'SignatureVerify',
    fixed: Item[],
    more: { first?: Item[]; last?: Item[]; parts?: readonly Buffer[] } = {},
  ) => {
    const [one, two, three] = more.parts ?? parts
    const begun = await c.ok(operation, ...fixed, data(one!), ...(more.first ?? []), init)
    const going = await c.ok(operation, ...fixed, data(two!), on(begun))
    const ended = await c.ok(operation, ...fixed, data(three!), ...(more.last ?? []), on(begun), final)
    t.same(going.at(TAG.CorrelationValue), begun.at(TAG.CorrelationValue), `${operation} goes on under the same value`)
    t.equal(ended.at(TAG.CorrelationValue), undefined)
    t.equal(await c.result(operation, ...fixed, data('x'), on(begun)), 'ItemNotFound', `${operation} is over`)
    return { begun, ended, all: Buffer.concat([begun, going, ended].map(reply => bytesOf(reply))) }
  }
  t.same((await stream('Encrypt', [uid(id), CBC], { first: [iv(IV)] })).all, cbc(TEXT))
  const sealed = cbc(TEXT)
  const thirds = [sealed.subarray(0, 7), sealed.subarray(7, 20), sealed.subarray(20)]
  t.same((await stream('Decrypt', [uid(id), CBC], { first: [iv(IV)], parts: thirds })).all, TEXT)
  const whole = await c.ok('Encrypt', uid(id), GCM, data(TEXT), iv(NONCE), aad(IV))
  const gcm = await stream('Encrypt', [uid(id), GCM], { first: [iv(NONCE), aad(IV)] })
  t.same(gcm.all, bytesOf(whole))
  t.same(gcm.ended.at(TAG.AuthenticatedEncryptionTag), whole.at(TAG.AuthenticatedEncryptionTag), 'the tag comes last')
  const gcmParts = [gcm.all.subarray(0, 9), gcm.all.subarray(9, 20), gcm.all.subarray(20)]
  const opened = await stream('Decrypt', [uid(id), GCM], {
    first: [iv(NONCE), aad(IV), tag(bytesOf(whole, TAG.AuthenticatedEncryptionTag))],
    parts: gcmParts,
  })
  t.same(opened.all, TEXT)
  t.equal(bytesOf(opened.begun).length, 0, 'nothing in clear before the tag is checked')
  t.same(bytesOf((await stream('MAC', [uid(mac)])).ended, TAG.MACData), createHmac('sha256', KEY).update(TEXT).digest())
  const expected = createHmac('sha256', KEY).update(TEXT).digest()
  t.equal(
    (await stream('MACVerify', [uid(mac)], { last: [bytes(TAG.MACData, expected)] })).ended.at(TAG.ValidityIndicator),
    ENUM.ValidityIndicator.Valid,
  )
  t.same(bytesOf((await stream('Hash', [parameters({ hash: 'SHA_256' })])).ended), createHash('sha256').update(TEXT).digest())
  const how = parameters({ padding: 'PKCS1V1_5', algorithm: 'RSA', hash: 'SHA_256' })
  const signature = bytesOf((await stream('Sign', [uid(rsa.prv), how])).ended, TAG.SignatureData)
  t.equal(signature.length, 256)
  const verified = await stream('SignatureVerify', [uid(rsa.pub), how], { last: [bytes(TAG.SignatureData, signature)] })
  t.equal(verified.ended.at(TAG.ValidityIndicator), ENUM.ValidityIndicator.Valid)

  const both = await c.ok('Encrypt', uid(id), CBC, data(TEXT), iv(IV), init, final)
  t.same([bytesOf(both), both.at(TAG.CorrelationValue)], [cbc(TEXT), undefined], 'first and last at once is whole')
  for (const version of [14, 21]) {
    const unknown = bytes(TAG.CorrelationValue, Buffer.alloc(16))
    t.equal(await c.in(version).result('Encrypt', uid(id), data(TEXT), unknown), version < 20 ? 'ItemNotFound' : 'InvalidCorrelationValue')
  }
  const left = ((await c.value(id, 'Usage Limits')) as bigint[])[1]!
  t.equal(left, 100n - 3n - 1n - 3n - 1n, 'each part is a use')
  const begun = await c.ok('Encrypt', uid(id), CBC, data(TEXT), iv(IV), init)
  await c.ok('Revoke', uid(id), revocation('CessationOfOperation'))
  t.equal(await c.result('Encrypt', uid(id), data(TEXT), on(begun), final), 'PermissionDenied', 'a key that is revoked meanwhile')
  const hashing = await c.ok('Hash', parameters({ hash: 'SHA_256' }), data(TEXT), init)
  lab.now += 86_400n
  t.equal(await c.result('Hash', parameters({ hash: 'SHA_256' }), on(hashing), final), 'ItemNotFound', 'a stream is not kept for ever')
})

t.test('trap 143: a part is fed once, however often its item is tried', async t => {
  const c = (await makeLab()).client()
  const id = await aes(c, [usageLimits(1000)])
  const plain = Array.from({ length: 20 }, (_, n) => Buffer.alloc(16, n))
  const sealed = await Promise.all(
    plain.map(async part => {
      const begun = await c.ok('Encrypt', uid(id), CBC, iv(IV), data(part), init)
      const ended = await c.ok('Encrypt', uid(id), CBC, data(part), on(begun), final)
      return Buffer.concat([bytesOf(begun), bytesOf(ended)])
    }),
  )
  sealed.forEach((one, n) => {
    if (!one.equals(cbc(Buffer.concat([plain[n]!, plain[n]!])))) t.fail(`stream ${n}`)
  })
  t.equal(((await c.value(id, 'Usage Limits')) as bigint[])[1], 960n)
})

async function keyPair(c: Client, items: readonly Item[] = [algorithm('RSA'), bits(2048)]): Promise<{ prv: string; pub: string }> {
  const pair = await c.ok(
    'CreateKeyPair',
    c.template(items, TAG.CommonTemplateAttribute),
    c.template([usage(U.Sign | U.Decrypt)], TAG.PrivateKeyTemplateAttribute),
    c.template([usage(U.Verify | U.Encrypt)], TAG.PublicKeyTemplateAttribute),
  )
  const prv = pair.at(TAG.PrivateKeyUniqueIdentifier) as string
  const pub = pair.at(TAG.PublicKeyUniqueIdentifier) as string
  for (const id of [prv, pub]) await c.ok('Activate', uid(id))
  return { prv, pub }
}

t.test('trap 144: signatures', async t => {
  const c = (await makeLab()).client()
  const WAYS: [what: string, key: Item[], how: Item][] = [
    ['RSA', [algorithm('RSA'), bits(2048)], parameters({ signature: 'SHA_256WithRSAEncryption' })],
    ['RSA-PSS', [algorithm('RSA'), bits(2048)], parameters({ padding: 'PSS', algorithm: 'RSA', hash: 'SHA_256' })],
    ['ECDSA', [algorithm('EC'), bits(256)], parameters({ signature: 'ECDSAWithSHA256' })],
  ]
  for (const [what, key, how] of WAYS) {
    const { prv, pub } = await keyPair(c, key)
    const signed = bytesOf(await c.ok('Sign', uid(prv), how, data(TEXT)), TAG.SignatureData)
    const check = async (message: Item, signature: Buffer) =>
      (await c.ok('SignatureVerify', uid(pub), how, message, bytes(TAG.SignatureData, signature))).at(TAG.ValidityIndicator)
    const { Valid, Invalid } = ENUM.ValidityIndicator
    t.equal(await check(data(TEXT), signed), Valid, what)
    t.equal(await check(data('other'), signed), Invalid, `${what}: a wrong one is a success that says so`)
    t.equal(await check(data(TEXT), Buffer.alloc(signed.length, 1)), Invalid)
    const digested = bytes(TAG.DigestedData, createHash('sha256').update(TEXT).digest())
    t.equal(await check(digested, signed), Valid, `${what}: by its digest`)
    t.equal(await check(data(TEXT), bytesOf(await c.ok('Sign', uid(prv), how, digested), TAG.SignatureData)), Valid)
    t.equal(await c.result('Sign', uid(pub), how, data(TEXT)), 'PermissionDenied', 'a public key does not sign')
    t.equal(await c.result('Sign', uid(prv), how, data(TEXT), digested), 'InvalidMessage')
  }
  const { prv, pub } = await keyPair(c)
  const spki = (await c.ok('Get', uid(pub), enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.X_509))).at(
    TAG.PublicKey,
    TAG.KeyBlock,
    TAG.KeyValue,
    TAG.KeyMaterial,
  )
  const signature = bytesOf(
    await c.ok('Sign', uid(prv), parameters({ signature: 'SHA_256WithRSAEncryption' }), data(TEXT)),
    TAG.SignatureData,
  )
  t.ok(verify('sha256', TEXT, { key: spki as Buffer, format: 'der', type: 'spki' }, signature), 'others verify it')
  const oaep = parameters({ padding: 'OAEP', hash: 'SHA_256' })
  const sealed = bytesOf(await c.ok('Encrypt', uid(pub), oaep, data('short')))
  t.equal(bytesOf(await c.ok('Decrypt', uid(prv), oaep, data(sealed))).toString(), 'short')
})

t.test('trap 144: MACs', async t => {
  const c = (await makeLab()).client()
  const id = await c.register('SymmetricKey', symmetricKey(KEY, { algorithm: 'HMAC_SHA256' }), [
    usage(U.MACGenerate | U.MACVerify),
    usageLimits(2),
  ])
  await c.ok('Activate', uid(id))
  const made = bytesOf(await c.ok('MAC', uid(id), data(TEXT)), TAG.MACData)
  t.same(made, createHmac('sha256', KEY).update(TEXT).digest())
  const check = async (mac: Buffer) => (await c.ok('MACVerify', uid(id), data(TEXT), bytes(TAG.MACData, mac))).at(TAG.ValidityIndicator)
  t.equal(await check(made), ENUM.ValidityIndicator.Valid)
  t.equal(await check(Buffer.alloc(32)), ENUM.ValidityIndicator.Invalid)
  t.equal(await check(made.subarray(1)), ENUM.ValidityIndicator.Invalid)
  t.equal(await c.result('MACVerify', uid(id), data(TEXT)), 'InvalidMessage')
  await c.ok('MAC', uid(id), data(TEXT))
  t.equal(await c.result('MAC', uid(id), data(TEXT)), 'PermissionDenied', 'a MAC is a use')
  const sha512 = await c.ok(
    'MACVerify',
    uid(id),
    parameters({ algorithm: 'HMAC_SHA512' }),
    data(TEXT),
    bytes(TAG.MACData, createHmac('sha512', KEY).update(TEXT).digest()),
  )
  t.equal(sha512.at(TAG.ValidityIndicator), ENUM.ValidityIndicator.Valid)
})

t.test('trap 147: Hash and random numbers', async t => {
  const lab = await makeLab({ maxRandom: 64 })
  const c = lab.client()
  const hashed = await c.ok('Hash', parameters({ hash: 'SHA_384' }), data(TEXT))
  t.same(hashed.fields, ['Data'])
  t.same(bytesOf(hashed), createHash('sha384').update(TEXT).digest())
  t.equal(bytesOf(await c.ok('RNGRetrieve', integer(TAG.DataLength, 64))).length, 64)
  for (const length of [65, -1, 2 ** 31 - 1]) t.equal(await c.result('RNGRetrieve', integer(TAG.DataLength, length)), 'InvalidField')
  t.equal((await c.ok('RNGSeed', data('seed'))).at(TAG.DataLength), 0)
})

t.test('traps 148 and 149: Derive Key', async t => {
  const c = (await makeLab({ maxIterations: 1000 })).client()
  const base = await aes(c)
  const password = await c.register('SecretData', secretData(Buffer.from('password')), [usage(U.DeriveKey)])
  await c.ok('Activate', uid(password))
  const derive = (
    ids: string[],
    method: keyof typeof ENUM.DerivationMethod,
    fields: Item[],
    items: Item[] = [algorithm('AES'), bits(128), usage(12)],
    type: 'SymmetricKey' | 'SecretData' = 'SymmetricKey',
  ) =>
    c.try(
      'DeriveKey',
      objectType(type),
      ...ids.map(uid),
      enumeration(TAG.DerivationMethod, ENUM.DerivationMethod[method]),
      structure(TAG.DerivationParameters, fields),
      c.template(items),
    )
  const sha256 = parameters({ hash: 'SHA_256' })
  const material = async (id: string, tag: number = TAG.SymmetricKey) =>
    (await c.ok('Get', uid(id))).at(tag, TAG.KeyBlock, TAG.KeyValue, TAG.KeyMaterial)
  const pbkdf2 = (iterations: number) => [sha256, bytes(TAG.Salt, IV), integer(TAG.IterationCount, iterations)]
  const fromPassword = await derive([password], 'PBKDF2', pbkdf2(1000))
  t.same(await material(fromPassword.id), pbkdf2Sync('password', IV, 1000, 16, 'sha256'))
  t.not((await derive([password], 'PBKDF2', pbkdf2(1001))).result, 'Success', 'iterations are capped')
  const { LinkType } = ENUM
  t.same(await c.values(fromPassword.id, 'Link'), [[LinkType.DerivationBaseObjectLink, password]])
  t.same(await c.values(password, 'Link'), [[LinkType.DerivedKeyLink, fromPassword.id]])
  const hmac = await derive([base], 'HMAC', [sha256, bytes(TAG.DerivationData, TEXT)])
  t.equal(((await material(hmac.id)) as Buffer).length, 16)
  const hash = await derive([base], 'HASH', [sha256], [bits(256)], 'SecretData')
  t.equal(((await material(hash.id, TAG.SecretData)) as Buffer).length, 32)
  const encrypted = await derive([base], 'ENCRYPT', [CBC, bytes(TAG.InitializationVector, IV), bytes(TAG.DerivationData, TEXT)])
  t.same(await material(encrypted.id), cbc(TEXT).subarray(0, 16))
  t.equal((await derive([base], 'HASH', [sha256], [bits(8192)], 'SecretData')).result, 'CryptographicFailure', 'longer than the output')
  t.equal((await derive([base, password], 'HMAC', [sha256, bytes(TAG.DerivationData, TEXT)])).result, 'InvalidMessage', 'data twice')
  t.equal((await derive([base], 'HMAC', [sha256, bytes(TAG.DerivationData, TEXT)], [algorithm('AES')])).result, 'InvalidField')
  const cannot = await c.active([usage(U.Encrypt)])
  t.equal((await derive([cannot], 'HMAC', [sha256, bytes(TAG.DerivationData, TEXT)])).result, 'InvalidField')
  const viaHkdf = await c
    .in(21)
    .try(
      'DeriveKey',
      objectType('SymmetricKey'),
      uid(base),
      enumeration(TAG.DerivationMethod, ENUM.DerivationMethod.HKDF),
      structure(TAG.DerivationParameters, [sha256, bytes(TAG.DerivationData, TEXT), bytes(TAG.Salt, IV)]),
      c.in(21).template([...AES, bits(128)]),
    )
  t.same(await material(viaHkdf.id), Buffer.from(hkdfSync('sha256', KEY, IV, TEXT, 16)), 'HKDF')
})

t.test('objects that are not what an operation needs', async t => {
  const c = (await makeLab()).client()
  const secret = await c.register('SecretData', secretData(KEY), [usage(-1 >>> 1)])
  await c.ok('Activate', uid(secret))
  const opaqueObject = await c.register('Template', structure(TAG.Template, [attribute(bits(128))]), [])
  for (const [operation, ...payload] of [
    ['Sign', data(TEXT)],
    ['SignatureVerify', data(TEXT), bytes(TAG.SignatureData, TEXT)],
    ['Encrypt', parameters({ mode: 'ECB' }), data(TEXT)],
  ] as [Parameters<Client['ok']>[0], ...Item[]][])
    for (const id of [secret, opaqueObject])
      t.notMatch(await c.result(operation, uid(id), ...payload), /^(Success|GeneralFailure)$/, operation)
  t.not(await c.result('Create', objectType('SymmetricKey'), c.template([algorithm('AES'), bits(127), usage(1)])), 'GeneralFailure')
  t.equal(await c.result('ReKey', text(TAG.UniqueIdentifier, secret)), 'PermissionDenied')
})
