import { constants, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, createServer, type SecureContext, type SecureContextOptions, type Server, TLSSocket } from 'node:tls'

/** What a listener shows to its clients, all in PEM. */
export interface HttpCredential {
  /** The server's certificate, followed by its intermediates. */
  readonly certificate: string
  readonly key: string
  /** Authorities that client certificates may lead to, where they are verified; absent: those of the system. */
  readonly authorities?: readonly string[]
}

/**
 * Whether clients show a certificate: `none` asks for none; `optional` takes any, and tells whether it leads to an authority; `required`
 * wants one, whatever it is; `verified` wants one that leads to an authority; `optional-verified` wants that of a certificate that is shown.
 */
export type ClientCertificates = 'none' | 'optional' | 'required' | 'verified' | 'optional-verified'

export interface SecureOptions {
  readonly credential: HttpCredential
  readonly clientCertificates: ClientCertificates
  /** Names of ALPN, the server's favourite first. */
  readonly protocols: readonly string[]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly handshakeMs: number
  /** 48 bytes, where other processes serve the same listener; absent: fresh ones. */
  readonly ticketKeys?: Buffer
  readonly onSecure: (socket: TLSSocket) => void
  /** A handshake failed: why, and the address of the client. */
  readonly onRefused: (cause: string, address: string) => void
}

const PLAIN_ANSWER = 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'
const HANDSHAKE_RECORD = 0x16

/** Makes TLS connections of TCP connections. */
export class SecureConnections {
  readonly #options: SecureOptions
  #server: Server
  #clientCertificates: ClientCertificates
  // One set for the life of the listener, so that a renewed certificate does not end the sessions that clients resume.
  readonly #ticketKeys: Buffer
  #context: SecureContext

  constructor(options: SecureOptions) {
    this.#options = options
    this.#ticketKeys = options.ticketKeys ?? randomBytes(48)
    this.#clientCertificates = options.clientCertificates
    this.#context = createSecureContext(this.#secure(options.credential))
    this.#server = this.#make(options.credential)
  }

  /** Show another certificate, and ask clients for theirs in another way, from the next handshake on. */
  renew(credential: HttpCredential, clientCertificates = this.#clientCertificates): void {
    this.#context = createSecureContext(this.#secure(credential))
    this.#clientCertificates = clientCertificates
    this.#server = this.#make(credential)
  }

  /** Look at the first byte of a connection: people forget the `s` of `https`, and are told so. */
  accept(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), this.#options.handshakeMs)
    socket.once('close', () => clearTimeout(timer))
    socket.once('error', () => socket.destroy())
    socket.once('readable', () => {
      const first: Buffer | null = socket.read()
      if (first === null) return
      // Who does not hang up after that answer is cut off in the same time.
      if (first[0] !== HANDSHAKE_RECORD && /^[A-Z]/.test(first.toString('latin1', 0, 1))) socket.end(PLAIN_ANSWER)
      else {
        clearTimeout(timer)
        socket.unshift(first)
        if (this.#clientCertificates === 'required') this.#unverified(socket)
        else this.#server.emit('connection', socket)
      }
    })
  }

  /**
   * A handshake that fails without a client certificate, and takes any. A server of Node's either takes none as well or drops the
   * certificates that it cannot verify, so here the socket is made without one.
   */
  #unverified(raw: Socket): void {
    const { handshakeMs, protocols, onSecure } = this.#options
    const socket = new TLSSocket(raw, {
      isServer: true,
      requestCert: true,
      rejectUnauthorized: true,
      secureContext: this.#context,
      ALPNProtocols: [...protocols],
    })
    const timer = setTimeout(() => this.#refuse(socket, 'ERR_TLS_HANDSHAKE_TIMEOUT'), handshakeMs)
    socket.once('close', () => clearTimeout(timer))
    socket.on('_tlsError', (error: NodeJS.ErrnoException) => this.#refuse(socket, error.code ?? error.message))
    socket.on('error', () => socket.destroy())
    socket.once('secure', () => {
      clearTimeout(timer)
      onSecure(socket)
      // What waits for the end of a handshake goes by the event of clients.
      socket.emit('secureConnect')
    })
  }

  readonly #onSecure = (socket: TLSSocket): void => {
    socket.on('error', () => socket.destroy())
    if (this.#clientCertificates === 'optional-verified' && !socket.authorized && socket.getPeerX509Certificate() !== undefined)
      this.#refuse(socket, String(socket.authorizationError))
    else this.#options.onSecure(socket)
  }

  #make(credential: HttpCredential): Server {
    const server = createServer({
      ...this.#secure(credential),
      requestCert: this.#clientCertificates !== 'none',
      rejectUnauthorized: this.#clientCertificates === 'verified',
      handshakeTimeout: this.#options.handshakeMs,
      ALPNProtocols: [...this.#options.protocols],
    })
    server.on('secureConnection', this.#onSecure)
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => this.#refuse(socket, causeOf(socket, error)))
    return server
  }

  #refuse(socket: TLSSocket, cause: string): void {
    this.#options.onRefused(cause, socket.remoteAddress ?? '')
    socket.destroy()
  }

  #secure({ certificate, key, authorities }: HttpCredential): SecureContextOptions & { ticketKeys: Buffer } {
    return {
      cert: certificate,
      key,
      // Their names are told to the client, and many clients show only a certificate of one of them.
      ...(authorities && this.#clientCertificates !== 'required' && { ca: [...authorities] }),
      minVersion: this.#options.minVersion,
      maxVersion: 'TLSv1.3',
      sessionIdContext: 'kmipd-http',
      ticketKeys: this.#ticketKeys,
      // A renegotiation could bring another client certificate into a connection whose client is known.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    }
  }
}

const causeOf = (socket: TLSSocket, error: NodeJS.ErrnoException): string =>
  socket.authorizationError ? String(socket.authorizationError) : (error.code ?? error.message)
