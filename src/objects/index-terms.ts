import { attributeOfTag, VENDOR_ATTRIBUTE } from '../ttlv/attributes.ts'
import { encode } from '../ttlv/binary.ts'
import { enumeration, type Item, TYPE } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { keyOf } from './attribute-set.ts'
import type { ManagedObject } from './managed-object.ts'

// Index terms: texts that the seal blinds, by which Locate finds objects without opening them all. A term says "this attribute has
// this value"; a structure has one for each of its fields too, since a filter may give only some of them.

/** Terms of one attribute value; none if the attribute is not indexed. */
function termsOf(item: Item): string[] {
  const row = item.tag === TAG.Attribute ? VENDOR_ATTRIBUTE : attributeOfTag(item.tag)
  if (!row?.indexed) return []
  if (item.tag === TAG.Attribute) return [`${keyOf(item)}=${valueText(item)}`]
  if (item.type !== TYPE.Structure) return [`${item.tag}=${valueText(item)}`]
  return item.value.map(field => `${item.tag}/${field.tag}=${valueText(field)}`)
}

const valueText = (item: Item): string =>
  item.type === TYPE.Structure
    ? encode(item).toString('base64')
    : `${item.type}:${Buffer.isBuffer(item.value) ? item.value.toString('base64') : item.value}`

/** Fields that tell objects apart, rarest first: by them a Locate starts. Type fields are shared by nearly all objects. */
const COMMON_FIELDS: ReadonlySet<number> = new Set<number>([
  TAG.NameType,
  TAG.LinkType,
  TAG.AlternativeNameType,
  TAG.ApplicationNamespace,
  TAG.RotateNameType,
])
const termsWithout = (item: Item): string[] =>
  item.type === TYPE.Structure && item.tag !== TAG.Attribute
    ? termsOf({ ...item, value: item.value.filter(field => !COMMON_FIELDS.has(field.tag)) })
    : termsOf(item)

/** Every term of an object. */
export function indexTerms(object: ManagedObject): string[] {
  const terms = new Set(termsOf(enumeration(TAG.ObjectType, object.type)))
  for (const { item } of object.attributes) for (const term of termsWithout(item)) terms.add(term)
  return [...terms]
}

/** What only one living object of a scope may hold: its names. Spec: KMIP 1.4 section 3.2, 2.1 section 4.32 */
export function claimsOf(object: ManagedObject): string[] {
  if (object.destroyed) return []
  return object.attributes.all(TAG.Name).flatMap(({ item }) => nameTerms(item))
}

/** The term of a name's value. */
export const nameTerms = (name: Item): string[] => termsWithout(name)

const RARITY: readonly number[] = [TAG.Name, TAG.AlternativeName, TAG.Attribute, TAG.ApplicationSpecificInformation, TAG.Link]
const rarity = (item: Item): number => {
  const at = RARITY.indexOf(item.tag)
  if (item.tag === TAG.ObjectType) return 102
  if (item.tag === TAG.CryptographicAlgorithm) return 101
  return at < 0 ? 100 : at
}

/** Terms that every object must carry which has all these attribute values, rarest first. */
export const filterTerms = (filters: readonly Item[]): string[] => [...filters].sort((a, b) => rarity(a) - rarity(b)).flatMap(termsWithout)
