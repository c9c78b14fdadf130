/** A key of the KES door, in clear. */
export interface StoredKey {
  readonly algorithm: 'AES256' | 'ChaCha20'
  /** 32 bytes. */
  readonly key: Buffer
  /** 32 bytes, for HMAC-SHA256; absent: stored before KES had HMAC keys. */
  readonly hmacKey?: Buffer
  /** Nanoseconds since 1970; absent: stored before KES kept it. */
  readonly createdAtNs?: bigint
  /** The identity that made it: hexadecimal digits, or any text of older files. */
  readonly createdBy?: string
}

export type KeyStoreErrorCode = 'exists' | 'not-found' | 'unreachable' | 'unavailable' | 'damaged' | 'closed'

/**
 * `exists`, `not-found`: said by the store itself, never guessed from a failure. `unreachable`: nobody answers, or it is sealed.
 * `unavailable`: it answers that it cannot. `damaged`: the value is no key that any release of KES wrote. The message is for the log; it
 * names the store and the key, and holds no secret.
 */
export class KeyStoreError extends Error {
  override readonly name = 'KeyStoreError'
  readonly code: KeyStoreErrorCode
  constructor(code: KeyStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface KeyPage {
  /** Sorted by code unit, none empty. */
  readonly names: readonly string[]
  /** Give it as `after` for the rest; absent: there is no more. */
  readonly after?: string
}

/**
 * Where the keys of the KES door live. Names have passed KES's own check (1 to 80 of `0-9 A-Z a-z - _`). Keys are never overwritten.
 * A key store is finished when it passes `test/keystore/contract.ts`.
 */
export interface KeyStore {
  /** What it is and where, without secrets, for people: `Filesystem: /var/keys`. */
  readonly description: string
  /**
   * `get` is quick and says what is true at that moment, so that a key which was revoked meanwhile is gone at once: keep no cache of keys
   * above it. It answers with the same object as long as the key is the same.
   */
  readonly isCurrent?: boolean
  /** Durable when the promise is kept. @throws KeyStoreError `exists` */
  create(name: string, key: StoredKey): Promise<void>
  /** @throws KeyStoreError `not-found`, `damaged` */
  get(name: string): Promise<StoredKey>
  /** @throws KeyStoreError `not-found`, save where the backend cannot tell */
  delete(name: string): Promise<void>
  /** Names that start with `prefix` and come after `after`, at most `limit`. */
  list(prefix: string, page: { readonly after?: string; readonly limit: number }): Promise<KeyPage>
  /** @returns milliseconds that the store took to answer. @throws KeyStoreError `unreachable`, `unavailable` */
  status(): Promise<number>
  close(): Promise<void>
}
