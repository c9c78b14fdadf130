import { randomBytes } from 'node:crypto'
import type { Sockets } from '../admin/kmip/engine.ts'
import type { Config } from '../config/schema.ts'
import { ownAddresses } from '../config/stored-fields.ts'
import type { Address } from '../config/value-types.ts'
import type { Account } from '../ops/authentication.ts'
import type { Settings } from '../ops/context.ts'
import { createEngine } from '../ops/create-engine.ts'
import type { Engine } from '../ops/engine.ts'
import { identifierSource } from '../ops/identifier.ts'
import { FIRST_PATH, type Mounts } from '../scopes/mounts.ts'
import type { Records } from '../seal/records.ts'
import { AdminDoor } from './admin-door.ts'
import { type Audit, openAudit, PIPE_BUF } from './audit.ts'
import { auditKey, writeAnchor } from './audit-anchors.ts'
import { AuditChain } from './audit-chain.ts'
import { ClientLimiter } from './client-limits.ts'
import { endingsOf } from './endings.ts'
import { Expiry } from './expiry.ts'
import { MetricsServer } from './http.ts'
import { identitiesOf } from './identities-of.ts'
import type { KesServer } from './kes-door.ts'
import type { KesHub } from './kes-hub.ts'
import { type KesInDaemonOptions, type KesSource, liveKes, openKesDoor, openKesHub } from './kes-in-daemon.ts'
import { KmipSockets } from './kmip-sockets.ts'
import { LIMITS, type Limits } from './limits.ts'
import type { ServerCredential } from './listener.ts'
import type { Logger } from './log.ts'
import { answersKept } from './memory.ts'
import { Metrics, summed } from './metrics.ts'
import { Notifier } from './notifier.ts'
import { objectServices } from './object-services.ts'
import { orUndo } from './or-undo.ts'
import { RecentActivity, SEAL_TITLES, STORE_TITLES } from './overview.ts'
import { RequestTraces } from './request-traces.ts'
import { timed } from './timed-records.ts'
import { Turn } from './turn.ts'
import type { Workers } from './workers.ts'

export interface DaemonOptions {
  readonly config: Config
  /** Opened by the caller, who closes it after `stop`. */
  readonly data: { readonly records: Records; readonly mounts: Mounts }
  readonly log: Logger
  /** Of the program. */
  readonly version: string
  /** Where to listen instead of where the settings say. */
  readonly kmip?: readonly Address[]
  /** Of the operations, beyond what the configuration says. */
  readonly settings?: Partial<Settings>
  /** Directory of the built console; absent: there is none. */
  readonly console?: string
  /** Absent: this process is all of the server. */
  readonly part?: Part
  /** Absent: there is no door for clients of KES. */
  readonly kes?: KesSource
}

/** What one process of several does: answer clients, as one of `count`, or all else. */
export type Part =
  | { readonly does: 'clients'; readonly count: number; readonly ticketKeys: Buffer }
  | { readonly does: 'rest'; readonly workers: Workers }

/** As they are bound: `host:port`. `kmip` is the first of the listeners, empty while no engine listens. */
export interface Addresses {
  readonly kmip: string
  readonly https?: string
  readonly metrics?: string
  /** With its scheme: `http://127.0.0.1:8200`. */
  readonly admin?: string
  readonly kes?: string
}

const LOOK_MS = 1_000
const RENEWAL_MS = 60_000
const ENDINGS_MS = 600_000

/** A server that answers: engine, listeners, audit log and metrics, made of one configuration. It keeps the clock and the timers. */
export class Daemon {
  readonly metrics: Metrics
  readonly #options: DaemonOptions
  readonly #audit: Audit
  readonly #chain: AuditChain
  readonly #traces: RequestTraces
  readonly #expiry: Expiry
  #endingsSeenMs = Number.NEGATIVE_INFINITY
  #anchored: string | undefined
  #anchoring: Promise<void> = Promise.resolve()
  #sockets: KmipSockets | undefined
  #http: MetricsServer | undefined
  #activity: RecentActivity | undefined
  #admin: AdminDoor | undefined
  /** The door itself, or what holds together those of the workers. */
  #kes: KesServer | KesHub | undefined
  #shown: ServerCredential | undefined
  #engine: Engine | undefined
  #notifier: Notifier | undefined
  #timers: readonly NodeJS.Timeout[] = []
  #renewing: Promise<void> = Promise.resolve()
  #stopping = false

  private constructor(options: DaemonOptions, chain: AuditChain) {
    const { file, fsync } = options.config.audit
    this.#options = options
    this.#chain = chain
    this.#traces = new RequestTraces(options.data.records, Date.now, err => options.log.error({ err }, 'a refused request is not traced'))
    this.#audit = openAudit({ fsync, chain, ...(file === '-' ? options.part && { wholeBytes: PIPE_BUF } : { file }) })
    this.metrics = new Metrics({ version: options.version })
    this.#expiry = new Expiry(this.metrics.registry, options.log)
  }

  /**
   * Start, and return once everything accepts connections.
   * @throws AuditError, the system's error when an address cannot be had, and what the scopes, the store and the seal throw
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options, new AuditChain(await auditKey(options.data.records)))
    await orUndo(
      () => daemon.stop(),
      () => daemon.#start(),
    )
    return daemon
  }

  get addresses(): Addresses {
    const { part } = this.#options
    return {
      kmip: '',
      ...(part?.does === 'rest' ? part.workers.addresses : this.#sockets?.addresses),
      ...(this.#http && { metrics: this.#http.address }),
      ...(this.#admin && { admin: this.#admin.url }),
      ...(this.#kes && 'address' in this.#kes && { kes: this.#kes.address }),
    }
  }

  /** What listens for KMIP clients, in this process or in others. */
  get sockets(): Sockets {
    const { part } = this.#options
    const sockets = part?.does === 'rest' ? part.workers : this.#sockets
    if (sockets === undefined) throw new Error('the server is not started')
    return sockets
  }

  /** Open the audit log anew, after it was rotated, and show the certificate that the settings name. */
  async reload(config = this.#options.config): Promise<void> {
    this.#audit.reopen()
    await this.#anchor()
    if (!this.#options.kmip) await this.#sockets?.standIn(ownAddresses(config))
    await this.#renew()
    await this.#kes?.reload()
  }

  /** Take no new connection, answer what is in flight within the time that the configuration gives, and close all but the data. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#activity?.stop()
    await Promise.all([this.#admin?.stop(this.#options.config.kmip.drain), this.#sockets?.stop(), this.#kes?.stop()])
    await this.#engine?.finish()
    await this.#traces.settle()
    await this.#notifier?.stop()
    await this.#http?.close()
    await this.#renewing
    this.#audit.close()
    await this.#anchor()
  }

  async #start(): Promise<void> {
    const { config, data, log, kmip, version } = this.#options
    const { metrics } = this
    await data.mounts.resume()
    await this.#look()
    const turn = new Turn(() => data.records.version())
    const leaseTime = Math.floor(config.kmip.leaseTime / 1000)
    const { notifications } = config
    if (notifications.length > 0)
      this.#notifier = new Notifier({
        notifications,
        credential: () => this.#shown!,
        async identify(certificate) {
          const mount = await data.mounts.at(FIRST_PATH)
          return mount && identitiesOf({ records: data.records, scopes: mount.scopes }, turn, () => new Set([''])).identify(certificate)
        },
        ...{ leaseTime, audit: this.#audit, metrics, log, now: Date.now },
      })
    const { part } = this.#options
    const processes = part?.does === 'clients' ? part.count : 1
    const limiter = new ClientLimiter({ records: data.records, metrics, now: () => performance.now(), processes })
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
      answersKept: answersKept(processes),
      quota: peer => limiter.quota(peer),
      replace: (holder, wish) => data.mounts.planReplacement(holder, wish),
      ...(this.#notifier && { onChange: this.#notifier.changed }),
    })
    const clients = this.#traces.over(limiter.over(this.#engine))
    const { drain: drainMs, https } = config.kmip
    if (part?.does !== 'rest') {
      const limits = limitsOf(config, part?.count ?? 1)
      const shared = {
        limits,
        engine: clients,
        turn,
        audit: this.#audit,
        metrics,
        log,
        now: Date.now,
      }
      const { ticketKeys } = part ?? {}
      const own = ownAddresses(config)
      this.#sockets = new KmipSockets({ ...data, shared, ticketKeys, kmip, own, https, turned: this.#notifier, drainMs })
      await this.#sockets.start()
      this.#notifier?.start()
    }
    await this.#openKes(this.#engine)
    const { listen } = config.metrics
    if (listen && part?.does !== 'clients')
      this.#http = await MetricsServer.listen({ ...listen, metrics: () => this.#allMetrics(), unready: () => this.#unreadyOfAll() })
    if (part?.does !== 'clients') await this.#openAdmin(this.sockets, this.#engine, clients)
    await this.#seeEndings()
    const renew = () => {
      this.#renewing = this.#renew().then(undefined, (err: unknown) =>
        log.error({ err }, 'the certificate of the listener cannot be renewed; it is tried again in a minute'),
      )
    }
    // While the store cannot be asked nothing is known to have changed; the renewal of each minute says so.
    const look = () =>
      this.#sockets?.isChanged().then(
        changed => changed && renew(),
        () => undefined,
      )
    const everyMinute = () => {
      renew()
      this.#anchor().then(undefined, (err: unknown) =>
        log.error({ err }, 'how far the audit log has come cannot be stored; it is tried again in a minute'),
      )
    }
    this.#timers = [setInterval(look, LOOK_MS).unref(), setInterval(everyMinute, RENEWAL_MS).unref()]
  }

  /** Here, or in the workers, which start with it. */
  async #openKes(engine: Engine): Promise<void> {
    const { data, log, version, kes: source, part } = this.#options
    const options = async (): Promise<KesInDaemonOptions> => {
      const mount = await data.mounts.at(FIRST_PATH)
      if (!mount) throw new Error(`the KES door needs the engine at ${FIRST_PATH}`)
      return {
        ...{ engine, log },
        data: { records: data.records, scopes: mount.scopes },
        credential: () => this.#shown!,
        newId: identifierSource(Date.now, randomBytes),
      }
    }
    if (part?.does === 'rest') {
      const hub = source && (await openKesHub({ ...(await options()), source, members: part.workers }))
      this.#kes = hub
      await part.workers.start(hub)
    } else if (source) this.#kes = await openKesDoor({ ...(await options()), source, audit: this.#audit, version })
  }

  async #openAdmin(sockets: Sockets, engine: Engine, clients: Engine): Promise<void> {
    const { config, data, log, version } = this.#options
    const { listen: address, tls } = config.admin
    if (!address) return
    const unready = () => this.unready()
    this.#activity = new RecentActivity({
      ...{ metrics: this.metrics, version, now: Date.now, unready },
      store: () => ({ healthy: unready() === undefined, description: STORE_TITLES[config.store.kind] }),
      seal: () => ({ healthy: true, description: config.seal.map(({ kind }) => SEAL_TITLES[kind]).join(', ') }),
      certificates: () => endingsOf(data.mounts),
      kes: () => this.#kes && liveKes(this.#kes),
    })
    this.#activity.start()
    const { records } = data
    const written = { audit: this.#audit, metrics: this.metrics, log, file: config.audit.file, traces: this.#traces }
    const objects = objectServices({ records, engine, clients, ...written })
    const parts = {
      data,
      sockets,
      objects,
      live: this.#activity,
      audit: this.#audit,
      log,
      version,
      unready,
      console: this.#options.console,
    }
    this.#admin = await AdminDoor.listen({ address, tls, ...parts })
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

  /** In the format of Prometheus; of all processes of the server. */
  async #allMetrics(): Promise<string> {
    const { part } = this.#options
    const { registry } = this.metrics
    if (part?.does !== 'rest') return registry.metrics()
    return summed([await registry.getMetricsAsJSON(), ...(await part.workers.metrics())])
  }

  async #unreadyOfAll(): Promise<string | undefined> {
    const { part } = this.#options
    return this.unready() ?? (part?.does === 'rest' ? await part.workers.unready() : undefined)
  }

  /** Why this process cannot answer now; nothing if it can. */
  unready(): string | undefined {
    if (this.#stopping) return 'the server is stopping'
    if (this.#sockets?.listeners.some(({ outbox }) => outbox.blocked)) return 'the audit log cannot be written'
    const { records } = this.#options.data
    try {
      records.version()
      return records.problem?.()
    } catch (err) {
      this.#options.log.error({ err }, 'not ready: the store cannot be read')
      return records.problem?.() ?? 'the store cannot be read'
    }
  }

  /** The credential of the engine at `kmip/`, for what tells clients unasked, and the ends of its certificates. */
  async #look(): Promise<void> {
    const mount = await this.#options.data.mounts.at(FIRST_PATH)
    if (!mount) return
    const { certificate, key, notAfterMs } = await mount.scopes.serverCertificate()
    const { notAfterMs: authorityEndsMs } = await mount.scopes.signer()
    this.metrics.certificateEnds('server', new Date(notAfterMs))
    this.metrics.certificateEnds('ca', new Date(authorityEndsMs))
    this.#shown = { certificate, key, authorities: await mount.scopes.trusted() }
  }

  async #renew(): Promise<void> {
    if (this.#stopping) return
    await this.#look()
    await this.#sockets?.refresh()
    await this.#admin?.renew()
    await this.#seeEndings()
  }

  /** One process tells of the ends of certificates, now and then: all credentials are read for it. */
  async #seeEndings(): Promise<void> {
    const clockMs = performance.now()
    if (this.#options.part?.does === 'clients' || clockMs - this.#endingsSeenMs < ENDINGS_MS) return
    this.#endingsSeenMs = clockMs
    const { mounts } = this.#options.data
    await mounts.drop()
    this.#expiry.see(await endingsOf(mounts), Date.now())
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

const limitsOf = ({ kmip }: Config, processes: number): Limits => ({
  ...LIMITS,
  handshakeMs: kmip.handshake,
  partialMs: kmip.partial,
  idleMs: kmip.idle,
  connections: Math.ceil(kmip.maxConnections / processes),
  connectionsPerIdentity: kmip.maxConnectionsPerIdentity,
  messageBytes: kmip.maxMessage,
})
