import { AdminError } from '../error.ts'
import type { Fields, Values } from '../fields.ts'
import { type Answer, type Route, routeFor } from '../route.ts'
import { findSecretId, neededRole, newSecretId, secretIdsOf } from './approle.ts'
import type { Stored } from './identity-store.ts'
import type { LoginContext } from './login.ts'

const route = routeFor<LoginContext>()
const ROLE = { role_name: 'Name of the role.' }

const SECRET_FIELDS = {
  metadata: { type: 'pairs', description: 'Texts that go into the tokens of its logins.' },
  cidr_list: { type: 'list', description: 'Addresses or blocks that its logins may come from.' },
  token_bound_cidrs: { type: 'list', description: 'Addresses or blocks that the tokens of its logins may be used from.' },
  num_uses: { type: 'integer', description: 'How often it may be used; left out, as its role says.' },
  ttl: { type: 'duration', description: 'How long it is good; left out, as its role says.' },
} as const satisfies Fields

export const SECRET_ID = { secret_id: { type: 'string', description: 'The secret-id.', required: true } } as const satisfies Fields
const ACCESSOR = {
  secret_id_accessor: { type: 'string', description: 'Accessor of the secret-id.', required: true },
} as const satisfies Fields

const secretData = ({ row }: Stored<'secret-id'>): Answer => ({
  data: {
    secret_id_accessor: row.accessor,
    secret_id_num_uses: row.uses,
    secret_id_ttl: row.ttlSeconds,
    creation_time: new Date(row.createdMs).toISOString(),
    expiration_time: row.expiresMs === undefined ? '0001-01-01T00:00:00Z' : new Date(row.expiresMs).toISOString(),
    cidr_list: row.cidrs,
    token_bound_cidrs: row.tokenCidrs,
    metadata: row.metadata,
  },
})

const issued = async (context: LoginContext, name: string, fields: Values<typeof SECRET_FIELDS>, secretId?: string): Promise<Answer> => {
  const { row } = await neededRole(context, name)
  const { cidr_list: cidrs, token_bound_cidrs: tokenCidrs, num_uses: uses, ttl: ttlSeconds, metadata = {} } = fields
  return { data: await newSecretId(context, row, { secretId, cidrs, tokenCidrs, uses, ttlSeconds, metadata }) }
}

/** The two rows for one secret-id, by what names it. */
const rowsOf = <F extends Fields>(
  at: 'secret-id' | 'secret-id-accessor',
  how: string,
  fields: F,
  by: (fields: Values<F>) => Parameters<typeof findSecretId>[2],
  lookup: { readonly statuses: readonly number[]; readonly missing?: string },
): readonly Route<LoginContext>[] => [
  route({
    path: `role/:role_name/${at}/lookup`,
    summary: `What is known of a secret-id${how}.`,
    params: ROLE,
    caseless: true,
    fields,
    actions: {
      write: {
        async run({ params, fields }, context) {
          const { row } = await neededRole(context, params.role_name)
          const found = await findSecretId(context, row.name, by(fields))
          if (!found && lookup.missing !== undefined) throw new AdminError(404, lookup.missing)
          return found && secretData(found)
        },
        statuses: lookup.statuses,
      },
    },
  }),
  route({
    path: `role/:role_name/${at}/destroy`,
    summary: `Destroy a secret-id${how}.`,
    params: ROLE,
    caseless: true,
    fields,
    actions: {
      write: {
        async run({ params, fields }, context) {
          const { row } = await neededRole(context, params.role_name)
          await context.identities.store.change(async () => {
            const found = await findSecretId(context, row.name, by(fields))
            return { writes: found ? [{ id: found.id, expect: found.revision }] : [], result: undefined }
          })
          return undefined
        },
        statuses: [204],
      },
    },
  }),
]

/** Within `auth/approle/`: what programs log in with beside the role-id. */
export const SECRET_ID_ROUTES: readonly Route<LoginContext>[] = [
  route({
    path: 'role/:role_name/secret-id',
    summary: 'Make a secret-id, or list the accessors of those of a role.',
    params: ROLE,
    caseless: true,
    fields: SECRET_FIELDS,
    actions: {
      list: {
        async run({ params }, context) {
          const { row } = await neededRole(context, params.role_name)
          const keys = (await secretIdsOf(context, row.name)).map(({ row }) => row.accessor)
          return keys.length > 0 ? { data: { keys } } : undefined
        },
      },
      write: { run: ({ params, fields }, context) => issued(context, params.role_name, fields), statuses: [200] },
    },
  }),
  route({
    path: 'role/:role_name/custom-secret-id',
    summary: 'Register a secret-id of your own.',
    params: ROLE,
    caseless: true,
    fields: { ...SECRET_FIELDS, ...SECRET_ID },
    actions: {
      write: {
        async run({ params, fields: { secret_id, ...fields } }, context) {
          if (!secret_id) throw new AdminError(400, 'missing secret_id')
          return issued(context, params.role_name, fields, secret_id)
        },
        statuses: [200],
      },
    },
  }),
  ...rowsOf('secret-id', '', SECRET_ID, ({ secret_id: secretId = '' }) => ({ secretId }), { statuses: [200, 204] }),
  ...rowsOf('secret-id-accessor', ', by its accessor', ACCESSOR, ({ secret_id_accessor: accessor = '' }) => ({ accessor }), {
    statuses: [200],
    missing: 'failed to find accessor entry for secret_id_accessor',
  }),
]
