import { readAuthorities } from '../http/authorities.ts'
import { OutgoingError } from '../http/outgoing.ts'
import { type Done, type EntrustOptions, EntrustRefusal, EntrustSession, type Fields } from './entrust-session.ts'
import { type KeyPage, type KeyStore, KeyStoreError, type KeyStoreErrorCode, type StoredKey } from './keystore.ts'
import { pageOf } from './names.ts'
import { fromBase64, readStoredKey, writeStoredKey } from './stored-key.ts'

const PAGE = 256
/** Pages of a list at most: 25 million names. A server that never ends its list would keep us for ever. */
const MOST_PAGES = 100_000

/** A box of Entrust KeyControl's PASM vault, each key a secret of its own, as KES keeps them there. */
export class EntrustKeyStore implements KeyStore {
  readonly description: string
  readonly #session: EntrustSession
  readonly #box: string
  #isClosed = false

  private constructor(options: EntrustOptions) {
    const { endpoint, boxId } = options.settings
    this.#session = new EntrustSession(options)
    this.#box = boxId
    this.description = `Entrust KeyControl: ${endpoint} box ${boxId}`
  }

  /**
   * Logs in. A server that does not answer is no reason not to start: it is asked again when a key is wanted.
   * @throws KeyStoreError `unavailable` when the login is refused; AuthoritiesError
   */
  static async open(options: EntrustOptions): Promise<EntrustKeyStore> {
    const ca = options.settings.tls?.ca
    const store = new EntrustKeyStore({ ...options, ...(ca !== undefined && { authorities: readAuthorities(ca) }) })
    try {
      await store.#doing('log in', () => store.#session.open())
    } catch (error) {
      if (error instanceof KeyStoreError && error.code === 'unreachable') return store
      await store.close()
      throw error
    }
    return store
  }

  async create(name: string, key: StoredKey): Promise<void> {
    const value = Buffer.from(writeStoredKey(key)).toString('base64')
    await this.#doing(`create ${name}`, async () => {
      try {
        await this.#call('CreateSecret', { name, secret_data: value })
      } catch (error) {
        if (!isRefusal(error, 409, /already exists/i)) throw error
        // Who asked twice because the first answer was lost may find the key that it made itself.
        if (error.doubtful && (await this.#value(name)) === value) return
        throw this.#error('exists', `there is a secret ${name}`, error)
      }
    })
  }

  async get(name: string): Promise<StoredKey> {
    return this.#doing(`read ${name}`, async () => {
      const value = await this.#value(name)
      const bytes = typeof value === 'string' ? fromBase64(value) : undefined
      if (bytes === undefined) throw this.#error('damaged', `${name}: the secret is no base64`)
      return readStoredKey(bytes, `${this.description}: ${name}`)
    })
  }

  async delete(name: string): Promise<void> {
    await this.#doing(`delete ${name}`, async () => {
      try {
        await this.#call('DeleteSecret', { secret_id: name })
      } catch (error) {
        if (!isRefusal(error, 404, NOT_FOUND)) throw error
        if (!error.doubtful) throw this.#error('not-found', `there is no secret ${name}`, error)
      }
    })
  }

  /** Secrets that have expired are left out, as KES does: they cannot be had. */
  async list(prefix: string, page: { readonly after?: string; readonly limit: number }): Promise<KeyPage> {
    return this.#doing('list the secrets', async () => pageOf(await this.#names(), prefix, page))
  }

  async status(): Promise<number> {
    const began = performance.now()
    await this.#doing('look at the box', () => this.#call('GetBox', {}))
    return performance.now() - began
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#session.close()
  }

  async #value(name: string): Promise<unknown> {
    try {
      return (await this.#call('CheckoutSecret', { secret_id: name })).fields.secret_data
    } catch (error) {
      if (!isRefusal(error, 404, NOT_FOUND)) throw error
      throw this.#error('not-found', `there is no secret ${name}`, error)
    }
  }

  async #names(): Promise<string[]> {
    const names: string[] = []
    let token: unknown
    for (let pages = 0; pages < MOST_PAGES; pages++) {
      const { fields } = await this.#call('ListSecretIds', { max_items: PAGE, ...(token !== undefined && { next_token: token }) })
      const secrets = field(fields, 'secrets') ?? []
      if (!Array.isArray(secrets)) throw this.#error('unavailable', 'the list of secrets is none')
      for (const secret of secrets as readonly unknown[]) {
        const { name, expired } = (typeof secret === 'object' && secret !== null ? secret : {}) as Fields
        if (typeof name === 'string' && expired !== true) names.push(name)
      }
      const next = field(fields, 'next_token')
      if (next === undefined || next === null || next === '') return names
      if (next === token) throw this.#error('unavailable', 'the list of secrets goes in a circle')
      token = next
    }
    throw this.#error('unavailable', 'the list of secrets does not end')
  }

  #call(name: string, body: Fields): Promise<Done> {
    return this.#session.call(name, { box_id: this.#box, ...body })
  }

  async #doing<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw this.#error('closed', 'the key store is closed')
    try {
      return await act()
    } catch (error) {
      if (error instanceof OutgoingError) throw this.#error(CODES[error.code] ?? 'unreachable', `cannot ${what}: ${error.message}`, error)
      if (error instanceof EntrustRefusal) throw this.#error('unavailable', `cannot ${what}: ${error.message}`, error)
      throw error
    }
  }

  #error(code: KeyStoreErrorCode, message: string, cause?: Error): KeyStoreError {
    return new KeyStoreError(code, `${this.description}: ${message}`, { cause })
  }
}

const NOT_FOUND = /secret not found/i
/** What is not said of the network. */
const CODES: { readonly [code: string]: KeyStoreErrorCode } = {
  closed: 'closed',
  busy: 'unavailable',
  malformed: 'unavailable',
  'too-large': 'unavailable',
}

/** Status and text have to agree: a proxy, or a box that is not there, says 404 as well. */
const isRefusal = (error: unknown, status: number, text: RegExp): error is EntrustRefusal =>
  error instanceof EntrustRefusal && error.status === status && text.test(error.text)

/** Recorded answers write the first letter of a field large or small. */
const field = (fields: Fields, name: string): unknown => fields[name] ?? fields[name[0]?.toUpperCase() + name.slice(1)]
