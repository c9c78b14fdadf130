export type ScopeErrorCode = 'not-found' | 'exists' | 'invalid' | 'not-empty'

/** An administrative command that cannot be done as it was asked; the message says why and is fit for who asked. */
export class ScopeError extends Error {
  override readonly name = 'ScopeError'
  readonly code: ScopeErrorCode
  constructor(code: ScopeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
