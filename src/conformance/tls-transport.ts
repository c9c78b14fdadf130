import { type ConnectOptions, KmipClient } from '../client/client.ts'
import type { Sender } from './case.ts'
import type { Transport } from './run-case.ts'

/** Binary TTLV over TLS: a connection for each sender, opened at its first request and again when it was closed. */
export class TlsTransport implements Transport {
  readonly #options: Readonly<Record<Sender, ConnectOptions>>
  readonly #clients = new Map<Sender, KmipClient>()

  constructor(options: Readonly<Record<Sender, ConnectOptions>>) {
    this.#options = options
  }

  async exchange(sender: Sender, request: Parameters<Transport['exchange']>[1]): ReturnType<Transport['exchange']> {
    let client = this.#clients.get(sender)
    if (client === undefined || client.closed) {
      client = await KmipClient.connect(this.#options[sender])
      this.#clients.set(sender, client)
    }
    return client.request(request)
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }
}
