import { vaultBoolean, vaultSeconds } from '../config/vault-values.ts'
import { ScopeError } from './error.ts'

const wrong = (field: string, value: unknown, wanted: string): ScopeError =>
  new ScopeError('invalid', `error converting input for field "${field}": ${JSON.stringify(value)} is not ${wanted}`)

/** @throws ScopeError `invalid`, as each function here */
export function booleanOf(field: string, value: unknown): boolean {
  const read = vaultBoolean(value)
  if (read === undefined) throw wrong(field, value, 'true or false')
  return read
}

export function integerOf(field: string, value: unknown): number {
  const read = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof read !== 'number' || !Number.isSafeInteger(read) || read < 0) throw wrong(field, value, 'a whole number')
  return read
}

export function textOf(field: string, value: unknown): string {
  if (typeof value !== 'string') throw wrong(field, value, 'text')
  return value.trim()
}

/** A list, or text with commas between its items. */
export function listOf(field: string, value: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [undefined]
  return items.flatMap(item => {
    if (typeof item !== 'string') throw wrong(field, value, 'a list of texts')
    return item.trim() === '' ? [] : [item.trim()]
  })
}

/** A duration in seconds: a number of them, or text such as `300`, `336h`, `1h30m` or `14d`. */
export function secondsOf(field: string, value: unknown): number {
  const seconds = vaultSeconds(value)
  if (seconds === undefined || seconds < 0) throw wrong(field, value, 'a duration such as 300 or 336h')
  return seconds
}

/** @throws ScopeError `invalid` unless it is letters, digits, `_`, `.` and `-`, and begins and ends with a letter, digit or `_` */
export function nameOf(what: 'scope' | 'role' | 'CA' | 'listener', value: string): string {
  if (!/^\w([\w.-]{0,126}\w)?$/.test(value))
    throw new ScopeError('invalid', `${JSON.stringify(value)} cannot name a ${what}: use at most 128 letters, digits, "_", "." and "-"`)
  return value
}
