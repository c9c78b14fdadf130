import { createHmac } from 'node:crypto'
import { HTTP_LIMITS, type HttpCredential, HttpListener } from '../http/listener.ts'
import { Access } from '../kes/access.ts'
import { createKesDoor, type KesDoor } from '../kes/door.ts'
import type { Counts, Figures } from '../kes/figures.ts'
import { KeyCache } from '../kes/key-cache.ts'
import { type Asked, eventLine, type KesEvent, LEVELS, type Level, logLine } from '../kes/log-line.ts'
import type { KesSettings } from '../kes/settings.ts'
import { STREAMS, type Stream, Telemetry } from '../kes/telemetry.ts'
import type { KeyStore } from '../keystore/keystore.ts'
import type { Records } from '../seal/records.ts'
import type { KesCredential } from './kes-credential.ts'
import type { Heard, Member, Siblings } from './kes-siblings.ts'
import { closeLater, type KesState, type KesStateOptions, openState, readCredential } from './kes-state.ts'
import { systemNow } from './kes-system.ts'
import { orUndo } from './or-undo.ts'
import { settled } from './settled.ts'

/** Where the door's lines go. */
export interface KesSinks {
  /** A request that was answered, refused ones too; as KES writes it, if the configuration wants that. What is returned is waited for before the answer leaves. */
  audit(event: KesEvent, line: string | undefined): Promise<void> | undefined
  /** A line of the error log, as KES writes it, and its parts. */
  log(level: Level, message: string, asked: Asked | undefined, line: string): void
}

export interface KesServerOptions extends KesStateOptions {
  /** Absent: there is no store of ours behind the keys. */
  readonly records?: Pick<Records, 'settle'>
  /** Absent: no other process serves the door. */
  readonly siblings?: Siblings
  readonly sinks: KesSinks
  readonly version: string
}

const RENEWAL_MS = 900_000
const STOP_MS = 1000

/** A door for clients of KES, by a configuration that can change while it is open. */
export class KesServer implements Member {
  readonly telemetry: Telemetry
  readonly #options: KesServerOptions
  readonly #startedMs = performance.now()
  #settings: KesSettings
  #credential: KesCredential
  #keys: KeyCache
  #door: KesDoor
  #listener: HttpListener | undefined
  #timer: NodeJS.Timeout | undefined

  private constructor(options: KesServerOptions, { settings, credential, store }: KesState) {
    const { siblings } = options
    this.#options = options
    this.telemetry = new Telemetry(
      stream =>
        siblings && {
          listening: isHeard => siblings.listening(stream, isHeard),
          pass: lines => siblings.pass(stream, lines),
        },
    )
    this.#settings = settings
    this.#credential = credential
    this.#keys = cacheOf(settings, store)
    this.#door = this.#makeDoor(settings, credential, this.#keys)
  }

  /** Open the key store and listen. @throws KesConfigError, KeyStoreError, the system's error */
  static async start(options: KesServerOptions): Promise<KesServer> {
    const server = new KesServer(options, await openState(options))
    await orUndo(
      () => server.#keys.close(),
      async () => {
        await options.siblings?.join(server)
        await server.#open()
      },
    )
    return server
  }

  get address(): string {
    return this.#listener?.address ?? ''
  }

  get store(): KeyStore {
    return this.#keys.store
  }

  get settings(): KesSettings {
    return this.#settings
  }

  /**
   * Count by the configuration as it stands in the file now; requests that are open go on by the old one. The address stays.
   * @throws what is wrong with it, and all is as before
   */
  async reload(): Promise<void> {
    const { settings, credential, store } = await openState(this.#options)
    const keys = cacheOf(settings, store)
    const [oldKeys, oldSettings] = [this.#keys, this.#settings]
    await orUndo(
      () => keys.close(),
      () => {
        this.#listener?.renew(credential, clientCertificatesOf(settings))
        this.#door = this.#makeDoor(settings, credential, keys)
        this.#settings = settings
        this.#credential = credential
        this.#keys = keys
      },
    )
    closeLater(oldKeys, oldSettings)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#listener?.stop(STOP_MS)
    await this.#keys.close()
  }

  get counts(): Counts {
    return this.telemetry.counts
  }

  /** Of this process. */
  figures(): Figures {
    return { counts: this.counts, system: systemNow(this.#startedMs) }
  }

  forget(name: string): void {
    this.#keys.forget(name)
  }

  listen(heard: Heard): void {
    for (const stream of STREAMS) this.telemetry[stream].isHeardElsewhere = heard[stream]
  }

  hear(stream: Stream, lines: string): void {
    this.telemetry[stream].hear(lines)
  }

  async #open(): Promise<void> {
    const { siblings } = this.#options
    const settings = this.#settings
    this.#listener = await HttpListener.listen({
      ...settings.address,
      tls: {
        credential: this.#credential satisfies HttpCredential,
        clientCertificates: clientCertificatesOf(settings),
        ...(settings.prefer && { prefer: settings.prefer }),
        ...(siblings && { ticketKeys: ticketKeysOf(siblings.ticketKeys) }),
      },
      ...(siblings && { limits: { connections: Math.ceil(HTTP_LIMITS.connections / siblings.count) } }),
      handler: settled(
        request => this.#door.handler(request),
        this.#options.records ?? {},
        message => ({ message }),
      ),
      allow: head => this.#door.allow(head),
      onError: error => this.#log('ERROR', error instanceof Error ? (error.stack ?? error.message) : String(error)),
      onRefused: (cause, address) => this.#log('DEBUG', `a TLS handshake with ${address} failed: ${cause}`),
    })
    this.#timer = setInterval(() => void this.#renew(), RENEWAL_MS).unref()
  }

  /** Files that cannot be read now may be half written; the old certificate is shown until they can. */
  async #renew(): Promise<void> {
    try {
      const credential = await readCredential(this.#options, this.#settings)
      if (credential.certificate !== this.#credential.certificate) this.#listener?.renew(credential)
      this.#credential = credential
    } catch (error) {
      this.#log('ERROR', `the TLS certificate is not renewed: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #makeDoor(settings: KesSettings, credential: KesCredential, keys: KeyCache): KesDoor {
    const { admin = '', policies, tls, api, oldTexts, oldListings, log } = settings
    const { sinks, version, siblings } = this.#options
    const { telemetry } = this
    const proxy = tls.proxy && { ...tls.proxy, ...(tls.auth && { authorities: credential.trusted }) }
    return createKesDoor({
      access: new Access({ admin, policies, ...(proxy && { proxy }) }),
      ...{ keys, api, oldTexts, oldListings, telemetry, version },
      configuredAt: new Date().toISOString(),
      nowNs: () => BigInt(Date.now()) * 1_000_000n,
      figures: async () => siblings?.figures() ?? this.figures(),
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
}

const cacheOf = ({ cache }: KesSettings, store: KeyStore): KeyCache => new KeyCache(store, cache, () => performance.now())

/** Once some path is open to everybody, nobody has to show a certificate in the handshake. */
function clientCertificatesOf({ tls, api }: KesSettings) {
  const isOpen = Object.values(api).some(({ skipAuth }) => skipAuth)
  if (tls.auth) return isOpen ? 'optional-verified' : 'verified'
  return isOpen ? 'optional' : 'required'
}

/** Others than those of the KMIP listeners, and 48 bytes. */
const ticketKeysOf = (secret: Buffer): Buffer => createHmac('sha384', secret).update('kes').digest()
