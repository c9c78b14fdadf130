import fc from 'fast-check'
import t from 'tap'
import { byteField, pairField } from '../../src/crypto/fields.ts'
import { generateSymmetricKey, random, symmetricKeyBytes, withOddParity } from '../../src/crypto/random.ts'
import { joinKey, splitKey } from '../../src/crypto/split-key.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

t.test('fields', async t => {
  const rijndael = byteField(283)
  t.equal(rijndael.multiply(0x57n, 0x83n), 0xc1n, 'FIPS 197 section 4.2')
  t.equal(rijndael.multiply(0x57n, 0x13n), 0xfen, 'FIPS 197 section 4.2.1')
  t.equal(rijndael.invert(0x53n), 0xcan, 'the example of AES S-box literature')
  t.equal(byteField(285).multiply(0x80n, 2n), 0x1dn, 'the other polynomial')
  for (const polynomial of [283, 285]) {
    const bytes = byteField(polynomial)
    const inverses = Array.from({ length: 255 }, (_, i) => bytes.multiply(BigInt(i + 1), bytes.invert(BigInt(i + 1))))
    t.ok(
      inverses.every(one => one === 1n),
      `GF(2^8) ${polynomial}`,
    )
    const pairs = pairField(polynomial)
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 65535n }),
        fc.bigInt({ min: 0n, max: 65535n }),
        fc.bigInt({ min: 0n, max: 65535n }),
        (a, b, c) => {
          const distributes = pairs.multiply(a, pairs.add(b, c)) === pairs.add(pairs.multiply(a, b), pairs.multiply(a, c))
          const associates = pairs.multiply(a, pairs.multiply(b, c)) === pairs.multiply(pairs.multiply(a, b), c)
          return pairs.multiply(a, pairs.invert(a)) === 1n && distributes && associates
        },
      ),
    )
    t.pass(`GF(2^16) ${polynomial}`)
  }
})

t.test('parts worked out by hand', async t => {
  // f(x) = 0x42 + 0x80 x: at 1 it is 0xc2; at 2, with 0x100 reduced, 0x42 ^ 0x1b or 0x42 ^ 0x1d by polynomial.
  const part = (identifier: number, material: string): { identifier: number; material: Buffer } => ({ identifier, material: hex(material) })
  t.same(joinKey('PolynomialSharingGF2_8', [part(1, 'c2'), part(2, '59')], { threshold: 2, polynomial: 283 }), hex('42'))
  t.same(joinKey('PolynomialSharingGF2_8', [part(1, 'c2'), part(2, '5f')], { threshold: 2, polynomial: 285 }), hex('42'))
  t.same(joinKey('PolynomialSharingGF2_8', [part(2, '5f'), part(1, 'c2')], { threshold: 2 }), hex('42'), 'the default')
  // f(x) = 1234 + 166 x + 94 x^2 modulo 1613.
  const prime = { threshold: 3, primeFieldSize: hex('064d'), length: 2 }
  t.same(joinKey('PolynomialSharingPrimeField', [part(1, '05d6'), part(2, '0149'), part(3, '03c5')], prime), hex('04d2'))
  t.same(joinKey('XOR', [part(1, '0f0f'), part(2, 'ff00')], { threshold: 2 }), hex('f00f'))
})

const METHODS = ['PolynomialSharingGF2_8', 'PolynomialSharingGF2_16', 'PolynomialSharingPrimeField']

t.test('any threshold of the parts gives the secret', async t => {
  for (const method of METHODS)
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat(3),
        fc.constantFrom(283, 285),
        async (half, threshold, more, polynomial) => {
          const secret = Buffer.concat([half, half])
          const options = { parts: threshold + more, threshold, polynomial: polynomial as 283 | 285 }
          const { parts, primeFieldSize } = await splitKey(method, secret, options)
          const join = { threshold, polynomial: options.polynomial, primeFieldSize, length: secret.length }
          return [parts, parts.slice(more), [...parts].reverse()].every(some => joinKey(method, some, join).equals(secret))
        },
      ),
      { numRuns: 25 },
    )
  const secret = Buffer.from('a secret of bytes')
  const { parts } = await splitKey('XOR', secret, { parts: 5, threshold: 5 })
  t.same(joinKey('XOR', [...parts].reverse(), { threshold: 5 }), secret)
  t.same(
    parts.map(({ identifier }) => identifier),
    [1, 2, 3, 4, 5],
  )
  t.same(joinKey('XOR', (await splitKey('XOR', secret, { parts: 1, threshold: 1 })).parts, { threshold: 1 }), secret)
  const prime = 2n ** 521n - 1n
  const given = await splitKey('PolynomialSharingPrimeField', Buffer.alloc(32, 1), {
    parts: 3,
    threshold: 2,
    primeFieldSize: hex(`0${prime.toString(16)}`),
  })
  t.equal(given.parts[0]?.material.length, 66, 'parts are as long as the prime')
  t.equal(given.primeFieldSize?.toString('hex'), `01${'ff'.repeat(65)}`)
})

t.test('parts that do not join', async t => {
  const { parts } = await splitKey('PolynomialSharingGF2_8', Buffer.alloc(16, 3), { parts: 4, threshold: 3 })
  const [one, two, three] = parts as [(typeof parts)[0], (typeof parts)[0], (typeof parts)[0]]
  const WRONG: [name: string, parts: typeof parts][] = [
    ['too few', [one, two]],
    ['none', []],
    ['one twice', [one, one, two]],
    ['different lengths', [one, two, { identifier: 3, material: three.material.subarray(1) }]],
    ['no part 0', [{ identifier: 0, material: one.material }, two, three]],
    ['nothing in them', [1, 2, 3].map(identifier => ({ identifier, material: Buffer.alloc(0) }))],
  ]
  for (const [name, some] of WRONG)
    t.throws(() => joinKey('PolynomialSharingGF2_8', some, { threshold: 3 }), { name: 'CryptoError', code: 'failed' }, name)
  const odd = [1, 2].map(identifier => ({ identifier, material: Buffer.alloc(3) }))
  t.throws(() => joinKey('PolynomialSharingGF2_16', odd, { threshold: 2 }), { code: 'failed' })
  t.throws(() => joinKey('PolynomialSharingPrimeField', odd, { threshold: 2, length: 3 }), { code: 'invalid' }, 'no prime')
  t.throws(
    () => joinKey('PolynomialSharingPrimeField', odd, { threshold: 2, primeFieldSize: hex('064d') }),
    { code: 'invalid' },
    'no length',
  )
  const wide = [
    { identifier: 1, material: hex('05d6') },
    { identifier: 1614, material: hex('05d6') },
  ]
  t.throws(
    () => joinKey('PolynomialSharingPrimeField', wide, { threshold: 2, primeFieldSize: hex('064d'), length: 2 }),
    { code: 'failed' },
    'equal modulo the prime',
  )
  const secret = Buffer.alloc(16, 1)
  const REFUSED: [name: string, secret: Buffer, options: Parameters<typeof splitKey>[2]][] = [
    ['XOR', secret, { parts: 3, threshold: 2 }],
    ['PolynomialSharingGF2_8', secret, { parts: 256, threshold: 2 }],
    ['PolynomialSharingGF2_8', secret, { parts: 2, threshold: 3 }],
    ['PolynomialSharingGF2_8', secret, { parts: 2, threshold: 0 }],
    ['PolynomialSharingGF2_8', Buffer.alloc(0), { parts: 2, threshold: 2 }],
    ['PolynomialSharingGF2_16', Buffer.alloc(15), { parts: 2, threshold: 2 }],
    ['PolynomialSharingPrimeField', secret, { parts: 2, threshold: 2, primeFieldSize: hex('064d') }],
    ['PolynomialSharingPrimeField', secret, { parts: 2, threshold: 2, primeFieldSize: Buffer.alloc(17, 0xff) }],
  ]
  for (const [method, value, options] of REFUSED)
    await t.rejects(splitKey(method, value, options), { name: 'CryptoError', code: 'invalid' }, method)
  await t.rejects(splitKey('Other', secret, { parts: 2, threshold: 2 }), { name: 'CryptoError', code: 'unsupported' })
})

t.test('random bytes and symmetric keys', async t => {
  t.equal(random(32).length, 32)
  t.notSame(random(32), random(32))
  t.equal(random(0).length, 0)
  t.throws(() => random(-1), { name: 'CryptoError', code: 'invalid' })
  t.throws(() => random(1.5), { name: 'CryptoError', code: 'invalid' })
  t.throws(() => random(2 ** 30), { name: 'CryptoError', code: 'too-long' })
  const LENGTHS: [algorithm: string, bits: number, bytes: number][] = [
    ['AES', 128, 16],
    ['AES', 256, 32],
    ['DES3', 112, 16],
    ['DES3', 168, 24],
    ['DES3', 192, 24],
    ['DES', 56, 8],
    ['SKIPJACK', 80, 10],
    ['ChaCha20', 256, 32],
    ['HMAC_SHA256', 256, 32],
    ['HMAC_SHA256', 1024, 128],
    ['RC4', 40, 5],
  ]
  for (const [algorithm, bits, bytes] of LENGTHS) {
    t.equal(symmetricKeyBytes(algorithm, bits), bytes, `${algorithm} ${bits}`)
    t.equal(generateSymmetricKey(algorithm, bits).length, bytes)
  }
  const ones = (byte: number): number => byte.toString(2).replaceAll('0', '').length
  for (let i = 0; i < 20; i++)
    t.ok(
      generateSymmetricKey('DES3', 168).every(byte => ones(byte) % 2 === 1),
      'odd parity',
    )
  t.same(withOddParity(hex('00017f80fe')), hex('01017f80fe'))
  const WRONG: [algorithm: string, bits: number, code: string][] = [
    ['AES', 100, 'invalid'],
    ['AES', 0, 'invalid'],
    ['HMAC_SHA256', 7, 'invalid'],
    ['HMAC_SHA256', 2 ** 20, 'invalid'],
    ['RSA', 2048, 'unsupported'],
    ['hasOwnProperty', 8, 'unsupported'],
  ]
  for (const [algorithm, bits, code] of WRONG)
    t.throws(() => generateSymmetricKey(algorithm, bits), { name: 'CryptoError', code }, `${algorithm} ${bits}`)
})
