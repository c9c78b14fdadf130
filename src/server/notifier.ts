import { Counter, Gauge } from 'prom-client'
import { KmipClient } from '../client/client.ts'
import type { Config } from '../config/schema.ts'
import { type Address, formatAddress } from '../config/value-types.ts'
import type { Change } from '../ops/batch-runner.ts'
import type { Peer } from '../ops/engine.ts'
import type { Item } from '../ttlv/item.ts'
import type { Audit } from './audit.ts'
import { auditLine } from './audit-record.ts'
import type { ServerCredential } from './listener.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import { type Line, NotificationTarget } from './notification-target.ts'

export interface NotifierOptions {
  readonly notifications: Config['notifications']
  /** What the server shows to targets, as it is now. */
  readonly credential: () => ServerCredential
  /** Who a certificate in DER belongs to at this moment; nothing if to nobody. */
  readonly identify: (certificate: Buffer) => Promise<Peer | undefined>
  /** Of objects, in seconds. */
  readonly leaseTime: number
  readonly audit: Audit
  readonly metrics: Metrics
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly retryMs?: number
  readonly retryMostMs?: number
  readonly queued?: number
}

type Settings = Config['notifications'][number]

/** A connection that a client turned round, see Set Endpoint Role. */
export interface TurnedLine extends Line {
  /** Answer requests again. */
  turnBack(): void
}

/** Tells clients what changed in their scopes: those whose address is configured, and those that turned a connection round. */
export class Notifier {
  readonly #options: NotifierOptions
  readonly #targets = new Map<NotificationTarget, Settings>()
  readonly #running: Promise<void>[] = []
  readonly #counter: Counter<'target' | 'operation' | 'status'>
  #stopping = false

  constructor(options: NotifierOptions) {
    this.#options = options
    const registers = [options.metrics.registry]
    const targets = this.#targets
    this.#counter = new Counter({
      name: 'kmipd_notifications_total',
      help: 'Put and Notify messages by what became of them',
      labelNames: ['target', 'operation', 'status'],
      registers,
    })
    const gauge = (name: string, help: string, read: (target: NotificationTarget) => number): Gauge =>
      new Gauge({
        name,
        help,
        labelNames: ['target'],
        registers,
        collect() {
          this.reset()
          for (const [target, settings] of targets) this.inc({ target: nameOf(settings) }, read(target))
        },
      })
    gauge('kmipd_notifications_waiting', 'Changes that a target has not been told of yet', target => target.waiting)
    gauge('kmipd_notification_targets_connected', 'Connections to a target', target => Number(target.connected))
  }

  /** Begin to connect to the targets that have an address. */
  start(): void {
    for (const settings of this.#options.notifications) {
      const { address } = settings
      if (address === undefined) continue
      const target = this.#target(settings)
      this.#running.push(target.run(() => this.#connect(settings, address)))
    }
  }

  /** Take in what was stored. It returns at once and never throws. */
  readonly changed = (change: Change): void => {
    for (const [target, { scope }] of this.#targets) if (scope === change.scopeName || scope === change.scope) target.offer(change.objects)
  }

  /** Whether a client may turn its connection round: only where that is configured. */
  takes(peer: Peer): boolean {
    return !this.#stopping && this.#forTurned(peer) !== undefined
  }

  /** Tell a client what changes from now on, over the connection that it turned round. */
  async serve(line: TurnedLine, peer: Peer): Promise<void> {
    const settings = this.#forTurned(peer)
    if (settings === undefined) return line.close()
    const target = this.#target(settings)
    const { log } = this.#options
    try {
      if ((await target.serve(line, 'leave')) === 'ended') line.close()
      else await target.giveBack(line).then(() => line.turnBack())
    } catch (err) {
      log.warn({ target: nameOf(settings), err }, 'a connection that a client turned round broke')
      line.close()
    } finally {
      this.#targets.delete(target)
    }
  }

  /** Close all lines; what still waits is lost. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const target of this.#targets.keys()) target.stop()
    await Promise.all(this.#running)
  }

  #forTurned(peer: Peer): Settings | undefined {
    return this.#options.notifications.find(settings => settings.address === undefined && isMeant(settings, peer))
  }

  #target(settings: Settings): NotificationTarget {
    const { leaseTime, audit, log, now, retryMs = 500, retryMostMs = 30_000, queued = 1000 } = this.#options
    const { version, put, notify } = settings
    const name = nameOf(settings)
    const target = new NotificationTarget({
      ...{ name, put, notify, leaseTime, queued, retryMs, retryMostMs, log, now },
      version: Math.round(Number(version) * 10),
      audit: (subject, entry) => audit.write(auditLine(new Date(now()).toISOString(), subject, entry)),
      count: (operation, status) => this.#counter.inc({ target: name, operation, status }),
    })
    this.#targets.set(target, settings)
    return target
  }

  /** @throws ClientError, also when the other side is no client that the settings mean */
  async #connect(settings: Settings, address: Address): Promise<Line> {
    const { credential, identify } = this.#options
    const { certificate, key } = credential()
    let shown: Buffer | undefined
    const check = async (): Promise<Peer> => {
      const peer = shown && (await identify(shown))
      if (peer === undefined) throw new Error('its certificate is none of a credential that stands')
      if (!isMeant(settings, peer)) throw new Error('its certificate is one of another scope or role')
      return peer
    }
    const client = await KmipClient.connect({
      ...{ ...address, cert: certificate, key, responseTimeoutMs: 10_000, maxResponseBytes: 1 << 20 },
      verify: async der => {
        shown = der
        await check()
      },
    })
    return {
      request: (message: Item) => client.request(message),
      peer: check,
      address: formatAddress(address),
      id: 0,
      ended: client.ended,
      get closed() {
        return client.closed
      },
      close: () => client.close(),
    }
  }
}

const isMeant = ({ scope, role }: Settings, peer: Peer): boolean =>
  (scope === peer.scopeName || scope === peer.scope) && (role === undefined || role === peer.role)

/** Such as `app@10.0.0.7:5697 1.4`. */
const nameOf = ({ scope, role, address, version }: Settings): string =>
  `${scope}${role === undefined ? '' : `/${role}`}@${address === undefined ? 'turned' : formatAddress(address)} ${version}`
