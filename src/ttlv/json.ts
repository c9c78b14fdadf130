import { type Item, structure, TYPE, tagName } from './item.ts'
import { type JsonValue, readJson } from './json-text.ts'
import {
  dateText,
  EncodingError,
  enumText,
  itemOfText,
  longHex,
  MAX_DEPTH,
  maskText,
  subjectOf,
  tagOf,
  titleAfter,
  typeNameOf,
  typeOf,
} from './notation.ts'

// Numbers from 2^52 on are to be written in hexadecimal.
const LARGEST_NUMBER = 2n ** 52n

/**
 * Decode a message in the JSON encoding.
 * @throws EncodingError
 * Spec: KMIP Additional Message Encodings 1.0 section 4.1, Profiles 2.1 section 5.4
 */
export const decodeJson = (text: string): Item => toItem(readJson(text, 2 * MAX_DEPTH + 1), undefined, [])

function toItem(json: JsonValue, title: string | undefined, path: readonly string[]): Item {
  if (!(json instanceof Map)) throw new EncodingError('an item must be an object', path)
  const tagText = json.get('tag')
  if (typeof tagText !== 'string') throw new EncodingError('an item without a tag', path)
  const here = [...path, tagText]
  for (const key of json.keys()) if (!/^(tag|name|type|value)$/.test(key)) throw new EncodingError(`unknown property ${key}`, here)
  const tag = tagOf(tagText)
  if (tag === undefined) throw new EncodingError(`${tagText} is no tag`, path)
  const typeText = json.has('type') ? json.get('type') : 'Structure'
  const type = typeof typeText === 'string' ? typeOf(typeText) : undefined
  if (type === undefined) throw new EncodingError(`${typeText} is no item type`, here)
  const value = json.get('value')
  if (type === TYPE.Structure) {
    if (path.length >= MAX_DEPTH) throw new EncodingError(`structures are nested deeper than ${MAX_DEPTH}`, path)
    const fields: Item[] = []
    if (value !== null && value !== undefined && !Array.isArray(value))
      throw new EncodingError('the value of a structure must be an array', here)
    let childTitle: string | undefined
    for (const child of value ?? []) {
      const field = toItem(child, childTitle, here)
      childTitle = titleAfter(childTitle, field)
      fields.push(field)
    }
    return structure(tag, fields)
  }
  const subject = subjectOf(tag, title)
  if (typeof value === 'string') return itemOfText(tag, type, value, subject, here)
  if (typeof value === 'boolean' && type === TYPE.Boolean) return { tag, type, value }
  if (typeof value === 'number' && Number.isSafeInteger(value)) return itemOfNumber(tag, type, value, here)
  throw new EncodingError(`this value does not fit type ${typeText}`, here)
}

function itemOfNumber(tag: number, type: number, value: number, path: readonly string[]): Item {
  const range = (from: number, to: number): number => {
    if (value < from || value > to) throw new EncodingError(`${value} is out of range`, path)
    return value + 0
  }
  switch (type) {
    case TYPE.Integer:
      return { tag, type, value: range(-0x80000000, 0x7fffffff) }
    case TYPE.Enumeration:
    case TYPE.Interval:
      return { tag, type, value: range(0, 0xffffffff) }
    case TYPE.LongInteger:
    case TYPE.DateTimeExtended:
      return { tag, type, value: BigInt(value) }
    case TYPE.BigInteger: {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64BE(BigInt(value))
      return { tag, type, value: bytes }
    }
    default:
      throw new EncodingError(`a number where type ${typeNameOf(type)} needs a string`, path)
  }
}

/**
 * Encode an item as JSON, with names where there are any.
 * @param options.indent spaces for each level; 0, the default, writes one line
 */
export const encodeJson = (item: Item, options: { readonly indent?: number } = {}): string =>
  JSON.stringify(toJson(item, undefined), null, options.indent)

function toJson(item: Item, title: string | undefined): object {
  const tag = tagName(item.tag)
  if (item.type !== TYPE.Structure) return { tag, type: typeNameOf(item.type), value: jsonValue(item, subjectOf(item.tag, title)) }
  let childTitle: string | undefined
  const value = item.value.map(field => {
    const json = toJson(field, childTitle)
    childTitle = titleAfter(childTitle, field)
    return json
  })
  return { tag, value }
}

function jsonValue(item: Exclude<Item, { type: 1 }>, subject: number): string | number | boolean {
  switch (item.type) {
    case TYPE.Integer:
      return maskText(subject, item.value, '|') ?? item.value
    case TYPE.Enumeration:
      return enumText(subject, item.value)
    case TYPE.DateTime:
      return dateText(item.value)
    case TYPE.LongInteger:
    case TYPE.DateTimeExtended:
      return item.value > -LARGEST_NUMBER && item.value < LARGEST_NUMBER ? Number(item.value) : longHex(item.value)
    case TYPE.BigInteger:
      return `0x${item.value.toString('hex')}`
    case TYPE.ByteString:
      return item.value.toString('hex')
    default:
      return item.value
  }
}
