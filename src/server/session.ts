import type { TLSSocket } from 'node:tls'
import type { Answer, Channel } from '../ops/engine.ts'
import { versionInBytes } from '../ops/message.ts'
import { storeAway } from '../ops/store-away.ts'
import { encode } from '../ttlv/binary.ts'
import { Connection, type ConnectionContext } from './connection.ts'
import { Framer, FramingError } from './framer.ts'
import type { Identity } from './identities.ts'
import { TurnedConnection } from './turned-connection.ts'

/** Answers that may wait to be sent to one client before its next message is begun. */
const MAX_OWED = 16
/** The same in bytes: a client that asks for much and reads nothing is not worked for. */
const MAX_OWED_BYTES = 1 << 20
/** Time that a client has to answer what the server asks it. */
const ANSWER_MS = 10_000

/**
 * A connection that carries TTLV messages one after another. They are answered in order, one at a time; reading pauses while the client
 * sends faster than it reads.
 */
export class Session extends Connection implements Channel {
  deadlineMs: number
  readonly #framer: Framer
  #busy = true
  #partial = false
  /** Bytes have come, and are looked at when this turn's are all there. */
  #taken = false
  /** Answers given to the outbox and not yet taken by the network. */
  #owed = 0
  #owedBytes = 0
  #writing = false
  /** Bytes of what is being written. */
  #sending = 0
  #unsent: Buffer[] = []
  #paused = false
  /** The client will send nothing more: close when all that came is answered. */
  #ended = false
  /** Nothing more shall be begun: close when what is in flight is answered. */
  #ending = false
  /** The client asked to swap the roles; they are once the answer has left. */
  #turning = false
  #turned: TurnedConnection | undefined

  constructor(id: number, socket: TLSSocket, identity: Identity, context: ConnectionContext) {
    super(id, socket, identity, context)
    this.#framer = new Framer(context.limits.messageBytes)
    this.deadlineMs = context.clockMs + context.limits.idleMs
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
  }

  /** Said by the operation that is being done. */
  turn(): boolean {
    if (this.peer !== undefined && this.context.turned?.takes(this.peer)) this.#turning = true
    return this.#turning
  }

  protected begin(): void {
    this.#busy = false
    this.#pump()
  }

  drain(): void {
    if (this.#taken) this.#onTurn()
    this.#ending = true
    if (!this.#busy && this.#owed === 0) this.close()
  }

  expire(): void {
    if (this.closed) this.socket.destroy()
    else if (this.#partial) this.refuse('partial_message', 'a message did not arrive whole in time; the limit is partialMs')
    else this.refuse('idle', 'the connection was silent for too long; the limit is idleMs')
  }

  deliver(bytes: Buffer, close: boolean): void {
    if (close) this.#ending = true
    if (this.closed) return
    if (this.#writing) this.#unsent.push(bytes)
    else this.#send(bytes)
  }

  readonly #onData = (chunk: Buffer): void => {
    // A closing connection still reads, and drops, so that the client gets its last answer instead of a reset.
    if (this.closed) return
    this.context.metrics.receivedBytes += chunk.length
    if (this.#ending) return
    if (this.#turned !== undefined) {
      this.#turned.receive(chunk)
      return
    }
    this.#framer.push(chunk)
    this.#take()
    if (this.#framer.buffered > this.context.limits.queuedBytes && (this.#busy || this.#owesMuch)) this.#pause()
  }

  #take(): void {
    if (this.#taken) return
    this.#taken = true
    this.context.turn.take(this.#onTurn)
  }

  readonly #onTurn = (): void => {
    this.#taken = false
    if (!this.#busy) this.#pump()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    if (this.#turned !== undefined) this.close()
    if (!this.#busy) this.#pump()
  }

  /** Begin the next message, if there is one and the connection may. */
  #pump(): void {
    if (this.closed || this.#turning || this.#owesMuch) return
    if (this.#ending) {
      if (this.#owed === 0) this.close()
      return
    }
    const { limits, outbox, clockMs } = this.context
    let message: Buffer | undefined
    try {
      message = this.#framer.next()
    } catch (error) {
      this.#misframed(error)
      return
    }
    if (message === undefined) {
      if (this.#ended) {
        if (this.#owed === 0) this.close()
        return
      }
      const partial = this.#framer.buffered > 0
      // A client that sends byte by byte must not push its deadline on with each.
      if (!partial) this.deadlineMs = clockMs + limits.idleMs
      else if (!this.#partial) this.deadlineMs = clockMs + limits.partialMs
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
    if (this.context.lane.mayBegin(message)) this.#begin(message)
    else this.context.lane.wait(() => this.#begin(message))
  }

  #begin(message: Buffer): void {
    if (this.closed) return
    const settled = this.context.identities.settle?.()
    if (settled === undefined) this.#answerNow(message)
    else
      settled.then(
        () => this.#answerNow(message),
        (cause: unknown) => this.#refuseUnsettled(message, cause),
      )
  }

  #answerNow(message: Buffer): void {
    if (this.closed) return
    if (this.isCurrent) this.#answer(message)
    else void this.#answerRechecked(message)
  }

  /** What is true now cannot be known: no item is done. Who asks was known when the client was let in, and learns nothing. */
  #refuseUnsettled(message: Buffer, cause: unknown): void {
    const { peer } = this.identity
    if (peer === undefined) this.onFailure(cause)
    else this.context.engine.answer(message, peer, this, storeAway(cause)).then(this.#onAnswer, this.onFailure)
  }

  #answer(message: Buffer): void {
    const peer = this.knownPeer()
    if (peer === undefined) return
    const { engine } = this.context
    let known: Answer | undefined
    try {
      known = engine.recall(message, peer)
    } catch (error) {
      this.onFailure(error)
      return
    }
    if (known !== undefined) this.#onAnswer(known)
    else engine.answer(message, peer, this).then(this.#onAnswer, this.onFailure)
  }

  async #answerRechecked(message: Buffer): Promise<void> {
    const peer = await this.recheckedPeer()
    if (peer !== undefined) this.context.engine.answer(message, peer, this).then(this.#onAnswer, this.onFailure)
  }

  readonly #onAnswer = (answer: Answer): void => {
    const { outbox, clockMs, limits } = this.context
    this.#busy = false
    if (this.#turning && !answer.entries.some(({ operation, status }) => operation === 'SetEndpointRole' && status === 'Success'))
      this.#turning = false
    this.#owed++
    this.#owedBytes += answer.bytes.length
    this.deadlineMs = clockMs + limits.idleMs
    outbox.add(this, answer)
    if (answer.close) this.#ending = true
    else if (this.#framer.buffered > 0 && !this.#ending) this.#pump()
  }

  /** The stream is lost: say why where a message began, in its version if that has come, and close. */
  #misframed(error: unknown): void {
    if (!(error instanceof FramingError)) throw error
    this.#ending = true
    this.note(error.reason, error.message)
    if (error.start === undefined || this.identity.peer === undefined) {
      if (this.#owed === 0) this.close()
      return
    }
    const { message, entries } = this.context.engine.answerUnreadable(error.message, versionInBytes(error.start))
    this.#onAnswer({ bytes: encode(message), close: true, entries })
  }

  // One write is one TLS record, up to 16 KiB; Node would merge writes that wait, so the next one waits here.
  #send(bytes: Buffer): void {
    this.#writing = true
    this.context.metrics.sentBytes += bytes.length
    this.#sending = bytes.length
    this.socket.write(bytes, this.#onWritten)
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.#writing = false
    if (error || this.closed) return
    this.#owed--
    this.#owedBytes -= this.#sending
    if (this.#turning && this.#turned === undefined && this.#owed === 0 && !this.#busy) {
      this.#turnRound()
      return
    }
    const next = this.#unsent.shift()
    if (next !== undefined) this.#send(next)
    if (this.#busy) return
    // What came meanwhile is looked at with the rest of its turn: alone it would take a look at the store's version of its own.
    if (this.#framer.buffered > 0) this.#take()
    else if (this.#ending || this.#ended) this.#pump()
  }

  get #owesMuch(): boolean {
    return this.#owed >= MAX_OWED || this.#owedBytes > MAX_OWED_BYTES
  }

  /** From here on the server asks and the client answers. What the client sent behind its request is no answer to anything. */
  #turnRound(): void {
    const { peer, context } = this
    if (this.#ending || this.#ended || peer === undefined || context.turned === undefined) {
      this.close()
      return
    }
    if (this.#framer.buffered > 0) {
      this.refuse('not_kmip', 'a client sent more behind the request that swapped the roles')
      return
    }
    this.deadlineMs = Number.POSITIVE_INFINITY
    this.socket.setKeepAlive(true, 60_000)
    this.#turned = new TurnedConnection({
      ...{ id: this.id, address: this.address },
      send: bytes => {
        context.metrics.sentBytes += bytes.length
        this.deadlineMs = context.clockMs + ANSWER_MS
        this.socket.write(bytes)
      },
      answered: () => {
        this.deadlineMs = Number.POSITIVE_INFINITY
      },
      peer: () => this.recheckedPeer(),
      close: problem => (problem === undefined ? this.close() : this.refuse('not_kmip', problem)),
      turnBack: rest => {
        this.#turned = undefined
        this.#turning = false
        this.deadlineMs = context.clockMs + context.limits.idleMs
        if (rest.length > 0) this.#framer.push(rest)
        this.#pump()
      },
    })
    const line = this.#turned
    this.socket.once('close', () => line.end())
    void context.turned.serve(line, peer)
  }

  /** Say goodbye to the client (close_notify) and wait a little for its own. */
  protected close(): void {
    if (this.closed) return
    this.closed = true
    this.#unsent = []
    this.#turned?.end()
    this.deadlineMs = this.context.clockMs + this.context.limits.lingerMs
    this.socket.end()
    this.#resume()
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.socket.pause()
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.socket.resume()
  }
}
