import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { KeyStore } from '../keystore/keystore.ts'
import type { KeyStoreSettings } from '../keystore/settings.ts'
import type { Io } from './io.ts'
import type { PlaceArguments } from './options.ts'
import { storedConfig } from './stored-config.ts'

export interface OpenedKeyStore {
  readonly store: KeyStore
  close(): Promise<void>
}

/**
 * The key store that a file names: a configuration of KES, or of kmipd, which means its KMIP objects.
 * @param scope of the objects, where the file names none
 * @throws KesConfigError, KeyStoreError, UsageError, and the system's error when the file cannot be read
 */
export async function openNamedKeyStore(file: string, scope: string, io: Io): Promise<OpenedKeyStore> {
  const settings = await settingsIn(file, io)
  if (settings === undefined) return openNative({ config: file }, scope, io)
  if (settings.kind === 'native') return openNative({}, settings.scope, io)
  const { openKeyStore } = await import('../keystore/open.ts')
  const warn = (level: string, message: string): unknown => level !== 'info' && io.stderr.write(`${message}\n`)
  const store = await openKeyStore(inDirectory(settings, io.cwd), { onEvent: ({ level, message }) => void warn(level, message) })
  return { store, close: () => store.close() }
}

/** Nothing: the file is none of KES's. */
async function settingsIn(file: string, io: Io): Promise<KeyStoreSettings | undefined> {
  const { Section } = await import('../kes/yaml-reader.ts')
  const { readKeyStore } = await import('../kes/config-keystore.ts')
  const section = Section.parse(readFileSync(resolve(io.cwd, file), 'utf8'), io.env)
  if (section.at('keystore').isThere) return readKeyStore(section.at('keystore'))
  // That was its name before v0.13.6; later it is a list of keys.
  return section.at('keys').isMap ? readKeyStore(section.at('keys')) : undefined
}

/** Relative paths are of the directory in which the command runs, as KES has it. */
function inDirectory(settings: KeyStoreSettings, cwd: string): KeyStoreSettings {
  if (settings.kind === 'fs') return { ...settings, path: resolve(cwd, settings.path) }
  if (settings.kind !== 'vault' && settings.kind !== 'entrust') return settings
  const tls = settings.tls && Object.fromEntries(Object.entries(settings.tls).map(([name, path]) => [name, resolve(cwd, path)]))
  return { ...settings, ...(tls && { tls }) }
}

/** Keys as KMIP objects of a server, running or not. */
async function openNative(place: PlaceArguments, scope: string, io: Io): Promise<OpenedKeyStore> {
  const config = await storedConfig(place, io)
  const { openData } = await import('./data.ts')
  const { createEngine } = await import('../ops/create-engine.ts')
  const { identifierSource } = await import('../ops/identifier.ts')
  const { NativeKeyStore } = await import('../keystore/native.ts')
  const { records, mounts, close } = await openData(config, 'command')
  const now = (): bigint => BigInt(Math.floor(Date.now() / 1000))
  const newId = identifierSource(Date.now, randomBytes)
  let store: KeyStore | undefined
  try {
    const engine = createEngine({ records, now, randomBytes, newId })
    const scopes = await mounts.scopesAt('kmip/')
    store = await NativeKeyStore.open({ records, scopes, engine, scope, now, newId })
    return { store, close }
  } finally {
    if (store === undefined) await close()
  }
}
