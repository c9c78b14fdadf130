import { vaultBoolean, vaultSeconds } from '../config/vault-values.ts'
import { AdminError } from './error.ts'

/** What a handler gets for each type of field. */
export interface FieldTypes {
  readonly string: string
  readonly boolean: boolean
  readonly integer: number
  /** Seconds. */
  readonly duration: number
  readonly list: readonly string[]
  /** Keys with texts; also written as a list of `key=value`. */
  readonly pairs: Readonly<Record<string, string>>
  readonly object: Readonly<Record<string, unknown>>
  readonly any: unknown
}

/** One parameter of a route: a row from which the reading, `?help=1` and the OpenAPI document are made. */
export interface Field {
  readonly type: keyof FieldTypes
  readonly description: string
  /** Value that counts when it is absent, for the documents; the handler applies it. */
  readonly default?: unknown
  readonly required?: boolean
  /** The only values of a text, for the documents; the handler checks. */
  readonly allowed?: readonly string[]
  readonly deprecated?: boolean
}
export type Fields = Readonly<Record<string, Field>>

/** Those fields that were sent and are not null, by their types. */
export type Values<F extends Fields> = { readonly [name in keyof F]?: FieldTypes[F[name]['type']] }

// What does not fit is refused with the error texts of Go's readers.

class Unfit extends Error {
  override readonly name = 'Unfit'
}

const kindOf = (value: unknown): string =>
  Array.isArray(value) ? '[]interface {}' : typeof value === 'object' ? 'map[string]interface {}' : typeof value
const unconvertible = (type: string, value: unknown): Unfit =>
  new Unfit(`'' expected type '${type}', got unconvertible type '${kindOf(value)}'`)

function booleanOf(value: unknown): boolean {
  const read = vaultBoolean(value)
  if (read !== undefined) return read
  if (typeof value !== 'string') throw unconvertible('bool', value)
  throw new Unfit(`cannot parse '' as bool: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`)
}

function integerOf(value: unknown): number {
  if (typeof value === 'boolean') return Number(value)
  const read = typeof value === 'string' ? numberIn(value) : value
  if (typeof read !== 'number') throw unconvertible('int', value)
  if (!Number.isSafeInteger(read)) throw new Unfit(`cannot parse '' as int: ${JSON.stringify(value)} is not a whole number in range`)
  return read
}

function numberIn(text: string): number {
  if (text === '') return 0
  if (!/^[+-]?\d{1,19}$/.test(text))
    throw new Unfit(`cannot parse '' as int: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

function stringOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  throw unconvertible('string', value)
}

function durationOf(value: unknown): number {
  const seconds = vaultSeconds(value)
  if (seconds === undefined) throw new Unfit(`time: invalid duration ${JSON.stringify(value)}`)
  if (seconds < 0) throw new Unfit(`cannot provide negative value '${seconds}'`)
  return seconds
}

function listOf(value: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [value]
  return items.map(item => stringOf(item).trim()).filter(item => item !== '')
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  let read = value
  if (typeof value === 'string')
    try {
      read = JSON.parse(value)
    } catch (cause) {
      if (cause instanceof SyntaxError) throw unconvertible('map[string]interface {}', value)
      throw cause
    }
  if (!isObject(read)) throw unconvertible('map[string]interface {}', value)
  return read
}

function pairsOf(value: unknown): Readonly<Record<string, string>> {
  const isList = Array.isArray(value) || (typeof value === 'string' && !value.trimStart().startsWith('{'))
  if (!isList) return Object.fromEntries(Object.entries(objectOf(value)).map(([key, item]) => [key, stringOf(item)]))
  return Object.fromEntries(
    listOf(value).map(item => {
      const at = item.indexOf('=')
      if (at < 1) throw new Unfit(`invalid key pair ${JSON.stringify(item)}`)
      return [item.slice(0, at).trim(), item.slice(at + 1).trim()]
    }),
  )
}

const READERS: { readonly [type in keyof FieldTypes]: (value: unknown) => FieldTypes[type] } = {
  string: stringOf,
  boolean: booleanOf,
  integer: integerOf,
  duration: durationOf,
  list: listOf,
  pairs: pairsOf,
  object: objectOf,
  any: value => value,
}

/**
 * Read what was sent by the rows of the fields; null is as absent, and what no row names is left out.
 * @throws AdminError 400 with Vault's text
 */
export function readFields<F extends Fields>(fields: F, data: Readonly<Record<string, unknown>>): Values<F> {
  const read: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const value = Object.hasOwn(data, name) ? data[name] : undefined
    if (value === undefined || value === null) continue
    try {
      read[name] = READERS[field.type](value)
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      throw new AdminError(400, `Field validation failed: error converting input for field ${JSON.stringify(name)}: ${error.message}`)
    }
  }
  return read as Values<F>
}
