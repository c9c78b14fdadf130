export type SealErrorCode = 'sealed' | 'wrong-key' | 'damaged' | 'malformed-key' | 'away' | 'refused'

/**
 * `sealed`: no configured provider can open the root key; `wrong-key`: a provider of the right kind has another key than the one that
 * sealed; `damaged`: something does not open with the right key, so it was changed, moved or cut; `malformed-key`: a key file or value
 * does not have the form of a key; `away`: a provider that could open the root key cannot be asked now; `refused`: it was asked, and its
 * server says no. Messages name providers and keys by their fingerprints, never by their content.
 */
export class SealError extends Error {
  override readonly name = 'SealError'
  readonly code: SealErrorCode
  constructor(code: SealErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
