/** A text that is no HCL of the kind that policies are written in. `line` counts from 1. */
export class HclError extends Error {
  override readonly name = 'HclError'
  readonly code = 'hcl'
  readonly line: number
  constructor(problem: string, line: number) {
    super(`${problem} on line ${line}`)
    this.line = line
  }
}

export type HclValue = string | number | boolean | null | readonly HclValue[] | HclObject

/** One `key = value`, `key { … }` or `key "label" { … }`. */
export interface HclEntry {
  readonly key: string
  /** Of a block: `path "secret/*" { … }` has one. */
  readonly labels: readonly string[]
  readonly value: HclValue
  readonly line: number
}

/** Entries in the order of the text; a key may stand there several times. */
export interface HclObject {
  readonly entries: readonly HclEntry[]
}

// A list has a function of that name.
export const isHclObject = (value: HclValue): value is HclObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && 'entries' in value

type TokenKind = 'name' | 'text' | 'number' | 'mark' | 'end'
interface Token {
  readonly kind: TokenKind
  readonly text: string
  readonly line: number
}

/** Deeper nesting than a policy ever has. */
const MAX_DEPTH = 20
const ESCAPES: { readonly [letter: string]: string } = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f' }

const SPACE = /(?:[ \t\r\n\ufeff]|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y
/** Each kind of token with its form, tried in this order, and what it says. */
const LEXEMES: readonly (readonly [kind: TokenKind, form: RegExp, read: (match: RegExpExecArray, line: number) => string])[] = [
  ['number', /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![A-Za-z0-9_.])/y, match => match[0]],
  ['name', /[A-Za-z_][A-Za-z0-9_.-]*/y, match => match[0]],
  ['text', /"((?:[^"\\\n]|\\[^\n])*)"/y, (match, line) => unescaped(match[1]!, line)],
  // A heredoc; with a dash its lines lose their indentation.
  ['text', /<<(-?)([A-Za-z_]\w*)\r?\n([\s\S]*?)^[ \t]*\2[ \t]*$/my, ([, dash, , text]) => (dash ? text!.replace(/^[ \t]+/gm, '') : text!)],
  ['mark', /[{}[\]=:,]/y, match => match[0]],
]

/**
 * Read HCL as policies use it, or JSON, which is read as HCL with `:` for `=`. Interpolation, functions and expressions are not HCL of
 * that kind.
 * @throws HclError
 */
export function parseHcl(text: string): HclObject {
  const reader = new Reader(tokensOf(text))
  return reader.document()
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  let line = 1
  const take = (form: RegExp): RegExpExecArray | null => {
    form.lastIndex = at
    return form.exec(text)
  }
  const pass = ([whole]: RegExpExecArray): void => {
    at += whole.length
    line += linesIn(whole)
  }
  for (;;) {
    const space = take(SPACE)
    if (space) pass(space)
    if (at === text.length) break
    const token = firstOf(LEXEMES, ([kind, form, read]) => {
      const match = take(form)
      return match && { match, kind, text: read(match, line), line }
    })
    if (!token) throw new HclError(brokenAt(text, at), line)
    tokens.push({ kind: token.kind, text: token.text, line: token.line })
    pass(token.match)
  }
  tokens.push({ kind: 'end', text: 'end of the text', line })
  return tokens
}

function firstOf<T, U>(items: readonly T[], find: (item: T) => U | null): U | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== null) return found
  }
  return undefined
}

function brokenAt(text: string, at: number): string {
  if (text[at] === '"') return 'a text that does not end'
  if (text.startsWith('/*', at)) return 'a comment that does not end'
  return `unexpected ${JSON.stringify(text[at])}`
}

const linesIn = (text: string): number => text.split('\n').length - 1

function unescaped(text: string, line: number): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/g, (whole, what: string) => {
    if (what.length === 5) return String.fromCharCode(Number.parseInt(what.slice(1), 16))
    const value = ESCAPES[what]
    if (value === undefined) throw new HclError(`unknown escape ${whole} in a text`, line)
    return value
  })
}

class Reader {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  document(): HclObject {
    const isBraced = this.#takeMark('{')
    const entries = this.#entries(0)
    if (isBraced) this.#need('}')
    const rest = this.#next()
    if (rest.kind !== 'end') throw unexpected(rest, 'a key')
    return { entries }
  }

  #next(): Token {
    return this.#tokens[this.#at]!
  }

  #takeMark(...marks: readonly string[]): boolean {
    const { kind, text } = this.#next()
    if (kind !== 'mark' || !marks.includes(text)) return false
    this.#at++
    return true
  }

  #need(mark: string): void {
    if (!this.#takeMark(mark)) throw unexpected(this.#next(), mark)
  }

  #entries(depth: number): HclEntry[] {
    const entries: HclEntry[] = []
    while (this.#next().kind === 'name' || this.#next().kind === 'text') {
      const { text: key, line } = this.#next()
      this.#at++
      const labels: string[] = []
      for (; this.#next().kind === 'text'; this.#at++) labels.push(this.#next().text)
      if (labels.length === 0 && this.#takeMark('=', ':')) entries.push({ key, labels, value: this.#value(depth), line })
      else if (this.#next().kind === 'mark' && this.#next().text === '{') entries.push({ key, labels, value: this.#value(depth), line })
      else throw unexpected(this.#next(), labels.length === 0 ? '= or {' : '{')
      this.#takeMark(',')
    }
    return entries
  }

  #value(depth: number): HclValue {
    const token = this.#next()
    if (depth >= MAX_DEPTH) throw new HclError('nested too deeply', token.line)
    if (this.#takeMark('{')) {
      const entries = this.#entries(depth + 1)
      this.#need('}')
      return { entries }
    }
    if (this.#takeMark('[')) return this.#list(depth + 1)
    this.#at++
    if (token.kind === 'text') return token.text
    if (token.kind === 'number') return Number(token.text)
    if (token.kind === 'name' && LITERALS.has(token.text)) return LITERALS.get(token.text)!
    throw unexpected(token, 'a value')
  }

  #list(depth: number): HclValue[] {
    const items: HclValue[] = []
    while (!this.#takeMark(']')) {
      items.push(this.#value(depth))
      if (!this.#takeMark(',')) {
        this.#need(']')
        break
      }
    }
    return items
  }
}

const LITERALS: ReadonlyMap<string, HclValue> = new Map<string, HclValue>([
  ['true', true],
  ['false', false],
  ['null', null],
])

const unexpected = ({ kind, text, line }: Token, wanted: string): HclError =>
  new HclError(`${kind === 'end' ? text : `unexpected ${JSON.stringify(text)}`} where ${wanted} was expected`, line)
