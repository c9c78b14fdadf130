export type PkiErrorCode = 'malformed' | 'unsupported' | 'untrusted' | 'password'

/**
 * `malformed`: these bytes are no certificate, request or key; `unsupported`: an algorithm, curve or length that kmipd does not issue;
 * `untrusted`: a signature does not hold; `password`: a password does not open what it should. The message never holds key material.
 */
export class PkiError extends Error {
  override readonly name = 'PkiError'
  readonly code: PkiErrorCode
  constructor(code: PkiErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
