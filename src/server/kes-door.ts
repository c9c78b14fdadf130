import { randomBytes } from 'node:crypto'
import { availableParallelism, cpus } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { type HttpCredential, HttpListener } from '../http/listener.ts'
import { Access } from '../kes/access.ts'
import { createKesDoor, type KesDoor } from '../kes/door.ts'
import { KeyCache } from '../kes/key-cache.ts'
import { type Asked, eventLine, type KesEvent, LEVELS, type Level, logLine } from '../kes/log-line.ts'
import type { KesSettings, TlsSettings } from '../kes/settings.ts'
import { type System, Telemetry } from '../kes/telemetry.ts'
import { type KeyStore, KeyStoreError } from '../keystore/keystore.ts'
import type { KeyStoreSettings } from '../keystore/settings.ts'
import type { Records } from '../seal/records.ts'
import { type KesCredential, readKesCredential } from './kes-credential.ts'
import { settled } from './settled.ts'

/** Where the door's lines go. */
export interface KesSinks {
  /** A request that was answered, refused ones too; as KES writes it, if the configuration wants that. What is returned is waited for before the answer leaves. */
  audit(event: KesEvent, line: string | undefined): Promise<void> | undefined
  /** A line of the error log, as KES writes it, and its parts. */
  log(level: Level, message: string, asked: Asked | undefined, line: string): void
}

export interface KesServerOptions {
  readonly settings: KesSettings
  /** Reads the configuration anew. */
  reload(): Promise<KesSettings>
  openKeyStore(settings: KeyStoreSettings): Promise<KeyStore>
  /** Absent: there is no store of ours behind the keys. */
  readonly records?: Pick<Records, 'settle'>
  /** Absent: the files that the configuration names. */
  readCredential?(settings: TlsSettings): KesCredential
  readonly sinks: KesSinks
  readonly version: string
}

interface LivePolicy {
  readonly name: string
  readonly allow: readonly string[]
  readonly deny: readonly string[]
  readonly identities: readonly string[]
}

const RENEWAL_MS = 900_000
const STOP_MS = 1000

/** A door for clients of KES, by a configuration that can change while it is open. */
export class KesServer {
  readonly telemetry = new Telemetry()
  readonly #options: KesServerOptions
  readonly #startedMs = Date.now()
  #settings: KesSettings
  #credential: KesCredential
  #keys: KeyCache
  #door: KesDoor
  #listener: HttpListener | undefined
  #timer: NodeJS.Timeout | undefined

  private constructor(options: KesServerOptions, credential: KesCredential, keys: KeyCache) {
    this.#options = options
    this.#settings = options.settings
    this.#credential = credential
    this.#keys = keys
    this.#door = this.#makeDoor(options.settings, credential, keys)
  }

  /** Open the key store and listen. @throws KesConfigError, KeyStoreError, the system's error */
  static async start(options: KesServerOptions): Promise<KesServer> {
    const { settings, openKeyStore, readCredential = readKesCredential } = options
    const credential = readCredential(settings.tls)
    const keys = new KeyCache(await openKeyStore(settings.keystore), settings.cache, Date.now)
    const server = new KesServer(options, credential, keys)
    try {
      await server.#open()
    } finally {
      if (server.#listener === undefined) await keys.close()
    }
    return server
  }

  get address(): string {
    return this.#listener?.address ?? ''
  }

  /** Of the key store, for people. */
  get keyStore(): string {
    return this.#keys.store.description
  }

  /** For administrators. */
  get live(): { readonly store: KeyStore; readonly policies: readonly LivePolicy[] } {
    const patterns = (rules: readonly { readonly pattern: string }[]): string[] => rules.map(({ pattern }) => pattern)
    return {
      store: this.#keys.store,
      policies: this.#settings.policies.map(({ name, allow, deny, identities }) => ({
        ...{ name, identities },
        allow: patterns(allow),
        deny: patterns(deny),
      })),
    }
  }

  get settings(): KesSettings {
    return this.#settings
  }

  /**
   * Count by the configuration as it stands in the file now; requests that are open go on by the old one. The address stays.
   * @throws what is wrong with it, and all is as before
   */
  async reload(): Promise<void> {
    const settings = await this.#options.reload()
    const credential = this.#readCredential(settings)
    const keys = new KeyCache(await this.#options.openKeyStore(settings.keystore), settings.cache, Date.now)
    const old = this.#keys
    let isChanged = false
    try {
      await this.#prepare(settings, keys)
      this.#listener?.renew(credential, clientCertificatesOf(settings))
      this.#door = this.#makeDoor(settings, credential, keys)
      this.#settings = settings
      this.#credential = credential
      this.#keys = keys
      isChanged = true
    } finally {
      if (!isChanged) await keys.close()
    }
    setTimeout(() => void old.close(), this.#longestMs(settings)).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#listener?.stop(STOP_MS)
    await this.#keys.close()
  }

  async #open(): Promise<void> {
    const { settings, credential } = { settings: this.#settings, credential: this.#credential }
    await this.#prepare(settings, this.#keys)
    this.#listener = await HttpListener.listen({
      ...settings.address,
      tls: {
        credential: credential satisfies HttpCredential,
        clientCertificates: clientCertificatesOf(settings),
        ...(settings.prefer && { prefer: settings.prefer }),
      },
      handler: settled(
        request => this.#door.handler(request),
        this.#options.records ?? {},
        message => ({ message }),
      ),
      allow: head => this.#door.allow(head),
      onError: error => this.#log('ERROR', error instanceof Error ? (error.stack ?? error.message) : String(error)),
      onRefused: (cause, address) => this.#log('DEBUG', `a TLS handshake with ${address} failed: ${cause}`),
    })
    this.#timer = setInterval(() => this.#renew(), RENEWAL_MS).unref()
  }

  /** Make the keys that the configuration wants to be there. */
  async #prepare({ keys: names }: KesSettings, keys: KeyCache): Promise<void> {
    for (const name of names)
      try {
        const nowNs = BigInt(Date.now()) * 1_000_000n
        await keys.create(name, { algorithm: 'AES256', key: randomBytes(32), hmacKey: randomBytes(32), createdAtNs: nowNs })
      } catch (error) {
        if (!(error instanceof KeyStoreError && error.code === 'exists')) throw error
      }
  }

  /** Files that cannot be read now may be half written; the old certificate is shown until they can. */
  #renew(): void {
    try {
      const credential = this.#readCredential(this.#settings)
      if (credential.certificate !== this.#credential.certificate) this.#listener?.renew(credential)
      this.#credential = credential
    } catch (error) {
      this.#log('ERROR', `the TLS certificate is not renewed: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #readCredential({ tls }: KesSettings): KesCredential {
    return (this.#options.readCredential ?? readKesCredential)(tls)
  }

  #makeDoor(settings: KesSettings, credential: KesCredential, keys: KeyCache): KesDoor {
    const { admin = '', policies, tls, api, oldTexts, log } = settings
    const { sinks, version } = this.#options
    const { telemetry } = this
    const proxy = tls.proxy && { ...tls.proxy, ...(tls.auth && { authorities: credential.trusted }) }
    return createKesDoor({
      access: new Access({ admin, policies, ...(proxy && { proxy }) }),
      ...{ keys, api, oldTexts, telemetry, version },
      configuredAt: new Date().toISOString(),
      nowNs: () => BigInt(Date.now()) * 1_000_000n,
      system: () => systemNow(this.#startedMs),
      audit: event => sinks.audit(event, log.audit > LEVELS.INFO ? undefined : eventLine(event)),
      log: (level, message, asked) => this.#log(level, message, asked),
    })
  }

  #log(level: Level, message: string, asked?: Asked): void {
    if (LEVELS[level] < this.#settings.log.error) return
    const line = logLine(Date.now(), level, message, asked)
    this.telemetry.error(line)
    this.#options.sinks.log(level, message, asked, line)
  }

  /** How long a request that is open may still need its key store. */
  #longestMs({ api }: KesSettings): number {
    return Math.max(15_000, ...Object.values(api).map(({ timeoutMs = 0 }) => timeoutMs))
  }
}

/** Once some path is open to everybody, nobody has to show a certificate in the handshake. */
function clientCertificatesOf({ tls, api }: KesSettings) {
  const isOpen = Object.values(api).some(({ skipAuth }) => skipAuth)
  if (tls.auth) return isOpen ? 'optional-verified' : 'verified'
  return isOpen ? 'optional' : 'required'
}

const PROCESSORS = cpus().length
/** Bytes of an object, for an estimate of their number. */
const OBJECT = 64

function systemNow(startedMs: number): System {
  const { used_heap_size: heapBytes } = getHeapStatistics()
  return {
    upTime: (Date.now() - startedMs) / 1000,
    cpus: PROCESSORS,
    usableCpus: availableParallelism(),
    // The main thread, and those of the pool of libuv unless it is configured.
    threads: 1 + Number(process.env.UV_THREADPOOL_SIZE ?? 4),
    heapBytes,
    heapObjects: Math.round(heapBytes / OBJECT),
    // What Node gives to the main thread unless it is configured.
    stackBytes: 984 * 1024,
  }
}
