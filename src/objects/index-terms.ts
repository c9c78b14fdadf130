import { attributeOfTag, VENDOR_ATTRIBUTE } from '../ttlv/attributes.ts'
import { encode } from '../ttlv/binary.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, enumeration, type Item, TYPE } from '../ttlv/item.ts'
import { isKnown } from '../ttlv/known.ts'
import { TAG } from '../ttlv/tags.ts'
import { keyOf } from './attribute-set.ts'
import type { ManagedObject } from './managed-object.ts'

const { NameType } = ENUM
const VERSIONS = [10, 11, 12, 13, 14, 20, 21, 30]
const TYPES_OF_ALL_VERSIONS: ReadonlySet<number> = new Set<number>(
  Object.values(ENUM.ObjectType).filter(type => VERSIONS.every(version => isKnown('ObjectType', type, version))),
)

// Index terms: texts that the seal blinds, by which Locate finds objects without opening them all. A term says "this attribute has
// this value"; a structure has one for each of its fields, since a filter may give only some of them.

/** Terms of one attribute value, without those of fields that say little; none if the attribute is not indexed. */
function termsOf(item: Item): readonly string[] {
  if (!rowOf(item)?.indexed) return NO_TERMS
  if (item.tag === TAG.Attribute) return [`${keyOf(item)}=${valueText(item)}`]
  if (item.type !== TYPE.Structure) return [`${item.tag}=${valueText(item)}`]
  const terms: string[] = []
  for (const field of item.value) if (!COMMON_FIELDS.has(field.tag)) terms.push(`${item.tag}/${field.tag}=${valueText(field)}`)
  return terms
}
const NO_TERMS: readonly string[] = []

const valueText = (item: Item): string =>
  item.type === TYPE.Structure
    ? encode(item).toString('base64')
    : `${item.type}:${Buffer.isBuffer(item.value) ? item.value.toString('base64') : item.value}`

/** Fields that nearly all objects share, and that tell none apart. */
const COMMON_FIELDS: ReadonlySet<number> = new Set<number>([
  TAG.NameType,
  TAG.LinkType,
  TAG.AlternativeNameType,
  TAG.ApplicationNamespace,
  TAG.RotateNameType,
])

/** Marks of objects of which the index alone decides whether they are found, by the Storage Status that they are in. */
export const STATUS_MARKS = ['status=on-line', 'status=archived', 'status=destroyed'] as const

/**
 * The status mark of an object, where there is no more to know of it than its terms say: its type is one of all versions, it belongs to no
 * user, and its names are of the type that goes without saying. Others have none, nor have those that were stored by a kmipd that knew no
 * marks: they are opened and looked at.
 */
export function statusMark(object: ManagedObject): string | undefined {
  if (!TYPES_OF_ALL_VERSIONS.has(object.type) || object.owner !== undefined) return undefined
  if (!object.attributes.all(TAG.Name).every(({ item }) => child(item, TAG.NameType)?.value === NameType.UninterpretedTextString))
    return undefined
  return STATUS_MARKS[object.destroyed ? 2 : object.archived ? 1 : 0]
}

/** Whether a filter is met by exactly the objects with a status mark that carry all its terms. */
export function isDecided(filter: Item): boolean {
  if (filter.tag === TAG.Attribute) return filter.type === TYPE.Structure && filter.value.length === VENDOR_FIELDS
  if (filter.tag === TAG.Name)
    return (
      filter.type === TYPE.Structure &&
      filter.value.length <= 2 &&
      child(filter, TAG.NameValue) !== undefined &&
      (filter.value.length === 1 || child(filter, TAG.NameType)?.value === NameType.UninterpretedTextString)
    )
  return filter.type !== TYPE.Structure && attributeOfTag(filter.tag)?.indexed === true
}

/** Vendor Identification, Attribute Name, Attribute Value. */
const VENDOR_FIELDS = 3

/** Whether two forms of an object that were copied one from the other have the same terms and claims; seen without making them. */
export function sharesTerms(a: ManagedObject, b: ManagedObject): boolean {
  if (a.type !== b.type || a.owner !== b.owner || a.destroyed !== b.destroyed || a.archived !== b.archived) return false
  const theirs = indexedItems(b)
  const own = indexedItems(a)
  return own.length === theirs.length && own.every((item, i) => item === theirs[i])
}

function indexedItems({ attributes }: ManagedObject): Item[] {
  const items: Item[] = []
  for (const { item } of attributes) if (rowOf(item)?.indexed) items.push(item)
  return items
}

const rowOf = (item: Item) => (item.tag === TAG.Attribute ? VENDOR_ATTRIBUTE : attributeOfTag(item.tag))

/** Every term of an object, its status mark included. */
export function indexTerms(object: ManagedObject): string[] {
  const mark = statusMark(object)
  const terms = attributeTerms(object)
  return mark === undefined ? terms : [...terms, mark]
}

/** The terms of an object's attributes. */
export function attributeTerms(object: ManagedObject): string[] {
  const terms = new Set(termsOf(enumeration(TAG.ObjectType, object.type)))
  for (const { item } of object.attributes) for (const term of termsOf(item)) terms.add(term)
  return [...terms]
}

/** What only one living object of a scope may hold: its names. Spec: KMIP 1.4 section 3.2, 2.1 section 4.32 */
export function claimsOf(object: ManagedObject): string[] {
  if (object.destroyed) return []
  return object.attributes.all(TAG.Name).flatMap(({ item }) => nameTerms(item))
}

/** The term of a name's value. */
export const nameTerms = (name: Item): readonly string[] => termsOf(name)

const RARITY: readonly number[] = [TAG.Name, TAG.AlternativeName, TAG.Attribute, TAG.ApplicationSpecificInformation, TAG.Link]
const rarity = (item: Item): number => {
  const at = RARITY.indexOf(item.tag)
  if (item.tag === TAG.ObjectType) return 102
  if (item.tag === TAG.CryptographicAlgorithm) return 101
  return at < 0 ? 100 : at
}

/** Terms that every object must carry which has all these attribute values, rarest first. */
export const filterTerms = (filters: readonly Item[]): string[] => [...filters].sort((a, b) => rarity(a) - rarity(b)).flatMap(termsOf)
