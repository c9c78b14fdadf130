import type { Socket } from 'node:net'
import { Http2Connection } from './http2-connection.ts'
import type { Serving } from './incoming.ts'

/**
 * HTTP/2 on connections that somebody else accepts. It is our own: Node's takes about twice the time of the processor for a small request, and
 * the doors need no more than this of it.
 */
export class Http2 {
  readonly #serving: Serving
  readonly #connections = new Set<Http2Connection>()

  constructor(serving: Serving) {
    this.#serving = serving
  }

  open(socket: Socket): void {
    const connection = new Http2Connection(socket, this.#serving)
    this.#connections.add(connection)
    socket.once('close', () => {
      this.#connections.delete(connection)
      connection.closed()
    })
    if (this.#serving.stopping()) connection.drain()
  }

  /** Close what is silent for too long, and forget what clients gave up before. */
  check(nowMs: number): void {
    for (const connection of this.#connections) connection.check(nowMs)
  }

  /** Connections close when their requests are answered. */
  drain(): void {
    for (const connection of this.#connections) connection.drain()
  }

  destroy(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}
