import { connect, type TLSSocket } from 'node:tls'
import { decode, encode } from '../ttlv/binary.ts'
import type { Item } from '../ttlv/item.ts'
import { Framer } from './framer.ts'

/** What kept a message from being answered. `code` is one of `connect`, `timeout`, `closed`, `malformed`, `http`. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: 'connect' | 'timeout' | 'closed' | 'malformed' | 'http'
  constructor(code: ClientError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

type Pem = string | Buffer

export interface ConnectOptions {
  readonly host: string
  readonly port: number
  /** Certificates in PEM that the server's must descend from. */
  readonly ca?: Pem
  /** The client's certificate, chain included, and its private key, in PEM. */
  readonly cert?: Pem
  readonly key?: Pem
  /** Name to ask for and to find in the server's certificate, if not `host`. */
  readonly serverName?: string
  /**
   * Decides instead of `ca` and the name whether the other side is the right one, by its certificate in DER; rejects if not. Nothing is sent
   * before.
   */
  readonly verify?: (certificate: Buffer) => Promise<void>
  /** Default 10,000. */
  readonly connectTimeoutMs?: number
  /** Longest silence of the server while it owes an answer; default 30,000. */
  readonly responseTimeoutMs?: number
  /** Longest answer; default 16 MiB. */
  readonly maxResponseBytes?: number
}

interface Waiting {
  resolve(answer: Buffer): void
  reject(error: Error): void
}

/** One TLS connection to a KMIP server. Requests may be sent before earlier ones are answered; answers come in their order. */
export class KmipClient {
  readonly #socket: TLSSocket
  readonly #framer: Framer
  readonly #responseTimeoutMs: number
  readonly #waiting: Waiting[] = []
  #failure: ClientError | undefined
  /** Settles when nothing can be sent any more. */
  readonly ended: Promise<void>
  readonly #end: () => void

  private constructor(socket: TLSSocket, options: ConnectOptions) {
    this.#socket = socket
    this.#framer = new Framer(options.maxResponseBytes ?? 16 * 1024 * 1024)
    this.#responseTimeoutMs = options.responseTimeoutMs ?? 30_000
    let end: (() => void) | undefined
    this.ended = new Promise(resolve => {
      end = resolve
    })
    this.#end = end!
    socket.setNoDelay(true)
    socket.setTimeout(0)
    socket.on('data', chunk => this.#receive(chunk))
    socket.on('timeout', () => this.#fail(new ClientError('timeout', `the server was silent for ${this.#responseTimeoutMs} ms`)))
    socket.on('error', error => this.#fail(new ClientError('closed', `the connection broke: ${error.message}`, { cause: error })))
    socket.on('close', () => {
      const where = this.#framer.pending > 0 ? ' in the middle of an answer' : ''
      this.#fail(new ClientError('closed', `the server closed the connection${where}`))
    })
  }

  /** @throws ClientError `connect` or `timeout`; a server that refuses the client's certificate shows it at the first request only */
  static connect(options: ConnectOptions): Promise<KmipClient> {
    const { host, port, ca, cert, key, serverName, verify, connectTimeoutMs = 10_000 } = options
    const where = `${host}:${port}`
    return new Promise((resolve, reject) => {
      const socket = connect({
        host,
        port,
        timeout: connectTimeoutMs,
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
        ...(serverName !== undefined && { servername: serverName }),
        ...(verify !== undefined && { rejectUnauthorized: false }),
      })
      const give = (error: ClientError): void => {
        socket.destroy()
        reject(error)
      }
      socket.once('error', error => give(new ClientError('connect', `cannot connect to ${where}: ${error.message}`, { cause: error })))
      socket.once('timeout', () => give(new ClientError('timeout', `${where} did not answer for ${connectTimeoutMs} ms`)))
      socket.once('close', () => give(new ClientError('connect', `${where} closed the connection during the handshake`)))
      const take = (): void => {
        socket.removeAllListeners('error').removeAllListeners('timeout').removeAllListeners('close')
        resolve(new KmipClient(socket, options))
      }
      socket.once('secureConnect', () => {
        if (verify === undefined) take()
        else
          verify(socket.getPeerCertificate().raw).then(take, (cause: Error) =>
            give(new ClientError('connect', `${where}: ${cause.message}`, { cause })),
          )
      })
    })
  }

  /**
   * Send a request message and wait for its response message, whatever that says.
   * @throws ClientError
   */
  async request(message: Item): Promise<Item> {
    const answer = await this.send(encode(message))
    try {
      return decode(answer)
    } catch (error) {
      throw new ClientError('malformed', `the server's answer cannot be decoded: ${(error as Error).message}`, { cause: error })
    }
  }

  /**
   * Send bytes as they are and wait for the next message of the server.
   * @throws ClientError
   */
  send(bytes: Buffer): Promise<Buffer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      if (this.#waiting.length === 1) this.#socket.setTimeout(this.#responseTimeoutMs)
      this.#socket.write(bytes)
    })
  }

  /** Nothing can be sent any more. */
  get closed(): boolean {
    return this.#failure !== undefined
  }

  /** Close the connection; requests without an answer fail. */
  close(): void {
    this.#fail(new ClientError('closed', 'the client closed the connection'))
  }

  #receive(chunk: Buffer): void {
    let answers: Buffer[]
    try {
      answers = this.#framer.push(chunk)
    } catch (error) {
      this.#fail(new ClientError('malformed', `the server's answer is refused: ${(error as Error).message}`, { cause: error }))
      return
    }
    for (const answer of answers) {
      const waiting = this.#waiting.shift()
      if (waiting === undefined) {
        this.#fail(new ClientError('malformed', 'the server sent a message that nobody asked for'))
        return
      }
      waiting.resolve(answer)
    }
    if (this.#waiting.length === 0) this.#socket.setTimeout(0)
  }

  #fail(error: ClientError): void {
    if (this.#failure === undefined) {
      this.#failure = error
      this.#socket.destroy()
      this.#end()
    }
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error)
  }
}
