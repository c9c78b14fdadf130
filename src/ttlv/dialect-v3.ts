import { ENUM } from './enumerations.ts'
import { child, enumeration, type Item, structure, TYPE, text } from './item.ts'
import { TAG } from './tags.ts'

// The dialect of the 3.0 draft: names are plain text, each kind of link is an attribute of its own, groups are references, and
// identifiers have item types of their own. The canonical form is that of 2.1.

const { LinkType, NameType } = ENUM

/** Link types of ours, for links that 3.0 has and 2.1 does not; above 0x80000000 as the specification wants of extensions. */
const EXTENSION_LINKS = {
  CredentialLink: 0x8000_0001,
  PasswordLink: 0x8000_0002,
  SplitKeyBaseLink: 0x8000_0003,
  JoinedSplitKeyPartsLink: 0x8000_0004,
  CertificateRequestLink: 0x8000_0005,
} as const
export const CREDENTIAL_LINK = EXTENSION_LINKS.CredentialLink

const LINK_TYPES: readonly (readonly [tag: number, type: number])[] = [
  [TAG.CertificateLink, LinkType.CertificateLink],
  [TAG.PublicKeyLink, LinkType.PublicKeyLink],
  [TAG.PrivateKeyLink, LinkType.PrivateKeyLink],
  [TAG.DerivationObjectLink, LinkType.DerivationBaseObjectLink],
  [TAG.DerivedObjectLink, LinkType.DerivedKeyLink],
  [TAG.ReplacementObjectLink, LinkType.ReplacementObjectLink],
  [TAG.ReplacedObjectLink, LinkType.ReplacedObjectLink],
  [TAG.ParentLink, LinkType.ParentLink],
  [TAG.ChildLink, LinkType.ChildLink],
  [TAG.PreviousLink, LinkType.PreviousLink],
  [TAG.NextLink, LinkType.NextLink],
  [TAG.PKCS_12CertificateLink, LinkType.PKCS_12CertificateLink],
  [TAG.PKCS_12PasswordLink, LinkType.PKCS_12PasswordLink],
  [TAG.WrappingKeyLink, LinkType.WrappingKeyLink],
  ...Object.entries(EXTENSION_LINKS).map(([name, type]) => [TAG[name as keyof typeof EXTENSION_LINKS], type] as const),
]
const TYPE_OF_LINK: ReadonlyMap<number, number> = new Map(LINK_TYPES)
const LINK_OF_TYPE: ReadonlyMap<number, number> = new Map(LINK_TYPES.map(([tag, type]) => [type, tag]))

/** Structures whose fields are attributes. */
const HOLDERS: ReadonlySet<number> = new Set<number>([
  TAG.Attributes,
  TAG.CommonAttributes,
  TAG.PrivateKeyAttributes,
  TAG.PublicKeyAttributes,
  TAG.NewAttribute,
  TAG.CurrentAttribute,
])
const IDENTIFIERS: ReadonlySet<number> = new Set<number>([
  TAG.UniqueIdentifier,
  TAG.PrivateKeyUniqueIdentifier,
  TAG.PublicKeyUniqueIdentifier,
])
const isText = (item: Item): item is Extract<Item, { value: string }> => typeof item.value === 'string'

/** A request payload of 3.0 in canonical form. */
export function requestFromV3(payload: Item): Item {
  if (payload.type !== TYPE.Structure) return payload
  let hasLinks = false
  const fields = payload.value.flatMap(field => {
    if (HOLDERS.has(field.tag) && field.type === TYPE.Structure) return [structure(field.tag, field.value.map(attributeFromV3))]
    if (field.tag !== TAG.AttributeReference || field.type !== TYPE.Enumeration) return [field]
    const tag = TYPE_OF_LINK.has(field.value) ? TAG.Link : field.value === TAG.GroupLink ? TAG.ObjectGroup : field.value
    // Several kinds of link are one attribute here; the answer is cut to those that were asked for.
    if (tag === TAG.Link && hasLinks) return []
    hasLinks ||= tag === TAG.Link
    return [enumeration(TAG.AttributeReference, tag)]
  })
  return structure(payload.tag, fields)
}

function attributeFromV3(item: Item): Item {
  if (!isText(item)) return item
  if (item.tag === TAG.Name)
    return structure(TAG.Name, [text(TAG.NameValue, item.value), enumeration(TAG.NameType, NameType.UninterpretedTextString)])
  if (item.tag === TAG.GroupLink) return text(TAG.ObjectGroup, item.value)
  const link = TYPE_OF_LINK.get(item.tag)
  if (link !== undefined) return structure(TAG.Link, [enumeration(TAG.LinkType, link), text(TAG.LinkedObjectIdentifier, item.value)])
  return IDENTIFIERS.has(item.tag) ? text(item.tag, item.value) : item
}

/** The fields of a response payload as 3.0 writes them. @param request the payload that was asked with, as it came */
export function responseToV3(fields: readonly Item[], request: Item): Item[] {
  const asked =
    request.type === TYPE.Structure ? request.value.filter(field => field.tag === TAG.AttributeReference).map(field => field.value) : []
  const wanted = (tag: number): boolean => !asked.some(value => typeof value === 'number') || asked.includes(tag) || !TYPE_OF_LINK.has(tag)
  return fields.flatMap(field => fieldToV3(field, wanted))
}

function fieldToV3(field: Item, wanted: (tag: number) => boolean): Item[] {
  if (field.tag === TAG.AttributeReference && field.type === TYPE.Enumeration) {
    if (field.value === TAG.ObjectGroup) return [enumeration(TAG.AttributeReference, TAG.GroupLink)]
    return field.value === TAG.Link ? [] : [field]
  }
  if (field.type !== TYPE.Structure) return [identifierToV3(field)]
  if (!HOLDERS.has(field.tag))
    return [
      structure(
        field.tag,
        field.value.flatMap(inner => fieldToV3(inner, wanted)),
      ),
    ]
  return [
    structure(
      field.tag,
      field.value.map(attributeToV3).filter(item => wanted(item.tag)),
    ),
  ]
}

const identifierToV3 = (item: Item): Item =>
  item.type === TYPE.TextString && IDENTIFIERS.has(item.tag) ? { tag: item.tag, type: TYPE.Identifier, value: item.value } : item

function attributeToV3(item: Item): Item {
  if (item.tag === TAG.Name) return text(TAG.Name, String(child(item, TAG.NameValue)?.value ?? ''))
  if (item.tag === TAG.ObjectGroup && isText(item)) return { tag: TAG.GroupLink, type: TYPE.NameReference, value: item.value }
  const tag = item.tag === TAG.Link ? LINK_OF_TYPE.get(Number(child(item, TAG.LinkType)?.value)) : undefined
  if (tag !== undefined) return { tag, type: TYPE.Reference, value: String(child(item, TAG.LinkedObjectIdentifier)?.value ?? '') }
  return identifierToV3(item)
}
