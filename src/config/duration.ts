const UNIT_MS = {
  ...{ ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 },
  ...{ d: 86_400_000, w: 604_800_000 },
} as const
export type Unit = keyof typeof UNIT_MS

/** The units of Go, and so of KES. Both letters for micro. */
export const GO_UNITS: readonly Unit[] = ['ns', 'us', 'µs', 'μs', 'ms', 's', 'm', 'h']

const PART = /(\d{1,19}(?:\.\d{0,19})?|\.\d{1,19})([a-zµμ]+)/g
const WHOLE = new RegExp(`^[+-]?(?:${PART.source})+$`)

/**
 * Milliseconds of a text in the grammar of Go's durations: a sign, then numbers with units, as in `1h2m3.5s`; `0` needs no unit.
 * @param units that there are
 * @returns nothing, if it is no duration
 */
export function readDuration(text: string, units: readonly Unit[]): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0
  if (!WHOLE.test(text)) return undefined
  let ms = 0
  for (const [, count, name] of text.matchAll(PART)) {
    const unit = units.find(one => one === name)
    if (unit === undefined) return undefined
    ms += Number(count) * UNIT_MS[unit]
  }
  return text.startsWith('-') ? -ms : ms
}

/** Milliseconds in the largest of these units that divides them, the largest last; of nothing, `0s`. */
export function writeDuration(ms: number, units: readonly Unit[]): string {
  const unit = units.findLast(one => ms !== 0 && ms % UNIT_MS[one] === 0) ?? 's'
  return `${ms / UNIT_MS[unit]}${unit}`
}
