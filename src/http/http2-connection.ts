import type { Socket } from 'node:net'
import { type Field, HpackDecoder, HpackError } from './hpack.ts'
import { Http2Exchange } from './http2-exchange.ts'
import {
  CODE,
  FLAG,
  FRAME,
  FRAME_BYTES,
  frame,
  goAway,
  HEAD_BYTES,
  Http2Error,
  LARGEST_WINDOW,
  numberFrame,
  PREFACE,
  SETTING,
  settingsFrame,
  unpadded,
  WINDOW,
} from './http2-frames.ts'
import { readRequest } from './http2-head.ts'
import { Http2Output } from './http2-output.ts'
import { Peer, type Serving } from './incoming.ts'

/** Requests that a client may give up, and frames without a request that it may send, between two checks. */
const MOST_GIVEN_UP = 500
const MOST_IDLE_FRAMES = 2000
/** Frames that go along with a request: windows that grow again by its answer. */
const IDLE_FRAMES_OF_REQUEST = 6
/** How long a client that was told the end may take to hear it. */
const END_MS = 1_000
/** Of heads, and of bodies that are not whole, in all requests of a connection. */
const MOST_HELD_BYTES = 16 << 20
const CONNECTION_WINDOW = 1 << 20
const RESETS_KEPT = 2_000
/** How long a client that was answered may go on sending its body. */
const LINGER_MS = 5_000

/** A header block that comes in several frames. */
interface Block {
  readonly stream: number
  readonly ends: boolean
  readonly pieces: Buffer[]
  bytes: number
}

/** One connection of HTTP/2, on the side of the server. Spec: RFC 9113 */
export class Http2Connection {
  readonly peer: Peer
  readonly #socket: Socket
  readonly #serving: Serving
  readonly #output: Http2Output
  readonly #decoder = new HpackDecoder()
  readonly #streams = new Map<number, Http2Exchange>()
  /** Ended here while the client was still sending. */
  readonly #resets = new Set<number>()
  /** They wait for a window or for the socket. */
  readonly #blocked = new Set<Http2Exchange>()
  #rest: Buffer | undefined
  #hasPreface = false
  #block: Block | undefined
  #lastStream = 0
  #isDraining = false
  #isOver = false
  #overSinceMs = Number.POSITIVE_INFINITY
  /** What may be sent on all streams together. */
  #sendWindow = WINDOW
  /** What came since the client was told that it may send more. */
  #consumed = 0
  #firstWindow = WINDOW
  #frameBytes = FRAME_BYTES
  #givenUp = 0
  #idleFrames = 0
  heldBytes = 0
  #quietSinceMs = performance.now()
  #partialSinceMs: number | undefined

  constructor(socket: Socket, serving: Serving) {
    this.#socket = socket
    this.#serving = serving
    this.#output = new Http2Output(socket)
    this.peer = new Peer(socket)
    this.send(settingsFrame({ [SETTING.MAX_CONCURRENT_STREAMS]: serving.concurrent, [SETTING.MAX_HEADER_LIST_SIZE]: serving.headerBytes }))
    this.#grow(CONNECTION_WINDOW - WINDOW)
    socket.on('data', this.#onData)
    socket.on('drain', this.#onDrain)
    // The other side says no more: what was asked cannot be answered either.
    socket.on('end', () => socket.destroy())
  }

  /** The socket is closed. */
  closed(): void {
    this.#isOver = true
    for (const stream of [...this.#streams.values()]) stream.lost()
    this.#streams.clear()
    this.#blocked.clear()
  }

  check(nowMs: number): void {
    const { headerMs, idleMs } = this.#serving
    if (nowMs - this.#overSinceMs > END_MS) this.destroy()
    this.#givenUp = this.#idleFrames = 0
    for (const stream of this.#streams.values())
      if (stream.answeredMs !== undefined && nowMs - stream.answeredMs > LINGER_MS) this.reset(stream, CODE.NO_ERROR)
    const isPartial = !this.#hasPreface || this.#block !== undefined || (this.#rest !== undefined && this.#streams.size === 0)
    if (!isPartial) this.#partialSinceMs = undefined
    else this.#partialSinceMs ??= nowMs
    if (this.#partialSinceMs !== undefined && nowMs - this.#partialSinceMs > headerMs) this.destroy()
    else if (this.#streams.size === 0 && nowMs - this.#quietSinceMs > idleMs) this.#end(CODE.NO_ERROR)
  }

  /** Take no new requests, and end when those that are open are answered. */
  drain(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    this.send(goAway(this.#lastStream, CODE.NO_ERROR))
    if (this.#streams.size === 0) this.#end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  send(bytes: Buffer): void {
    this.#output.add(bytes)
  }

  /** How much of an answer's body may be sent now: of one frame. */
  room(stream: Http2Exchange): number {
    if (this.#socket.writableNeedDrain) return 0
    return Math.min(this.#sendWindow, stream.sendWindow, this.#frameBytes)
  }

  sent(stream: Http2Exchange, bytes: number): void {
    this.#sendWindow -= bytes
    stream.sendWindow -= bytes
    this.#idleFrames -= bytes >> 10
  }

  wait(stream: Http2Exchange): void {
    this.#blocked.add(stream)
  }

  /** End a request without more ado. */
  reset(stream: Http2Exchange, code: number): void {
    if (!this.#streams.has(stream.id)) return
    this.send(numberFrame(FRAME.RST_STREAM, stream.id, code))
    if (!stream.hasEnded) this.#keepReset(stream.id)
    this.#remove(stream)
  }

  /** The answer is sent, or the request given up; and the client sends no more of it. */
  finished(stream: Http2Exchange): void {
    this.#remove(stream)
  }

  #keepReset(id: number): void {
    this.#resets.add(id)
    if (this.#resets.size > RESETS_KEPT) this.#resets.delete(this.#resets.values().next().value!)
  }

  #remove(stream: Http2Exchange): void {
    if (!this.#streams.delete(stream.id)) return
    this.#blocked.delete(stream)
    this.#quietSinceMs = performance.now()
    const wasAnswered = stream.answeredMs !== undefined
    stream.lost()
    if (!wasAnswered && ++this.#givenUp > MOST_GIVEN_UP) this.#end(CODE.ENHANCE_YOUR_CALM)
    else if (this.#isDraining && this.#streams.size === 0) this.#end()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isOver) return
    this.#output.hold()
    try {
      const rest = this.#read(this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]))
      this.#rest = rest.length === 0 ? undefined : rest
      // Time for the rest begins anew with each piece that brought something whole; a frame's beginning alone is none.
      if (this.#rest === undefined && this.#block === undefined) this.#partialSinceMs = undefined
    } catch (error) {
      if (error instanceof Http2Error) this.#end(error.code)
      else if (error instanceof HpackError) this.#end(CODE.COMPRESSION_ERROR)
      else {
        this.#serving.onError(error)
        this.#end(CODE.INTERNAL_ERROR)
      }
    }
    this.#output.release()
  }

  /** @returns what is left. @throws Http2Error, HpackError */
  #read(bytes: Buffer): Buffer {
    let at = 0
    if (!this.#hasPreface) {
      const length = Math.min(bytes.length, PREFACE.length)
      if (!bytes.subarray(0, length).equals(PREFACE.subarray(0, length))) throw new Http2Error(CODE.PROTOCOL_ERROR, 'this is no HTTP/2')
      if (bytes.length < PREFACE.length) return bytes
      this.#hasPreface = true
      at = PREFACE.length
    }
    while (!this.#isOver && bytes.length - at >= HEAD_BYTES) {
      const length = bytes.readUIntBE(at, 3)
      if (length > FRAME_BYTES) throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'a frame is too long')
      const end = at + HEAD_BYTES + length
      if (bytes.length < end) break
      this.#take(bytes[at + 3]!, bytes[at + 4]!, bytes.readUInt32BE(at + 5) & LARGEST_WINDOW, bytes.subarray(at + HEAD_BYTES, end))
      at = end
    }
    return bytes.subarray(at)
  }

  #take(type: number, flags: number, stream: number, payload: Buffer): void {
    if (this.#block !== undefined && (type !== FRAME.CONTINUATION || stream !== this.#block.stream))
      throw new Http2Error(CODE.PROTOCOL_ERROR, 'a header block is interrupted')
    if (type === FRAME.DATA) this.#data(flags, stream, payload)
    else if (type === FRAME.HEADERS) this.#headers(flags, stream, unpadded(payload, flags, (flags & FLAG.PRIORITY) !== 0))
    else if (type === FRAME.CONTINUATION) this.#continue(flags, payload)
    else if (type === FRAME.RST_STREAM) this.#resetByClient(stream, payload)
    else if (type === FRAME.SETTINGS) this.#settings(flags, stream, payload)
    else if (type === FRAME.WINDOW_UPDATE) this.#windowUpdate(stream, payload)
    else if (type === FRAME.PING) this.#ping(flags, stream, payload)
    else if (type === FRAME.PUSH_PROMISE || (type === FRAME.GOAWAY && stream !== 0) || (type === FRAME.PRIORITY && stream === 0))
      throw new Http2Error(CODE.PROTOCOL_ERROR, 'this is no frame of a client')
    else if (type === FRAME.PRIORITY && payload.length !== 5) throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'this is no priority')
    // Priorities, farewells, and what later versions may bring.
    else this.#idle()
  }

  #ping(flags: number, stream: number, payload: Buffer): void {
    this.#idle()
    if (payload.length !== 8 || stream !== 0) throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'this is no ping')
    if ((flags & FLAG.ACK) === 0) this.send(frame(FRAME.PING, FLAG.ACK, 0, payload))
  }

  #headers(flags: number, stream: number, piece: Buffer): void {
    if (stream % 2 === 0) throw new Http2Error(CODE.PROTOCOL_ERROR, 'clients open odd streams')
    this.#block = { stream, ends: (flags & FLAG.END_STREAM) !== 0, pieces: [], bytes: 0 }
    this.#continue(flags, piece)
  }

  #continue(flags: number, piece: Buffer): void {
    const block = this.#block
    if (block === undefined) throw new Http2Error(CODE.PROTOCOL_ERROR, 'nothing is to be continued')
    block.pieces.push(piece)
    block.bytes += piece.length
    // Empty pieces cost time too.
    if (block.bytes > this.#serving.headerBytes || block.pieces.length > 8 + this.#serving.headerBytes / 1024)
      throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'a header block is too long')
    if ((flags & FLAG.END_HEADERS) === 0) return
    this.#block = undefined
    this.#begin(block.stream, block.ends, block.pieces.length === 1 ? piece : Buffer.concat(block.pieces))
  }

  #begin(id: number, ends: boolean, block: Buffer): void {
    const fields = this.#decoder.decode(block, this.#serving.headerBytes)
    const open = this.#streams.get(id)
    if (open !== undefined) {
      if (!ends || open.hasEnded) throw new Http2Error(CODE.PROTOCOL_ERROR, 'headers stand in the middle of a request')
      open.end()
      return
    }
    if (id <= this.#lastStream) this.#late(id)
    else if (!this.#isDraining) this.#open(id, ends, fields, block.length)
  }

  /** @param fields absent: they are more than is taken */
  #open(id: number, ends: boolean, fields: readonly Field[] | undefined, headBytes: number): void {
    this.#lastStream = id
    this.#idleFrames -= IDLE_FRAMES_OF_REQUEST
    const refusal = this.#streams.size >= this.#serving.concurrent ? CODE.REFUSED_STREAM : undefined
    const head = fields && readRequest(fields)
    if (refusal !== undefined || (fields !== undefined && head === undefined)) {
      this.send(numberFrame(FRAME.RST_STREAM, id, refusal ?? CODE.PROTOCOL_ERROR))
      if (!ends) this.#keepReset(id)
      if (++this.#givenUp > MOST_GIVEN_UP) this.#end(CODE.ENHANCE_YOUR_CALM)
      return
    }
    const stream = new Http2Exchange({ id, head, headBytes, connection: this, serving: this.#serving, window: this.#firstWindow })
    this.#streams.set(id, stream)
    this.#checkHeld()
    stream.start(ends)
  }

  #data(flags: number, id: number, payload: Buffer): void {
    if (!this.#isKnown(id)) throw new Http2Error(CODE.PROTOCOL_ERROR, 'data of no request')
    // What comes is taken at once, and the windows are open again before they can be overrun.
    this.#consumed += payload.length
    if (this.#consumed >= CONNECTION_WINDOW / 2) {
      this.#grow(this.#consumed)
      this.#consumed = 0
    }
    const ends = (flags & FLAG.END_STREAM) !== 0
    const stream = this.#streams.get(id)
    if (payload.length === 0 && !ends) this.#idle()
    if (stream === undefined) {
      if (id <= this.#lastStream) this.#late(id)
      return
    }
    if (stream.hasEnded) throw new Http2Error(CODE.STREAM_CLOSED, 'data behind the end of a request')
    const window = stream.received(payload.length)
    if (window > 0 && !ends) this.send(numberFrame(FRAME.WINDOW_UPDATE, id, window))
    stream.data(unpadded(payload, flags), ends)
    this.#checkHeld()
  }

  #checkHeld(): void {
    if (this.heldBytes > MOST_HELD_BYTES) throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'too many long requests at a time')
  }

  #resetByClient(id: number, payload: Buffer): void {
    if (!this.#isKnown(id) || payload.length !== 4) throw new Http2Error(CODE.PROTOCOL_ERROR, 'a reset of no request')
    const stream = this.#streams.get(id)
    if (stream) this.#remove(stream)
    else this.#idle()
  }

  /** What comes of a request that was ended here may have been on its way already. @throws Http2Error if it was ended by the client */
  #late(id: number): void {
    if (!this.#resets.has(id)) throw new Http2Error(CODE.STREAM_CLOSED, 'the request is over')
    this.#idle()
  }

  /** Whether a client may speak of a request: what it began after it was told the end is ignored. */
  #isKnown(id: number): boolean {
    return id !== 0 && (id <= this.#lastStream || this.#isDraining)
  }

  #settings(flags: number, stream: number, payload: Buffer): void {
    this.#idle()
    if (stream !== 0 || payload.length % 6 !== 0) throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'these are no settings')
    if ((flags & FLAG.ACK) !== 0) return
    for (let at = 0; at < payload.length; at += 6) this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
    this.send(frame(FRAME.SETTINGS, FLAG.ACK, 0, Buffer.alloc(0)))
    this.#goOn()
  }

  #set(setting: number, value: number): void {
    if (setting === SETTING.INITIAL_WINDOW_SIZE) {
      if (value > LARGEST_WINDOW) throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'a window is too large')
      const more = value - this.#firstWindow
      this.#firstWindow = value
      for (const stream of this.#streams.values()) stream.sendWindow += more
    } else if (setting === SETTING.MAX_FRAME_SIZE) {
      if (value < FRAME_BYTES || value > 0xffffff) throw new Http2Error(CODE.PROTOCOL_ERROR, 'frames cannot be so long')
      this.#frameBytes = value
    } else if (setting === SETTING.ENABLE_PUSH && value > 1) throw new Http2Error(CODE.PROTOCOL_ERROR, 'push is on or off')
  }

  #windowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'a window grows by a number')
    const more = payload.readUInt32BE() & LARGEST_WINDOW
    if (more === 0 || (id !== 0 && !this.#isKnown(id))) throw new Http2Error(CODE.PROTOCOL_ERROR, 'no window grows')
    const stream = this.#streams.get(id)
    if (id === 0) {
      this.#sendWindow += more
      if (this.#sendWindow > LARGEST_WINDOW) throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'a window is too large')
    } else if (stream) {
      stream.sendWindow += more
      if (stream.sendWindow > LARGEST_WINDOW) this.reset(stream, CODE.FLOW_CONTROL_ERROR)
    }
    if (this.#blocked.size === 0) this.#idle()
    else this.#goOn()
  }

  /** A frame that asks for nothing: a few are usual, very many are a flood. */
  #idle(): void {
    if (++this.#idleFrames > MOST_IDLE_FRAMES) throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'too many frames without a request')
  }

  #goOn(): void {
    const blocked = [...this.#blocked]
    this.#blocked.clear()
    for (const stream of blocked) stream.goOn()
  }

  #grow(bytes: number): void {
    this.send(numberFrame(FRAME.WINDOW_UPDATE, 0, bytes))
  }

  /** @param code why, if it was not said yet */
  #end(code?: number): void {
    if (this.#isOver) return
    if (code !== undefined) this.send(goAway(this.#lastStream, code))
    this.#output.end()
    this.#isOver = true
    this.#overSinceMs = performance.now()
  }

  readonly #onDrain = (): void => {
    this.#socket.resume()
    this.#goOn()
  }
}
