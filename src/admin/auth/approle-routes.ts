import { randomUUID } from 'node:crypto'
import { AdminError } from '../error.ts'
import type { Fields, Values } from '../fields.ts'
import { type Answer, type Route, routeFor } from '../route.ts'
import { deleteRole, findRole, verifyAppRole, writeRole } from './approle.ts'
import { SECRET_ID, SECRET_ID_ROUTES } from './approle-secret-routes.ts'
import { type LoginContext, logIn } from './login.ts'
import type { AppRoleRow } from './rows.ts'
import { checkCidrs, mergeSettings, TOKEN_FIELDS } from './token-settings.ts'

const route = routeFor<LoginContext>()
const ROLE = { role_name: 'Name of the role.' }

const ROLE_FIELDS = {
  role_id: { type: 'string', description: 'What its clients name it by; left out, a random one.' },
  bind_secret_id: { type: 'boolean', description: 'Whether a login needs a secret-id.', default: true },
  secret_id_bound_cidrs: { type: 'list', description: 'Addresses or blocks that logins may come from.' },
  bound_cidr_list: { type: 'list', description: 'Older name of secret_id_bound_cidrs.', deprecated: true },
  secret_id_num_uses: { type: 'integer', description: 'How often a secret-id may be used; 0: any number.', default: 0 },
  secret_id_ttl: { type: 'duration', description: 'How long a secret-id is good; 0: until it is destroyed.', default: 0 },
  ...TOKEN_FIELDS,
} as const satisfies Fields

function mergedRole(mount: string, name: string, stored: AppRoleRow | undefined, fields: Values<typeof ROLE_FIELDS>): AppRoleRow {
  const { role_id, bind_secret_id, bound_cidr_list, secret_id_num_uses, secret_id_ttl, ...others } = fields
  const { secret_id_bound_cidrs = bound_cidr_list, ...settings } = others
  const row: AppRoleRow = {
    kind: 'approle',
    mount,
    name: name.toLowerCase(),
    roleId: role_id || (stored?.roleId ?? randomUUID()),
    bind_secret_id: bind_secret_id ?? stored?.bind_secret_id ?? true,
    secret_id_bound_cidrs: secret_id_bound_cidrs ?? stored?.secret_id_bound_cidrs ?? [],
    secret_id_num_uses: secret_id_num_uses ?? stored?.secret_id_num_uses ?? 0,
    secret_id_ttl: secret_id_ttl ?? stored?.secret_id_ttl ?? 0,
    settings: mergeSettings(stored?.settings, settings),
  }
  checkCidrs('secret_id_bound_cidrs', row.secret_id_bound_cidrs)
  if (row.secret_id_num_uses < 0) throw new AdminError(400, 'secret_id_num_uses cannot be negative')
  if (!row.bind_secret_id && row.secret_id_bound_cidrs.length === 0 && row.settings.token_bound_cidrs.length === 0)
    throw new AdminError(400, 'at least one constraint should be enabled on the role')
  return row
}

function roleData({ kind: _, mount: _mount, name: _name, roleId: _id, settings, ...rest }: AppRoleRow): Answer {
  return { data: { ...rest, ...settings, local_secret_ids: false } }
}

/** `auth/approle/`: programs that log in with a role-id and a secret-id. */
export const APPROLE_ROUTES: readonly Route<LoginContext>[] = [
  route({
    path: 'role',
    summary: 'List the roles.',
    actions: {
      list: {
        async run(_call, { identities, mount }) {
          const roles = await identities.store.list('approle', [`mount/${mount.uuid}`])
          return roles.length > 0 ? { data: { keys: roles.map(({ row }) => row.name).sort() } } : undefined
        },
      },
    },
  }),
  route({
    path: 'role/:role_name',
    summary: 'A role of programs, and what the tokens of its logins are like.',
    params: ROLE,
    caseless: true,
    fields: ROLE_FIELDS,
    exists: async ({ params }, context) => (await findRole(context, params.role_name)) !== undefined,
    actions: {
      read: {
        async run({ params }, context) {
          const role = await findRole(context, params.role_name)
          return role && roleData(role.row)
        },
      },
      write: {
        async run({ params, fields }, context) {
          await writeRole(context, params.role_name, stored => mergedRole(context.mount.uuid, params.role_name, stored, fields))
          return undefined
        },
        statuses: [204],
      },
      delete: {
        async run({ params }, context) {
          await deleteRole(context, params.role_name)
          return undefined
        },
      },
    },
  }),
  route({
    path: 'role/:role_name/role-id',
    summary: 'What the clients of a role name it by.',
    params: ROLE,
    caseless: true,
    fields: { role_id: ROLE_FIELDS.role_id },
    actions: {
      read: {
        async run({ params }, context) {
          const role = await findRole(context, params.role_name)
          return role && { data: { role_id: role.row.roleId } }
        },
      },
      write: {
        async run({ params, fields }, context) {
          const { role_id } = fields
          if (!role_id) throw new AdminError(400, 'missing role_id')
          const name = params.role_name
          await writeRole(context, name, stored => {
            if (!stored) throw new AdminError(404, `role ${JSON.stringify(name)} does not exist`)
            return { ...stored, roleId: role_id }
          })
          return undefined
        },
        statuses: [204],
      },
    },
  }),
  ...SECRET_ID_ROUTES,
  route({
    path: 'login',
    summary: 'Log in with a role-id and a secret-id.',
    access: 'open',
    fields: { role_id: { type: 'string', description: 'The role-id.', required: true }, secret_id: SECRET_ID.secret_id },
    actions: {
      write: {
        async run({ request, fields }, context) {
          const { role_id, secret_id } = fields
          if (!role_id) throw new AdminError(400, 'missing role_id')
          return logIn(context, request, role_id, () => verifyAppRole(context, request, role_id, secret_id))
        },
        statuses: [200],
      },
    },
  }),
]
