import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { Socket } from 'node:net'

export type OutgoingErrorCode =
  | 'refused'
  | 'unreachable'
  | 'tls'
  | 'reset'
  | 'timeout'
  | 'aborted'
  | 'too-large'
  | 'malformed'
  | 'busy'
  | 'closed'

/**
 * A request without an answer. `refused`: nobody listens; `unreachable`: no such host, no way there; `tls`: no secure connection with this
 * peer; `reset`: the connection broke; `timeout`: not answered in time; `aborted`: the caller's signal; `too-large`, `malformed`: an answer
 * over the limit, or one that is no HTTP; `busy`: too many requests wait already; `closed`: after `close`. Message and fields name method,
 * origin, path and a reason code, and nothing that was sent or received; there is no `cause`, which could hold both.
 */
export class OutgoingError extends Error {
  override readonly name = 'OutgoingError'
  readonly code: OutgoingErrorCode
  /** Whether the server may have got the request, and done what it asks: a write is then in doubt. */
  readonly sent: boolean
  constructor(code: OutgoingErrorCode, message: string, sent: boolean) {
    super(message)
    this.code = code
    this.sent = sent
  }
}

export interface OutgoingOptions {
  /** `https://host:port` or `http://host:port`; a path in it is refused. */
  readonly origin: string
  /** Certificates in PEM that the server's must lead to, instead of those that Node trusts; see `readAuthorities`. */
  readonly authorities?: readonly string[]
  /** Of this client, in PEM, with its intermediates. */
  readonly certificate?: string
  readonly key?: string
  /** The name in the server's certificate, when it is not the host. */
  readonly serverName?: string
  /** Connections, and so requests that are under way at once; more wait their turn. Default 64. */
  readonly connections?: number
  /** Requests that may wait or be under way. Default 4096. */
  readonly pending?: number
  /** For a whole request, waiting included, unless it has its own. Default 30 s. */
  readonly deadlineMs?: number
  /** For the body of an answer, unless the request has its own. Default 4 MiB. */
  readonly maxAnswerBytes?: number
}

export interface OutgoingRequest {
  readonly method: string
  /** Path and query, percent-encoded; begins with a slash. */
  readonly target: string
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly deadlineMs?: number
  readonly maxAnswerBytes?: number
  readonly signal?: AbortSignal
  /** Sent once more when the server closed a kept connection just as the request left. Default: for GET and HEAD. */
  readonly idempotent?: boolean
}

export interface OutgoingAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Requests to one server, over connections that are kept. No redirect is followed, no proxy variable is obeyed, and a certificate is
 * always verified, whatever the environment says.
 */
export class Outgoing {
  readonly origin: string
  readonly #url: URL
  readonly #options: OutgoingOptions
  readonly #agent: HttpAgent | HttpsAgent
  readonly #underWay = new Set<Exchange>()
  #connectionsMade = 0
  #isClosed = false

  /** @throws TypeError if the origin is none */
  constructor(options: OutgoingOptions) {
    this.#url = parseOrigin(options.origin)
    this.origin = this.#url.origin
    this.#options = options
    const { authorities, certificate, key, serverName, connections = 64 } = options
    const kept = { keepAlive: true, maxSockets: connections, maxFreeSockets: connections, scheduling: 'lifo' } as const
    this.#agent =
      this.#url.protocol === 'http:'
        ? new HttpAgent(kept)
        : new HttpsAgent({
            ...kept,
            rejectUnauthorized: true,
            minVersion: 'TLSv1.2',
            ...(authorities && { ca: [...authorities] }),
            ...(certificate !== undefined && { cert: certificate }),
            ...(key !== undefined && { key }),
            ...(serverName !== undefined && { servername: serverName }),
          })
  }

  /** Connections (and so TLS handshakes) since the start. */
  get connectionsMade(): number {
    return this.#connectionsMade
  }

  /** Send a request and read its answer, whatever the status. @throws OutgoingError */
  async request(request: OutgoingRequest): Promise<OutgoingAnswer> {
    try {
      return await this.#once(request)
    } catch (error) {
      const { method, idempotent = method === 'GET' || method === 'HEAD' } = request
      if (!idempotent || !(error instanceof StaleConnectionError)) throw error
      return await this.#once(request)
    }
  }

  /** Ends requests that are under way, with `closed`, and all connections. */
  close(): void {
    this.#isClosed = true
    for (const exchange of this.#underWay) exchange.fail('closed', 'the client was closed')
    this.#agent.destroy()
  }

  #once(request: OutgoingRequest): Promise<OutgoingAnswer> {
    const { maxAnswerBytes = this.#options.maxAnswerBytes ?? 4 * 1024 * 1024 } = request
    return new Promise((resolve, reject) => {
      const exchange = this.#send(request, reject, response => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > maxAnswerBytes) exchange.fail('too-large', `the answer is longer than ${maxAnswerBytes} bytes`)
          else chunks.push(chunk)
        })
        response.once('error', (error: NodeJS.ErrnoException) => exchange.broke(error))
        response.once('end', () => {
          exchange.settle()
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) })
        })
      })
    })
  }

  #send(request: OutgoingRequest, reject: (error: OutgoingError) => void, answer: (response: IncomingMessage) => void): Exchange {
    const { method, target, headers, body, signal, deadlineMs = this.#options.deadlineMs ?? 30_000 } = request
    const what = `${method} ${this.origin}${target.split('?', 1)[0]}`
    const { pending = 4096 } = this.#options
    if (this.#isClosed) throw new OutgoingError('closed', `${what}: the client is closed`, false)
    if (signal?.aborted) throw new OutgoingError('aborted', `${what}: given up before it was sent`, false)
    if (this.#underWay.size >= pending) throw new OutgoingError('busy', `${what}: ${pending} requests wait already`, false)
    const content = typeof body === 'string' ? Buffer.from(body) : body
    const secure = this.#url.protocol === 'https:'
    const sent = (secure ? requestHttps : requestHttp)({
      agent: this.#agent,
      host: this.#url.hostname.replace(/^\[|\]$/g, ''),
      port: this.#url.port || (secure ? 443 : 80),
      method,
      path: target,
      headers: { ...headers, ...(content && { 'content-length': content.length }) },
    })
    const exchange = new Exchange(what, sent, secure, reject)
    this.#underWay.add(exchange)
    sent.once('socket', () => {
      if (!sent.reusedSocket) this.#connectionsMade++
    })
    sent.once('response', answer)
    exchange.watch(deadlineMs, signal, () => this.#underWay.delete(exchange))
    sent.end(content)
    return exchange
  }
}

/** A kept connection that the server had closed already: it has not got the request, or it will not say. */
class StaleConnectionError extends OutgoingError {}

/** One request on its way, and why it failed: at most one reason, told once. */
class Exchange {
  readonly #what: string
  readonly #request: ClientRequest
  readonly #secure: boolean
  readonly #reject: (error: OutgoingError) => void
  #connected = false
  /** The connection is ready, so the request may have left. */
  #sent = false
  #answered = false
  #failure: OutgoingError | undefined
  #timer: NodeJS.Timeout | undefined
  #settle: () => void = () => {}

  constructor(what: string, request: ClientRequest, secure: boolean, reject: (error: OutgoingError) => void) {
    this.#what = what
    this.#request = request
    this.#secure = secure
    this.#reject = reject
    request.once('socket', socket => this.#onSocket(socket))
    request.once('response', () => {
      this.#answered = true
    })
    request.on('error', (error: NodeJS.ErrnoException) => this.broke(error))
  }

  watch(deadlineMs: number, signal: AbortSignal | undefined, done: () => void): void {
    const abort = (): void => this.fail('aborted', 'given up by its caller')
    signal?.addEventListener('abort', abort, { once: true })
    this.#timer = setTimeout(() => this.fail('timeout', `no answer within ${deadlineMs} ms`), Math.min(deadlineMs, LONGEST_TIMER_MS))
    this.#settle = () => {
      clearTimeout(this.#timer)
      signal?.removeEventListener('abort', abort)
      done()
    }
    this.#request.once('close', this.#settle)
  }

  /** The answer is there. */
  settle(): void {
    this.#settle()
  }

  fail(code: OutgoingErrorCode, reason: string): void {
    if (this.#failure !== undefined) return
    this.settle()
    const stale = code === 'reset' && this.#request.reusedSocket && !this.#answered
    this.#failure = new (stale ? StaleConnectionError : OutgoingError)(code, `${this.#what}: ${reason}`, this.#sent)
    this.#request.destroy()
    this.#reject(this.#failure)
  }

  /** Only its code is told: an error of Node's parser holds the bytes that came. */
  broke({ code = 'closed' }: NodeJS.ErrnoException): void {
    this.fail(this.#kindOf(code), `${this.#answered ? 'the answer broke off' : 'no answer'} (${code})`)
  }

  #onSocket(socket: Socket): void {
    if (this.#request.reusedSocket) this.#sent = true
    else {
      socket.once('connect', () => {
        this.#connected = true
        if (!this.#secure) this.#sent = true
      })
      socket.once('secureConnect', () => {
        this.#sent = true
      })
    }
  }

  #kindOf(code: string): OutgoingErrorCode {
    const known = KINDS.find(([pattern]) => pattern.test(code))
    if (known) return known[1]
    return this.#secure && this.#connected && !this.#sent ? 'tls' : 'reset'
  }
}

const KINDS: readonly (readonly [code: RegExp, kind: OutgoingErrorCode])[] = [
  [/^ECONNREFUSED$/, 'refused'],
  [/^(ENOTFOUND|EAI_.*|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL)$/, 'unreachable'],
  [/^ETIMEDOUT$/, 'timeout'],
  [/^(HPE_.*|ERR_HTTP_.*)$/, 'malformed'],
  [/^(EPROTO|ERR_SSL_.*|ERR_TLS_.*|ERR_OSSL_.*)$/, 'tls'],
  [/^(ECONNRESET|ECONNABORTED|EPIPE)$/, 'reset'],
]

function parseOrigin(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isOrigin = url && (url.pathname === '/' || url.pathname === '') && !url.search && !url.hash && !url.username && !url.password
  if (!isOrigin || !/^https?:$/.test(url.protocol)) throw new TypeError('an address is written https://host:port, without a path')
  return url
}
