import { AdminError } from '../error.ts'
import type { Fields } from '../fields.ts'
import { leaseOf } from '../lease.ts'
import { type Access, type Answer, type Route, routeFor } from '../route.ts'
import type { Identities } from './identities.ts'
import type { MountChanges } from './logins.ts'
import type { AuthMountRow } from './rows.ts'
import { DEFAULT_TTL, MAX_TTL } from './tokens.ts'

const route = routeFor<Identities>()
const PATH = { path: 'Where it stands below auth/.' }

const TUNING = {
  description: { type: 'string', description: 'What it is for.' },
  default_lease_ttl: { type: 'string', description: 'How long its tokens live unless their role says; system: as the server has it.' },
  max_lease_ttl: { type: 'string', description: 'How long they live at most; system: as the server has it.' },
  options: { type: 'any', description: 'Taken and not used.' },
} as const satisfies Fields

const ENABLING = {
  type: { type: 'string', description: 'approle, cert or userpass.', required: true, allowed: ['approle', 'cert', 'userpass'] },
  description: TUNING.description,
  config: { type: 'object', description: 'default_lease_ttl and max_lease_ttl.' },
  local: { type: 'boolean', description: 'Taken and not used.' },
  seal_wrap: { type: 'boolean', description: 'Taken and not used: everything is sealed.' },
  external_entropy_access: { type: 'boolean', description: 'Taken and not used.' },
  plugin_name: { type: 'string', description: 'Older name of type.', deprecated: true },
  options: TUNING.options,
} as const satisfies Fields

const shown = ({ type, accessor, uuid, description, defaultTtlSeconds, maxTtlSeconds }: AuthMountRow) => ({
  ...{ type, accessor, uuid, description, local: false, seal_wrap: false, external_entropy_access: false, options: null },
  config: { default_lease_ttl: defaultTtlSeconds, max_lease_ttl: maxTtlSeconds, force_no_cache: false, token_type: 'default-service' },
  ...{ plugin_version: '', running_plugin_version: '', running_sha256: '', deprecation_status: 'supported' },
})

async function tuned({ logins }: Identities, path: string): Promise<Answer> {
  const found = await logins.find(path)
  if (!found) throw new AdminError(400, `cannot fetch sysview for path "auth/${path}/"`)
  const { description, defaultTtlSeconds, maxTtlSeconds } = found
  const data = {
    ...{ default_lease_ttl: defaultTtlSeconds || DEFAULT_TTL, max_lease_ttl: maxTtlSeconds || MAX_TTL, description },
    ...{ force_no_cache: false, token_type: 'default-service' },
  }
  return { data, repeated: true }
}

function changesIn(config: Readonly<Record<string, unknown>>, description: string | undefined): MountChanges {
  const seconds = (name: string): number | undefined => leaseOf(name, config[name])
  return { description, default_lease_ttl: seconds('default_lease_ttl'), max_lease_ttl: seconds('max_lease_ttl') }
}

const tuning = (path: string, access: Access): Route<Identities> =>
  route({
    path: path as 'auth/:path+/tune',
    access,
    summary: 'Settings of a way to log in.',
    params: PATH,
    fields: TUNING,
    actions: {
      read: { run: ({ params }, identities) => tuned(identities, params.path) },
      write: {
        async run({ params, fields }, { logins }) {
          await logins.tune(params.path, changesIn(fields, fields.description))
          return undefined
        },
        statuses: [204],
      },
    },
  })

/** Within `sys/`: ways to log in. */
export const LOGIN_MOUNT_ROUTES: readonly Route<Identities>[] = [
  route({
    path: 'auth',
    summary: 'List the ways to log in.',
    actions: {
      read: {
        async run(_call, { logins }) {
          return { data: Object.fromEntries((await logins.list()).map(row => [row.path, shown(row)])), repeated: true }
        },
      },
    },
  }),
  tuning('auth/:path+/tune', 'sudo'),
  tuning('mounts/auth/:path+/tune', 'token'),
  route({
    path: 'auth/:path+',
    summary: 'A way to log in.',
    params: PATH,
    fields: ENABLING,
    access: 'sudo',
    actions: {
      read: {
        async run({ params }, { logins }) {
          const found = await logins.find(params.path)
          if (!found) throw new AdminError(400, `No auth engine at ${params.path}/`)
          return { data: shown(found), repeated: true }
        },
      },
      write: {
        async run({ params, fields }, { logins }) {
          const type = fields.type || fields.plugin_name
          if (type === undefined) throw new AdminError(400, 'backend type must be specified as a string')
          await logins.enable(params.path, type, changesIn(fields.config ?? {}, fields.description))
          return undefined
        },
        statuses: [204],
      },
      delete: {
        async run({ params }, { logins }) {
          await logins.disable(params.path)
          return undefined
        },
      },
    },
  }),
]
