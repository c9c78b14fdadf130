import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Argv } from 'yargs'
import type { Io } from './io.ts'
import { UsageError } from './usage-error.ts'

/** Where a server's administration is, on the network. */
export interface RemoteArguments {
  readonly address?: string
  readonly caCert?: string
  readonly clientCert?: string
  readonly clientKey?: string
  readonly tlsServerName?: string
  readonly namespace?: string
  readonly mount?: string
}

/** `--address` and what goes with it. A token is never an argument: others could read it in the list of processes. */
export const remoteOptions = <T>(y: Argv<T>) =>
  y
    .option('address', {
      type: 'string',
      requiresArg: true,
      describe:
        'a server to administer over the network; default: KMIPD_ADDR or VAULT_ADDR. Its token is in KMIPD_TOKEN or VAULT_TOKEN, or in ~/.vault-token',
    })
    .option('ca-cert', {
      type: 'string',
      requiresArg: true,
      describe: 'file or directory with the CA of the server; default: KMIPD_CACERT or VAULT_CACERT',
    })
    .option('client-cert', { type: 'string', requiresArg: true, describe: 'certificate to show the server; default: VAULT_CLIENT_CERT' })
    .option('client-key', { type: 'string', requiresArg: true, describe: 'key of it; default: VAULT_CLIENT_KEY' })
    .option('tls-server-name', { type: 'string', requiresArg: true, describe: 'name in the certificate of the server, if not its host' })
    .option('namespace', { type: 'string', requiresArg: true, describe: 'sent as X-Vault-Namespace; default: VAULT_NAMESPACE' })
    .option('mount', { type: 'string', requiresArg: true, default: 'kmip', describe: 'path of the KMIP engine' })

/** What a server refused. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError'
  readonly code = 'remote'
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface RemoteAnswer {
  readonly data?: Readonly<Record<string, unknown>> | null
  readonly auth?: Readonly<Record<string, unknown>> | null
  readonly warnings?: readonly string[] | null
}

type Body = Readonly<Record<string, unknown>>

/** A server's HTTP API. @throws RemoteError, OutgoingError */
export interface AdminClient {
  /** Nothing where the server has nothing. */
  read(path: string, query?: Readonly<Record<string, string>>): Promise<RemoteAnswer | undefined>
  list(path: string): Promise<RemoteAnswer | undefined>
  /** What is no JSON. */
  text(path: string): Promise<string | undefined>
  write(path: string, body?: Body): Promise<RemoteAnswer>
  remove(path: string, query?: Readonly<Record<string, string>>): Promise<void>
  close(): void
}

/** Which server the arguments and the environment name, if any. */
export const addressOf = ({ address }: RemoteArguments, { env }: Io): string | undefined =>
  address ?? (env.KMIPD_ADDR || env.VAULT_ADDR || undefined)

/** @throws UsageError without an address or a token */
async function adminClient(argv: RemoteArguments, io: Io): Promise<AdminClient> {
  const { env } = io
  const address = addressOf(argv, io)
  if (address === undefined) throw new UsageError('say which server, with --address or KMIPD_ADDR')
  if (env.VAULT_SKIP_VERIFY !== undefined && !['', '0', 'false'].includes(env.VAULT_SKIP_VERIFY))
    throw new UsageError('VAULT_SKIP_VERIFY is not obeyed: name the CA of the server with --ca-cert or VAULT_CACERT')
  const token = tokenOf(io)
  if (token === undefined)
    throw new UsageError('there is no token: set KMIPD_TOKEN or VAULT_TOKEN, or log in so that ~/.vault-token is there')
  const { Outgoing } = await import('../http/outgoing.ts')
  const { readAuthorities } = await import('../http/authorities.ts')
  const path = (file: string): string => resolve(io.cwd, file)
  const authorities = argv.caCert ?? env.KMIPD_CACERT ?? env.VAULT_CACERT ?? env.VAULT_CAPATH
  const [certificate, key] = [argv.clientCert ?? env.VAULT_CLIENT_CERT, argv.clientKey ?? env.VAULT_CLIENT_KEY]
  const serverName = argv.tlsServerName ?? env.VAULT_TLS_SERVER_NAME
  const namespace = argv.namespace ?? env.VAULT_NAMESPACE
  const outgoing = new Outgoing({
    origin: originOf(address),
    ...(authorities && { authorities: readAuthorities(path(authorities)) }),
    ...(certificate && { certificate: readFileSync(path(certificate), 'utf8') }),
    ...(key && { key: readFileSync(path(key), 'utf8') }),
    ...(serverName && { serverName }),
  })
  const headers = { 'x-vault-token': token, 'x-vault-request': 'true', ...(namespace && { 'x-vault-namespace': namespace }) }

  async function send(
    method: string,
    path: string,
    query: Readonly<Record<string, string>> = {},
    body?: Body,
  ): Promise<string | undefined> {
    const search = new URLSearchParams(query).toString()
    const target = `/v1/${path.split('/').map(encodeURIComponent).join('/')}${search === '' ? '' : `?${search}`}`
    const answer = await outgoing.request({ method, target, headers, ...(body && { body: JSON.stringify(body) }) })
    const text = answer.body.toString('utf8')
    if (answer.status < 400) return text
    const { errors = [] } = contentOf(text)
    if (answer.status === 404 && errors.length === 0) return undefined
    throw new RemoteError(answer.status, errors.join('; ').trim() || `the server answered with status ${answer.status}`)
  }

  async function ask(...request: Parameters<typeof send>): Promise<RemoteAnswer | undefined> {
    const text = await send(...request)
    if (text === undefined) return undefined
    const rest = contentOf(text)
    for (const warning of rest.warnings ?? []) io.stderr.write(`kmipd: ${warning}\n`)
    return rest
  }

  return {
    read: (path, query) => ask('GET', path, query),
    list: path => ask('GET', path, { list: 'true' }),
    text: path => send('GET', path),
    write: async (path, body = {}) => (await ask('PUT', path, {}, body)) ?? {},
    async remove(path, query) {
      await ask('DELETE', path, query)
    },
    close: () => outgoing.close(),
  }
}

function contentOf(text: string): RemoteAnswer & { readonly errors?: readonly string[] } {
  const content: unknown = text === '' ? {} : JSON.parse(text)
  return typeof content === 'object' && content !== null ? content : {}
}

function originOf(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new UsageError(`${address} is no address; write https://host:8200`)
  return url.origin
}

function tokenOf({ env }: Io): string | undefined {
  const given = env.KMIPD_TOKEN ?? env.VAULT_TOKEN
  if (given !== undefined && given.trim() !== '') return given.trim()
  const file = join(env.HOME ?? '', '.vault-token')
  if (!env.HOME || !existsSync(file)) return undefined
  return readFileSync(file, 'utf8').trim() || undefined
}

/** Do something with a server's API. @throws UsageError, RemoteError, OutgoingError, and what `use` throws */
export async function withAdminClient<T>(argv: RemoteArguments, io: Io, use: (client: AdminClient) => Promise<T>): Promise<T> {
  const client = await adminClient(argv, io)
  try {
    return await use(client)
  } finally {
    client.close()
  }
}
