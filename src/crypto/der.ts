/**
 * The little of DER (X.690) that key formats need: definite lengths, six types, strict reading.
 */
import { CryptoError } from './errors.ts'

export const TAG = { INTEGER: 0x02, BITS: 0x03, OCTETS: 0x04, OID: 0x06, SEQUENCE: 0x30, CONTEXT_0: 0xa0, CONTEXT_1: 0xa1 } as const

/** One element. `body` is a view into what was read. */
export interface Der {
  readonly tag: number
  readonly body: Buffer
}

function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body])
  const hex = body.length.toString(16)
  const length = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, body])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(TAG.SEQUENCE, ...parts)
export const octets = (body: Uint8Array): Buffer => element(TAG.OCTETS, body)
export const bits = (body: Uint8Array): Buffer => element(TAG.BITS, Buffer.of(0), body)
export const context = (tag: number, body: Uint8Array): Buffer => element(tag, body)

/** An INTEGER of an unsigned big-endian number. */
export function integer(unsigned: Uint8Array): Buffer {
  const digits = stripZeros(unsigned)
  return element(TAG.INTEGER, digits.length === 0 || (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits)
}

/** Without leading zero bytes; nothing is left of zero. */
export function stripZeros(unsigned: Uint8Array): Buffer {
  let at = 0
  while (at < unsigned.length && unsigned[at] === 0) at++
  return Buffer.from(unsigned.subarray(at))
}

/** An OBJECT IDENTIFIER from dotted notation. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (const arc of [first * 40 + second, ...rest]) {
    const digits = [arc % 128]
    for (let n = Math.floor(arc / 128); n > 0; n = Math.floor(n / 128)) digits.unshift((n % 128) + 128)
    bytes.push(...digits)
  }
  return element(TAG.OID, Buffer.from(bytes))
}

/** Dotted notation of the body of an OBJECT IDENTIFIER. */
export function oidText(body: Uint8Array): string {
  const arcs: number[] = []
  let arc = 0
  for (const byte of body) {
    arc = arc * 128 + (byte % 128)
    if (byte >= 128) continue
    arcs.push(arc)
    arc = 0
  }
  const [start = 0, ...rest] = arcs
  const first = Math.min(2, Math.floor(start / 40))
  return [first, start - first * 40, ...rest].join('.')
}

/** All elements in `bytes`, one after the other. @throws CryptoError `invalid` */
export function read(bytes: Buffer): Der[] {
  const found: Der[] = []
  let at = 0
  while (at < bytes.length) {
    const { tag, start, end } = header(bytes, at)
    found.push({ tag, body: bytes.subarray(start, end) })
    at = end
  }
  return found
}

function header(bytes: Buffer, at: number): { tag: number; start: number; end: number } {
  const tag = bytes[at] ?? 0
  const first = bytes[at + 1]
  if (first === undefined || (tag & 0x1f) === 0x1f) throw malformed()
  let start = at + 2
  let length = first
  if (first >= 0x80) {
    const count = first - 0x80
    if (count < 1 || count > 4 || start + count > bytes.length) throw malformed()
    length = bytes.readUIntBE(start, count)
    start += count
  }
  if (start + length > bytes.length) throw malformed()
  return { tag, start, end: start + length }
}

const malformed = (): CryptoError => new CryptoError('invalid', 'the key is not well-formed DER')

/** The body of element `index` of `list`, which must have `tag`. @throws CryptoError `invalid` */
export function body(list: readonly Der[], index: number, tag: number): Buffer {
  const found = list[index]
  if (found?.tag !== tag) throw malformed()
  return found.body
}

/** Elements of the sequence that `bytes` is. @throws CryptoError `invalid` */
export const fields = (bytes: Buffer): Der[] => read(body(read(bytes), 0, TAG.SEQUENCE))

/** Element `index` as unsigned number without leading zeros. @throws CryptoError `invalid` */
export const unsigned = (list: readonly Der[], index: number): Buffer => stripZeros(body(list, index, TAG.INTEGER))
