import type { TLSSocket } from 'node:tls'
import type { Engine, Peer } from '../ops/engine.ts'
import { auditSubject } from './audit-record.ts'
import type { ClientUse } from './client-uses.ts'
import { type Identities, type Identity, versionOf } from './identities.ts'
import type { Limits } from './limits.ts'
import type { Logger } from './log.ts'
import type { Metrics, Refusal } from './metrics.ts'
import type { TurnedLine } from './notifier.ts'
import type { Outbox, Recipient } from './outbox.ts'
import type { Turn } from './turn.ts'
import type { WriteLane } from './write-lane.ts'

/** Takes connections whose roles a client swapped. */
export interface Turned {
  /** Whether a client may swap them. */
  takes(peer: Peer): boolean
  serve(line: TurnedLine, peer: Peer): Promise<void>
}

/** What all connections of a listener share. */
export interface ConnectionContext {
  readonly engine: Engine
  readonly identities: Identities
  readonly limits: Limits
  readonly outbox: Outbox
  readonly lane: WriteLane
  readonly turn: Turn
  readonly metrics: Metrics
  readonly log: Logger
  /** Absent: the roles on a connection never change. */
  readonly turned?: Turned | undefined
  /** Milliseconds since 1970, as fine as the listener's tick: connections need no finer clock. */
  nowMs: number
  /** The same of a clock that does not go with the time of day when that is set: for how long something may take. */
  clockMs: number
}

/** How a listener speaks to the clients that it has let in. */
export type OpenConnection = (id: number, socket: TLSSocket, identity: Identity, context: ConnectionContext) => Connection

/** `host:port`, with an IPv4 address in its own form where the listener is bound to IPv6. */
function addressText(host: string, port: number): string {
  const plain = host.startsWith('::ffff:') ? host.slice(7) : host
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`
}

/**
 * One connection of a client, whatever is spoken on it: who that is, whether it may still be here, and why it was closed. It keeps no timer:
 * the listener's tick calls `expire` once `deadlineMs` has passed.
 */
export abstract class Connection implements Recipient {
  readonly id: number
  readonly identity: Identity
  readonly address: string
  subject = ''
  use: ClientUse | undefined
  /** By the clock of `clockMs`. */
  abstract readonly deadlineMs: number
  protected readonly socket: TLSSocket
  protected readonly context: ConnectionContext
  protected peer: Peer | undefined
  /** Nothing is read or written any more. */
  protected closed = false

  constructor(id: number, socket: TLSSocket, identity: Identity, context: ConnectionContext) {
    this.id = id
    this.identity = identity
    this.address = addressText(socket.remoteAddress ?? '', socket.remotePort ?? 0)
    this.socket = socket
    this.context = context
    socket.setNoDelay(true)
  }

  /** The client is known: begin to answer it. Messages may have arrived before. */
  start(peer: Peer): void {
    this.setPeer(peer)
    this.begin()
  }

  /** Answer what is in flight, then close. */
  abstract drain(): void
  /** The deadline has passed. */
  abstract expire(): void
  abstract deliver(bytes: Buffer, close: boolean): void
  protected abstract begin(): void
  /** Say goodbye and close; the client may take a little to read its last answer. */
  protected abstract close(): void

  /** Look up whether the client may still be here, and cut it off if not. */
  async recheck(): Promise<void> {
    const { identities, nowMs } = this.context
    // Who is not let in yet waits until the store has settled: before that nobody knows who he is.
    if (this.closed || this.peer === undefined) return
    if (nowMs >= this.identity.endsMs) this.refuse('certificate', 'the client certificate has ended; issue a new one')
    else if (this.identity.version !== versionOf(identities) && (await this.#lookUp()) === undefined) this.refuseRevoked()
  }

  /** Close for a reason that is counted and logged; nothing more is answered. */
  refuse(kind: Refusal, message: string): void {
    if (this.closed) return
    this.note(kind, message)
    this.close()
  }

  withhold(): void {
    this.destroy()
  }

  /** Cut the connection without a word. */
  destroy(): void {
    this.closed = true
    this.socket.destroy()
  }

  /** Count and log a refusal. */
  protected note(kind: Refusal, message: string): void {
    const { metrics, log } = this.context
    metrics.refuse(kind)
    const { role, serial } = this.peer ?? {}
    log[kind === 'idle' ? 'debug' : 'warn']({ refusal: kind, address: this.address, role, serial }, message)
  }

  /** What is known of the client still holds, so that its next message may be answered at once. */
  protected get isCurrent(): boolean {
    const { identities, nowMs } = this.context
    return this.identity.version === versionOf(identities) && nowMs < this.identity.endsMs
  }

  /** The client as it is known; if nothing, it has just been cut off. */
  protected knownPeer(): Peer | undefined {
    const { peer } = this.identity
    if (peer === undefined) this.refuseRevoked()
    else if (peer !== this.peer) this.setPeer(peer)
    return peer
  }

  /** The client as it is known now; if nothing, the connection is closed. */
  protected async recheckedPeer(): Promise<Peer | undefined> {
    if (this.context.nowMs >= this.identity.endsMs) {
      await this.recheck()
      return undefined
    }
    const peer = await this.#lookUp()
    if (this.closed) return undefined
    if (peer === undefined) this.refuseRevoked()
    else if (peer !== this.peer) this.setPeer(peer)
    return peer
  }

  async #lookUp(): Promise<Peer | undefined> {
    const { identities, log } = this.context
    try {
      return await this.identity.check(identities)
    } catch (err) {
      log.error({ err, address: this.address }, 'a client could not be looked up, so it is refused')
      return undefined
    }
  }

  protected refuseRevoked(): void {
    if (this.closed) return
    this.refuse('revoked', 'a client was cut off: its certificate is revoked, or its role or scope is gone')
    // Not a moment longer than its close_notify needs.
    this.socket.destroySoon()
  }

  protected setPeer(peer: Peer): void {
    this.peer = peer
    this.subject = auditSubject(peer, this.address, this.id)
    this.use = this.context.metrics.clients.of(peer, this.identity.endsMs)
  }

  protected readonly onFailure = (err: unknown): void => {
    this.context.log.error({ err, address: this.address }, 'the engine failed; the connection is cut')
    this.destroy()
  }
}
