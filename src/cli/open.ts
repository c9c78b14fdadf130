import type { Config } from '../config/schema.ts'
import { addressOf, type RemoteArguments, withAdminClient } from './admin-client.ts'
import type { Data } from './data.ts'
import type { Io } from './io.ts'
import type { PlaceArguments } from './options.ts'
import type { Administration } from './remote-scopes.ts'
import { storedConfig } from './stored-config.ts'

/**
 * Do something with a server's data, running or not, and close it.
 * @throws UsageError when there is no data, and what the store, the seal and `use` throw
 */
export async function withData<T>(place: PlaceArguments, io: Io, use: (data: Data, config: Config) => Promise<T>): Promise<T> {
  const config = await storedConfig(place, io)
  const { openData } = await import('./data.ts')
  const data = await openData(config, 'command')
  try {
    return await use(data, config)
  } finally {
    await data.close()
  }
}

export interface AdministrationArguments extends PlaceArguments, RemoteArguments {
  readonly json?: boolean
}

/** How a command goes on with an administration. */
export interface Administering {
  /** Absent where the administration is that of a server on the network, which knows its own. */
  readonly config?: Config
  /** Print JSON: asked for, or the output of a server on the network goes to a program. */
  readonly json: boolean
}

/**
 * The same with the administration of an engine alone: that of a server on the network where one is named, by `--address` or, unless the
 * data are, in the environment.
 */
export async function withScopes<T>(
  argv: AdministrationArguments,
  io: Io,
  use: (scopes: Administration, how: Administering) => Promise<T>,
): Promise<T> {
  const { json, mount = 'kmip' } = argv
  const isHere = argv.config !== undefined || argv.dataDir !== undefined
  if (!isHere && addressOf(argv, io) !== undefined)
    return withAdminClient(argv, io, async client => {
      const { remoteScopes } = await import('./remote-scopes.ts')
      return use(remoteScopes(client, mount), { json: json ?? io.isTerminal !== true })
    })
  return withData(argv, io, async ({ mounts }, config) =>
    use(await mounts.scopesAt(`${mount.replace(/^\/+|\/+$/g, '')}/`), { config, json: json === true }),
  )
}
