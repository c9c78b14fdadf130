/**
 * Big numbers as unsigned big-endian bytes, and the arithmetic that completing a key needs. Not in constant time: for numbers of keys
 * that are being read or made whole, never for a private operation on somebody's data.
 */

export const toBigInt = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`))

/** Big-endian, left-padded with zeros to `length` bytes when given; shortest otherwise (one byte for zero). */
export function toBytes(n: bigint, length = 0): Buffer {
  const hex = n.toString(16)
  return Buffer.from(hex.padStart(Math.max(length * 2, hex.length + (hex.length % 2)), '0'), 'hex')
}

export const bitLength = (bytes: Uint8Array): number => {
  const first = bytes.findIndex(byte => byte !== 0)
  return first < 0 ? 0 : (bytes.length - first) * 8 - Math.clz32(bytes[first] ?? 0) + 24
}

export const mod = (a: bigint, m: bigint): bigint => ((a % m) + m) % m

export function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let square = mod(base, modulus)
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

export function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b]
  while (y !== 0n) [x, y] = [y, x % y]
  return x
}

/** Inverse of `a` modulo `m`; undefined when there is none. */
export function inverse(a: bigint, m: bigint): bigint | undefined {
  let [r, nextR, t, nextT] = [m, mod(a, m), 0n, 1n]
  while (nextR !== 0n) {
    const q = r / nextR
    ;[r, nextR, t, nextT] = [nextR, r - q * nextR, nextT, t - q * nextT]
  }
  return r === 1n ? mod(t, m) : undefined
}
