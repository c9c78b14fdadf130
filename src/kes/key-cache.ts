import { type KeyStore, KeyStoreError, type StoredKey } from '../keystore/keystore.ts'

/** How long keys are kept in memory; milliseconds, 0: not at all. */
export interface CacheSettings {
  /** Whatever happens. */
  readonly anyMs: number
  /** Without being used; 0: that does not count. */
  readonly unusedMs: number
  /** Beyond that while the key store cannot be reached or does not answer as it should. */
  readonly offlineMs: number
}

interface Entry {
  readonly key: StoredKey
  readonly fetchedMs: number
  usedMs: number
}

const CHECK_MS = 1000

/** The keys of a store that were used lately. A key that is missing is asked for anew each time. */
export class KeyCache {
  readonly store: KeyStore
  readonly #settings: CacheSettings
  readonly #now: () => number
  readonly #entries = new Map<string, Entry>()
  readonly #fetches = new Map<string, Promise<StoredKey>>()
  readonly #timer: NodeJS.Timeout
  /** Since when the store fails. */
  #failingSinceMs: number | undefined
  #isProbing = false

  constructor(store: KeyStore, settings: CacheSettings, now: () => number) {
    this.store = store
    this.#settings = settings
    this.#now = now
    this.#timer = setInterval(() => this.#sweep(), CHECK_MS).unref()
  }

  /** @throws KeyStoreError */
  get(name: string): StoredKey | Promise<StoredKey> {
    if (this.store.isCurrent) return this.store.get(name)
    const entry = this.#entries.get(name)
    if (entry !== undefined) {
      const nowMs = this.#now()
      const isFresh = this.#isFresh(entry, nowMs)
      if (isFresh || this.#isOffline()) {
        if (!isFresh) this.#probe(name)
        entry.usedMs = nowMs
        return entry.key
      }
    }
    return this.#fetch(name)
  }

  /** @throws KeyStoreError */
  async create(name: string, key: StoredKey): Promise<void> {
    await this.#watched(() => this.store.create(name, key))
    this.forget(name)
  }

  /** @throws KeyStoreError */
  async delete(name: string): Promise<void> {
    try {
      await this.#watched(() => this.store.delete(name))
    } finally {
      this.forget(name)
    }
  }

  /** The key may be another one now, or none: ask the store, and not by a question that is already on its way. */
  forget(name: string): void {
    this.#entries.delete(name)
    this.#fetches.delete(name)
  }

  /** Milliseconds that the store took to answer. @throws KeyStoreError */
  status(): Promise<number> {
    return this.#watched(() => this.store.status())
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#entries.clear()
    await this.store.close()
  }

  #isFresh({ fetchedMs, usedMs }: Entry, nowMs: number): boolean {
    const { anyMs, unusedMs } = this.#settings
    return nowMs - fetchedMs < anyMs && (unusedMs === 0 || nowMs - usedMs < unusedMs)
  }

  /** Requests that want the same key at the same time wait for one answer. */
  #fetch(name: string): Promise<StoredKey> {
    const running = this.#fetches.get(name)
    if (running !== undefined) return running
    const fetch: Promise<StoredKey> = this.#read(name, () => this.#fetches.get(name) === fetch).finally(() => {
      if (this.#fetches.get(name) === fetch) this.#fetches.delete(name)
    })
    this.#fetches.set(name, fetch)
    return fetch
  }

  /** See whether a store that failed answers again. Nobody waits for it: a store tries for seconds before it says that it cannot. */
  #probe(name: string): void {
    if (this.#isProbing) return
    this.#isProbing = true
    const done = (): void => {
      this.#isProbing = false
    }
    // What goes wrong here is kept with the key or the store, and told to who asks next.
    this.#fetch(name).then(done, done)
  }

  /** @param isCurrent whether the key was not deleted meanwhile */
  async #read(name: string, isCurrent: () => boolean): Promise<StoredKey> {
    try {
      const key = await this.#watched(() => this.store.get(name))
      const nowMs = this.#now()
      if (this.#settings.anyMs > 0 && isCurrent()) this.#entries.set(name, { key, fetchedMs: nowMs, usedMs: nowMs })
      return key
    } catch (error) {
      const entry = this.#entries.get(name)
      if (isFailing(error) && entry !== undefined && this.#isOffline()) {
        entry.usedMs = this.#now()
        return entry.key
      }
      if (!isFailing(error)) this.#entries.delete(name)
      throw error
    }
  }

  /** Within the time that keys of a failing store are served. */
  #isOffline(): boolean {
    return this.#failingSinceMs !== undefined && this.#now() - this.#failingSinceMs < this.#settings.offlineMs
  }

  async #watched<T>(ask: () => Promise<T>): Promise<T> {
    try {
      const answer = await ask()
      this.#failingSinceMs = undefined
      return answer
    } catch (error) {
      if (isFailing(error)) this.#failingSinceMs ??= this.#now()
      else this.#failingSinceMs = undefined
      throw error
    }
  }

  /** Forget what is served no more. What has only expired is kept as long as an outage that begins now would need it. */
  #sweep(): void {
    const nowMs = this.#now()
    const { offlineMs } = this.#settings
    for (const [name, entry] of this.#entries)
      if (!this.#isFresh(entry, nowMs) && !this.#isOffline() && !this.#isFresh({ ...entry, ...shifted(entry, offlineMs) }, nowMs))
        this.#entries.delete(name)
  }
}

const shifted = ({ fetchedMs, usedMs }: Entry, byMs: number) => ({ fetchedMs: fetchedMs + byMs, usedMs: usedMs + byMs })

const isFailing = (error: unknown): boolean =>
  error instanceof KeyStoreError && (error.code === 'unreachable' || error.code === 'unavailable')
