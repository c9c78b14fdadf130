/** How the console writes numbers, times and sizes for people. All pure; times are milliseconds since 1970 unless it says seconds. */

const UNITS: readonly (readonly [seconds: number, short: string, long: string])[] = [
  [86_400 * 365, 'y', 'year'],
  [86_400, 'd', 'day'],
  [3600, 'h', 'hour'],
  [60, 'min', 'minute'],
  [1, 's', 'second'],
]

/** The two largest units: `13 d 23 h`, `336 h` is `14 d`. @param seconds whole or not, not negative */
export function duration(seconds: number): string {
  const first = UNITS.findIndex(([size]) => seconds >= size)
  if (first === -1) return `${seconds > 0 ? '<1' : '0'} s`
  const [size, short] = UNITS[first]!
  const text = `${Math.floor(seconds / size)} ${short}`
  const next = UNITS[first + 1]
  const rest = next ? Math.floor((seconds % size) / next[0]) : 0
  return next && rest > 0 ? `${text} ${rest} ${next[1]}` : text
}

/** `in 13 days`, `2 minutes ago`, `now`. */
export function relative(atMs: number, nowMs: number): string {
  const seconds = Math.abs(atMs - nowMs) / 1000
  const unit = UNITS.find(([size]) => seconds >= size)
  if (!unit) return 'now'
  const n = Math.floor(seconds / unit[0])
  const text = `${n} ${unit[2]}${n === 1 ? '' : 's'}`
  return atMs > nowMs ? `in ${text}` : `${text} ago`
}

const two = (n: number): string => String(n).padStart(2, '0')

/** Local time, as ISO 8601 writes it but for the T: `2026-11-28 13:45:10`. */
export function dateTime(ms: number): string {
  const d = new Date(ms)
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
}

/** Hours, minutes and seconds of local time. */
export const clock = (ms: number): string => dateTime(ms).slice(11)

/** With thousands apart: `12 345`. */
export const count = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, '\u202f')

/** Three digits that matter: `0.42`, `4.2`, `42`, `4.2 k`. */
export function amount(n: number): string {
  if (n >= 999_500) return `${digits(n / 1e6)} M`
  if (n >= 9995) return `${digits(n / 1000)} k`
  return n >= 1000 ? count(n) : digits(n)
}

const digits = (n: number): string => (n === 0 ? '0' : String(Number(n >= 100 ? n.toFixed(0) : n.toPrecision(2))))

/** Of a time span: `0.42 ms`, `1.2 s`. @param seconds not negative */
export function latency(seconds: number): string {
  if (seconds >= 0.9995) return `${digits(seconds)} s`
  return seconds < 0.0001 ? `${digits(seconds * 1e6)} µs` : `${digits(seconds * 1000)} ms`
}

/** `12 kB`, in powers of 1000. */
export function bytes(n: number): string {
  const unit = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = n
  let i = 0
  while (value >= 999.5 && i < unit.length - 1) {
    value /= 1000
    i++
  }
  return `${i === 0 ? value : digits(value)} ${unit[i]}`
}

/** `1 role`, `2 roles`. */
export const counted = (n: number, word: string): string => `${count(n)} ${word}${n === 1 ? '' : 's'}`

/** How pressing the end of something is: past, within a tenth of the usual life of a credential, or far. */
export function urgency(endMs: number, nowMs: number, soonMs = 7 * 86_400_000): 'over' | 'soon' | 'fine' {
  if (endMs <= nowMs) return 'over'
  return endMs - nowMs < soonMs ? 'soon' : 'fine'
}
