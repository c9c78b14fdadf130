/** The life of an object as a line of events, made of its dates. */
export interface Event {
  readonly title: string
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly isPast: boolean
}

// In the order in which they follow when two fall on the same second.
const DATES: readonly (readonly [attribute: string, past: string, future: string])[] = [
  ['initial_date', 'Made', 'Made'],
  ['original_creation_date', 'Made at its origin', 'Made at its origin'],
  ['activation_date', 'Activated', 'Will be active'],
  ['process_start_date', 'May process', 'May process from here'],
  ['protect_stop_date', 'Stopped protecting', 'Will stop protecting'],
  ['deactivation_date', 'Deactivated', 'Will be deactivated'],
  ['compromise_occurrence_date', 'Compromised', 'Compromised'],
  ['compromise_date', 'Found compromised', 'Found compromised'],
  ['archive_date', 'Archived', 'Archived'],
  ['destroy_date', 'Destroyed', 'Will be destroyed'],
  ['last_change_date', 'Last changed', 'Last changed'],
]

// They are told only if nothing else happened then.
const ECHOES: ReadonlySet<string> = new Set(['Made at its origin', 'Last changed'])

/** @param dates seconds since 1970 or ISO 8601 by the attribute's name in snake case; other fields are passed over */
export function eventsOf(dates: Readonly<Record<string, unknown>>, nowMs: number): Event[] {
  const events = DATES.flatMap(([attribute, past, future]) => {
    const atMs = millisecondsOf(dates[attribute])
    return atMs === undefined ? [] : [{ title: atMs <= nowMs ? past : future, atMs, isPast: atMs <= nowMs }]
  })
  const told = events.filter(
    ({ title, atMs }) => !ECHOES.has(title) || !events.some(other => !ECHOES.has(other.title) && other.atMs === atMs),
  )
  return told.sort((a, b) => a.atMs - b.atMs)
}

function millisecondsOf(value: unknown): number | undefined {
  if (typeof value === 'number' && value > 0) return value * 1000
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

/** The states that KMIP gives an object, with the tone of their mark. */
export const STATES: Readonly<Record<string, '' | 'good' | 'warn' | 'bad'>> = {
  'Pre-Active': '',
  Active: 'good',
  Deactivated: 'warn',
  Compromised: 'bad',
  Destroyed: '',
  'Destroyed Compromised': 'bad',
}
