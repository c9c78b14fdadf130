import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { boundAddress } from './bound-address.ts'
import type { Allow, HttpHandler } from './exchange.ts'
import { Http1 } from './http1.ts'
import { Http2 } from './http2.ts'
import type { Exchange, Serving } from './incoming.ts'
import { type ClientCertificates, type HttpCredential, SecureConnections } from './secure-connections.ts'

export type { ClientCertificates, HttpCredential } from './secure-connections.ts'

export interface HttpLimits {
  /** Of a request's head: name of the method, target and headers. */
  readonly headerBytes: number
  /** From the first byte of a request, or of a handshake, to the end of its head. */
  readonly headerMs: number
  /** Silence after which a connection is closed. */
  readonly idleMs: number
  /** Open at a time; more are dropped. */
  readonly connections: number
  /** Unanswered requests of one connection. */
  readonly concurrent: number
}

export const HTTP_LIMITS: HttpLimits = {
  headerBytes: 1 << 20,
  headerMs: 5_000,
  idleMs: 90_000,
  connections: 10_000,
  concurrent: 250,
}

export interface HttpListenerOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Absent: plain HTTP. */
  readonly tls?: {
    readonly credential: HttpCredential
    readonly clientCertificates: ClientCertificates
    /** What is chosen where the client speaks both. */
    readonly prefer?: 'h2' | 'http/1.1'
    readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
    /** Of TLS session tickets, 48 bytes, where other processes serve the same listener. */
    readonly ticketKeys?: Buffer
  }
  readonly handler: HttpHandler
  readonly allow: Allow
  readonly limits?: Partial<HttpLimits>
  /** What the handler threw; the client reads `internal error`. */
  readonly onError: (error: unknown) => void
  /** A TLS handshake failed: why, and the address of the client. */
  readonly onRefused?: (cause: string, address: string) => void
}

const CHECK_MS = 250
const BACKLOG = 1024

/** A port that speaks HTTP/1.1, and HTTP/2 where a client asks for it in the TLS handshake. It gives whole requests to one handler. */
export class HttpListener {
  readonly #server: Server
  readonly #secure: SecureConnections | undefined
  readonly #http1: Http1
  readonly #http2: Http2
  readonly #exchanges = new Set<Exchange>()
  readonly #sockets = new Set<Socket>()
  #timer: NodeJS.Timeout | undefined
  #stopping = false

  private constructor({ tls, limits, handler, allow, onError, onRefused }: HttpListenerOptions) {
    const { connections, ...each } = { ...HTTP_LIMITS, ...limits }
    const serving: Serving = { ...each, handler, allow, onError, exchanges: this.#exchanges, stopping: () => this.#stopping }
    this.#http1 = new Http1(serving)
    this.#http2 = new Http2(serving)
    const { prefer = 'h2', minVersion = 'TLSv1.2', credential, clientCertificates, ticketKeys } = tls ?? {}
    if (credential && clientCertificates)
      this.#secure = new SecureConnections({
        credential,
        clientCertificates,
        minVersion,
        protocols: prefer === 'h2' ? ['h2', 'http/1.1'] : ['http/1.1', 'h2'],
        handshakeMs: each.headerMs,
        ...(ticketKeys && { ticketKeys }),
        onSecure: this.#onSecure,
        onRefused: onRefused ?? (() => undefined),
      })
    this.#server = createServer({ noDelay: true }, this.#onConnection)
    this.#server.maxConnections = connections
  }

  /** Listen. @throws the system's error if the address is taken or not ours, and OpenSSL's if the credential is none */
  static async listen(options: HttpListenerOptions): Promise<HttpListener> {
    const listener = new HttpListener(options)
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', reject)
      listener.#server.listen({ port: options.port, host: options.host, backlog: BACKLOG }, () => {
        listener.#server.off('error', reject)
        resolve()
      })
    })
    listener.#server.on('error', options.onError)
    listener.#timer = setInterval(() => listener.#check(performance.now()), CHECK_MS).unref()
    return listener
  }

  /** `host:port` as it is bound. */
  get address(): string {
    return boundAddress(this.#server)
  }

  get connections(): number {
    return this.#sockets.size
  }

  /**
   * Show another certificate, and ask clients for theirs in another way if so told, from the next handshake on; open connections stay.
   * @throws OpenSSL's error, and all is as before
   */
  renew(credential: HttpCredential, clientCertificates?: ClientCertificates): void {
    this.#secure?.renew(credential, clientCertificates)
  }

  /** Stop accepting, answer what is in flight, and cut off what is not done after `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    this.#http1.drain()
    this.#http2.drain()
    const deadline = setTimeout(() => {
      this.#http1.destroy()
      this.#http2.destroy()
      for (const socket of this.#sockets) socket.destroy()
    }, deadlineMs)
    await closed
    clearTimeout(deadline)
    clearInterval(this.#timer)
  }

  #check(nowMs: number): void {
    for (const exchange of this.#exchanges) if (nowMs >= exchange.deadlineMs) exchange.cut()
    this.#http1.check(nowMs)
    this.#http2.check(nowMs)
  }

  readonly #onConnection = (socket: Socket): void => {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    if (this.#secure) this.#secure.accept(socket)
    else {
      socket.on('error', () => socket.destroy())
      this.#http1.open(socket)
    }
  }

  readonly #onSecure = (socket: TLSSocket): void => {
    const http = socket.alpnProtocol === 'h2' ? this.#http2 : this.#http1
    http.open(socket)
  }
}
