/**
 * A request that is refused or cannot be done. Status and texts go to the client as `{"errors": [...]}`, so they hold nothing secret; what
 * else is thrown becomes a 500 that says nothing about itself.
 */
export class AdminError extends Error {
  override readonly name = 'AdminError'
  readonly status: number
  readonly errors: readonly string[]
  /** @param errors  none: the empty list, which Vault's clients read as "not there" with 404 */
  constructor(status: number, errors: readonly string[] | string = [], options?: ErrorOptions) {
    const texts = typeof errors === 'string' ? [errors] : errors
    super(texts.join('; ') || `status ${status}`, options)
    this.status = status
    this.errors = texts
  }
}

/** Vault's way to write errors that its core collected. */
export const collected = (...texts: readonly string[]): string =>
  `${texts.length} error${texts.length === 1 ? '' : 's'} occurred:\n${texts.map(text => `\t* ${text}\n`).join('')}\n`

/** What a client without the right hears; Vault's text. */
export const permissionDenied = (): AdminError => new AdminError(403, 'permission denied')
export const unsupportedPath = (): AdminError => new AdminError(404, collected('unsupported path'))
export const unsupportedOperation = (): AdminError => new AdminError(405, 'unsupported operation')
