import { TYPE } from '../item.ts'
import {
  big,
  boolean,
  bytes,
  content,
  enumeration,
  type Fields,
  integer,
  item,
  itemOf,
  long,
  optional,
  repeated,
  struct,
  text,
  type Value,
} from '../spec.ts'
import { TAG } from '../tags.ts'

// Structures that several payloads share. Spec: KMIP 1.4 section 2 and 3, 2.1 section 3 to 7

export const CryptographicParameters = {
  blockCipherMode: optional(enumeration(TAG.BlockCipherMode)),
  paddingMethod: optional(enumeration(TAG.PaddingMethod)),
  hashingAlgorithm: optional(enumeration(TAG.HashingAlgorithm)),
  keyRoleType: optional(enumeration(TAG.KeyRoleType)),
  digitalSignatureAlgorithm: optional(enumeration(TAG.DigitalSignatureAlgorithm, { since: 12 })),
  cryptographicAlgorithm: optional(enumeration(TAG.CryptographicAlgorithm, { since: 12 })),
  randomIv: optional(boolean(TAG.RandomIV, { since: 12 })),
  ivLength: optional(integer(TAG.IVLength, { since: 12 })),
  tagLength: optional(integer(TAG.TagLength, { since: 12 })),
  fixedFieldLength: optional(integer(TAG.FixedFieldLength, { since: 12 })),
  invocationFieldLength: optional(integer(TAG.InvocationFieldLength, { since: 12 })),
  counterLength: optional(integer(TAG.CounterLength, { since: 12 })),
  initialCounterValue: optional(integer(TAG.InitialCounterValue, { since: 12 })),
  saltLength: optional(integer(TAG.SaltLength, { since: 14 })),
  maskGenerator: optional(enumeration(TAG.MaskGenerator, { since: 14 })),
  maskGeneratorHashingAlgorithm: optional(enumeration(TAG.MaskGeneratorHashingAlgorithm, { since: 14 })),
  pSource: optional(bytes(TAG.PSource, { since: 14 })),
  trailerField: optional(integer(TAG.TrailerField, { since: 14 })),
} as const satisfies Fields
export type CryptographicParameters = Value<typeof CryptographicParameters>

const keyInformation = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  cryptographicParameters: optional(struct(TAG.CryptographicParameters, CryptographicParameters)),
} as const satisfies Fields

export const KeyWrappingSpecification = {
  wrappingMethod: enumeration(TAG.WrappingMethod),
  encryptionKeyInformation: optional(struct(TAG.EncryptionKeyInformation, keyInformation)),
  macSignatureKeyInformation: optional(struct(TAG.MACSignatureKeyInformation, keyInformation)),
  attributeName: repeated(text(TAG.AttributeName)),
  encodingOption: optional(enumeration(TAG.EncodingOption, { since: 11 })),
} as const satisfies Fields
export type KeyWrappingSpecification = Value<typeof KeyWrappingSpecification>

export const KeyWrappingData = {
  wrappingMethod: enumeration(TAG.WrappingMethod),
  encryptionKeyInformation: optional(struct(TAG.EncryptionKeyInformation, keyInformation)),
  macSignatureKeyInformation: optional(struct(TAG.MACSignatureKeyInformation, keyInformation)),
  macSignature: optional(bytes(TAG.MACSignature)),
  ivCounterNonce: optional(bytes(TAG.IVCounterNonce)),
  encodingOption: optional(enumeration(TAG.EncodingOption, { since: 11 })),
} as const satisfies Fields
export type KeyWrappingData = Value<typeof KeyWrappingData>

export const KeyBlock = {
  keyFormatType: enumeration(TAG.KeyFormatType),
  keyCompressionType: optional(enumeration(TAG.KeyCompressionType)),
  /** Structure, or a Byte String when wrapped; absent: the object is metadata only. */
  keyValue: optional(item(TAG.KeyValue)),
  cryptographicAlgorithm: optional(enumeration(TAG.CryptographicAlgorithm)),
  cryptographicLength: optional(integer(TAG.CryptographicLength)),
  keyWrappingData: optional(struct(TAG.KeyWrappingData, KeyWrappingData)),
} as const satisfies Fields
export type KeyBlock = Value<typeof KeyBlock>

/** A Key Value that is not wrapped as a whole. Spec: KMIP 1.4 section 2.1.4, 2.1 section 3.2 */
export const KeyValue = {
  keyMaterial: itemOf(TAG.KeyMaterial, [TYPE.ByteString, TYPE.Structure]),
  attributes: optional(content(TAG.Attributes)),
} as const satisfies Fields

/** The managed objects with a key block, and what else each carries; fields stand in wire order. */
export const KEY_OBJECTS = {
  [TAG.SymmetricKey]: { keyBlock: struct(TAG.KeyBlock, KeyBlock) },
  [TAG.PublicKey]: { keyBlock: struct(TAG.KeyBlock, KeyBlock) },
  [TAG.PrivateKey]: { keyBlock: struct(TAG.KeyBlock, KeyBlock) },
  [TAG.SplitKey]: {
    splitKeyParts: integer(TAG.SplitKeyParts),
    keyPartIdentifier: integer(TAG.KeyPartIdentifier),
    splitKeyThreshold: integer(TAG.SplitKeyThreshold),
    splitKeyMethod: enumeration(TAG.SplitKeyMethod),
    splitKeyPolynomial: optional(enumeration(TAG.SplitKeyPolynomial, { since: 30 })),
    primeFieldSize: optional(big(TAG.PrimeFieldSize)),
    keyBlock: struct(TAG.KeyBlock, KeyBlock),
  },
  [TAG.SecretData]: { secretDataType: enumeration(TAG.SecretDataType), keyBlock: struct(TAG.KeyBlock, KeyBlock) },
  [TAG.PGPKey]: { pgpKeyVersion: integer(TAG.PGPKeyVersion), keyBlock: struct(TAG.KeyBlock, KeyBlock) },
} as const satisfies Record<number, Fields>

export const Certificate = {
  certificateType: enumeration(TAG.CertificateType),
  certificateValue: bytes(TAG.CertificateValue),
} as const satisfies Fields
export const CertificateRequest = {
  certificateRequestType: enumeration(TAG.CertificateRequestType),
  certificateRequestValue: bytes(TAG.CertificateRequestValue),
} as const satisfies Fields
export const OpaqueObject = {
  opaqueDataType: enumeration(TAG.OpaqueDataType),
  opaqueDataValue: bytes(TAG.OpaqueDataValue),
} as const satisfies Fields

/** Tags of the managed objects that a request or response can carry whole. */
export const MANAGED_OBJECTS: readonly number[] = [
  TAG.Certificate,
  TAG.CertificateRequest,
  TAG.OpaqueObject,
  TAG.PGPKey,
  TAG.PrivateKey,
  TAG.PublicKey,
  TAG.SecretData,
  TAG.SplitKey,
  TAG.SymmetricKey,
  TAG.Template,
]

export const UsageLimits = {
  usageLimitsTotal: long(TAG.UsageLimitsTotal),
  usageLimitsCount: optional(long(TAG.UsageLimitsCount)),
  usageLimitsUnit: enumeration(TAG.UsageLimitsUnit),
} as const satisfies Fields

export const RevocationReason = {
  revocationReasonCode: enumeration(TAG.RevocationReasonCode),
  revocationMessage: optional(text(TAG.RevocationMessage)),
} as const satisfies Fields

/** An attribute as 1.x writes it. Spec: KMIP 1.4 section 2.1.1 */
export const Attribute = {
  name: text(TAG.AttributeName),
  index: optional(integer(TAG.AttributeIndex)),
  value: item(TAG.AttributeValue),
} as const satisfies Fields

export const ProtocolVersion = {
  major: integer(TAG.ProtocolVersionMajor),
  minor: integer(TAG.ProtocolVersionMinor),
} as const satisfies Fields

export const DerivationParameters = {
  cryptographicParameters: optional(struct(TAG.CryptographicParameters, CryptographicParameters)),
  initializationVector: optional(bytes(TAG.InitializationVector)),
  derivationData: optional(bytes(TAG.DerivationData)),
  salt: optional(bytes(TAG.Salt)),
  iterationCount: optional(integer(TAG.IterationCount)),
} as const satisfies Fields
export type DerivationParameters = Value<typeof DerivationParameters>
