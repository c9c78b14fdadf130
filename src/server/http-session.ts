import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Connection, type ConnectionContext, type OpenConnection } from './connection.ts'
import { type Encoding, SizeError } from './encodings.ts'
import { admissible, HttpRefusal } from './http-request.ts'
import type { Identity } from './identities.ts'

/** Requests that a client may send ahead of their answers. */
const MAX_WAITING = 16

/**
 * KMIP over HTTP/1.1 and 1.0: `POST /kmip` with a message in TTLV, JSON or XML, after the listener has let the client in. It gives each
 * connection to a parser of Node's that never listens itself.
 * Spec: KMIP Additional Message Encodings 1.0 section 2, Profiles 2.1 section 5.3
 */
export function httpSessions(): OpenConnection {
  const sessions = new WeakMap<Socket, HttpSession>()
  const parser = createServer({ insecureHTTPParser: false, requireHostHeader: false, maxHeaderSize: 8192, keepAliveTimeout: 0 })
  // Times and sizes are the listener's to limit, on this connection as on others.
  parser.maxHeadersCount = 64
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => sessions.get(request.socket)?.take({ request, response })
  parser.on('request', onRequest)
  parser.on('checkContinue', onRequest)
  parser.on('checkExpectation', onRequest)
  parser.on('clientError', (error: NodeJS.ErrnoException, socket) => sessions.get(socket as Socket)?.malformed(error))
  return (id, socket, identity, context) => {
    const session = new HttpSession(id, socket, identity, context, () => parser.emit('connection', socket))
    sessions.set(socket, session)
    return session
  }
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** A connection that carries KMIP messages in HTTP requests. They are answered in order, one at a time. */
export class HttpSession extends Connection {
  readonly #parse: () => void
  readonly #waiting: Exchange[] = []
  #current: (Exchange & { encoding?: Encoding }) | undefined
  /** Where the connection is in the middle of something: the time until which it may be, or for ever. */
  #untilMs: number | undefined
  #silentSinceMs: number
  /** When bytes of a request were noticed that is not whole yet. */
  #partialSinceMs: number | undefined
  #answeredBytes = 0
  #countedIn = 0
  #countedOut = 0
  /** Nothing more shall be begun. */
  #ending = false

  constructor(id: number, socket: TLSSocket, identity: Identity, context: ConnectionContext, parse: () => void) {
    super(id, socket, identity, context)
    this.#parse = parse
    this.#silentSinceMs = context.clockMs
    socket.once('close', this.#count)
  }

  /** The parser tells of whole requests only, so the first byte of one is noticed here, at the listener's next tick. */
  get deadlineMs(): number {
    if (this.#untilMs !== undefined) return this.#untilMs
    const { clockMs, limits } = this.context
    if (this.#partialSinceMs === undefined && this.socket.bytesRead > this.#answeredBytes) this.#partialSinceMs = clockMs
    return this.#partialSinceMs === undefined ? this.#silentSinceMs + limits.idleMs : this.#partialSinceMs + limits.partialMs
  }

  protected begin(): void {
    this.#parse()
  }

  drain(): void {
    this.#ending = true
    this.#waiting.length = 0
    if (this.#current === undefined) this.close()
  }

  expire(): void {
    if (this.closed) this.socket.destroy()
    else if (this.#partialSinceMs !== undefined)
      this.refuse('partial_message', 'a request did not arrive whole in time; the limit is partialMs')
    else this.refuse('idle', 'the connection was silent for too long; the limit is idleMs')
  }

  /** A request whose headers have arrived. */
  take(exchange: Exchange): void {
    exchange.request.on('error', ignore)
    exchange.response.on('error', ignore)
    if (this.closed || this.#ending) return
    if (this.#waiting.length >= MAX_WAITING) {
      this.#ending = true
      this.note('http', `more than ${MAX_WAITING} requests wait for their answers; the connection is closed after those`)
      return
    }
    this.#waiting.push(exchange)
    if (this.#current === undefined) this.#next()
  }

  /** What was sent is no HTTP, or nothing more can be read. */
  malformed(error: NodeJS.ErrnoException): void {
    if (this.closed) return
    if (error.code?.startsWith('HPE_') !== true || !this.socket.writable) {
      this.destroy()
      return
    }
    this.#ending = true
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
    const text = `the request is refused: ${error.message}`
    if (this.#current === undefined) {
      this.note('http', text)
      this.socket.write(`HTTP/1.1 ${status} ${status === 431 ? 'Request Header Fields Too Large' : 'Bad Request'}\r\n${CLOSING}`)
      this.close()
    } else if (this.#current.request.complete) this.note('http', text)
    else this.#fail(new HttpRefusal(status, text), true)
  }

  deliver(bytes: Buffer): void {
    const { response, encoding } = this.#current ?? {}
    if (this.closed || response === undefined || encoding === undefined) return
    const isLast = this.#ending && this.#waiting.length === 0
    this.#silentSinceMs = this.context.clockMs
    this.#untilMs = undefined
    this.#partialSinceMs = undefined
    this.#answeredBytes = this.socket.bytesRead
    response.once('finish', this.#onSent)
    response.writeHead(200, {
      'content-type': encoding.contentType,
      'content-length': bytes.length,
      'cache-control': 'no-cache',
      ...(isLast && { connection: 'close' }),
    })
    response.end(bytes)
  }

  #next(): void {
    const exchange = this.#waiting.shift()
    if (exchange === undefined || this.closed) return
    this.#current = exchange
    this.#partialSinceMs ??= this.context.clockMs
    try {
      const { encoding, limit } = admissible(exchange.request, this.context.limits.messageBytes)
      if (this.context.outbox.blocked) throw new HttpRefusal(503, 'the audit log cannot be written', { kind: 'audit' })
      this.#current = { ...exchange, encoding }
      if (exchange.request.headers.expect !== undefined && exchange.request.httpVersion === '1.1') exchange.response.writeContinue()
      this.#read(exchange.request, encoding, limit)
    } catch (error) {
      this.#failWith(error)
    }
  }

  #read(request: IncomingMessage, encoding: Encoding, limit: number): void {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (this.closed) return
      if (size > limit) this.#fail(new HttpRefusal(413, `the body is above the limit of ${limit} bytes`, { kind: 'message_size' }))
      else chunks.push(chunk)
    })
    request.once('end', () => {
      if (this.closed) return
      this.#untilMs = Number.POSITIVE_INFINITY
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      this.context.turn.take(() => {
        if (!this.closed) this.#answer(encoding, body).catch(error => this.#failWith(error))
      })
    })
  }

  async #answer(encoding: Encoding, body: Buffer): Promise<void> {
    const { engine, limits, outbox, identities } = this.context
    try {
      await identities.settle?.()
    } catch (cause) {
      this.context.log.error({ err: cause }, 'a request is refused, because the store cannot be asked')
      throw new HttpRefusal(503, 'the store is not reachable')
    }
    const peer = this.isCurrent ? this.knownPeer() : await this.recheckedPeer()
    if (peer === undefined) return
    outbox.add(this, await encoding.answer(engine, body, peer, limits.messageBytes))
  }

  readonly #onSent = (): void => {
    this.#count()
    this.#current = undefined
    if (this.#waiting.length > 0) this.#next()
    else if (this.#ending) this.close()
  }

  #failWith(error: unknown): void {
    if (error instanceof HttpRefusal) this.#fail(error)
    else if (error instanceof SizeError) this.#fail(new HttpRefusal(413, error.message, { kind: error.code }))
    else this.onFailure(error)
  }

  /** Answer without KMIP, and close: after a request that is refused, where the next one begins is not to be trusted. */
  #fail({ status, message, kind, headers }: HttpRefusal, isBroken = false): void {
    const { request, response } = this.#current!
    this.note(kind, message)
    const text = `${message}\n`
    response.writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      connection: 'close',
      ...headers,
    })
    response.write(text)
    this.#expectEnd()
    // The rest of the body is read and dropped, so that the client gets its answer instead of a reset.
    if (request.complete || isBroken) response.end()
    else request.once('end', () => response.end()).resume()
  }

  protected close(): void {
    if (this.closed) return
    this.#expectEnd()
    this.socket.end()
  }

  #expectEnd(): void {
    this.closed = true
    this.#waiting.length = 0
    this.#untilMs = this.context.clockMs + this.context.limits.lingerMs
  }

  readonly #count = (): void => {
    const { metrics } = this.context
    metrics.receivedBytes += this.socket.bytesRead - this.#countedIn
    metrics.sentBytes += this.socket.bytesWritten - this.#countedOut
    this.#countedIn = this.socket.bytesRead
    this.#countedOut = this.socket.bytesWritten
  }
}

const CLOSING = 'Content-Length: 0\r\nConnection: close\r\n\r\n'
const ignore = (): void => undefined
