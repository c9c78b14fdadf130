import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Io } from './io.ts'
import type { PlaceArguments } from './options.ts'
import { UsageError } from './usage-error.ts'

/** Name of the configuration in a data directory. */
const CONFIG_NAME = 'kmipd.yaml'
export const DEV_DIR = 'kmipd-data'
const SYSTEM_CONFIG = '/etc/kmipd/kmipd.yaml'

/**
 * The configuration file that a command means: `--config`, that of `--data-dir`, `KMIPD_CONFIG`, that of ./kmipd-data if that is there, or
 * the system's. It need not exist in a data directory: then everything there is at its default.
 * @throws UsageError if there is none
 */
export function configFile({ config, dataDir }: PlaceArguments, io: Io): string {
  // A variable of a script that is not set must not mean the working directory.
  if (config === '' || dataDir === '') throw new UsageError(`--${config === '' ? 'config' : 'data-dir'} is empty`)
  if (config !== undefined) return resolve(io.cwd, config)
  if (dataDir !== undefined) return resolve(io.cwd, dataDir, CONFIG_NAME)
  const named = io.env.KMIPD_CONFIG
  if (named) return resolve(io.cwd, named)
  const dev = resolve(io.cwd, DEV_DIR)
  if (existsSync(dev)) return join(dev, CONFIG_NAME)
  if (existsSync(SYSTEM_CONFIG)) return SYSTEM_CONFIG
  throw new UsageError('say where the server is, with --config FILE or --data-dir DIR')
}

/**
 * Read the configuration that a command means.
 * @throws UsageError if there is none, ConfigError if it is wrong or cannot be read
 */
export async function loadConfig(place: PlaceArguments, io: Io): Promise<Loaded> {
  const { parseConfig } = await import('../config/parse.ts')
  const file = configFile(place, io)
  const optional = place.config === undefined && !io.env.KMIPD_CONFIG
  const isThere = !optional || existsSync(file)
  const text = isThere ? await readConfig(file) : ''
  const config = parseConfig(text, file, { env: io.env, readFile: path => readFileSync(path, 'utf8') })
  return { file, isThere, config }
}

export interface Loaded {
  readonly file: string
  /** Otherwise everything is at its default. */
  readonly isThere: boolean
  readonly config: Config
}

/** @throws ConfigError where there is none to read: of a folder the system would not say which, and EACCES it says well */
async function readConfig(file: string): Promise<string> {
  const problem = !existsSync(file)
    ? 'there is no such file'
    : statSync(file).isDirectory()
      ? 'it is a folder; name the file in it, or write --data-dir'
      : undefined
  if (problem === undefined) return readFileSync(file, 'utf8')
  const { ConfigError } = await import('../config/error.ts')
  throw new ConfigError(file, [{ path: '', line: 0, column: 0, message: problem }])
}
