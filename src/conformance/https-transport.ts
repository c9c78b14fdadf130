import { HttpsClient, type HttpsOptions } from '../client/https-client.ts'
import type { Item } from '../ttlv/item.ts'
import type { Sender } from './case.ts'
import type { Transport } from './run-case.ts'

/** TTLV, JSON or XML over HTTPS: a connection for each sender, opened at its first request. */
export class HttpsTransport implements Transport {
  readonly #options: Readonly<Record<Sender, HttpsOptions>>
  readonly #clients = new Map<Sender, HttpsClient>()

  constructor(options: Readonly<Record<Sender, HttpsOptions>>) {
    this.#options = options
  }

  exchange(sender: Sender, request: Item): Promise<Item> {
    let client = this.#clients.get(sender)
    if (client === undefined) {
      client = new HttpsClient(this.#options[sender])
      this.#clients.set(sender, client)
    }
    return client.request(request)
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }
}
