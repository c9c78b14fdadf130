// RFC 3339, with up to nine digits of a second, as Go writes it.
const RFC3339 = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})$/
const BILLION = 1_000_000_000n

/** What Go prints for a time that was never set. */
export const ZERO_TIME = '0001-01-01T00:00:00Z'

/** @returns nanoseconds since 1970, or nothing if the text is no time */
export function readTime(text: string): bigint | undefined {
  const [, day, time, fraction = '', zone = ''] = RFC3339.exec(text) ?? []
  if (day === undefined) return undefined
  const milliseconds = Date.parse(`${day}T${time}${zone.toUpperCase()}`)
  if (Number.isNaN(milliseconds)) return undefined
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

/** RFC 3339 in UTC with nanoseconds, without the zeros at the end: `2023-11-14T22:13:20.000000005Z`. */
export function writeTime(ns: bigint): string {
  const { seconds, nanos } = splitTime(ns)
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19)
  const fraction = String(nanos).padStart(9, '0').replace(/0+$/, '')
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`
}

/** Whole seconds, rounded down, and what is left: also before 1970 the nanoseconds are 0 to 999,999,999. */
export function splitTime(ns: bigint): { readonly seconds: bigint; readonly nanos: bigint } {
  const nanos = ((ns % BILLION) + BILLION) % BILLION
  return { seconds: (ns - nanos) / BILLION, nanos }
}

export const joinTime = (seconds: bigint, nanos: bigint): bigint => seconds * BILLION + nanos
