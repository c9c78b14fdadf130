import type { Ending, KesDoor, Live, OperationUse, Overview, Part, Sample } from '../admin/live.ts'
import type { Config } from '../config/schema.ts'
import { type Metrics, REFUSALS } from './metrics.ts'
import { quantile } from './quantile.ts'

export const STORE_TITLES: Readonly<Record<Config['store']['kind'], string>> = {
  sqlite: 'SQLite',
  memory: 'in memory, nothing is kept',
  vault: 'Vault or OpenBao',
}
export const SEAL_TITLES: Readonly<Record<Config['seal'][number]['kind'], string>> = {
  local: 'key file',
  passphrase: 'passphrase',
  vault: 'transit key of Vault',
}

export interface OverviewOptions {
  readonly metrics: Metrics
  readonly version: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Why the server is not ready, if it is not. */
  unready(): string | undefined
  store(): Part
  seal(): Part
  /** Every certificate that will end, in any order. */
  certificates(): Promise<readonly Ending[]>
  /** Nothing when there is none. */
  kes(): KesDoor | undefined
}

const EVERY_MS = 5000
/** A quarter of an hour. */
const KEPT = 180
const ENDINGS = 10

/** What the server did in the last minutes: samples of its metrics at even distances, for the administrator's overview. */
export class RecentActivity implements Live {
  readonly #options: OverviewOptions
  readonly #startedMs: number
  readonly #samples: Sample[] = []
  #latencies = new Float64Array()
  #commits = new Float64Array()
  #timer: NodeJS.Timeout | undefined

  constructor(options: OverviewOptions) {
    this.#options = options
    this.#startedMs = options.now()
    this.sample()
  }

  start(): void {
    this.#timer = setInterval(() => this.sample(), EVERY_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Keep what is counted at this moment. */
  sample(): void {
    const { metrics, now } = this.#options
    const latencies = summed(metrics.latencies())
    const commits = Float64Array.from(metrics.commitCounts)
    const fresh = since(this.#latencies, latencies)
    this.#samples.push({
      time: Math.round(now() / 1000),
      ...totalOf(metrics),
      refused: REFUSALS.reduce((sum, kind) => sum + metrics.refused(kind), 0),
      connections: metrics.connectionsOpen,
      median: quantile(fresh, 0.5),
      p99: quantile(fresh, 0.99),
      commit: quantile(since(this.#commits, commits), 0.5),
    })
    if (this.#samples.length > KEPT) this.#samples.shift()
    this.#latencies = latencies
    this.#commits = commits
  }

  kes(): KesDoor | undefined {
    return this.#options.kes()
  }

  async overview(): Promise<Overview> {
    const { metrics, version, now, unready, store, seal, certificates } = this.#options
    const why = unready()
    const { requests, failed } = totalOf(metrics)
    const endings = [...(await certificates())].sort((a, b) => Date.parse(a.expiration) - Date.parse(b.expiration))
    return {
      version,
      started: new Date(this.#startedMs).toISOString(),
      now: new Date(now()).toISOString(),
      ...(why !== undefined && { unready: why }),
      requests: { total: requests, failed },
      connections: { open: metrics.connectionsOpen, total: metrics.connectionsTotal },
      received_bytes: metrics.receivedBytes,
      sent_bytes: metrics.sentBytes,
      refusals: Object.fromEntries(REFUSALS.map(kind => [kind, metrics.refused(kind)])),
      operations: usesOf(metrics),
      samples: this.#samples,
      store: store(),
      seal: seal(),
      certificates: endings.slice(0, ENDINGS),
    }
  }
}

function totalOf(metrics: Metrics): { readonly requests: number; readonly failed: number } {
  let [requests, failed] = [0, 0]
  for (const one of metrics.operations()) {
    requests += one.requests
    failed += one.failed
  }
  return { requests, failed }
}

function usesOf(metrics: Metrics): OperationUse[] {
  const latencies = new Map(metrics.latencies())
  const uses = [...metrics.operations()].map(one => {
    const counts = latencies.get(one.operation) ?? []
    return { ...one, median: quantile(counts, 0.5), p99: quantile(counts, 0.99) }
  })
  return uses.sort((a, b) => b.requests - a.requests)
}

function summed(rows: Iterable<readonly [string, Float64Array]>): Float64Array<ArrayBuffer> {
  let sum = new Float64Array()
  for (const [, counts] of rows) sum = counts.map((n, i) => n + (sum[i] ?? 0))
  return sum
}

const since = (before: Float64Array, after: Float64Array): Float64Array => after.map((n, i) => n - (before[i] ?? 0))
