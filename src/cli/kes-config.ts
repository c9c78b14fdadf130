import { readFile } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import type { KesOverrides } from '../kes/config.ts'
import type { KesSettings } from '../kes/settings.ts'
import type { Io } from './io.ts'

/** Read a configuration file of KES: YAML, or TOML as up to v0.7. @throws KesConfigError, and the system's error */
export async function loadKesConfig(file: string, io: Io, overrides: KesOverrides = {}): Promise<KesSettings> {
  const { readKesConfig } = await import('../kes/config.ts')
  const path = resolve(io.cwd, file)
  const text = await readFile(path, 'utf8')
  if (extname(path) !== '.toml') return readKesConfig(text, io.env, overrides)
  const { parse } = await import('smol-toml')
  const { stringify } = await import('yaml')
  return readKesConfig(stringify(parse(text)), io.env, overrides)
}
