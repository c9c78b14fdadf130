import { EncodingError } from './notation.ts'

/** JSON with objects as maps: no key of a hostile text can meet a prototype, and none is given twice. */
export type JsonValue = null | boolean | number | string | JsonValue[] | Map<string, JsonValue>

const SPACE = /[ \t\n\r]*/y
const WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/**
 * Read a JSON text. Stricter than JSON.parse, which lets the last of several equal keys win and knows no limit of depth.
 * @throws EncodingError
 * Spec: RFC 8259
 */
export function readJson(text: string, maxDepth: number): JsonValue {
  let at = 0
  const result = value(0)
  space()
  return at === text.length ? result : refuse('text after the end')

  function refuse(problem: string): never {
    throw new EncodingError(`malformed JSON: ${problem} at character ${at}`)
  }
  function space(): void {
    SPACE.lastIndex = at
    SPACE.exec(text)
    at = SPACE.lastIndex
  }
  /** The next character but space, which is passed if it is one of `expected`. */
  function pass(expected: string): string {
    space()
    const character = text[at] ?? ''
    if (character === '' || !expected.includes(character)) refuse(`expected ${[...expected].join(' or ')}`)
    at++
    return character
  }
  function isEnd(character: string): boolean {
    space()
    if (text[at] !== character) return false
    at++
    return true
  }
  function value(depth: number): JsonValue {
    if (depth > maxDepth) refuse(`nested deeper than ${maxDepth}`)
    space()
    if (text[at] === '{') return object(depth)
    if (text[at] === '[') return array(depth)
    if (text[at] === '"') return string()
    WORD.lastIndex = at
    const word = WORD.exec(text)?.[0] ?? refuse('expected a value')
    at += word.length
    return JSON.parse(word)
  }
  function object(depth: number): Map<string, JsonValue> {
    const entries = new Map<string, JsonValue>()
    at++
    if (isEnd('}')) return entries
    do {
      space()
      const key = string()
      if (entries.has(key)) refuse(`${key} is given twice`)
      pass(':')
      entries.set(key, value(depth + 1))
    } while (pass(',}') === ',')
    return entries
  }
  function array(depth: number): JsonValue[] {
    const values: JsonValue[] = []
    at++
    if (isEnd(']')) return values
    do values.push(value(depth + 1))
    while (pass(',]') === ',')
    return values
  }
  function string(): string {
    if (text[at] !== '"') refuse('expected a string')
    let end = at + 1
    for (; text[end] !== '"'; end++) {
      if (end >= text.length) refuse('a string without an end')
      if (text[end] === '\\') end++
    }
    const token = text.slice(at, end + 1)
    try {
      const parsed: string = JSON.parse(token)
      at = end + 1
      return parsed
    } catch {
      return refuse('a bad character in a string')
    }
  }
}
