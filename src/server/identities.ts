import type { Peer } from '../ops/engine.ts'

/** Who a certificate belongs to, as the scopes know it. */
export interface Identities {
  /** Another number whenever an answer of `identify` may have changed. Cheap: it is read for every message. */
  version(): number
  /** To be awaited before a message is looked at, if there is anything to wait for. @throws what keeps the store from being asked */
  settle?(): Promise<void> | undefined
  /**
   * The peer of a certificate that our CA issued, or nothing if it is unknown, revoked, or its role or scope is gone.
   * @param certificate DER; the same buffer each time for one client
   */
  identify(certificate: Buffer): Promise<Peer | undefined>
}

/** A store that cannot be asked has no version: NaN, which nothing equals, so that nobody passes for known. */
export function versionOf(identities: Identities): number {
  try {
    return identities.version()
  } catch {
    return Number.NaN
  }
}

/** One client certificate and what is known of it, shared by its connections. */
export class Identity {
  /** DER. */
  readonly certificate: Buffer
  readonly endsMs: number
  connections = 0
  /** Absent: refused, or not looked up yet. */
  peer: Peer | undefined
  /** Version of the identities that `peer` was read at. */
  version = Number.NaN
  #pending: Promise<Peer | undefined> | undefined
  #pendingVersion = Number.NaN

  constructor(certificate: Buffer, endsMs: number) {
    this.certificate = certificate
    this.endsMs = endsMs
  }

  /** Look the peer up anew. Connections that ask at the same version share one look-up. */
  check(identities: Identities): Promise<Peer | undefined> {
    const version = identities.version()
    if (this.#pending === undefined || this.#pendingVersion !== version) {
      this.#pendingVersion = version
      this.#pending = this.#read(identities, version)
    }
    return this.#pending
  }

  async #read(identities: Identities, version: number): Promise<Peer | undefined> {
    try {
      const peer = await identities.identify(this.certificate)
      // A later look-up may have overtaken this one.
      if (this.#pendingVersion === version) {
        this.peer = peer
        this.version = version
      }
      return peer
    } finally {
      if (this.#pendingVersion === version) this.#pending = undefined
    }
  }
}
