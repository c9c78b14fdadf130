import type { Scopes } from '../scopes/scopes.ts'
import { type AdminClient, type RemoteAnswer, RemoteError } from './admin-client.ts'
import { UsageError } from './usage-error.ts'

/** What commands do with the administration of an engine, wherever that is. */
export type Administration = Pick<
  Scopes,
  | 'createScope'
  | 'listScopes'
  | 'readScope'
  | 'deleteScope'
  | 'writeRole'
  | 'readRole'
  | 'listRoles'
  | 'deleteRole'
  | 'generateCredential'
  | 'signRequest'
  | 'listCredentials'
  | 'lookupCredential'
  | 'revokeCredential'
  | 'caChain'
  | 'configuration'
  | 'writeConfiguration'
> & { readonly revocations: Pick<Scopes['revocations'], 'pem'> }

type Data = Readonly<Record<string, unknown>>

/** A field of an answer. @throws RemoteError if the server answers otherwise than it should */
function textIn(data: Data, name: string): string {
  const value = data[name]
  if (typeof value !== 'string') throw new RemoteError(200, `the server's answer has no ${name}`)
  return value
}
const textsIn = (data: Data, name: string): readonly string[] => {
  const value = data[name]
  if (!Array.isArray(value)) throw new RemoteError(200, `the server's answer has no ${name}`)
  return value.map(String)
}

/** Fields whose values the server and its commands know by the same names. */
const asIs = <T>(data: Data): T => data as T

/** As Vault does, a server passes over fields that it does not know: a right that is misspelt would be neither given nor taken. */
function refuseUnknown(fields: Data, isKnown: (field: string) => boolean, what: string): void {
  const unknown = Object.keys(fields).filter(field => !isKnown(field))
  if (unknown.length > 0) throw new UsageError(`${unknown.join(', ')}: no field of ${what}; nothing was written`)
}

/** The administration of an engine over a server's API. @param mount its path */
export function remoteScopes(client: AdminClient, mount: string): Administration {
  const at = (...parts: readonly string[]): string => [mount.replace(/^\/+|\/+$/g, ''), ...parts].join('/')
  const needed = (answer: RemoteAnswer | undefined, what: string): Data => {
    if (!answer?.data) throw new RemoteError(404, `there is no ${what}`)
    return answer.data
  }
  const keys = (answer: RemoteAnswer | undefined): readonly string[] => (answer?.data ? textsIn(answer.data, 'keys') : [])
  const role = (scope: string, name: string, ...more: readonly string[]): string => at('scope', scope, 'role', name, ...more)

  async function readScope(name: string) {
    const { created, ...data } = needed(await client.read(at('scope', name)), `scope ${name}`)
    return asIs<Awaited<ReturnType<Scopes['readScope']>>>({ ...data, createdMs: Date.parse(String(created)) })
  }
  async function readRole(scope: string, name: string) {
    return asIs<Awaited<ReturnType<Scopes['readRole']>>>(needed(await client.read(role(scope, name)), `role ${name} in scope ${scope}`))
  }
  async function credential(answer: Promise<RemoteAnswer | undefined>, what: string) {
    const data = needed(await answer, what)
    return {
      ...data,
      ca_chain: textsIn(data, 'ca_chain'),
      certificate: textIn(data, 'certificate'),
      serial_number: textIn(data, 'serial_number'),
    }
  }

  return {
    async createScope(name, { force = false } = {}) {
      const known = await client.read(at('scope', name))
      if (known) throw new RemoteError(400, `scope ${name} exists already`)
      await client.write(at('scope', name), force ? { force } : {})
      return readScope(name)
    },
    listScopes: async () => keys(await client.list(at('scope'))),
    readScope,
    async deleteScope(name, { force = false } = {}) {
      await readScope(name)
      await client.remove(at('scope', name), force ? { force: 'true' } : {})
    },
    async writeRole(scope, name, fields) {
      const { isRoleField } = await import('../scopes/roles.ts')
      refuseUnknown(fields, isRoleField, 'a role')
      await client.write(role(scope, name), fields)
      return readRole(scope, name)
    },
    readRole,
    listRoles: async scope => keys(await client.list(at('scope', scope, 'role'))),
    async deleteRole(scope, name) {
      await readRole(scope, name)
      await client.remove(role(scope, name))
    },
    generateCredential: (scope, name, { format } = {}) =>
      credential(client.write(role(scope, name, 'credential', 'generate'), format === undefined ? {} : { format }), 'credential'),
    signRequest: (scope, name, { csr, format }) =>
      credential(client.write(role(scope, name, 'credential', 'sign'), { csr, ...(format !== undefined && { format }) }), 'credential'),
    async listCredentials(scope, name) {
      const data = (await client.list(role(scope, name, 'credential')))?.data
      const info =
        typeof data?.key_info === 'object' && data.key_info !== null ? { ...(data.key_info as Readonly<Record<string, Data>>) } : {}
      return (data ? textsIn(data, 'keys') : []).map(serial_number => ({
        serial_number,
        createdMs: Date.parse(String(info[serial_number]?.created)),
        notAfterMs: Date.parse(String(info[serial_number]?.expiration)),
      }))
    },
    lookupCredential: (scope, name, { serial_number, format }) =>
      credential(
        client.read(role(scope, name, 'credential', 'lookup'), { serial_number, ...(format !== undefined && { format: String(format) }) }),
        `credential ${serial_number} of role ${name}`,
      ),
    async revokeCredential(scope, name, by) {
      await client.write(role(scope, name, 'credential', 'revoke'), by)
    },
    async caChain() {
      const pem = textIn(needed(await client.read(at('ca')), 'CA: nothing was configured yet'), 'ca_pem')
      const [intermediate = '', root = ''] = pem.split(/\n(?=-----BEGIN)/).map(text => text.trim())
      return [intermediate, root]
    },
    revocations: {
      async pem(ca = '') {
        const pem = await client.text(ca === '' ? at('crl', 'pem') : at('ca', ca, 'crl', 'pem'))
        if (pem === undefined) throw new RemoteError(404, ca === '' ? 'there is no CA yet' : `there is no CA ${ca}`)
        return pem.trimEnd()
      },
    },
    async configuration() {
      return asIs<Awaited<ReturnType<Scopes['configuration']>>>(needed(await client.read(at('config')), 'configuration yet'))
    },
    async writeConfiguration(fields) {
      const { CONFIGURATION_FIELDS } = await import('../scopes/configuration.ts')
      refuseUnknown(fields, field => CONFIGURATION_FIELDS.includes(field), 'the listener')
      await client.write(at('config'), fields)
      return asIs<Awaited<ReturnType<Scopes['configuration']>>>(needed(await client.read(at('config')), 'configuration yet'))
    },
  }
}
