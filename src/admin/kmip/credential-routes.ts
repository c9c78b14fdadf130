import type { Pkcs12Answer } from '../../scopes/credential-pkcs12.ts'
import type { CredentialAnswer } from '../../scopes/credentials.ts'
import { AdminError } from '../error.ts'
import type { Fields, Values } from '../fields.ts'
import { type Answer, routeFor } from '../route.ts'
import { type Engine, orNothing, orRefused } from './engine.ts'

const route = routeFor<Engine>()

const format = {
  type: 'string',
  default: 'pem_bundle',
  allowed: ['pem', 'pem_bundle', 'der'],
  description: 'pem: texts in PEM; pem_bundle: certificate holds key, certificate and chain; der: base64 of DER.',
} as const
const params = { scope: 'Name of the scope.', role: 'Name of the role.' }
const SERIAL = { type: 'string', description: 'Serial number, decimal.' } as const

const LOOKED_UP = {
  ca_chain: { type: 'list', description: 'Intermediate, then root.' },
  certificate: { type: 'string', description: 'The client certificate.' },
  serial_number: SERIAL,
} as const satisfies Fields
const PKCS12 = {
  password: { type: 'string', description: 'Of the file, for format pkcs12; it is not kept.' },
  format: {
    ...format,
    allowed: [...format.allowed, 'pkcs12'],
    description: `${format.description} pkcs12: key, certificate and chain as one file under a password, which Vault has not.`,
  },
} as const satisfies Fields
const MADE = {
  pkcs12: { type: 'string', description: 'The file as base64, instead of private_key, for format pkcs12.' },
  ...LOOKED_UP,
  private_key: { type: 'string', description: 'The key; it is not kept here.' },
} as const satisfies Fields

const BASE = 'scope/:scope/role/:role/credential'
const answered = (data: CredentialAnswer | Pkcs12Answer): Answer => ({ data: { ...data } })

/** A new key with its certificate, in whatever format. */
const generated = (
  { scopes }: Engine['mount'],
  { scope, role }: { readonly scope: string; readonly role: string },
  { format, password }: Values<typeof PKCS12>,
): Promise<CredentialAnswer | Pkcs12Answer> =>
  orRefused(format === 'pkcs12' ? scopes.generatePkcs12(scope, role, { password }) : scopes.generateCredential(scope, role, { format }))

export const CREDENTIAL_ROUTES = [
  route({
    path: BASE,
    summary: 'The credentials of a role, by their serial numbers.',
    params,
    actions: {
      list: {
        async run({ params }, { mount }) {
          const found = (await orNothing(mount.scopes.listCredentials(params.scope, params.role))) ?? []
          if (found.length === 0) return undefined
          const info = found.map(({ serial_number, createdMs, notAfterMs }) => [
            serial_number,
            { created: new Date(createdMs).toISOString(), expiration: new Date(notAfterMs).toISOString() },
          ])
          return { data: { key_info: Object.fromEntries(info), keys: found.map(({ serial_number }) => serial_number) } }
        },
      },
    },
  }),
  route({
    path: `${BASE}/generate`,
    summary: 'Make a key and a certificate for it. The key is in this answer and nowhere else.',
    params,
    fields: PKCS12,
    actions: {
      write: {
        statuses: [200],
        answer: MADE,
        run: async ({ params, fields }, { mount }) => answered(await generated(mount, params, fields)),
      },
    },
  }),
  route({
    path: `${BASE}/sign`,
    summary: 'Sign the key of a PKCS#10 request; nothing else of the request is taken over.',
    params,
    fields: {
      csr: { type: 'string', required: true, description: 'The request in PEM; its key is of the type and size of the role.' },
      format,
    },
    actions: {
      write: {
        statuses: [200],
        answer: LOOKED_UP,
        async run({ params, fields: { csr, ...rest } }, { mount }) {
          if (csr === undefined) throw new AdminError(400, 'csr is required')
          return answered(await orRefused(mount.scopes.signRequest(params.scope, params.role, { csr, ...rest })))
        },
      },
    },
  }),
  route({
    path: `${BASE}/lookup`,
    summary: 'Look a credential up by its serial number.',
    params,
    fields: { serial_number: { ...SERIAL, required: true }, format },
    actions: {
      read: {
        takes: ['serial_number', 'format'],
        answer: LOOKED_UP,
        async run({ params, fields: { serial_number, ...rest } }, { mount }) {
          if (serial_number === undefined) throw new AdminError(400, 'serial_number is required')
          const found = await orNothing(mount.scopes.lookupCredential(params.scope, params.role, { serial_number, ...rest }))
          return found && answered(found)
        },
      },
    },
  }),
  route({
    path: `${BASE}/renew`,
    summary: 'Give the holder of a credential another one, before it ends. The old one stays good until then, unless it is to be revoked.',
    description: 'Vault has no such thing.',
    params,
    fields: {
      serial_number: { ...SERIAL, required: true },
      csr: { type: 'string', description: 'A request in PEM for a key that the holder keeps; left out, a key is made here.' },
      revoke: { type: 'boolean', default: false, description: 'Revoke the old one at once.' },
      ...PKCS12,
    },
    actions: {
      write: {
        statuses: [200],
        answer: { ...MADE, replaces: { type: 'string', description: 'Serial number of the old one.' } },
        async run({ params: { scope, role }, fields }, { mount }) {
          const { serial_number, csr, revoke = false, format } = fields
          const { scopes } = mount
          if (serial_number === undefined) throw new AdminError(400, 'serial_number is required')
          const old = await orRefused(scopes.lookupCredential(scope, role, { serial_number }))
          const made = await (csr === undefined
            ? generated(mount, { scope, role }, fields)
            : orRefused(scopes.signRequest(scope, role, { csr, format })))
          if (revoke) await orNothing(scopes.revokeCredential(scope, role, { serial_number: old.serial_number }))
          return { data: { ...made, replaces: old.serial_number } }
        },
      },
    },
  }),
  route({
    path: `${BASE}/revoke`,
    summary: 'Revoke a credential: no message of it is answered any more, and its connections are cut.',
    params,
    fields: { serial_number: SERIAL, certificate: { type: 'string', description: 'Or the certificate in PEM.' } },
    actions: {
      write: {
        statuses: [204],
        async run({ params, fields }, { mount }) {
          await orRefused(mount.scopes.revokeCredential(params.scope, params.role, fields))
          return undefined
        },
      },
    },
  }),
]
