/** Upper bounds of the buckets, in seconds. */
export const LATENCY_BUCKETS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

/** Index of the bucket of a time span; behind the last bound there is one more. @param seconds not negative */
export function bucketOf(seconds: number): number {
  let bucket = 0
  while (bucket < LATENCY_BUCKETS.length && seconds > LATENCY_BUCKETS[bucket]!) bucket++
  return bucket
}

interface Value {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

interface Row {
  readonly buckets: Float64Array
  sum: number
}

/**
 * A histogram for the request path: prom-client's own looks its labels up at each observation and takes several times as long.
 * It is registered like one of its metrics.
 */
export class Latencies {
  readonly name: string
  readonly help: string
  readonly type = 'histogram'
  readonly aggregator = 'sum'
  readonly #label: string
  readonly #rows = new Map<string, Row>()

  /** @param label name of the only label, whose values are a small fixed set */
  constructor(name: string, help: string, label: string) {
    this.name = name
    this.help = help
    this.#label = label
  }

  observe(labelValue: string, seconds: number): void {
    let row = this.#rows.get(labelValue)
    if (row === undefined) {
      row = { buckets: new Float64Array(LATENCY_BUCKETS.length + 1), sum: 0 }
      this.#rows.set(labelValue, row)
    }
    row.buckets[bucketOf(seconds)]! += 1
    row.sum += seconds
  }

  /** How many fell into each bucket, not summed up, by label value. Not copied: they go on counting. */
  *counts(): Iterable<readonly [labelValue: string, counts: Float64Array]> {
    for (const [labelValue, { buckets }] of this.#rows) yield [labelValue, buckets]
  }

  reset(): void {
    this.#rows.clear()
  }

  async get(): Promise<{ name: string; help: string; type: string; aggregator: string; values: Value[] }> {
    const values: Value[] = []
    for (const [labelValue, row] of this.#rows) {
      let count = 0
      row.buckets.forEach((n, i) => {
        count += n
        const labels = { [this.#label]: labelValue, le: LATENCY_BUCKETS[i] ?? '+Inf' }
        values.push({ metricName: `${this.name}_bucket`, labels, value: count })
      })
      const labels = { [this.#label]: labelValue }
      values.push({ metricName: `${this.name}_sum`, labels, value: row.sum }, { metricName: `${this.name}_count`, labels, value: count })
    }
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values }
  }
}
