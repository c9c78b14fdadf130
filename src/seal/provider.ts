/**
 * Who can wrap the root key: a local key, a passphrase, a key in a transit engine. Several may have wrapped the same root key, and any
 * one of them opens it.
 */
export interface KeyProvider {
  /** What it is, such as `local`; stands in the store in clear. */
  readonly kind: string
  /** Which key it uses, without telling the key: a fingerprint, or server and key name. Stands in the store in clear. */
  readonly key: string
  /**
   * @param rootKey 32 bytes, the caller's: not kept and not changed
   * @param context bound to the result; `unwrap` must be given the same
   * @returns a text that only this provider can open
   */
  wrap(rootKey: Buffer, context: Buffer): Promise<string>
  /**
   * @returns the root key in a buffer of its own, for the caller to zero
   * @throws SealError `damaged`: the text or context is not what was wrapped; `away`, `refused`: its server, which may change its mind
   */
  unwrap(wrapped: string, context: Buffer): Promise<Buffer>
  /**
   * Wrap what is wrapped anew with the newest version of the same key; the root key does not leave the provider. Absent: it has no versions.
   * @returns nothing if it is of the newest version already
   */
  rewrap?(wrapped: string, context: Buffer): Promise<string | undefined>
  /** The version of its key that is needed to unwrap. Absent: it has no versions. */
  keyVersion?(wrapped: string): number
  /** End what it has open. */
  close?(): void
}
