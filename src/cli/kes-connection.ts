import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Argv } from 'yargs'
import type { KesClient } from '../client/kes-client.ts'
import type { Io } from './io.ts'
import type { KesCredential } from './kes-credential.ts'
import { KesCommandError } from './kes-error.ts'

export interface KesArguments {
  readonly insecure?: boolean
  readonly server?: string
  readonly apiKey?: string
  readonly ca?: string
}

/** Environment variables, the first that is set counts. Those of MinIO are taken too, and those of KES before 2020. */
const KES_ENVIRONMENT = {
  server: ['MINIO_KES_SERVER', 'KES_SERVER', 'MINIO_KMS_KES_ENDPOINT'],
  apiKey: ['MINIO_KES_API_KEY', 'KES_API_KEY', 'MINIO_KMS_KES_API_KEY'],
  key: ['MINIO_KES_KEY_FILE', 'KES_CLIENT_KEY', 'MINIO_KES_CLIENT_KEY', 'KES_CLIENT_TLS_KEY_FILE'],
  cert: ['MINIO_KES_CERT_FILE', 'KES_CLIENT_CERT', 'MINIO_KES_CLIENT_CERT', 'KES_CLIENT_TLS_CERT_FILE'],
  ca: ['SSL_CERT_FILE'],
} as const
const DEFAULT_SERVER = '127.0.0.1:7373'

/** @param short letters for options, where the command has them */
export const kesOptions = <T>(y: Argv<T>, short: { readonly server?: string; readonly apiKey?: string } = {}) =>
  y
    .option('insecure', { type: 'boolean', alias: 'k', describe: 'do not check the certificate of the server' })
    .option('server', {
      type: 'string',
      requiresArg: true,
      ...(short.server !== undefined && { alias: short.server }),
      describe: `host:port, several with commas; default: $${KES_ENVIRONMENT.server.join(', $')}, or ${DEFAULT_SERVER}`,
    })
    .option('api-key', {
      type: 'string',
      requiresArg: true,
      ...(short.apiKey !== undefined && { alias: short.apiKey }),
      describe: `kes:v1:...; default: $${KES_ENVIRONMENT.apiKey.join(', $')}`,
    })
    .option('ca', {
      type: 'string',
      requiresArg: true,
      describe: 'PEM file to know the server by, besides the authorities of the system; default: $SSL_CERT_FILE',
    })
    // KES had tenants once; their names are taken, and mean nothing.
    .option('enclave', { type: 'string', alias: 'e', requiresArg: true, hidden: true })

export const jsonFlag = <T>(y: Argv<T>) =>
  y
    .option('json', { type: 'boolean', describe: 'print JSON' })
    .option('color', { type: 'string', requiresArg: true, hidden: true, describe: 'taken and without effect: nothing is coloured' })

const fromEnvironment = (names: readonly string[], io: Io): string | undefined =>
  names.map(name => io.env[name]).find(value => value !== undefined && value !== '')

/** Do something with a client of the server that options and environment name. @throws KesCommandError */
export async function withKes<T>(argv: KesArguments, io: Io, use: (client: KesClient) => Promise<T>): Promise<T> {
  const { KesClient } = await import('../client/kes-client.ts')
  const { cert, key } = await credentialOf(argv, io)
  const ca = argv.ca ?? fromEnvironment(KES_ENVIRONMENT.ca, io)
  const client = new KesClient({
    endpoints: endpointsOf(argv, io),
    ...{ cert, key, insecure: argv.insecure ?? false },
    ...(ca !== undefined && { ca: resolve(io.cwd, ca) }),
  })
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

function endpointsOf({ server }: KesArguments, io: Io): string[] {
  const text = server ?? fromEnvironment(KES_ENVIRONMENT.server, io) ?? DEFAULT_SERVER
  const endpoints = text.split(',').map(part => part.trim())
  return endpoints.map(endpoint => {
    const url = /^https?:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`
    if (!URL.canParse(url) || !url.startsWith('https:')) throw new KesCommandError(`'${endpoint}' is no address of a KES server`)
    return url.replace(/\/+$/, '')
  })
}

async function credentialOf({ apiKey: given }: KesArguments, io: Io): Promise<KesCredential> {
  const { keyOfApiKey, selfSigned } = await import('./kes-credential.ts')
  const { identityOfKey } = await import('../kes/identity.ts')
  const { spkiOf } = await import('../pki/keys.ts')
  const apiKey = given ?? fromEnvironment(KES_ENVIRONMENT.apiKey, io)
  const keyFile = fromEnvironment(KES_ENVIRONMENT.key, io)
  const certFile = fromEnvironment(KES_ENVIRONMENT.cert, io)
  if (apiKey !== undefined) {
    if (given === undefined && (keyFile !== undefined || certFile !== undefined))
      throw new KesCommandError('an API key and a TLS client certificate are set; set one of them')
    const key = keyOfApiKey(apiKey)
    return { key: pemOf(key), cert: selfSigned(key, { commonName: identityOfKey(spkiOf(key)) }) }
  }
  if (keyFile === undefined && certFile === undefined)
    throw new KesCommandError(`no API key specified. Consider setting ${KES_ENVIRONMENT.apiKey[0]}`)
  if (keyFile === undefined) throw new KesCommandError(`no TLS client private key. Consider setting ${KES_ENVIRONMENT.key[0]}`)
  if (certFile === undefined) throw new KesCommandError(`no TLS client certificate. Consider setting ${KES_ENVIRONMENT.cert[0]}`)
  const cert = readFileSync(resolve(io.cwd, certFile), 'latin1')
  return { cert, key: pemOf(await privateKeyIn(readFileSync(resolve(io.cwd, keyFile), 'latin1'), keyFile, io)) }
}

const pemOf = (key: KeyObject): string => String(key.export({ format: 'pem', type: 'pkcs8' }))

/** A private key; for one that is encrypted, the password is asked for. */
async function privateKeyIn(pem: string, file: string, io: Io): Promise<KeyObject> {
  const isEncrypted = /ENCRYPTED/.test(pem)
  if (!isEncrypted) return createPrivateKey(pem)
  if (io.askPassword === undefined)
    throw new KesCommandError(`the private key in ${file} is encrypted, and nobody can be asked for its password`)
  return createPrivateKey({ key: pem, passphrase: await io.askPassword(`Enter password for private key '${file}': `) })
}
