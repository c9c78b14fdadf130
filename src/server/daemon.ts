import { randomBytes } from 'node:crypto'
import type { Config } from '../config/schema.ts'
import type { Address } from '../config/value-types.ts'
import type { Account } from '../ops/authentication.ts'
import type { Settings } from '../ops/context.ts'
import { createEngine } from '../ops/create-engine.ts'
import type { Engine } from '../ops/engine.ts'
import { identifierSource } from '../ops/identifier.ts'
import type { Identity as Holder } from '../scopes/access.ts'
import { listenAddress } from '../scopes/configuration.ts'
import type { Scopes } from '../scopes/scopes.ts'
import type { Records } from '../seal/records.ts'
import { type Audit, openAudit } from './audit.ts'
import { auditKey, writeAnchor } from './audit-anchors.ts'
import { AuditChain } from './audit-chain.ts'
import { MetricsServer } from './http.ts'
import { httpSessions } from './http-session.ts'
import type { Identities } from './identities.ts'
import { LIMITS, type Limits } from './limits.ts'
import { Listener, type ServerCredential } from './listener.ts'
import type { Logger } from './log.ts'
import { Metrics } from './metrics.ts'
import { Notifier } from './notifier.ts'
import { timed } from './timed-records.ts'
import { Turn } from './turn.ts'

export interface DaemonOptions {
  readonly config: Config
  /** Opened by the caller, who closes it after `stop`. */
  readonly data: { readonly records: Records; readonly scopes: Scopes }
  readonly log: Logger
  /** Of the program. */
  readonly version: string
  /** Where to listen instead of where the settings say. */
  readonly kmip?: readonly Address[]
  /** Of the operations, beyond what the configuration says. */
  readonly settings?: Partial<Settings>
}

/** As they are bound: `host:port`. `kmip` is the first of the listeners. */
export interface Addresses {
  readonly kmip: string
  readonly https?: string
  readonly metrics?: string
}

const USUAL: readonly Address[] = [{ host: '127.0.0.1', port: 5696 }]
const RENEWAL_MS = 60_000

/** A server that answers: engine, listeners, audit log and metrics, made of one configuration. It keeps the clock and the timers. */
export class Daemon {
  readonly metrics: Metrics
  readonly #options: DaemonOptions
  readonly #audit: Audit
  readonly #chain: AuditChain
  #anchored: string | undefined
  #anchoring: Promise<void> = Promise.resolve()
  readonly #listeners: Listener[] = []
  #https: Listener | undefined
  #http: MetricsServer | undefined
  #shown: ServerCredential | undefined
  #engine: Engine | undefined
  #notifier: Notifier | undefined
  #timer: NodeJS.Timeout | undefined
  #renewing: Promise<void> = Promise.resolve()
  #stopping = false

  private constructor(options: DaemonOptions, chain: AuditChain) {
    const { file, fsync } = options.config.audit
    this.#options = options
    this.#chain = chain
    this.#audit = openAudit({ fsync, chain, ...(file !== '-' && { file }) })
    this.metrics = new Metrics({ version: options.version })
  }

  /**
   * Start, and return once everything accepts connections.
   * @throws AuditError, the system's error when an address cannot be had, and what the scopes, the store and the seal throw
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options, new AuditChain(await auditKey(options.data.records)))
    let started = false
    try {
      await daemon.#start()
      started = true
      return daemon
    } finally {
      if (!started) await daemon.stop()
    }
  }

  get addresses(): Addresses {
    return {
      kmip: this.#listeners[0]!.address,
      ...(this.#https && { https: this.#https.address }),
      ...(this.#http && { metrics: this.#http.address }),
    }
  }

  /** Open the audit log anew, after it was rotated, and show the certificate that the settings name. */
  async reload(): Promise<void> {
    this.#audit.reopen()
    await this.#anchor()
    await this.#renew()
  }

  /** Take no new connection, answer what is in flight within the time that the configuration gives, and close all but the data. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearInterval(this.#timer)
    await Promise.all(this.#listeners.map(listener => listener.stop(this.#options.config.kmip.drain)))
    await this.#engine?.finish()
    await this.#notifier?.stop()
    await this.#http?.close()
    await this.#renewing
    this.#audit.close()
    await this.#anchor()
  }

  async #start(): Promise<void> {
    const { config, data, log, kmip, version } = this.#options
    const { metrics } = this
    await data.scopes.resume()
    this.#shown = await this.#credential()
    const { listen_addrs, tls_min_version } = await data.scopes.configuration()
    const turn = new Turn(() => data.records.version())
    const identities = identitiesOf(data, turn)
    const leaseTime = Math.floor(config.kmip.leaseTime / 1000)
    const { notifications } = config
    if (notifications.length > 0)
      this.#notifier = new Notifier({
        notifications,
        credential: () => this.#shown!,
        identify: certificate => identities.identify(certificate),
        ...{ leaseTime, audit: this.#audit, metrics, log, now: Date.now },
      })
    this.#engine = createEngine({
      records: timed(data.records, turn, seconds => metrics.commit(seconds)),
      settings: {
        leaseTime,
        locatePage: config.kmip.locatePage,
        maxBatch: config.kmip.maxBatch,
        experimental: config.kmip.experimental,
        hasHttps: config.kmip.https !== undefined,
        allowWeak: config.crypto.allowWeak,
        accounts: config.accounts.map(accountOf),
        productVersion: version,
        ...this.#options.settings,
      },
      now: () => BigInt(Math.floor(Date.now() / 1000)),
      randomBytes,
      newId: identifierSource(Date.now, randomBytes),
      ...(this.#notifier && { onChange: this.#notifier.changed }),
    })
    const shared = {
      credential: this.#shown,
      minVersion: tls_min_version === 'tls13' ? 'TLSv1.3' : 'TLSv1.2',
      limits: limitsOf(config),
      engine: this.#engine,
      identities,
      turned: this.#notifier,
      turn,
      audit: this.#audit,
      metrics,
      log,
      now: Date.now,
    } as const
    const written = listen_addrs.flatMap(text => listenAddress(text) ?? [])
    for (const address of kmip ?? (written.length > 0 ? written : USUAL))
      this.#listeners.push(await Listener.listen({ ...address, ...shared }))
    if (config.kmip.https) {
      this.#https = await Listener.listen({ ...config.kmip.https, ...shared, open: httpSessions() })
      this.#listeners.push(this.#https)
    }
    this.#notifier?.start()
    const { listen } = config.metrics
    if (listen) this.#http = await MetricsServer.listen({ ...listen, registry: metrics.registry, unready: () => this.#unready() })
    this.#timer = setInterval(() => {
      this.#renewing = this.#renew().then(undefined, (err: unknown) =>
        log.error({ err }, 'the certificate of the listener cannot be renewed; it is tried again in a minute'),
      )
      this.#anchor().then(undefined, (err: unknown) =>
        log.error({ err }, 'how far the audit log has come cannot be stored; it is tried again in a minute'),
      )
    }, RENEWAL_MS).unref()
  }

  /** Remember how far the audit log has come, so that its end cannot be cut off unseen. */
  #anchor(): Promise<void> {
    const done = this.#anchoring.then(() => this.#writeAnchor())
    this.#anchoring = done.then(undefined, () => undefined)
    return done
  }

  async #writeAnchor(): Promise<void> {
    const { head } = this.#chain
    if (head === undefined || head.hash === this.#anchored) return
    await writeAnchor(this.#options.data.records, head, Date.now())
    this.#anchored = head.hash
  }

  #unready(): string | undefined {
    if (this.#stopping) return 'the server is stopping'
    if (this.#listeners.some(({ outbox }) => outbox.blocked)) return 'the audit log cannot be written'
    try {
      this.#options.data.records.version()
      return this.#options.data.records.problem?.()
    } catch (err) {
      this.#options.log.error({ err }, 'not ready: the store cannot be read')
      return 'the store cannot be read'
    }
  }

  async #credential(): Promise<ServerCredential> {
    const { scopes } = this.#options.data
    const { certificate, key, notAfterMs } = await scopes.serverCertificate()
    const { notAfterMs: authorityEndsMs } = await scopes.signer()
    this.metrics.certificateEnds('server', new Date(notAfterMs))
    this.metrics.certificateEnds('ca', new Date(authorityEndsMs))
    return { certificate, key, authorities: await scopes.trusted() }
  }

  async #renew(): Promise<void> {
    const next = await this.#credential()
    if (this.#stopping || JSON.stringify(next) === JSON.stringify(this.#shown)) return
    for (const listener of this.#listeners) listener.renew(next)
    this.#shown = next
    this.#options.log.info('the listener shows another certificate')
  }
}

/** Fields that are absent in the file are absent here: any value is right for them. */
const accountOf = ({ name, password, device, administrator }: Config['accounts'][number]): Account => ({
  name,
  password,
  isAdministrator: administrator,
  ...(device && {
    device: Object.fromEntries(Object.entries(device).filter((field): field is [string, string] => field[1] !== undefined)),
  }),
})

const limitsOf = ({ kmip }: Config): Limits => ({
  ...LIMITS,
  handshakeMs: kmip.handshake,
  partialMs: kmip.partial,
  idleMs: kmip.idle,
  connections: kmip.maxConnections,
  connectionsPerIdentity: kmip.maxConnectionsPerIdentity,
  messageBytes: kmip.maxMessage,
})

/** The scopes as the listener asks them. Whose a certificate is never changes, so that is looked up once; what its holder may is not. */
function identitiesOf({ records, scopes }: DaemonOptions['data'], turn: Turn): Identities {
  const holders = new WeakMap<Buffer, Holder>()
  return {
    version: () => turn.version(),
    settle: () => records.settle?.(),
    async identify(certificate) {
      let holder = holders.get(certificate)
      if (holder === undefined) {
        const found = await scopes.identify(certificate)
        if ('refused' in found) return undefined
        holder = found
        holders.set(certificate, holder)
      }
      const client = await scopes.peerOf(holder)
      return 'refused' in client ? undefined : client
    },
  }
}
