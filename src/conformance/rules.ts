import { ENUM } from '../ttlv/enumerations.ts'
import { TAG } from '../ttlv/tags.ts'

// What may differ between a case and a server that conforms to it.
// Spec: KMIP Additional Message Encodings 1.0 section 8.4, Profiles 2.1 section 4.1

/** Fields of a response that may be there or not, with any content. */
export const OPTIONAL: ReadonlySet<number> = new Set([
  TAG.ResultMessage,
  TAG.MessageExtension,
  TAG.TemplateAttribute,
  TAG.CommonTemplateAttribute,
  TAG.PrivateKeyTemplateAttribute,
  TAG.PublicKeyTemplateAttribute,
  TAG.LocatedItems,
  TAG.ClientCorrelationValue,
  TAG.ServerCorrelationValue,
])

/** Names of objects: any value, but always the same for the same object. */
export const IDENTIFIERS: ReadonlySet<number> = new Set([
  TAG.UniqueIdentifier,
  TAG.PrivateKeyUniqueIdentifier,
  TAG.PublicKeyUniqueIdentifier,
  TAG.LinkedObjectIdentifier,
  TAG.ShortUniqueIdentifier,
])

/** Values that the server makes up for each exchange. */
export const CORRELATIONS: ReadonlySet<number> = new Set([
  TAG.AsynchronousCorrelationValue,
  TAG.CorrelationValue,
  TAG.ServerCorrelationValue,
])

/** Values that follow from a key which the server made, or from chance. */
export const DEPENDENT: ReadonlySet<number> = new Set([
  TAG.KeyMaterial,
  TAG.KeyValue,
  TAG.Data,
  TAG.SignatureData,
  TAG.MACData,
  TAG.IVCounterNonce,
  TAG.AuthenticatedEncryptionTag,
  TAG.DigestValue,
  TAG.CertificateValue,
])

/** Structures all of whose content follows from a key or certificate that the server made. */
export const DEPENDENT_STRUCTURES: ReadonlySet<number> = new Set([
  TAG.KeyMaterial,
  TAG.X_509CertificateIdentifier,
  TAG.X_509CertificateIssuer,
  TAG.CertificateIdentifier,
  TAG.CertificateIssuer,
])

/** Fields of a Query response whose content no case fixes. */
export const QUERY_FREE: ReadonlySet<number> = new Set([
  TAG.VendorIdentification,
  TAG.ApplicationNamespace,
  TAG.ExtensionInformation,
  TAG.AttestationType,
  TAG.ProfileInformation,
  TAG.ValidationInformation,
  TAG.CapabilityInformation,
  TAG.ClientRegistrationMethod,
  TAG.DefaultsInformation,
  TAG.ProtectionStorageMasks,
])

/** Fields of a Query response of which there must be one if the case shows one, with any content. */
export const QUERY_PRESENT: ReadonlySet<number> = new Set([TAG.ServerInformation, TAG.RNGParameters])

type OperationName = keyof typeof ENUM.Operation
const numbers = (names: readonly OperationName[]): number[] => names.map(name => ENUM.Operation[name])

const BASE = numbers([
  'Locate',
  'Check',
  'Get',
  'GetAttributes',
  'GetAttributeList',
  'AddAttribute',
  'ModifyAttribute',
  'DeleteAttribute',
  'Activate',
  'Revoke',
  'Destroy',
  'Query',
])

// Operations that a profile demands besides those of every server. Spec: the profile documents of 1.0, 2.3 and 2.4 in each
const BY_FAMILY: readonly (readonly [RegExp, readonly OperationName[]])[] = [
  [/^SASED/, ['Register']],
  [/^TL/, ['Create']],
  [/^SKLC|^SKFF/, ['Create']],
  [/^AKLC/, ['CreateKeyPair']],
  [/^OMOS/, ['Register']],
  [/^BL/, ['Register', 'DiscoverVersions', 'Import', 'Export', 'SetAttribute', 'AdjustAttribute']],
  [/^CS-BC/, ['Encrypt', 'Decrypt']],
]

/** Operations that Query must list for a case of this family, if the case shows them. */
export function requiredOperations(stem: string): ReadonlySet<number> {
  return new Set([...BASE, ...BY_FAMILY.flatMap(([family, names]) => (family.test(stem) ? numbers(names) : []))])
}
