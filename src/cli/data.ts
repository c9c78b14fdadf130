import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Scopes } from '../scopes/scopes.ts'
import type { KeyProvider } from '../seal/provider.ts'
import type { Records } from '../seal/records.ts'
import type { Store } from '../store/store.ts'

/** What a server keeps, opened. */
export interface Data {
  readonly records: Records
  readonly scopes: Scopes
  close(): Promise<void>
}

/**
 * Open the data of a configuration.
 * @param as `server`: with a writer of its own, once for each database; `command`: for a moment, also beside a server
 * @throws StoreError, SealError
 */
export async function openData(config: Config, as: 'server' | 'command'): Promise<Data> {
  const { openRecords } = await import('../seal/sealed-records.ts')
  const { openScopes } = await import('../scopes/scopes.ts')
  const providers = await providersOf(config)
  const { store, close } = await openStore(config, as)
  let records: Records | undefined
  let opened = false
  try {
    records = await openRecords({ store, providers })
    const scopes = await openScopes({ records, now: Date.now })
    opened = true
    return { records, scopes, close: () => records!.close().finally(close) }
  } finally {
    if (!opened) {
      await records?.close()
      await close()
    }
  }
}

export interface OpenedStore {
  readonly store: Store
  close(): Promise<void>
}

/**
 * Open the store below the seal.
 * @param as `rotation`: alone; nobody else uses it until it is closed
 * @throws StoreError
 */
export async function openStore({ store }: Config, as: 'server' | 'command' | 'rotation'): Promise<OpenedStore> {
  if (store.kind === 'memory') {
    const memory = new (await import('../store/memory.ts')).MemoryStore()
    return { store: memory, close: () => memory.close() }
  }
  const { openSqlite } = await import('../store/sqlite.ts')
  const { lockUse } = await import('../store/sqlite-use-lock.ts')
  const opened = await openSqlite({ path: store.path, directWriter: as !== 'server' })
  let lock: { close(): void } | undefined
  try {
    lock = lockUse(store.path, as === 'rotation' ? 'alone' : 'shared')
  } finally {
    if (!lock) await opened.close()
  }
  return { store: opened, close: () => opened.close().finally(() => lock.close()) }
}

/** Who may open the seal, by the configuration. @throws SealError: a key file that cannot be read */
export async function providersOf({ seal, store }: Config): Promise<KeyProvider[]> {
  const { localProvider, localProviderFromFile, newLocalKey } = await import('../seal/local-provider.ts')
  const { passphraseProvider } = await import('../seal/passphrase-provider.ts')
  // What is in memory needs no key that outlives it.
  if (store.kind === 'memory') return [localProvider(newLocalKey())]
  return seal.map(entry => {
    if (entry.kind === 'passphrase') return passphraseProvider(entry.name, entry.passphrase)
    return entry.key === undefined ? localProviderFromFile(entry.keyFile!) : localProvider(entry.key)
  })
}

/**
 * Make the directories and key files that are not there yet. A key file is made only while there is no database: a new key would not open it.
 * @returns the key files that were made
 */
export async function makeKeyFiles({ dataDir, store, seal }: Config): Promise<string[]> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  if (store.kind === 'memory' || existsSync(store.path)) return []
  const { createLocalKeyFile } = await import('../seal/local-provider.ts')
  const files = seal.flatMap(entry => (entry.kind === 'local' && entry.keyFile !== undefined ? [entry.keyFile] : []))
  const missing = files.filter(file => !existsSync(file))
  for (const file of missing) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    createLocalKeyFile(file)
  }
  return missing
}

/** Write what the configuration file says of settings that the store keeps too, if the store says otherwise. */
export async function storeFields(config: Config, scopes: Scopes): Promise<void> {
  const { storedFields } = await import('../config/stored-fields.ts')
  const fields = storedFields(config)
  const stored: { readonly [field: string]: unknown } = { ...(await scopes.configuration()) }
  const differ = Object.entries(fields).filter(([field, value]) => JSON.stringify(stored[field]) !== JSON.stringify(value))
  if (differ.length > 0) await scopes.writeConfiguration(Object.fromEntries(differ))
}
