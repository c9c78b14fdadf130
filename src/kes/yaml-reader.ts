import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { GO_UNITS, readDuration } from '../config/duration.ts'

/** What is wrong with a configuration file, and where. The texts are KES's where it has some. */
export class KesConfigError extends Error {
  override readonly name = 'KesConfigError'
  readonly code = 'kes_config'
}

/** The environment of the process. */
export type Environment = { readonly [name: string]: string | undefined }

const REFERENCE = /^\s*\$\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\s*$/

/**
 * A place in a configuration file. What is not there is absent; what is there in another form than wanted is refused. A text that is
 * nothing but `${NAME}` stands for the environment variable.
 */
export class Section {
  readonly #node: Node | undefined
  readonly #name: string
  readonly #file: File

  private constructor(node: Node | undefined, name: string, file: File) {
    this.#node = node
    this.#name = name
    this.#file = file
  }

  /** @throws KesConfigError */
  static parse(text: string, env: Environment): Section {
    const lines = new LineCounter()
    const document = parseDocument(text, { lineCounter: lines, version: '1.2', schema: 'core', uniqueKeys: true })
    const [error] = document.errors
    if (error) throw new KesConfigError(`yaml: line ${lines.linePos(error.pos[0]).line}: ${error.message.split('\n')[0] ?? ''}`)
    if (document.contents === null) throw new KesConfigError('the configuration file is empty')
    if (!isMap(document.contents)) throw new KesConfigError('yaml: the configuration file has to begin with names and values')
    return new Section(document.contents as Node, '', { env, lines, resolve: node => (isAlias(node) ? node.resolve(document) : node) })
  }

  get isThere(): boolean {
    return this.#node !== undefined && !(isScalar(this.#node) && this.#node.value === null)
  }

  get line(): number | undefined {
    const offset = this.#node?.range?.[0]
    return offset === undefined ? undefined : this.#file.lines.linePos(offset).line
  }

  /** Where it is, for people. */
  get where(): string {
    return this.line === undefined ? this.#name : `${this.#name} (line ${this.line})`
  }

  /** A part of a section; deeper by further names. */
  at(...names: readonly string[]): Section {
    let place: Section = this
    for (const name of names) {
      place = place.#child(place.#parts().get(name), name)
    }
    return place
  }

  /** The parts of a section by their names. */
  entries(): [name: string, section: Section][] {
    return [...this.#parts()].map(([name, value]) => [name, this.#child(value, name)])
  }

  /** The entries of a list. A single text is a list of one. */
  list(): Section[] {
    if (!this.isThere) return []
    if (isSeq(this.#node)) return this.#node.items.map((item, i) => this.#child(item, String(i)))
    if (isScalar(this.#node)) return [this]
    throw new KesConfigError(`${this.where} has to be a list`)
  }

  get isMap(): boolean {
    return isMap(this.#node)
  }

  /** A text as it stands there, `${NAME}` too. */
  raw(): string | undefined {
    if (!this.isThere) return undefined
    if (!isScalar(this.#node)) throw new KesConfigError(`${this.where} has to be a text`)
    // A number or a switch is meant as it was written.
    return this.#node.source ?? String(this.#node.value)
  }

  text(): string | undefined {
    const raw = this.raw()
    const name = raw === undefined ? undefined : REFERENCE.exec(raw)?.[1]
    if (name === undefined) return raw
    const value = this.#file.env[name]
    if (value === undefined) throw new KesConfigError(`kesconf: referenced env. variable '${name}' in line '${this.line}' not found`)
    return value
  }

  /** A text that is not empty. */
  filled(): string | undefined {
    return this.text() || undefined
  }

  /** @throws KesConfigError with `message` if there is none */
  required(message: string): string {
    const text = this.filled()
    if (text === undefined) throw new KesConfigError(message)
    return text
  }

  /** `on`, `true` and `yes`, or the opposite. */
  flag(): boolean | undefined {
    const text = this.filled()?.toLowerCase()
    if (text === undefined) return undefined
    if (['on', 'true', 'yes'].includes(text)) return true
    if (['off', 'false', 'no'].includes(text)) return false
    throw new KesConfigError(`${this.where}: '${text}' is neither on nor off`)
  }

  /** A duration as Go writes it, in milliseconds. */
  duration(): number | undefined {
    const text = this.filled()
    if (text === undefined) return undefined
    const ms = readDuration(text, GO_UNITS)
    if (ms === undefined) throw new KesConfigError(`${this.where}: '${text}' is no duration such as 5m0s`)
    return ms
  }

  /** The parts by their names, those too that `<<` merges from other places: what stands here itself counts first, then the first place. */
  #parts(): Map<string, unknown> {
    const parts = new Map<string, unknown>()
    const seen = new Set<YAMLMap>()
    const collect = (map: YAMLMap): void => {
      if (seen.has(map)) return
      seen.add(map)
      const [merged, own] = [true, false].map(wanted => map.items.filter(({ key }) => isMerge(key) === wanted))
      for (const { key, value } of own ?? []) {
        const name = isScalar(key) ? String(key.value) : ''
        if (!parts.has(name)) parts.set(name, value)
      }
      for (const { value } of merged ?? [])
        for (const place of isSeq(value) ? value.items : [value]) {
          const node = this.#file.resolve(place as Node | undefined)
          if (!isMap(node)) throw new KesConfigError(`${this.where}: << has to name names and values, such as *base`)
          collect(node)
        }
    }
    const map = this.#map()
    if (map) collect(map)
    return parts
  }

  #map(): YAMLMap | undefined {
    if (!this.isThere) return undefined
    if (!isMap(this.#node)) throw new KesConfigError(`${this.where} has to be names and values`)
    return this.#node
  }

  #child(value: unknown, name: string): Section {
    const node = this.#file.resolve(value as Node | undefined)
    return new Section(node ?? undefined, this.#name === '' ? name : `${this.#name}.${name}`, this.#file)
  }
}

/** YAML 1.1's key for what is to be merged, which KES's reader knows. */
const isMerge = (key: unknown): boolean => isScalar(key) && key.value === '<<' && key.type === 'PLAIN'

interface File {
  readonly env: Environment
  readonly lines: LineCounter
  resolve(node: Node | undefined): Node | undefined
}
