import type { VaultConnection } from '../config/vault-schema.ts'
import type { VaultOptions } from './client.ts'
import type { Login, OpenedSecrets, Secret } from './logins.ts'

/** A section that begins with the fields of a connection. */
export type VaultSection = VaultConnection & { readonly transit?: { readonly namespace?: string | undefined } | undefined }

/**
 * A connection as a configuration describes it.
 * @param opened shared by all connections of the process
 */
export function vaultOptions(section: VaultSection, opened?: OpenedSecrets): VaultOptions {
  const { server, namespace, tls, status, transit } = section
  return {
    servers: server,
    namespace,
    ...(transit?.namespace !== undefined && { otherNamespaces: [transit.namespace] }),
    login: loginOf(section, opened),
    tls: { ca: tls.ca, certificate: tls.cert, key: tls.key, serverName: tls.serverName },
    pingMs: status.ping,
    retryMs: section.approle?.retry ?? section.kubernetes?.retry,
  }
}

function loginOf({ approle, kubernetes, token }: VaultConnection, opened: OpenedSecrets | undefined): Login {
  if (approle) return { kind: 'approle', ...approle, ...placeOf(approle), secret: secretOf(approle.secret), opened }
  if (kubernetes) return { kind: 'kubernetes', ...kubernetes, ...placeOf(kubernetes), jwt: jwtOf(kubernetes.jwt) }
  return { kind: 'token', token: secretOf(token ?? '') }
}

/** A slash is the root namespace; nothing is that of use. */
const placeOf = ({ namespace }: { readonly namespace?: string | undefined }) => (namespace === '/' ? { namespace: '' } : {})

const secretOf = (text: string): Secret => (text.startsWith('file:') ? { file: text.slice('file:'.length) } : text)

/** Three parts of base64url are a JWT; anything else is the name of the file that holds it. */
const jwtOf = (text: string): Secret => (/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text) ? text : { file: text.replace(/^file:/, '') })
