export type VaultErrorCode =
  | 'unreachable'
  | 'tls'
  | 'sealed'
  | 'not-active'
  | 'unavailable'
  | 'quota'
  | 'in-doubt'
  | 'conflict'
  | 'cas-required'
  | 'permission-denied'
  | 'not-found'
  | 'too-large'
  | 'invalid-request'
  | 'damaged'
  | 'version-refused'
  | 'key-missing'
  | 'login-refused'
  | 'secret-opened'
  | 'configuration'
  | 'malformed'
  | 'busy'
  | 'aborted'
  | 'closed'

interface Details {
  readonly status?: number
  readonly retryAfterMs?: number
}

/** What time can cure: the same request may be made again. */
const PASSING: ReadonlySet<VaultErrorCode> = new Set(['unreachable', 'tls', 'sealed', 'not-active', 'unavailable', 'quota', 'busy'])

/**
 * Why Vault did not do what it was asked.
 *
 * | code | meaning |
 * |---|---|
 * | `unreachable`, `tls` | nobody answers, or not in time; no secure connection. The request was not done, or does no harm when done twice |
 * | `sealed` | sealed, or not initialised |
 * | `not-active` | no leader, or not this one; fail-over; replication that is behind |
 * | `unavailable` | an internal error of the server |
 * | `quota` | too many requests; `retryAfterMs` when the server says so |
 * | `in-doubt` | a write without an answer: it may have happened. Read the place before trying again |
 * | `conflict` | check-and-set found another version, or something where nothing should be |
 * | `cas-required` | the mount demands check-and-set |
 * | `permission-denied` | the token lives, its policy does not allow it; the message names the path |
 * | `not-found` | nothing there |
 * | `too-large` | the value is over the server's limit; never to be retried |
 * | `damaged` | transit: this is not what the key has encrypted |
 * | `version-refused` | transit: encrypted with a key version below `min_decryption_version` |
 * | `key-missing` | transit: no such key |
 * | `login-refused` | the credential is dead or has no right; not used again for some minutes unless it changes |
 * | `secret-opened` | the wrapping token of the secret id was used: if not by us, by somebody who should not have it |
 * | `configuration` | no such mount or namespace, namespaces that the server ignores, a token with a limited number of uses |
 * | `invalid-request` | refused for another reason, with the server's words |
 * | `malformed` | an answer that is none of Vault's |
 * | `busy`, `aborted`, `closed` | too many requests wait; the caller's signal; after `close` |
 *
 * The message names method and path, both ours. Nothing in it, nor in any field, is a token, a secret or a value.
 */
export class VaultError extends Error {
  override readonly name = 'VaultError'
  readonly code: VaultErrorCode
  /** HTTP status, if there was an answer. */
  readonly status?: number
  readonly retryAfterMs?: number
  constructor(code: VaultErrorCode, message: string, { status, retryAfterMs }: Details = {}) {
    super(message)
    this.code = code
    if (status !== undefined) this.status = status
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs
  }

  /** Whether time alone can cure it. */
  get passing(): boolean {
    return PASSING.has(this.code)
  }
}
