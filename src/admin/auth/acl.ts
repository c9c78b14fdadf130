import type { Operation } from '../route.ts'
import { CAPABILITIES, type Capability, type PathRule, type Policy, unionOf } from './policy.ts'

/** What is asked for, as far as a policy can say something about it. */
export interface Access {
  readonly operation: Operation
  /** Without `v1/` and without a leading slash. */
  readonly path: string
  /** Body and query; names that are allowed or denied are compared without regard to case. */
  readonly parameters: { readonly [name: string]: unknown }
  /** Seconds that were asked for by X-Vault-Wrap-TTL; absent: no wrapping. */
  readonly wrapSeconds?: number | undefined
}

interface Wildcard {
  readonly rule: PathRule
  readonly segments: readonly string[]
  readonly isPrefix: boolean
  /** Where the first `+`, or the `*`, stands. */
  readonly first: number
  readonly pluses: number
}

/** Operations whose parameters policies can bound. */
const BOUNDED: ReadonlySet<Operation> = new Set(['create', 'read', 'update', 'patch'])

/**
 * What a set of policies allows together. Vault's rules: the same path in several policies counts as one with the capabilities of all,
 * save that deny wins; of the paths that match a request the most exact one alone decides.
 */
export class Acl {
  /** The policy `root` is among them: everything is allowed. */
  readonly isRoot: boolean
  readonly #exact = new Map<string, PathRule>()
  readonly #prefixes = new Map<string, PathRule>()
  readonly #wildcards: Wildcard[] = []

  constructor(policies: readonly Policy[]) {
    this.isRoot = policies.some(({ name }) => name === 'root')
    const merged = new Map<string, PathRule>()
    for (const { rules } of policies)
      for (const rule of rules) {
        const known = merged.get(rule.path)
        merged.set(rule.path, known ? union(known, rule) : rule)
      }
    for (const [path, rule] of merged) {
      if (hasPlus(path)) this.#wildcards.push(wildcardOf(rule))
      else if (path.endsWith('*')) this.#prefixes.set(path.slice(0, -1), rule)
      else this.#exact.set(path, rule)
    }
  }

  /** Whether that may be done. */
  allows(access: Access): boolean {
    const { operation, path, wrapSeconds } = access
    if (this.isRoot || operation === 'help') return true
    const rule = this.#ruleFor(path, operation === 'list')
    if (!rule?.capabilities.has(operation)) return false
    const { minWrappingSeconds: min, maxWrappingSeconds: max } = rule
    if ((min > 0 || max > 0) && wrapSeconds === undefined) return false
    if (wrapSeconds !== undefined && (wrapSeconds < min || (max > 0 && wrapSeconds > max))) return false
    return !BOUNDED.has(operation) || parametersFit(rule, access.parameters)
  }

  /** Whether a rule stands against it by that very path: it denies, or names the path exactly and does not allow. */
  forbids(access: Access): boolean {
    const rule = this.#ruleFor(access.path, access.operation === 'list')
    const isMeant = rule !== undefined && (rule.capabilities.has('deny') || rule === this.#exact.get(access.path))
    return isMeant && !this.allows(access)
  }

  /** Whether paths that need more than ordinary rights may be used. */
  isSudo(path: string): boolean {
    return this.isRoot || this.#ruleFor(path, false)?.capabilities.has('sudo') === true
  }

  /** Whether anything at all may be done below a path, which ends with a slash. */
  reaches(place: string): boolean {
    if (this.isRoot) return true
    const parts = place.slice(0, -1).split('/')
    return (
      [...this.#exact].some(([path, rule]) => allowsSomething(rule) && `${path}/`.startsWith(place)) ||
      [...this.#prefixes].some(([path, rule]) => allowsSomething(rule) && (path.startsWith(place) || place.startsWith(path))) ||
      this.#wildcards.some(wildcard => allowsSomething(wildcard.rule) && leadsBelow(wildcard, parts))
    )
  }

  /** As `sys/capabilities` answers: sorted; `root`, or `deny` when nothing is allowed. */
  capabilities(path: string): readonly string[] {
    if (this.isRoot) return ['root']
    const found = this.#ruleFor(path.replace(/^\//, ''), path.endsWith('/'))?.capabilities ?? new Set<Capability>()
    return found.size === 0 || found.has('deny') ? ['deny'] : CAPABILITIES.filter(capability => found.has(capability)).sort()
  }

  /**
   * Lists are asked for with a slash at the end of their path. An exact rule without it means the list too, as in Vault; one with `+` means it
   * where it says list or deny, which Vault does not see.
   */
  #ruleFor(path: string, isList: boolean): PathRule | undefined {
    if (!isList) return this.#exact.get(path) ?? this.#best(path)
    const bare = path.replace(/\/$/, '')
    return this.#exact.get(`${bare}/`) ?? this.#exact.get(bare) ?? this.#best(`${bare}/`, bare)
  }

  /** The most exact of the paths with wildcards that match. @param list  the path without its slash, when a list is asked for */
  #best(path: string, list?: string): PathRule | undefined {
    let best = this.#longestPrefix(path)
    const [parts, listParts] = [path.split('/'), list?.split('/')]
    for (const wildcard of this.#wildcards) {
      const isMatch = matches(wildcard, parts) || (listParts !== undefined && namesList(wildcard) && matches(wildcard, listParts))
      if (isMatch && (best === undefined || rank(wildcard, best) > 0)) best = wildcard
    }
    return best?.rule
  }

  #longestPrefix(path: string): Wildcard | undefined {
    let found: Wildcard | undefined
    for (const [prefix, rule] of this.#prefixes)
      if (path.startsWith(prefix) && prefix.length >= (found?.first ?? 0))
        found = { rule, segments: [prefix], isPrefix: true, first: prefix.length, pluses: 0 }
    return found
  }
}

/** A `+` counts where it is a whole segment. */
const hasPlus = (path: string): boolean => path.split('/').includes('+')

function wildcardOf(rule: PathRule): Wildcard {
  const isPrefix = rule.path.endsWith('*')
  const segments = (isPrefix ? rule.path.slice(0, -1) : rule.path).split('/')
  return { rule, segments, isPrefix, first: rule.path.indexOf('+'), pluses: segments.filter(segment => segment === '+').length }
}

function matches({ segments, isPrefix }: Wildcard, parts: readonly string[]): boolean {
  if (isPrefix ? parts.length < segments.length : parts.length !== segments.length) return false
  return segments.every((segment, i) => {
    const part = parts[i]!
    return segment === '+' || segment === part || (isPrefix && i === segments.length - 1 && part.startsWith(segment))
  })
}

const allowsSomething = ({ capabilities }: PathRule): boolean => capabilities.size > 0 && !capabilities.has('deny')

/** Whether something below a path can match. */
function leadsBelow({ segments, isPrefix }: Wildcard, parts: readonly string[]): boolean {
  if (segments.length < parts.length && !isPrefix) return false
  return segments
    .slice(0, parts.length)
    .every(
      (segment, i) => segment === '+' || segment === parts[i] || (isPrefix && i === segments.length - 1 && parts[i]!.startsWith(segment)),
    )
}

const namesList = ({ rule, isPrefix }: Wildcard): boolean => !isPrefix && (rule.capabilities.has('list') || rule.capabilities.has('deny'))

/** Which of two matching paths is the more exact one: the first, if positive. */
function rank(a: Wildcard, b: Wildcard): number {
  const [pathA, pathB] = [a.rule.path, b.rule.path]
  return (
    a.first - b.first ||
    Number(b.isPrefix) - Number(a.isPrefix) ||
    b.pluses - a.pluses ||
    pathA.length - pathB.length ||
    (pathA < pathB ? -1 : Number(pathA > pathB))
  )
}

function union(a: PathRule, b: PathRule): PathRule {
  if (a.capabilities.has('deny')) return a
  if (b.capabilities.has('deny')) return b
  return {
    path: a.path,
    capabilities: new Set([...a.capabilities, ...b.capabilities]),
    allowed: unionOf(a.allowed, b.allowed),
    denied: unionOf(a.denied, b.denied),
    required: [...new Set([...a.required, ...b.required])],
    minWrappingSeconds: least(a.minWrappingSeconds, b.minWrappingSeconds),
    maxWrappingSeconds: least(a.maxWrappingSeconds, b.maxWrappingSeconds),
  }
}

const least = (a: number, b: number): number => (a === 0 || b === 0 ? a + b : Math.min(a, b))

function parametersFit(rule: PathRule, given: Access['parameters']): boolean {
  // In another case, or null, it is not there for who reads it.
  if (!rule.required.every(name => Object.hasOwn(given, name) && given[name] !== null)) return false
  const parameters = Object.entries(given).map(([name, value]) => [name.toLowerCase(), value] as const)
  if (parameters.length === 0) return true
  if (rule.denied.has('*')) return false
  if (parameters.some(([name, value]) => contains(rule.denied.get(name), value))) return false
  if (rule.allowed.size === 0) return true
  const others = rule.allowed.has('*')
  return parameters.every(([name, value]) => (rule.allowed.has(name) ? contains(rule.allowed.get(name), value) : others))
}

/** No values: every value is meant. */
const contains = (values: readonly unknown[] | undefined, value: unknown): boolean =>
  values !== undefined && (values.length === 0 || values.some(allowed => isMeant(allowed, value)))

// Command lines send every value as text and other clients send JSON types, so `true` and `"true"` are the same here.
const plain = (value: unknown): unknown => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value)

function isMeant(wanted: unknown, given: unknown): boolean {
  const [pattern, value] = [plain(wanted), plain(given)]
  if (typeof pattern !== 'string' || typeof value !== 'string') return JSON.stringify(pattern) === JSON.stringify(value)
  const [open, close] = [pattern.startsWith('*'), pattern.endsWith('*')]
  if (pattern === '*') return true
  if (open && close) return value.includes(pattern.slice(1, -1))
  if (open) return value.endsWith(pattern.slice(1))
  if (close) return value.startsWith(pattern.slice(0, -1))
  return pattern === value
}
