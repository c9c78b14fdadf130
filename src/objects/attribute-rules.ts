import { type AttributeRow, attributeOfTag, VENDOR_ATTRIBUTE } from '../ttlv/attributes.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, type Item, TYPE, typeName } from '../ttlv/item.ts'
import { isValue } from '../ttlv/known.ts'
import { CryptographicParameters, UsageLimits } from '../ttlv/payloads/structures.ts'
import { item as anyItem, enumeration, type Fields, integer, MessageError, optional, read, text, type Value } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { type AttributeKey, type AttributeSet, keyOf, titleOf } from './attribute-set.ts'
import { KmipError } from './errors.ts'
import type { ManagedObject } from './managed-object.ts'

const { State } = ENUM

/** Content of the attributes that are structures. Spec: KMIP 1.4 section 3, 2.1 section 4 */
const STRUCTURES: Readonly<Record<number, Fields>> = {
  [TAG.Name]: { nameValue: text(TAG.NameValue), nameType: enumeration(TAG.NameType) },
  [TAG.CryptographicParameters]: CryptographicParameters,
  [TAG.CryptographicDomainParameters]: {
    qlength: optional(integer(TAG.Qlength)),
    recommendedCurve: optional(enumeration(TAG.RecommendedCurve)),
  },
  [TAG.UsageLimits]: UsageLimits,
  [TAG.Link]: { linkType: enumeration(TAG.LinkType), linkedObjectIdentifier: text(TAG.LinkedObjectIdentifier) },
  [TAG.ApplicationSpecificInformation]: {
    applicationNamespace: text(TAG.ApplicationNamespace),
    applicationData: optional(text(TAG.ApplicationData)),
  },
  [TAG.AlternativeName]: {
    alternativeNameValue: text(TAG.AlternativeNameValue),
    alternativeNameType: enumeration(TAG.AlternativeNameType),
  },
  [TAG.KeyValueLocation]: {
    keyValueLocationValue: text(TAG.KeyValueLocationValue),
    keyValueLocationType: enumeration(TAG.KeyValueLocationType),
  },
  [TAG.RotateName]: { rotateNameValue: text(TAG.RotateNameValue), rotateNameType: enumeration(TAG.RotateNameType) },
}
const VENDOR_FIELDS = {
  vendor: text(TAG.VendorIdentification),
  name: text(TAG.AttributeName),
  value: anyItem(TAG.AttributeValue),
} as const satisfies Fields

const MAX_INSTANCES = 1000
/** Text and byte strings of a vendor attribute; the tape library profile asks for 256 characters. */
const MAX_ATTRIBUTE_BYTES = 65_536

/**
 * The rules of the attribute that an item holds, its type and content checked.
 * @throws KmipError Invalid Attribute, Invalid Attribute Value; to 1.x clients Invalid Field
 */
export function checkAttribute(item: Item): Omit<AttributeRow, 'type'> {
  if (item.tag === TAG.Attribute) {
    checkVendorAttribute(item)
    return VENDOR_ATTRIBUTE
  }
  const row = attributeOfTag(item.tag)
  if (!row) throw new KmipError('InvalidAttribute', `${titleOf(item.tag)} is no attribute`)
  if (item.type !== row.type)
    throw new KmipError('InvalidAttributeValue', `${row.title} must be of type ${typeName(row.type)}, not ${typeName(item.type)}`)
  const fields = STRUCTURES[item.tag]
  if (fields) {
    try {
      read(item, fields)
    } catch (error) {
      if (!(error instanceof MessageError)) throw error
      throw new KmipError('InvalidAttributeValue', `${row.title}: ${error.message}`)
    }
  }
  return row
}

/** The same for a value that an object is to have. @throws KmipError besides these Unsupported Attribute */
export function checkValue(item: Item): Omit<AttributeRow, 'type'> {
  const row = checkAttribute(item)
  if (item.tag === TAG.UsageLimits) checkUsageLimits(item)
  if (item.tag === TAG.CryptographicLength && Number(item.value) < 0)
    throw new KmipError('InvalidAttributeValue', 'Cryptographic Length cannot be negative')
  if (item.tag === TAG.RotateAutomatic && item.value === true)
    throw new KmipError('UnsupportedAttribute', 'nothing is rotated by itself here: Rotate Automatic cannot be True')
  return row
}

/** What is counted must be something that the server counts. */
function checkUsageLimits(item: Item): void {
  const { usageLimitsTotal: total, usageLimitsCount: count = total, usageLimitsUnit: unit } = read(item, UsageLimits)
  if (!isValue('UsageLimitsUnit', unit)) throw new KmipError('InvalidAttributeValue', 'the Usage Limits Unit is not known')
  if (count < 0n || total < 0n) throw new KmipError('InvalidAttributeValue', 'Usage Limits cannot be negative')
}

function checkVendorAttribute(item: Item): void {
  let attribute: Value<typeof VENDOR_FIELDS>
  try {
    attribute = read(item, VENDOR_FIELDS)
  } catch (error) {
    if (!(error instanceof MessageError)) throw error
    throw new KmipError('InvalidAttribute', error.message)
  }
  const { vendor, name, value } = attribute
  if (!/^[A-Za-z0-9_.]+$/.test(vendor))
    throw new KmipError('InvalidAttribute', 'Vendor Identification may hold letters, digits, underscore and full stop only')
  if ((value.type === TYPE.TextString || value.type === TYPE.ByteString) && value.value.length > MAX_ATTRIBUTE_BYTES)
    throw new KmipError('InvalidAttributeValue', `${name} is longer than ${MAX_ATTRIBUTE_BYTES} characters`)
}

/** Attributes of vendor y are the server's own in 1.x. Spec: KMIP 1.4 section 3.39 */
const isServerVendor = (item: Item): boolean => item.tag === TAG.Attribute && child(item, TAG.VendorIdentification)?.value === 'y'

/**
 * Put the attributes of a request on a new object, by the rules of creation.
 * @throws KmipError  what is wrong with the first attribute that does not fit
 */
export function setInitial(set: AttributeSet, items: readonly Item[]): void {
  for (const item of items) {
    const row = checkValue(item)
    if (row.setBy !== 'client' || isServerVendor(item))
      throw new KmipError('AttributeReadOnly', `${titleOf(keyOf(item))} is set by the server alone`, { v1: 'InvalidField' })
    if (!row.multi && set.has(item.tag))
      throw new KmipError('AttributeSingleValued', `${row.title} may stand only once`, { v1: 'InvalidField' })
    const value = initialValue(item)
    if (row.multi && set.all(keyOf(value)).length >= MAX_INSTANCES)
      throw new KmipError('ServerLimitExceeded', `${row.title} may stand ${MAX_INSTANCES} times at most`)
    set.add(value)
  }
  checkDates(set)
}

/** The server's part of a value that the client sends. Spec: KMIP 1.4 section 3.21: Count starts at Total, whatever is sent. */
function initialValue(item: Item): Item {
  if (item.tag !== TAG.UsageLimits) return item
  const { usageLimitsTotal, usageLimitsUnit } = read(item, UsageLimits)
  return {
    tag: TAG.UsageLimits,
    type: TYPE.Structure,
    value: [
      { tag: TAG.UsageLimitsTotal, type: TYPE.LongInteger, value: usageLimitsTotal },
      { tag: TAG.UsageLimitsCount, type: TYPE.LongInteger, value: usageLimitsTotal },
      { tag: TAG.UsageLimitsUnit, type: TYPE.Enumeration, value: usageLimitsUnit },
    ],
  }
}

const DATE_ORDER: readonly (readonly [earlier: number, later: number])[] = [
  [TAG.ActivationDate, TAG.ProcessStartDate],
  [TAG.ActivationDate, TAG.ProtectStopDate],
  [TAG.ActivationDate, TAG.DeactivationDate],
  [TAG.ProtectStopDate, TAG.DeactivationDate],
  [TAG.ProcessStartDate, TAG.DeactivationDate],
]

/**
 * Spec: KMIP 1.4 section 3.24 to 3.27: Activation <= Process Start, Activation <= Protect Stop <= Deactivation.
 * @param now  of an object that is there already: an Active one is deactivated by any past date, be it before its activation (section 3.22, 6)
 */
export function checkDates(set: AttributeSet, now?: bigint): void {
  const isPast = (tag: number): boolean => now !== undefined && (set.date(tag) ?? now + 1n) <= now
  const hasEnded = isPast(TAG.ActivationDate) && isPast(TAG.DeactivationDate)
  for (const [earlier, later] of DATE_ORDER) {
    if (hasEnded && later === TAG.DeactivationDate && earlier !== TAG.ProtectStopDate) continue
    const first = set.date(earlier)
    const second = set.date(later)
    if (first !== undefined && second !== undefined && first > second)
      throw new KmipError('InvalidAttributeValue', `${titleOf(later)} may not be before ${titleOf(earlier)}`)
  }
}

/** Until when a client may change a date, by the states that allow it. Spec: KMIP 1.4 section 3.24 to 3.27 */
const DATE_RULES: Readonly<Record<number, { states: readonly number[]; untilReached: boolean }>> = {
  [TAG.ActivationDate]: { states: [State.PreActive], untilReached: false },
  [TAG.ProcessStartDate]: { states: [State.PreActive, State.Active], untilReached: true },
  [TAG.ProtectStopDate]: { states: [State.PreActive, State.Active], untilReached: true },
  [TAG.DeactivationDate]: { states: [State.PreActive, State.Active], untilReached: false },
}

function checkDateChange(object: ManagedObject, key: AttributeKey, now: bigint): void {
  const rule = typeof key === 'number' ? DATE_RULES[key] : undefined
  if (!rule) return
  const current = object.attributes.date(key as number)
  if (!rule.states.includes(object.state(now)))
    throw new KmipError('WrongKeyLifecycleState', `${titleOf(key)} cannot be changed any more in the object's state`)
  if (rule.untilReached && current !== undefined && current <= now)
    throw new KmipError('WrongKeyLifecycleState', `${titleOf(key)} has been reached and cannot be changed any more`)
}

function checkUsageLimitsUntouched(object: ManagedObject, key: AttributeKey): void {
  if (key !== TAG.UsageLimits) return
  const current = object.attributes.get(TAG.UsageLimits)
  if (!current) return
  const { usageLimitsTotal, usageLimitsCount } = read(current, UsageLimits)
  if (usageLimitsCount !== undefined && usageLimitsCount !== usageLimitsTotal)
    throw new KmipError('PermissionDenied', 'Usage Limits cannot be changed once some of it is used')
}

/** @throws KmipError if a client may not give this object a first or another value of the attribute */
export function checkAdd(object: ManagedObject, item: Item, now: bigint): void {
  const row = checkValue(item)
  const key = keyOf(item)
  if (row.setBy !== 'client' || isServerVendor(item)) throw readOnly(key)
  if (!row.multi && object.attributes.has(key))
    throw new KmipError('AttributeSingleValued', `${row.title} is set already; modify it instead`)
  // What the specification lets a client set only when the object is made cannot come later.
  if (!row.modify && !LATE_ADDITIONS.has(item.tag) && typeof key === 'number') throw readOnly(key)
  if (object.attributes.all(key).length >= MAX_INSTANCES)
    throw new KmipError('ServerLimitExceeded', `${row.title} may stand ${MAX_INSTANCES} times at most`)
  checkDateChange(object, key, now)
}
/** Not modifiable once set, but a client may still set them on an object that has none. */
const LATE_ADDITIONS: ReadonlySet<number> = new Set<number>([
  TAG.CryptographicDomainParameters,
  TAG.OriginalCreationDate,
  TAG.RandomNumberGenerator,
  TAG.CryptographicUsageMask,
  TAG.NISTKeyType,
  TAG.OperationPolicyName,
  TAG.RotateInterval,
  TAG.RotateAutomatic,
  TAG.RotateOffset,
])

/** @throws KmipError if a client may not change this attribute of the object to the value */
export function checkModify(object: ManagedObject, item: Item, now: bigint): void {
  const row = checkValue(item)
  const key = keyOf(item)
  if (!row.modify || isServerVendor(item)) throw readOnly(key)
  checkDateChange(object, key, now)
  checkUsageLimitsUntouched(object, key)
}

/** @throws KmipError if a client may not remove this attribute of the object */
export function checkRemove(object: ManagedObject, key: AttributeKey): void {
  const row = typeof key === 'number' ? attributeOfTag(key) : VENDOR_ATTRIBUTE
  if (!row) throw new KmipError('InvalidAttribute', `${titleOf(key)} is no attribute`)
  if (!row.remove || (typeof key === 'string' && key.startsWith('y\0'))) throw readOnly(key)
  checkUsageLimitsUntouched(object, key)
}

/** Who would change what is the server's, or set for good. */
export const readOnly = (key: AttributeKey): KmipError => new KmipError('AttributeReadOnly', `${titleOf(key)} is read-only`)

/** What follows for an object from a changed attribute. */
export function afterChange(object: ManagedObject, item: Item, now: bigint): void {
  const { attributes } = object
  const flag = (tag: number, value: boolean): void => attributes.set({ tag, type: TYPE.Boolean, value })
  // Always Sensitive and Never Extractable are histories: they only ever go to false. Spec: KMIP 1.4 section 3.49, 3.51
  if (item.tag === TAG.Sensitive && item.value === false && attributes.has(TAG.AlwaysSensitive)) flag(TAG.AlwaysSensitive, false)
  if (item.tag === TAG.Extractable && item.value === true && attributes.has(TAG.NeverExtractable)) flag(TAG.NeverExtractable, false)
  if (item.tag === TAG.UsageLimits) attributes.set(initialValue(item))
  checkDates(attributes, now)
}
