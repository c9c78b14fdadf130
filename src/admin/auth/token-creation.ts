import { AdminError } from '../error.ts'
import type { Fields, Values } from '../fields.ts'
import type { Answer, Call } from '../route.ts'
import { fitsGlob } from './globs.ts'
import type { Identities } from './identities.ts'
import { policyName } from './policies.ts'
import type { TokenRoleRow } from './rows.ts'
import { SERVICE, tighter, withDefault } from './token-settings.ts'
import type { Token } from './tokens.ts'

export const CREATE_FIELDS = {
  id: { type: 'string', description: 'The token itself; only with sudo. Left out, it is random.' },
  policies: { type: 'list', description: 'Its policies, of those of the token that makes it. Left out, all of them.' },
  meta: { type: 'pairs', description: 'Texts that the audit log shows with it.' },
  no_parent: { type: 'boolean', description: 'Make an orphan, which outlives the token that makes it; only with sudo.', default: false },
  no_default_policy: { type: 'boolean', description: 'Leave the policy default out.', default: false },
  renewable: { type: 'boolean', description: 'Whether it can be renewed.', default: true },
  ttl: { type: 'duration', description: 'How long it lives.' },
  lease: { type: 'duration', description: 'Older name of ttl.', deprecated: true },
  explicit_max_ttl: { type: 'duration', description: 'How long it lives at most, renewals included.' },
  display_name: { type: 'string', description: 'What it is called.' },
  num_uses: { type: 'integer', description: 'How often it may be used; 0: any number.', default: 0 },
  period: { type: 'duration', description: 'Renewal for this time again and again, without another bound; only with sudo.' },
  type: { type: 'string', description: 'Only service tokens are made.', allowed: ['', 'service', 'default'] },
  entity_alias: { type: 'string', description: 'Taken only when it is empty: there are no entities here.' },
} as const satisfies Fields

type Sent = Values<typeof CREATE_FIELDS>

export interface Making {
  /** The path has no parent for the token: `auth/token/create-orphan`. */
  readonly isOrphan: boolean
  readonly role?: TokenRoleRow | undefined
}

/** Make a token below that of the caller. @throws AdminError */
export async function createToken(identities: Identities, call: Call, fields: Sent, { isOrphan, role }: Making): Promise<Answer> {
  const parent = identities.tokenOf(call.caller)
  if (parent.row.uses > 0) throw new AdminError(400, 'restricted use token cannot generate child tokens')
  if (!SERVICE.has(fields.type ?? '')) throw new AdminError(400, 'only service tokens are made here')
  if ((fields.entity_alias ?? '') !== '') throw new AdminError(400, 'there are no entities here, so no entity alias')
  if ((fields.num_uses ?? 0) < 0) throw new AdminError(400, 'number of uses cannot be negative')
  const isSudo = await hasSudo(identities, parent, call.request.path)
  for (const [needs, what] of SUDO) if (needs(fields) && !isSudo) throw new AdminError(400, `root or sudo privileges required to ${what}`)
  const policies = role ? rolePolicies(role, parent, fields) : childPolicies(parent, isSudo, fields)
  const renewable = (fields.renewable ?? true) && (role?.renewable ?? true)
  const isChild = !(isOrphan || fields.no_parent || role?.orphan)
  const made = await identities.tokens.create({
    ...(isChild && { parent }),
    ...(isChild && { boundCidrs: parent.row.boundCidrs }),
    policies,
    path: role ? `auth/token/create/${role.name}${role.path_suffix === '' ? '' : `/${role.path_suffix}`}` : call.request.path,
    displayName: displayNameOf(fields.display_name),
    meta: fields.meta ?? null,
    ttlSeconds: fields.ttl ?? fields.lease ?? 0,
    explicitMaxSeconds: tighter(role?.token_explicit_max_ttl ?? 0, fields.explicit_max_ttl ?? 0),
    periodSeconds: tighter(role?.token_period ?? 0, fields.period ?? 0),
    uses: tighter(role?.token_num_uses ?? 0, fields.num_uses ?? 0),
    renewable,
    ...(role && { role: role.name, boundCidrs: role.token_bound_cidrs }),
    ...(fields.id !== undefined && fields.id !== '' && { secret: tokenId(fields.id) }),
    mayLast: parent.row.policies.includes('root') && parent.row.expiresMs === undefined,
  })
  return { auth: identities.authOf(made), warnings: made.warnings }
}

/** What only sudo may ask for. */
const SUDO: readonly (readonly [needs: (fields: Sent) => boolean, what: string])[] = [
  [({ id }) => id !== undefined && id !== '', 'specify token id'],
  [({ no_parent }) => no_parent === true, 'create orphan token'],
  [({ period }) => period !== undefined && period > 0, 'create periodic token'],
]

const hasSudo = async ({ policies }: Identities, { row }: Token, path: string): Promise<boolean> =>
  (await policies.acl(row.policies)).isSudo(path)

/** Shorter ones could be guessed. */
const MIN_ID = 16
function tokenId(id: string): string {
  if (!/^[\w-]+$/.test(id) || id.length < MIN_ID)
    throw new AdminError(400, `a token id has at least ${MIN_ID} letters, digits, "_" and "-"; leave it out for a random one`)
  return id
}

function childPolicies(parent: Token, isSudo: boolean, fields: Sent): readonly string[] {
  const own = parent.row.policies
  const asked = (fields.policies ?? []).map(policyName)
  // Without sudo nobody gives away even default, unless he has it.
  const isWithout = fields.no_default_policy === true || !(own.includes('default') || (isSudo && asked.length > 0))
  // Those of the parent, when nothing is said.
  if (asked.length === 0)
    return own.includes('root')
      ? ['root']
      : withDefault(
          own.filter(name => name !== 'default'),
          isWithout,
        )
  if (asked.includes('root')) {
    if (!own.includes('root')) throw new AdminError(400, 'root tokens may not be created without parent token being root')
    return ['root']
  }
  if (!isSudo && !asked.every(name => own.includes(name))) throw new AdminError(400, 'child policies must be subset of parent')
  return withDefault(asked, isWithout)
}

function rolePolicies(role: TokenRoleRow, parent: Token, fields: Sent): readonly string[] {
  const { allowed_policies, allowed_policies_glob = [], disallowed_policies, disallowed_policies_glob = [] } = role
  const isDisallowed = (name: string): boolean => disallowed_policies.includes(name) || fitsGlob(disallowed_policies_glob, name)
  const asked = (fields.policies ?? []).map(policyName)
  const isBounded = allowed_policies.length > 0 || allowed_policies_glob.length > 0
  const usual = isBounded ? allowed_policies : parent.row.policies.filter(name => name !== 'root')
  const own = parent.row.policies
  const givesDefault = isBounded || disallowed_policies.length > 0 || own.includes('default') || own.includes('root')
  const isWithout = role.token_no_default_policy || fields.no_default_policy === true || isDisallowed('default') || !givesDefault
  const policies = withDefault(asked.length > 0 ? asked : usual, isWithout)
  if (policies.includes('root')) throw new AdminError(400, 'root tokens may not be created by a role')
  const wrong = policies.find(isDisallowed)
  if (wrong !== undefined) throw new AdminError(400, `token policy ${JSON.stringify(wrong)} is disallowed by this role`)
  const allowed = new Set([...usual, 'default'])
  const strange = isBounded ? policies.find(name => !allowed.has(name) && !fitsGlob(allowed_policies_glob, name)) : undefined
  if (strange !== undefined)
    throw new AdminError(400, `token policy ${JSON.stringify(strange)} is not among those that role ${role.name} allows`)
  if (!isBounded && !own.includes('root') && !asked.every(name => own.includes(name)))
    throw new AdminError(400, `child policies must be subset of parent`)
  return policies
}

const displayNameOf = (name: string | undefined): string =>
  name === undefined || name === '' ? 'token' : `token-${name.replace(/[^A-Za-z0-9-]+/g, '-').replace(/^-+|-+$/g, '')}`.slice(0, 128)
