import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from 'prom-client'
import { ClientUses } from './client-uses.ts'
import { bucketOf, LATENCY_BUCKETS, Latencies } from './latencies.ts'

/** Why the listener refused or closed something, as it stands in `kmipd_refusals_total`. */
export const REFUSALS = [
  'handshake_timeout',
  'handshake',
  'certificate',
  'unknown_identity',
  'revoked',
  'connections',
  'connections_per_identity',
  'partial_message',
  'idle',
  'message_size',
  'not_kmip',
  'http',
  'audit',
  'rate_limit',
  'quota',
] as const
export type Refusal = (typeof REFUSALS)[number]

/** What the server counts. The request path adds to plain numbers; they become metrics when somebody asks for them. */
export class Metrics {
  readonly registry = new Registry()
  readonly clients = new ClientUses(this.registry, Date.now)
  receivedBytes = 0
  sentBytes = 0
  connectionsTotal = 0
  connectionsOpen = 0
  auditFailures = 0
  readonly #requests = new Map<string, Map<string, number>>()
  readonly #refusals = new Map<Refusal, number>(REFUSALS.map(kind => [kind, 0]))
  readonly #latencies = new Latencies('kmipd_request_duration_seconds', 'Time from request to answer of one batch item', 'operation')
  readonly #commits: Histogram
  /** Commits by the buckets of latencies. */
  readonly commitCounts = new Float64Array(LATENCY_BUCKETS.length + 1)
  readonly #certificates: Gauge<'certificate'>

  /** @param build what `kmipd_build_info` says */
  constructor(build: { readonly version: string }) {
    const { registry } = this
    const registers = [registry]
    const total = (name: string, help: string, read: () => number): Counter =>
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset()
          this.inc(read())
        },
      })
    const requests = this.#requests
    new Counter({
      name: 'kmipd_requests_total',
      help: 'Batch items answered',
      labelNames: ['operation', 'status'],
      registers,
      collect() {
        this.reset()
        for (const [operation, statuses] of requests) for (const [status, n] of statuses) this.inc({ operation, status }, n)
      },
    })
    registry.registerMetric(this.#latencies as unknown as Metric)
    const refusals = this.#refusals
    new Counter({
      name: 'kmipd_refusals_total',
      help: 'Connections and messages refused or closed by the listener, by the limit or check that did it',
      labelNames: ['kind'],
      registers,
      collect() {
        this.reset()
        for (const [kind, n] of refusals) this.inc({ kind }, n)
      },
    })
    total('kmipd_received_bytes_total', 'Bytes of requests', () => this.receivedBytes)
    total('kmipd_sent_bytes_total', 'Bytes of answers', () => this.sentBytes)
    total('kmipd_connections_total', 'Connections accepted after their handshake', () => this.connectionsTotal)
    total('kmipd_audit_failures_total', 'Writes to the audit log that failed; their answers were not sent', () => this.auditFailures)
    const open = (): number => this.connectionsOpen
    new Gauge({
      name: 'kmipd_connections',
      help: 'Connections that are open now',
      registers,
      collect() {
        this.set(open())
      },
    })
    this.#commits = new Histogram({
      name: 'kmipd_store_commit_seconds',
      help: 'Time until a change was durable',
      buckets: [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1],
      registers,
    })
    this.#certificates = new Gauge({
      name: 'kmipd_certificate_end_timestamp_seconds',
      help: 'When a certificate of the server ends',
      labelNames: ['certificate'],
      aggregator: 'min',
      registers,
    })
    new Gauge({ name: 'kmipd_build_info', help: 'What runs', labelNames: ['version', 'node'], aggregator: 'first', registers }).set(
      { version: build.version, node: process.versions.node },
      1,
    )
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 })
  }

  request(operation: string, status: string, latencyMs: number): void {
    let statuses = this.#requests.get(operation)
    if (statuses === undefined) {
      statuses = new Map()
      this.#requests.set(operation, statuses)
    }
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    this.#latencies.observe(operation, latencyMs / 1000)
  }

  /** Requests and failures of each operation. */
  *operations(): Iterable<{ readonly operation: string; readonly requests: number; readonly failed: number }> {
    for (const [operation, statuses] of this.#requests) {
      const requests = [...statuses.values()].reduce((sum, n) => sum + n, 0)
      yield { operation, requests, failed: statuses.get('OperationFailed') ?? 0 }
    }
  }

  /** Latencies of each operation, by buckets. */
  latencies(): Iterable<readonly [operation: string, counts: Float64Array]> {
    return this.#latencies.counts()
  }

  refuse(kind: Refusal): void {
    this.#refusals.set(kind, this.refused(kind) + 1)
  }

  /** How often that was refused. */
  refused(kind: Refusal): number {
    return this.#refusals.get(kind) ?? 0
  }

  commit(seconds: number): void {
    this.#commits.observe(seconds)
    this.commitCounts[bucketOf(seconds)]! += 1
  }

  /** @param certificate `server`, `ca` or `root` */
  certificateEnds(certificate: string, end: Date): void {
    this.#certificates.set({ certificate }, end.getTime() / 1000)
  }
}

/** The metrics of several processes as one, in the format of Prometheus. @param processes what each one's registry gives as JSON */
export const summed = (processes: readonly (readonly object[])[]): Promise<string> =>
  AggregatorRegistry.aggregate(processes.map(metrics => [...metrics])).metrics()
