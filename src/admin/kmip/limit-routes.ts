import type { Fields, Values } from '../fields.ts'
import { type Answer, routeFor } from '../route.ts'
import { type Engine, orNothing, orRefused } from './engine.ts'

const route = routeFor<Engine>()
const SCOPE = { scope: 'Name of the scope.' }
const ROLE = { ...SCOPE, role: 'Name of the role.' }

const RATE = {
  requests_per_second: { type: 'integer', default: 0, description: 'Requests that its clients may send together; 0: any number.' },
  burst: { type: 'integer', default: 0, description: 'Requests that may come at once after a pause; 0: those of a second.' },
} as const satisfies Fields
const QUOTA = {
  ...RATE,
  max_objects: { type: 'integer', default: 0, description: 'Managed objects that the scope may have; 0: any number.' },
} as const satisfies Fields

const changesIn = ({ requests_per_second, burst, max_objects }: Values<typeof QUOTA>) => ({
  ...(requests_per_second !== undefined && { requestsPerSecond: requests_per_second }),
  ...(burst !== undefined && { burst }),
  ...(max_objects !== undefined && { maxObjects: max_objects }),
})

async function limits({ mount }: Engine, scope: string, role?: string): Promise<Answer | undefined> {
  const found = await orNothing(mount.scopes.readLimits(scope, role))
  if (!found) return undefined
  const { requestsPerSecond = 0, burst = 0, maxObjects = 0 } = found
  return { data: { requests_per_second: requestsPerSecond, burst, ...(role === undefined && { max_objects: maxObjects }) } }
}

const NONE = { requestsPerSecond: 0, burst: 0, maxObjects: 0 }

/** How much the clients of a scope or role may use. Vault has none of it. */
export const LIMIT_ROUTES = [
  route({
    path: 'scope/:scope/limits',
    summary: 'How much the clients of a scope may use together.',
    params: SCOPE,
    fields: QUOTA,
    actions: {
      read: { run: ({ params }, engine) => limits(engine, params.scope) },
      write: {
        statuses: [204],
        async run({ params, fields }, { mount }) {
          await orRefused(mount.scopes.writeLimits(params.scope, undefined, changesIn(fields)))
          return undefined
        },
      },
      delete: {
        async run({ params }, { mount }) {
          await orNothing(mount.scopes.writeLimits(params.scope, undefined, NONE))
          return undefined
        },
      },
    },
  }),
  route({
    path: 'scope/:scope/role/:role/limits',
    summary: 'How much the clients of a role may use together.',
    params: ROLE,
    fields: RATE,
    actions: {
      read: { run: ({ params }, engine) => limits(engine, params.scope, params.role) },
      write: {
        statuses: [204],
        async run({ params, fields }, { mount }) {
          await orRefused(mount.scopes.writeLimits(params.scope, params.role, changesIn(fields)))
          return undefined
        },
      },
      delete: {
        async run({ params }, { mount }) {
          await orNothing(mount.scopes.writeLimits(params.scope, params.role, NONE))
          return undefined
        },
      },
    },
  }),
]
