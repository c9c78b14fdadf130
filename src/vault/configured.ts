import type { VaultConnection } from '../config/vault-schema.ts'
import type { VaultOptions } from './client.ts'
import type { Login, Secret } from './logins.ts'

/** A connection as a configuration describes it. */
export function vaultOptions(section: VaultConnection): VaultOptions {
  const { server, namespace, tls, status } = section
  return {
    servers: server,
    namespace,
    login: loginOf(section),
    tls: { ca: tls.ca, certificate: tls.cert, key: tls.key, serverName: tls.serverName },
    pingMs: status.ping,
    retryMs: section.approle?.retry ?? section.kubernetes?.retry,
  }
}

function loginOf({ approle, kubernetes, token }: VaultConnection): Login {
  if (approle) return { kind: 'approle', ...approle, secret: secretOf(approle.secret) }
  if (kubernetes) return { kind: 'kubernetes', ...kubernetes, jwt: jwtOf(kubernetes.jwt) }
  return { kind: 'token', token: secretOf(token ?? '') }
}

const secretOf = (text: string): Secret => (text.startsWith('file:') ? { file: text.slice('file:'.length) } : text)

/** Three parts of base64url are a JWT; anything else is the name of the file that holds it. */
const jwtOf = (text: string): Secret => (/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text) ? text : { file: text.replace(/^file:/, '') })
