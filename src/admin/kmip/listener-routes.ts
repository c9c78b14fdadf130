import type { Fields } from '../fields.ts'
import { routeFor } from '../route.ts'
import { applied, type Engine, keysAnswer } from './engine.ts'

const route = routeFor<Engine>()

const FIELDS = {
  ca: {
    type: 'string',
    required: true,
    description: 'Name of a CA that was generated: it signs the server certificate, and its clients are let in.',
  },
  address: { type: 'string', required: true, description: 'host:port to listen on.' },
  server_hostnames: { type: 'list', default: [], description: 'Host names in the server certificate.' },
  server_ips: { type: 'list', default: ['127.0.0.1', '::1'], description: 'IP addresses in the server certificate.' },
  additional_client_cas: { type: 'list', default: [], description: 'Names of more CAs whose clients are let in, imported ones too.' },
  also_use_legacy_ca: { type: 'boolean', default: false, description: 'Let in the clients of the CA of the configuration too.' },
  tls_min_version: { type: 'string', default: 'tls12', allowed: ['tls12', 'tls13'], description: 'Oldest TLS version.' },
  tls_max_version: { type: 'string', default: '', description: 'Newest TLS version: tls12 or tls13; empty for the newest there is.' },
  tls_cipher_suites: { type: 'string', default: '', description: "Go's names of TLS 1.2 suites, with commas; empty for the usual ones." },
} as const satisfies Fields

const params = { name: 'Name of the listener.' }

export const LISTENER_ROUTES = [
  route({
    path: 'listener',
    summary: 'The listeners with names.',
    actions: { list: { run: async (_, { mount }) => keysAnswer(await mount.scopes.listeners.list()) } },
  }),
  route({
    path: 'listener/:name',
    summary: 'A listener with an address, a CA and clients of its own.',
    description: 'What is not written keeps its value. Changes count at once and leave the connections of other listeners alone.',
    params,
    fields: FIELDS,
    exists: async ({ params }, { mount }) => (await mount.scopes.listeners.read(params.name)) !== undefined,
    actions: {
      read: {
        answer: FIELDS,
        async run({ params }, { mount }) {
          const data = await mount.scopes.listeners.read(params.name)
          return data && { data: { ...data } }
        },
      },
      write: {
        statuses: [200],
        answer: FIELDS,
        async run({ params, fields }, engine) {
          const { listeners } = engine.mount.scopes
          const before = await listeners.read(params.name)
          const data = await listeners.write(params.name, fields)
          await applied(engine, () => listeners.restore(params.name, before))
          return { data: { ...data } }
        },
      },
      delete: {
        async run({ params }, { mount, sockets }) {
          await mount.scopes.listeners.delete(params.name)
          await sockets.apply(mount.row.id)
          return undefined
        },
      },
    },
  }),
]
