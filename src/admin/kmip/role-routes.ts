import { FLAGS } from '../../scopes/permissions.ts'
import type { Field, Fields } from '../fields.ts'
import { routeFor } from '../route.ts'
import { type Engine, keysAnswer, orNothing, orRefused } from './engine.ts'

const route = routeFor<Engine>()

const PSEUDO: Readonly<Record<string, string>> = {
  operation_all: 'Allow every operation; with flags that are false, all but those.',
  operation_none: 'Allow no operation.',
}
const flagField = (flag: string): Field => ({
  type: 'boolean',
  default: false,
  description: PSEUDO[flag] ?? `Allow ${flag.replace('operation_', '').replaceAll('_', ' ')}.`,
})
const alias = (flag: string): Field => ({ type: 'boolean', deprecated: true, description: `Another spelling of ${flag}.` })

const FIELDS: Fields = {
  ...Object.fromEntries(FLAGS.map(flag => [flag, flagField(flag)])),
  operation_create_keypair: alias('operation_create_key_pair'),
  operation_rekey_keypair: alias('operation_rekey_key_pair'),
  tls_client_key_type: { type: 'string', default: '', description: 'Type of client keys, ec or rsa; empty: as the configuration says.' },
  tls_client_key_bits: { type: 'integer', default: 0, description: 'Bits of client keys; 0: as the configuration says.' },
  tls_client_ttl: { type: 'duration', default: 0, description: 'Life of client certificates; 0: as the configuration says.' },
  ca: { type: 'string', default: '', description: 'Name of the CA that signs client certificates; empty: that of the configuration.' },
}

export const ROLE_ROUTES = [
  route({
    path: 'scope/:scope/role',
    summary: 'The roles of a scope.',
    params: { scope: 'Name of the scope.' },
    actions: { list: { run: async ({ params }, { mount }) => keysAnswer(await orNothing(mount.scopes.listRoles(params.scope))) } },
  }),
  route({
    path: 'scope/:scope/role/:role',
    summary: 'A role: the operations that its credentials allow, and what their certificates are like.',
    description:
      'Flags that are written are merged with the stored ones; a stored operation_all or operation_none is replaced. A change counts at once, for certificates that were issued before too.',
    params: { scope: 'Name of the scope.', role: 'Name of the role.' },
    fields: FIELDS,
    exists: async ({ params }, { mount }) => (await orNothing(mount.scopes.readRole(params.scope, params.role))) !== undefined,
    actions: {
      read: {
        async run({ params }, { mount }) {
          const data = await orNothing(mount.scopes.readRole(params.scope, params.role))
          return data && { data: { ...data } }
        },
      },
      write: {
        statuses: [204],
        async run({ params, fields }, { mount }) {
          await orRefused(mount.scopes.writeRole(params.scope, params.role, fields))
          return undefined
        },
      },
      delete: {
        summary: 'Delete a role with its credentials.',
        async run({ params }, { mount }) {
          await orNothing(mount.scopes.deleteRole(params.scope, params.role))
          return undefined
        },
      },
    },
  }),
]
