import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpRequest, HttpResponse } from './exchange.ts'
import { BodyReader, Exchange, isStream, Peer, pour, type Serving } from './incoming.ts'
import { ListExchange, ListHead } from './list-exchange.ts'

/** How long a client that sends too much may go on sending after it was answered. */
const LINGER_MS = 500

/** HTTP/1.1 and 1.0 on connections that somebody else accepts. */
export class Http1 {
  readonly #serving: Serving
  readonly #parser: Server
  readonly #connections = new Map<Socket, Connection>()

  constructor(serving: Serving) {
    this.#serving = serving
    // Times are watched over by `check`: the parser's own timers run only where it listens itself.
    this.#parser = createServer({ maxHeaderSize: serving.headerBytes, keepAliveTimeout: 0, insecureHTTPParser: false })
    this.#parser.on('request', this.#onRequest)
    this.#parser.on('clientError', this.#onMalformed)
  }

  open(socket: Socket): void {
    this.#connections.set(socket, new Connection(socket))
    socket.once('close', () => this.#connections.delete(socket))
    this.#parser.emit('connection', socket)
  }

  /** @returns whether the bytes are of a request by LIST, whole or so far */
  #list(connection: Connection, packet: Buffer): boolean {
    if (connection.list === undefined && !ListHead.begins(packet)) return false
    connection.list ??= new ListHead(this.#serving.headerBytes)
    const head = connection.list.add(packet)
    if (head === 'bad') return false
    if (head) {
      connection.begin()
      new ListExchange(head, connection.socket, connection.peer, this.#serving).start()
    }
    return true
  }

  /** Close what is silent for too long or in the middle of a request's head for too long. */
  check(nowMs: number): void {
    const { headerMs, idleMs } = this.#serving
    for (const [socket, connection] of this.#connections) if (connection.isOver(nowMs, headerMs, idleMs)) socket.destroy()
  }

  /** Close connections that wait for nothing; the others close after their answers. */
  drain(): void {
    for (const [socket, connection] of this.#connections) if (connection.open === 0) socket.destroy()
  }

  destroy(): void {
    for (const socket of this.#connections.keys()) socket.destroy()
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = this.#connections.get(request.socket)
    if (connection === undefined || connection.open >= this.#serving.concurrent) request.socket.destroy()
    else new Http1Exchange(request, response, connection, this.#serving).start()
  }

  readonly #onMalformed = (error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }, socket: unknown): void => {
    const connection = this.#connections.get(socket as Socket)
    if (connection === undefined) return
    if (error.code === 'HPE_INVALID_METHOD' && error.rawPacket && connection.open === 0 && connection.socket.writable)
      if (this.#list(connection, error.rawPacket)) return
    if (connection.open > 0 || !connection.socket.writable) connection.socket.destroy()
    else
      connection.socket.end(error.code === 'HPE_HEADER_OVERFLOW' ? plain('431 Request Header Fields Too Large') : plain('400 Bad Request'))
  }
}

const plain = (status: string): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`

class Connection {
  readonly socket: Socket
  readonly peer: Peer
  /** Requests without an answer. */
  open = 0
  /** What came so far of a request by LIST. */
  list: ListHead | undefined
  #silentSinceMs = performance.now()
  /** When bytes of a request were noticed whose head is not whole. */
  #partialSinceMs: number | undefined
  #seenBytes: number

  constructor(socket: Socket) {
    this.socket = socket
    this.peer = new Peer(socket)
    this.#seenBytes = socket.bytesRead
  }

  begin(): void {
    this.open++
  }

  end(): void {
    this.open--
    this.#silentSinceMs = performance.now()
    this.#partialSinceMs = undefined
    this.#seenBytes = this.socket.bytesRead
  }

  isOver(nowMs: number, headerMs: number, idleMs: number): boolean {
    if (this.open > 0) return false
    if (this.#partialSinceMs === undefined && this.socket.bytesRead > this.#seenBytes) this.#partialSinceMs = nowMs
    return this.#partialSinceMs === undefined ? nowMs - this.#silentSinceMs > idleMs : nowMs - this.#partialSinceMs > headerMs
  }
}

class Http1Exchange extends Exchange {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #connection: Connection
  readonly #serving: Serving
  #close = false

  constructor(request: IncomingMessage, response: ServerResponse, connection: Connection, serving: Serving) {
    super(request.method ?? '', request.url ?? '', connection.peer, serving)
    this.#request = request
    this.#response = response
    this.#connection = connection
    this.#serving = serving
  }

  get headers(): HttpRequest['headers'] {
    return this.#request.headers as Record<string, string | undefined>
  }

  start(): void {
    this.#connection.begin()
    this.#response.once('close', this.#onClose)
    this.#request.on('error', () => undefined)
    const { hosts, hasBody } = framing(this.#request.rawHeaders)
    if (hosts > 1) {
      this.#close = true
      this.send({ status: 400, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body: '400 Bad Request' })
      return
    }
    const { bodyBytes } = this.begin()
    if (bodyBytes === 0 || !hasBody) {
      if (hasBody) this.#request.resume()
      this.answer()
    } else this.#read(new BodyReader(bodyBytes))
  }

  cut(): void {
    this.#connection.socket.destroy()
  }

  #read(reader: BodyReader): void {
    const onData = (chunk: Buffer): void => {
      if (!reader.add(chunk)) return
      this.#request.off('data', onData).off('end', onEnd)
      this.#close = this.truncated = true
      onEnd()
    }
    const onEnd = (): void => {
      this.body = reader.take()
      this.answer()
    }
    this.#request.on('data', onData).once('end', onEnd)
  }

  protected send(answer: HttpResponse): void {
    const { status, headers, body } = answer
    const response = this.#response
    const close = this.#close || answer.close === true || this.#serving.stopping()
    const fields: string[] = []
    if (headers) for (const name in headers) fields.push(name, headers[name]!)
    if (close) fields.push('Connection', 'close')
    // It is what HTTP/1.1 means without the header.
    else response.removeHeader('connection')
    if (isStream(body)) {
      response.writeHead(status, fields)
      response.flushHeaders()
      pour(body, response).catch((error: unknown) => {
        this.report(error)
        this.cut()
      })
      return
    }
    if (status !== 204 && status !== 304) fields.push('Content-Length', String(body === undefined ? 0 : Buffer.byteLength(body)))
    response.writeHead(status, fields)
    if (this.truncated) this.#linger(body)
    else response.end(body)
  }

  /** The rest of the body is read and dropped, so that the client gets its answer instead of a reset. */
  #linger(body: string | Buffer | undefined): void {
    if (body !== undefined) this.#response.write(body)
    const end = (): void => {
      clearTimeout(timer)
      this.#response.end()
    }
    const timer = setTimeout(end, LINGER_MS)
    this.#request.once('end', end).resume()
  }

  readonly #onClose = (): void => {
    this.#connection.end()
    this.over(this.#response.writableFinished)
  }
}

/** What of the headers decides where a request ends. */
function framing(rawHeaders: readonly string[]): { hosts: number; hasBody: boolean } {
  let hosts = 0
  let hasBody = false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
    else if (name.length === 14 && name.toLowerCase() === 'content-length') hasBody ||= rawHeaders[i + 1] !== '0'
    else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') hasBody = true
  }
  return { hosts, hasBody }
}
