import type { TLSSocket } from 'node:tls'
import type { Answer, Engine, Peer } from '../ops/engine.ts'
import { auditSubject } from './audit-record.ts'
import type { ClientUse } from './client-uses.ts'
import { Framer, FramingError } from './framer.ts'
import { type Identities, type Identity, versionOf } from './identities.ts'
import type { Limits } from './limits.ts'
import type { Logger } from './log.ts'
import type { Metrics, Refusal } from './metrics.ts'
import type { Outbox, Recipient } from './outbox.ts'

/** `host:port`, with an IPv4 address in its own form where the listener is bound to IPv6. */
function addressText(host: string, port: number): string {
  const plain = host.startsWith('::ffff:') ? host.slice(7) : host
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`
}

/** What all sessions of a listener share. */
export interface SessionContext {
  readonly engine: Engine
  readonly identities: Identities
  readonly limits: Limits
  readonly outbox: Outbox
  readonly metrics: Metrics
  readonly log: Logger
  /** Milliseconds since 1970, as fine as the listener's tick: sessions need no finer clock. */
  nowMs: number
}

/** Answers that may wait to be sent to one client before its next message is begun. */
const MAX_OWED = 16

/**
 * One connection. Its messages are answered in order, one at a time; reading pauses while the client sends faster than it reads. It keeps
 * no timer: the listener's tick calls `expire` once `deadlineMs` has passed.
 */
export class Session implements Recipient {
  readonly id: number
  readonly identity: Identity
  readonly address: string
  subject = ''
  use: ClientUse | undefined
  deadlineMs: number
  readonly #socket: TLSSocket
  readonly #context: SessionContext
  readonly #framer: Framer
  #peer: Peer | undefined
  #busy = true
  #partial = false
  /** Answers given to the outbox and not yet taken by the network. */
  #owed = 0
  #writing = false
  #unsent: Buffer[] = []
  #paused = false
  /** The client will send nothing more: close when all that came is answered. */
  #ended = false
  /** Nothing more shall be begun: close when what is in flight is answered. */
  #ending = false
  #closed = false

  constructor(id: number, socket: TLSSocket, identity: Identity, context: SessionContext) {
    this.id = id
    this.identity = identity
    this.address = addressText(socket.remoteAddress ?? '', socket.remotePort ?? 0)
    this.#socket = socket
    this.#context = context
    this.#framer = new Framer(context.limits.messageBytes)
    this.deadlineMs = context.nowMs + context.limits.idleMs
    socket.setNoDelay(true)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
  }

  /** The client is known: begin to answer it. Messages may have arrived before. */
  start(peer: Peer): void {
    this.#setPeer(peer)
    this.#busy = false
    this.#pump()
  }

  /** Answer what is in flight, then close. */
  drain(): void {
    this.#ending = true
    if (!this.#busy && this.#owed === 0) this.#close()
  }

  /** Look up whether the client may still be here, and cut it off if not. */
  async recheck(): Promise<void> {
    const { identities, nowMs } = this.#context
    if (this.#closed) return
    if (nowMs >= this.identity.endsMs) this.refuse('certificate', 'the client certificate has ended; issue a new one')
    else if (this.identity.version !== versionOf(identities) && (await this.#lookUp()) === undefined) this.#refuseRevoked()
  }

  /** The deadline has passed. */
  expire(): void {
    if (this.#closed) this.#socket.destroy()
    else if (this.#partial) this.refuse('partial_message', 'a message did not arrive whole in time; the limit is partialMs')
    else this.refuse('idle', 'the connection was silent for too long; the limit is idleMs')
  }

  /** Close for a reason that is counted and logged; nothing more is answered. */
  refuse(kind: Refusal, message: string): void {
    if (this.#closed) return
    const { metrics, log } = this.#context
    metrics.refuse(kind)
    log[kind === 'idle' ? 'debug' : 'warn'](
      { refusal: kind, address: this.address, role: this.#peer?.role, serial: this.#peer?.serial },
      message,
    )
    this.#close()
  }

  deliver(bytes: Buffer, close: boolean): void {
    if (close) this.#ending = true
    if (this.#closed) return
    if (this.#writing) this.#unsent.push(bytes)
    else this.#send(bytes)
  }

  withhold(): void {
    this.destroy()
  }

  /** Cut the connection without a word. */
  destroy(): void {
    this.#closed = true
    this.#socket.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    // A closing connection still reads, and drops, so that the client gets its last answer instead of a reset.
    if (this.#closed) return
    this.#context.metrics.receivedBytes += chunk.length
    if (this.#ending) return
    this.#framer.push(chunk)
    if (!this.#busy) this.#pump()
    if (this.#framer.buffered > this.#context.limits.queuedBytes && (this.#busy || this.#owed >= MAX_OWED)) this.#pause()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    if (!this.#busy) this.#pump()
  }

  /** Begin the next message, if there is one and the connection may. */
  #pump(): void {
    if (this.#closed || this.#owed >= MAX_OWED) return
    if (this.#ending) {
      if (this.#owed === 0) this.#close()
      return
    }
    const { limits, identities, outbox, nowMs } = this.#context
    let message: Buffer | undefined
    try {
      message = this.#framer.next()
    } catch (error) {
      this.#misframed(error)
      return
    }
    if (message === undefined) {
      if (this.#ended) {
        if (this.#owed === 0) this.#close()
        return
      }
      const partial = this.#framer.buffered > 0
      // A client that sends byte by byte must not push its deadline on with each.
      if (!partial) this.deadlineMs = nowMs + limits.idleMs
      else if (!this.#partial) this.deadlineMs = nowMs + limits.partialMs
      this.#partial = partial
      this.#resume()
      return
    }
    this.#partial = false
    if (outbox.blocked) {
      this.refuse('audit', 'a request was refused because the audit log cannot be written')
      return
    }
    this.#busy = true
    this.deadlineMs = Number.POSITIVE_INFINITY
    if (this.identity.version !== versionOf(identities) || nowMs >= this.identity.endsMs) this.#recheckThen(message)
    else this.#answer(message)
  }

  #answer(message: Buffer): void {
    const { peer } = this.identity
    if (peer === undefined) {
      this.#refuseRevoked()
      return
    }
    if (peer !== this.#peer) this.#setPeer(peer)
    this.#context.engine.answer(message, peer).then(this.#onAnswer, this.#onFailure)
  }

  async #recheckThen(message: Buffer): Promise<void> {
    if (this.#context.nowMs >= this.identity.endsMs) {
      await this.recheck()
      return
    }
    const peer = await this.#lookUp()
    if (this.#closed) return
    if (peer === undefined) {
      this.#refuseRevoked()
      return
    }
    if (peer !== this.#peer) this.#setPeer(peer)
    this.#context.engine.answer(message, peer).then(this.#onAnswer, this.#onFailure)
  }

  async #lookUp(): Promise<Peer | undefined> {
    const { identities, log } = this.#context
    try {
      return await this.identity.check(identities)
    } catch (err) {
      log.error({ err, address: this.address }, 'a client could not be looked up, so it is refused')
      return undefined
    }
  }

  readonly #onAnswer = (answer: Answer): void => {
    const { outbox, nowMs, limits } = this.#context
    this.#busy = false
    this.#owed++
    this.deadlineMs = nowMs + limits.idleMs
    outbox.add(this, answer)
    if (answer.close) this.#ending = true
    else if (this.#framer.buffered > 0 && !this.#ending) this.#pump()
  }

  readonly #onFailure = (err: unknown): void => {
    this.#context.log.error({ err, address: this.address }, 'the engine failed; the connection is cut')
    this.destroy()
  }

  /** The stream is lost: say so where the engine can make an answer of the header that came, and close. */
  #misframed(error: unknown): void {
    if (!(error instanceof FramingError)) throw error
    const { metrics, log, engine } = this.#context
    this.#ending = true
    metrics.refuse(error.reason)
    log.warn({ refusal: error.reason, address: this.address, role: this.#peer?.role, serial: this.#peer?.serial }, error.message)
    if (error.header === undefined || this.identity.peer === undefined) {
      if (this.#owed === 0) this.#close()
      return
    }
    this.#busy = true
    engine.answer(error.header, this.identity.peer).then(this.#onAnswer, this.#onFailure)
  }

  // One write is one TLS record, up to 16 KiB; Node would merge writes that wait, so the next one waits here.
  #send(bytes: Buffer): void {
    this.#writing = true
    this.#context.metrics.sentBytes += bytes.length
    this.#socket.write(bytes, this.#onWritten)
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.#writing = false
    if (error || this.#closed) return
    this.#owed--
    const next = this.#unsent.shift()
    if (next !== undefined) this.#send(next)
    if (!this.#busy && (this.#ending || this.#ended || this.#framer.buffered > 0)) this.#pump()
  }

  /** Say goodbye to the client (close_notify) and wait a little for its own. */
  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#unsent = []
    this.deadlineMs = this.#context.nowMs + this.#context.limits.lingerMs
    this.#socket.end()
    this.#resume()
  }

  #refuseRevoked(): void {
    if (this.#closed) return
    this.refuse('revoked', 'a client was cut off: its certificate is revoked, or its role or scope is gone')
    // Not a moment longer than its close_notify needs.
    this.#socket.destroySoon()
  }

  #setPeer(peer: Peer): void {
    this.#peer = peer
    this.subject = auditSubject(peer, this.address, this.id)
    this.use = this.#context.metrics.clients.of(peer, this.identity.endsMs)
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#socket.pause()
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#socket.resume()
  }
}
