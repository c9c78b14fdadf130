import { vaultSeconds } from '../../config/vault-values.ts'
import { type HclEntry, HclError, type HclObject, type HclValue, isHclObject, parseHcl } from './hcl.ts'

export const CAPABILITIES = ['create', 'read', 'update', 'patch', 'delete', 'list', 'sudo', 'deny'] as const
export type Capability = (typeof CAPABILITIES)[number]

/** Values that a parameter may or may not have; none: any value. A text may begin or end with `*`. */
export type ParameterRules = ReadonlyMap<string, readonly unknown[]>

/** One `path` of a policy. */
export interface PathRule {
  /** Without a leading slash, `*` at its end included. */
  readonly path: string
  readonly capabilities: ReadonlySet<Capability>
  /** By the parameter's name in lower case. */
  readonly allowed: ParameterRules
  readonly denied: ParameterRules
  readonly required: readonly string[]
  /** Seconds; 0: no bound. */
  readonly minWrappingSeconds: number
  readonly maxWrappingSeconds: number
}

export interface Policy {
  readonly name: string
  readonly rules: readonly PathRule[]
}

/** A policy that cannot be read; the message says where. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  readonly code = 'policy'
}

/** What the old `policy = "…"` of a path stands for. */
const LEGACY: { readonly [policy: string]: readonly Capability[] } = {
  deny: ['deny'],
  read: ['read', 'list'],
  write: ['create', 'read', 'update', 'delete', 'list'],
  sudo: ['create', 'read', 'update', 'delete', 'list', 'sudo'],
}

type Draft = { -readonly [K in keyof PathRule]: PathRule[K] }
type ReadKey = (rule: Draft, entry: HclEntry) => void

/** Keys inside a path, and what each does. Others are refused: a restriction that is not understood must not be left out. */
const KEYS: { readonly [key: string]: ReadKey } = {
  policy(rule, entry) {
    const capabilities = LEGACY[textOf(entry)]
    if (!capabilities) throw wrong(entry, `invalid policy ${JSON.stringify(textOf(entry))}`)
    rule.capabilities = new Set([...rule.capabilities, ...capabilities])
  },
  capabilities(rule, entry) {
    const given = textsOf(entry).map(text => {
      const known = CAPABILITIES.find(capability => capability === text)
      if (!known) throw wrong(entry, `invalid capability ${JSON.stringify(text)}`)
      return known
    })
    rule.capabilities = new Set([...rule.capabilities, ...given])
  },
  allowed_parameters(rule, entry) {
    rule.allowed = bothOf(rule.allowed, parametersOf(entry, bothOf))
  },
  denied_parameters(rule, entry) {
    rule.denied = unionOf(rule.denied, parametersOf(entry, unionOf))
  },
  required_parameters(rule, entry) {
    rule.required = [...rule.required, ...textsOf(entry).map(text => text.toLowerCase())]
  },
  min_wrapping_ttl(rule, entry) {
    rule.minWrappingSeconds = secondsIn(entry)
  },
  max_wrapping_ttl(rule, entry) {
    rule.maxWrappingSeconds = secondsIn(entry)
  },
}

/**
 * Read a policy in Vault's HCL or JSON: `path "kmip/scope/+/role/*" { capabilities = ["read"] }`.
 * @param name of the policy
 * @throws PolicyError
 */
export function parsePolicy(name: string, text: string): Policy {
  let root: HclObject
  try {
    root = parseHcl(text)
  } catch (cause) {
    if (!(cause instanceof HclError)) throw cause
    throw new PolicyError(`failed to parse policy: ${cause.message}`, { cause })
  }
  const rules = root.entries.flatMap(entry => {
    if (entry.key === 'name') return []
    if (entry.key !== 'path') throw failed(`invalid key ${JSON.stringify(entry.key)} on line ${entry.line}`)
    return pathsOf(entry)
  })
  return { name, rules }
}

/** `path "a" { … }`, or as JSON has it `"path": { "a": { … } }`, also in a list. */
function pathsOf({ labels, value, line }: HclEntry): PathRule[] {
  if (labels.length === 1 && isHclObject(value)) return [ruleOf(labels[0]!, value, line)]
  const objects = Array.isArray(value) ? value : [value]
  return objects.flatMap((object: HclValue) => {
    if (labels.length > 0 || !isHclObject(object)) throw failed(`a path needs a name and a block on line ${line}`)
    return object.entries.map(entry => {
      if (entry.labels.length > 0 || !isHclObject(entry.value)) throw failed(`a path needs a block on line ${entry.line}`)
      return ruleOf(entry.key, entry.value, entry.line)
    })
  })
}

function ruleOf(written: string, block: HclObject, line: number): PathRule {
  const path = written.replace(/^\//, '')
  if (path.includes('+*')) throw failed(`path ${JSON.stringify(written)}: invalid use of wildcards ('+*' is forbidden) on line ${line}`)
  const rule: Draft = {
    ...{ path, capabilities: new Set<Capability>(), allowed: new Map(), denied: new Map(), required: [] },
    ...{ minWrappingSeconds: 0, maxWrappingSeconds: 0 },
  }
  for (const entry of block.entries) {
    const read = Object.hasOwn(KEYS, entry.key) ? KEYS[entry.key] : undefined
    if (!read) throw failed(`path ${JSON.stringify(written)}: invalid key ${JSON.stringify(entry.key)} on line ${entry.line}`)
    if (entry.labels.length > 0) throw wrong(entry, 'a label')
    read(rule, entry)
  }
  const { minWrappingSeconds: min, maxWrappingSeconds: max } = rule
  if (max !== 0 && max < min) throw failed(`path ${JSON.stringify(written)}: max_wrapping_ttl cannot be less than min_wrapping_ttl`)
  // Deny is alone.
  return rule.capabilities.has('deny') ? { ...rule, capabilities: new Set(['deny']) } : rule
}

const failed = (problem: string): PolicyError => new PolicyError(`failed to parse policy: ${problem}`)
const wrong = ({ key, line }: HclEntry, problem: string): PolicyError => failed(`${problem} in ${key} on line ${line}`)

function textOf(entry: HclEntry): string {
  if (typeof entry.value !== 'string') throw wrong(entry, 'a text is needed')
  return entry.value
}

function textsOf(entry: HclEntry): string[] {
  if (!Array.isArray(entry.value)) throw wrong(entry, 'a list of texts is needed')
  return entry.value.map((item: HclValue) => {
    if (typeof item !== 'string') throw wrong(entry, 'a list of texts is needed')
    return item
  })
}

/** @param join  puts together what stands twice, so that no restriction is left out */
function parametersOf(entry: HclEntry, join: typeof unionOf): ParameterRules {
  const objects: readonly HclValue[] = Array.isArray(entry.value) ? entry.value : [entry.value]
  if (objects.length === 0) throw wrong(entry, 'a block of parameters is needed')
  return objects
    .flatMap(object => {
      if (!isHclObject(object)) throw wrong(entry, 'a block of parameters is needed')
      return object.entries
    })
    .map(({ key, value, line }): ParameterRules => {
      if (!Array.isArray(value)) throw failed(`the values of ${key} must be a list on line ${line}`)
      return new Map([[key.toLowerCase(), value.map(plainOf)]])
    })
    .reduce(join, new Map())
}

/** Values of both; where one of them means every value, both do. */
export function unionOf(a: ParameterRules, b: ParameterRules): ParameterRules {
  const merged = new Map(a)
  for (const [name, values] of b) {
    const known = merged.get(name)
    merged.set(name, known === undefined ? values : known.length === 0 || values.length === 0 ? [] : [...known, ...values])
  }
  return merged
}

/** Values of both, and every value only where both mean that. */
function bothOf(a: ParameterRules, b: ParameterRules): ParameterRules {
  const merged = new Map(a)
  for (const [name, values] of b) merged.set(name, [...(merged.get(name) ?? []), ...values])
  return merged
}

/** As JSON has it, to be compared with what a request brings. */
const plainOf = (value: HclValue): unknown =>
  typeof value !== 'object' || value === null
    ? value
    : isHclObject(value)
      ? Object.fromEntries(value.entries.map(({ key, value }) => [key, plainOf(value)]))
      : value.map(plainOf)

function secondsIn(entry: HclEntry): number {
  const seconds = vaultSeconds(entry.value)
  if (seconds === undefined || seconds < 0) throw wrong(entry, 'a duration is needed')
  return seconds
}
