import type { X509Certificate } from 'node:crypto'

/** What is known of a request before its body is read. */
export interface RequestHead {
  /** As it was sent: `GET`, `LIST`. */
  readonly method: string
  /** Path and query as they were sent, still percent-encoded: `/v1/key/create/a%20b?x=1`. Scheme and host of an absolute target are left out. */
  readonly target: string
  /** Names in lower case; a field that stands several times is joined as Node does. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly remoteAddress: string
  /**
   * What the client showed in the TLS handshake, as it was sent, leaf first; empty without TLS or without a certificate. Not verified here.
   * It is one array for a connection, so what follows from it can be kept by it.
   */
  readonly certificates: readonly X509Certificate[]
}

/** An HTTP request as the doors see it: whole, with its body read and bounded, whatever HTTP version or socket it came by. */
export interface HttpRequest extends RequestHead {
  readonly body: Buffer
  /** The body was longer than it may be, and `body` is its beginning. The connection is closed after the answer. */
  readonly truncated?: boolean
  /** Aborted when the client is gone or the time for the answer is over. */
  readonly signal: AbortSignal
}

/** The answer. A body of several pieces is streamed: each piece is sent when it comes, until the iteration ends or the client is gone. */
export interface HttpResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A stream has to end when the request's signal is aborted. */
  readonly body?: string | Buffer | AsyncIterable<string | Buffer>
  /** Close the connection after this answer. */
  readonly close?: boolean
}

/** An answer that needs nothing to wait for is best given as it is: it leaves in the same turn. */
export type HttpHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>

/** What a request may take. */
export interface Allowance {
  /** 0: a body is read and dropped, and the handler does not wait for it. */
  readonly bodyBytes: number
  /** From the request's head to the last byte of the answer; then the client is cut off. 0: for ever. */
  readonly timeoutMs: number
}

/** Decides by the head, before the body is read. */
export type Allow = (head: RequestHead) => Allowance
