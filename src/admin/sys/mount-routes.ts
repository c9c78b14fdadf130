import { ScopeError } from '../../scopes/error.ts'
import type { Mount, MountSettings } from '../../scopes/mounts.ts'
import { AdminError } from '../error.ts'
import type { Fields } from '../fields.ts'
import { leaseOf } from '../lease.ts'
import { routeFor } from '../route.ts'
import { isReserved, mountable, withSlash } from './mount-paths.ts'
import { mountInfo, type System, systemInfo, USUAL_LEASE } from './system.ts'

const route = routeFor<System>()

const SETTINGS = {
  description: { type: 'string', description: 'For people.' },
  options: { type: 'pairs', description: 'Kept, and given back.' },
} as const satisfies Fields

const LEASES = {
  default_lease_ttl: { type: 'string', description: 'Kept, and given back: credentials of KMIP have no leases.' },
  max_lease_ttl: { type: 'string', description: 'Kept, and given back.' },
  force_no_cache: { type: 'boolean', description: 'Kept, and given back.' },
  listing_visibility: { type: 'string', description: 'Kept, and given back.' },
} as const satisfies Fields

const path = { path: 'Where the engine is: `kmip`.' }

type Config = NonNullable<MountSettings['config']>

function configOf(sent: Readonly<Record<string, unknown>>): Config {
  const { force_no_cache, listing_visibility } = sent
  const usual = leaseOf('default_lease_ttl', sent.default_lease_ttl)
  const longest = leaseOf('max_lease_ttl', sent.max_lease_ttl)
  return {
    ...(usual !== undefined && { default_lease_ttl: usual }),
    ...(longest !== undefined && { max_lease_ttl: longest }),
    ...(typeof force_no_cache === 'boolean' && { force_no_cache }),
    ...(typeof listing_visibility === 'string' && { listing_visibility }),
  }
}

async function found({ mounts }: System, at: string): Promise<Mount> {
  const mount = await mounts.at(withSlash(at))
  if (!mount) throw new AdminError(400, `No secret engine mount at ${withSlash(at)}`)
  return mount
}

/** A ScopeError in the words that Vault has for it. */
async function said<T>(asked: Promise<T>, missing: string): Promise<T> {
  try {
    return await asked
  } catch (cause) {
    if (cause instanceof ScopeError && cause.code === 'not-found') throw new AdminError(400, missing, { cause })
    throw cause
  }
}

export const MOUNT_ROUTES = [
  route({
    path: 'mounts',
    summary: 'What is mounted.',
    actions: {
      read: {
        async run(_, { mounts }) {
          const engines = (await mounts.list()).map(mount => [mount.row.path, mountInfo(mount)] as const)
          return { data: Object.fromEntries([...engines, ['sys/', systemInfo] as const]), repeated: true }
        },
      },
    },
  }),
  route({
    path: 'mounts/:path+/tune',
    summary: 'Settings of an engine that its path keeps.',
    params: path,
    fields: { ...SETTINGS, ...LEASES },
    actions: {
      read: {
        async run({ params }, system) {
          const mount = await system.mounts.at(withSlash(params.path))
          if (!mount) throw new AdminError(400, `cannot fetch sysview for path ${JSON.stringify(withSlash(params.path))}`)
          const { config, description, options } = mount.row
          return {
            data: {
              default_lease_ttl: config.default_lease_ttl || USUAL_LEASE,
              description,
              force_no_cache: config.force_no_cache,
              max_lease_ttl: config.max_lease_ttl || USUAL_LEASE,
              ...(config.listing_visibility !== '' && { listing_visibility: config.listing_visibility }),
              ...(options && { options }),
            },
            repeated: true,
          }
        },
      },
      write: {
        statuses: [204],
        async run({ params, fields }, { mounts }) {
          const { description, options } = fields
          const settings: MountSettings = {
            config: configOf(fields),
            ...(description !== undefined && { description }),
            ...(options && { options }),
          }
          const at = withSlash(params.path)
          await said(mounts.tune(at, settings), `tune of path ${JSON.stringify(at)} failed: no mount entry found`)
          return undefined
        },
      },
    },
  }),
  route({
    path: 'mounts/:path+',
    summary: 'An engine at its path.',
    params: path,
    fields: {
      ...SETTINGS,
      type: { type: 'string', required: true, description: 'The kind of engine: kmip.' },
      config: { type: 'object', description: 'default_lease_ttl and max_lease_ttl: kept, and given back.' },
      local: { type: 'boolean', description: 'Kept, and given back.' },
      seal_wrap: { type: 'boolean', description: 'Kept, and given back: everything is sealed.' },
      external_entropy_access: { type: 'boolean', description: 'Kept, and given back.' },
      plugin_name: { type: 'string', description: 'Not used.' },
      plugin_version: { type: 'string', description: 'Not used.' },
    },
    actions: {
      read: {
        run: async ({ params }, system) => ({ data: mountInfo(await found(system, params.path)), repeated: true }),
      },
      write: {
        summary: 'Enable an engine. The kmip/ that is there from the start is taken over by the first who enables it.',
        statuses: [204],
        async run({ params, fields }, { mounts, sockets }) {
          const { type = '', config = {}, plugin_name: _name, plugin_version: _version, ...settings } = fields
          if (type === '') throw new AdminError(400, 'backend type must be specified as a string')
          if (type !== 'kmip') throw new AdminError(400, `plugin not found in the catalog: ${type}`)
          const { row } = await mounts.enable(mountable(params.path), { ...settings, config: configOf(config) })
          await sockets.apply(row.id)
          return undefined
        },
      },
      delete: {
        summary: 'Disable an engine and delete everything in it, the managed objects too.',
        async run({ params }, { mounts, sockets }) {
          const at = withSlash(params.path)
          if (isReserved(at)) throw new AdminError(400, `cannot unmount ${JSON.stringify(at)}`)
          const mount = await mounts.at(at)
          await mounts.disable(at)
          if (mount) await sockets.apply(mount.row.id)
          return undefined
        },
      },
    },
  }),
  route({
    path: 'remount',
    summary: 'Move an engine to another path, with all that it holds.',
    access: 'sudo',
    fields: {
      from: { type: 'string', required: true, description: 'Where it is.' },
      to: { type: 'string', required: true, description: 'Where it shall be.' },
    },
    actions: {
      write: {
        statuses: [200],
        answer: { migration_id: { type: 'string', description: 'For remount/status.' } },
        async run({ fields: { from = '', to = '' } }, { mounts, remounts, newId }) {
          const [source, target] = [withSlash(from), withSlash(to)]
          await said(mounts.move(source, mountable(target)), `no matching mount at ${JSON.stringify(source)}`)
          const id = newId()
          remounts.add(id, { from: source, to: target })
          return {
            data: { migration_id: id },
            repeated: true,
            warnings: [
              "Mount move has been queued. Progress will be reported in Vault's server log, tagged with the returned migration_id",
            ],
          }
        },
      },
    },
  }),
  route({
    path: 'remount/status/:id',
    summary: 'How a move went.',
    params: { id: 'The migration_id.' },
    actions: {
      read: {
        async run({ params }, { remounts }) {
          const done = remounts.get(params.id)
          if (!done) return undefined
          const { from: source_mount, to: target_mount } = done
          return { data: { migration_id: params.id, migration_info: { source_mount, target_mount, status: 'success' } } }
        },
      },
    },
  }),
]
