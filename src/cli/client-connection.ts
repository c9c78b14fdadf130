import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Argv } from 'yargs'
import type { KmipClient } from '../client/client.ts'
import { addressArgument } from './address-argument.ts'
import type { Io } from './io.ts'
import { jsonOption } from './options.ts'
import { DEV_DIR } from './settings.ts'
import { UsageError } from './usage-error.ts'

export interface ConnectionArguments {
  readonly server?: string
  readonly client: string
  readonly serverName?: string
  readonly json?: boolean
}

export const connectionOptions = <T>(y: Argv<T>) =>
  jsonOption(y)
    .option('server', { type: 'string', requiresArg: true, describe: 'host:port; default: the development server here, or 127.0.0.1:5696' })
    .option('client', {
      type: 'string',
      requiresArg: true,
      default: join(DEV_DIR, 'clients', 'default'),
      describe: 'directory with ca.pem, cert.pem and key.pem',
    })
    .option('server-name', {
      type: 'string',
      requiresArg: true,
      describe: 'name to find in the certificate of the server, if not its host',
    })

/** Do something with a connection, and close it. @throws ClientError, and what `use` throws */
export async function withClient<T>(argv: ConnectionArguments, io: Io, use: (client: KmipClient) => Promise<T>): Promise<T> {
  const { KmipClient } = await import('../client/client.ts')
  const dir = resolve(io.cwd, argv.client)
  if (!existsSync(join(dir, 'cert.pem')))
    throw new UsageError(`there is no cert.pem in ${dir}; say where the credential is, with --client DIR`)
  const address = await addressArgument('server', argv.server ?? boundAddress(dir) ?? '127.0.0.1:5696')
  if (!address) throw new UsageError('say which server')
  const { host, port } = address
  const client = await KmipClient.connect({
    host,
    port,
    ca: readFileSync(join(dir, 'ca.pem')),
    cert: readFileSync(join(dir, 'cert.pem')),
    key: readFileSync(join(dir, 'key.pem')),
    ...(argv.serverName !== undefined && { serverName: argv.serverName }),
  })
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** Where the server listens whose data directory this credential stands in. */
function boundAddress(dir: string): string | undefined {
  const file = resolve(dir, '..', '..', 'listeners.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { kmip?: string }).kmip : undefined
}
