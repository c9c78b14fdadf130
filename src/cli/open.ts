import { existsSync } from 'node:fs'
import type { Config } from '../config/schema.ts'
import type { Scopes } from '../scopes/scopes.ts'
import type { Io } from './io.ts'
import type { PlaceArguments } from './options.ts'
import { loadConfig } from './settings.ts'
import { UsageError } from './usage-error.ts'

/**
 * Do something with the administration of a server's data, running or not, and close it.
 * @throws UsageError when there is no data, and what the store, the seal and `use` throw
 */
export async function withScopes<T>(place: PlaceArguments, io: Io, use: (scopes: Scopes, config: Config) => Promise<T>): Promise<T> {
  const { file, config } = await loadConfig(place, io)
  if (config.store.kind === 'memory') throw new UsageError(`${file} keeps everything in memory; a command has nothing to work on`)
  if (!existsSync(config.store.path)) throw new UsageError(`there is no data in ${config.store.path}; run: kmipd init`)
  const { openData } = await import('./data.ts')
  const data = await openData(config, 'command')
  try {
    return await use(data.scopes, config)
  } finally {
    await data.close()
  }
}
