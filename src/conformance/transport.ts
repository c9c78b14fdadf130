import type { ConnectOptions } from '../client/client.ts'
import type { EncodingName } from '../client/https-client.ts'
import type { Sender } from './case.ts'
import { HttpsTransport } from './https-transport.ts'
import type { Transport } from './run-case.ts'
import { TlsTransport } from './tls-transport.ts'

export interface TransportOptions {
  /** Default `ttlv`. */
  readonly encoding?: EncodingName
  /** Speak HTTPS; JSON and XML are spoken there only. */
  readonly https?: boolean
  /** Of the HTTPS requests; default `/kmip`. */
  readonly path?: string
}

/** The way to a server, in the encoding that is asked for. */
export function openTransport(
  clients: Readonly<Record<Sender, ConnectOptions>>,
  { encoding = 'ttlv', https = encoding !== 'ttlv', path }: TransportOptions = {},
): Transport & { close(): void } {
  if (!https) return new TlsTransport(clients)
  const over = (options: ConnectOptions) => ({ ...options, encoding, ...(path !== undefined && { path }) })
  return new HttpsTransport({ A: over(clients.A), B: over(clients.B), C: over(clients.C) })
}
