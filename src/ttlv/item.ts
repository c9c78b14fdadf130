import { ENUM, ENUM_OF_TAG, MASK, MASK_OF_TAG } from './enumerations.ts'
import { TAG, TAG_TITLES } from './tags.ts'

/** Item types of KMIP. Spec: KMIP 1.4 section 9.1.1.2, 2.1 section 10.1.1; 0x0c to 0x0e are of the 3.0 draft. */
export const TYPE = {
  Structure: 1,
  Integer: 2,
  LongInteger: 3,
  BigInteger: 4,
  Enumeration: 5,
  Boolean: 6,
  TextString: 7,
  ByteString: 8,
  DateTime: 9,
  Interval: 10,
  DateTimeExtended: 11,
  Identifier: 12,
  Reference: 13,
  NameReference: 14,
} as const
export type TypeName = keyof typeof TYPE

/**
 * One TTLV item, the form between all encodings (binary, XML, JSON) and the typed messages. Items are never changed once made.
 * A Big Integer keeps its two's complement bytes as they stood on the wire; Date-Time counts seconds since 1970, Date-Time Extended
 * microseconds; Integer and mask are signed, Enumeration and Interval unsigned.
 */
export type Item =
  | { readonly tag: number; readonly type: 1; readonly value: readonly Item[] }
  | { readonly tag: number; readonly type: 2 | 5 | 10; readonly value: number }
  | { readonly tag: number; readonly type: 3 | 9 | 11; readonly value: bigint }
  | { readonly tag: number; readonly type: 4 | 8; readonly value: Buffer }
  | { readonly tag: number; readonly type: 6; readonly value: boolean }
  | { readonly tag: number; readonly type: 7 | 12 | 13 | 14; readonly value: string }
export type Structure = Extract<Item, { type: 1 }>

export const structure = (tag: number, value: readonly Item[]): Structure => ({ tag, type: TYPE.Structure, value })
export const integer = (tag: number, value: number): Item => ({ tag, type: TYPE.Integer, value })
export const long = (tag: number, value: bigint | number): Item => ({ tag, type: TYPE.LongInteger, value: BigInt(value) })
export const bigInteger = (tag: number, value: Buffer): Item => ({ tag, type: TYPE.BigInteger, value })
export const enumeration = (tag: number, value: number): Item => ({ tag, type: TYPE.Enumeration, value })
export const boolean = (tag: number, value: boolean): Item => ({ tag, type: TYPE.Boolean, value })
export const text = (tag: number, value: string): Item => ({ tag, type: TYPE.TextString, value })
export const bytes = (tag: number, value: Buffer): Item => ({ tag, type: TYPE.ByteString, value })
export const dateTime = (tag: number, value: bigint | number): Item => ({ tag, type: TYPE.DateTime, value: BigInt(value) })
export const interval = (tag: number, value: number): Item => ({ tag, type: TYPE.Interval, value })

/** The first child with this tag, or nothing. */
export function child(item: Item, tag: number): Item | undefined {
  if (item.type !== TYPE.Structure) return undefined
  for (const field of item.value) if (field.tag === tag) return field
  return undefined
}

/** The same item under another tag. */
export const retag = (item: Item, tag: number): Item => (item.tag === tag ? item : ({ ...item, tag } as Item))

const NAME_OF_TAG = new Map<number, string>(Object.entries(TAG).map(([name, tag]) => [tag, name]))
const TYPE_NAMES: readonly (TypeName | undefined)[] = [undefined, ...(Object.keys(TYPE) as TypeName[])]

/** XML name of a tag, or its number as `0x42xxxx` if it has none. */
export const tagName = (tag: number): string => NAME_OF_TAG.get(tag) ?? `0x${tag.toString(16).padStart(6, '0')}`

/** The specification's name of a tag, with spaces: `Cryptographic Usage Mask`. */
export const tagTitle = (tag: number): string => {
  const name = tagName(tag)
  return TAG_TITLES[name] ?? name.replace(/([a-z0-9])([A-Z])/g, '$1 $2')
}

export const typeName = (type: number): string => TYPE_NAMES[type] ?? `type ${type}`

const invert = (table: Record<string, Record<string, number>>): Map<string, Map<number, string>> =>
  new Map(
    Object.entries(table).map(([name, values]) => {
      const byValue = new Map<number, string>()
      for (const [valueName, value] of Object.entries(values)) if (!byValue.has(value)) byValue.set(value, valueName)
      return [name, byValue]
    }),
  )
const ENUM_NAMES = invert(ENUM)
const MASK_NAMES = invert(MASK)

/** XML name of an enumeration's value, or `0x` and eight digits if it has none. */
export const enumName = (enumeration: string, value: number): string =>
  ENUM_NAMES.get(enumeration)?.get(value) ?? `0x${value.toString(16).padStart(8, '0')}`

/** XML name of the value of an enumeration item with this tag. */
export const enumNameOfTag = (tag: number, value: number): string => enumName(ENUM_OF_TAG.get(tag) ?? '', value)

/** Names of the bits of a mask with this tag; bits without a name come as one hexadecimal number. */
export function maskNames(tag: number, value: number): string[] {
  const names: string[] = []
  let rest = value >>> 0
  for (const [bit, name] of MASK_NAMES.get(MASK_OF_TAG.get(tag) ?? '') ?? []) {
    if ((rest & bit) >>> 0 !== bit >>> 0) continue
    names.push(name)
    rest = (rest & ~bit) >>> 0
  }
  if (rest !== 0) names.push(`0x${rest.toString(16).padStart(8, '0')}`)
  return names
}
