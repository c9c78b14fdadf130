import { constants, createHash, sign as nodeSign, verify as nodeVerify, privateDecrypt, privateEncrypt, publicEncrypt } from 'node:crypto'
import { x25519 } from '@noble/curves/ed25519.js'
import { brainpoolP384r1 } from '@noble/curves/misc.js'
import { p256, p521 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import fc from 'fast-check'
import t from 'tap'
import { HASHES, SIGNATURES } from '../../src/crypto/algorithms.ts'
import type { KeyComponents } from '../../src/crypto/components.ts'
import { CURVES, OKP } from '../../src/crypto/curves.ts'
import { parseKey, writeKey } from '../../src/crypto/key-formats.ts'
import { agree, generateKeyPair } from '../../src/crypto/keys.ts'
import type { CryptographicParameters } from '../../src/crypto/parameters.ts'
import { rsaDecrypt, rsaEncrypt } from '../../src/crypto/rsa.ts'
import { checkPss, decodeOaep, decodePkcs1, encodeOaep, encodePss, mgf1 } from '../../src/crypto/rsa-padding.ts'
import { createSignStream, createVerifyStream, sign, verify } from '../../src/crypto/signature.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const rsa = await generateKeyPair('RSA', { length: 2048 })
const oddRsa = await generateKeyPair('RSA', { length: 1032 })
const dsa = await generateKeyPair('DSA', { length: 1024 })
const ec = await generateKeyPair('EC', { curve: 'P_256' })
const data = Buffer.from('what is signed')
const { RSA_PKCS1_PADDING, RSA_PKCS1_OAEP_PADDING, RSA_PKCS1_PSS_PADDING } = constants

t.test('published signatures', async t => {
  // RFC 8032 section 7.1, test 1.
  const seed = hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')
  const edPrivate = parseKey('private', 'Raw', seed, { algorithm: 'Ed25519' })
  const edPublic = parseKey('public', 'Raw', hex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'), {
    algorithm: 'Ed25519',
  })
  const edSignature = hex(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  )
  t.same(await sign(edPrivate, { data: Buffer.alloc(0) }, {}), edSignature)
  t.equal(await verify(edPublic, { data: Buffer.alloc(0) }, edSignature, {}), true)

  // RFC 6979 appendix A.2.5, P-256 with SHA-256 and the message "sample".
  const q =
    '0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299'
  const key = parseKey('public', 'TransparentECPublicKey', { recommendedCurve: 'P_256', qString: hex(q) })
  const signature = hex(
    '3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
  )
  const digest = createHash('sha256').update('sample').digest()
  const p = { digitalSignatureAlgorithm: 'ECDSAWithSHA256' }
  t.equal(await verify(key, { data: Buffer.from('sample') }, signature, p), true)
  t.equal(await verify(key, { digest }, signature, p), true, 'over the digest, with a high s')
  t.equal(await verify(key, { data: Buffer.from('simple') }, signature, p), false)
})

t.test('agreement is that of another implementation', async t => {
  const [a, b] = [await generateKeyPair('EC', { curve: 'CURVE25519' }), await generateKeyPair('EC', { curve: 'CURVE25519' })]
  const raw = (key: Parameters<typeof writeKey>[0]): Uint8Array => new Uint8Array(writeKey(key, 'Raw') as Buffer)
  t.same(agree(a.privateKey, b.publicKey), Buffer.from(x25519.getSharedSecret(raw(a.privateKey), raw(b.publicKey))))
  const numbers = (key: Parameters<typeof writeKey>[0], format: string): KeyComponents => writeKey(key, format) as KeyComponents
  const other = await generateKeyPair('EC', { curve: 'P_256' })
  const [d, q] = [numbers(ec.privateKey, 'TransparentECPrivateKey').d, numbers(other.publicKey, 'TransparentECPublicKey').qString]
  const point = p256.getSharedSecret(new Uint8Array(d ?? []), new Uint8Array(q ?? []))
  t.same(agree(ec.privateKey, other.publicKey), Buffer.from(point.subarray(1, 33)))
  t.throws(() => agree(rsa.privateKey, rsa.publicKey), { name: 'CryptoError', code: 'unsupported' })
  t.throws(() => agree(ec.publicKey, ec.publicKey), { name: 'CryptoError', code: 'invalid' })
})

t.test('each Digital Signature Algorithm, over data, over a digest, in parts, and as node:crypto has it', async t => {
  const pairs = { RSA: rsa, DSA: dsa, EC: ec }
  for (const [name, row] of Object.entries(SIGNATURES)) {
    if (name.startsWith('MD2')) continue
    const { privateKey, publicKey } = pairs[row.key]
    const hashingAlgorithm = row.hash ?? 'SHA_384'
    const p: CryptographicParameters = { digitalSignatureAlgorithm: name, hashingAlgorithm }
    const openssl = HASHES[hashingAlgorithm]?.name ?? ''
    const signature = await sign(privateKey, { data }, p)
    const padding = row.padding === 'PSS' ? { padding: RSA_PKCS1_PSS_PADDING } : {}
    t.equal(nodeVerify(openssl, data, { key: publicKey, ...padding }, signature), true, `${name}: OpenSSL verifies ours`)
    t.equal(
      await verify(publicKey, { data }, nodeSign(openssl, data, { key: privateKey, ...padding }), p),
      true,
      `${name}: we verify OpenSSL's`,
    )
    t.equal(await verify(publicKey, { data: Buffer.from('other') }, signature, p), false, `${name}: other data`)
    t.equal(await verify(publicKey, { data }, signature.subarray(1), p), false, `${name}: cut`)
    t.equal(await verify(publicKey, { data }, Buffer.alloc(0), p), false, `${name}: empty`)
    t.equal(await verify(publicKey, { data }, Buffer.alloc(signature.length, 0xff), p), false, `${name}: noise`)

    const stream = createSignStream(privateKey, p)
    const check = createVerifyStream(publicKey, p)
    for (const part of [data.subarray(0, 5), data.subarray(5)]) {
      stream.update(part)
      check.update(part)
    }
    t.equal(await check.final(await stream.final()), true, `${name}: in parts`)

    const digest = createHash(openssl).update(data).digest()
    t.equal(await verify(publicKey, { data }, await sign(privateKey, { digest }, p), p), true, `${name}: of a digest`)
    t.equal(await verify(publicKey, { digest }, signature, p), true, `${name}: by its digest`)
    await t.rejects(
      sign(privateKey, { digest: digest.subarray(1) }, p),
      { name: 'CryptoError', code: 'invalid' },
      `${name}: digest of wrong length`,
    )
  }
  const ed = await generateKeyPair('Ed448')
  const stream = createSignStream(ed.privateKey, {})
  const check = createVerifyStream(ed.publicKey, {})
  stream.update(data)
  check.update(data)
  t.equal(await check.final(await stream.final()), true, 'Ed448 in parts')
  await t.rejects(sign(ed.privateKey, { digest: Buffer.alloc(32) }, {}), { name: 'CryptoError', code: 'unsupported' })
})

t.test('a digest on each curve is what OpenSSL makes of its data', async t => {
  for (const [curve, row] of Object.entries(CURVES)) {
    if (curve in OKP) continue
    const { privateKey, publicKey } = await generateKeyPair('EC', { curve })
    const openssl = HASHES[row.hash]?.name ?? ''
    const digest = createHash(openssl).update(data).digest()
    const signature = await sign(privateKey, { digest }, {})
    t.equal(nodeVerify(openssl, data, publicKey, signature), true, `${curve}: OpenSSL verifies ours`)
    t.equal(await verify(publicKey, { digest }, nodeSign(openssl, data, privateKey), {}), true, `${curve}: we verify OpenSSL's`)
    const other = Buffer.from(digest)
    other[0] = (other[0] ?? 0) ^ 1
    t.equal(await verify(publicKey, { digest: other }, signature, {}), false, `${curve}: another digest`)
  }
})

t.test('digests of any length when no hash is named', async t => {
  const LENGTHS = [1, 16, 20, 31, 32, 33, 48, 64, 66, 67, 200]
  const digestOf = (length: number): Buffer => Buffer.alloc(length, createHash('sha512').update(String(length)).digest())
  const form = { prehash: false, lowS: false, format: 'der' } as const
  for (const [curve, noble] of Object.entries({ P_256: p256, P_521: p521, SECP256K1: secp256k1, BRAINPOOLP384R1: brainpoolP384r1 })) {
    const pair = await generateKeyPair('EC', { curve })
    const numbers = (key: Parameters<typeof writeKey>[0], format: string): KeyComponents => writeKey(key, format) as KeyComponents
    const d = new Uint8Array(numbers(pair.privateKey, 'TransparentECPrivateKey').d ?? [])
    const q = new Uint8Array(numbers(pair.publicKey, 'TransparentECPublicKey').qString ?? [])
    for (const length of LENGTHS) {
      const digest = digestOf(length)
      const signature = await sign(pair.privateKey, { digest }, { cryptographicAlgorithm: 'ECDSA' })
      t.equal(noble.verify(new Uint8Array(signature), digest, q, form), true, `${curve}, ${length} bytes: another implementation agrees`)
      t.equal(await verify(pair.publicKey, { digest }, noble.sign(digest, d, form), {}), true, `${curve}, ${length} bytes: and we with it`)
    }
  }
  for (const length of LENGTHS) {
    const digest = digestOf(length)
    const signature = await sign(dsa.privateKey, { digest }, {})
    t.equal(await verify(dsa.publicKey, { digest }, signature, {}), true, `DSA, ${length} bytes`)
    t.equal(await verify(dsa.publicKey, { digest: digestOf(length + 1) }, signature, {}), false, `DSA, ${length} bytes: another digest`)
    const bare = await sign(rsa.privateKey, { digest }, { cryptographicAlgorithm: 'RSA' })
    t.same(bare, privateEncrypt({ key: rsa.privateKey, padding: RSA_PKCS1_PADDING }, digest), `RSA, ${length} bytes: as they are`)
    t.equal(await verify(rsa.publicKey, { digest }, bare, {}), true)
    t.equal(await verify(rsa.publicKey, { digest: digestOf(length + 1) }, bare, {}), false)
  }
  const most = Buffer.alloc(245, 1)
  t.equal(await verify(rsa.publicKey, { digest: most }, await sign(rsa.privateKey, { digest: most }, {}), {}), true)
  const REFUSED: [name: string, code: string, key: typeof rsa, digest: Buffer][] = [
    ['too long for the key', 'too-long', rsa, Buffer.alloc(246, 1)],
    ['empty', 'invalid', rsa, Buffer.alloc(0)],
    ['empty', 'invalid', ec, Buffer.alloc(0)],
    ['zeros', 'invalid', ec, Buffer.alloc(32)],
    ['zeros', 'invalid', dsa, Buffer.alloc(20)],
  ]
  for (const [name, code, key, digest] of REFUSED)
    await t.rejects(sign(key.privateKey, { digest }, {}), { name: 'CryptoError', code }, name)
  await t.rejects(
    sign(rsa.privateKey, { digest: most }, { paddingMethod: 'PSS' }),
    { name: 'CryptoError', code: 'invalid' },
    'PSS needs a hash',
  )
  t.equal(
    await verify(ec.publicKey, { digest: Buffer.alloc(32) }, await sign(ec.privateKey, { data }, {}), {}),
    false,
    'zeros can be asked about',
  )
})

t.test('parameters of another kind of key', async t => {
  const FOREIGN: [name: string, key: typeof rsa, p: CryptographicParameters][] = [
    ['RSA for EC', ec, { digitalSignatureAlgorithm: 'SHA_256WithRSAEncryption' }],
    ['ECDSA for RSA', rsa, { digitalSignatureAlgorithm: 'ECDSAWithSHA256' }],
  ]
  for (const [name, { privateKey, publicKey }, p] of FOREIGN) {
    t.equal(await verify(publicKey, { data }, Buffer.alloc(64, 1), p), false, name)
    const check = createVerifyStream(publicKey, p)
    check.update(data)
    t.equal(await check.final(Buffer.alloc(64, 1)), false, `${name}, in parts`)
    await t.rejects(sign(privateKey, { data }, p), { name: 'CryptoError', code: 'invalid' }, name)
    t.throws(() => createSignStream(privateKey, p), { name: 'CryptoError', code: 'invalid' }, `${name}, in parts`)
  }
  // The key says what it is; the parameters need not agree.
  for (const cryptographicAlgorithm of ['EC', 'ECDSA', 'ECDH', 'RSA'])
    t.equal(
      await verify(ec.publicKey, { data }, await sign(ec.privateKey, { data }, { cryptographicAlgorithm }), {}),
      true,
      cryptographicAlgorithm,
    )
})

// Malformed signatures of the kinds that the published collections of attacks try.
t.test('ECDSA signatures that are not', async t => {
  const digest = createHash('sha256').update(data).digest()
  const good = await sign(ec.privateKey, { data }, {})
  const n = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
  const BAD: [name: string, signature: Buffer][] = [
    ['r and s of 0', hex('3006020100020100')],
    ['r and s of 1', hex('3006020101020101')],
    ['r of the order', hex(`3026022100${n}020101`)],
    ['negative numbers', hex('30060201ff0201ff')],
    ['no s', hex('3003020101')],
    ['a null for s', hex('300502010105 00'.replace(' ', ''))],
    ['bytes behind', Buffer.concat([good, Buffer.of(0)])],
    ['a long form of the length', Buffer.concat([hex('3081'), good.subarray(1)])],
    ['raw r and s', Buffer.alloc(64, 1)],
    ['an empty sequence', hex('3000')],
  ]
  for (const [name, signature] of BAD) {
    t.equal(await verify(ec.publicKey, { data }, signature, {}), false, name)
    t.equal(await verify(ec.publicKey, { digest }, signature, {}), false, `${name}, over the digest`)
  }
})

t.test('PKCS #1 v1.5 signatures with another content', async t => {
  const digest = createHash('sha256').update(data).digest()
  const info = hex(HASHES.SHA_256?.digestInfo ?? '')
  const forge = (content: Buffer): Buffer => privateEncrypt({ key: rsa.privateKey, padding: RSA_PKCS1_PADDING }, content)
  const p = { hashingAlgorithm: 'SHA_256' }
  t.equal(await verify(rsa.publicKey, { data }, forge(Buffer.concat([info, digest])), p), true)
  const BAD: [name: string, content: Buffer][] = [
    ['no digest info', digest],
    ['no NULL', Buffer.concat([hex('302f300b06096086480165030402010420'), digest])],
    ['bytes behind', Buffer.concat([info, digest, Buffer.of(0)])],
    ['a short digest', Buffer.concat([info, digest.subarray(1)])],
    ['the info of another hash', Buffer.concat([hex(HASHES.SHA3_256?.digestInfo ?? ''), digest])],
    ['nothing', Buffer.alloc(0)],
  ]
  for (const [name, content] of BAD) t.equal(await verify(rsa.publicKey, { data }, forge(content), p), false, name)
})

t.test('PSS', async t => {
  const pss = { paddingMethod: 'PSS', hashingAlgorithm: 'SHA_256' }
  const node = { key: rsa.publicKey, padding: RSA_PKCS1_PSS_PADDING }
  const usual = await sign(rsa.privateKey, { data }, pss)
  t.equal(nodeVerify('sha256', data, { ...node, saltLength: 32 }, usual), true, 'salt as long as the hash, and its mask')
  const salted = await sign(rsa.privateKey, { data }, { ...pss, saltLength: 5 })
  t.equal(nodeVerify('sha256', data, { ...node, saltLength: 5 }, salted), true, 'Salt Length')
  t.equal(await verify(rsa.publicKey, { data }, salted, pss), true, 'any salt unless its length is said')
  t.equal(await verify(rsa.publicKey, { data }, salted, { ...pss, saltLength: 5 }), true)
  t.equal(await verify(rsa.publicKey, { data }, salted, { ...pss, saltLength: 6 }), false)
  const unsalted = await sign(rsa.privateKey, { data }, { ...pss, saltLength: 0 })
  t.equal(await verify(rsa.publicKey, { data }, unsalted, { ...pss, saltLength: 0 }), true)
  const masked = await sign(rsa.privateKey, { data }, { ...pss, maskGeneratorHashingAlgorithm: 'SHA_1' })
  t.equal(await verify(rsa.publicKey, { data }, masked, pss), true, 'the mask that the specification names')
  t.equal(await verify(rsa.publicKey, { data }, masked, { ...pss, maskGeneratorHashingAlgorithm: 'SHA_256' }), false)
  t.equal(await verify(rsa.publicKey, { data }, usual, { ...pss, hashingAlgorithm: 'SHA_1' }), false, 'another hash')
  const byName = await sign(rsa.privateKey, { data }, { digitalSignatureAlgorithm: 'SHA_256WithRSAEncryption', paddingMethod: 'PSS' })
  t.equal(await verify(rsa.publicKey, { data }, byName, pss), true, 'Padding Method says more than the algorithm')
  // 1025 bits less one: the encoding is a byte shorter than the modulus.
  t.equal(await verify(oddRsa.publicKey, { data }, await sign(oddRsa.privateKey, { data }, pss), pss), true)
  for (const bits of [1024, 1025, 1026, 1031, 1032]) {
    const digest = createHash('sha256').update(data).digest()
    const em = encodePss(digest, bits, { hash: 'SHA_256', mask: 'SHA3_256' }, 20)
    t.equal(checkPss(digest, em, bits, { hash: 'SHA_256', mask: 'SHA3_256' }, 20), true, `${bits} bits`)
    for (const at of [0, 40, em.length - 2, em.length - 1]) {
      const wrong = Buffer.from(em)
      wrong[at] = (wrong[at] ?? 0) ^ 0x80
      t.equal(checkPss(digest, wrong, bits, { hash: 'SHA_256', mask: 'SHA3_256' }), false, `${bits} bits, byte ${at}`)
    }
  }
  const REFUSED: [code: string, p: CryptographicParameters][] = [
    ['invalid', { paddingMethod: 'PSS' }],
    ['invalid', { ...pss, saltLength: -1 }],
    ['invalid', { ...pss, saltLength: 1000 }],
    ['unsupported', { ...pss, maskGenerator: 'MGF2' }],
    ['unsupported', { ...pss, trailerField: 2 }],
    ['unsupported', { ...pss, maskGeneratorHashingAlgorithm: 'Tiger' }],
    ['unsupported', { ...pss, paddingMethod: 'X9_31' }],
    ['unsupported', { digitalSignatureAlgorithm: 'MD2WithRSAEncryption' }],
    ['invalid', { digitalSignatureAlgorithm: 'ECDSAWithSHA256' }],
    ['invalid', { digitalSignatureAlgorithm: 'SHA_256WithRSAEncryption', hashingAlgorithm: 'SHA_1' }],
    ['invalid', {}],
  ]
  for (const [code, p] of REFUSED) await t.rejects(sign(rsa.privateKey, { data }, p), { name: 'CryptoError', code }, JSON.stringify(p))
  await t.rejects(sign(rsa.publicKey, { data }, pss), { name: 'CryptoError', code: 'invalid' })
  await t.rejects(verify(rsa.privateKey, { data }, usual, pss), { name: 'CryptoError', code: 'invalid' })
})

t.test('OAEP', async t => {
  const HASH_NAMES = ['SHA_1', 'SHA_224', 'SHA_256', 'SHA_384', 'SHA_512']
  for (const hashingAlgorithm of HASH_NAMES)
    for (const maskGeneratorHashingAlgorithm of HASH_NAMES) {
      const p = { paddingMethod: 'OAEP', hashingAlgorithm, maskGeneratorHashingAlgorithm, pSource: Buffer.from('label') }
      const cipher = rsaEncrypt(rsa.publicKey, data, p)
      t.same(await rsaDecrypt(rsa.privateKey, cipher, p), data, `${hashingAlgorithm} ${maskGeneratorHashingAlgorithm}`)
      await t.rejects(
        rsaDecrypt(rsa.privateKey, cipher, { ...p, pSource: undefined }),
        { name: 'CryptoError', code: 'failed' },
        'without the label',
      )
      if (hashingAlgorithm !== maskGeneratorHashingAlgorithm) continue
      const oaepHash = HASHES[hashingAlgorithm]?.name ?? ''
      const node = { padding: RSA_PKCS1_OAEP_PADDING, oaepHash, oaepLabel: p.pSource }
      t.same(privateDecrypt({ key: rsa.privateKey, ...node }, cipher), data, 'OpenSSL decrypts ours')
      t.same(await rsaDecrypt(rsa.privateKey, publicEncrypt({ key: rsa.publicKey, ...node }, data), p), data, "we decrypt OpenSSL's")
    }
  const p = { paddingMethod: 'OAEP', hashingAlgorithm: 'SHA_256' }
  const cipher = rsaEncrypt(rsa.publicKey, data, p)
  t.same(
    await rsaDecrypt(rsa.privateKey, cipher, { ...p, maskGeneratorHashingAlgorithm: 'SHA_1' }),
    data,
    'the mask hash is SHA-1 unless given',
  )
  t.same(
    await rsaDecrypt(rsa.privateKey, rsaEncrypt(rsa.publicKey, Buffer.alloc(190, 1), p), p),
    Buffer.alloc(190, 1),
    'as much as there is room for',
  )
  t.throws(() => rsaEncrypt(rsa.publicKey, Buffer.alloc(191), p), { name: 'CryptoError', code: 'too-long' })
  t.same(await rsaDecrypt(rsa.privateKey, rsaEncrypt(rsa.publicKey, Buffer.alloc(0), p), p), Buffer.alloc(0), 'nothing')
  await t.rejects(rsaDecrypt(rsa.privateKey, Buffer.alloc(255), p), { name: 'CryptoError', code: 'invalid' })
  await t.rejects(rsaDecrypt(rsa.privateKey, Buffer.alloc(256, 0xff), p), { name: 'CryptoError', code: 'failed' })
  await t.rejects(rsaDecrypt(rsa.privateKey, Buffer.alloc(256, 1), p), { name: 'CryptoError', code: 'failed' })
  await t.rejects(rsaDecrypt(rsa.publicKey, cipher, p), { name: 'CryptoError', code: 'invalid' })
  for (const [code, wrong] of [
    ['invalid', {}],
    ['unsupported', { paddingMethod: 'None' }],
    ['unsupported', { ...p, maskGenerator: 'MGF3' }],
    ['unsupported', { ...p, hashingAlgorithm: 'MD2' }],
  ] as const)
    t.throws(() => rsaEncrypt(rsa.publicKey, data, wrong), { name: 'CryptoError', code }, JSON.stringify(wrong))

  const hashes = { hash: 'SHA_256', mask: 'SHA_1' }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 62 }), fc.nat(127), (bytes, at) => {
      const em = encodeOaep(bytes, 128, hashes, Buffer.alloc(0))
      const wrong = Buffer.from(em)
      wrong[at] = (wrong[at] ?? 0) ^ 1
      let failed = false
      try {
        decodeOaep(wrong, hashes, Buffer.alloc(0))
      } catch {
        failed = true
      }
      return em.length === 128 && decodeOaep(em, hashes, Buffer.alloc(0)).equals(bytes) && failed
    }),
    { numRuns: 100 },
  )
  t.same(mgf1(hex('666f6f'), 3, 'SHA_1'), hex('1ac907'), 'MGF1, a widely published example')
  t.same(
    mgf1(hex('626172'), 50, 'SHA_256'),
    hex('382576a7841021cc28fc4c0948753fb8312090cea942ea4c4e735d10dc724b155f9f6069f289d61daca0cb814502ef04eae1'),
  )
})

t.test('PKCS1V1_5 encryption, and what wrong padding gives', async t => {
  const p = { paddingMethod: 'PKCS1V1_5' }
  for (const message of [data, Buffer.alloc(0), Buffer.alloc(245, 7)]) {
    t.same(await rsaDecrypt(rsa.privateKey, rsaEncrypt(rsa.publicKey, message, p), p), message)
    t.same(await rsaDecrypt(rsa.privateKey, publicEncrypt({ key: rsa.publicKey, padding: RSA_PKCS1_PADDING }, message), p), message)
  }
  t.throws(() => rsaEncrypt(rsa.publicKey, Buffer.alloc(246), p), { name: 'CryptoError', code: 'too-long' })
  await t.rejects(rsaDecrypt(rsa.privateKey, Buffer.alloc(255), p), { code: 'invalid', name: 'CryptoError' })
  const noise = Buffer.alloc(256, 1)
  const instead = await rsaDecrypt(rsa.privateKey, noise, p)
  t.ok(instead.length <= 245, 'a message all the same')
  t.same(await rsaDecrypt(rsa.privateKey, noise, p), instead, 'and always the same one')
  t.notSame(await rsaDecrypt(rsa.privateKey, Buffer.alloc(256, 2), p), instead, 'another for another ciphertext')

  const secret = Buffer.from('d')
  const em = (start: string): Buffer =>
    Buffer.concat([hex(start), Buffer.alloc(128 - start.length / 2 - 6, 9), hex('00'), Buffer.from('hello')])
  t.equal(decodePkcs1(em('0002'), noise, secret).toString(), 'hello')
  const rejected = decodePkcs1(em('0001'), noise, secret)
  for (const wrong of ['0102', '0003', '000209090909090909 00'.replace(' ', '')])
    t.same(decodePkcs1(em(wrong), noise, secret), rejected, `starting with ${wrong}, told apart by nothing`)
  t.same(decodePkcs1(Buffer.concat([hex('0002'), Buffer.alloc(126, 9)]), noise, secret), rejected, 'without an end')
  t.equal(decodePkcs1(em('0002090909090909090900'), noise, secret).toString().endsWith('hello'), true, 'eight bytes of padding are enough')
})
