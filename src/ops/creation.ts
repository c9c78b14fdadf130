import { createHash } from 'node:crypto'
import { setInitial } from '../objects/attribute-rules.ts'
import { AttributeSet, keyOf } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import { nameTerms } from '../objects/index-terms.ts'
import { ManagedObject, OBJECT_TAG } from '../objects/managed-object.ts'
import { attributeOfTag } from '../ttlv/attributes.ts'
import { encode } from '../ttlv/binary.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { boolean, bytes, child, dateTime, enumeration, type Item, integer, structure, TYPE, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { keyBlockOf, materialItem } from './key-block.ts'

const { ObjectType } = ENUM

/** A namespace whose Application Data kmipd makes itself when a client leaves it out. Spec: KMIP 1.4 section 3.36 */
export const OWN_NAMESPACE = 'kmipd'

/**
 * The attributes that a request asks for: explicit ones, and under them those of the templates that it names; later templates beat
 * earlier ones, several instances are united. Spec: KMIP 1.4 section 4, 4.2
 * @param sources Attributes structures, those that win first
 * @throws KmipError Item Not Found: a template does not exist
 */
export async function requestedAttributes(sources: readonly (Item | undefined)[], context: Context): Promise<Item[]> {
  const chosen: Item[] = []
  const taken = new Set<number>()
  const take = (items: readonly Item[]): void => {
    const fresh = items.filter(item => item.tag === TAG.Attribute || attributeOfTag(item.tag)?.multi || !taken.has(item.tag))
    for (const item of fresh) {
      if (!chosen.some(other => keyOf(other) === keyOf(item) && encode(other).equals(encode(item)))) chosen.push(item)
      else if (!attributeOfTag(item.tag)?.multi) chosen.push(item)
    }
    for (const item of fresh) taken.add(item.tag)
  }
  for (const source of sources) {
    if (source?.type !== TYPE.Structure) continue
    take(source.value.filter(item => item.tag !== TAG.Template && item.tag !== TAG.AttributeIndex))
    for (const template of source.value.filter(item => item.tag === TAG.Template).reverse())
      take(await templateAttributes(template, context))
  }
  return chosen
}

async function templateAttributes(reference: Item, context: Context): Promise<Item[]> {
  const name = child(reference, TAG.Name)
  if (name)
    for await (const object of context.unit.candidates(nameTerms(name))) {
      if (
        object.type !== ObjectType.Template ||
        object.destroyed ||
        !object.attributes.all(TAG.Name).some(one => nameTerms(one.item)[0] === nameTerms(name)[0])
      )
        continue
      if (object.archived) throw new KmipError('ObjectArchived', 'the template is archived')
      const attributes = object.object && child(object.object, TAG.Attributes)
      return attributes?.type === TYPE.Structure ? [...attributes.value] : []
    }
  throw new KmipError('ItemNotFound', 'there is no template with this Name')
}

interface Making {
  readonly type: number
  /** The object under its own tag; none for metadata that is kept elsewhere. */
  readonly object: Item | undefined
  readonly requested: readonly Item[]
  /** Made here, rather than by the client. */
  readonly serverMade: boolean
  readonly id?: string
}

/**
 * A new object with all attributes that follow from it, kept in the unit of work.
 * @throws KmipError what is wrong with the attributes
 */
export async function makeObject(context: Context, making: Making): Promise<ManagedObject> {
  const attributes = new AttributeSet()
  setInitial(
    attributes,
    making.requested.map(item => completeNamespace(item, context)),
  )
  return finish(context, making, attributes)
}

/** The same for attributes that were put together already, as by Import. */
export async function finish(context: Context, making: Making, attributes: AttributeSet): Promise<ManagedObject> {
  const now = context.now()
  for (const { item } of attributes.all(TAG.Name)) await context.unit.checkName(item, making.id)
  const unset = (item: Item): void => {
    if (!attributes.has(item.tag)) attributes.add(item)
  }
  unset(dateTime(TAG.InitialDate, now))
  if (making.serverMade) unset(dateTime(TAG.OriginalCreationDate, now))
  for (const item of factsOf(making.type, making.object)) unset(item)
  if (making.type !== ObjectType.Template) {
    const sensitive = attributes.flag(TAG.Sensitive) ?? false
    const extractable = attributes.flag(TAG.Extractable) ?? true
    unset(boolean(TAG.Sensitive, sensitive))
    unset(boolean(TAG.AlwaysSensitive, sensitive && making.serverMade))
    unset(boolean(TAG.Extractable, extractable))
    unset(boolean(TAG.NeverExtractable, !extractable && making.serverMade))
    if (making.serverMade && attributes.has(TAG.ObjectGroup)) unset(boolean(TAG.Fresh, true))
  }
  for (const item of digestsOf(making.object)) if (!attributes.has(TAG.Digest)) attributes.add(item)
  const id = making.id ?? context.environment.newId()
  attributes.set(bytes(TAG.ShortUniqueIdentifier, createHash('sha256').update(id).digest()))
  const object = new ManagedObject(id, making.type, attributes, making.object)
  object.touch(now)
  context.unit.add(object)
  return object
}

/** Attributes that the key block or the content tells. Spec: KMIP 1.4 section 2.1.3, 2.1 section 4 */
function factsOf(type: number, object: Item | undefined): Item[] {
  if (!object) return []
  const facts: Item[] = []
  const block = keyBlockOf(object)
  if (block) {
    facts.push(enumeration(TAG.KeyFormatType, block.keyFormatType))
    if (block.cryptographicAlgorithm !== undefined) facts.push(enumeration(TAG.CryptographicAlgorithm, block.cryptographicAlgorithm))
    if (block.cryptographicLength !== undefined) facts.push(integer(TAG.CryptographicLength, block.cryptographicLength))
    if (block.keyValue === undefined) facts.push(boolean(TAG.KeyValuePresent, false))
  }
  if (type === ObjectType.OpaqueObject) {
    const kind = child(object, TAG.OpaqueDataType)
    if (kind) facts.push(kind)
  }
  return facts
}

/** Spec: KMIP 1.4 section 3.17, 2.1 section 4.21: over the key material's bytes, or over its TTLV encoding where it is a structure. */
function digestsOf(object: Item | undefined): Item[] {
  if (!object) return []
  const block = keyBlockOf(object)
  const material = block
    ? block.keyWrappingData
      ? undefined
      : materialItem(block)
    : (child(object, TAG.CertificateValue) ?? child(object, TAG.OpaqueDataValue))
  if (!material) return []
  const content = Buffer.isBuffer(material.value) ? material.value : encode(material)
  return [
    structure(TAG.Digest, [
      enumeration(TAG.HashingAlgorithm, ENUM.HashingAlgorithm.SHA_256),
      bytes(TAG.DigestValue, createHash('sha256').update(content).digest()),
      ...(block ? [enumeration(TAG.KeyFormatType, block.keyFormatType)] : []),
    ]),
  ]
}

/** Application Data that the client left out is made here for our own namespace alone. */
export function completeNamespace(item: Item, context: Context): Item {
  if (item.tag !== TAG.ApplicationSpecificInformation || item.type !== TYPE.Structure || child(item, TAG.ApplicationData)) return item
  if (child(item, TAG.ApplicationNamespace)?.value !== OWN_NAMESPACE)
    throw new KmipError('ApplicationNamespaceNotSupported', `Application Data can be left out for the namespace ${OWN_NAMESPACE} only`)
  return structure(item.tag, [...item.value, text(TAG.ApplicationData, context.environment.newId())])
}

/** A link between two objects. */
export const linkTo = (type: number, id: string): Item =>
  structure(TAG.Link, [enumeration(TAG.LinkType, type), text(TAG.LinkedObjectIdentifier, id)])

/** Set a link of this type, replacing one that is there. */
export function setLink(object: ManagedObject, type: number, id: string): void {
  for (const instance of object.attributes.all(TAG.Link))
    if (child(instance.item, TAG.LinkType)?.value === type) {
      object.attributes.replace(instance, linkTo(type, id))
      return
    }
  object.attributes.add(linkTo(type, id))
}

/** Identifiers that the object links to by this type. */
export const linksOf = (object: ManagedObject, type: number): string[] =>
  object.attributes
    .all(TAG.Link)
    .filter(({ item }) => child(item, TAG.LinkType)?.value === type)
    .map(({ item }) => String(child(item, TAG.LinkedObjectIdentifier)?.value))

/** The tag of a managed object of this type. @throws KmipError Invalid Object Type */
export function tagOfType(type: number): number {
  const tag = OBJECT_TAG[type]
  if (tag === undefined) throw new KmipError('InvalidObjectType', 'the Object Type is not known')
  return tag
}
