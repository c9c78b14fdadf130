import { randomBytes, randomUUID } from 'node:crypto'
import type { Config } from '../config/schema.ts'
import type { Address } from '../config/value-types.ts'
import { createEngine } from '../ops/create-engine.ts'
import type { Scopes } from '../scopes/scopes.ts'
import { type Audit, openAudit } from '../server/audit.ts'
import { MetricsServer } from '../server/http.ts'
import type { Identities } from '../server/identities.ts'
import { LIMITS, type Limits } from '../server/limits.ts'
import { Listener, type ServerCredential } from '../server/listener.ts'
import type { Logger } from '../server/log.ts'
import { Metrics } from '../server/metrics.ts'
import type { Data } from './data.ts'

export interface ServerOptions {
  readonly config: Config
  readonly data: Data
  readonly log: Logger
  readonly version: string
  /** Instead of those of the configuration. */
  readonly kmip?: readonly Address[]
}

const USUAL: readonly Address[] = [{ host: '127.0.0.1', port: 5696 }]
const RENEWAL_MS = 60_000

/** A server that answers: listeners, engine, audit, metrics, all made from one configuration. */
export class RunningServer {
  readonly #options: ServerOptions
  readonly #audit: Audit
  readonly #metrics: Metrics
  readonly #listeners: Listener[] = []
  #http: MetricsServer | undefined
  #shown: ServerCredential | undefined
  #timer: NodeJS.Timeout | undefined
  #stopping = false

  private constructor(options: ServerOptions) {
    const { file, fsync } = options.config.audit
    this.#options = options
    this.#audit = openAudit({ fsync, ...(file !== '-' && { file }) })
    this.#metrics = new Metrics({ version: options.version })
  }

  /** @throws AuditError, the system's error when an address cannot be had, and what the store and the seal throw */
  static async start(options: ServerOptions): Promise<RunningServer> {
    const server = new RunningServer(options)
    let started = false
    try {
      await server.#start()
      started = true
      return server
    } finally {
      if (!started) await server.stop()
    }
  }

  /** As they are bound; `kmip` is the first of the listeners. */
  get addresses(): { readonly kmip: string; readonly metrics?: string } {
    return { kmip: this.#listeners[0]!.address, ...(this.#http && { metrics: this.#http.address }) }
  }

  /** Open the audit log anew, and show the certificate that the settings ask for now. */
  async reload(): Promise<void> {
    this.#audit.reopen()
    await this.#renew()
  }

  /** Take no new connection, answer what is in flight, and close what this opened; not the data. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearInterval(this.#timer)
    const { drain } = this.#options.config.kmip
    await Promise.all(this.#listeners.map(listener => listener.stop(drain)))
    await this.#http?.close()
    this.#audit.close()
  }

  async #start(): Promise<void> {
    const { config, data, log } = this.#options
    await data.scopes.resume()
    const { listen_addrs, tls_min_version } = await data.scopes.configuration()
    this.#shown = await this.#credential()
    const engine = createEngine({
      records: data.records,
      settings: {
        leaseTime: Math.floor(config.kmip.leaseTime / 1000),
        locatePage: config.kmip.locatePage,
        maxBatch: config.kmip.maxBatch,
        productVersion: this.#options.version,
      },
      now: () => BigInt(Math.floor(Date.now() / 1000)),
      randomBytes,
      newId: randomUUID,
    })
    for (const { host, port } of this.#options.kmip ?? (await addressesOf(listen_addrs))) {
      const listener = await Listener.listen({
        host,
        port,
        credential: this.#shown,
        minVersion: tls_min_version === 'tls13' ? 'TLSv1.3' : 'TLSv1.2',
        limits: limitsOf(config),
        engine,
        identities: identitiesOf(data.scopes),
        audit: this.#audit,
        metrics: this.#metrics,
        log,
        now: Date.now,
      })
      this.#listeners.push(listener)
    }
    const { listen } = config.metrics
    if (listen)
      this.#http = await MetricsServer.listen({
        ...listen,
        registry: this.#metrics.registry,
        unready: () => (this.#stopping ? 'the server is stopping' : undefined),
      })
    this.#timer = setInterval(() => void this.#renewOrLog(), RENEWAL_MS).unref()
  }

  async #credential(): Promise<ServerCredential> {
    const { scopes } = this.#options.data
    const { certificate, key, notAfterMs } = await scopes.serverCertificate()
    this.#metrics.certificateEnds('server', new Date(notAfterMs))
    return { certificate, key, authorities: await scopes.trusted() }
  }

  async #renew(): Promise<void> {
    const next = await this.#credential()
    const isSame = JSON.stringify(next) === JSON.stringify(this.#shown)
    if (isSame) return
    for (const listener of this.#listeners) listener.renew(next)
    this.#shown = next
    this.#options.log.info('the certificate of the listener is renewed')
  }

  #renewOrLog(): Promise<void> {
    return this.#renew().then(undefined, (err: unknown) =>
      this.#options.log.error({ err }, 'the certificate of the listener cannot be renewed'),
    )
  }
}

async function addressesOf(texts: readonly string[]): Promise<readonly Address[]> {
  if (texts.length === 0) return USUAL
  const { listenAddress } = await import('../scopes/configuration.ts')
  return texts.flatMap(text => listenAddress(text) ?? [])
}

const limitsOf = ({ kmip }: Config): Limits => ({
  ...LIMITS,
  handshakeMs: kmip.handshake,
  partialMs: kmip.partial,
  idleMs: kmip.idle,
  connections: kmip.maxConnections,
  connectionsPerIdentity: kmip.maxConnectionsPerIdentity,
  messageBytes: kmip.maxMessage,
})

const identitiesOf = (scopes: Scopes): Identities => ({
  version: () => scopes.version(),
  async identify(certificate) {
    const client = await scopes.clientOf(certificate.raw)
    return 'refused' in client ? undefined : client
  },
})
