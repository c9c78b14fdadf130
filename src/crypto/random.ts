/**
 * Random bytes and symmetric keys. Spec: KMIP 1.4 sections 4.1 (Create), 4.35 (RNG Retrieve).
 */
import { randomBytes, randomFillSync } from 'node:crypto'
import { SYMMETRIC_KEYS } from './algorithms.ts'
import { CryptoError, lookup } from './errors.ts'

const MAX_RANDOM_BYTES = 1 << 20
const MAX_KEY_BITS = 1 << 16

/** `length` bytes of OpenSSL's generator. @throws CryptoError `invalid` for a negative length, `too-long` above 1 MiB */
export function random(length: number): Buffer {
  if (!Number.isSafeInteger(length) || length < 0) throw new CryptoError('invalid', `${length} is not a length in bytes`)
  if (length > MAX_RANDOM_BYTES) throw new CryptoError('too-long', `at most ${MAX_RANDOM_BYTES} random bytes are given at once`)
  return randomBytes(length)
}

const POOL_BYTES = 4096
const pool = Buffer.alloc(POOL_BYTES)
let used = POOL_BYTES

/** The same for bytes that are no secret, such as IVs: drawn in pieces, since a call of the generator costs as much as to encrypt a message. */
export function publicRandom(length: number): Buffer {
  if (length > POOL_BYTES / 8) return random(length)
  if (used + length > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  used += length
  return Buffer.from(pool.subarray(used - length, used))
}

const secrets = Buffer.alloc(POOL_BYTES)
let given = POOL_BYTES

/** New key material, drawn in pieces like the bytes above; nothing of it stays here once it is given out. */
function secretRandom(length: number): Buffer {
  if (length > POOL_BYTES / 8) return randomBytes(length)
  if (given + length > POOL_BYTES) {
    randomFillSync(secrets)
    given = 0
  }
  const piece = secrets.subarray(given, given + length)
  given += length
  const own = Buffer.from(piece)
  piece.fill(0)
  return own
}

/**
 * Bytes of material that a symmetric key of this Cryptographic Length has: 24 for DES3 of 168 or 192 bits.
 * @param lengthBits Cryptographic Length
 * @throws CryptoError `unsupported` for an algorithm that has no symmetric keys, `invalid` for a length that it does not have
 */
export function symmetricKeyBytes(algorithm: string, lengthBits: number): number {
  const row = lookup(SYMMETRIC_KEYS, algorithm, 'Cryptographic Algorithm')
  const bytes =
    row.bits !== 'any'
      ? row.bits[lengthBits]
      : lengthBits > 0 && lengthBits <= MAX_KEY_BITS && lengthBits % 8 === 0
        ? lengthBits / 8
        : undefined
  if (bytes === undefined) throw new CryptoError('invalid', `${algorithm} has no keys of ${lengthBits} bits`)
  return bytes
}

/** A new symmetric key; DES keys carry odd parity and their parts differ. @throws CryptoError as `symmetricKeyBytes` */
export function generateSymmetricKey(algorithm: string, lengthBits: number): Buffer {
  const length = symmetricKeyBytes(algorithm, lengthBits)
  for (;;) {
    const key = secretRandom(length)
    if (!SYMMETRIC_KEYS[algorithm]?.parity) return key
    withOddParity(key)
    if (!degenerate(key)) return key
  }
}

/** Set the lowest bit of each byte so that the byte has an odd number of ones, in place. Spec: FIPS 46-3. */
export function withOddParity(key: Buffer): Buffer {
  for (const [i, byte] of key.entries()) {
    let ones = byte >> 1
    ones ^= ones >> 4
    ones ^= ones >> 2
    ones ^= ones >> 1
    key[i] = (byte & 0xfe) | (~ones & 1)
  }
  return key
}

// Two equal neighbours turn triple DES into single DES (SP 800-67 section 3.2).
const degenerate = (key: Buffer): boolean =>
  (key.length >= 16 && key.subarray(0, 8).equals(key.subarray(8, 16))) ||
  (key.length === 24 && key.subarray(8, 16).equals(key.subarray(16)))
