import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Allow, Allowance, HttpHandler, HttpRequest, HttpResponse } from './exchange.ts'

export const NO_BODY = Buffer.alloc(0)
const LONGEST_CHAIN = 16
const UNDECIDED_MS = 10_000

/** What both HTTP versions need of the listener. */
export interface Serving {
  readonly handler: HttpHandler
  readonly allow: Allow
  readonly headerBytes: number
  readonly headerMs: number
  readonly idleMs: number
  /** Requests that one connection may have unanswered. */
  readonly concurrent: number
  /** Answers that the connections wait for. */
  readonly exchanges: Set<Exchange>
  /** The listener takes no new requests: connections close when they are quiet. */
  readonly stopping: () => boolean
  /** An error that the handler did not make an answer of. */
  readonly onError: (error: unknown) => void
}

/** Who is at the other end of a connection. */
export class Peer {
  readonly remoteAddress: string
  readonly certificates: readonly X509Certificate[]
  constructor(socket: Socket) {
    this.remoteAddress = socket.remoteAddress ?? ''
    this.certificates = socket instanceof TLSSocket ? presented(socket) : []
  }
}

/** The chain as the client sent it. Node gives it so once for a connection. */
function presented(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next = socket.getPeerX509Certificate()
  while (next !== undefined && chain.length < LONGEST_CHAIN) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

/** A request on its way, and what to do when its time is over. */
export abstract class Exchange implements HttpRequest {
  readonly method: string
  readonly target: string
  body: Buffer = NO_BODY
  truncated = false
  /** Milliseconds since 1970, or Infinity. */
  deadlineMs = Number.POSITIVE_INFINITY
  readonly #peer: Peer
  readonly #serving: Serving
  #abort: AbortController | undefined
  #gone = false

  constructor(method: string, target: string, peer: Peer, serving: Serving) {
    this.method = method
    this.target = target.startsWith('/') ? target : target.replace(/^[a-z]+:\/\/[^/?#]*/i, '') || '/'
    this.#peer = peer
    this.#serving = serving
  }

  abstract get headers(): HttpRequest['headers']
  /** Cut the client off. */
  abstract cut(): void
  protected abstract send(response: HttpResponse): void

  get remoteAddress(): string {
    return this.#peer.remoteAddress
  }
  get certificates(): readonly X509Certificate[] {
    return this.#peer.certificates
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#gone) this.#abort.abort()
    return this.#abort.signal
  }

  /** Ask what the request may take, and watch over its time from now on. */
  protected begin(): Allowance {
    const allowance = this.#allowance()
    if (allowance.timeoutMs > 0) this.deadlineMs = performance.now() + allowance.timeoutMs
    this.#serving.exchanges.add(this)
    return allowance
  }

  /** What cannot be decided is left to the handler, without a body. */
  #allowance(): Allowance {
    try {
      return this.#serving.allow(this)
    } catch (error) {
      this.report(error)
      return { bodyBytes: 0, timeoutMs: UNDECIDED_MS }
    }
  }

  protected answer(): void {
    try {
      const response = this.#serving.handler(this)
      if (response instanceof Promise) response.then(this.#sendIfThere, this.#failed)
      else this.send(response)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** The answer is sent, or cannot be any more. */
  protected over(sent: boolean): void {
    this.#gone = true
    this.#serving.exchanges.delete(this)
    if (!sent) this.#abort?.abort()
  }

  protected report(error: unknown): void {
    this.#serving.onError(error)
  }

  readonly #sendIfThere = (response: HttpResponse): void => {
    if (this.#gone) return
    try {
      this.send(response)
    } catch (error) {
      this.report(error)
      this.cut()
    }
  }

  readonly #failed = (error: unknown): void => {
    this.report(error)
    this.#sendIfThere({ status: 500, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body: 'internal error\n' })
  }
}

/** Gathers a body up to its limit. */
export class BodyReader {
  readonly #limit: number
  readonly #chunks: Buffer[] = []
  #size = 0
  constructor(limit: number) {
    this.#limit = limit
  }

  /** @returns whether it is too long now */
  add(chunk: Buffer): boolean {
    const room = this.#limit - this.#size
    this.#size += chunk.length
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
    return chunk.length > room
  }

  take(): Buffer {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
  }
}

export const isStream = (body: HttpResponse['body']): body is AsyncIterable<string | Buffer> =>
  typeof body === 'object' && !Buffer.isBuffer(body)

interface Sink {
  readonly destroyed: boolean
  write(piece: string | Buffer): boolean
  end(): unknown
  once(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/** Send the pieces of a stream as they come and as the client takes them. */
export async function pour(body: AsyncIterable<string | Buffer>, sink: Sink): Promise<void> {
  for await (const piece of body) {
    if (sink.destroyed) return
    if (!sink.write(piece)) await writable(sink)
  }
  sink.end()
}

function writable(sink: Sink): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      sink.off('drain', done)
      sink.off('close', done)
      resolve()
    }
    sink.once('drain', done)
    sink.once('close', done)
  })
}
