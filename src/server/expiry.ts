import { Gauge, type Registry } from 'prom-client'
import type { Ending } from '../admin/live.ts'
import type { Logger } from './log.ts'

const DAY_MS = 86_400_000
/** How long before its end a certificate is warned of, and how often. */
const WARN_MS = 3 * DAY_MS
const AGAIN_MS = DAY_MS

/** Tells of certificates that will end: a metric for each, and a warning in the log from three days before, once a day. */
export class Expiry {
  readonly #log: Logger
  readonly #gauge: Gauge<'kind' | 'name' | 'role' | 'serial'>
  readonly #warnedMs = new Map<string, number>()

  constructor(registry: Registry, log: Logger) {
    this.#log = log
    this.#gauge = new Gauge({
      name: 'kmipd_issued_certificate_end_timestamp_seconds',
      help: 'When a certificate ends that kmipd keeps: of its listeners, its CAs, and each credential, whether it was used or not',
      labelNames: ['kind', 'name', 'role', 'serial'],
      aggregator: 'max',
      registers: [registry],
    })
  }

  /** @param endings all of them; those that are not among them any more are forgotten */
  see(endings: readonly Ending[], nowMs: number): void {
    this.#gauge.reset()
    const known = new Set<string>()
    for (const { kind, name, role = '', serial_number: serial = '', expiration } of endings) {
      const endsMs = Date.parse(expiration)
      this.#gauge.set({ kind, name, role, serial }, endsMs / 1000)
      const key = `${kind} ${name} ${role} ${serial}`
      known.add(key)
      const leftMs = endsMs - nowMs
      if (leftMs > WARN_MS || leftMs < 0 || nowMs - (this.#warnedMs.get(key) ?? 0) < AGAIN_MS) continue
      this.#warnedMs.set(key, nowMs)
      this.#log.warn(
        { kind, name, ...(role !== '' && { role, serial }), expiration },
        kind === 'credential' ? 'a client certificate will end soon; renew it with credential/renew' : 'a certificate will end soon',
      )
    }
    for (const key of this.#warnedMs.keys()) if (!known.has(key)) this.#warnedMs.delete(key)
  }
}
