import { AdminError } from '../error.ts'
import type { Fields, Values } from '../fields.ts'
import { cidrOf } from './cidrs.ts'
import { policyName } from './policies.ts'
import type { TokenSettings } from './rows.ts'
import { MAX_TTL, type NewToken } from './tokens.ts'

/** What each login method lets one set about the tokens that it gives. */
export const TOKEN_FIELDS = {
  token_policies: { type: 'list', description: 'Policies of the tokens that a login gives.' },
  policies: { type: 'list', description: 'Older name of token_policies.', deprecated: true },
  ttl: { type: 'duration', description: 'Older name of token_ttl.', deprecated: true },
  lease: { type: 'duration', description: 'Older name of token_ttl.', deprecated: true },
  max_ttl: { type: 'duration', description: 'Older name of token_max_ttl.', deprecated: true },
  period: { type: 'duration', description: 'Older name of token_period.', deprecated: true },
  bound_cidrs: { type: 'list', description: 'Older name of token_bound_cidrs.', deprecated: true },
  token_ttl: { type: 'duration', description: 'How long such a token lives at first.', default: 0 },
  token_max_ttl: { type: 'duration', description: 'How long it lives at most, renewals included.', default: 0 },
  token_explicit_max_ttl: { type: 'duration', description: 'A bound that nothing lifts.', default: 0 },
  token_period: { type: 'duration', description: 'Renewal for this time again and again, without another bound.', default: 0 },
  token_num_uses: { type: 'integer', description: 'How often it may be used; 0: any number.', default: 0 },
  token_no_default_policy: { type: 'boolean', description: 'Leave the policy default out.', default: false },
  token_bound_cidrs: { type: 'list', description: 'Addresses or blocks that it may be used from.' },
  token_type: { type: 'string', description: 'Only service tokens are made.', allowed: ['service', 'default', 'default-service'] },
} as const satisfies Fields

/** Types of tokens that may be asked for. */
export const SERVICE: ReadonlySet<string> = new Set(['', 'service', 'default', 'default-service'])

const NONE: TokenSettings = {
  ...{ token_policies: [], token_ttl: 0, token_max_ttl: 0, token_explicit_max_ttl: 0, token_period: 0, token_num_uses: 0 },
  ...{ token_no_default_policy: false, token_bound_cidrs: [], token_type: 'default' },
}

/** Those that were sent over those that were stored. @throws AdminError 400 */
export function mergeSettings(stored: TokenSettings | undefined, sent: Values<typeof TOKEN_FIELDS>): TokenSettings {
  const { policies, token_policies = policies, ttl, lease, max_ttl, period, bound_cidrs, ...rest } = sent
  const before = stored ?? NONE
  const merged: TokenSettings = {
    token_policies: token_policies ? [...new Set(token_policies.map(policyName))] : before.token_policies,
    token_ttl: rest.token_ttl ?? ttl ?? lease ?? before.token_ttl,
    token_max_ttl: rest.token_max_ttl ?? max_ttl ?? before.token_max_ttl,
    token_explicit_max_ttl: rest.token_explicit_max_ttl ?? before.token_explicit_max_ttl,
    token_period: rest.token_period ?? period ?? before.token_period,
    token_num_uses: rest.token_num_uses ?? before.token_num_uses,
    token_no_default_policy: rest.token_no_default_policy ?? before.token_no_default_policy,
    token_bound_cidrs: rest.token_bound_cidrs ?? bound_cidrs ?? before.token_bound_cidrs,
    token_type: rest.token_type || before.token_type,
  }
  if (merged.token_policies.includes('root')) throw new AdminError(400, 'the policy root cannot be given by a login')
  if (!SERVICE.has(merged.token_type)) throw new AdminError(400, 'only service tokens are made here')
  if (merged.token_num_uses < 0) throw new AdminError(400, 'token_num_uses cannot be negative')
  if (merged.token_max_ttl > 0 && merged.token_ttl > merged.token_max_ttl)
    throw new AdminError(400, 'token_ttl should not be greater than token_max_ttl')
  checkCidrs('token_bound_cidrs', merged.token_bound_cidrs)
  return merged
}

/** @throws AdminError 400 */
export function checkCidrs(field: string, blocks: readonly string[]): void {
  const wrong = blocks.find(block => cidrOf(block) === undefined)
  if (wrong !== undefined) throw new AdminError(400, `${field}: ${JSON.stringify(wrong)} is neither an address nor a block`)
}

/** The tighter of two bounds, of which 0 is none. */
export const tighter = (a: number, b: number): number => (a === 0 || b === 0 ? a + b : Math.min(a, b))

/** How long a login's tokens live at most; the way to log in may let them live longer than others. */
export const maxTtlOf = ({ token_max_ttl }: TokenSettings, mountMaxSeconds: number): number =>
  tighter(token_max_ttl, mountMaxSeconds || MAX_TTL)

/** The period of a login's tokens, which is bounded by the same where somebody set it. */
export const periodOf = ({ token_period, token_max_ttl }: TokenSettings, mountMaxSeconds: number): number =>
  token_period === 0 ? 0 : tighter(token_period, tighter(token_max_ttl, mountMaxSeconds))

/** A login's token. */
export const loginToken = (
  settings: TokenSettings,
  who: Pick<NewToken, 'path' | 'displayName' | 'meta'> & { readonly ttlSeconds: number; readonly maxTtlSeconds: number },
): NewToken => ({
  ...who,
  policies: withDefault(settings.token_policies, settings.token_no_default_policy),
  ttlSeconds: settings.token_ttl || who.ttlSeconds,
  maxTtlSeconds: maxTtlOf(settings, who.maxTtlSeconds),
  explicitMaxSeconds: settings.token_explicit_max_ttl,
  periodSeconds: periodOf(settings, who.maxTtlSeconds),
  uses: settings.token_num_uses,
  boundCidrs: settings.token_bound_cidrs,
})

export const withDefault = (policies: readonly string[], isWithout: boolean): string[] =>
  [...new Set([...(isWithout ? [] : ['default']), ...policies])].sort()
