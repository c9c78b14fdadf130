import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { HttpRequest, HttpResponse } from './exchange.ts'
import { BodyReader, Exchange, isStream, Peer, pour, type Serving } from './incoming.ts'

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_ENHANCE_YOUR_CALM } = constants
/** Streams that a client may open and give up between two checks. */
const MAX_GIVEN_UP = 500
const SESSION_MEGABYTES = 16

interface Connection {
  readonly session: ServerHttp2Session
  readonly peer: Peer
  open: number
  givenUp: number
}

/** HTTP/2 on connections that somebody else accepts. */
export class Http2 {
  readonly #serving: Serving
  readonly #server: Http2Server
  readonly #connections = new Map<ServerHttp2Session, Connection>()

  constructor(serving: Serving) {
    this.#serving = serving
    this.#server = createServer({
      maxSessionMemory: SESSION_MEGABYTES,
      settings: { maxConcurrentStreams: serving.concurrent, maxHeaderListSize: serving.headerBytes, enablePush: false },
    })
    // A session that breaks is closed by then, and its streams with it.
    this.#server.on('sessionError', () => undefined)
  }

  open(socket: Socket): void {
    const peer = new Peer(socket)
    // The session appears in this call, before any of its streams.
    this.#server.once('session', session => this.#begin(session, peer))
    this.#server.emit('connection', socket)
  }

  /** Forget what clients gave up before. */
  check(): void {
    for (const connection of this.#connections.values()) connection.givenUp = 0
  }

  drain(): void {
    for (const session of this.#connections.keys()) session.close()
  }

  destroy(): void {
    for (const session of this.#connections.keys()) session.destroy()
  }

  #begin(session: ServerHttp2Session, peer: Peer): void {
    const connection: Connection = { session, peer, open: 0, givenUp: 0 }
    this.#connections.set(session, connection)
    session.once('close', () => this.#connections.delete(session))
    session.on('stream', (stream, headers) => new Http2Exchange(stream, headers, connection, this.#serving).start())
    session.setTimeout(this.#serving.idleMs, () => {
      if (connection.open === 0) session.close()
    })
    if (this.#serving.stopping()) session.close()
  }
}

class Http2Exchange extends Exchange {
  readonly #stream: ServerHttp2Stream
  readonly #fields: IncomingHttpHeaders
  readonly #connection: Connection
  #answered = false

  constructor(stream: ServerHttp2Stream, fields: IncomingHttpHeaders, connection: Connection, serving: Serving) {
    super(fields[':method'] ?? '', fields[':path'] ?? '', connection.peer, serving)
    this.#stream = stream
    this.#fields = fields
    this.#connection = connection
  }

  get headers(): HttpRequest['headers'] {
    return { host: this.#fields[':authority'], ...this.#fields } as Record<string, string | undefined>
  }

  start(): void {
    this.#connection.open++
    this.#stream.once('close', this.#onClose)
    // How a stream ends is told by its close.
    this.#stream.on('error', () => undefined)
    const { bodyBytes } = this.begin()
    const ended = this.#stream.readableEnded || this.#fields['content-length'] === '0' || this.#stream.endAfterHeaders
    if (bodyBytes === 0 || ended) {
      this.#stream.resume()
      this.answer()
    } else this.#read(new BodyReader(bodyBytes))
  }

  cut(): void {
    this.#stream.close(NGHTTP2_CANCEL)
  }

  #read(reader: BodyReader): void {
    const stream = this.#stream
    const onData = (chunk: Buffer): void => {
      if (!reader.add(chunk)) return
      stream.off('data', onData).off('end', onEnd)
      this.truncated = true
      onEnd()
    }
    const onEnd = (): void => {
      this.body = reader.take()
      this.answer()
    }
    stream.on('data', onData).once('end', onEnd)
  }

  protected send({ status, headers, body, close }: HttpResponse): void {
    const stream = this.#stream
    if (stream.destroyed) return
    this.#answered = true
    const fields: OutgoingHttpHeaders = { ':status': status, ...headers }
    const withBody = this.method !== 'HEAD' && status !== 204 && status !== 304
    if (isStream(body)) {
      stream.respond(fields)
      pour(body, stream).catch((error: unknown) => {
        this.report(error)
        this.cut()
      })
    } else {
      if (status !== 204 && status !== 304) fields['content-length'] = body === undefined ? 0 : Buffer.byteLength(body)
      const endStream = !withBody || body === undefined || body.length === 0
      stream.respond(fields, { endStream })
      if (!endStream) stream.end(body)
      // What is still to come of the body is wanted no more.
      if (this.truncated) stream.once('finish', () => stream.close(NGHTTP2_NO_ERROR))
    }
    if (close === true) this.#connection.session.close()
  }

  readonly #onClose = (): void => {
    const { session } = this.#connection
    this.#connection.open--
    // A reset ends the writing side as well, as if all had been written.
    const sent = this.#answered && this.#stream.rstCode === NGHTTP2_NO_ERROR
    this.over(sent)
    if (!sent && ++this.#connection.givenUp > MAX_GIVEN_UP) session.destroy(undefined, NGHTTP2_ENHANCE_YOUR_CALM)
  }
}
