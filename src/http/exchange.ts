import type { X509Certificate } from 'node:crypto'

/** An HTTP request as the doors see it: whole, with its body read and bounded, whatever HTTP version or socket it came by. */
export interface HttpRequest {
  /** As it was sent: `GET`, `LIST`. */
  readonly method: string
  /** Path and query as they were sent, still percent-encoded: `/v1/key/create/a%20b?x=1`. */
  readonly target: string
  /** Names in lower case; a field that stands several times is joined as Node does. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
  readonly remoteAddress: string
  /** What the client showed in the TLS handshake, leaf first; empty without TLS or without a certificate. Not verified here. */
  readonly certificates: readonly X509Certificate[]
  /** Whether the leaf led to an authority that the listener trusts. */
  readonly authorized: boolean
  /** Aborted when the client is gone or the time for the answer is over. */
  readonly signal: AbortSignal
}

/** The answer. A body of several pieces is streamed: each piece is sent when it comes, until the iteration ends or the client is gone. */
export interface HttpResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer | AsyncIterable<string | Buffer>
  /** Close the connection after this answer. */
  readonly close?: boolean
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>
