import { EventEmitter } from 'node:events'
import type { HttpRequest, HttpResponse } from './exchange.ts'
import { encodeField, encodeStatus } from './hpack.ts'
import type { Http2Connection } from './http2-connection.ts'
import { CODE, FLAG, FRAME, HEAD_BYTES, WINDOW, writeHead } from './http2-frames.ts'
import { type Http2Head, headersOf } from './http2-head.ts'
import { BodyReader, Exchange, isStream, NO_BODY, pour, type Serving } from './incoming.ts'

export interface Http2ExchangeOptions {
  readonly id: number
  /** Absent: the head is longer than it may be. */
  readonly head: Http2Head | undefined
  /** That it came in. */
  readonly headBytes: number
  readonly connection: Http2Connection
  readonly serving: Serving
  /** What the client takes of a body before it says more. */
  readonly window: number
}

/** What a piece of a body takes beside its bytes. */
const PIECE_BYTES = 128

/** A request on a stream of HTTP/2. */
export class Http2Exchange extends Exchange {
  readonly id: number
  sendWindow: number
  /** Whether all of the request has come. */
  hasEnded = false
  /** When all of the answer was sent. */
  answeredMs: number | undefined
  readonly #head: Http2Head | undefined
  readonly #connection: Http2Connection
  #reader: BodyReader | undefined
  #consumed = 0
  #received = 0
  #held = 0
  #isGone = false
  /** Pieces of the answer's body that wait to be sent. */
  readonly #queue: Buffer[] = []
  #isLast = false
  #sink: BodySink | undefined

  constructor({ id, head, headBytes, connection, serving, window }: Http2ExchangeOptions) {
    super(head?.method ?? 'GET', head?.path ?? '/', connection.peer, serving)
    this.id = id
    this.sendWindow = window
    this.#head = head
    this.#connection = connection
    this.#hold(headBytes)
  }

  get headers(): HttpRequest['headers'] {
    return headersOf(this.#head?.fields ?? [])
  }

  start(ends: boolean): void {
    this.hasEnded = ends
    if (this.#head === undefined) {
      this.send({ status: 431, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: '431 Request Header Fields Too Large' })
      return
    }
    const { bodyBytes } = this.begin()
    // What is said to have a body and has none is found at its end.
    if (ends && (this.#head.length ?? 0) > 0) this.end()
    else if (bodyBytes === 0 || ends) this.answer()
    else this.#reader = new BodyReader(bodyBytes)
  }

  /** So much came. @returns how much more the client is to be told that it may send */
  received(bytes: number): number {
    this.#consumed += bytes
    if (this.#consumed < WINDOW / 2) return 0
    const more = this.#consumed
    this.#consumed = 0
    return more
  }

  data(piece: Buffer, ends: boolean): void {
    this.#received += piece.length
    if (this.#received > (this.#head?.length ?? this.#received)) {
      this.#connection.reset(this, CODE.PROTOCOL_ERROR)
      return
    }
    if (this.#reader !== undefined && piece.length > 0) {
      this.#hold(piece.length + PIECE_BYTES)
      if (this.#reader.add(piece)) {
        this.truncated = true
        this.#whole(this.#reader)
      }
    }
    if (ends) this.end()
  }

  /** No more of the request comes. */
  end(): void {
    this.hasEnded = true
    if (this.#received !== (this.#head?.length ?? this.#received)) {
      this.#connection.reset(this, CODE.PROTOCOL_ERROR)
      return
    }
    if (this.#reader) this.#whole(this.#reader)
    if (this.answeredMs !== undefined) this.#connection.finished(this)
  }

  cut(): void {
    this.#connection.reset(this, CODE.CANCEL)
  }

  /** The stream is closed. */
  lost(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#reader = undefined
    this.#hold(-this.#held)
    this.#queue.length = 0
    this.over(this.answeredMs !== undefined)
    this.#sink?.close()
  }

  protected send({ status, headers, body, close }: HttpResponse): void {
    if (this.#isGone) return
    const withBody = this.method !== 'HEAD' && status !== 204 && status !== 304
    if (isStream(body)) {
      this.#sendHead(headBlock(status, headers), false)
      this.#sink = new BodySink(this)
      pour(body, this.#sink).catch((error: unknown) => {
        this.report(error)
        this.cut()
      })
    } else {
      const bytes = body === undefined ? NO_BODY : Buffer.isBuffer(body) ? body : Buffer.from(body)
      const block = headBlock(status, headers, status === 204 || status === 304 ? undefined : bytes.length)
      this.#isLast = true
      if (!withBody || bytes.length === 0) {
        this.#sendHead(block, true)
        this.#done()
      } else if (bytes.length <= this.#connection.room(this)) this.#sendWhole(block, bytes)
      else {
        this.#sendHead(block, false)
        this.#queue.push(bytes)
        this.goOn()
      }
    }
    if (close === true) this.#connection.drain()
  }

  /** @returns whether more may be given at once */
  write(piece: Buffer): boolean {
    if (piece.length > 0) this.#queue.push(piece)
    this.goOn()
    return this.#queue.length === 0
  }

  last(): void {
    this.#isLast = true
    this.goOn()
  }

  /** Send what may be sent. */
  goOn(): void {
    while (!this.#isGone && this.#queue.length > 0) {
      const room = this.#connection.room(this)
      if (room <= 0) {
        this.#connection.wait(this)
        return
      }
      const piece = this.#queue[0]!
      const part = piece.length <= room ? piece : piece.subarray(0, room)
      if (part === piece) this.#queue.shift()
      else this.#queue[0] = piece.subarray(room)
      this.#sendData(part, this.#isLast && this.#queue.length === 0)
    }
    if (this.#isGone) return
    if (this.#isLast && this.answeredMs === undefined) {
      this.#sendData(NO_BODY, true)
      this.#done()
    } else this.#sink?.emit('drain')
  }

  #sendHead(block: Buffer, isLast: boolean): void {
    const bytes = Buffer.allocUnsafe(HEAD_BYTES + block.length)
    writeHead(bytes, 0, block.length, FRAME.HEADERS, FLAG.END_HEADERS | (isLast ? FLAG.END_STREAM : 0), this.id)
    bytes.set(block, HEAD_BYTES)
    this.#connection.send(bytes)
  }

  #sendData(part: Buffer, isLast: boolean): void {
    const bytes = Buffer.allocUnsafe(HEAD_BYTES + part.length)
    writeHead(bytes, 0, part.length, FRAME.DATA, isLast ? FLAG.END_STREAM : 0, this.id)
    bytes.set(part, HEAD_BYTES)
    this.#connection.sent(this, part.length)
    this.#connection.send(bytes)
    if (isLast && part.length > 0) this.#done()
  }

  /** Head and body at once, as most answers are. */
  #sendWhole(block: Buffer, body: Buffer): void {
    const at = HEAD_BYTES + block.length
    const bytes = Buffer.allocUnsafe(at + HEAD_BYTES + body.length)
    writeHead(bytes, 0, block.length, FRAME.HEADERS, FLAG.END_HEADERS, this.id)
    bytes.set(block, HEAD_BYTES)
    writeHead(bytes, at, body.length, FRAME.DATA, FLAG.END_STREAM, this.id)
    bytes.set(body, at + HEAD_BYTES)
    this.#connection.sent(this, body.length)
    this.#connection.send(bytes)
    this.#done()
  }

  #done(): void {
    this.answeredMs = performance.now()
    if (this.hasEnded) this.#connection.finished(this)
    // What is still to come of the body is wanted no more.
    else if (this.truncated || this.#head === undefined) this.#connection.reset(this, CODE.NO_ERROR)
    else this.over(true)
  }

  #whole(reader: BodyReader): void {
    this.#reader = undefined
    this.body = reader.take()
    this.answer()
  }

  #hold(bytes: number): void {
    this.#held += bytes
    this.#connection.heldBytes += bytes
  }
}

/** Where a streamed body goes. */
class BodySink extends EventEmitter {
  readonly #exchange: Http2Exchange
  destroyed = false
  constructor(exchange: Http2Exchange) {
    super()
    this.#exchange = exchange
  }
  write(piece: string | Buffer): boolean {
    return this.#exchange.write(Buffer.isBuffer(piece) ? piece : Buffer.from(piece))
  }
  end(): void {
    if (!this.destroyed) this.#exchange.last()
  }
  close(): void {
    this.destroyed = true
    this.emit('close')
  }
}

const encoded = new WeakMap<object, Buffer>()
const date = { second: 0, field: NO_BODY }

/** The answers of a door have a few sets of headers, over and over. */
function headBlock(status: number, headers: HttpResponse['headers'], length?: number): Buffer {
  let fields = headers && encoded.get(headers)
  if (headers && fields === undefined) {
    fields = Buffer.concat(Object.entries(headers).map(([name, value]) => encodeField(name.toLowerCase(), value)))
    encoded.set(headers, fields)
  }
  const second = Math.floor(Date.now() / 1000)
  if (date.second !== second) Object.assign(date, { second, field: encodeField('date', new Date(second * 1000).toUTCString()) })
  return Buffer.concat([statusField(status), fields ?? NO_BODY, date.field, length === undefined ? NO_BODY : lengthField(length)])
}

const statuses = new Map<number, Buffer>()
function statusField(status: number): Buffer {
  const field = statuses.get(status) ?? encodeStatus(status)
  statuses.set(status, field)
  return field
}

const lengthField = (length: number): Buffer => encodeField('content-length', String(length))
