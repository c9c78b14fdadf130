import { boolean, bytes, enumeration, type Fields, integer, optional, struct, text } from '../spec.ts'
import { TAG } from '../tags.ts'
import { CryptographicParameters } from './structures.ts'

// Payloads of the operations on data. Spec: KMIP 1.4 section 4.29 to 4.37, 2.1 section 6.1. `correlationValue`, `initIndicator` and
// `finalIndicator` are there for data that comes in parts.

const key = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  cryptographicParameters: optional(struct(TAG.CryptographicParameters, CryptographicParameters)),
} as const satisfies Fields
const stream = {
  correlationValue: optional(bytes(TAG.CorrelationValue)),
  initIndicator: optional(boolean(TAG.InitIndicator)),
  finalIndicator: optional(boolean(TAG.FinalIndicator)),
} as const satisfies Fields
const correlationValue = optional(bytes(TAG.CorrelationValue, { since: 13 }))

export const EncryptRequest = {
  ...key,
  data: optional(bytes(TAG.Data)),
  ivCounterNonce: optional(bytes(TAG.IVCounterNonce)),
  ...stream,
  authenticatedEncryptionAdditionalData: optional(bytes(TAG.AuthenticatedEncryptionAdditionalData)),
} as const satisfies Fields
export const EncryptResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  data: optional(bytes(TAG.Data)),
  ivCounterNonce: optional(bytes(TAG.IVCounterNonce)),
  correlationValue,
  authenticatedEncryptionTag: optional(bytes(TAG.AuthenticatedEncryptionTag)),
} as const satisfies Fields
export const DecryptRequest = {
  ...EncryptRequest,
  authenticatedEncryptionTag: optional(bytes(TAG.AuthenticatedEncryptionTag)),
} as const satisfies Fields
export const DecryptResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  data: optional(bytes(TAG.Data)),
  correlationValue,
} as const satisfies Fields

export const SignRequest = {
  ...key,
  data: optional(bytes(TAG.Data)),
  digestedData: optional(bytes(TAG.DigestedData)),
  ...stream,
} as const satisfies Fields
export const SignResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  signatureData: optional(bytes(TAG.SignatureData)),
  correlationValue,
} as const satisfies Fields
export const SignatureVerifyRequest = {
  ...key,
  data: optional(bytes(TAG.Data)),
  digestedData: optional(bytes(TAG.DigestedData)),
  signatureData: optional(bytes(TAG.SignatureData)),
  ...stream,
} as const satisfies Fields
export const SignatureVerifyResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  validityIndicator: optional(enumeration(TAG.ValidityIndicator)),
  data: optional(bytes(TAG.Data)),
  correlationValue,
} as const satisfies Fields

export const MacRequest = { ...key, data: optional(bytes(TAG.Data)), ...stream } as const satisfies Fields
export const MacResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  macData: optional(bytes(TAG.MACData)),
  correlationValue,
} as const satisfies Fields
export const MacVerifyRequest = {
  ...key,
  data: optional(bytes(TAG.Data)),
  macData: optional(bytes(TAG.MACData)),
  ...stream,
} as const satisfies Fields
export const MacVerifyResponse = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  validityIndicator: optional(enumeration(TAG.ValidityIndicator)),
  correlationValue,
} as const satisfies Fields

export const HashRequest = {
  cryptographicParameters: struct(TAG.CryptographicParameters, CryptographicParameters),
  data: optional(bytes(TAG.Data)),
  ...stream,
} as const satisfies Fields
export const HashResponse = { data: optional(bytes(TAG.Data)), correlationValue } as const satisfies Fields

export const RngRetrieveRequest = { dataLength: integer(TAG.DataLength) } as const satisfies Fields
export const DataResponse = { data: bytes(TAG.Data) } as const satisfies Fields
export const RngSeedRequest = { data: bytes(TAG.Data) } as const satisfies Fields
export const RngSeedResponse = { dataLength: integer(TAG.DataLength) } as const satisfies Fields
