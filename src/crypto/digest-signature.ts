/**
 * ECDSA and DSA over a digest, which `node:crypto` does not offer: it signs data and hashes it itself. So a fixed text stands in for the
 * message, and the key is moved to make up for the difference; nonce and curve stay OpenSSL's business.
 *
 * With e the number of the digest, f that of the fixed text, n the order, d the private number, s = (e + r d) / k the signature:
 * - signing: d f/e signs the fixed text with s' = (f + r d f/e) / k, and s = s' e/f
 * - verifying: (r, s) is right for e under d when it is right for f under d + (e - f)/r, whose public key is the sum of two
 *
 * Spec: FIPS 186-4 sections 4.6, 4.7, 6.4: of a digest longer than the order the leftmost bits count.
 */
import { createHash, type KeyObject, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'
import type { KeyComponents } from './components.ts'
import { addPoints, curveOrder } from './curve-points.ts'
import * as der from './der.ts'
import { CryptoError } from './errors.ts'
import { bitLength, inverse, mod, toBigInt, toBytes } from './integers.ts'
import { dsaKey, dsaOrDhNumbers, ecNumbers, ecPrivateKey, ecPublicKey } from './key-build.ts'
import { publicKeyOf } from './keys.ts'

/** A group of one order, with keys as numbers. */
interface Group {
  readonly order: bigint
  number(key: KeyObject): bigint
  privateKey(number: bigint): KeyObject
  /** The public key whose private number is the sum of the two; undefined when they are equal or opposite. */
  sum(a: KeyObject, b: KeyObject): KeyObject | undefined
}

const FIXED = { text: Buffer.alloc(0), hash: 'sha256' } as const
const FIXED_DIGEST = createHash(FIXED.hash).update(FIXED.text).digest()

const signAsync = promisify(sign) as (hash: string, data: Uint8Array, key: object) => Promise<Buffer>
const verifyAsync = promisify(verify) as (hash: string, data: Uint8Array, key: object, signature: Uint8Array) => Promise<boolean>

function curveGroup(recommendedCurve: string): Group {
  return {
    order: curveOrder(recommendedCurve),
    number: key => toBigInt(ecNumbers(key, {}).d ?? Buffer.alloc(0)),
    privateKey: number => ecPrivateKey({ recommendedCurve, d: toBytes(number) }, {}),
    sum(a, b) {
      const [first, second] = [a, b].map(key => ecNumbers(key, {}).qString ?? Buffer.alloc(0)) as [Uint8Array, Uint8Array]
      const qString = addPoints(recommendedCurve, first, second)
      return qString && ecPublicKey({ recommendedCurve, qString }, {})
    },
  }
}

function dsaGroup({ p, q, g }: KeyComponents): Group {
  const domain = { p, q, g }
  const modulus = toBigInt(p ?? Buffer.alloc(0))
  const value = (key: KeyObject, name: 'x' | 'y'): bigint => toBigInt(dsaOrDhNumbers(key)[name] ?? Buffer.alloc(0))
  return {
    order: toBigInt(q ?? Buffer.alloc(0)),
    number: key => value(key, 'x'),
    privateKey: number => dsaKey('private', { ...domain, x: toBytes(number) }),
    sum: (a, b) => dsaKey('public', { ...domain, y: toBytes(mod(value(a, 'y') * value(b, 'y'), modulus)) }),
  }
}

const groupOf = (key: KeyObject): Group =>
  key.asymmetricKeyType === 'dsa' ? dsaGroup(dsaOrDhNumbers(key)) : curveGroup(ecNumbers(key, {}).recommendedCurve ?? '')

/** The number that a digest stands for: its leftmost bits, as many as the order has. */
function numberOf(digest: Uint8Array, order: bigint): bigint {
  const excess = digest.length * 8 - bitLength(toBytes(order))
  return excess > 0 ? toBigInt(digest) >> BigInt(excess) : toBigInt(digest)
}

const divided = (a: bigint, b: bigint, order: bigint): bigint => mod(a * (inverse(b, order) ?? 0n), order)

/** r and s; undefined when the bytes are not DER of two numbers between 0 and the order. */
function read(signature: Uint8Array, order: bigint): [r: bigint, s: bigint] | undefined {
  try {
    const parts = der.fields(Buffer.from(signature))
    const [r, s] = [toBigInt(der.unsigned(parts, 0)), toBigInt(der.unsigned(parts, 1))]
    return r > 0n && r < order && s > 0n && s < order ? [r, s] : undefined
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

/**
 * Sign a digest of any length with an EC or DSA key; the signing itself is off the main thread.
 * @returns DER of r and s
 * @throws CryptoError `invalid` for a digest whose number is 0, which has no hash behind it; `unsupported` curve
 */
export async function signDigest(key: KeyObject, digest: Uint8Array): Promise<Buffer> {
  const group = groupOf(key)
  const { order } = group
  const [e, f] = [numberOf(digest, order), numberOf(FIXED_DIGEST, order)]
  if (e % order === 0n) throw new CryptoError('invalid', 'a digest of zeros cannot be signed')
  const moved = group.privateKey(mod(group.number(key) * divided(f, e, order), order))
  const parts = read(await signAsync(FIXED.hash, FIXED.text, { key: moved, dsaEncoding: 'der' }), order)
  if (!parts) throw new CryptoError('invalid', 'the key cannot make this signature')
  const [r, s] = parts
  return der.sequence(der.integer(toBytes(r)), der.integer(toBytes(mod(s * divided(e, f, order), order))))
}

/** @returns false also for a malformed signature @throws CryptoError `unsupported` curve */
export async function verifyDigest(key: KeyObject, digest: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const group = groupOf(key)
  const { order } = group
  const parts = read(signature, order)
  if (!parts) return false
  const difference = divided(numberOf(digest, order) - numberOf(FIXED_DIGEST, order), parts[0], order)
  const moved = difference === 0n ? key : group.sum(key, publicKeyOf(group.privateKey(difference)))
  // Only who knows the private number can bring about that the two keys are equal or opposite.
  if (!moved) return false
  return verifyAsync(FIXED.hash, FIXED.text, { key: moved, dsaEncoding: 'der' }, signature)
}
