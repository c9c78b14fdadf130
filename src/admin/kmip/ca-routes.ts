import { MAPPING_FIELDS, type NamedAuthorityAnswer } from '../../scopes/named-authorities.ts'
import type { Fields } from '../fields.ts'
import { type Answer, routeFor } from '../route.ts'
import { caPem } from './config-routes.ts'
import { type Engine, keysAnswer, orNothing, orRefused } from './engine.ts'

const route = routeFor<Engine>()

const MAPPING = {
  scope_name: { type: 'string', description: 'Scope of all its clients; or name scope_field.' },
  scope_field: { type: 'string', allowed: MAPPING_FIELDS, description: 'Attribute of a client certificate that holds its scope.' },
  role_name: { type: 'string', description: 'Role of all its clients; or name role_field.' },
  role_field: { type: 'string', allowed: MAPPING_FIELDS, description: 'Attribute of a client certificate that holds its role.' },
} as const satisfies Fields

const ANSWER = {
  ca_pem: { type: 'string', description: 'The certificates: intermediate, then root; or what was imported.' },
  ca_chain: { type: 'list', description: 'The same, one by one.' },
  certificate: { type: 'string', description: 'The first of them.' },
  serial_number: { type: 'string', description: 'Its serial number, decimal.' },
  imported: { type: 'boolean', description: 'Whether it was imported.' },
  key_type: { type: 'string', description: 'Type of its key, if it was made here.' },
  key_bits: { type: 'integer', description: 'Bits of its key, if it was made here.' },
  ttl: { type: 'integer', description: 'Seconds that it was made for.' },
  ...MAPPING,
} as const satisfies Fields

const params = { name: 'Name of the CA.' }
const answered = (data: NamedAuthorityAnswer): Answer => ({ data: { ...data } })

export const CA_ROUTES = [
  route({
    path: 'ca',
    summary: 'The CA of the configuration, and the names of the other CAs.',
    actions: {
      read: {
        summary: 'Read the certificates of the CA of the configuration: intermediate, then root.',
        answer: { ca_pem: ANSWER.ca_pem },
        run: async (_, engine) => ({ data: { ca_pem: await caPem(engine) } }),
      },
      list: { summary: 'List the names of the other CAs.', run: async (_, { mount }) => keysAnswer(await mount.scopes.authorities.list()) },
    },
  }),
  route({
    path: 'ca/:name/generate',
    summary: 'Make a CA that signs for roles and listeners which name it.',
    params,
    fields: {
      key_type: { type: 'string', required: true, allowed: ['ec', 'rsa'], description: 'Type of its key.' },
      key_bits: { type: 'integer', required: true, description: 'Bits of its key: ec 224, 256, 384, 521; rsa 2048, 3072, 4096.' },
      ttl: { type: 'duration', default: '365d', description: 'How long it is valid.' },
    },
    actions: {
      write: {
        statuses: [200],
        answer: ANSWER,
        run: async ({ params, fields }, { mount }) => answered(await mount.scopes.authorities.generate(params.name, fields)),
      },
    },
  }),
  route({
    path: 'ca/:name/import',
    summary: 'Let in clients whose certificates somebody else signs.',
    description:
      'The CA that signs the client certificates themselves must be among the certificates; those above it need not be. It verifies clients and never signs here. Listeners admit it by additional_client_cas.',
    params,
    fields: { ca_pem: { type: 'string', required: true, description: 'CA certificates in PEM.' }, ...MAPPING },
    actions: {
      write: {
        statuses: [200],
        answer: ANSWER,
        run: async ({ params, fields }, { mount }) => answered(await mount.scopes.authorities.import(params.name, fields)),
      },
    },
  }),
  route({
    path: 'ca/:name',
    summary: 'A CA with a name.',
    params,
    fields: MAPPING,
    exists: async ({ params }, { mount }) => (await mount.scopes.authorities.list()).includes(params.name),
    actions: {
      read: {
        answer: ANSWER,
        async run({ params }, { mount }) {
          const data = await orNothing(mount.scopes.authorities.read(params.name))
          return data && answered(data)
        },
      },
      write: {
        summary: 'Say anew how an imported CA names its clients.',
        statuses: [200],
        answer: ANSWER,
        run: async ({ params, fields }, { mount }) => answered(await orRefused(mount.scopes.authorities.map(params.name, fields))),
      },
      delete: {
        summary: 'Delete a CA that no listener and no role uses.',
        async run({ params }, { mount }) {
          await mount.scopes.authorities.delete(params.name)
          return undefined
        },
      },
    },
  }),
]
