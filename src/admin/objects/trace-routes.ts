import { AdminError } from '../error.ts'
import { orNothing, orRefused } from '../kmip/engine.ts'
import { routeFor } from '../route.ts'
import type { ObjectContext } from './object-routes.ts'

const HOUR = 3600
const LONGEST = 7 * 24 * HOUR

/** Within an engine: why KMIP requests are refused. Vault has none of it. */
export const TRACE_ROUTES = [
  routeFor<ObjectContext>()({
    path: 'scope/:scope/trace',
    summary: 'The last refused requests of a scope, decoded, with secrets hidden; while it is switched on.',
    params: { scope: 'Name of the scope.' },
    fields: { duration: { type: 'duration', default: HOUR, description: `For how long, up to ${LONGEST} seconds.` } },
    actions: {
      read: {
        answer: {
          until: { type: 'string', description: 'ISO 8601; absent while it is off.' },
          requests: { type: 'list', description: 'Newest first: time, role, serial_number, problems and request.' },
        },
        async run({ params }, { mount, traces, now }) {
          const partition = await orNothing(mount.scopes.objectsOf(params.scope))
          if (partition === undefined) return undefined
          const untilMs = await mount.scopes.tracedUntil(params.scope)
          const isOn = untilMs !== undefined && untilMs > Number(now()) * 1000
          return { data: { ...(isOn && { until: new Date(untilMs).toISOString() }), requests: await traces(partition) } }
        },
      },
      write: {
        summary: 'Switch it on for a while.',
        statuses: [204],
        async run({ params, fields: { duration = HOUR } }, { mount, now }) {
          if (duration < 1 || duration > LONGEST) throw new AdminError(400, `duration is between 1 and ${LONGEST} seconds`)
          await orRefused(mount.scopes.trace(params.scope, (Number(now()) + duration) * 1000))
          return undefined
        },
      },
      delete: {
        summary: 'Switch it off, and forget what was traced.',
        async run({ params }, { mount, forgetTraces }) {
          const partition = await orNothing(mount.scopes.objectsOf(params.scope))
          if (partition === undefined) return undefined
          await mount.scopes.trace(params.scope)
          await forgetTraces(partition)
          return undefined
        },
      },
    },
  }),
]
