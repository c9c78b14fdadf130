import { AdminError } from '../error.ts'
import { openApiOf } from '../openapi.ts'
import { type Caller, routeFor } from '../route.ts'
import { effectiveInfo, type System, systemInfo } from './system.ts'

const route = routeFor<System>()
const AUTH = 'auth/'

/** Those of which the caller may use anything at all, as in Vault: who has nothing to do with an engine does not see it. */
async function reached<T>(system: System, caller: Caller | undefined, all: readonly (readonly [path: string, info: T])[], above: string) {
  const seen: Record<string, T> = {}
  for (const [path, info] of all) if (await system.reaches(caller, above + path)) seen[path] = info
  return seen
}

export const INTERNAL_ROUTES = [
  route({
    path: 'internal/ui/mounts',
    summary: 'What is mounted, for consoles.',
    actions: {
      read: {
        async run({ caller }, system) {
          const engines = (await system.mounts.list()).map(mount => [mount.row.path, effectiveInfo(mount)] as const)
          const logins = (await system.mounted()).filter(({ path }) => path.startsWith('auth/'))
          const [secret, auth] = [
            await reached(system, caller, [...engines, ['sys/', systemInfo]], ''),
            await reached(
              system,
              caller,
              logins.map(({ path, type }) => [path.slice(AUTH.length), { type, description: '' }]),
              AUTH,
            ),
          ]
          return { mountType: '', data: { auth, secret } }
        },
      },
    },
  }),
  route({
    path: 'internal/ui/mounts/:path+',
    summary: 'The engine that serves a path.',
    params: { path: 'Any path below the engine.' },
    actions: {
      read: {
        async run({ params, caller }, system) {
          const asked = `${params.path}/`
          const mount = (await system.mounts.list()).find(({ row }) => asked.startsWith(row.path))
          if (mount && (await system.reaches(caller, mount.row.path)))
            return { mountType: '', data: { ...effectiveInfo(mount), path: mount.row.path } }
          const why = `please ensure client's policies grant access to path ${JSON.stringify(asked)}`
          throw new AdminError(403, `preflight capability check returned 403, ${why}`)
        },
      },
    },
  }),
  route({
    path: 'internal/specs/openapi',
    summary: 'This API as an OpenAPI 3.1 document.',
    actions: {
      read: {
        async run(_, { mounted, version }) {
          const mounts = await mounted()
          return {
            bare: openApiOf(
              mounts.map(mount => ({ mount, routes: mount.routes })),
              version,
            ),
          }
        },
      },
    },
  }),
]
