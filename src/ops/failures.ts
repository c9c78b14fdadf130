import { CryptoError } from '../crypto/errors.ts'
import { KmipError, type Reason } from '../objects/errors.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { MessageError, type Version } from '../ttlv/spec.ts'

const { Operation } = ENUM

// A missing IV is an Invalid Message, and a wrong tag length a General Failure, in the published test cases of all versions.
const OF_CRYPTOGRAPHY: Readonly<Record<CryptoError['code'], Reason>> = {
  unsupported: 'UnsupportedCryptographicParameters',
  invalid: 'CryptographicFailure',
  'missing-iv': 'InvalidMessage',
  'bad-tag-length': 'GeneralFailure',
  failed: 'CryptographicFailure',
  'too-long': 'CryptographicFailure',
}

/**
 * Reasons that 2.x has twice, for operations whose own tables have the other name. Add Attribute is older than the names, and 2.0 still
 * answers it as it answers Modify Attribute. Spec: KMIP 2.1 section 6.1.2.1, 6.1.3.1, 6.1.6.1, 6.1.10.1, 6.1.51.1
 */
const OF_OPERATION: Readonly<Record<number, Partial<Record<Reason, { reason: Reason; since?: Version }>>>> = {
  [Operation.AddAttribute]: { AttributeReadOnly: { reason: 'ReadOnlyAttribute', since: 21 } },
  [Operation.AdjustAttribute]: { AttributeReadOnly: { reason: 'ReadOnlyAttribute' }, ObjectNotFound: { reason: 'ItemNotFound' } },
  [Operation.SetAttribute]: { AttributeReadOnly: { reason: 'ReadOnlyAttribute' } },
  [Operation.Certify]: { ObjectNotFound: { reason: 'ItemNotFound' } },
  [Operation.CreateSplitKey]: { ObjectNotFound: { reason: 'ItemNotFound' } },
}

/** The error by the name that the operation's table has for it. */
function inWordsOf(operation: number, error: KmipError): KmipError {
  const other = OF_OPERATION[operation]?.[error.reason]
  if (!other) return error
  const { message, cause, v1, payload } = error
  return new KmipError(other.reason, message, {
    cause,
    ...(v1 && { v1 }),
    ...(payload && { payload }),
    ...(other.since && { since: other.since }),
  })
}

/** What was thrown in an operation, in KMIP's terms; nothing: it was not thrown on purpose, and says nothing that a client may read. */
export function failureOf(operation: number, error: unknown): KmipError | undefined {
  const known = kmipErrorOf(error)
  return known && inWordsOf(operation, known)
}

/** The same, whichever operation it was. */
export function kmipErrorOf(error: unknown): KmipError | undefined {
  if (error instanceof KmipError) return error
  if (error instanceof MessageError) return new KmipError(error.reason, error.message)
  if (error instanceof CryptoError) return new KmipError(OF_CRYPTOGRAPHY[error.code], error.message, { cause: error.cause })
  return undefined
}
