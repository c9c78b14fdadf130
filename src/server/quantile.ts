import { LATENCY_BUCKETS } from './latencies.ts'

/**
 * The time span that the share `q` of the counted ones did not pass, as near as the buckets tell, straight between their bounds.
 * @param counts of each bucket, not summed up
 * @returns seconds; null when nothing was counted; the last bound when it lies behind that
 */
export function quantile(counts: ArrayLike<number>, q: number): number | null {
  const total = Array.from(counts).reduce((sum, n) => sum + n, 0)
  if (total === 0) return null
  const wanted = q * total
  let below = 0
  for (const [i, upper] of LATENCY_BUCKETS.entries()) {
    const n = counts[i] ?? 0
    const lower = i === 0 ? 0 : LATENCY_BUCKETS[i - 1]!
    if (n > 0 && below + n >= wanted) return lower + ((wanted - below) / n) * (upper - lower)
    below += n
  }
  return LATENCY_BUCKETS.at(-1)!
}
