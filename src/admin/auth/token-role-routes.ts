import { AdminError } from '../error.ts'
import type { Fields, Values } from '../fields.ts'
import { type Route, routeFor } from '../route.ts'
import type { Identities } from './identities.ts'
import type { Stored } from './identity-store.ts'
import { policyName } from './policies.ts'
import type { TokenRoleRow } from './rows.ts'
import { checkCidrs, SERVICE } from './token-settings.ts'

const route = routeFor<Identities>()

const FIELDS = {
  allowed_policies: { type: 'list', description: 'Policies that its tokens may have; none: those of the token that asks.' },
  disallowed_policies: { type: 'list', description: 'Policies that they may not have.' },
  allowed_policies_glob: { type: 'list', description: 'The same as allowed_policies, with `*` for any letters.' },
  disallowed_policies_glob: { type: 'list', description: 'The same as disallowed_policies, with `*` for any letters.' },
  orphan: { type: 'boolean', description: 'Whether they are orphans.', default: false },
  renewable: { type: 'boolean', description: 'Whether they can be renewed.', default: true },
  path_suffix: { type: 'string', description: 'Stands at the end of their path.' },
  token_period: { type: 'duration', description: 'Renewal for this time again and again.' },
  token_explicit_max_ttl: { type: 'duration', description: 'How long they live at most.' },
  token_num_uses: { type: 'integer', description: 'How often they may be used; 0: any number.' },
  token_no_default_policy: { type: 'boolean', description: 'Leave the policy default out.', default: false },
  token_bound_cidrs: { type: 'list', description: 'Addresses or blocks that they may be used from.' },
  token_type: { type: 'string', description: 'Only service tokens are made.', allowed: ['service', 'default', 'default-service'] },
  period: { type: 'duration', description: 'Older name of token_period.', deprecated: true },
  explicit_max_ttl: { type: 'duration', description: 'Older name of token_explicit_max_ttl.', deprecated: true },
  bound_cidrs: { type: 'list', description: 'Older name of token_bound_cidrs.', deprecated: true },
} as const satisfies Fields

export const tokenRole = ({ store }: Identities, name: string): Promise<Stored<'token-role'> | undefined> => store.get('token-role', name)

const NEW: Omit<TokenRoleRow, 'kind' | 'name'> = {
  ...{
    allowed_policies: [],
    disallowed_policies: [],
    allowed_policies_glob: [],
    disallowed_policies_glob: [],
    orphan: false,
    renewable: true,
    path_suffix: '',
    token_period: 0,
  },
  ...{ token_explicit_max_ttl: 0, token_num_uses: 0, token_no_default_policy: false, token_bound_cidrs: [] },
}

export const tokenRoleRoutes: readonly Route<Identities>[] = [
  route({
    path: 'roles',
    summary: 'List the roles of tokens.',
    actions: {
      list: {
        async run(_call, { store }) {
          const keys = (await store.list('token-role')).map(({ row }) => row.name).sort()
          return keys.length > 0 ? { data: { keys } } : undefined
        },
      },
    },
  }),
  route({
    path: 'roles/:role_name',
    summary: 'What tokens are like that a role makes.',
    params: { role_name: 'Name of the role.' },
    fields: FIELDS,
    exists: async ({ params }, identities) => (await tokenRole(identities, params.role_name)) !== undefined,
    actions: {
      read: {
        async run({ params }, identities) {
          const role = await tokenRole(identities, params.role_name)
          if (!role) return undefined
          const { kind: _, ...data } = role.row
          return { data: { ...NEW, ...data, token_type: 'default-service' } }
        },
      },
      write: {
        async run({ params, fields }, { store }) {
          const name = params.role_name
          const id = store.id('token-role', name)
          await store.change(async () => {
            const stored = await store.at('token-role', id)
            const row: TokenRoleRow = { ...NEW, ...stored?.row, ...settingsIn(fields), kind: 'token-role', name }
            if (row.allowed_policies.includes('root')) throw new AdminError(400, 'the policy root cannot be given by a role')
            checkCidrs('token_bound_cidrs', row.token_bound_cidrs)
            return { writes: [{ id, expect: stored?.revision ?? 0, row }], result: undefined }
          })
          return undefined
        },
        statuses: [204],
      },
      delete: {
        async run({ params }, identities) {
          await identities.store.change(async () => {
            const role = await tokenRole(identities, params.role_name)
            return { writes: role ? [{ id: role.id, expect: role.revision }] : [], result: undefined }
          })
          return undefined
        },
      },
    },
  }),
]

/** What was sent, by today's names. @throws AdminError 400 */
function settingsIn({ token_type = '', period, explicit_max_ttl, bound_cidrs, ...fields }: Values<typeof FIELDS>): Partial<TokenRoleRow> {
  if (!SERVICE.has(token_type)) throw new AdminError(400, 'only service tokens are made here')
  const named = POLICY_FIELDS.flatMap(field => {
    const names = fields[field]
    return names ? [[field, names.map(policyName)] as const] : []
  })
  return {
    ...(period !== undefined && { token_period: period }),
    ...(explicit_max_ttl !== undefined && { token_explicit_max_ttl: explicit_max_ttl }),
    ...(bound_cidrs && { token_bound_cidrs: bound_cidrs }),
    ...fields,
    ...Object.fromEntries(named),
  }
}
const POLICY_FIELDS = ['allowed_policies', 'disallowed_policies', 'allowed_policies_glob', 'disallowed_policies_glob'] as const
