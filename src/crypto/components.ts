/**
 * Keys as numbers: the fields of KMIP's transparent key structures, and how the missing ones of an RSA key follow from the others.
 * Spec: KMIP 1.4 section 2.1.7, 2.1 section 3.
 */
import { CryptoError } from './errors.ts'
import { gcd, inverse, mod, modPow, toBigInt, toBytes } from './integers.ts'

/** Numbers are unsigned big-endian bytes without a sign byte; which fields are there depends on the Key Format Type. */
export interface KeyComponents {
  readonly modulus?: Uint8Array | undefined
  readonly publicExponent?: Uint8Array | undefined
  readonly privateExponent?: Uint8Array | undefined
  readonly p?: Uint8Array | undefined
  readonly q?: Uint8Array | undefined
  readonly primeExponentP?: Uint8Array | undefined
  readonly primeExponentQ?: Uint8Array | undefined
  readonly crtCoefficient?: Uint8Array | undefined
  readonly g?: Uint8Array | undefined
  readonly j?: Uint8Array | undefined
  readonly x?: Uint8Array | undefined
  readonly y?: Uint8Array | undefined
  readonly recommendedCurve?: string | undefined
  readonly d?: Uint8Array | undefined
  readonly qString?: Uint8Array | undefined
}

export type KeyKind = 'private' | 'public'

/** What is known of a key from its attributes: needed for Raw (algorithm or curve), and for an ECPrivateKey that does not name its curve. */
export interface KeyHint {
  readonly algorithm?: string | undefined
  readonly curve?: string | undefined
}

export interface WriteOptions {
  /** Key Compression Type of an elliptic-curve point, such as 'ECPublicKeyTypeX9_62CompressedPrime'; absent: uncompressed */
  readonly compression?: string | undefined
}

/** All numbers of an RSA private key. */
export interface RsaNumbers {
  readonly n: bigint
  readonly e: bigint
  readonly d: bigint
  readonly p: bigint
  readonly q: bigint
}

// Above 8192 bits the arithmetic below would hold up everybody else for seconds.
const MAX_RSA_BYTES = 1025
const USUAL_EXPONENTS = [65537n, 3n, 17n, 257n, 5n, 7n, 35n, 37n]
const ROUNDS = 64

const inconsistent = (): CryptoError => new CryptoError('invalid', 'the components do not form an RSA private key')

/** A component that must be there, as a number. @throws CryptoError `invalid` */
export function component(c: KeyComponents, name: Exclude<keyof KeyComponents, 'recommendedCurve'>): bigint {
  const bytes = c[name]
  if (bytes === undefined || bytes.length === 0) throw new CryptoError('invalid', `the key has no ${name}`)
  return toBigInt(bytes)
}

/**
 * Complete an RSA private key from what a client gave: both primes with one of the exponents, or the modulus with the private
 * exponent (and the public one, or one of the usual public ones).
 * @throws CryptoError `invalid` when too little is given or the numbers contradict each other
 */
export function completeRsa(c: KeyComponents): RsaNumbers {
  for (const bytes of Object.values(c)) if (typeof bytes !== 'string' && bytes && bytes.length > MAX_RSA_BYTES) throw inconsistent()
  const numbers = c.p !== undefined && c.q !== undefined ? fromPrimes(c) : fromExponent(c)
  const { n, e, d, p, q } = numbers
  if (p < 3n || q < 3n || n !== p * q || (c.modulus !== undefined && toBigInt(c.modulus) !== n)) throw inconsistent()
  if (mod(e * d, p - 1n) !== 1n || mod(e * d, q - 1n) !== 1n) throw inconsistent()
  return p > q ? numbers : { ...numbers, p: q, q: p }
}

function fromPrimes(c: KeyComponents): RsaNumbers {
  const [p, q] = [component(c, 'p'), component(c, 'q')]
  if (p < 3n || q < 3n) throw inconsistent()
  const lambda = ((p - 1n) * (q - 1n)) / gcd(p - 1n, q - 1n)
  const d = c.privateExponent
    ? toBigInt(c.privateExponent)
    : c.publicExponent
      ? inverse(toBigInt(c.publicExponent), lambda)
      : joined(c, p, q, lambda)
  const e = c.publicExponent ? toBigInt(c.publicExponent) : d === undefined ? undefined : inverse(d, lambda)
  if (d === undefined || e === undefined) throw inconsistent()
  return { n: p * q, e, d, p, q }
}

/** The private exponent from those of the two primes, by the Chinese remainder theorem for moduli with a common factor. */
function joined(c: KeyComponents, p: bigint, q: bigint, lambda: bigint): bigint {
  const [dp, dq] = [component(c, 'primeExponentP'), component(c, 'primeExponentQ')]
  const common = gcd(p - 1n, q - 1n)
  const factor = inverse((p - 1n) / common, (q - 1n) / common)
  if (factor === undefined || mod(dq - dp, common) !== 0n) throw inconsistent()
  return mod(dp + (p - 1n) * mod(((dq - dp) / common) * factor, (q - 1n) / common), lambda)
}

function fromExponent(c: KeyComponents): RsaNumbers {
  const [n, d] = [component(c, 'modulus'), component(c, 'privateExponent')]
  if (n % 2n === 0n || n < 9n) throw inconsistent()
  const candidates = c.publicExponent ? [toBigInt(c.publicExponent)] : USUAL_EXPONENTS
  const signed = modPow(2n, d, n)
  for (const e of candidates) {
    if (modPow(signed, e, n) !== 2n) continue
    const p = factor(n, e * d - 1n)
    if (p !== undefined) return { n, e, d, p, q: n / p }
  }
  throw inconsistent()
}

/** A prime of `n` when `k` is a multiple of its order. Source: SP 800-56B appendix C.1. */
function factor(n: bigint, k: bigint): bigint | undefined {
  let odd = k
  let twos = 0
  for (; odd > 0n && odd % 2n === 0n; odd /= 2n) twos++
  for (let base = 2n; base < ROUNDS + 2; base++) {
    let root = modPow(base, odd, n)
    for (let i = 0; i < twos && root !== 1n && root !== n - 1n; i++) {
      const next = (root * root) % n
      if (next === 1n) return gcd(root - 1n, n)
      root = next
    }
  }
  return undefined
}

/** The JSON Web Key of an RSA private key, which is how Node takes one from numbers. */
export function rsaJwk({ n, e, d, p, q }: RsaNumbers): Record<string, string> {
  const qi = inverse(q, p)
  if (qi === undefined) throw inconsistent()
  const encode = (value: bigint): string => toBytes(value).toString('base64url')
  const numbers = { n, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi }
  return { kty: 'RSA', ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, encode(value)])) }
}
