import { readFileSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import type { KesOverrides } from '../kes/config.ts'
import type { KesSettings } from '../kes/settings.ts'
import type { Io } from './io.ts'
import { UsageError } from './usage-error.ts'

/** Read a configuration file of KES: YAML, or TOML as up to v0.7. @throws UsageError, KesConfigError */
export async function loadKesConfig(file: string, io: Io, overrides: KesOverrides = {}): Promise<KesSettings> {
  const { readKesConfig } = await import('../kes/config.ts')
  const path = resolve(io.cwd, file)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`the configuration file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (extname(path) !== '.toml') return readKesConfig(text, io.env, overrides)
  const { parse } = await import('smol-toml')
  const { stringify } = await import('yaml')
  return readKesConfig(stringify(parse(text)), io.env, overrides)
}
