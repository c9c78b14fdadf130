import { GO_UNITS, readDuration, type Unit } from './duration.ts'

// Values in fields of Vault's API. Command lines send each as text, other clients send JSON types: both are taken, as Vault does.

const UNITS: readonly Unit[] = [...GO_UNITS, 'd', 'w']

const BOOLEANS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...['1', 't', 'T', 'true', 'TRUE', 'True', true].map(value => [value, true] as const),
  ...['', '0', 'f', 'F', 'false', 'FALSE', 'False', false].map(value => [value, false] as const),
])

/** @returns nothing, if it is no boolean; a number is one, as in Go */
export const vaultBoolean = (value: unknown): boolean | undefined => (typeof value === 'number' ? value !== 0 : BOOLEANS.get(value))

/**
 * Seconds of a duration in a field of Vault's API: a number of them, or text such as `300`, `5m`, `1h30m` and `14d`; the empty text is 0.
 * @returns nothing, if it is none; whole seconds, which may be below 0
 */
export function vaultSeconds(value: unknown): number | undefined {
  const read = typeof value === 'string' ? textSeconds(value) : value
  if (typeof read !== 'number') return undefined
  const seconds = Math.trunc(read)
  return Number.isSafeInteger(seconds) ? seconds : undefined
}

function textSeconds(text: string): number | undefined {
  if (text === '' || /^-?\d{1,12}$/.test(text)) return Number(text)
  const ms = readDuration(text, UNITS)
  return ms === undefined ? undefined : ms / 1000
}
