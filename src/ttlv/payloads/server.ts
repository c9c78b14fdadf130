import { boolean, content, enumeration, type Fields, integer, optional, repeated, struct, text } from '../spec.ts'
import { TAG } from '../tags.ts'
import { DefaultsInformation } from './policies.ts'
import { ProtocolVersion } from './structures.ts'

// Payloads of the operations that tell about the server. Spec: KMIP 1.4 section 4.25 and 4.26, 2.1 section 6.1.40 and 6.1.15

export const ServerInformation = {
  serverName: optional(text(TAG.ServerName)),
  serverVersion: optional(text(TAG.ServerVersion)),
  productName: optional(text(TAG.ProductName)),
} as const satisfies Fields

export const CapabilityInformation = {
  streamingCapability: optional(boolean(TAG.StreamingCapability)),
  asynchronousCapability: optional(boolean(TAG.AsynchronousCapability)),
  attestationCapability: optional(boolean(TAG.AttestationCapability)),
  batchUndoCapability: optional(boolean(TAG.BatchUndoCapability, { since: 14 })),
  batchContinueCapability: optional(boolean(TAG.BatchContinueCapability, { since: 14 })),
  unwrapMode: optional(enumeration(TAG.UnwrapMode)),
  destroyAction: optional(enumeration(TAG.DestroyAction)),
  shreddingAlgorithm: optional(enumeration(TAG.ShreddingAlgorithm)),
  rngMode: optional(enumeration(TAG.RNGMode)),
  quantumSafeCapability: optional(boolean(TAG.QuantumSafeCapability, { since: 20 })),
} as const satisfies Fields

export const RngParameters = {
  rngAlgorithm: enumeration(TAG.RNGAlgorithm),
  cryptographicAlgorithm: optional(enumeration(TAG.CryptographicAlgorithm)),
  cryptographicLength: optional(integer(TAG.CryptographicLength)),
  hashingAlgorithm: optional(enumeration(TAG.HashingAlgorithm)),
  drbgAlgorithm: optional(enumeration(TAG.DRBGAlgorithm)),
  recommendedCurve: optional(enumeration(TAG.RecommendedCurve)),
  fips186Variation: optional(enumeration(TAG.FIPS186Variation)),
  predictionResistance: optional(boolean(TAG.PredictionResistance)),
} as const satisfies Fields

export const ProfileInformation = {
  profileName: enumeration(TAG.ProfileName),
  profileVersion: optional(
    struct(TAG.ProfileVersion, { major: integer(TAG.ProfileVersionMajor), minor: integer(TAG.ProfileVersionMinor) }, { since: 20 }),
  ),
  serverUri: optional(text(TAG.ServerURI)),
  serverPort: optional(integer(TAG.ServerPort)),
} as const satisfies Fields

export const QueryRequest = {
  queryFunction: repeated(enumeration(TAG.QueryFunction)),
  objectGroups: optional(content(TAG.ObjectGroups)),
} as const satisfies Fields
export const QueryResponse = {
  operation: repeated(enumeration(TAG.Operation)),
  objectType: repeated(enumeration(TAG.ObjectType)),
  vendorIdentification: optional(text(TAG.VendorIdentification)),
  serverInformation: optional(struct(TAG.ServerInformation, ServerInformation)),
  applicationNamespace: repeated(text(TAG.ApplicationNamespace)),
  extensionInformation: repeated(content(TAG.ExtensionInformation, { since: 11 })),
  attestationType: repeated(enumeration(TAG.AttestationType, { since: 12 })),
  rngParameters: repeated(struct(TAG.RNGParameters, RngParameters, { since: 13 })),
  profileInformation: repeated(struct(TAG.ProfileInformation, ProfileInformation, { since: 13 })),
  validationInformation: repeated(content(TAG.ValidationInformation, { since: 13 })),
  capabilityInformation: optional(struct(TAG.CapabilityInformation, CapabilityInformation, { since: 13 })),
  clientRegistrationMethod: repeated(enumeration(TAG.ClientRegistrationMethod, { since: 13 })),
  defaultsInformation: optional(struct(TAG.DefaultsInformation, DefaultsInformation, { since: 20 })),
  protectionStorageMasks: optional(content(TAG.ProtectionStorageMasks, { since: 20 })),
} as const satisfies Fields

export const DiscoverVersions = { protocolVersion: repeated(struct(TAG.ProtocolVersion, ProtocolVersion)) } as const satisfies Fields
