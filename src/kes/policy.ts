/** A rule: a path, or, if it ends in `*`, how paths begin. */
export interface Rule {
  readonly pattern: string
  /** Of the configuration file. */
  readonly line?: number
}

export interface Policy {
  readonly name: string
  readonly allow: readonly Rule[]
  readonly deny: readonly Rule[]
}

export type Verdict = { readonly allowed: true; readonly rule: Rule } | { readonly allowed: false; readonly rule?: Rule }

const matches = (pattern: string, path: string): boolean =>
  pattern.endsWith('*') ? path.length >= pattern.length - 1 && path.startsWith(pattern.slice(0, -1)) : path === pattern

/** Paths of older releases, and those that do the same today. */
const TODAY: readonly (readonly [old: string, today: string])[] = [
  ['/v1/key/bulk/decrypt/', '/v1/key/decrypt/'],
  ['/v1/log/audit/trace', '/v1/log/audit'],
  ['/v1/log/error/trace', '/v1/log/error'],
]

/** The paths that deny rules count for: what is denied by today's name is not to be had by that of an older release, which KES does not know. */
function deniable(path: string): readonly string[] {
  const row = TODAY.find(([old]) => path.startsWith(old))
  return row ? [path, row[1] + path.slice(row[0].length)] : [path]
}

/** A policy made ready: deny rules count first, then allow rules, and what nothing matches is denied. */
export class CompiledPolicy {
  readonly policy: Policy
  readonly #deny: Matcher
  readonly #allow: Matcher
  constructor(policy: Policy) {
    this.policy = policy
    this.#deny = new Matcher(policy.deny)
    this.#allow = new Matcher(policy.allow)
  }

  allows(path: string): boolean {
    return this.#allow.matches(path) && !deniable(path).some(path => this.#deny.matches(path))
  }

  /** The same with the rule that decides it. */
  explain(path: string): Verdict {
    const paths = deniable(path)
    const denying = this.policy.deny.find(({ pattern }) => paths.some(path => matches(pattern, path)))
    if (denying) return { allowed: false, rule: denying }
    const allowing = this.policy.allow.find(({ pattern }) => matches(pattern, path))
    return allowing ? { allowed: true, rule: allowing } : { allowed: false }
  }
}

class Matcher {
  readonly #exact: ReadonlySet<string>
  readonly #prefixes: readonly string[]
  constructor(rules: readonly Rule[]) {
    this.#exact = new Set(rules.filter(({ pattern }) => !pattern.endsWith('*')).map(({ pattern }) => pattern))
    this.#prefixes = rules.filter(({ pattern }) => pattern.endsWith('*')).map(({ pattern }) => pattern.slice(0, -1))
  }
  matches(path: string): boolean {
    for (const prefix of this.#prefixes) if (path.startsWith(prefix)) return true
    return this.#exact.has(path)
  }
}

const LIST_WITHOUT_PATTERN = /^\/v1\/(?:key|policy|identity)\/list\/?$/

/**
 * What is odd about a rule: it never matches, or matches more than it did in releases before 2023-10-24, whose rules were globs.
 * @param paths of all routes; one that takes a name ends in `/`
 */
export function oddityOf(pattern: string, paths: readonly string[]): string | undefined {
  const isPrefix = pattern.endsWith('*')
  const literal = isPrefix ? pattern.slice(0, -1) : pattern
  if (/[*?]|\[.*\]/.test(literal))
    return `never matches: * stands for the rest of a path and only at the end of a rule (before 2023-10-24 rules were globs); write a rule for each path`
  const reached = paths.filter(
    path => (path.endsWith('/') ? literal.startsWith(path) : literal === path) || (isPrefix && path.startsWith(literal)),
  )
  if (LIST_WITHOUT_PATTERN.test(pattern)) return `allows no listing by a pattern: write ${pattern.replace(/\/$/, '')}/*`
  if (reached.length === 0) return 'never matches: there is no such path'
  if (!isPrefix && reached.every(path => path.endsWith('/') && literal === path)) return `never matches a name: write ${pattern}*`
  const routes = reached.filter(path => path.length > literal.length)
  if (isPrefix && literal.split('/').length > 2 && routes.length > 1 && literal !== '/')
    return `matches all of ${routes.length} paths and what is below them: before 2023-10-24 * stopped at a slash`
  return undefined
}
