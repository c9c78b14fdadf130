import { KmipError } from '../objects/errors.ts'
import type { Engine, Peer } from '../ops/engine.ts'
import { countObjects } from '../scopes/object-count.ts'
import type { Records } from '../seal/records.ts'
import type { Metrics } from './metrics.ts'

interface Bucket {
  left: number
  atMs: number
}

/** Rates that are kept at most; the oldest is forgotten first, and begins anew. */
const MOST = 10_000
/** For how long a count of objects is taken as right; what this process makes meanwhile is added. */
const COUNT_MS = 10_000

export interface ClientLimiterOptions {
  readonly records: Records
  readonly metrics: Metrics
  /** Milliseconds, of a clock that does not go back. */
  now(): number
  /** Processes that share the clients: each lets through its part of a rate. */
  readonly processes?: number
}

/** Keeps clients within the limits of their scope and role. It knows of this process alone. */
export class ClientLimiter {
  readonly #options: ClientLimiterOptions
  readonly #buckets = new Map<string, Bucket>()
  readonly #counts = new Map<string, { objects: number; readonly atMs: number }>()

  constructor(options: ClientLimiterOptions) {
    this.#options = options
  }

  /** Why a request of a client is refused; nothing: it is let through, and counted. */
  refusal({ limits }: Peer): KmipError | undefined {
    if (!limits) return undefined
    const { now, processes = 1, metrics } = this.#options
    const buckets = limits.rates.map(({ key, perSecond, burst }) => {
      const most = Math.max(burst / processes, 1)
      const bucket = this.#buckets.get(key) ?? { left: most, atMs: now() }
      bucket.left = Math.min(most, bucket.left + ((now() - bucket.atMs) / 1000) * (perSecond / processes))
      bucket.atMs = now()
      this.#keep(key, bucket)
      return bucket
    })
    const at = buckets.findIndex(({ left }) => left < 1)
    if (at < 0) {
      for (const bucket of buckets) bucket.left--
      return undefined
    }
    metrics.refuse('rate_limit')
    const { of, perSecond } = limits.rates[at]!
    return new KmipError('ServerLimitExceeded', `${of} may send ${perSecond} requests a second; try again later`, { v1: 'GeneralFailure' })
  }

  /** Why a client may not have another object; nothing: it may, and that is counted. */
  async quota({ scope, scopeName, limits }: Peer): Promise<KmipError | undefined> {
    const { maxObjects } = limits ?? {}
    if (maxObjects === undefined) return undefined
    const { now, records, metrics } = this.#options
    let count = this.#counts.get(scope)
    if (!count || now() - count.atMs > COUNT_MS || count.objects >= maxObjects) {
      count = { objects: await countObjects(records, scope), atMs: now() }
      this.#counts.set(scope, count)
    }
    if (count.objects < maxObjects) {
      count.objects++
      return undefined
    }
    metrics.refuse('quota')
    return new KmipError('ServerLimitExceeded', `scope ${scopeName} may have ${maxObjects} objects, and has them`, { v1: 'GeneralFailure' })
  }

  /** An engine that answers within the limits. */
  over(engine: Engine): Engine {
    return {
      ...engine,
      recall: (bytes, peer) => (peer.limits ? undefined : engine.recall(bytes, peer)),
      answer: (bytes, peer, channel, refused) => engine.answer(bytes, peer, channel, refused ?? this.refusal(peer)),
      answerItem: (message, peer, refused) => engine.answerItem(message, peer, refused ?? this.refusal(peer)),
    }
  }

  #keep(key: string, bucket: Bucket): void {
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > MOST) for (const oldest of this.#buckets.keys()) if (this.#buckets.delete(oldest)) return
  }
}
