import { constants, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import { boundAddress } from '../http/bound-address.ts'
import type { Engine } from '../ops/engine.ts'
import type { Audit } from './audit.ts'
import type { Connection, ConnectionContext, OpenConnection, Turned } from './connection.ts'
import { type Identities, Identity, versionOf } from './identities.ts'
import type { Limits } from './limits.ts'
import type { Logger } from './log.ts'
import type { Metrics, Refusal } from './metrics.ts'
import { Outbox } from './outbox.ts'
import { endsAtOneOf } from './partial-chain.ts'
import { Session } from './session.ts'
import type { Turn } from './turn.ts'
import { WriteLane } from './write-lane.ts'

/** What the listener shows to clients, and whom it trusts; all in PEM. */
export interface ServerCredential {
  /** The server's certificate, followed by its intermediates. */
  readonly certificate: string
  readonly key: string
  /** Certificates that client certificates must lead to. */
  readonly authorities: readonly string[]
  /** A chain may end at any of them, not only at a root; the same for the life of a listener. */
  readonly endsAnywhere?: boolean
  /** TLS 1.2 unless told. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** TLS 1.3 unless told. */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** OpenSSL's list; the usual ones unless told. */
  readonly ciphers?: string
}

export interface ListenerOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly credential: ServerCredential
  readonly limits: Limits
  readonly engine: Engine
  readonly identities: Identities
  /** Shared with whoever else asks for the store's version. */
  readonly turn: Turn
  readonly audit: Audit
  readonly metrics: Metrics
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** 48 bytes, shared with listeners in other processes, so that a client resumes its session whichever of them it meets; absent: new ones. */
  readonly ticketKeys?: Buffer
  /** Absent: the roles on a connection never change. */
  readonly turned?: Turned | undefined
  /** What is spoken; unless told TTLV messages one after another. */
  readonly open?: OpenConnection
}

const openSession: OpenConnection = (...of) => new Session(...of)
const REVOCATION_MS = 250

const peerKey = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

/** A KMIP listener: TLS with client certificates, connections, limits, and the watch over who may stay. */
export class Listener {
  readonly outbox: Outbox
  readonly #options: ListenerOptions
  readonly #server: Server
  readonly #context: ConnectionContext
  readonly #sessions = new Set<Connection>()
  readonly #identities = new Map<string, Identity>()
  readonly #sockets = new Set<Socket>()
  /** Connections whose handshake is not done, by the client's address. */
  readonly #handshaking = new Map<string, Socket>()
  readonly #timers: NodeJS.Timeout[] = []
  // One set for the life of the listener, so that a renewed certificate does not end the sessions that clients resume.
  readonly #ticketKeys: Buffer
  #credential: ServerCredential
  #nextId = 1
  #seenVersion: number
  #stopping = false

  private constructor(options: ListenerOptions) {
    const { limits, metrics, now } = options
    this.#options = options
    this.#credential = options.credential
    this.#ticketKeys = options.ticketKeys ?? randomBytes(48)
    this.outbox = new Outbox(options)
    this.#context = { ...options, outbox: this.outbox, lane: new WriteLane(options.turn), nowMs: now(), clockMs: performance.now() }
    this.#seenVersion = options.identities.version()
    this.#server = createServer({
      ...secureOptions(options.credential, this.#ticketKeys),
      requestCert: true,
      rejectUnauthorized: options.credential.endsAnywhere !== true,
      handshakeTimeout: limits.handshakeMs,
      // The client may stop sending and still wait for its answer.
      allowHalfOpen: true,
    })
    this.#server.maxConnections = limits.connections
    this.#server.on('connection', this.#onConnection)
    this.#server.on('secureConnection', this.#onSecure)
    this.#server.on('tlsClientError', this.#onHandshakeError)
    let loggedMs = Number.NEGATIVE_INFINITY
    this.#server.on('drop', () => {
      metrics.refuse('connections')
      // They can come faster than a log should grow.
      if (performance.now() - loggedMs < 1000) return
      loggedMs = performance.now()
      options.log.warn({ refusal: 'connections' }, `connections are refused: ${limits.connections} are open; the limit is connections`)
    })
  }

  /** Listen. @throws the system's error if the address is taken or not ours */
  static async listen(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options)
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', reject)
      listener.#server.listen(options.port, options.host, () => {
        listener.#server.off('error', reject)
        resolve()
      })
    })
    listener.#server.on('error', err => options.log.error({ err }, 'the listener failed'))
    listener.#watch()
    return listener
  }

  /** `host:port` as it is bound. */
  get address(): string {
    return boundAddress(this.#server)
  }

  /** Show another certificate from the next handshake on; open connections stay. */
  renew(credential: ServerCredential): void {
    this.#credential = credential
    this.#server.setSecureContext(secureOptions(credential, this.#ticketKeys))
  }

  /** Stop accepting, answer what is in flight, and cut off what is not done after `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    // Who is still in the handshake has asked for nothing yet.
    for (const socket of this.#handshaking.values()) socket.destroy()
    for (const session of this.#sessions) session.drain()
    const deadline = setTimeout(() => {
      for (const session of this.#sessions) session.destroy()
      for (const socket of this.#sockets) socket.destroy()
    }, deadlineMs)
    await closed
    clearTimeout(deadline)
    for (const timer of this.#timers) clearInterval(timer)
  }

  #watch(): void {
    const { limits, now } = this.#options
    const shortest = Math.min(limits.partialMs, limits.idleMs, limits.lingerMs)
    const tick = setInterval(
      () => {
        const clockMs = performance.now()
        this.#context.nowMs = now()
        this.#context.clockMs = clockMs
        this.outbox.probe()
        for (const session of this.#sessions) if (clockMs >= session.deadlineMs) session.expire()
      },
      Math.max(5, Math.min(1000, shortest / 4)),
    )
    const revocation = setInterval(() => this.#recheck(), REVOCATION_MS)
    this.#timers.push(tick.unref(), revocation.unref())
  }

  #recheck(): void {
    const version = versionOf(this.#options.identities)
    const { nowMs } = this.#context
    // While the store cannot be asked, each message is refused on its own; that is no reason to cut everybody off.
    const changed = !Number.isNaN(version) && version !== this.#seenVersion
    if (changed) this.#seenVersion = version
    for (const session of this.#sessions) if (changed || nowMs >= session.identity.endsMs) void session.recheck()
  }

  readonly #onConnection = (socket: Socket): void => {
    const key = peerKey(socket)
    this.#sockets.add(socket)
    this.#handshaking.set(key, socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (this.#handshaking.get(key) === socket) this.#handshaking.delete(key)
    })
  }

  readonly #onSecure = (socket: TLSSocket): void => {
    this.#handshaking.delete(peerKey(socket))
    socket.on('error', err => this.#options.log.debug({ err }, 'a connection broke'))
    // A resumed session presents no certificate, but OpenSSL kept the one of its first handshake: who it is, is looked up all the same.
    // (getPeerX509Certificate takes five times as long here.)
    const { raw, fingerprint256: fingerprint, valid_to } = socket.getPeerCertificate()
    if (raw === undefined) {
      this.#refuse(socket, 'certificate', 'a client has no certificate')
      return
    }
    const { authorities, endsAnywhere } = this.#credential
    if (!socket.authorized && !(endsAnywhere && endsAtOneOf(authorities, socket.authorizationError, raw, new Date(this.#options.now())))) {
      this.#refuse(socket, 'certificate', `a client certificate leads to none of our CAs: ${socket.authorizationError}`)
      return
    }
    let identity = this.#identities.get(fingerprint)
    if (identity === undefined) {
      identity = new Identity(raw, Date.parse(valid_to))
      this.#identities.set(fingerprint, identity)
    }
    this.#open(socket, identity, fingerprint)
  }

  #open(socket: TLSSocket, identity: Identity, fingerprint: string): void {
    const { metrics, limits, open = openSession } = this.#options
    const session = open(this.#nextId++, socket, identity, this.#context)
    this.#sessions.add(session)
    metrics.connectionsTotal++
    metrics.connectionsOpen++
    identity.connections++
    socket.once('close', () => {
      this.#sessions.delete(session)
      metrics.connectionsOpen--
      if (--identity.connections === 0) this.#identities.delete(fingerprint)
    })
    if (identity.connections > limits.connectionsPerIdentity) {
      session.refuse(
        'connections_per_identity',
        `a client has ${limits.connectionsPerIdentity} connections open already; the limit is connectionsPerIdentity`,
      )
      return
    }
    void this.#admit(session, identity)
  }

  async #admit(session: Connection, identity: Identity): Promise<void> {
    const { identities, now, log } = this.#options
    if (now() >= identity.endsMs) {
      session.refuse('certificate', 'the client certificate has ended; issue a new one')
      return
    }
    try {
      await identities.settle?.()
      const peer = identity.version === versionOf(identities) ? identity.peer : await identity.check(identities)
      if (peer === undefined)
        session.refuse('unknown_identity', 'a client is unknown: its certificate is revoked, or its role or scope is gone')
      else {
        if (this.#stopping) session.drain()
        session.start(peer)
      }
    } catch (err) {
      log.error({ err }, 'a client could not be looked up, so it is refused')
      session.refuse('unknown_identity', 'a client was refused because it could not be looked up')
    }
  }

  readonly #onHandshakeError = (error: NodeJS.ErrnoException, socket: TLSSocket): void => {
    const kind = handshakeRefusal(error, socket)
    this.#options.metrics.refuse(kind)
    this.#options.log.info(
      { refusal: kind, address: socket.remoteAddress, cause: socket.authorizationError ?? error.code ?? error.message },
      'a TLS handshake failed',
    )
    // Node leaves the socket open after a handshake that took too long.
    socket.destroy()
  }

  #refuse(socket: TLSSocket, kind: Refusal, message: string): void {
    this.#options.metrics.refuse(kind)
    this.#options.log.warn({ refusal: kind, address: socket.remoteAddress }, message)
    socket.destroySoon()
  }
}

function handshakeRefusal(error: NodeJS.ErrnoException, socket: TLSSocket): Refusal {
  if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'handshake_timeout'
  if (error.code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE' || socket.authorizationError) return 'certificate'
  return 'handshake'
}

function secureOptions(credential: ServerCredential, ticketKeys: Buffer) {
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', ciphers } = credential
  return {
    cert: credential.certificate,
    key: credential.key,
    ca: [...credential.authorities],
    minVersion,
    maxVersion,
    ...(ciphers !== undefined && { ciphers }),
    sessionIdContext: 'kmipd',
    ticketKeys,
    // A renegotiation could bring another client certificate into a connection whose client is known.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  } satisfies SecureContextOptions & { ticketKeys: Buffer }
}
