import { cmac } from '@noble/ciphers/aes.js'
import fc from 'fast-check'
import t from 'tap'
import { deriveKey } from '../../src/crypto/derive.ts'
import { createHashStream, hash } from '../../src/crypto/hash.ts'
import { generateKeyPair, publicKeyOf } from '../../src/crypto/keys.ts'
import { createMacStream, mac } from '../../src/crypto/mac.ts'
import type { CryptographicParameters } from '../../src/crypto/parameters.ts'

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')
const run = (from: number, to: number): string => Buffer.from(Array.from({ length: to - from + 1 }, (_, i) => from + i)).toString('hex')
const ascii = (text: string): string => Buffer.from(text, 'latin1').toString('hex')

// FIPS 180-4 and FIPS 202 examples, RFC 1321, RIPEMD-160: digests of "abc".
const ABC: Readonly<Record<string, string>> = {
  MD5: '900150983cd24fb0d6963f7d28e17f72',
  SHA_1: 'a9993e364706816aba3e25717850c26c9cd0d89d',
  SHA_224: '23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7',
  SHA_256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  SHA_384: 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
  SHA_512:
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  SHA_512_224: '4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa',
  SHA_512_256: '53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23',
  SHA3_224: 'e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf',
  SHA3_256: '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532',
  SHA3_384: 'ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25',
  SHA3_512:
    'b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0',
  RIPEMD_160: '8eb208f7e05d987a9b044a8e98c6b087f15a0bfc',
}

t.test('digests', async t => {
  for (const [algorithm, expected] of Object.entries(ABC)) {
    t.equal(hash(Buffer.from('abc'), algorithm).toString('hex'), expected, algorithm)
    const stream = createHashStream(algorithm)
    stream.update(Buffer.from('a'))
    stream.update(Buffer.from('bc'))
    t.equal(stream.final().toString('hex'), expected, `${algorithm} in parts`)
  }
  t.throws(() => hash(Buffer.alloc(0), 'MD2'), { name: 'CryptoError', code: 'unsupported' })
  t.throws(() => hash(Buffer.alloc(0), undefined), { code: 'invalid' })
})

const CMAC_KEY = '2b7e151628aed2a6abf7158809cf4f3c'
const CMAC_TEXT =
  '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710'
const TDEA_KEY = '8aa83bf8cbda1062 0bc1bf19fbb6cd58 bc313d4a371ca8b5'
const HI = ascii('Hi There')

const MACS: [name: string, p: CryptographicParameters, key: string, data: string, expected: string][] = [
  ['RFC 2202, MD5', { cryptographicAlgorithm: 'HMAC_MD5' }, '0b'.repeat(16), HI, '9294727a3638bb1c13f48ef8158bfc9d'],
  ['RFC 2202, SHA-1', { cryptographicAlgorithm: 'HMAC_SHA1' }, '0b'.repeat(20), HI, 'b617318655057264e28bc0b6fb378c8ef146be00'],
  [
    'RFC 4231 case 1',
    { cryptographicAlgorithm: 'HMAC_SHA224' },
    '0b'.repeat(20),
    HI,
    '896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22',
  ],
  [
    'RFC 4231 case 1',
    { cryptographicAlgorithm: 'HMAC_SHA256' },
    '0b'.repeat(20),
    HI,
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  ],
  [
    'RFC 4231 case 1',
    { cryptographicAlgorithm: 'HMAC_SHA384' },
    '0b'.repeat(20),
    HI,
    'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6',
  ],
  [
    'RFC 4231 case 1',
    { cryptographicAlgorithm: 'HMAC_SHA512' },
    '0b'.repeat(20),
    HI,
    '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854',
  ],
  [
    'NIST example, SHA3-256',
    { cryptographicAlgorithm: 'HMAC_SHA3_256' },
    run(0, 31),
    ascii('Sample message for keylen<blocklen'),
    '4fe8e202c4f058e8dddc23d8c34e467343e23555e24fc2f025d598f558f67205',
  ],
  [
    'a cipher key with a hash is HMAC',
    { cryptographicAlgorithm: 'AES', hashingAlgorithm: 'SHA_256' },
    '0b'.repeat(20),
    HI,
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  ],
  [
    'RFC 8439 section 2.5.2',
    { cryptographicAlgorithm: 'Poly1305' },
    '85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b',
    ascii('Cryptographic Forum Research Group'),
    'a8061dc1305136c6c22b8baf0c0127a9',
  ],
  ['RFC 4493 example 1', { cryptographicAlgorithm: 'AES' }, CMAC_KEY, '', 'bb1d6929e95937287fa37d129b756746'],
  [
    'RFC 4493 example 2',
    { cryptographicAlgorithm: 'AES', blockCipherMode: 'CMAC' },
    CMAC_KEY,
    CMAC_TEXT.slice(0, 32),
    '070a16b46b4d4144f79bdd9dd04a287c',
  ],
  [
    'RFC 4493 example 3',
    { cryptographicAlgorithm: 'AES', blockCipherMode: 'CMAC' },
    CMAC_KEY,
    CMAC_TEXT.slice(0, 80),
    'dfa66747de9ae63030ca32611497c827',
  ],
  [
    'RFC 4493 example 4',
    { cryptographicAlgorithm: 'AES', blockCipherMode: 'CMAC' },
    CMAC_KEY,
    CMAC_TEXT,
    '51f0bebf7e3b9d92fc49741779363cfe',
  ],
  ['SP 800-38B, three-key TDEA, 0 bits', { cryptographicAlgorithm: 'DES3' }, TDEA_KEY, '', 'b7a688e122ffaf95'],
  ['SP 800-38B, three-key TDEA, 64 bits', { cryptographicAlgorithm: 'DES3' }, TDEA_KEY, CMAC_TEXT.slice(0, 16), '8e8f293136283797'],
  ['SP 800-38B, three-key TDEA, 160 bits', { cryptographicAlgorithm: 'DES3' }, TDEA_KEY, CMAC_TEXT.slice(0, 40), '743ddbe0ce2dc2ed'],
  [
    'FIPS 113 appendix 2',
    { cryptographicAlgorithm: 'DES', blockCipherMode: 'CBC_MAC' },
    '0123456789abcdef',
    ascii('7654321 Now is the time for '),
    'f1d30f6849312ca4',
  ],
]

t.test('MACs', async t => {
  for (const [name, p, key, data, expected] of MACS) {
    t.equal(mac(hex(key), hex(data), p).toString('hex'), expected, `${name} ${p.cryptographicAlgorithm}`)
    t.not(mac(hex(key), Buffer.concat([hex(data), Buffer.of(0x80)]), p).toString('hex'), expected, 'other data')
  }
  const bytes = fc.uint8Array({ maxLength: 70 })
  const key = hex(CMAC_KEY)
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const stream = createMacStream(key, { cryptographicAlgorithm: 'AES', blockCipherMode: 'CMAC' })
      stream.update(a)
      stream.update(b)
      return stream.final().equals(cmac(Buffer.concat([a, b]), key))
    }),
    { numRuns: 50 },
  )
  const REFUSED: [code: string, key: number, p: CryptographicParameters][] = [
    ['unsupported', 16, { cryptographicAlgorithm: 'RC4' }],
    ['unsupported', 16, { cryptographicAlgorithm: 'AES', blockCipherMode: 'GCM' }],
    ['unsupported', 32, { cryptographicAlgorithm: 'ChaCha20' }],
    ['invalid', 15, { cryptographicAlgorithm: 'AES' }],
    ['invalid', 16, { cryptographicAlgorithm: 'Poly1305' }],
    ['invalid', 16, {}],
  ]
  for (const [code, length, p] of REFUSED) t.throws(() => mac(Buffer.alloc(length), Buffer.alloc(0), p), { name: 'CryptoError', code })
})

type Input = Parameters<typeof deriveKey>[1]
const sha256 = { hashingAlgorithm: 'SHA_256' }

const DERIVED: [name: string, method: string, input: Omit<Input, 'length'>, expected: string][] = [
  [
    'RFC 6070, 1 round',
    'PBKDF2',
    { key: Buffer.from('password'), salt: Buffer.from('salt'), iterationCount: 1 },
    '0c60c80f961f0e71f3a9b524af6012062fe037a6',
  ],
  [
    'RFC 6070, 4096 rounds',
    'PBKDF2',
    { key: Buffer.from('password'), salt: Buffer.from('salt'), iterationCount: 4096 },
    '4b007901b765489abead49d926f721d065a429c1',
  ],
  [
    'RFC 6070, zeros within',
    'PBKDF2',
    { key: Buffer.from('pass\0word'), salt: Buffer.from('sa\0lt'), iterationCount: 4096 },
    '56fa6aa75548099dcc37d7f03425e0c3',
  ],
  [
    'RFC 7914 section 11',
    'PBKDF2',
    { key: Buffer.from('passwd'), salt: Buffer.from('salt'), iterationCount: 1, parameters: sha256 },
    '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc',
  ],
  ['a key that is hashed', 'HASH', { key: Buffer.from('abc'), parameters: sha256 }, 'ba7816bf8f01cfea414140de5dae2223'],
  ['data that is hashed', 'HASH', { data: [Buffer.from('abc')], parameters: sha256 }, 'ba7816bf8f01cfea414140de5dae2223'],
  [
    'RFC 4231 by the parameters',
    'HMAC',
    { key: Buffer.alloc(20, 0x0b), data: [Buffer.from('Hi There')], parameters: sha256, keyAlgorithm: 'AES' },
    'b0344c61d8db38535ca8afceaf0bf12b',
  ],
  [
    "RFC 4231 by the key's algorithm, which beats the parameters",
    'HMAC',
    { key: Buffer.alloc(20, 0x0b), data: [Buffer.from('Hi There')], parameters: sha256, keyAlgorithm: 'HMAC_SHA384' },
    'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec6',
  ],
  [
    'FIPS 197 C.1',
    'ENCRYPT',
    { key: hex(run(0, 15)), data: [hex('00112233445566778899aabbccddeeff')], parameters: { blockCipherMode: 'ECB' }, keyAlgorithm: 'AES' },
    '69c4e0d86a7b0430d8cdb780',
  ],
  [
    'RFC 5869 case 1',
    'HKDF',
    { key: Buffer.alloc(22, 0x0b), salt: hex(run(0, 12)), data: [hex(run(0xf0, 0xf9))] },
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  ],
  [
    'RFC 5869 case 3',
    'HKDF',
    { key: Buffer.alloc(22, 0x0b) },
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  ],
  [
    'CAVP, counter mode, CMAC-AES128, 8-bit counter before',
    'NIST800_108_C',
    {
      key: hex('dff1e50ac0b69dc40f1051d46c2b069c'),
      data: [
        hex('c16e6e02c5a3dcc8d78b9ac1306877761310455b4e41469951d9e6c2245a064b33fd8c3b01203a7824485bf0a64060c4648b707d2607935699316ea5'),
      ],
      parameters: { blockCipherMode: 'CMAC', counterLength: 8 },
    },
    '8be8f0869b3c0ba97b71863d1b9f7813',
  ],
  [
    'AWS example of a signing key',
    'AWSSignatureVersion4',
    { key: Buffer.from('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'), data: ['20150830', 'us-east-1', 'iam'].map(part => Buffer.from(part)) },
    'c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9',
  ],
]

t.test('derivation', async t => {
  for (const [name, method, input, expected] of DERIVED) {
    const derived = await deriveKey(method, { ...input, length: expected.length / 2 })
    t.equal(derived.toString('hex'), expected, `${method}, ${name}`)
  }
})

t.test('SP 800-108 as its formulas have it', async t => {
  const key = Buffer.from('key')
  const data = Buffer.from('label\0context')
  const prf = (...parts: Uint8Array[]): Buffer => mac(key, Buffer.concat(parts), { cryptographicAlgorithm: 'HMAC_SHA256' })
  const [one, two] = [hex('00000001'), hex('00000002')]
  const derive = (method: string, more: Partial<Input> = {}): Promise<Buffer> =>
    deriveKey(method, { key, data: [data], parameters: sha256, length: 64, ...more })
  t.same(await derive('NIST800_108_C'), Buffer.concat([prf(one, data), prf(two, data)]))
  const first = prf(one, data)
  t.same(await derive('NIST800_108_F'), Buffer.concat([first, prf(first, two, data)]))
  const start = prf(Buffer.from('iv'), one, data)
  t.same(await derive('NIST800_108_F', { iv: Buffer.from('iv') }), Buffer.concat([start, prf(start, two, data)]))
  const a = prf(data)
  t.same(await derive('NIST800_108_DPI'), Buffer.concat([prf(a, one, data), prf(prf(a), two, data)]))
  t.same((await derive('NIST800_108_C', { length: 5 })).length, 5)
})

t.test('derivation by agreement', async t => {
  for (const curve of ['P_256', 'CURVE25519']) {
    const [a, b] = [await generateKeyPair('EC', { curve }), await generateKeyPair('EC', { curve })]
    const one = await deriveKey('AsymmetricKey', { privateKey: a.privateKey, publicKey: b.publicKey, length: 32 })
    const other = await deriveKey('AsymmetricKey', { privateKey: b.privateKey, publicKey: publicKeyOf(a.privateKey), length: 32 })
    t.same(one, other, curve)
    await t.rejects(deriveKey('AsymmetricKey', { privateKey: a.privateKey, publicKey: b.publicKey, length: 33 }), {
      name: 'CryptoError',
      code: 'too-long',
    })
  }
  const [a, b] = [await generateKeyPair('EC', { curve: 'P_256' }), await generateKeyPair('EC', { curve: 'P_384' })]
  await t.rejects(deriveKey('AsymmetricKey', { privateKey: a.privateKey, publicKey: b.publicKey, length: 16 }), {
    name: 'CryptoError',
    code: 'invalid',
  })
})

t.test('derivations refused', async t => {
  const key = Buffer.alloc(16, 1)
  const data = [Buffer.from('data')]
  const REFUSED: [code: string, method: string, input: Input][] = [
    ['unsupported', 'Extensions', { key, length: 1 }],
    ['invalid', 'HASH', { key, data, parameters: sha256, length: 1 }],
    ['invalid', 'HASH', { parameters: sha256, length: 1 }],
    ['invalid', 'HASH', { key, length: 1 }],
    ['too-long', 'HASH', { key, parameters: sha256, length: 33 }],
    ['too-long', 'HMAC', { key, data, parameters: sha256, length: 33 }],
    ['invalid', 'HMAC', { key, parameters: sha256, length: 1 }],
    ['invalid', 'HMAC', { data, parameters: sha256, length: 1 }],
    ['invalid', 'PBKDF2', { key, iterationCount: 1, length: 1 }],
    ['invalid', 'PBKDF2', { key, salt: key, length: 1 }],
    ['invalid', 'PBKDF2', { key, salt: key, iterationCount: 0, length: 1 }],
    ['too-long', 'PBKDF2', { key, salt: key, iterationCount: 11, maxIterations: 10, length: 1 }],
    ['too-long', 'HKDF', { key, length: 255 * 32 + 1 }],
    ['too-long', 'NIST800_108_C', { key, data, parameters: { ...sha256, counterLength: 8 }, length: 256 * 32 }],
    ['invalid', 'NIST800_108_C', { key, data, parameters: { ...sha256, counterLength: 12 }, length: 1 }],
    ['missing-iv', 'ENCRYPT', { key, data: [key], keyAlgorithm: 'AES', parameters: { blockCipherMode: 'CBC' }, length: 1 }],
    ['invalid', 'AWSSignatureVersion4', { key, data, length: 1 }],
    ['invalid', 'HMAC', { key, data: [key, key], parameters: sha256, length: 1 }],
    ['invalid', 'AsymmetricKey', { key, length: 1 }],
    ['invalid', 'HKDF', { key, length: 0 }],
    ['unsupported', 'valueOf', { key, length: 1 }],
    ['too-long', 'NIST800_108_C', { key, data, parameters: sha256, length: 1 << 20 }],
  ]
  for (const [code, method, input] of REFUSED) await t.rejects(deriveKey(method, input), { name: 'CryptoError', code }, `${method} ${code}`)
})
