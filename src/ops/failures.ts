import { CryptoError } from '../crypto/errors.ts'
import { KmipError, type Reason } from '../objects/errors.ts'
import { MessageError } from '../ttlv/spec.ts'

// A missing IV is an Invalid Message, and a wrong tag length a General Failure, in the published test cases of all versions.
const OF_CRYPTOGRAPHY: Readonly<Record<CryptoError['code'], Reason>> = {
  unsupported: 'UnsupportedCryptographicParameters',
  invalid: 'CryptographicFailure',
  'missing-iv': 'InvalidMessage',
  'bad-tag-length': 'GeneralFailure',
  failed: 'CryptographicFailure',
  'too-long': 'CryptographicFailure',
}

/** What was thrown in an operation, in KMIP's terms; nothing: it was not thrown on purpose, and says nothing that a client may read. */
export function kmipErrorOf(error: unknown): KmipError | undefined {
  if (error instanceof KmipError) return error
  if (error instanceof MessageError) return new KmipError(error.reason, error.message)
  if (error instanceof CryptoError) return new KmipError(OF_CRYPTOGRAPHY[error.code], error.message, { cause: error.cause })
  return undefined
}
