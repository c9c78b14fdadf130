import { MASK_OF_TAG } from '../../ttlv/enumerations.ts'
import { child, enumNameOfTag, type Item, maskNames, TYPE, tagName } from '../../ttlv/item.ts'
import { TAG } from '../../ttlv/tags.ts'

/** `CryptographicAlgorithm` as `cryptographic_algorithm`. */
export const snakeCase = (name: string): string =>
  name
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()

/** The value of an item as JSON has it: names of enumerations, ISO 8601 for times, hexadecimal digits for bytes. */
function plainOf(item: Item): unknown {
  switch (item.type) {
    case TYPE.Structure:
      return fieldsOf(item.value)
    case TYPE.Enumeration:
      return enumNameOfTag(item.tag, item.value)
    case TYPE.Integer:
      return MASK_OF_TAG.has(item.tag) ? maskNames(item.tag, item.value) : item.value
    case TYPE.DateTime:
      return new Date(Number(item.value) * 1000).toISOString()
    case TYPE.LongInteger:
      return item.value.toString()
    case TYPE.BigInteger:
    case TYPE.ByteString:
      return item.value.toString('hex')
    case TYPE.TextString:
    case TYPE.Boolean:
    case TYPE.Interval:
      return item.value
    default:
      return String(item.value)
  }
}

/** A vendor attribute stands as its value; a field that stands several times as a list. */
function fieldsOf(items: readonly Item[]): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {}
  for (const item of items) {
    const name = snakeCase(tagName(item.tag))
    const value = plainOf(item)
    const known = fields[name]
    fields[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value]
  }
  return fields
}

/** The value of an attribute, without what only tells how it is written. */
export function attributeValue(item: Item): unknown {
  if (item.tag === TAG.Name) {
    const value = child(item, TAG.NameValue)
    if (value) return plainOf(value)
  }
  if (item.tag === TAG.Attribute) {
    const value = child(item, TAG.AttributeValue)
    if (value) return plainOf(value)
  }
  return plainOf(item)
}
