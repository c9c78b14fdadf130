/** A record as it is stored: sealed above this layer, opaque here. */
export interface Sealed {
  /** 1 at the first commit, +1 at each later one. */
  readonly revision: number
  readonly body: Buffer
}

/** One change of one record: all that the record is afterwards. A commit changes a record once. */
export interface Change {
  /** Whose record it is: a scope, or the administration. Opaque; stands in the store in clear, as `id` does. */
  readonly partition: string
  readonly id: string
  /** The revision that must be stored now; 0: there must be none. Together with no `body` that is a mere condition. */
  readonly expect: number
  /** The new content; absent: delete the record with its terms and claims. */
  readonly body?: Buffer
  /** Blinded index terms, replacing the old ones; absent: none. */
  readonly terms?: readonly Buffer[]
  /**
   * Terms too, that this record alone may claim in its partition, replacing the old ones; absent: none. The commit fails while another
   * record claims one, save one that lets it go in the same commit; that others carry it as a plain term does not matter.
   */
  readonly claims?: readonly Buffer[]
  /** The record keeps the terms and claims that it has, and none are given: the index need not be looked at. A new record has none to keep. */
  readonly keepsTerms?: boolean
}

export interface Page {
  /** Return only what is older than this `sequence`, to go on after an earlier page. */
  readonly before?: number
  readonly limit: number
  /** Tell for each record which of these terms it carries: the first of them that it does. */
  readonly marks?: readonly Buffer[]
}

export interface Found {
  readonly id: string
  /** Grows with each record that is made in the store; kept for the life of the record. */
  readonly sequence: number
  /** Place in `marks` of the first that the record carries; nothing: none, or none were given. */
  readonly mark?: number | null
}

export type StoreErrorCode = 'conflict' | 'unavailable' | 'damaged' | 'closed'

/**
 * `conflict`: a revision was not the expected one or a claim is taken, and nothing was changed; read again and retry.
 * `unavailable`: the store cannot be used, for a reason that its operator can remove. `damaged`: its content is not what was written.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What every call fails with after `close`. */
export const storeClosed = (): StoreError => new StoreError('closed', 'the store is closed')

/** Whether a commit failed because another one was faster: who made it may look again and try anew. */
export const isConflict = (error: unknown): boolean => error instanceof StoreError && error.code === 'conflict'

/**
 * Where records live. It knows nothing of KMIP or of keys. A promise is kept only when the change is durable.
 * A backend is finished when it passes `test/store/contract.ts`.
 */
export interface Store {
  get(partition: string, id: string): Promise<Sealed | undefined>
  /** The revision that is stored now, 0 if there is none: the cheap check of a cached copy. */
  revision(partition: string, id: string): Promise<number>
  /** Records that carry all `terms` (none: all of the partition), newest first. Put the rarest term first. */
  find(partition: string, terms: readonly Buffer[], page: Page): Promise<Found[]>
  /** All or nothing. @throws StoreError */
  commit(changes: readonly Change[]): Promise<void>
  /** A number that is another one whenever anything may have changed since it was last read, by whatever process. Cheap. */
  version(): number
  /**
   * Where a store has nodes on several machines: after it, all else here sees what was committed before its call, on whatever node, as far
   * as the store is set up to promise that. Nothing is returned when there is nothing to wait for. Without it, all else here sees that anyway.
   * @throws StoreError `unavailable`: nobody knows what was committed, so nothing may be answered
   */
  settle?(): Promise<void> | undefined
  /** Why reads or writes fail at the moment, for the operator; nothing while all is well. */
  problem?(): string | undefined
  close(): Promise<void>
}
