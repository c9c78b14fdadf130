import type { Sample } from './answers.ts'

type Values = (number | undefined)[]

/** Samples as a plot takes them: counts become rates per second, what is not known a gap. */
export interface Rates {
  /** Milliseconds since 1970. */
  readonly times: number[]
  readonly requests: Values
  readonly failed: Values
  readonly refused: Values
  readonly connections: Values
  readonly median: Values
  readonly p99: Values
  readonly commit: Values
}

/** The first sample has no rates, for there is nothing before it, and is left out. */
export function ratesOf(samples: readonly Sample[]): Rates {
  const pairs = samples.slice(1).map((sample, i) => [samples[i]!, sample] as const)
  const rate = (count: (sample: Sample) => number): Values =>
    pairs.map(([before, after]) => {
      const seconds = after.time - before.time
      return seconds > 0 ? Math.max(0, count(after) - count(before)) / seconds : undefined
    })
  const plain = (value: (sample: Sample) => number | null): Values => pairs.map(([, sample]) => value(sample) ?? undefined)
  return {
    times: pairs.map(([, sample]) => sample.time * 1000),
    requests: rate(sample => sample.requests),
    failed: rate(sample => sample.failed),
    refused: rate(sample => sample.refused),
    connections: plain(sample => sample.connections),
    median: plain(sample => sample.median),
    p99: plain(sample => sample.p99),
    commit: plain(sample => sample.commit),
  }
}
