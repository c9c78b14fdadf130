import { X509Certificate } from 'node:crypto'
import { AdminError } from '../error.ts'
import type { Fields, Values } from '../fields.ts'
import { type LogicalRequest, type Route, routeFor } from '../route.ts'
import { leadsTo, namesFit, namesIn } from './certificate-check.ts'
import type { Stored } from './identity-store.ts'
import { type Known, type LoginContext, logIn, shownAs } from './login.ts'
import type { CertRow } from './rows.ts'
import { mergeSettings, TOKEN_FIELDS } from './token-settings.ts'

const route = routeFor<LoginContext>()
const NAME = { name: 'Name of the entry.' }

const NAME_FIELDS = {
  allowed_common_names: { type: 'list', description: 'Common names that may log in, with `*` for any letters; none: every one.' },
  allowed_dns_sans: { type: 'list', description: 'The same for DNS names.' },
  allowed_email_sans: { type: 'list', description: 'The same for mail addresses.' },
  allowed_uri_sans: { type: 'list', description: 'The same for URIs.' },
  allowed_organizational_units: { type: 'list', description: 'The same for organizational units.' },
  allowed_names: { type: 'list', description: 'The same for common names, DNS names and mail addresses, of which one has to fit.' },
} as const satisfies Fields

const CERT_FIELDS = {
  certificate: { type: 'string', description: 'PEM of a client certificate, or of a CA whose clients may log in.', required: true },
  display_name: { type: 'string', description: 'What its tokens are called.' },
  ...NAME_FIELDS,
  required_extensions: { type: 'list', description: 'Taken only when it is empty.' },
  ocsp_enabled: { type: 'boolean', description: 'Taken only when it is false.' },
  ...TOKEN_FIELDS,
} as const satisfies Fields

const find = ({ identities, mount }: LoginContext, name: string): Promise<Stored<'cert'> | undefined> =>
  identities.store.get('cert', `${mount.uuid}/${name}`)

/** @throws AdminError 400 */
function pemOf(text: string): string {
  try {
    return new X509Certificate(text).toString()
  } catch (cause) {
    throw new AdminError(400, 'failed to parse certificate', { cause })
  }
}

function merged(mount: string, name: string, stored: CertRow | undefined, fields: Values<typeof CERT_FIELDS>): CertRow {
  const { certificate, display_name, allowed_common_names, allowed_dns_sans, allowed_email_sans, allowed_uri_sans, ...others } = fields
  const { allowed_names, allowed_organizational_units, required_extensions = [], ocsp_enabled = false, ...settings } = others
  if (required_extensions.length > 0) throw new AdminError(400, 'required_extensions cannot be asked for here')
  if (ocsp_enabled) throw new AdminError(400, 'ocsp_enabled cannot be asked for here')
  const pem = certificate === undefined ? stored?.certificate : pemOf(certificate)
  if (pem === undefined) throw new AdminError(400, 'failed to parse certificate')
  return {
    ...{ kind: 'cert', mount, name, certificate: pem },
    display_name: display_name || (stored?.display_name ?? name),
    allowed_names: allowed_names ?? stored?.allowed_names ?? [],
    allowed_common_names: allowed_common_names ?? stored?.allowed_common_names ?? [],
    allowed_dns_sans: allowed_dns_sans ?? stored?.allowed_dns_sans ?? [],
    allowed_email_sans: allowed_email_sans ?? stored?.allowed_email_sans ?? [],
    allowed_uri_sans: allowed_uri_sans ?? stored?.allowed_uri_sans ?? [],
    allowed_organizational_units: allowed_organizational_units ?? stored?.allowed_organizational_units ?? [],
    settings: mergeSettings(stored?.settings, settings),
  }
}

async function verify(context: LoginContext, { certificates }: LogicalRequest, name: string | undefined): Promise<Known> {
  const { identities, mount } = context
  const [leaf] = certificates
  if (!leaf) throw new AdminError(400, 'client certificate must be supplied')
  const entries = await identities.store.list('cert', [`mount/${mount.uuid}`])
  const found = entries
    .map(({ row }) => row)
    .filter(row => name === undefined || name === '' || row.name === name)
    .find(row => leadsTo(certificates, new X509Certificate(row.certificate), identities.now()) && namesFit(row, leaf))
  if (!found) throw new AdminError(400, 'invalid certificate or no client certificate supplied')
  const meta = {
    ...{ cert_name: found.name, common_name: namesIn(leaf).get('CN')?.join(',') ?? '' },
    serial_number: BigInt(`0x${leaf.serialNumber}`).toString(),
  }
  return { settings: found.settings, displayName: shownAs(mount, found.display_name), meta }
}

/** `auth/cert/`: logins with the client certificate of the connection. */
export const CERT_ROUTES: readonly Route<LoginContext>[] = [
  route({
    path: 'certs',
    summary: 'List the entries.',
    actions: {
      list: {
        async run(_call, { identities, mount }) {
          const entries = await identities.store.list('cert', [`mount/${mount.uuid}`])
          return entries.length > 0 ? { data: { keys: entries.map(({ row }) => row.name).sort() } } : undefined
        },
      },
    },
  }),
  route({
    path: 'certs/:name',
    summary: 'A certificate or CA whose clients may log in, and what their tokens are like.',
    params: NAME,
    fields: CERT_FIELDS,
    exists: async ({ params }, context) => (await find(context, params.name)) !== undefined,
    actions: {
      read: {
        async run({ params }, context) {
          const entry = await find(context, params.name)
          if (!entry) return undefined
          const { kind: _, mount: _mount, name: _name, settings, ...rest } = entry.row
          return { data: { allowed_names: [], ...rest, ...settings } }
        },
      },
      write: {
        async run({ params, fields }, context) {
          const { store } = context.identities
          const { uuid } = context.mount
          const id = store.id('cert', `${uuid}/${params.name}`)
          await store.change(async () => {
            const stored = await find(context, params.name)
            const row = merged(uuid, params.name, stored?.row, fields)
            return { writes: [{ id, expect: stored?.revision ?? 0, row }], result: undefined }
          })
          return undefined
        },
        statuses: [204],
      },
      delete: {
        async run({ params }, context) {
          await context.identities.store.change(async () => {
            const entry = await find(context, params.name)
            return { writes: entry ? [{ id: entry.id, expect: entry.revision }] : [], result: undefined }
          })
          return undefined
        },
      },
    },
  }),
  route({
    path: 'login',
    summary: 'Log in with the client certificate of the connection.',
    access: 'open',
    fields: { name: { type: 'string', description: 'The entry to log in by; left out, the first that fits.' } },
    actions: {
      write: {
        run: ({ request, fields }, context) =>
          logIn(context, request, `certificate/${request.remoteAddress}`, () => verify(context, request, fields.name)),
        statuses: [200],
      },
    },
  }),
]
