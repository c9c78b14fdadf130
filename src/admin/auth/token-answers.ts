import { AdminError } from '../error.ts'
import type { Answer } from '../route.ts'
import type { Identities } from './identities.ts'
import { renewalBounds } from './renewal.ts'
import type { Token } from './tokens.ts'

const isoTime = (ms: number): string => new Date(ms).toISOString()

/** What is known of a token, by Vault's names. @param id the token itself where who asks has it */
export function tokenData({ tokens }: Identities, { row }: Token, id: string): Readonly<Record<string, unknown>> {
  return {
    accessor: row.accessor,
    creation_time: Math.floor(row.createdMs / 1000),
    creation_ttl: row.creationTtlSeconds,
    display_name: row.displayName,
    entity_id: '',
    expire_time: row.expiresMs === undefined ? null : isoTime(row.expiresMs),
    explicit_max_ttl: row.explicitMaxSeconds,
    id,
    issue_time: isoTime(row.createdMs),
    ...(row.renewedMs !== undefined && { last_renewal: isoTime(row.renewedMs), last_renewal_time: Math.floor(row.renewedMs / 1000) }),
    meta: row.meta,
    num_uses: row.uses,
    orphan: row.parent === undefined,
    path: row.path,
    ...(row.periodSeconds > 0 && { period: row.periodSeconds }),
    policies: row.policies,
    renewable: row.renewable,
    ...(row.role !== undefined && { role: row.role }),
    ...(row.boundCidrs.length > 0 && { bound_cidrs: row.boundCidrs }),
    ttl: tokens.ttlOf(row),
    type: 'service',
  }
}

/** A token that somebody names. @throws AdminError 403 */
export async function named({ tokens }: Identities, secret: string | undefined, problem = 'bad token'): Promise<Token> {
  if (secret === undefined || secret === '') throw new AdminError(400, 'missing token ID')
  const token = await tokens.find(secret)
  if (!token) throw new AdminError(403, problem)
  return token
}

/** The same by its accessor. @throws AdminError 403 */
export async function namedByAccessor({ tokens }: Identities, accessor: string | undefined): Promise<Token> {
  if (accessor === undefined || accessor === '') throw new AdminError(400, 'missing accessor')
  const token = await tokens.findByAccessor(accessor)
  if (!token) throw new AdminError(403, 'invalid accessor')
  return token
}

export async function renewed(identities: Identities, token: Token, secret: string, increment = 0): Promise<Answer> {
  const { store, logins, tokens } = identities
  const after = await tokens.renew(token.id, increment, row => renewalBounds(store, logins, row))
  return { auth: identities.authOf({ secret, token: after }), warnings: after.warnings }
}
