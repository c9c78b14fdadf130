/**
 * The one error of this folder. `code` says which kind of refusal it was, so that a caller can choose a KMIP Result Reason
 * without reading the message. Messages name parameters and lengths, never key material or plaintext.
 */

/**
 * - `unsupported`: an algorithm, mode, padding, curve, format or combination that is not available
 * - `invalid`: a parameter, key or input has the wrong length, form or value, or a needed one is absent
 * - `missing-iv`: the mode needs an IV, counter or nonce and none was given
 * - `bad-tag-length`: a tag length outside those that the mode allows
 * - `failed`: a tag, padding, ciphertext or set of key parts does not check; which of them is never said
 * - `too-long`: more bytes were asked for, or handed in, than the method can serve
 */
export type CryptoErrorCode = 'unsupported' | 'invalid' | 'missing-iv' | 'bad-tag-length' | 'failed' | 'too-long'

export class CryptoError extends Error {
  override readonly name = 'CryptoError'
  readonly code: CryptoErrorCode

  constructor(code: CryptoErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** The `failed` error: one text for every way in which protected data may not check, so that none can be told from another. */
export const failure = (cause?: unknown): CryptoError =>
  new CryptoError('failed', 'the data does not check under this key and these parameters', cause === undefined ? {} : { cause })

/** Look up `name` in `table`, or refuse it as unsupported. @param what the KMIP field, for the message */
export function lookup<T>(table: Readonly<Record<string, T>>, name: string | undefined, what: string): T {
  if (name === undefined) throw new CryptoError('invalid', `${what} is needed and was not given`)
  const row = Object.hasOwn(table, name) ? table[name] : undefined
  if (row === undefined) throw new CryptoError('unsupported', `${what} ${name} is not supported`)
  return row
}
