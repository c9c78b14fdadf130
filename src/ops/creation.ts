import { sha256 } from '../crypto/sha256.ts'
import { setInitial } from '../objects/attribute-rules.ts'
import { AttributeSet, keyOf } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import { nameTerms } from '../objects/index-terms.ts'
import { ManagedObject, OBJECT_TAG } from '../objects/managed-object.ts'
import { attributeOfTag } from '../ttlv/attributes.ts'
import { encode } from '../ttlv/binary.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { boolean, bytes, child, dateTime, enumeration, type Item, integer, structure, TYPE, text } from '../ttlv/item.ts'
import { RngParameters } from '../ttlv/payloads/server.ts'
import type { KeyBlock } from '../ttlv/payloads/structures.ts'
import { write } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { checkConstraints } from './constraints.ts'
import type { Context } from './context.ts'
import { withDefaults } from './defaults.ts'
import { materialItem, readKeyBlock, withKeyBlock } from './key-block.ts'
import { convert } from './key-material.ts'
import { STORAGE_MASK } from './protection-storage.ts'

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
  for (const source of sources) {
    if (source?.type !== TYPE.Structure) continue
    const explicit = source.value.filter(item => item.tag !== TAG.Template && item.tag !== TAG.AttributeIndex)
    unite(chosen, explicit)
    for (const template of source.value.filter(item => item.tag === TAG.Template).reverse())
      unite(chosen, await templateAttributes(template, context))
  }
  return chosen
}

/** Put weaker attributes in front of those chosen already: a single value that is set stays, several instances are united. */
function unite(chosen: Item[], weaker: readonly Item[]): void {
  if (chosen.length === 0) {
    chosen.push(...weaker)
    return
  }
  const taken = new Set(chosen.map(keyOf))
  const encoded = new Set(chosen.map(item => encode(item).toString('base64')))
  chosen.unshift(...weaker.filter(item => (isMulti(item) ? !encoded.has(encode(item).toString('base64')) : !taken.has(keyOf(item)))))
}

export const isMulti = (item: Item): boolean => item.tag === TAG.Attribute || attributeOfTag(item.tag)?.multi === true

async function templateAttributes(reference: Item, context: Context): Promise<Item[]> {
  const name = child(reference, TAG.Name)
  if (name)
    for await (const object of context.unit.candidates(nameTerms(name))) {
      if (
        object.type !== ObjectType.Template ||
        object.destroyed ||
        !context.mayUse(object) ||
        !object.attributes.all(TAG.Name).some(one => nameTerms(one.item)[0] === nameTerms(name)[0])
      )
        continue
      if (object.archived) throw new KmipError('ObjectArchived', 'the template is archived')
      const attributes = object.object && child(object.object, TAG.Attributes)
      return attributes?.type === TYPE.Structure
        ? attributes.value.filter(item => item.tag !== TAG.Name && item.tag !== TAG.AttributeIndex)
        : []
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
  /** The object in the format that it has unless another is asked for. */
  readonly usual?: Item
}

/**
 * A new object with all attributes that follow from it, kept in the unit of work.
 * @throws KmipError what is wrong with the attributes
 */
export async function makeObject(context: Context, making: Making): Promise<ManagedObject> {
  const over = context.peer.limits?.maxObjects === undefined ? undefined : await context.environment.quota?.(context.peer)
  if (over) throw over
  const attributes = new AttributeSet()
  const requested = withDefaults(making.type, making.requested, await context.policy(), true)
  setInitial(
    attributes,
    requested.map(item => completeNamespace(item, context)),
  )
  const format = making.serverMade ? requested.find(item => item.tag === TAG.KeyFormatType)?.value : undefined
  return finish(context, typeof format === 'number' ? inFormat(making, format, attributes) : making, attributes)
}

/**
 * A key that is made here is in the Key Format Type that the client asks for, or is not made at all. Spec: KMIP 2.1 section 4.26
 * @throws KmipError Key Format Type Not Supported
 */
function inFormat(making: Making, format: number, attributes: AttributeSet): Making {
  const { type, object } = making
  const block = object && readKeyBlock(object)
  if (!block || block.keyFormatType === format) return making
  const key = new ManagedObject('', type, attributes, object, 0, undefined)
  return { ...making, object: withKeyBlock(object, convert(key, block, format, undefined)), usual: object }
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
  const block = making.object && readKeyBlock(making.object)
  for (const item of factsOf(making, block)) unset(item)
  if (making.type !== ObjectType.Template) {
    const sensitive = attributes.flag(TAG.Sensitive) ?? false
    const extractable = attributes.flag(TAG.Extractable) ?? true
    unset(boolean(TAG.Sensitive, sensitive))
    unset(boolean(TAG.AlwaysSensitive, sensitive))
    unset(boolean(TAG.Extractable, extractable))
    unset(boolean(TAG.NeverExtractable, !extractable))
    unset(boolean(TAG.Fresh, true))
    unset(integer(TAG.ProtectionStorageMask, STORAGE_MASK))
    if (making.serverMade) unset(RANDOM_NUMBER_GENERATOR)
  }
  if (!attributes.has(TAG.Digest)) {
    const { usual } = making
    const digests = [...digestsOf(making.object, block), ...(usual ? digestsOf(usual, readKeyBlock(usual)) : [])]
    for (const item of digests) attributes.add(item)
  }
  checkConstraints(await context.policy(), making.type, attributes)
  const id = making.id ?? context.environment.newId()
  attributes.set(bytes(TAG.ShortUniqueIdentifier, sha256(id)))
  const object = new ManagedObject(id, making.type, attributes, making.object, 0, context.inner.user)
  object.touch(now)
  context.unit.add(object)
  return object
}

/** The generator behind OpenSSL's random bytes: CTR_DRBG with AES-256. Spec: KMIP 1.4 section 3.44; NIST SP 800-90A */
export const RNG_PARAMETERS = {
  rngAlgorithm: ENUM.RNGAlgorithm.DRBG,
  cryptographicAlgorithm: ENUM.CryptographicAlgorithm.AES,
  cryptographicLength: 256,
  drbgAlgorithm: ENUM.DRBGAlgorithm.CTR,
} as const
const RANDOM_NUMBER_GENERATOR = structure(TAG.RandomNumberGenerator, [
  structure(TAG.RNGParameters, write(RNG_PARAMETERS, RngParameters, 21)),
])

/** Attributes that the key block or the content tells. Spec: KMIP 1.4 section 2.1.3, 2.1 section 4 */
function factsOf({ type, object }: Making, block: KeyBlock | undefined): Item[] {
  if (!object) return []
  const facts: Item[] = []
  if (block) {
    facts.push(enumeration(TAG.KeyFormatType, block.keyFormatType))
    if (block.cryptographicAlgorithm !== undefined) facts.push(enumeration(TAG.CryptographicAlgorithm, block.cryptographicAlgorithm))
    if (block.cryptographicLength !== undefined) facts.push(integer(TAG.CryptographicLength, block.cryptographicLength))
    if (block.keyValue === undefined) facts.push(boolean(TAG.KeyValuePresent, false))
  }
  // The published cases have certificates in format Raw, though the default format of the specification is X.509.
  if (type === ObjectType.Certificate) facts.push(enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw))
  if (type === ObjectType.CertificateRequest) {
    const isDer = child(object, TAG.CertificateRequestType)?.value === ENUM.CertificateRequestType.PKCS_10
    if (isDer) facts.push(enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.PKCS_10))
  }
  if (type === ObjectType.OpaqueObject) {
    facts.push(enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Opaque))
    const kind = child(object, TAG.OpaqueDataType)
    if (kind) facts.push(kind)
  }
  return facts
}

/** Spec: KMIP 1.4 section 3.17, 2.1 section 4.21: over the key material's bytes, or over its TTLV encoding where it is a structure. */
function digestsOf(object: Item | undefined, block: KeyBlock | undefined): Item[] {
  if (!object) return []
  const material = block
    ? block.keyWrappingData
      ? undefined
      : materialItem(block)
    : (child(object, TAG.CertificateValue) ?? child(object, TAG.OpaqueDataValue))
  if (!material) return []
  // The published cases give the digest of a certificate the format Raw.
  const format = block ? block.keyFormatType : object.tag === TAG.Certificate ? ENUM.KeyFormatType.Raw : undefined
  const content = Buffer.isBuffer(material.value) ? material.value : encode(material)
  return [
    structure(TAG.Digest, [
      enumeration(TAG.HashingAlgorithm, ENUM.HashingAlgorithm.SHA_256),
      bytes(TAG.DigestValue, sha256(content)),
      ...(format === undefined ? [] : [enumeration(TAG.KeyFormatType, format)]),
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
