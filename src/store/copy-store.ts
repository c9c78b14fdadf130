import { openReading, type SqliteStore } from './sqlite.ts'
import { type Change, type Found, type Page, type Sealed, type Store, StoreError, storeClosed } from './store.ts'
import type { SharedCopy, StoreOwner } from './store-owner.ts'

export interface CopyStoreOptions extends Required<StoreOwner> {
  /** As the owner has it: what was committed elsewhere may be seen so much later; 0: at once. */
  readonly stalenessMs: number
}

/** A store of which another process keeps the copy: that is read here, and the other process writes, and looks whether anything is new. */
export class CopyStore implements Store {
  readonly #options: CopyStoreOptions
  readonly #copy: SharedCopy
  #reads: SqliteStore
  /** Versions of the files before this one. */
  #passed = 0
  #look: Promise<void> | undefined
  #lookedMs = Number.NEGATIVE_INFINITY
  /** The store cannot be used any more. */
  #failure: StoreError | undefined

  /** @throws StoreError */
  constructor(options: CopyStoreOptions) {
    this.#options = options
    this.#copy = options.copy
    this.#reads = openReading(this.#copy.path, this.#writer)
    this.#copy.onMove(path => this.#move(path))
  }

  async get(partition: string, id: string): Promise<Sealed | undefined> {
    this.#checkUsable()
    return this.#reads.get(partition, id)
  }

  async revision(partition: string, id: string): Promise<number> {
    this.#checkUsable()
    return this.#reads.revision(partition, id)
  }

  async find(partition: string, terms: readonly Buffer[], page: Page): Promise<Found[]> {
    this.#checkUsable()
    return this.#reads.find(partition, terms, page)
  }

  async commit(changes: readonly Change[]): Promise<void> {
    this.#checkUsable()
    await this.#reads.commit(changes)
  }

  version(): number {
    this.#checkUsable()
    return this.#passed + this.#reads.version()
  }

  settle(): Promise<void> | undefined {
    if (this.#failure) return undefined
    const { stalenessMs } = this.#options
    if (stalenessMs > 0 && performance.now() - this.#lookedMs < stalenessMs) return undefined
    // All that is judged in one go shares a question, which leaves at its end.
    this.#look ??= Promise.resolve().then(() => {
      this.#look = undefined
      return this.#lookNow()
    })
    return this.#look
  }

  /** Whether Vault can be reached the owner knows, who looks also when nobody asks. */
  problem(): string | undefined {
    return this.#failure?.message
  }

  async close(): Promise<void> {
    this.#failure ??= storeClosed()
    await this.#options.writer.close()
    await this.#reads.close()
  }

  async #lookNow(): Promise<void> {
    const began = performance.now()
    try {
      this.#lookedMs = Math.max(this.#lookedMs, began - (await this.#copy.look()))
    } catch (e) {
      if (e instanceof StoreError && e.code === 'damaged') this.#failure ??= e
      throw e
    }
  }

  #move(path: string): void {
    if (this.#failure) return
    const before = this.#reads
    this.#reads = openReading(path, this.#writer)
    this.#passed += before.version() + 1
    void before.close()
  }

  #checkUsable(): void {
    if (this.#failure) throw this.#failure
  }

  /** Each file is closed without it. */
  get #writer() {
    const { writer } = this.#options
    return { commit: (changes: readonly Change[]) => writer.commit(changes), close: async () => undefined }
  }
}
