/** As the store's `Page`, in clear. */
export interface RecordPage {
  readonly before?: number
  readonly limit: number
  readonly marks?: readonly string[]
}

/** A record in clear. The caller must not change `body`. */
export interface Record {
  readonly revision: number
  readonly body: Buffer
}

/** One change of one record, in clear; fields as in the store's `Change`. */
export interface RecordChange {
  readonly partition: string
  readonly id: string
  readonly expect: number
  readonly body?: Buffer
  readonly terms?: readonly string[]
  readonly claims?: readonly string[]
  readonly keepsTerms?: boolean
}

export interface FoundRecord {
  readonly id: string
  readonly sequence: number
  readonly mark?: number | null
}

/**
 * Records above the seal: what the rest of kmipd reads and writes. Each body is sealed for its place, each term blinded,
 * before the store sees it. Partition and identifier stand in the store in clear, so they shall be identifiers without meaning (a
 * scope's id, an object's UUID), never names that a client gave. Who can write the database can still put back an older state of a
 * record, or of all. `test/seal/records.test.ts` holds the promises.
 */
export interface Records {
  /** @throws SealError `damaged` if the record does not open with our keys at this place */
  get(partition: string, id: string): Promise<Record | undefined>
  revision(partition: string, id: string): Promise<number>
  find(partition: string, terms: readonly string[], page: RecordPage): Promise<FoundRecord[]>
  /** All or nothing, durable when the promise is kept. @throws StoreError `conflict` */
  commit(changes: readonly RecordChange[]): Promise<void>
  /** As the store's: another number whenever anything may have changed. */
  version(): number
  /** As the store's: to be awaited before a request that came from outside is looked at. */
  settle?(): Promise<void> | undefined
  /** As the store's. */
  problem?(): string | undefined
  close(): Promise<void>
}
