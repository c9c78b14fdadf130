import { ENUM } from '../ttlv/enumerations.ts'
import type { Item } from '../ttlv/item.ts'
import type { Version } from '../ttlv/spec.ts'

const R = ENUM.ResultReason

interface ReasonRow {
  readonly code: number
  /** First version whose clients know the reason, and what older ones are told instead. */
  readonly since?: Version
  readonly before?: Reason
  /** Last version that has the reason, and what newer ones are told instead. */
  readonly until?: Version
  readonly after?: Reason
}

// The published test cases expect Permission Denied for states and read-only attributes up to 2.0, and the new reasons from 2.1 on,
// although 2.0 already lists them. Spec: KMIP 1.4 section 11, 2.1 section 11.46
const ROWS = {
  ItemNotFound: { code: R.ItemNotFound },
  ResponseTooLarge: { code: R.ResponseTooLarge },
  AuthenticationNotSuccessful: { code: R.AuthenticationNotSuccessful },
  InvalidMessage: { code: R.InvalidMessage },
  OperationNotSupported: { code: R.OperationNotSupported },
  MissingData: { code: R.MissingData },
  InvalidField: { code: R.InvalidField },
  FeatureNotSupported: { code: R.FeatureNotSupported },
  OperationCanceledByRequester: { code: R.OperationCanceledByRequester },
  CryptographicFailure: { code: R.CryptographicFailure },
  IllegalOperation: { code: R.IllegalOperation, until: 14, after: 'PermissionDenied' },
  PermissionDenied: { code: R.PermissionDenied },
  ObjectArchived: { code: R.ObjectArchived },
  IndexOutOfBounds: { code: R.IndexOutOfBounds, until: 14, after: 'ServerLimitExceeded' },
  ApplicationNamespaceNotSupported: { code: R.ApplicationNamespaceNotSupported },
  KeyFormatTypeNotSupported: { code: R.KeyFormatTypeNotSupported },
  KeyCompressionTypeNotSupported: { code: R.KeyCompressionTypeNotSupported },
  EncodingOptionError: { code: R.EncodingOptionError, since: 11, before: 'InvalidField' },
  KeyValueNotPresent: { code: R.KeyValueNotPresent, since: 12, before: 'IllegalOperation' },
  AttestationRequired: { code: R.AttestationRequired, since: 12, before: 'PermissionDenied' },
  AttestationFailed: { code: R.AttestationFailed, since: 12, before: 'PermissionDenied' },
  Sensitive: { code: R.Sensitive, since: 14, before: 'PermissionDenied' },
  NotExtractable: { code: R.NotExtractable, since: 14, before: 'PermissionDenied' },
  ObjectAlreadyExists: { code: R.ObjectAlreadyExists, since: 14, before: 'InvalidField' },
  InvalidTicket: { code: R.InvalidTicket, since: 20, before: 'AuthenticationNotSuccessful' },
  UsageLimitExceeded: { code: R.UsageLimitExceeded, since: 20, before: 'PermissionDenied' },
  NumericRange: { code: R.NumericRange, since: 20, before: 'InvalidField' },
  InvalidDataType: { code: R.InvalidDataType, since: 20, before: 'InvalidField' },
  MultiValuedAttribute: { code: R.MultiValuedAttribute, since: 20, before: 'InvalidField' },
  UnsupportedAttribute: { code: R.UnsupportedAttribute, since: 20, before: 'InvalidField' },
  AttributeInstanceNotFound: { code: R.AttributeInstanceNotFound, since: 20, before: 'ItemNotFound' },
  AttributeNotFound: { code: R.AttributeNotFound, since: 20, before: 'ItemNotFound' },
  AttributeReadOnly: { code: R.AttributeReadOnly, since: 21, before: 'PermissionDenied' },
  ReadOnlyAttribute: { code: R.ReadOnlyAttribute, since: 20, before: 'PermissionDenied' },
  AttributeSingleValued: { code: R.AttributeSingleValued, since: 20, before: 'IllegalOperation' },
  BadCryptographicParameters: { code: R.BadCryptographicParameters, since: 20, before: 'InvalidField' },
  BadPassword: { code: R.BadPassword, since: 20, before: 'InvalidField' },
  CodecError: { code: R.CodecError, since: 20, before: 'InvalidMessage' },
  IncompatibleCryptographicUsageMask: { code: R.IncompatibleCryptographicUsageMask, since: 20, before: 'PermissionDenied' },
  InvalidAttribute: { code: R.InvalidAttribute, since: 20, before: 'InvalidField' },
  InvalidAttributeValue: { code: R.InvalidAttributeValue, since: 20, before: 'InvalidField' },
  InvalidCorrelationValue: { code: R.InvalidCorrelationValue, since: 20, before: 'ItemNotFound' },
  InvalidAsynchronousCorrelationValue: { code: R.InvalidAsynchronousCorrelationValue, since: 20, before: 'ItemNotFound' },
  InvalidCSR: { code: R.InvalidCSR, since: 20, before: 'InvalidField' },
  InvalidObjectType: { code: R.InvalidObjectType, since: 20, before: 'InvalidField' },
  KeyWrapTypeNotSupported: { code: R.KeyWrapTypeNotSupported, since: 20, before: 'FeatureNotSupported' },
  NonUniqueNameAttribute: { code: R.NonUniqueNameAttribute, since: 20, before: 'InvalidField' },
  ObjectDestroyed: { code: R.ObjectDestroyed, since: 20, before: 'IllegalOperation' },
  ObjectNotFound: { code: R.ObjectNotFound, since: 20, before: 'ItemNotFound' },
  NotAuthorised: { code: R.NotAuthorised, since: 20, before: 'PermissionDenied' },
  ServerLimitExceeded: { code: R.ServerLimitExceeded, since: 20, before: 'IndexOutOfBounds' },
  UnknownMessageExtension: { code: R.UnknownMessageExtension, since: 20, before: 'FeatureNotSupported' },
  UnsupportedCryptographicParameters: { code: R.UnsupportedCryptographicParameters, since: 20, before: 'CryptographicFailure' },
  UnsupportedProtocolVersion: { code: R.UnsupportedProtocolVersion, since: 20, before: 'InvalidMessage' },
  WrappingObjectArchived: { code: R.WrappingObjectArchived, since: 20, before: 'ObjectArchived' },
  WrappingObjectDestroyed: { code: R.WrappingObjectDestroyed, since: 20, before: 'PermissionDenied' },
  WrappingObjectNotFound: { code: R.WrappingObjectNotFound, since: 20, before: 'ItemNotFound' },
  WrongKeyLifecycleState: { code: R.WrongKeyLifecycleState, since: 21, before: 'PermissionDenied' },
  ProtectionStorageUnavailable: { code: R.ProtectionStorageUnavailable, since: 20, before: 'GeneralFailure' },
  PrivateProtectionStorageUnavailable: { code: R.PrivateProtectionStorageUnavailable, since: 20, before: 'GeneralFailure' },
  PublicProtectionStorageUnavailable: { code: R.PublicProtectionStorageUnavailable, since: 20, before: 'GeneralFailure' },
  PKCS_11CodecError: { code: R.PKCS_11CodecError, since: 20, before: 'InvalidField' },
  PKCS_11InvalidFunction: { code: R.PKCS_11InvalidFunction, since: 20, before: 'InvalidField' },
  PKCS_11InvalidInterface: { code: R.PKCS_11InvalidInterface, since: 20, before: 'InvalidField' },
  ConstraintViolation: { code: R.ConstraintViolation, since: 21, before: 'PermissionDenied' },
  DuplicateProcessRequest: { code: R.DuplicateProcessRequest, since: 21, before: 'IllegalOperation' },
  GeneralFailure: { code: R.GeneralFailure },
} as const satisfies Record<string, { code: number; since?: Version; before?: string; until?: Version; after?: string }>
export type Reason = keyof typeof ROWS
const REASONS: Readonly<Record<Reason, ReasonRow>> = ROWS

/**
 * Thrown to fail one batch item. The client reads `reason` and `message`; `cause` goes to the log only.
 * `v1` is what 1.x clients are told where the operation's own error table differs from the reason's usual translation.
 */
export class KmipError extends Error {
  override readonly name = 'KmipError'
  readonly reason: Reason
  readonly v1: Reason | undefined
  /** First version whose clients are told the reason itself, where that is not the one by which it usually goes. */
  readonly since: Version | undefined
  /** Fields that go with the failure, as the failed Check's. */
  readonly payload: readonly Item[] | undefined
  constructor(reason: Reason, message: string, options?: { cause?: unknown; v1?: Reason; since?: Version; payload?: readonly Item[] }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.reason = reason
    this.v1 = options?.v1
    this.since = options?.since
    this.payload = options?.payload
  }
}

/** The Result Reason, name and value, that a client of `version` is told. */
export function reasonFor(error: KmipError, version: Version): { name: Reason; code: number } {
  let name: Reason = error.v1 !== undefined && version < 20 ? error.v1 : error.reason
  for (;;) {
    const row = REASONS[name]
    const since = name === error.reason ? (error.since ?? row.since) : row.since
    if (since !== undefined && version < since) name = row.before ?? 'GeneralFailure'
    else if (row.until !== undefined && version > row.until) name = row.after ?? 'GeneralFailure'
    else return { name, code: row.code }
  }
}
