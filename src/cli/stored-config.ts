import { existsSync } from 'node:fs'
import type { Config } from '../config/schema.ts'
import type { Io } from './io.ts'
import type { PlaceArguments } from './options.ts'
import { loadConfig } from './settings.ts'
import { UsageError } from './usage-error.ts'

export type StoredConfig = Config & { readonly store: Exclude<Config['store'], { readonly kind: 'memory' }> }

/** The configuration of a server that keeps its data somewhere. @throws UsageError when it keeps none */
export async function keptConfig(place: PlaceArguments, io: Io): Promise<StoredConfig> {
  const { file, config } = await loadConfig(place, io)
  const { store } = config
  if (store.kind === 'memory') throw new UsageError(`${file} keeps everything in memory; a command has nothing to work on`)
  return { ...config, store }
}

/** The same, of data that is there. @throws UsageError when there is none */
export async function storedConfig(place: PlaceArguments, io: Io): Promise<StoredConfig> {
  const config = await keptConfig(place, io)
  if (config.store.kind === 'sqlite' && !existsSync(config.store.path))
    throw new UsageError(`there is no data in ${config.store.path}; run: kmipd init`)
  return config
}
