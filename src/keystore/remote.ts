import { type KeyPage, type KeyStore, KeyStoreError, type KeyStoreErrorCode, type StoredKey } from './keystore.ts'

/** What a key store in another process is asked. */
export type StoreCall =
  | { readonly ask: 'create'; readonly name: string; readonly key: StoredKey }
  | { readonly ask: 'get' | 'delete'; readonly name: string }
  | { readonly ask: 'list'; readonly prefix: string; readonly after?: string; readonly limit: number }
  | { readonly ask: 'status' }

/** What it says to that, or how it failed. */
export type StoreAnswer = { readonly value: unknown } | { readonly code: KeyStoreErrorCode; readonly message: string }

/**
 * A key store that another process has open, so that it is opened once however many processes serve its keys: one login, one who writes, and
 * keys in memory are the same for all.
 */
export class RemoteKeyStore implements KeyStore {
  readonly description: string
  readonly #call: (call: StoreCall) => Promise<StoreAnswer>
  #isClosed = false

  constructor(description: string, call: (call: StoreCall) => Promise<StoreAnswer>) {
    this.description = description
    this.#call = call
  }

  async create(name: string, key: StoredKey): Promise<void> {
    await this.#ask({ ask: 'create', name, key })
  }

  async get(name: string): Promise<StoredKey> {
    const { key, hmacKey, ...rest } = (await this.#ask({ ask: 'get', name })) as StoredKey
    // Bytes that came in a message are a part of it.
    return { ...rest, key: Buffer.from(key), ...(hmacKey && { hmacKey: Buffer.from(hmacKey) }) }
  }

  async delete(name: string): Promise<void> {
    await this.#ask({ ask: 'delete', name })
  }

  async list(prefix: string, page: { readonly after?: string; readonly limit: number }): Promise<KeyPage> {
    return (await this.#ask({ ask: 'list', prefix, ...page })) as KeyPage
  }

  async status(): Promise<number> {
    return (await this.#ask({ ask: 'status' })) as number
  }

  /** The store itself is closed by the process that opened it. */
  async close(): Promise<void> {
    this.#isClosed = true
  }

  async #ask(call: StoreCall): Promise<unknown> {
    if (this.#isClosed) throw new KeyStoreError('closed', `${this.description}: the key store is closed`)
    const answer = await this.#call(call)
    if ('code' in answer) throw new KeyStoreError(answer.code, answer.message)
    return answer.value
  }
}

/** The other side: put to the store what was asked. */
export async function answerStoreCall(store: KeyStore, call: StoreCall): Promise<StoreAnswer> {
  try {
    return { value: await ask(store, call) }
  } catch (error) {
    if (!(error instanceof KeyStoreError)) throw error
    return { code: error.code, message: error.message }
  }
}

function ask(store: KeyStore, call: StoreCall): Promise<unknown> {
  switch (call.ask) {
    case 'create':
      return store.create(call.name, call.key)
    case 'get':
      return store.get(call.name)
    case 'delete':
      return store.delete(call.name)
    case 'list': {
      const { prefix, after, limit } = call
      return store.list(prefix, { limit, ...(after !== undefined && { after }) })
    }
    case 'status':
      return store.status()
  }
}
