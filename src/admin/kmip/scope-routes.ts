import { routeFor } from '../route.ts'
import { type Engine, keysAnswer, orNothing } from './engine.ts'

const route = routeFor<Engine>()

export const SCOPE_ROUTES = [
  route({
    path: 'scope',
    summary: 'The scopes: each holds managed objects of its own.',
    actions: { list: { run: async (_, { mount }) => keysAnswer(await mount.scopes.listScopes()) } },
  }),
  route({
    path: 'scope/:scope',
    summary: 'A scope.',
    description: 'To make one that is there already changes nothing but force, if it is sent.',
    params: { scope: 'Name of the scope.' },
    fields: {
      force: {
        type: 'boolean',
        default: false,
        description: 'Delete the scope with its objects; sent when it is made, it is remembered for its deletion.',
      },
    },
    exists: async ({ params }, { mount }) => (await mount.scopes.listScopes()).includes(params.scope),
    actions: {
      read: {
        summary: 'Read when a scope was made and how many roles and credentials it has. Vault has no such thing.',
        answer: {
          id: { type: 'string', description: 'OU of its certificates.' },
          name: { type: 'string', description: 'Its name.' },
          created: { type: 'string', description: 'ISO 8601.' },
          force: { type: 'boolean', description: 'Whether it may be deleted with its objects.' },
          roles: { type: 'integer', description: 'How many roles it has.' },
          credentials: { type: 'integer', description: 'How many credentials it has.' },
          objects: { type: 'integer', description: 'How many managed objects it has; 100000 stands for that many and more.' },
        },
        async run({ params }, { mount }) {
          const scope = await orNothing(mount.scopes.readScope(params.scope))
          if (!scope) return undefined
          const { createdMs, partition: _partition, ...data } = scope
          const objects = await mount.scopes.countObjects(params.scope)
          return { data: { ...data, objects, created: new Date(createdMs).toISOString() } }
        },
      },
      write: {
        statuses: [204],
        async run({ params, fields: { force } }, { mount }) {
          await mount.scopes.ensureScope(params.scope, force)
          return undefined
        },
      },
      delete: {
        summary: 'Delete a scope with its roles and credentials, with its objects only by force.',
        takes: ['force'],
        async run({ params, fields: { force = false } }, { mount }) {
          await orNothing(mount.scopes.deleteScope(params.scope, { force }))
          return undefined
        },
      },
    },
  }),
]
