/** A field as it stands in a protobuf message: a number, or bytes. Fields of 32 and 64 fixed bits are bytes here. */
export interface Field {
  readonly number: number
  readonly value: bigint | Buffer
}

/** The bytes are no protobuf message. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
  readonly code = 'protobuf'
}

const VARINT = 0n
const BYTES = 2n
/** Wire types of a fixed length, and it. */
const FIXED: ReadonlyMap<bigint, number> = new Map([
  [1n, 8],
  [5n, 4],
])

/** All fields of a message in their order, the unknown ones too. @throws ProtobufError */
export function readFields(message: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++]
      if (byte === undefined) throw new ProtobufError('it ends inside a number')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new ProtobufError('a number has more than ten bytes')
  }
  const bytes = (length: bigint): Buffer => {
    if (length > BigInt(message.length - at)) throw new ProtobufError('it ends inside a field')
    at += Number(length)
    return message.subarray(at - Number(length), at)
  }
  while (at < message.length) {
    const key = varint()
    const type = key & 7n
    const number = Number(key >> 3n)
    if (number === 0 || number > 0x1fff_ffff) throw new ProtobufError('a field has no possible number')
    const fixed = FIXED.get(type)
    if (type === VARINT) fields.push({ number, value: varint() })
    else if (type === BYTES) fields.push({ number, value: bytes(varint()) })
    else if (fixed !== undefined) fields.push({ number, value: bytes(BigInt(fixed)) })
    else throw new ProtobufError(`there is no wire type ${type}`)
  }
  return fields
}

/** One field. A negative number is written as protobuf's int64 is: in ten bytes. */
export function writeField(number: number, value: bigint | Uint8Array): Buffer {
  if (typeof value === 'bigint') return Buffer.concat([writeVarint(BigInt(number << 3)), writeVarint(value)])
  return Buffer.concat([writeVarint(BigInt(number << 3) | BYTES), writeVarint(BigInt(value.length)), value])
}

function writeVarint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}
