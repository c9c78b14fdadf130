import { ATTRIBUTES, attributeOfTag, attributeOfTitle } from './attributes.ts'
import { requestFromV3, responseToV3 } from './dialect-v3.ts'
import { ENUM } from './enumerations.ts'
import { child, enumeration, type Item, integer, retag, structure, TYPE, tagName, tagTitle, text } from './item.ts'
import { Attribute, MANAGED_OBJECTS } from './payloads/structures.ts'
import { MessageError, read, type Version } from './spec.ts'
import { TAG } from './tags.ts'

// The dialect: 1.x writes attributes as name, index and value inside Template-Attributes; 2.x as items of their own tag inside
// Attributes. Everything above this file knows the 2.x form alone, with one addition: inside Attributes an Attribute Index item may
// stand before an attribute, to keep the index that 1.x clients address it by.

const { Operation } = ENUM

/** Template-Attribute structures and the Attributes structures that they become. */
const TEMPLATE_ATTRIBUTES: ReadonlyMap<number, number> = new Map<number, number>([
  [TAG.TemplateAttribute, TAG.Attributes],
  [TAG.CommonTemplateAttribute, TAG.CommonAttributes],
  [TAG.PrivateKeyTemplateAttribute, TAG.PrivateKeyAttributes],
  [TAG.PublicKeyTemplateAttribute, TAG.PublicKeyAttributes],
])
const OBJECT_TAGS: ReadonlySet<number> = new Set(MANAGED_OBJECTS)
const OBJECTS_WITH_ATTRIBUTES: ReadonlySet<number> = new Set([...MANAGED_OBJECTS, TAG.KeyBlock, TAG.KeyValue])

/** Tags are numbered in the order of the versions that brought them. What 2.x has instead of Template-Attributes does not go round their rules. */
const FIRST_TAG_OF_V2 = TAG.Attributes

/** MySQL's keyring_okv sends this as if it were an attribute. */
const STORAGE_STATUS_MASK = tagTitle(TAG.StorageStatusMask)

/** An attribute of 1.x under its own tag. @throws MessageError Invalid Message; Invalid Field: no such attribute, or one with parts in parts */
function attributeFromV1(attribute: Item): Item {
  const { name, value } = read(attribute, Attribute)
  const vendor = vendorName(name)
  if (vendor) {
    // Spec: KMIP 1.4 section 3.39
    if (value.type === TYPE.Structure && value.value.some(part => part.type === TYPE.Structure))
      throw new MessageError('InvalidField', `${name} may not hold structures inside its structure`)
    return structure(TAG.Attribute, [text(TAG.VendorIdentification, vendor[0]), text(TAG.AttributeName, vendor[1]), value])
  }
  const row = attributeOfTitle(name)
  if (!row) throw new MessageError('InvalidField', `there is no attribute ${name}`)
  return retag(value, row.tag)
}

/** `x-Foo` is attribute Foo of vendor x; y is the server's own. Spec: KMIP 1.4 section 3.39, 2.1 section 4.60 */
function vendorName(name: string): [vendor: string, name: string] | undefined {
  return name.startsWith('x-') || name.startsWith('y-') ? [name[0]!, name.slice(2)] : undefined
}

function referenceFromV1(name: Item): Item {
  if (name.type !== TYPE.TextString) throw new MessageError('InvalidMessage', 'AttributeName must be of type TextString')
  const row = attributeOfTitle(name.value)
  if (row) return enumeration(TAG.AttributeReference, row.tag)
  // A name that nobody knows is a vendor's without a vendor: it is looked for, and not found.
  const [vendor, rest] = vendorName(name.value) ?? ['', name.value]
  return structure(TAG.AttributeReference, [text(TAG.VendorIdentification, vendor), text(TAG.AttributeName, rest)])
}

/** The attributes among these items in canonical form; names of templates become Template items for the operations to resolve. */
function attributesFromV1(items: readonly Item[]): Item[] {
  const attributes: Item[] = []
  for (const item of items) {
    if (item.tag === TAG.Name) attributes.push(structure(TAG.Template, [item]))
    else if (item.tag !== TAG.Attribute) throw new MessageError('InvalidField', `a Template-Attribute has no field ${tagTitle(item.tag)}`)
    else if (!isStorageStatusMask(item)) attributes.push(attributeFromV1(item))
  }
  return attributes
}

function isStorageStatusMask(attribute: Item): boolean {
  const name = child(attribute, TAG.AttributeName)
  return name?.type === TYPE.TextString && name.value === STORAGE_STATUS_MASK
}

/** A managed object with the attributes inside its key value, or its template, gathered into Attributes. */
function objectFromV1(object: Item): Item {
  if (object.type !== TYPE.Structure) return object
  const own: Item[] = []
  const attributes: Item[] = []
  for (const field of object.value) {
    if (field.tag === TAG.Attribute) attributes.push(attributeFromV1(field))
    else own.push(OBJECTS_WITH_ATTRIBUTES.has(field.tag) ? objectFromV1(field) : field)
  }
  if (attributes.length > 0) own.push(structure(TAG.Attributes, attributes))
  return structure(object.tag, own)
}

/** Objects without attributes inside, which are the same in every version: nearly all, and asked for again and again. */
const PLAIN = new WeakSet<Item>()

const hasInnerAttributes = (item: Item): boolean =>
  item.type === TYPE.Structure &&
  item.value.some(field => field.tag === TAG.Attributes || (OBJECTS_WITH_ATTRIBUTES.has(field.tag) && hasInnerAttributes(field)))

function objectToV1(object: Item, version: Version): Item {
  if (object.type !== TYPE.Structure || PLAIN.has(object)) return object
  if (!hasInnerAttributes(object)) {
    PLAIN.add(object)
    return object
  }
  return structure(
    object.tag,
    object.value.flatMap(field => {
      if (field.tag === TAG.Attributes) return attributesToV1(field, version)
      return OBJECTS_WITH_ATTRIBUTES.has(field.tag) ? [objectToV1(field, version)] : [field]
    }),
  )
}

/** A request payload of 1.x in canonical form. @throws MessageError */
function requestFromV1(operation: number, payload: Item): Item {
  if (payload.type !== TYPE.Structure) throw new MessageError('InvalidMessage', 'RequestPayload must be a Structure')
  const fields: Item[] = []
  const attributes: Item[] = []
  for (const field of payload.value) {
    if (field.tag >= FIRST_TAG_OF_V2) throw new MessageError('InvalidField', `RequestPayload has no field ${tagName(field.tag)}`)
    const target = TEMPLATE_ATTRIBUTES.get(field.tag)
    if (target !== undefined) {
      if (field.type !== TYPE.Structure) throw new MessageError('InvalidMessage', `${tagTitle(field.tag)} must be a Structure`)
      // FortiGate wraps the filters of a Locate in a Template-Attribute.
      if (operation === Operation.Locate) attributes.push(...field.value)
      else fields.push(structure(target, attributesFromV1(field.value)))
    } else if (field.tag === TAG.Attribute) {
      if (operation === Operation.AddAttribute || operation === Operation.ModifyAttribute) {
        if (attributes.length > 0) throw new MessageError('InvalidMessage', 'Attribute stands twice in RequestPayload')
        const index = child(field, TAG.AttributeIndex)
        if (index) fields.push(index)
        fields.push(structure(TAG.NewAttribute, [attributeFromV1(field)]))
      }
      attributes.push(field)
    } else if (field.tag === TAG.AttributeName) fields.push(referenceFromV1(field))
    else if (field.tag === TAG.CertificateRequest && field.type === TYPE.ByteString) fields.push(retag(field, TAG.CertificateRequestValue))
    else fields.push(OBJECT_TAGS.has(field.tag) ? objectFromV1(field) : field)
  }
  if (operation === Operation.Locate || operation === Operation.Import) {
    const mask = attributes.find(isStorageStatusMask)
    const value = mask && child(mask, TAG.AttributeValue)
    if (value && !child(payload, TAG.StorageStatusMask)) fields.push(retag(value, TAG.StorageStatusMask))
    fields.push(structure(TAG.Attributes, attributesFromV1(attributes)))
  }
  return structure(payload.tag, fields)
}

/** A request payload of any version in canonical form. @throws MessageError */
export function requestFrom(version: Version, operation: number, payload: Item): Item {
  if (version < 20) return requestFromV1(operation, payload)
  return version < 30 ? requestFromV2(payload) : requestFromV3(payload)
}

/** PyKMIP's Re-key of 2.0 still carries the Template-Attribute of 1.x, empty. */
function requestFromV2(payload: Item): Item {
  if (payload.type !== TYPE.Structure || !payload.value.some(isEmptyTemplate)) return payload
  return structure(
    payload.tag,
    payload.value.filter(field => !isEmptyTemplate(field)),
  )
}
const isEmptyTemplate = (field: Item): boolean =>
  field.tag === TAG.TemplateAttribute && field.type === TYPE.Structure && field.value.length === 0

/**
 * The fields of a response payload as `version` writes them, attributes that it does not have left out.
 * @param request the payload that was asked with, as it came
 */
export function responseTo(version: Version, fields: readonly Item[], request: Item): readonly Item[] {
  const own = version < 20 ? toV1(version, fields) : toV2(version, fields)
  return version < 30 ? own : responseToV3(own, request)
}

function toV2(version: Version, fields: readonly Item[]): readonly Item[] {
  return hasAttributes(fields) ? fields.flatMap(field => fieldToV2(field, version)) : fields
}

const hasAttributes = (fields: readonly Item[]): boolean =>
  fields.some(field => field.tag === TAG.Attributes || field.tag === TAG.AttributeReference || OBJECT_TAGS.has(field.tag))

function toV1(version: Version, fields: readonly Item[]): readonly Item[] {
  if (!hasAttributes(fields)) return fields
  return fields.flatMap(field => {
    if (field.tag === TAG.Attributes) return attributesToV1(field, version)
    if (field.tag === TAG.AttributeReference) return referenceToV1(field, version)
    return [OBJECT_TAGS.has(field.tag) ? objectToV1(field, version) : field]
  })
}

/** A structure that holds Attributes, such as a Key Value, as `version` writes it. */
export const structureTo = (version: Version, structure: Item): Item => (version < 20 ? objectToV1(structure, version) : structure)

function fieldToV2(field: Item, version: Version): Item[] {
  if (field.tag === TAG.Attributes && field.type === TYPE.Structure)
    return [
      structure(
        TAG.Attributes,
        field.value.filter(item => item.tag !== TAG.AttributeIndex && isOf(item.tag, version)),
      ),
    ]
  if (field.tag === TAG.AttributeReference && field.type === TYPE.Enumeration) return isOf(field.value, version) ? [field] : []
  return [field]
}

const isOf = (tag: number, version: Version): boolean => {
  const row = attributeOfTag(tag)
  return row === undefined || (version >= row.since && version <= row.until)
}

function referenceToV1(reference: Item, version: Version): Item[] {
  if (reference.type === TYPE.Enumeration) {
    const row = attributeOfTag(reference.value)
    return row && isOf(row.tag, version) ? [text(TAG.AttributeName, row.title)] : []
  }
  const name = v1NameOfVendor(reference)
  return name === undefined ? [] : [text(TAG.AttributeName, name)]
}

/** Name of a vendor attribute, or of a reference to one, in 1.x; nothing for vendors other than x and y, which 1.x cannot name. */
function v1NameOfVendor(item: Item): string | undefined {
  const vendor = child(item, TAG.VendorIdentification)?.value
  const name = child(item, TAG.AttributeName)?.value
  return vendor === 'x' || vendor === 'y' ? `${vendor}-${name}` : undefined
}

/** Attributes as Attribute structures of 1.x: name, index where it is not 0, value. */
function attributesToV1(attributes: Item, version: Version): Item[] {
  if (attributes.type !== TYPE.Structure) return []
  const result: Item[] = []
  let index: Item | undefined
  for (const item of attributes.value) {
    if (item.tag === TAG.AttributeIndex) {
      index = item
      continue
    }
    const name = item.tag === TAG.Attribute ? v1NameOfVendor(item) : attributeOfTag(item.tag)?.title
    if (name !== undefined && isOf(item.tag, version)) {
      const value = item.tag === TAG.Attribute ? child(item, TAG.AttributeValue)! : retag(valueTo(item, version), TAG.AttributeValue)
      result.push(structure(TAG.Attribute, [text(TAG.AttributeName, name), ...(index ? [index] : []), value]))
    }
    index = undefined
  }
  return result
}

/** Structures of attributes that grew: the fields that `version` lacks are left out. */
function valueTo(item: Item, version: Version): Item {
  if (item.type !== TYPE.Structure) return item
  const since = LATER_FIELDS.get(item.tag)
  if (!since) return item
  return structure(
    item.tag,
    item.value.filter(field => version >= (since.get(field.tag) ?? 10)),
  )
}

const LATER_FIELDS: ReadonlyMap<number, ReadonlyMap<number, Version>> = new Map([
  [TAG.Digest, new Map([[TAG.KeyFormatType, 11]])],
  [
    TAG.CryptographicParameters,
    new Map<number, Version>([
      ...[
        TAG.DigitalSignatureAlgorithm,
        TAG.CryptographicAlgorithm,
        TAG.RandomIV,
        TAG.IVLength,
        TAG.TagLength,
        TAG.FixedFieldLength,
        TAG.InvocationFieldLength,
        TAG.CounterLength,
        TAG.InitialCounterValue,
      ].map(tag => [tag, 12] as const),
      ...[TAG.SaltLength, TAG.MaskGenerator, TAG.MaskGeneratorHashingAlgorithm, TAG.PSource, TAG.TrailerField].map(
        tag => [tag, 14] as const,
      ),
    ]),
  ],
])

/** Names of every attribute that `version` has, in the order of the specification. */
export const attributeTitles = (version: Version): string[] => ATTRIBUTES.filter(row => isOf(row.tag, version)).map(row => row.title)

/** An Attribute Index in front of an attribute, as the canonical form has it. */
export const indexMark = (index: number): Item => integer(TAG.AttributeIndex, index)
