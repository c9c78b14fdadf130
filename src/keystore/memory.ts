import type { KeyPage, KeyStore } from './keystore.ts'
import { KeyStoreError, type StoredKey } from './keystore.ts'
import { pageOf } from './names.ts'

/** Keys that are gone with the process, for trying out. */
export class MemoryKeyStore implements KeyStore {
  readonly description = 'In Memory'
  readonly #keys = new Map<string, StoredKey>()
  #isClosed = false

  async create(name: string, key: StoredKey): Promise<void> {
    this.#ensureOpen()
    if (this.#keys.has(name)) throw new KeyStoreError('exists', `in memory: there is a key ${name} already`)
    this.#keys.set(name, { ...key })
  }

  async get(name: string): Promise<StoredKey> {
    this.#ensureOpen()
    const key = this.#keys.get(name)
    if (key === undefined) throw notFound(name)
    return { ...key }
  }

  async delete(name: string): Promise<void> {
    this.#ensureOpen()
    if (!this.#keys.delete(name)) throw notFound(name)
  }

  async list(prefix: string, page: { readonly after?: string; readonly limit: number }): Promise<KeyPage> {
    this.#ensureOpen()
    return pageOf(this.#keys.keys(), prefix, page)
  }

  async status(): Promise<number> {
    this.#ensureOpen()
    return 0
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  #ensureOpen(): void {
    if (this.#isClosed) throw new KeyStoreError('closed', 'in memory: the key store is closed')
  }
}

const notFound = (name: string): KeyStoreError => new KeyStoreError('not-found', `in memory: there is no key ${name}`)
