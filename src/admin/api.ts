import { createHash } from 'node:crypto'
import type { Mount, Mounts } from '../scopes/mounts.ts'
import type { Identities } from './auth/identities.ts'
import { authMounts, identitySystemRoutes } from './auth/mounts.ts'
import type { Sockets } from './kmip/engine.ts'
import { KMIP_ROUTES } from './kmip/routes.ts'
import { LIVE_ROUTES, type Live } from './live.ts'
import { CLIENT_ROUTES } from './objects/client-routes.ts'
import { HISTORY_ROUTES, OBJECT_ROUTES, type ObjectServices } from './objects/object-routes.ts'
import { TRACE_ROUTES } from './objects/trace-routes.ts'
import { bound, type Mounted } from './route.ts'
import { INTERNAL_ROUTES } from './sys/internal-routes.ts'
import { MOUNT_ROUTES } from './sys/mount-routes.ts'
import { STATUS_ROUTES } from './sys/status-routes.ts'
import { Remounts, type System } from './sys/system.ts'

export interface ApiParts {
  readonly mounts: Mounts
  readonly sockets: Sockets
  readonly identities: Identities
  /** Of kmipd. */
  readonly version: string
  /** Milliseconds since 1970. */
  now(): number
  /** A new UUID. */
  newId(): string
  /** Why the server cannot answer, if it cannot. */
  unready(): string | undefined
  /** The process behind the door. */
  readonly live?: Live
  /** What administrators look at objects with. */
  readonly objects?: ObjectServices
}

/** A UUID that says whose data this is and nothing else. */
function clusterIdOf(seed: string): string {
  const hex = createHash('sha256').update(`kmipd cluster ${seed}`).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-')
}

/** What Vault has not. */
const beyond = ({ live, objects }: ApiParts): Mounted => ({
  path: 'sys/kmipd/',
  type: 'system',
  routes: [...(live ? bound(LIVE_ROUTES, live) : []), ...(objects ? bound(HISTORY_ROUTES, objects) : [])],
})

/** Everything that is mounted, for the door: it asks for each request. */
export function apiMounts(parts: ApiParts): () => Promise<readonly Mounted[]> {
  const { mounts, sockets, identities, version, now, newId, unready, objects } = parts
  const beyondVault = beyond(parts)
  const system: System = {
    ...{ mounts, sockets, version, now, newId, unready, mounted },
    reaches: async (caller, place) =>
      caller !== undefined && (caller.isRoot || (await identities.policies.acl(caller.policies)).reaches(place)),
    remounts: new Remounts(),
    clusterId: clusterIdOf(mounts.known[0]?.row.uuid ?? ''),
  }
  const sys: Mounted = {
    path: 'sys/',
    type: 'system',
    routes: [...identitySystemRoutes(identities), ...bound([...STATUS_ROUTES, ...INTERNAL_ROUTES, ...MOUNT_ROUTES], system)],
  }
  const engines = new WeakMap<Mount['scopes'], Mounted>()
  function engineOf(mount: Mount): Mounted {
    const known = engines.get(mount.scopes)
    if (known?.path === mount.row.path) return known
    const routes = [
      ...(objects ? bound([...OBJECT_ROUTES, ...TRACE_ROUTES, ...CLIENT_ROUTES], { ...objects, mount }) : []),
      ...bound(KMIP_ROUTES, { mount, sockets }),
    ]
    const made = { path: mount.row.path, type: 'kmip', routes }
    engines.set(mount.scopes, made)
    return made
  }
  async function mounted(): Promise<readonly Mounted[]> {
    const [found, logins] = [await mounts.list(), await authMounts(identities)]
    return [sys, beyondVault, ...logins, ...found.map(engineOf)]
  }
  return mounted
}
