import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Registry } from 'prom-client'
import { boundAddress } from '../http/bound-address.ts'

export interface HttpOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** In the format of Prometheus. */
  readonly metrics: () => Promise<string>
  /** Why the server cannot answer clients now; nothing if it can. */
  readonly unready: () => Promise<string | undefined>
  /** Why the data is sealed; absent: it is open. */
  readonly sealed?: () => string
}

/**
 * The metrics listener: `/metrics` for Prometheus, `/healthz` (the process lives, and its data is not sealed; with `?sealedok=true` only the
 * former) and `/readyz` (it answers KMIP clients).
 */
export class MetricsServer {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** Listen. @throws the system's error if the address is taken or not ours */
  static async listen(options: HttpOptions): Promise<MetricsServer> {
    const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 8192 }, (request, response) => {
      answer(request, response, options).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
    })
    server.maxConnections = 100
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(options.port, options.host, () => {
        server.off('error', reject)
        resolve()
      })
    })
    return new MetricsServer(server)
  }

  /** `host:port` as it is bound. */
  get address(): string {
    return boundAddress(this.#server)
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }
}

const TEXT = 'text/plain; charset=utf-8'

async function answer(request: IncomingMessage, response: ServerResponse, { metrics, unready, sealed }: HttpOptions): Promise<void> {
  const [path, query] = (request.url ?? '').split('?', 2)
  if (request.method !== 'GET' && request.method !== 'HEAD') send(405, TEXT, 'use GET\n')
  else if (path === '/healthz') send(sealed && query !== 'sealedok=true' ? 503 : 200, TEXT, `${sealed?.() ?? 'ok'}\n`)
  else if (path === '/readyz') {
    const reason = await unready()
    send(reason === undefined ? 200 : 503, TEXT, `${reason ?? 'ok'}\n`)
  } else if (path === '/metrics') send(200, Registry.PROMETHEUS_CONTENT_TYPE, await metrics())
  else send(404, TEXT, 'here are /metrics, /healthz and /readyz\n')

  function send(status: number, type: string, text: string): void {
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), 'x-content-type-options': 'nosniff' })
    response.end(request.method === 'HEAD' ? undefined : text)
  }
}
