import { mergeConfiguration } from '../../scopes/configuration.ts'
import { AdminError } from '../error.ts'
import type { Fields } from '../fields.ts'
import { routeFor } from '../route.ts'
import { applied, type Engine } from './engine.ts'

const route = routeFor<Engine>()

const TYPES = ['ec', 'rsa']
const FIELDS = {
  listen_addrs: {
    type: 'list',
    default: [],
    description: 'Addresses to listen on, host:port; a bare address gets port 5696. None: the listeners with names are all there is.',
  },
  server_hostnames: { type: 'list', default: ['localhost'], description: 'Host names in the server certificate; the first is its CN.' },
  server_ips: { type: 'list', default: ['127.0.0.1', '::1'], description: 'IP addresses in the server certificate.' },
  tls_ca_key_type: {
    type: 'string',
    default: 'ec',
    allowed: TYPES,
    description: 'Type of the keys of the CA and of the server. Another one makes a new CA; clients of the old one are still let in.',
  },
  tls_ca_key_bits: { type: 'integer', default: 256, description: 'Bits of these keys: ec 224, 256, 384, 521; rsa 2048, 3072, 4096.' },
  tls_min_version: {
    type: 'string',
    default: 'tls12',
    description: 'Oldest TLS version: tls12 or tls13. Older ones are taken and not served.',
  },
  default_tls_client_key_type: {
    type: 'string',
    default: 'ec',
    allowed: TYPES,
    description: 'Type of client keys where a role does not say.',
  },
  default_tls_client_key_bits: { type: 'integer', default: 256, description: 'Bits of client keys where a role does not say.' },
  default_tls_client_ttl: { type: 'duration', default: '336h', description: 'Life of client certificates where a role does not say.' },
} as const satisfies Fields

export const CONFIG_ROUTES = [
  route({
    path: 'config',
    summary: 'Configure the KMIP engine: where it listens, its CA, and defaults of client certificates.',
    description:
      'What is not written keeps its value. Changes count at once: addresses that go are no longer listened on, an address that cannot be had makes the write fail.',
    fields: FIELDS,
    exists: (_, { mount }) => mount.scopes.isConfigured(),
    actions: {
      read: {
        summary: 'Read the configuration.',
        answer: FIELDS,
        run: async (_, { mount }) =>
          (await mount.scopes.isConfigured()) ? { data: { ...(await mount.scopes.configuration()) } } : undefined,
      },
      write: {
        statuses: [204],
        async run({ fields }, engine) {
          const { scopes } = engine.mount
          const before = await scopes.configuration()
          mergeConfiguration(before, fields)
          const { listen_addrs, ...rest } = fields
          // Addresses first and alone: when one cannot be had, nothing else was changed.
          await scopes.writeConfiguration(listen_addrs ? { listen_addrs } : {})
          await applied(engine, () => scopes.writeConfiguration({ listen_addrs: before.listen_addrs }))
          if (Object.keys(rest).length > 0) {
            await scopes.writeConfiguration(rest)
            await engine.sockets.apply(engine.mount.row.id)
          }
          return undefined
        },
      },
    },
  }),
]

/** PEM of the CA of the configuration. @throws AdminError 400 while there is none */
export async function caPem({ mount: { row, scopes } }: Engine): Promise<string> {
  if (!(await scopes.isConfigured()) && !(await scopes.hasAuthority()))
    throw new AdminError(400, `the KMIP engine is not configured: write ${row.path}config first`)
  return (await scopes.caChain()).join('\n')
}
