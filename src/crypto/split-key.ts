/**
 * Split keys: a secret in parts, of which a threshold gives it back.
 *
 *   const { parts } = await splitKey('PolynomialSharingGF2_8', secret, { parts: 4, threshold: 2 })
 *   const again = joinKey('PolynomialSharingGF2_8', parts.slice(2), { threshold: 2 })
 *
 * Part i is the value at x = i (the Key Part Identifier) of a polynomial whose value at 0 is the secret, bytewise in GF(2^8), in pairs
 * of bytes in GF(2^16), or as one number modulo a prime. The field GF(2^8) is that of KMIP 1.x (polynomial 283) or of 2.x (285), and
 * GF(2^16) stands on it; parts under one do not join under the other. Spec: KMIP 1.4 section 2.2.5, 2.1 sections 2.8, 13.1.
 */
import { checkPrime, generatePrime, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { CryptoError, failure, lookup } from './errors.ts'
import { byteField, type Field, pairField, primeField } from './fields.ts'
import { toBigInt, toBytes } from './integers.ts'

export interface SplitKeyPart {
  /** Key Part Identifier, from 1 */
  readonly identifier: number
  readonly material: Buffer
}

/** Split Key Polynomial; the specification of 1.x has the first, that of 2.x the second. */
export type SplitKeyPolynomial = 283 | 285

export interface SplitOptions {
  readonly parts: number
  readonly threshold: number
  /** of GF(2^8) and GF(2^16); absent: 285 */
  readonly polynomial?: SplitKeyPolynomial | undefined
  /** unsigned big-endian prime above 2 to the bits of the secret; absent: one is made */
  readonly primeFieldSize?: Uint8Array | undefined
}

export interface JoinOptions {
  readonly threshold: number
  readonly polynomial?: SplitKeyPolynomial | undefined
  readonly primeFieldSize?: Uint8Array | undefined
  /** bytes of the secret: needed where a prime field is used, which does not keep leading zeros */
  readonly length?: number | undefined
}

interface Method {
  /** most parts that have identifiers of their own */
  readonly most: number
  /** bytes of one element; the secret is cut into such pieces; absent: the secret is one element, or none (XOR) */
  readonly piece?: number
  /** a prime field */
  readonly prime?: true
  field?(o: JoinOptions): Field
}

const MAX_SECRET_BYTES = 1 << 14
const MAX_PRIME_BYTES = 1 << 10
// Version 1.x describes the other one, yet its published test cases have their parts under this.
const DEFAULT_POLYNOMIAL = 285
const checkPrimeAsync = promisify(checkPrime) as (candidate: Buffer) => Promise<boolean>
const newPrime = (bits: number): Promise<bigint> =>
  new Promise((resolve, reject) => generatePrime(bits, { bigint: true }, (error, prime) => (error ? reject(error) : resolve(prime))))

const METHODS: Readonly<Record<string, Method>> = {
  XOR: { most: 255 },
  PolynomialSharingGF2_8: { most: 255, piece: 1, field: o => byteField(o.polynomial ?? DEFAULT_POLYNOMIAL) },
  PolynomialSharingGF2_16: { most: 65535, piece: 2, field: o => pairField(o.polynomial ?? DEFAULT_POLYNOMIAL) },
  PolynomialSharingPrimeField: { most: 65535, prime: true, field: o => primeField(primeOf(o)) },
}

function primeOf({ primeFieldSize: size }: JoinOptions): bigint {
  if (size === undefined) throw new CryptoError('invalid', 'the method needs a Prime Field Size')
  if (size.length > MAX_PRIME_BYTES) throw new CryptoError('too-long', `a Prime Field Size has at most ${MAX_PRIME_BYTES} bytes`)
  return toBigInt(size)
}

/** The prime to use: the one given, if it is one and large enough, else a new one just above the secret's size. */
async function chosenPrime(secret: Uint8Array, given: Uint8Array | undefined): Promise<Buffer> {
  if (given === undefined) {
    if (secret.length >= MAX_PRIME_BYTES) throw new CryptoError('too-long', `the method splits at most ${MAX_PRIME_BYTES - 1} bytes`)
    return toBytes(await newPrime(secret.length * 8 + 8))
  }
  const prime = primeOf({ threshold: 1, primeFieldSize: given })
  if (prime <= 1n << BigInt(secret.length * 8)) throw new CryptoError('invalid', 'the Prime Field Size is too small for the secret')
  if (!(await checkPrimeAsync(toBytes(prime)))) throw new CryptoError('invalid', 'the Prime Field Size is no prime')
  return toBytes(prime)
}

function check(method: Method, name: string, secret: Uint8Array, { parts, threshold }: SplitOptions): void {
  if (!Number.isSafeInteger(parts) || parts < 1 || parts > method.most)
    throw new CryptoError('invalid', `${name} has 1 to ${method.most} parts, not ${parts}`)
  if (!Number.isSafeInteger(threshold) || threshold < 1 || threshold > parts)
    throw new CryptoError('invalid', `a threshold of ${threshold} does not fit ${parts} parts`)
  if (!method.field && threshold !== parts) throw new CryptoError('invalid', 'XOR needs all parts: the threshold must be their number')
  if (secret.length === 0 || secret.length > MAX_SECRET_BYTES)
    throw new CryptoError('invalid', `a secret of ${secret.length} bytes is not split`)
  if (secret.length % (method.piece ?? 1) !== 0) throw new CryptoError('invalid', `${name} takes an even number of bytes`)
}

const xorInto = (into: Buffer, other: Uint8Array): void => {
  for (const [i, byte] of other.entries()) into[i] = (into[i] ?? 0) ^ byte
}

/**
 * Split a secret.
 * @param name    Split Key Method: XOR, PolynomialSharingGF2_8, PolynomialSharingGF2_16 (even number of bytes), PolynomialSharingPrimeField
 * @returns the parts in the order of their identifiers, and of a prime field its size
 * @throws CryptoError `unsupported`, `invalid`, `too-long`
 */
export async function splitKey(
  name: string,
  secret: Uint8Array,
  options: SplitOptions,
): Promise<{ parts: SplitKeyPart[]; primeFieldSize?: Buffer }> {
  const method = lookup(METHODS, name, 'Split Key Method')
  check(method, name, secret, options)
  const identifiers = Array.from({ length: options.parts }, (_, i) => i + 1)
  if (!method.field) return { parts: xorParts(secret, identifiers) }
  const primeFieldSize = method.prime && (await chosenPrime(secret, options.primeFieldSize))
  const field = method.field({ ...options, ...(primeFieldSize && { primeFieldSize }) })
  const polynomials = elements(secret, method.piece).map(value => [
    value,
    ...Array.from({ length: options.threshold - 1 }, () => field.random()),
  ])
  const parts = identifiers.map(identifier => {
    const x = BigInt(identifier)
    const values = polynomials.map(coefficients => coefficients.reduceRight((sum, c) => field.add(field.multiply(sum, x), c), 0n))
    return { identifier, material: Buffer.concat(values.map(value => toBytes(value, field.bytes))) }
  })
  return { parts, ...(primeFieldSize && { primeFieldSize }) }
}

function xorParts(secret: Uint8Array, identifiers: readonly number[]): SplitKeyPart[] {
  const rest = Buffer.from(secret)
  return identifiers.map(identifier => {
    if (identifier === identifiers.length) return { identifier, material: rest }
    const material = randomBytes(secret.length)
    xorInto(rest, material)
    return { identifier, material }
  })
}

/** Bytes as numbers of `size` bytes each; all of them as one number when there is no size. */
function elements(bytes: Uint8Array, size: number = bytes.length): bigint[] {
  return Array.from({ length: bytes.length / size }, (_, i) => toBigInt(bytes.subarray(i * size, (i + 1) * size)))
}

/**
 * Join parts to the secret; with more than the threshold, the first of them are used.
 * @throws CryptoError `unsupported`; `failed` when the parts are too few, repeated, of different lengths, or no parts of this field;
 *         `invalid` for a missing prime or length
 */
export function joinKey(name: string, parts: readonly SplitKeyPart[], options: JoinOptions): Buffer {
  const method = lookup(METHODS, name, 'Split Key Method')
  const used = parts.slice(0, options.threshold)
  const length = used[0]?.material.length ?? 0
  const distinct = new Set(used.map(({ identifier }) => identifier))
  if (used.length < Math.max(1, options.threshold) || distinct.size !== used.length) throw failure()
  if (
    length === 0 ||
    used.some(({ material, identifier }) => identifier < 1 || identifier > method.most || (!method.prime && material.length !== length))
  )
    throw failure()
  if (!method.field) {
    const secret = Buffer.alloc(length)
    for (const { material } of used) xorInto(secret, material)
    return secret
  }
  const field = method.field(options)
  if (method.piece && length % method.piece !== 0) throw failure()
  const weights = weightsAtZero(
    field,
    used.map(({ identifier }) => BigInt(identifier)),
  )
  const shares = used.map(({ material }) => elements(material, method.piece))
  const values = (shares[0] ?? []).map((_, at) =>
    shares.reduce((sum, share, i) => field.add(sum, field.multiply(share[at] ?? 0n, weights[i] ?? 0n)), 0n),
  )
  return method.prime ? secretNumber(values[0] ?? 0n, options.length) : Buffer.concat(values.map(value => toBytes(value, field.bytes)))
}

function secretNumber(value: bigint, length: number | undefined): Buffer {
  if (length === undefined) throw new CryptoError('invalid', 'joining in a prime field needs the length of the secret')
  if (length > MAX_SECRET_BYTES || value >= 1n << BigInt(length * 8)) throw failure()
  return toBytes(value, length)
}

/** Lagrange's weights for the value at 0. */
function weightsAtZero(field: Field, xs: readonly bigint[]): bigint[] {
  return xs.map((x, i) =>
    xs.reduce((product, other, j) => {
      if (i === j) return product
      const difference = field.subtract(other, x)
      if (difference === 0n) throw failure()
      return field.multiply(product, field.multiply(other, field.invert(difference)))
    }, 1n),
  )
}
