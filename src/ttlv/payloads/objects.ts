import { TYPE } from '../item.ts'
import {
  big,
  boolean,
  content,
  date,
  enumeration,
  type Fields,
  integer,
  interval,
  item,
  itemOf,
  long,
  oneOf,
  optional,
  repeated,
  struct,
  text,
} from '../spec.ts'
import { TAG } from '../tags.ts'
import { DerivationParameters, KeyWrappingSpecification, MANAGED_OBJECTS, RevocationReason } from './structures.ts'

// Payloads of the operations that make, find, read and change managed objects, in the canonical form of KMIP 2.1.
// What 1.x writes in another way, the dialect turns into this and back.

export const UniqueIdentifierRequest = { uniqueIdentifier: optional(text(TAG.UniqueIdentifier)) } as const satisfies Fields
export const UniqueIdentifierResponse = { uniqueIdentifier: text(TAG.UniqueIdentifier) } as const satisfies Fields
/** A tag, or vendor and name. Spec: KMIP 2.1 section 5.5 */
export const attributeReference = itemOf(TAG.AttributeReference, [TYPE.Enumeration, TYPE.Structure])
const protectionStorageMasks = (tag: number) => optional(content(tag, { since: 20 }))

// Spec: KMIP 1.4 section 4.1, 2.1 section 6.1.8
export const CreateRequest = {
  objectType: enumeration(TAG.ObjectType),
  attributes: optional(content(TAG.Attributes)),
  protectionStorageMasks: protectionStorageMasks(TAG.ProtectionStorageMasks),
} as const satisfies Fields
export const CreateResponse = {
  objectType: enumeration(TAG.ObjectType),
  uniqueIdentifier: text(TAG.UniqueIdentifier),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.2, 2.1 section 6.1.9
const pairAttributes = {
  commonAttributes: optional(content(TAG.CommonAttributes)),
  privateKeyAttributes: optional(content(TAG.PrivateKeyAttributes)),
  publicKeyAttributes: optional(content(TAG.PublicKeyAttributes)),
  commonProtectionStorageMasks: protectionStorageMasks(TAG.CommonProtectionStorageMasks),
  privateProtectionStorageMasks: protectionStorageMasks(TAG.PrivateProtectionStorageMasks),
  publicProtectionStorageMasks: protectionStorageMasks(TAG.PublicProtectionStorageMasks),
} as const satisfies Fields
export const CreateKeyPairRequest = pairAttributes
export const KeyPairResponse = {
  privateKeyUniqueIdentifier: text(TAG.PrivateKeyUniqueIdentifier),
  publicKeyUniqueIdentifier: text(TAG.PublicKeyUniqueIdentifier),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.3, 2.1 section 6.1.43
export const RegisterRequest = {
  objectType: enumeration(TAG.ObjectType),
  attributes: optional(content(TAG.Attributes)),
  object: optional(oneOf(MANAGED_OBJECTS)),
  protectionStorageMasks: protectionStorageMasks(TAG.ProtectionStorageMasks),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.4, 2.1 section 6.1.46
export const ReKeyRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  offset: optional(interval(TAG.Offset)),
  attributes: optional(content(TAG.Attributes)),
  protectionStorageMasks: protectionStorageMasks(TAG.ProtectionStorageMasks),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.5, 2.1 section 6.1.47
export const ReKeyKeyPairRequest = {
  privateKeyUniqueIdentifier: optional(text(TAG.PrivateKeyUniqueIdentifier)),
  offset: optional(interval(TAG.Offset)),
  ...pairAttributes,
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.6, 2.1 section 6.1.14
export const DeriveKeyRequest = {
  objectType: enumeration(TAG.ObjectType),
  uniqueIdentifier: repeated(text(TAG.UniqueIdentifier)),
  derivationMethod: enumeration(TAG.DerivationMethod),
  derivationParameters: struct(TAG.DerivationParameters, DerivationParameters),
  attributes: optional(content(TAG.Attributes)),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.9, 2.1 section 6.1.28
export const LocateRequest = {
  maximumItems: optional(integer(TAG.MaximumItems)),
  offsetItems: optional(integer(TAG.OffsetItems)),
  storageStatusMask: optional(integer(TAG.StorageStatusMask)),
  objectGroupMember: optional(enumeration(TAG.ObjectGroupMember)),
  attributes: optional(content(TAG.Attributes)),
} as const satisfies Fields
export const LocateResponse = {
  locatedItems: optional(integer(TAG.LocatedItems, { since: 13 })),
  uniqueIdentifier: repeated(text(TAG.UniqueIdentifier)),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.10, 2.1 section 6.1.7
export const CheckRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  usageLimitsCount: optional(long(TAG.UsageLimitsCount)),
  cryptographicUsageMask: optional(integer(TAG.CryptographicUsageMask)),
  leaseTime: optional(interval(TAG.LeaseTime)),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.11, 2.1 section 6.1.19
export const GetRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  keyFormatType: optional(enumeration(TAG.KeyFormatType)),
  keyWrapType: optional(enumeration(TAG.KeyWrapType)),
  keyCompressionType: optional(enumeration(TAG.KeyCompressionType)),
  keyWrappingSpecification: optional(struct(TAG.KeyWrappingSpecification, KeyWrappingSpecification)),
} as const satisfies Fields
export const GetResponse = {
  objectType: enumeration(TAG.ObjectType),
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  object: oneOf(MANAGED_OBJECTS),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.41 and 4.40, 2.1 section 6.1.25 and 6.1.18
export const ImportRequest = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  objectType: optional(enumeration(TAG.ObjectType)),
  replaceExisting: optional(boolean(TAG.ReplaceExisting)),
  keyWrapType: optional(enumeration(TAG.KeyWrapType)),
  attributes: optional(content(TAG.Attributes)),
  object: oneOf(MANAGED_OBJECTS),
} as const satisfies Fields
export const ExportResponse = {
  objectType: enumeration(TAG.ObjectType),
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  attributes: content(TAG.Attributes),
  object: optional(oneOf(MANAGED_OBJECTS)),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.12 and 4.13, 2.1 section 6.1.20 and 6.1.21.
export const GetAttributesRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  attributeReference: repeated(attributeReference),
} as const satisfies Fields
export const GetAttributesResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  attributes: content(TAG.Attributes),
} as const satisfies Fields
export const GetAttributeListResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  attributeReference: repeated(attributeReference),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.14 to 4.16, 2.1 section 6.1.2, 6.1.34, 6.1.13. Attribute Index is of 1.x: it selects an instance there.
export const AddAttributeRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  newAttribute: content(TAG.NewAttribute),
  attributeIndex: optional(integer(TAG.AttributeIndex)),
} as const satisfies Fields
export const ModifyAttributeRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  currentAttribute: optional(content(TAG.CurrentAttribute)),
  newAttribute: content(TAG.NewAttribute),
  attributeIndex: optional(integer(TAG.AttributeIndex)),
} as const satisfies Fields
export const DeleteAttributeRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  currentAttribute: optional(content(TAG.CurrentAttribute)),
  attributeReference: optional(attributeReference),
  attributeIndex: optional(integer(TAG.AttributeIndex)),
} as const satisfies Fields
/** In 1.x the attribute comes back too; it stands in Attributes here, with its index in front. */
export const AttributeResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  attributes: optional(content(TAG.Attributes, { until: 14 })),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.20, 2.1 section 6.1.49
export const RevokeRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  revocationReason: struct(TAG.RevocationReason, RevocationReason),
  compromiseOccurrenceDate: optional(date(TAG.CompromiseOccurrenceDate)),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.17 and 4.18, 2.1 section 6.1.32 and 6.1.22
export const ObtainLeaseResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  leaseTime: interval(TAG.LeaseTime),
  lastChangeDate: date(TAG.LastChangeDate),
} as const satisfies Fields
export const GetUsageAllocationRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  usageLimitsCount: long(TAG.UsageLimitsCount),
} as const satisfies Fields

// Spec: KMIP 2.1 section 6.1.51 and 6.1.3
export const SetAttributeRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  newAttribute: content(TAG.NewAttribute),
} as const satisfies Fields
export const AdjustAttributeRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  attributeReference: attributeReference,
  adjustmentType: enumeration(TAG.AdjustmentType),
  adjustmentValue: optional(item(TAG.AdjustmentValue)),
} as const satisfies Fields

// Spec: KMIP 1.4 section 4.38 and 4.39, 2.1 section 6.1.10 and 6.1.27
export const CreateSplitKeyRequest = {
  objectType: enumeration(TAG.ObjectType),
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  splitKeyParts: integer(TAG.SplitKeyParts),
  splitKeyThreshold: integer(TAG.SplitKeyThreshold),
  splitKeyMethod: enumeration(TAG.SplitKeyMethod),
  primeFieldSize: optional(big(TAG.PrimeFieldSize)),
  attributes: optional(content(TAG.Attributes)),
  protectionStorageMasks: protectionStorageMasks(TAG.ProtectionStorageMasks),
} as const satisfies Fields
export const JoinSplitKeyRequest = {
  objectType: enumeration(TAG.ObjectType),
  uniqueIdentifier: repeated(text(TAG.UniqueIdentifier)),
  secretDataType: optional(enumeration(TAG.SecretDataType)),
  attributes: optional(content(TAG.Attributes)),
  protectionStorageMasks: protectionStorageMasks(TAG.ProtectionStorageMasks),
} as const satisfies Fields
/** The table of 1.2 has an Object Type here too; its published cases do not, and later versions dropped it. */
export const SplitKeyResponse = {
  uniqueIdentifier: repeated(text(TAG.UniqueIdentifier)),
} as const satisfies Fields
