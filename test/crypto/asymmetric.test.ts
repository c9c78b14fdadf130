import type { KeyObject } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import type { KeyComponents } from '../../src/crypto/components.ts'
import { CURVES } from '../../src/crypto/curves.ts'
import { CryptoError } from '../../src/crypto/errors.ts'
import { parseKey, writeKey } from '../../src/crypto/key-formats.ts'
import { agree, generateKeyPair, isKeyPairAlgorithm, type KeyPair, keyFacts, publicKeyOf } from '../../src/crypto/keys.ts'
import { sign, verify } from '../../src/crypto/signature.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const components = (material: Buffer | KeyComponents): KeyComponents => (Buffer.isBuffer(material) ? {} : material)
const pem = (key: KeyObject): string => key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }).toString()

const rsa = await generateKeyPair('RSA', { length: 2048 })
const shortRsa = await generateKeyPair('RSA', { length: 1024, publicExponent: 3 })
const dsa = await generateKeyPair('DSA', { length: 1024 })
const dh = await generateKeyPair('DH', { length: 2048 })
const ec = await generateKeyPair('EC', { curve: 'P_256' })

t.test('facts of keys that were made', async t => {
  const MADE: [pair: KeyPair, facts: object][] = [
    [rsa, { algorithm: 'RSA', lengthBits: 2048 }],
    [shortRsa, { algorithm: 'RSA', lengthBits: 1024 }],
    [dsa, { algorithm: 'DSA', lengthBits: 1024, qLengthBits: 160 }],
    [dh, { algorithm: 'DH', lengthBits: 2048 }],
    [ec, { algorithm: 'EC', lengthBits: 256, curve: 'P_256' }],
    [await generateKeyPair('ECDSA', { length: 384 }), { algorithm: 'EC', lengthBits: 384, curve: 'P_384' }],
    [await generateKeyPair('ECDH', { curve: 'P_521', length: 521 }), { algorithm: 'EC', lengthBits: 521, curve: 'P_521' }],
    [await generateKeyPair('EC', { curve: 'CURVE25519' }), { algorithm: 'EC', lengthBits: 256, curve: 'CURVE25519' }],
    [await generateKeyPair('Ed25519'), { algorithm: 'Ed25519', lengthBits: 256 }],
    [await generateKeyPair('Ed448'), { algorithm: 'Ed448', lengthBits: 456 }],
  ]
  for (const [{ privateKey, publicKey }, facts] of MADE) {
    t.same(keyFacts(privateKey), { kind: 'private', ...facts })
    t.same(keyFacts(publicKey), { kind: 'public', ...facts })
    t.equal(pem(publicKeyOf(privateKey)), pem(publicKey))
  }
  t.equal(shortRsa.publicKey.asymmetricKeyDetails?.publicExponent, 3n)
  const REFUSED: [algorithm: string, options: Parameters<typeof generateKeyPair>[1], code: string][] = [
    ['RSA', {}, 'invalid'],
    ['RSA', { length: 512 }, 'invalid'],
    ['RSA', { length: 1 << 20 }, 'invalid'],
    ['RSA', { length: 2048, publicExponent: 4 }, 'invalid'],
    ['RSA', { length: 2048, publicExponent: 1 }, 'invalid'],
    ['DSA', { length: 1536 }, 'invalid'],
    ['DSA', { length: 2048, qLength: 160 }, 'invalid'],
    ['DH', { length: 2047 }, 'invalid'],
    ['EC', {}, 'invalid'],
    ['EC', { length: 255 }, 'invalid'],
    ['EC', { curve: 'P_256', length: 384 }, 'invalid'],
    ['EC', { curve: 'P_257' }, 'unsupported'],
    ['ECMQV', { curve: 'P_256' }, 'unsupported'],
    ['AES', { length: 256 }, 'unsupported'],
  ]
  for (const [algorithm, options, code] of REFUSED)
    await t.rejects(generateKeyPair(algorithm, options), { name: 'CryptoError', code }, `${algorithm} ${JSON.stringify(options)}`)
  t.equal(isKeyPairAlgorithm('EC'), true)
  t.equal(isKeyPairAlgorithm('AES'), false)
  t.throws(() => publicKeyOf(rsa.publicKey), { code: 'invalid' })
})

const FORMATS = Object.keys(ENUM.KeyFormatType)

function formatsOf(key: KeyObject): string[] {
  return FORMATS.filter(format => {
    try {
      return writeKey(key, format)
    } catch (error) {
      if (error instanceof CryptoError && error.code === 'unsupported') return false
      throw error
    }
  })
}

t.test('every format of a key reads back to the same key', async t => {
  const pairs = [
    rsa,
    dsa,
    dh,
    ec,
    await generateKeyPair('EC', { curve: 'CURVE448' }),
    await generateKeyPair('Ed25519'),
    await generateKeyPair('Ed448'),
  ]
  for (const pair of pairs)
    for (const key of [pair.privateKey, pair.publicKey]) {
      const facts = keyFacts(key)
      const formats = formatsOf(key)
      t.ok(formats.length >= 2, `${facts.algorithm} ${key.type}: ${formats.join(', ')}`)
      for (const format of formats) {
        const back = parseKey(facts.kind, format, writeKey(key, format), { algorithm: facts.algorithm, curve: facts.curve })
        t.equal(pem(back), pem(key), `${facts.algorithm} ${key.type} as ${format}`)
      }
    }
})

t.test('every curve: generate, write, read, sign, agree', async t => {
  for (const curve of Object.keys(CURVES)) {
    const a = await generateKeyPair('EC', { curve })
    const b = await generateKeyPair('EC', { curve })
    t.equal(keyFacts(a.publicKey).curve, curve)
    const back = parseKey('private', 'TransparentECPrivateKey', writeKey(a.privateKey, 'TransparentECPrivateKey'))
    t.same(agree(back, b.publicKey), agree(b.privateKey, a.publicKey), curve)
    if (a.privateKey.asymmetricKeyType !== 'ec') continue
    const data = Buffer.from(curve)
    t.equal(await verify(a.publicKey, { data }, await sign(back, { data }, {}), {}), true)
  }
})

t.test('elliptic-curve points', async t => {
  const whole = components(writeKey(ec.publicKey, 'TransparentECPublicKey')).qString
  const compressed = components(
    writeKey(ec.publicKey, 'TransparentECPublicKey', { compression: 'ECPublicKeyTypeX9_62CompressedPrime' }),
  ).qString
  t.equal(whole?.length, 65)
  t.equal(compressed?.length, 33)
  for (const qString of [whole, compressed])
    t.equal(pem(parseKey('public', 'TransparentECPublicKey', { recommendedCurve: 'P_256', qString })), pem(ec.publicKey))
  const off = Buffer.from(whole ?? [])
  off[64] = (off[64] ?? 0) ^ 1
  t.throws(
    () => parseKey('public', 'TransparentECPublicKey', { recommendedCurve: 'P_256', qString: off }),
    { name: 'CryptoError', code: 'invalid' },
    'not on the curve',
  )
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
  for (const d of [hex('00'), hex(order)])
    t.throws(() => parseKey('private', 'TransparentECPrivateKey', { recommendedCurve: 'P_256', d }), { code: 'invalid' }, 'out of range')
  const d = components(writeKey(ec.privateKey, 'TransparentECPrivateKey')).d ?? Buffer.alloc(0)
  t.equal(
    pem(parseKey('private', 'TransparentECDSAPrivateKey', { recommendedCurve: 'P_256', d: Buffer.concat([Buffer.alloc(1), d]) })),
    pem(ec.privateKey),
    'a sign byte',
  )
  const bare = Buffer.concat([hex('3025020101'), hex('0420'), d])
  t.equal(pem(parseKey('private', 'ECPrivateKey', bare, { curve: 'P_256' })), pem(ec.privateKey), 'an ECPrivateKey without its curve')
  t.throws(() => parseKey('private', 'ECPrivateKey', bare), { code: 'invalid' })
})

t.test('RSA from part of its numbers', async t => {
  const all = components(writeKey(shortRsa.privateKey, 'TransparentRSAPrivateKey'))
  const pick = (...names: (keyof KeyComponents)[]): KeyComponents => Object.fromEntries(names.map(name => [name, all[name]]))
  const ENOUGH: [name: string, c: KeyComponents][] = [
    ['all', all],
    ['modulus and both exponents', pick('modulus', 'publicExponent', 'privateExponent')],
    ['modulus and private exponent', pick('modulus', 'privateExponent')],
    ['primes and public exponent', pick('p', 'q', 'publicExponent')],
    ['primes and private exponent', pick('p', 'q', 'privateExponent')],
    ['primes and their exponents', pick('p', 'q', 'primeExponentP', 'primeExponentQ')],
    ['primes the other way round', { ...pick('publicExponent'), p: all.q, q: all.p }],
    ['leading zeros', { ...all, modulus: Buffer.concat([Buffer.alloc(1), all.modulus ?? Buffer.alloc(0)]) }],
  ]
  const data = Buffer.from('message')
  for (const [name, c] of ENOUGH) {
    const key = parseKey('private', 'TransparentRSAPrivateKey', c)
    const signature = await sign(key, { data }, { digitalSignatureAlgorithm: 'SHA_256WithRSAEncryption' })
    t.equal(await verify(shortRsa.publicKey, { data }, signature, { hashingAlgorithm: 'SHA_256' }), true, name)
    t.same(components(writeKey(publicKeyOf(key), 'TransparentRSAPublicKey')), pick('modulus', 'publicExponent'))
  }
  const other = components(writeKey(rsa.privateKey, 'TransparentRSAPrivateKey'))
  const WRONG: [name: string, c: KeyComponents][] = [
    ['modulus only', pick('modulus')],
    ['primes only', pick('p', 'q')],
    ['nothing', {}],
    ["another key's modulus", { ...all, modulus: other.modulus }],
    ["another key's exponent", { ...pick('modulus', 'publicExponent'), privateExponent: other.privateExponent }],
    ['a prime of 1', { ...pick('q', 'publicExponent'), p: Buffer.of(1) }],
    ['a prime of 0', { ...pick('q', 'publicExponent'), p: Buffer.of(0) }],
    ['an even exponent', { ...pick('p', 'q'), publicExponent: Buffer.of(4) }],
    ['a huge number', { ...all, privateExponent: Buffer.alloc(1 << 16, 1) }],
  ]
  for (const [name, c] of WRONG)
    t.throws(() => parseKey('private', 'TransparentRSAPrivateKey', c), { name: 'CryptoError', code: 'invalid' }, name)
})

t.test('key material that is refused', async t => {
  const pkcs8 = writeKey(rsa.privateKey, 'PKCS_8')
  const encrypted = rsa.privateKey.export({ format: 'der', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })
  const REFUSED: [name: string, kind: 'private' | 'public', format: string, material: Buffer | KeyComponents, code: string][] = [
    ['an unknown format', 'private', 'PKCS_99', Buffer.alloc(0), 'unsupported'],
    ['a certificate request', 'public', 'PKCS_10', Buffer.alloc(0), 'unsupported'],
    ['nothing', 'private', 'PKCS_8', Buffer.alloc(0), 'invalid'],
    ['noise', 'private', 'PKCS_1', Buffer.alloc(100, 0x30), 'invalid'],
    ['noise', 'private', 'ECPrivateKey', Buffer.alloc(100, 0x30), 'invalid'],
    ['noise', 'public', 'X_509', Buffer.alloc(100, 0x30), 'invalid'],
    ['a length that runs on', 'private', 'ECPrivateKey', hex('3084ffffffff'), 'invalid'],
    ['a private key as public one', 'public', 'PKCS_8', pkcs8, 'invalid'],
    ['a public key as private one', 'private', 'PKCS_1', writeKey(rsa.publicKey, 'PKCS_1'), 'invalid'],
    ['an encrypted key', 'private', 'PKCS_8', encrypted, 'invalid'],
    ['components for bytes', 'private', 'PKCS_8', {}, 'invalid'],
    ['bytes for components', 'private', 'TransparentRSAPrivateKey', Buffer.alloc(8), 'invalid'],
    ['far too much', 'private', 'PKCS_8', Buffer.alloc(1 << 20), 'too-long'],
    ['raw bytes of an RSA key', 'private', 'Raw', Buffer.alloc(32), 'unsupported'],
  ]
  for (const [name, kind, format, material, code] of REFUSED)
    t.throws(() => parseKey(kind, format, material), { name: 'CryptoError', code }, `${name}, ${format}`)
  t.throws(() => parseKey('private', 'Raw', Buffer.alloc(31), { algorithm: 'Ed25519' }), { code: 'invalid' })
  t.throws(() => writeKey(rsa.privateKey, 'ECPrivateKey'), { code: 'unsupported' })
  t.throws(() => writeKey(rsa.privateKey, 'X_509'), { code: 'unsupported' })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom('PKCS_1', 'PKCS_8', 'ECPrivateKey'), (bytes, format) => {
      try {
        parseKey('private', format, bytes)
        return true
      } catch (e) {
        return e instanceof Error && e.name === 'CryptoError'
      }
    }),
  )
})

t.test('DER under the name of another format is read for what it is', async t => {
  const der = (key: KeyObject, type: string): Buffer => key.export({ format: 'der', type: type as 'pkcs8' })
  const MISNAMED: [kind: 'private' | 'public', format: string, key: KeyObject, type: string][] = [
    ['public', 'X_509', rsa.publicKey, 'pkcs1'],
    ['public', 'PKCS_1', rsa.publicKey, 'spki'],
    ['private', 'PKCS_8', rsa.privateKey, 'pkcs1'],
    ['private', 'PKCS_1', rsa.privateKey, 'pkcs8'],
    ['private', 'PKCS_8', ec.privateKey, 'sec1'],
  ]
  for (const [kind, format, key, type] of MISNAMED) t.equal(pem(parseKey(kind, format, der(key, type))), pem(key), `${type} as ${format}`)
  const refused = { name: 'CryptoError', code: 'invalid', message: 'the key material is not a valid X_509 key' }
  t.throws(() => parseKey('public', 'X_509', hex('3000')), refused)
})
