/** Bounds of the KMIP listener. Times are milliseconds. Each refusal is counted in `kmipd_refusals_total` by its kind. */
export interface Limits {
  /** From the TCP connection to the end of the TLS handshake. */
  readonly handshakeMs: number
  /** From the first byte of a message to its last. */
  readonly partialMs: number
  /** Silence between messages. */
  readonly idleMs: number
  /** How long a closing connection may take to read its last answer. */
  readonly lingerMs: number
  /** Open connections, those in their handshake included. */
  readonly connections: number
  /** Open connections of one client certificate. */
  readonly connectionsPerIdentity: number
  /** Bytes of one request, header included. */
  readonly messageBytes: number
  /** Bytes of pipelined requests that wait on one connection before it is read no further. */
  readonly queuedBytes: number
}

export const LIMITS: Limits = {
  handshakeMs: 10_000,
  partialMs: 30_000,
  idleMs: 600_000,
  lingerMs: 2_000,
  connections: 10_000,
  connectionsPerIdentity: 100,
  messageBytes: 1 << 20,
  queuedBytes: 1 << 16,
}
