/**
 * The order of each curve, and the sum of two public points, which `node:crypto` keeps to itself; both from the domain parameters that
 * OpenSSL writes out. For public numbers only: nothing here is in constant time.
 * Sources: SEC 1 sections 2.2 (addition) and C.2 (parameters); ANSI X9.62 for the fields of characteristic two.
 */
import { generateKeyPairSync } from 'node:crypto'
import { curveRow } from './curves.ts'
import * as der from './der.ts'
import { CryptoError } from './errors.ts'
import { inverse, mod, toBigInt, toBytes } from './integers.ts'

type Point = readonly [x: bigint, y: bigint]

interface Curve {
  readonly order: bigint
  /** undefined where the formula has none: the points are equal or opposite */
  add(a: Point, b: Point): Point | undefined
}

const PRIME_FIELD = '1.2.840.10045.1.1'
const TRINOMIAL = '1.2.840.10045.1.2.3.2'

// Constants of mathematics, read once for each curve that is asked for: making a key to see them takes up to a millisecond.
const CURVES = new Map<string, Curve>()

function overPrimes(order: bigint, p: bigint): Curve {
  return {
    order,
    add([x1, y1], [x2, y2]) {
      const run = inverse(x2 - x1, p)
      if (run === undefined) return undefined
      const slope = mod((y2 - y1) * run, p)
      const x = mod(slope * slope - x1 - x2, p)
      return [x, mod(slope * (x1 - x) - y1, p)]
    },
  }
}

const degree = (a: bigint): number => a.toString(2).length - 1

/** Elements are polynomials over GF(2), a bit for each coefficient; `f` is the polynomial of the field and `a` the curve's coefficient. */
function overPolynomials(order: bigint, f: bigint, a: bigint): Curve {
  const size = BigInt(degree(f))
  const multiply = (left: bigint, right: bigint): bigint => {
    let product = 0n
    for (let bit = size - 1n; bit >= 0n; bit--) {
      product <<= 1n
      if (product >> size) product ^= f
      if ((right >> bit) & 1n) product ^= left
    }
    return product
  }
  const invert = (element: bigint): bigint => {
    let [u, v, g, h] = [element, f, 1n, 0n]
    while (u !== 1n) {
      const shift = degree(u) - degree(v)
      if (shift < 0) [u, v, g, h] = [v, u, h, g]
      u ^= v << BigInt(Math.abs(shift))
      g ^= h << BigInt(Math.abs(shift))
    }
    return g
  }
  return {
    order,
    add([x1, y1], [x2, y2]) {
      if (x1 === x2) return undefined
      const slope = multiply(y1 ^ y2, invert(x1 ^ x2))
      const x = multiply(slope, slope) ^ slope ^ x1 ^ x2 ^ a
      return [x, multiply(slope, x1 ^ x) ^ x ^ y1]
    },
  }
}

/** The middle terms of a field's polynomial: one for a trinomial, three for a pentanomial. */
function middle(basis: string, parameters: der.Der | undefined): bigint[] {
  if (parameters === undefined) throw new CryptoError('unsupported', 'the field of the curve has no polynomial basis')
  return basis === TRINOMIAL ? [toBigInt(parameters.body)] : der.read(parameters.body).map(({ body }) => toBigInt(body))
}

function readCurve(name: string): Curve {
  const { publicKey } = generateKeyPairSync('ec', {
    namedCurve: curveRow(name).name,
    paramEncoding: 'explicit',
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  })
  const algorithm = der.read(der.body(der.fields(publicKey), 0, der.TAG.SEQUENCE))
  const parameters = der.read(der.body(algorithm, 1, der.TAG.SEQUENCE))
  const field = der.read(der.body(parameters, 1, der.TAG.SEQUENCE))
  const order = toBigInt(der.unsigned(parameters, 4))
  if (der.oidText(der.body(field, 0, der.TAG.OID)) === PRIME_FIELD) return overPrimes(order, toBigInt(der.unsigned(field, 1)))
  const characteristicTwo = der.read(der.body(field, 1, der.TAG.SEQUENCE))
  const terms = [
    toBigInt(der.unsigned(characteristicTwo, 0)),
    ...middle(der.oidText(der.body(characteristicTwo, 1, der.TAG.OID)), characteristicTwo[2]),
    0n,
  ]
  const f = terms.reduce((sum, exponent) => sum ^ (1n << exponent), 0n)
  const [a] = der.read(der.body(parameters, 2, der.TAG.SEQUENCE))
  return overPolynomials(order, f, toBigInt(a?.body ?? Buffer.alloc(0)))
}

function curveOf(name: string): Curve {
  const curve = CURVES.get(name) ?? readCurve(name)
  CURVES.set(name, curve)
  return curve
}

/** Order of the base point of a Recommended Curve. @throws CryptoError `unsupported` */
export const curveOrder = (name: string): bigint => curveOf(name).order

/**
 * The sum of two points of a Recommended Curve, all uncompressed (X9.63).
 * @returns undefined when they are equal or opposite
 * @throws CryptoError `unsupported`
 */
export function addPoints(name: string, a: Uint8Array, b: Uint8Array): Buffer | undefined {
  const bytes = (a.length - 1) / 2
  const read = (point: Uint8Array): Point => [toBigInt(point.subarray(1, 1 + bytes)), toBigInt(point.subarray(1 + bytes))]
  const sum = curveOf(name).add(read(a), read(b))
  return sum && Buffer.concat([Buffer.of(4), toBytes(sum[0], bytes), toBytes(sum[1], bytes)])
}
