/**
 * The finite fields of split keys; elements are non-negative bigints.
 * Spec: KMIP 1.4 section 2.2.5, 2.1 section 13.1; FIPS 197 section 4.2 for the multiplication of bytes.
 */
import { randomBytes } from 'node:crypto'
import { inverse, mod, toBigInt } from './integers.ts'

export interface Field {
  /** bytes of an element when written down */
  readonly bytes: number
  add(a: bigint, b: bigint): bigint
  subtract(a: bigint, b: bigint): bigint
  multiply(a: bigint, b: bigint): bigint
  /** of an element that is not 0 */
  invert(a: bigint): bigint
  /** any element, each as likely */
  random(): bigint
}

/** Product in GF(2^8) by one of the two polynomials; the same steps whatever the bytes. */
function multiplyBytes(a: number, b: number, polynomial: number): number {
  let product = 0
  let shifted = a
  for (let bit = 0; bit < 8; bit++) {
    product ^= -((b >> bit) & 1) & shifted
    shifted = (shifted << 1) ^ (-(shifted >> 7) & polynomial)
  }
  return product
}

/** a^254 in GF(2^8). */
function invertByte(a: number, polynomial: number): number {
  let result = 1
  let square = a
  for (let bit = 1; bit < 8; bit++) {
    square = multiplyBytes(square, square, polynomial)
    result = multiplyBytes(result, square, polynomial)
  }
  return result
}

/** GF(2^8); `polynomial` is 283 (x^8+x^4+x^3+x+1) or 285 (x^8+x^4+x^3+x^2+1). */
export function byteField(polynomial: number): Field {
  return {
    bytes: 1,
    add: (a, b) => a ^ b,
    subtract: (a, b) => a ^ b,
    multiply: (a, b) => BigInt(multiplyBytes(Number(a), Number(b), polynomial)),
    invert: a => BigInt(invertByte(Number(a), polynomial)),
    random: () => toBigInt(randomBytes(1)),
  }
}

// The m of the extension y^2 + y + m.
const M = 0x3a

/** GF(2^16) as pairs uy + v over GF(2^8); u is the first byte of an element. */
export function pairField(polynomial: number): Field {
  const times = (a: number, b: number): number => multiplyBytes(a, b, polynomial)
  const split = (a: bigint): [u: number, v: number] => [Number(a >> 8n), Number(a & 0xffn)]
  const joined = (u: number, v: number): bigint => BigInt(u * 256 + v)
  return {
    bytes: 2,
    add: (a, b) => a ^ b,
    subtract: (a, b) => a ^ b,
    multiply(a, b) {
      const [[r, s], [u, v]] = [split(a), split(b)]
      return joined(times(r ^ s, u ^ v) ^ times(s, v), times(times(r, u), M) ^ times(s, v))
    },
    invert(a) {
      const [u, v] = split(a)
      const d = invertByte(times(u ^ v, v) ^ times(M, times(u, u)), polynomial)
      return joined(times(u, d), times(u ^ v, d))
    },
    random: () => toBigInt(randomBytes(2)),
  }
}

/** The integers modulo a prime. */
export function primeField(prime: bigint): Field {
  const bytes = Math.ceil(prime.toString(16).length / 2)
  return {
    bytes,
    add: (a, b) => (a + b) % prime,
    subtract: (a, b) => mod(a - b, prime),
    multiply: (a, b) => (a * b) % prime,
    invert: a => inverse(a, prime) ?? 0n,
    // Eight bytes more than the prime: what the reduction favours is below 2^-64.
    random: () => toBigInt(randomBytes(bytes + 8)) % prime,
  }
}
