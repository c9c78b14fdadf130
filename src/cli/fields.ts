import { UsageError } from './usage-error.ts'

/**
 * `FIELD=VALUE` words as an object.
 * @throws UsageError for a word that is not so written, or a field that stands there twice
 */
export function fieldsOf(words: readonly string[]): { readonly [field: string]: string } {
  const fields = new Map<string, string>()
  for (const word of words) {
    const [, field, value] = /^([A-Za-z0-9_]+)=(.*)$/s.exec(word) ?? []
    if (field === undefined || value === undefined) throw new UsageError(`write FIELD=VALUE instead of ${word}`)
    if (fields.has(field)) throw new UsageError(`${field} is written twice`)
    fields.set(field, value)
  }
  return Object.fromEntries(fields)
}

/** An object as lines of a table with two columns. */
export function tableOf(values: { readonly [field: string]: unknown }): string[] {
  const width = Math.max(0, ...Object.keys(values).map(field => field.length))
  return Object.entries(values).map(
    ([field, value]) => `${field.padEnd(width)}  ${Array.isArray(value) ? value.join(', ') : String(value)}`,
  )
}
