import { type CallOptions, connectVault, type VaultClient, type VaultOptions } from '../vault/client.ts'
import { VaultError, type VaultErrorCode } from '../vault/errors.ts'
import type { Kv } from '../vault/kv.ts'
import type { Login, Secret } from '../vault/logins.ts'
import type { VaultEvent } from '../vault/session.ts'
import type { Transit } from '../vault/transit.ts'
import { type KeyPage, type KeyStore, KeyStoreError, type KeyStoreErrorCode, type StoredKey } from './keystore.ts'
import { pageOf } from './names.ts'
import type { VaultSettings } from './settings.ts'
import { readStoredKey, writeStoredKey } from './stored-key.ts'

export interface VaultKeyStoreOptions {
  readonly settings: VaultSettings
  /** For one call, its repetitions included. Default 5 s: shorter than clients of KES wait. */
  readonly deadlineMs?: number
  /** How long the start waits for Vault before it goes on without. Default 3 s. */
  readonly startMs?: number
  /** Of the login: for the log. */
  readonly onEvent?: (event: VaultEvent) => void
}

/** KES reads this version of an entry of KV v2, whatever was written over it. */
const FIRST_VERSION = 1
/** `vault:v1:`, and every version after a rotation of the transit key. */
const ENCRYPTED = /^vault:v\d+:/
/** Only the active server is asked: one that lags behind would say that a new key is not there. */
const FRESH = { fresh: true } as const

/**
 * A KV secrets engine of Vault or OpenBao, each key an entry with one field that has the key's name, as KES writes it; with transit, the
 * value is encrypted by Vault once more. Works beside KES on the same entries.
 */
export class VaultKeyStore implements KeyStore {
  readonly description: string
  readonly #settings: VaultSettings
  readonly #client: VaultClient
  readonly #transit: Transit | undefined
  readonly #deadlineMs: number
  #engine: Promise<Kv> | undefined
  /** Names that are being created here: KV v1 cannot tell apart who was first. */
  readonly #creating = new Map<string, Promise<void>>()
  #isClosed = false

  private constructor(settings: VaultSettings, client: VaultClient, deadlineMs: number) {
    const { endpoint, engine, version, namespace, prefix, transit } = settings
    this.#settings = settings
    this.#client = client
    this.#deadlineMs = deadlineMs
    this.#transit = transit && client.transit(transit.engine)
    const place = [namespace, engine, prefix].filter(part => part !== undefined && part !== '').join('/')
    this.description = `Hashicorp Vault: ${endpoint} ${version} ${place}${transit ? `, transit key ${transit.key}` : ''}`
  }

  /**
   * That Vault is away, sealed or without a leader is no reason not to start: it is asked again when a key is wanted.
   * @throws KeyStoreError `unavailable` for what time does not cure: a refused login, no such engine, or one of another version
   */
  static async open({ settings, deadlineMs = 5_000, startMs = 3_000, onEvent }: VaultKeyStoreOptions): Promise<VaultKeyStore> {
    const client = await connect(settings, deadlineMs, onEvent)
    const store = new VaultKeyStore(settings, client, deadlineMs)
    try {
      await store.#doing('open the engine', async () => {
        await client.ready({ deadlineMs: startMs })
        await store.#kv({ deadlineMs: startMs })
      })
    } catch (error) {
      if (error instanceof KeyStoreError && error.code === 'unreachable') return store
      await store.close()
      throw error
    }
    return store
  }

  async create(name: string, key: StoredKey): Promise<void> {
    await this.#doing(`create ${name}`, async () => {
      const earlier = this.#creating.get(name)
      const made = (async () => {
        await earlier?.catch(() => undefined)
        await this.#create(name, key)
      })()
      this.#creating.set(name, made)
      try {
        await made
      } finally {
        if (this.#creating.get(name) === made) this.#creating.delete(name)
      }
    })
  }

  async get(name: string): Promise<StoredKey> {
    return this.#doing(`read ${name}`, async () => {
      const value = await this.#value(name)
      if (value === undefined) throw this.#error('not-found', `there is no entry ${name}`)
      return readStoredKey(await this.#decrypted(value, name), `${this.description}: ${name}`)
    })
  }

  /** Vault does not say whether there was a key; KES answers that it is done. */
  async delete(name: string): Promise<void> {
    await this.#doing(`delete ${name}`, async () => {
      const kv = await this.#kv()
      await kv.remove(name, this.#limits)
    })
  }

  async list(prefix: string, page: { readonly after?: string; readonly limit: number }): Promise<KeyPage> {
    return this.#doing('list the keys', async () => {
      const kv = await this.#kv()
      return pageOf(await kv.list('', { ...this.#limits, ...FRESH }), prefix, page)
    })
  }

  async status(): Promise<number> {
    const began = performance.now()
    return this.#doing('look at Vault', async () => {
      const { ready, code, reason } = await this.#client.ping()
      const tookMs = performance.now() - began
      if (!ready) throw new VaultError(code ?? 'unreachable', reason ?? 'Vault is not ready')
      return tookMs
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#client.close()
  }

  get #limits(): CallOptions {
    return { deadlineMs: this.#deadlineMs }
  }

  /** The engine, once it was seen that it is there and of the version that the configuration says: on another one, no key is ever found. */
  async #kv(options: CallOptions = this.#limits): Promise<Kv> {
    this.#engine ??= this.#findEngine(options).catch((error: unknown) => {
      this.#engine = undefined
      throw error
    })
    return this.#engine
  }

  async #findEngine(options: CallOptions): Promise<Kv> {
    const { engine, version, prefix = '' } = this.#settings
    const kv = await this.#client.kv(engine, { ...options, folder: prefix })
    if (`v${kv.version}` === version) return kv
    throw this.#error('unavailable', `the engine ${engine} is of version v${kv.version}, and the configuration says ${version}`)
  }

  async #create(name: string, key: StoredKey): Promise<void> {
    const kv = await this.#kv()
    const text = writeStoredKey(key)
    const { transit } = this.#settings
    const value = this.#transit && transit ? await this.#transit.encrypt(transit.key, Buffer.from(text), this.#limits) : text
    try {
      await kv.create(name, { [name]: value }, this.#limits)
    } catch (error) {
      if (!(error instanceof VaultError)) throw error
      if (error.code === 'conflict') throw this.#error('exists', `there is an entry ${name}`, error)
      if (error.code !== 'in-doubt') throw error
      // The answer was lost; what is there tells whether the entry was made.
      const stored = await this.#value(name)
      if (stored === undefined) throw error
      if (stored !== value) throw this.#error('exists', `there is an entry ${name}`, error)
    }
  }

  /** What stands in the entry of a key; nothing: there is none, or it was deleted. @throws KeyStoreError `damaged` */
  async #value(name: string): Promise<string | undefined> {
    const kv = await this.#kv()
    const entry = await kv.read(name, { ...this.#limits, ...FRESH, ...(kv.version === 2 && { at: FIRST_VERSION }) })
    if (entry?.data === undefined) return undefined
    const value = entry.data[name]
    if (typeof value !== 'string') throw this.#error('damaged', `the entry ${name} has no field ${name}`)
    return value
  }

  async #decrypted(value: string, name: string): Promise<string | Buffer> {
    if (!ENCRYPTED.test(value)) return value
    const { transit } = this.#settings
    if (this.#transit && transit) return this.#transit.decrypt(transit.key, value, this.#limits)
    throw this.#error('unavailable', `${name} is encrypted by Vault's transit engine: configure transit`)
  }

  async #doing<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw this.#error('closed', 'the key store is closed')
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof VaultError)) throw error
      throw this.#error(CODES[error.code] ?? 'unavailable', `cannot ${what}: ${error.message}`, error)
    }
  }

  #error(code: KeyStoreErrorCode, message: string, cause?: Error): KeyStoreError {
    return new KeyStoreError(code, `${this.description}: ${message}`, { cause })
  }
}

/** What is not `unavailable`. */
const CODES: { readonly [code in VaultErrorCode]?: KeyStoreErrorCode } = {
  unreachable: 'unreachable',
  tls: 'unreachable',
  sealed: 'unreachable',
  'not-active': 'unreachable',
  damaged: 'damaged',
  closed: 'closed',
}

async function connect(settings: VaultSettings, deadlineMs: number, onEvent?: VaultKeyStoreOptions['onEvent']): Promise<VaultClient> {
  const { endpoint, namespace, tls, pingMs } = settings
  const options: VaultOptions = {
    servers: endpoint.split(',').map(server => server.trim()),
    login: loginOf(settings),
    namespace,
    tls: tls && { ca: tls.ca, certificate: tls.cert, key: tls.key },
    deadlineMs,
    pingMs,
    onEvent,
  }
  try {
    return await connectVault(options)
  } catch (error) {
    if (error instanceof VaultError)
      throw new KeyStoreError('unavailable', `Hashicorp Vault: ${endpoint}: ${error.message}`, { cause: error })
    throw error
  }
}

function loginOf({ approle, kubernetes }: VaultSettings): Login {
  if (approle) {
    const { engine, namespace, id, secret } = approle
    return { kind: 'approle', engine, namespace: loginNamespace(namespace), id, secret }
  }
  if (!kubernetes) throw new KeyStoreError('unavailable', 'Hashicorp Vault: neither approle nor kubernetes is configured')
  const { engine, namespace, role, jwt } = kubernetes
  const shown: Secret = jwt.includes('/') ? { file: jwt } : jwt
  return { kind: 'kubernetes', engine, namespace: loginNamespace(namespace), role, jwt: shown }
}

/** A slash is the root namespace; nothing is that of the keys. */
const loginNamespace = (namespace: string | undefined): string | undefined => (namespace === '/' ? '' : namespace)
