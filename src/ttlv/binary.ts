import { isUtf8 } from 'node:buffer'
import { type Item, TYPE, tagName } from './item.ts'

/** Malformed TTLV. `offset` counts bytes from the start of the message, `path` names the structures that lead there. */
export class TtlvError extends Error {
  override readonly name = 'TtlvError'
  readonly code = 'ttlv_malformed'
  readonly offset: number
  readonly path: string
  constructor(problem: string, offset: number, path: readonly number[]) {
    const where = path.map(tagName).join('/')
    super(`${problem} at byte ${offset}${where && ` in ${where}`}`)
    this.offset = offset
    this.path = where
  }
}

const MAX_DEPTH = 32
const HEADER = 8

// Bit operators are signed 32-bit in JavaScript and a length is not: (n + 7) & ~7 is negative for 0x7fffffff.
const padding = (length: number): number => (8 - (length % 8)) % 8

/**
 * Decode one item that fills `buffer` exactly.
 * @param buffer not copied: byte strings in the result are views into it
 * @throws TtlvError for anything malformed; nothing is allocated beyond the buffer's own size
 * Spec: KMIP 1.4 section 9.1, 2.1 section 10.1
 */
export function decode(buffer: Buffer): Item {
  const cursor = { buffer, offset: 0, path: [] as number[] }
  const item = decodeItem(cursor, buffer.length)
  if (cursor.offset !== buffer.length) throw new TtlvError(`${buffer.length - cursor.offset} bytes after the end`, cursor.offset, [])
  return item
}

/**
 * Decode the items that follow each other in `buffer`, such as the content of a structure.
 * @throws TtlvError
 */
export function decodeAll(buffer: Buffer): Item[] {
  const cursor = { buffer, offset: 0, path: [] as number[] }
  const items: Item[] = []
  while (cursor.offset < buffer.length) items.push(decodeItem(cursor, buffer.length))
  return items
}

interface Cursor {
  readonly buffer: Buffer
  offset: number
  readonly path: number[]
}

function decodeItem(cursor: Cursor, end: number): Item {
  const { buffer, path } = cursor
  const start = cursor.offset
  if (end - start < HEADER) throw new TtlvError('an item is cut off', start, path)
  const head = buffer.readUInt32BE(start)
  const tag = head >>> 8
  const type = head & 0xff
  const length = buffer.readUInt32BE(start + 4)
  if (tag < 0x420000 || (tag > 0x42ffff && (tag < 0x540000 || tag > 0x54ffff)))
    throw new TtlvError(`${tagName(tag)} is no tag`, start, path)
  const from = start + HEADER
  if (length > end - from) throw new TtlvError(`${tagName(tag)} claims ${length} bytes where ${end - from} are left`, start, path)
  if (type === TYPE.Structure) {
    if (path.length >= MAX_DEPTH) throw new TtlvError(`structures are nested deeper than ${MAX_DEPTH}`, start, path)
    path.push(tag)
    cursor.offset = from
    const items: Item[] = []
    while (cursor.offset < from + length) items.push(decodeItem(cursor, from + length))
    path.pop()
    return { tag, type, value: items }
  }
  const after = from + length + padding(length)
  if (after > end) throw new TtlvError(`the padding of ${tagName(tag)} is cut off`, start, path)
  for (let i = from + length; i < after; i++)
    if (buffer[i] !== 0) throw new TtlvError(`the padding of ${tagName(tag)} is not zero`, i, path)
  cursor.offset = after
  switch (type) {
    case TYPE.Integer:
      expectLength(4, length, tag, start, path)
      return { tag, type, value: buffer.readInt32BE(from) }
    case TYPE.Enumeration:
    case TYPE.Interval:
      expectLength(4, length, tag, start, path)
      return { tag, type, value: buffer.readUInt32BE(from) }
    case TYPE.LongInteger:
    case TYPE.DateTime:
    case TYPE.DateTimeExtended:
      expectLength(8, length, tag, start, path)
      return { tag, type, value: buffer.readBigInt64BE(from) }
    case TYPE.BigInteger:
      if (length === 0 || length % 8 !== 0) throw new TtlvError(`${tagName(tag)}: a Big Integer of ${length} bytes`, start, path)
      return { tag, type, value: buffer.subarray(from, from + length) }
    case TYPE.Boolean: {
      expectLength(8, length, tag, start, path)
      const value = buffer[from + 7]!
      if (value > 1 || buffer.readUIntBE(from, 6) !== 0 || buffer[from + 6] !== 0)
        throw new TtlvError(`${tagName(tag)}: a Boolean that is neither 0 nor 1`, from, path)
      return { tag, type, value: value === 1 }
    }
    case TYPE.TextString:
    case TYPE.Identifier:
    case TYPE.Reference:
    case TYPE.NameReference: {
      const value = buffer.subarray(from, from + length)
      if (!isUtf8(value)) throw new TtlvError(`${tagName(tag)} is not UTF-8`, from, path)
      return { tag, type, value: value.toString() }
    }
    case TYPE.ByteString:
      return { tag, type, value: buffer.subarray(from, from + length) }
    default:
      throw new TtlvError(`${tagName(tag)}: ${type} is no item type`, start + 3, path)
  }
}

function expectLength(expected: number, length: number, tag: number, start: number, path: readonly number[]): void {
  if (length !== expected) throw new TtlvError(`${tagName(tag)}: length ${length} where the type has ${expected}`, start, path)
}

/** Encode an item. Spec: KMIP 1.4 section 9.1, 2.1 section 10.1 */
export function encode(item: Item): Buffer {
  const buffer = Buffer.allocUnsafe(sizeOf(item))
  write(item, buffer, 0)
  return buffer
}

/** Bytes that an item takes in TTLV, header and padding included. */
export function sizeOf(item: Item): number {
  switch (item.type) {
    case TYPE.Structure: {
      let size = HEADER
      for (const field of item.value) size += sizeOf(field)
      return size
    }
    case TYPE.BigInteger:
    case TYPE.ByteString:
      return HEADER + item.value.length + padding(item.value.length)
    case TYPE.TextString:
    case TYPE.Identifier:
    case TYPE.Reference:
    case TYPE.NameReference: {
      const length = Buffer.byteLength(item.value)
      return HEADER + length + padding(length)
    }
    default:
      return HEADER + 8
  }
}

/** Write an item at `offset` and return the offset after it. */
function write(item: Item, buffer: Buffer, offset: number): number {
  buffer.writeUInt32BE(item.tag * 256 + item.type, offset)
  const from = offset + HEADER
  let length: number
  let end: number
  switch (item.type) {
    case TYPE.Structure:
      end = from
      for (const field of item.value) end = write(field, buffer, end)
      buffer.writeUInt32BE(end - from, offset + 4)
      return end
    case TYPE.Integer:
      buffer.writeInt32BE(item.value, from)
      length = 4
      break
    case TYPE.Enumeration:
    case TYPE.Interval:
      buffer.writeUInt32BE(item.value, from)
      length = 4
      break
    case TYPE.LongInteger:
    case TYPE.DateTime:
    case TYPE.DateTimeExtended:
      buffer.writeBigInt64BE(item.value, from)
      length = 8
      break
    case TYPE.Boolean:
      buffer.writeUInt32BE(0, from)
      buffer.writeUInt32BE(item.value ? 1 : 0, from + 4)
      length = 8
      break
    case TYPE.TextString:
    case TYPE.Identifier:
    case TYPE.Reference:
    case TYPE.NameReference:
      length = buffer.write(item.value, from)
      break
    default:
      buffer.set(item.value, from)
      length = item.value.length
  }
  buffer.writeUInt32BE(length, offset + 4)
  // A call of fill() costs more than the few bytes of padding.
  end = from + length + padding(length)
  for (let i = from + length; i < end; i++) buffer[i] = 0
  return end
}
