import { Gauge, type Registry } from 'prom-client'
import type { Peer } from '../ops/engine.ts'

/** One client certificate as the metrics show it. */
export interface ClientUse {
  readonly scope: string
  readonly role: string
  readonly serial: string
  /** Milliseconds since 1970, as the next one. */
  readonly endsMs: number
  /** 0: never since the start. */
  lastSuccessMs: number
}

/** Clients that are kept at most. One can get itself another certificate again and again. */
const MOST = 10_000

/**
 * The clients that came since the start: when each was last served, and when its certificate ends. Ended ones are dropped, and where they are too
 * many those that connected longest ago.
 */
export class ClientUses {
  readonly #uses = new Map<string, ClientUse>()
  readonly #most: number

  /** @param most clients that are kept */
  constructor(registry: Registry, now: () => number, most = MOST) {
    this.#most = most
    const uses = this.#uses
    const labelNames = ['scope', 'role', 'serial'] as const
    const registers = [registry]
    const gauge = (name: string, help: string, milliseconds: (use: ClientUse) => number): Gauge<(typeof labelNames)[number]> =>
      new Gauge({
        name,
        help,
        labelNames,
        aggregator: 'max',
        registers,
        collect() {
          this.reset()
          for (const use of uses.values()) {
            const { scope, role, serial } = use
            if (milliseconds(use) > 0) this.set({ scope, role, serial }, milliseconds(use) / 1000)
          }
        },
      })
    gauge('kmipd_client_last_success_timestamp_seconds', 'When a client was last served', use => use.lastSuccessMs)
    gauge('kmipd_client_certificate_end_timestamp_seconds', 'When the certificate of a client ends', use => {
      if (use.endsMs < now()) uses.delete(use.serial)
      return use.endsMs
    })
  }

  /** What is kept of a client, from now on if it is new. The caller writes `lastSuccessMs` at each success, which so costs no look-up. */
  of(peer: Peer, endsMs: number): ClientUse {
    const { serial } = peer
    const use = this.#uses.get(serial) ?? { scope: peer.scopeName, role: peer.role, serial, endsMs, lastSuccessMs: 0 }
    this.#uses.delete(serial)
    this.#uses.set(serial, use)
    if (this.#uses.size > this.#most) this.#uses.delete(this.#uses.keys().next().value!)
    return use
  }
}
