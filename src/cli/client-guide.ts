import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface GuideOptions {
  /** How kmipd is called where it was started. */
  readonly program: string
  readonly dataDir: string
  /** Directory of the client's files. */
  readonly client: string
  /** `host:port` as bound. */
  readonly kmip: string
  readonly https: string | undefined
  readonly metrics: string | undefined
  /** With its scheme. */
  readonly admin: string | undefined
  /** File of the root token. */
  readonly tokenFile: string
  readonly isEphemeral: boolean
  readonly isConformance: boolean
}

/** A word of a shell's command, whatever is in it. */
export const quoted = (word: string): string => (/^[\w/.:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

/** How to connect, for people. */
export function guide({
  program,
  dataDir,
  client,
  kmip,
  https,
  metrics,
  admin,
  tokenFile,
  isEphemeral,
  isConformance,
}: GuideOptions): string {
  const { host, port } = reachable(kmip)
  const at = (name: string): string => join(client, name)
  return `
kmipd listens on ${kmip}${https === undefined ? '' : `, https://${https}/kmip`}${metrics === undefined ? '' : `, metrics on http://${metrics}/metrics`}
  data                ${dataDir}${isEphemeral ? ' (objects in memory only)' : ''}
  CA                  ${at('ca.pem')}
  client certificate  ${at('cert.pem')}
  client key          ${at('key.pem')}, both in ${at('client.pem')}

MongoDB
  mongod --enableEncryption --kmipServerName ${host} --kmipPort ${port} \\
    --kmipServerCAFile ${quoted(at('ca.pem'))} \\
    --kmipClientCertificateFile ${quoted(at('client.pem'))}

MySQL: keyring_okv_conf_dir=${client}
  ${okvText(kmip).trimEnd().replaceAll('\n', '\n  ')}

PyKMIP: ${at('pykmip.conf')}
  ${pykmipText(client, kmip).trimEnd().replaceAll('\n', '\n  ')}
${
  admin === undefined
    ? ''
    : `
Vault's commands, and the console at ${admin}/ui/
  export VAULT_ADDR=${admin} VAULT_TOKEN=$(cat ${quoted(tokenFile)})
  vault read kmip/config
`
}
Try it: ${program} client create --name first --client ${quoted(client)}
${isConformance ? '\nThis server is set up for conformance tests: its users and passwords are public. Do not use it for anything else.\n' : ''}
`
}

/** Write `okvclient.ora`, with the `ssl` directory that goes with it, and `pykmip.conf` beside a client's certificate. */
export function writeClientConfigs(client: string, kmip: string): void {
  const ssl = join(client, 'ssl')
  mkdirSync(ssl, { recursive: true, mode: 0o700 })
  for (const [from, to] of [
    ['ca.pem', 'CA.pem'],
    ['cert.pem', 'cert.pem'],
    ['key.pem', 'key.pem'],
  ] as const)
    copyFileSync(join(client, from), join(ssl, to))
  writeFileSync(join(client, 'okvclient.ora'), okvText(kmip))
  writeFileSync(join(client, 'pykmip.conf'), pykmipText(client, kmip))
}

function okvText(kmip: string): string {
  const { host, port } = reachable(kmip)
  return `SERVER=${host}:${port}\nSTANDBY_SERVER=${host}:${port}\n`
}

function pykmipText(client: string, kmip: string): string {
  const { host, port } = reachable(kmip)
  return `[client]
host=${host}
port=${port}
certfile=${join(client, 'cert.pem')}
keyfile=${join(client, 'key.pem')}
ca_certs=${join(client, 'ca.pem')}
cert_reqs=CERT_REQUIRED
do_handshake_on_connect=True
suppress_ragged_eofs=True
`
}

/** Where a client on this machine connects: a listener on all addresses is not one of them. */
export function reachable(bound: string): { readonly host: string; readonly port: string } {
  const colon = bound.lastIndexOf(':')
  const host = bound.slice(0, colon).replace(/[[\]]/g, '')
  return { host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port: bound.slice(colon + 1) }
}
