import { createServer, type Server, type Socket } from 'node:net'
import type { Address } from '../config/value-types.ts'
import { boundAddress } from '../http/bound-address.ts'
import { MetricsServer } from './http.ts'
import type { Logger } from './log.ts'
import { Metrics } from './metrics.ts'
import { orUndo } from './or-undo.ts'

export interface SealedOptions {
  /** Where clients will be served once the data is open. */
  readonly clients: readonly Address[]
  readonly metrics: Address | undefined
  /** Of the program. */
  readonly version: string
  /** Why the data is closed. */
  readonly reason: () => string
  readonly log: Logger
}

const LOG_MS = 1000

/**
 * What listens while the data is sealed: health says so, and clients are cut off with a line in the log. There is no TLS, since the server's
 * certificate and its key are in the sealed data.
 */
export class SealedServer {
  readonly #options: SealedOptions
  readonly #servers: Server[] = []
  #metrics: MetricsServer | undefined
  #loggedMs = Number.NEGATIVE_INFINITY

  private constructor(options: SealedOptions) {
    this.#options = options
  }

  /** @throws the system's error if an address is taken or not ours */
  static async listen(options: SealedOptions): Promise<SealedServer> {
    const sealed = new SealedServer(options)
    await orUndo(
      () => sealed.close(),
      () => sealed.#listen(),
    )
    return sealed
  }

  /** `host:port` as they are bound. */
  get addresses(): { readonly clients: readonly string[]; readonly metrics?: string } {
    const clients = this.#servers.map(boundAddress)
    return { clients, ...(this.#metrics && { metrics: this.#metrics.address }) }
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map(server => new Promise(resolve => server.close(resolve))))
    await this.#metrics?.close()
  }

  async #listen(): Promise<void> {
    const { clients, metrics, version, reason } = this.#options
    for (const { host, port } of clients) {
      const server = createServer(socket => this.#refuse(socket))
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, resolve)
      })
      this.#servers.push(server)
    }
    const { registry } = new Metrics({ version })
    const sealed = (): string => `sealed: ${reason()}`
    if (metrics)
      this.#metrics = await MetricsServer.listen({ ...metrics, metrics: () => registry.metrics(), unready: async () => sealed(), sealed })
  }

  #refuse(socket: Socket): void {
    const address = socket.remoteAddress
    socket.on('error', err => this.#options.log.debug({ err }, 'a connection broke'))
    socket.destroy()
    const clockMs = performance.now()
    if (clockMs - this.#loggedMs < LOG_MS) return
    this.#loggedMs = clockMs
    this.#options.log.warn({ refusal: 'sealed', address }, `a client is refused, since the data is sealed: ${this.#options.reason()}`)
  }
}
