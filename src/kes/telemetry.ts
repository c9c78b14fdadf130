import { Broadcast, type Elsewhere } from './broadcast.ts'
import { BUCKETS, type Counts } from './figures.ts'
import { eventJson, type KesEvent } from './log-line.ts'

/** What can be listened to: every request, and what went wrong. */
export const STREAMS = ['audit', 'errors'] as const
export type Stream = (typeof STREAMS)[number]

/** Counts and streams of the door, over all reloads of its configuration. */
export class Telemetry implements Record<Stream, Broadcast> {
  readonly audit: Broadcast
  readonly errors: Broadcast
  active = 0
  #auditEvents = 0
  #errorEvents = 0
  readonly #byCode = new Map<number, number>()
  readonly #buckets = BUCKETS.map(() => 0)
  #seconds = 0
  #count = 0

  /** @param elsewhere who else listens to a stream; absent: nobody */
  constructor(elsewhere: (stream: Stream) => Elsewhere | undefined = () => undefined) {
    this.audit = new Broadcast(elsewhere('audit'))
    this.errors = new Broadcast(elsewhere('errors'))
  }

  get counts(): Counts {
    return {
      active: this.active,
      auditEvents: this.#auditEvents,
      errorEvents: this.#errorEvents,
      byCode: this.#byCode,
      buckets: this.#buckets,
      seconds: this.#seconds,
      count: this.#count,
    }
  }

  /** A request to a key, a policy or an identity was answered. */
  served(status: number, seconds: number): void {
    this.#byCode.set(status, (this.#byCode.get(status) ?? 0) + 1)
    this.#seconds += seconds
    this.#count++
    const bucket = BUCKETS.findIndex(limit => seconds <= limit)
    if (bucket >= 0) this.#buckets[bucket]!++
  }

  event(event: KesEvent): void {
    this.#auditEvents++
    if (this.audit.isHeard) this.audit.tell(`${eventJson(event)}\n`)
  }

  /** @param line as the log has it */
  error(line: string): void {
    this.#errorEvents++
    if (this.errors.isHeard) this.errors.tell(`${JSON.stringify({ message: line.trimEnd() })}\n`)
  }
}
