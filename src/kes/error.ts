/** What a client reads when its request fails: a status and a text. The texts are KES's; its clients compare them. */
export class KesError extends Error {
  override readonly name = 'KesError'
  readonly code = 'kes'
  readonly status: number
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

const error =
  (status: number, message: string) =>
  (cause?: unknown): KesError =>
    new KesError(status, message, { cause })

export const keyExists = error(400, 'key already exists')
export const keyNotFound = error(404, 'key does not exist')
export const notAllowed = error(403, 'not authorized: insufficient permissions')
export const notAuthentic = error(400, 'decryption failed: ciphertext is not authentic')
export const invalidBody = error(400, 'invalid request body')
export const invalidImport = error(400, 'invalid import key request body')
export const policyNotFound = error(404, 'policy does not exist')
export const identityNotFound = error(404, 'identity does not exist')
export const certificateRequired = error(400, 'tls: client certificate is required')
export const severalCertificates = error(400, 'tls: received more than one client certificate')
export const notReachable = error(504, 'key store is not reachable')
export const notAvailable = error(502, 'key store is unavailable')

/** What releases before 2022 said instead. A MinIO of that time knows only these. */
const OLD_TEXTS: { readonly [text: string]: string } = {
  'key already exists': 'key does already exist',
  'not authorized: insufficient permissions': 'prohibited by policy',
  'decryption failed: ciphertext is not authentic': 'ciphertext is not authentic',
  'invalid request body': 'invalid json',
  'invalid import key request body': 'invalid json',
}
export const oldText = (text: string): string => OLD_TEXTS[text] ?? (/^key name '/.test(text) ? 'invalid key name' : text)
