import { AdminError } from '../error.ts'
import { openApiOf } from '../openapi.ts'
import { routeFor } from '../route.ts'
import { effectiveInfo, type System, systemInfo } from './system.ts'

const route = routeFor<System>()

export const INTERNAL_ROUTES = [
  route({
    path: 'internal/ui/mounts',
    summary: 'What is mounted, for consoles.',
    actions: {
      read: {
        async run(_, { mounts, mounted }) {
          const engines = (await mounts.list()).map(mount => [mount.row.path, effectiveInfo(mount)] as const)
          const logins = (await mounted()).filter(({ path }) => path.startsWith('auth/'))
          return {
            mountType: '',
            data: {
              auth: Object.fromEntries(logins.map(({ path, type }) => [path.slice('auth/'.length), { type, description: '' }])),
              secret: Object.fromEntries([...engines, ['sys/', systemInfo] as const]),
            },
          }
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
        async run({ params }, { mounts }) {
          const asked = `${params.path}/`
          const mount = (await mounts.list()).find(({ row }) => asked.startsWith(row.path))
          if (mount) return { mountType: '', data: { ...effectiveInfo(mount), path: mount.row.path } }
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
