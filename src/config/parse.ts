import { isAbsolute, resolve } from 'node:path'
import { isMap, isScalar, LineCounter, type Node, parseDocument, parse as parseYaml, type Scalar, visit } from 'yaml'
import type { z } from 'zod'
import { settings } from './describe.ts'
import { ConfigError, type Problem } from './error.ts'
import { nearest } from './nearest.ts'
import { neededForProcesses } from './processes.ts'
import { expand, hasReference, type Sources, UnresolvedError } from './references.ts'
import { Config } from './schema.ts'
import { sealsOf, vaultFiles } from './vault-schema.ts'

type Path = readonly (string | number)[]

/**
 * Read a configuration.
 * @param text  YAML 1.2; empty: everything at its default
 * @param file  its name: relative names in it stand in its directory, and errors begin with it
 * @returns a configuration whose file names are absolute
 * @throws ConfigError with all problems that were found, each with line and column
 */
export function parseConfig(text: string, file: string, sources: Sources): Config {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const problems: Problem[] = document.errors.map(error => ({ path: '', ...place(error.pos[0]), message: firstLine(error.message) }))
  if (problems.length > 0) throw new ConfigError(file, problems)
  if (document.contents !== null && !isMap(document.contents))
    throw new ConfigError(file, [{ path: '', ...place(0), message: 'write settings as `key: value` lines' }])

  checkAliases()
  expandReferences()
  if (problems.length === 0) readSecrets()
  if (problems.length > 0) throw new ConfigError(file, problems)
  const { data, error } = Config.safeParse(unfolded() ?? {})
  if (error !== undefined)
    throw new ConfigError(
      file,
      error.issues.flatMap(issue => explain(issue)),
    )
  const config = located(data, file, document.has('seal'))
  const needed = config.workers === 'auto' || config.workers === 1 ? undefined : neededForProcesses(config)
  if (needed !== undefined)
    throw new ConfigError(file, [{ path: 'workers', ...where(['workers']), message: `${config.workers} needs ${needed}: write 1` }])
  return config

  function place(offset: number): { line: number; column: number } {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }

  function checkAliases(): void {
    visit(document, {
      Alias(_key, node) {
        if (node.resolve(document) !== undefined) return
        problems.push({ path: '', ...place(node.range?.[0] ?? 0), message: `no anchor &${node.source} stands before this alias` })
      },
    })
  }

  function unfolded(): unknown {
    try {
      return document.toJS()
    } catch (cause) {
      if (!(cause instanceof ReferenceError)) throw cause
      throw new ConfigError(
        file,
        [{ path: '', line: 0, column: 0, message: 'aliases of aliases make it too large: write out what they name' }],
        { cause },
      )
    }
  }

  function expandReferences(): void {
    eachText((text, _path, node) => {
      if (hasReference(text)) node.value = retyped(node, expand(text, sources.env))
    })
  }

  /** Their files stand in `dataDir` like all others. */
  function readSecrets(): void {
    const secrets = new Set(settings().flatMap(({ path, secret, later }) => (secret && !later ? [path] : [])))
    const dataDir = document.get('dataDir')
    const base = resolve(file, '..', typeof dataDir === 'string' ? dataDir : '.')
    eachText((text, path, node) => {
      if (secrets.has(path.replace(/\[\d+\]/g, '[]'))) node.value = secretText(text, base, sources)
    })
  }

  function eachText(act: (text: string, path: string, node: Scalar) => void): void {
    visit(document, {
      Scalar(key, node, ancestors) {
        if (key === 'key' || typeof node.value !== 'string') return
        const path = dotted(pathOf(ancestors, node))
        try {
          act(node.value, path, node)
        } catch (error) {
          if (!(error instanceof UnresolvedError)) throw error
          problems.push({ path, ...place(node.range?.[0] ?? 0), message: error.message })
        }
      },
    })
  }

  function explain(issue: z.core.$ZodIssue): Problem[] {
    const path = issue.path.filter(key => typeof key !== 'symbol')
    // What is wrong inside the one form that was meant says more than which forms there are.
    const meant =
      issue.code === 'invalid_union' ? issue.errors.find(form => form.length > 0 && form.every(inner => inner.path.length > 0)) : undefined
    if (meant !== undefined) return meant.flatMap(inner => explain({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue))
    if (issue.code !== 'unrecognized_keys') return [{ path: dotted(path), ...where(path), message: wording(issue, path) }]
    const known = settings().map(setting => setting.path)
    return issue.keys.map(key => {
      const full = dotted([...path, key])
      const message = `unknown setting; the nearest known one is ${nearest(full.replace(/\[\d+\]/g, '[]'), known)}`
      return { path: full, ...where([...path, key], true), message }
    })
  }

  function wording(issue: z.core.$ZodIssue, path: Path): string {
    const missing = document.getIn(path) === undefined
    if (issue.code === 'invalid_type') return missing ? 'is missing' : `must be ${article(issue.expected)}`
    if (issue.code === 'invalid_value') return `must be ${missing ? 'there, and ' : ''}one of ${issue.values.join(', ')}`
    if (issue.code === 'invalid_union') return `must be ${missing ? 'there, and ' : ''}one of ${kindsAt(path).join(', ')}`
    const isCounted = issue.code === 'too_small' || issue.code === 'too_big'
    if (isCounted && (issue.origin === 'number' || issue.origin === 'int'))
      return issue.code === 'too_small' ? `must be at least ${issue.minimum}` : `must be at most ${issue.maximum}`
    if (isCounted && issue.code === 'too_small' && issue.message.startsWith('Too small:')) return 'must not be empty'
    return issue.message
  }

  /** Where a setting stands, or the innermost section around it that is written. */
  function where(path: Path, wantKey = false): { line: number; column: number } {
    for (let depth = path.length; depth > 0; depth--) {
      const parent = document.getIn(path.slice(0, depth - 1), true)
      const key = path[depth - 1]
      if (isMap(parent) && (wantKey || depth < path.length)) {
        const pair = parent.items.find(({ key: written }) => isScalar(written) && String(written.value) === String(key))
        if (pair !== undefined) return place((pair.key as Scalar).range?.[0] ?? 0)
      }
      const node = document.getIn(path.slice(0, depth), true) as Node | undefined
      if (node?.range) return place(node.range[0])
    }
    return { line: 0, column: 0 }
  }
}

const firstLine = (text: string): string => text.split('\n', 1)[0]!

const article = (type: string): string =>
  ({ object: 'a section', array: 'a list', int: 'a whole number', number: 'a number', boolean: 'true or false', string: 'a text' })[type] ??
  type

/** Kinds that a section of several kinds can have, such as `sqlite` and `memory` at `store.kind`. */
function kindsAt(path: Path): string[] {
  const setting = settings().find(({ path: known }) => known === dotted(path).replace(/\[\d+\]/g, '[]'))
  return (setting?.type ?? '').replaceAll('`', '').split(' | ')
}

function dotted(path: Path): string {
  return path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`), '')
}

function pathOf(ancestors: readonly unknown[], node: unknown): Path {
  const path: (string | number)[] = []
  const chain = [...ancestors, node]
  for (const [depth, one] of chain.entries()) {
    const child = chain[depth + 1]
    if (typeof one !== 'object' || one === null || child === undefined) continue
    if ('key' in one && isScalar(one.key)) path.push(String(one.key.value))
    else if ('items' in one && !isMap(one) && Array.isArray(one.items)) path.push(one.items.indexOf(child))
  }
  return path
}

/** A number or truth value that stood unquoted as a reference becomes one; anything else stays a text, whatever it looks like. */
function retyped(node: Scalar, text: string): unknown {
  if (node.type !== 'PLAIN' || !/^(true|false|-?\d+(\.\d+)?)$/.test(text)) return text
  return parseYaml(text)
}

function secretText(text: string, base: string, sources: Sources): string {
  if (!text.startsWith('file:')) return text
  try {
    return sources.readFile(resolve(base, text.slice('file:'.length))).trim()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw new UnresolvedError(`the file that it names cannot be read (${code})`, { cause })
  }
}

/** The same configuration with absolute file names, and the block of MinIO KMS among the seals. */
function located({ hsm, ...config }: Config, file: string, isSealWritten: boolean): Config {
  const dataDir = resolve(file, '..', config.dataDir)
  const absolute = (name: string): string => (isAbsolute(name) ? name : resolve(dataDir, name))
  return {
    ...config,
    dataDir,
    store: locatedStore(config.store, absolute),
    seal: [...(isSealWritten || !hsm ? config.seal : []), ...(hsm ? sealsOf(hsm) : [])].map(entry => {
      if (entry.kind === 'vault') return vaultFiles(entry, absolute)
      return entry.kind === 'local' && entry.keyFile !== undefined ? { ...entry, keyFile: absolute(entry.keyFile) } : entry
    }),
    admin: { ...config.admin, tls: locatedTls(config.admin.tls, absolute) },
    ...(config.kes && { kes: { config: absolute(config.kes.config) } }),
    audit: config.audit.file === '-' ? config.audit : { ...config.audit, file: absolute(config.audit.file) },
  }
}

function locatedStore(store: Config['store'], absolute: (name: string) => string): Config['store'] {
  if (store.kind === 'sqlite') return { ...store, path: absolute(store.path) }
  return store.kind === 'vault' ? vaultFiles(store, absolute) : store
}
type AdminTls = Config['admin']['tls']
const locatedTls = (tls: AdminTls, absolute: (name: string) => string): AdminTls =>
  typeof tls === 'object' ? { certificate: absolute(tls.certificate), key: absolute(tls.key) } : tls
