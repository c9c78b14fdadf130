import { fromBase64 } from '../keystore/stored-key.ts'

/** What a body has to have of one field. */
type Kind = 'bytes' | 'text'
type Fields = { readonly [name: string]: Kind }
type Value<F extends Fields> = { readonly [name in keyof F]?: F[name] extends 'bytes' ? Buffer : string }

/**
 * Read the JSON object that a body begins with, as Go does: what follows it is ignored, so are unknown fields, null counts as absent, and
 * names are compared without regard to case.
 * @returns nothing if it is no such object, or a field is not of its kind
 */
export function readFields<const F extends Fields>(body: Buffer, fields: F): Value<F> | undefined {
  const value = firstValue(body.toString('utf8'))
  return value === null ? {} : value === undefined ? undefined : fieldsOf(value, fields)
}

/** The same of an array of objects. */
export function readList<const F extends Fields>(body: Buffer, fields: F): Value<F>[] | undefined {
  const value = firstValue(body.toString('utf8'))
  if (!Array.isArray(value)) return undefined
  const list: Value<F>[] = []
  for (const entry of value) {
    const read = fieldsOf(entry, fields)
    if (read === undefined) return undefined
    list.push(read)
  }
  return list
}

function fieldsOf<const F extends Fields>(value: unknown, fields: F): Value<F> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const found: { [name: string]: Buffer | string } = {}
  for (const [name, field] of Object.entries(value)) {
    const known = Object.hasOwn(fields, name) ? name : name.toLowerCase()
    if (!Object.hasOwn(fields, known) || field === null) continue
    if (typeof field !== 'string') return undefined
    const read = fields[known] === 'bytes' ? fromBase64(field) : field
    if (read === undefined) return undefined
    found[known] = read
  }
  // The loop gave each name the kind that `fields` says.
  return found as Value<F>
}

/** @returns nothing if the text does not begin with a JSON value */
function firstValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  const end = endOfValue(text)
  if (end === undefined) return undefined
  try {
    return JSON.parse(text.slice(0, end))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Where the object or array that a text begins with ends. */
function endOfValue(text: string): number | undefined {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (inString) {
      if (char === '\\') i++
      else if (char === '"') inString = false
    } else if (char === '"') inString = true
    else if (char === '{' || char === '[') depth++
    else if ((char === '}' || char === ']') && --depth === 0) return i + 1
  }
  return undefined
}
