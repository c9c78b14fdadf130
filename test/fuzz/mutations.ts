import { type Item, structure, TYPE } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'

// How the fuzzers bend messages: as bytes, as text and as items.

/** A number from 0 up to, and without, `below`. */
export type Draw = (below: number) => number

/** Values that are likely to be where a rule ends; they take the tag of what they replace. */
export const VALUES: readonly Item[] = [
  { tag: TAG.Name, type: TYPE.Integer, value: -1 },
  { tag: TAG.Name, type: TYPE.Enumeration, value: 0xffffffff },
  { tag: TAG.Name, type: TYPE.LongInteger, value: -(1n << 63n) },
  { tag: TAG.Name, type: TYPE.DateTime, value: (1n << 63n) - 1n },
  { tag: TAG.Name, type: TYPE.BigInteger, value: Buffer.alloc(8, 0xff) },
  { tag: TAG.Name, type: TYPE.TextString, value: '' },
  { tag: TAG.Name, type: TYPE.TextString, value: 'ü\u0000𝄞' },
  { tag: TAG.Name, type: TYPE.ByteString, value: Buffer.alloc(0) },
  { tag: TAG.Name, type: TYPE.ByteString, value: Buffer.alloc(31, 1) },
  { tag: TAG.Name, type: TYPE.Boolean, value: true },
  { tag: TAG.Name, type: TYPE.Interval, value: 0xffffffff },
  { tag: TAG.Name, type: TYPE.DateTimeExtended, value: 5n },
  structure(TAG.Name, []),
]

export interface Mutation {
  readonly at: number
  readonly value: Item
  readonly tag: number
  readonly what: string
}
export const MUTATIONS = ['value', 'value', 'tag', 'remove', 'repeat', 'move', 'add', 'empty'] as const

/** The message with the item that `at` selects, counted through all structures, changed. The protocol version stays as it is. */
export function mutate(message: Item, { at, value, tag, what }: Mutation): Item {
  const count = (item: Item): number => (item.type === TYPE.Structure ? item.value.reduce((sum, one) => sum + count(one), 1) : 1)
  let left = at % Math.max(1, count(message) - 6)
  const walk = (item: Item): Item[] => {
    if (item.tag === TAG.ProtocolVersion) return [item]
    if (left-- === 0) {
      if (what === 'value') return [{ ...value, tag: item.tag } as Item]
      if (what === 'tag') return [{ ...item, tag } as Item]
      if (what === 'remove') return []
      if (what === 'repeat') return [item, item]
      if (what === 'add') return [item, { ...value, tag } as Item]
      if (item.type === TYPE.Structure) return [structure(item.tag, what === 'empty' ? [] : item.value.toReversed())]
    }
    return [item.type === TYPE.Structure ? structure(item.tag, item.value.flatMap(walk)) : item]
  }
  return walk(message)[0] ?? message
}

/** One to four changes of single bytes, lengths, types and ends, and pieces of other inputs. */
export function mutateBytes(input: Buffer, others: readonly Buffer[], draw: Draw): Buffer {
  let bytes = Buffer.from(input)
  for (let left = 1 + draw(4); left > 0; left--) {
    const place = draw(Math.max(1, bytes.length))
    const header = place - (place % 8)
    const what = draw(7)
    if (what === 0) bytes = bytes.subarray(0, place)
    else if (what === 1) bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from([draw(256)]), bytes.subarray(place)])
    else if (what === 2 && header + 8 <= bytes.length) bytes.writeUInt32BE(draw(4) === 0 ? draw(2 ** 32) : draw(64), header + 4)
    else if (what === 3 && header + 8 <= bytes.length) bytes[header + 3] = draw(12)
    else if (what === 4) bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1 + draw(16))])
    else if (what === 5) {
      const other = others[draw(others.length)] ?? input
      const from = draw(Math.max(1, other.length))
      bytes = Buffer.concat([bytes.subarray(0, place), other.subarray(from, from + draw(64)), bytes.subarray(place)])
    } else if (place < bytes.length) bytes[place] = draw(3) === 0 ? draw(256) : bytes[place]! ^ (1 << draw(8))
  }
  return bytes
}
