import type { Config } from '../config/schema.ts'
import type { Scopes } from '../scopes/scopes.ts'
import type { Data } from './data.ts'
import type { Io } from './io.ts'
import type { PlaceArguments } from './options.ts'
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

/** The same with its administration alone. */
export const withScopes = <T>(place: PlaceArguments, io: Io, use: (scopes: Scopes, config: Config) => Promise<T>): Promise<T> =>
  withData(place, io, async ({ mounts }, config) => use(await mounts.scopesAt('kmip/'), config))
