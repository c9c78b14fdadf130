import { ScopeError } from './error.ts'
import type { LimitValues, RoleRow, ScopeRow } from './rows.ts'

/** A rate that requests share. */
export interface Rate {
  /** Whose it is, the same for all who share it. */
  readonly key: string
  /** For people. */
  readonly of: string
  readonly perSecond: number
  readonly burst: number
}

/** What a client may use, by its scope and its role. */
export interface ClientLimits {
  readonly rates: readonly Rate[]
  readonly maxObjects?: number
}

/** Some limits in place of stored ones; 0 takes one away. @throws ScopeError `invalid` */
export function mergeLimits(stored: LimitValues | undefined, changes: LimitValues): LimitValues | undefined {
  for (const [name, value] of Object.entries(changes))
    if (!Number.isSafeInteger(value) || value < 0) throw new ScopeError('invalid', `${name} must be a whole number`)
  const merged = Object.fromEntries(Object.entries({ ...stored, ...changes }).filter(([, value]) => value > 0))
  return Object.keys(merged).length > 0 ? merged : undefined
}

const rateOf = (key: string, of: string, limits: LimitValues | undefined): Rate[] =>
  limits?.requestsPerSecond === undefined
    ? []
    : [{ key, of, perSecond: limits.requestsPerSecond, burst: Math.max(limits.burst ?? limits.requestsPerSecond, 1) }]

/** @param partition of the scope's objects, which no other scope of any engine has */
export function limitsOf(partition: string, scope: ScopeRow, role: RoleRow): ClientLimits | undefined {
  if (!scope.limits && !role.limits) return undefined
  const rates = [
    ...rateOf(partition, `scope ${scope.name}`, scope.limits),
    ...rateOf(`${partition}/${role.id}`, `role ${role.name} of scope ${scope.name}`, role.limits),
  ]
  const { maxObjects } = scope.limits ?? {}
  return { rates, ...(maxObjects !== undefined && { maxObjects }) }
}
