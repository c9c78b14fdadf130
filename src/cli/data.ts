import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Mounts } from '../scopes/mounts.ts'
import type { Scopes } from '../scopes/scopes.ts'
import type { KeyProvider } from '../seal/provider.ts'
import type { Records } from '../seal/records.ts'
import type { SharedStore } from '../store/store-owner.ts'
import type { VaultEvent } from '../vault/session.ts'
import { isVaultStoreThere, type Notice, type OpenAs, type OpenedStore, openStore } from './opened-store.ts'
import { vaultClient } from './vault-client.ts'

/** What a server keeps, opened. */
export interface Data {
  readonly records: Records
  readonly mounts: Mounts
  /** For other processes of the server, where this one can have any. */
  readonly shared?: SharedStore | undefined
  /** Whether a provider opens the seal now. @throws SealError: why not */
  prove(provider: KeyProvider): Promise<void>
  close(): Promise<void>
}

/** What a store is opened for; an owner: to read, while another process writes. */
type Purpose = 'server' | 'first' | 'command' | Exclude<OpenAs, string>

/**
 * Open the data of a configuration.
 * @param as `server`: with a writer of its own, once for each database; `command`: for a moment, also beside a server; `first`: the same, and
 * what is not there is made; an owner: one process of several of a server
 * @throws StoreError, SealError
 */
export async function openData(config: Config, as: Purpose): Promise<Data> {
  return withProviders(config, async providers => (await unsealData(config, { as, providers, through: open => open() }))!)
}

export interface Unsealing {
  readonly as: Purpose
  /** Who may open the seal; the caller closes them. */
  readonly providers: readonly KeyProvider[]
  readonly notice?: Notice
  /** Opens store and seal by calling what it is given, once or until that succeeds; nothing: it has given up. */
  through(open: () => Promise<Records>): Promise<Records | undefined>
}

/** The same, by `through`. @returns nothing if that has given up */
export async function unsealData(config: Config, { as, providers, notice, through }: Unsealing): Promise<Data | undefined> {
  const { openRecords } = await import('../seal/sealed-records.ts')
  const { openMounts } = await import('../scopes/mounts.ts')
  const { proveProvider } = await import('../seal/reseal.ts')
  let opened: OpenedStore | undefined
  let records: Records | undefined
  let done = false
  try {
    records = await through(async () => {
      opened ??= await openStore(config, as, notice)
      return openRecords({ store: opened.store, providers })
    })
    if (!records || !opened) return undefined
    const { store, close, shared } = opened
    const mounts = await openMounts({ records, now: Date.now })
    done = true
    return { records, mounts, shared, prove: provider => proveProvider(store, provider), close: () => records!.close().finally(close) }
  } finally {
    if (!done) {
      await records?.close()
      await opened?.close()
    }
  }
}

/**
 * Who may open the seal, by the configuration; `closeAll` ends what they have open.
 * @throws SealError: a key file that cannot be read; VaultError: files of TLS that cannot
 */
export async function providersOf({ seal, store }: Config, onEvent?: (event: VaultEvent) => void): Promise<KeyProvider[]> {
  if (store.kind !== 'memory') return Promise.all(seal.map(entry => providerOf(entry, onEvent)))
  // What is in memory needs no key that outlives it.
  const { localProvider, newLocalKey } = await import('../seal/local-provider.ts')
  return [localProvider(newLocalKey())]
}

/** A server that waits for its seal shall say so soon. */
const SEAL_DEADLINE_MS = 3000

async function providerOf(entry: Config['seal'][number], onEvent?: (event: VaultEvent) => void): Promise<KeyProvider> {
  if (entry.kind === 'vault') {
    const { vaultProvider } = await import('../seal/vault-provider.ts')
    const client = await vaultClient(entry, { deadlineMs: SEAL_DEADLINE_MS, onEvent })
    return vaultProvider({ client, ...entry.transit })
  }
  if (entry.kind === 'passphrase') {
    const { passphraseProvider } = await import('../seal/passphrase-provider.ts')
    return passphraseProvider(entry.name, entry.passphrase)
  }
  const { localProvider, localProviderFromFile } = await import('../seal/local-provider.ts')
  return entry.key === undefined ? localProviderFromFile(entry.keyFile!) : localProvider(entry.key)
}

export function closeAll(providers: readonly KeyProvider[]): void {
  for (const provider of providers) provider.close?.()
}

/** Do something with those who may open the seal. */
export async function withProviders<T>(config: Config, use: (providers: KeyProvider[]) => Promise<T>): Promise<T> {
  const providers = await providersOf(config)
  try {
    return await use(providers)
  } finally {
    closeAll(providers)
  }
}

/**
 * Make the directories and key files that are not there yet. A key file is made only while there is no database: a new key would not open it.
 * @returns the key files that were made
 */
export async function makeKeyFiles({ dataDir, store, seal }: Config): Promise<string[]> {
  const { makeFolder } = await import('../store/durable-files.ts')
  makeFolder(dataDir)
  if (store.kind === 'memory' || (await isThere(store, seal))) return []
  const { createLocalKeyFile } = await import('../seal/local-provider.ts')
  const files = seal.flatMap(entry => (entry.kind === 'local' && entry.keyFile !== undefined ? [entry.keyFile] : []))
  const missing = files.filter(file => !existsSync(file))
  for (const file of missing) {
    makeFolder(dirname(file))
    createLocalKeyFile(file)
  }
  return missing
}

/** Vault is asked only where it matters. */
async function isThere(store: Exclude<Config['store'], { kind: 'memory' }>, seal: Config['seal']): Promise<boolean> {
  if (store.kind === 'sqlite') return existsSync(store.path)
  const isMissing = seal.some(entry => entry.kind === 'local' && entry.keyFile !== undefined && !existsSync(entry.keyFile))
  return !isMissing || isVaultStoreThere(store)
}

/** Write what the configuration file says of settings that the store keeps too, if the store says otherwise; they are those of `kmip/`. */
export async function storeFields(config: Config, mounts: Mounts): Promise<void> {
  const mount = await mounts.at('kmip/')
  if (mount) await storeIn(config, mount.scopes)
}

async function storeIn(config: Config, scopes: Scopes): Promise<void> {
  const { ownAddresses, storedFields } = await import('../config/stored-fields.ts')
  const { listen_addrs, ...shared } = storedFields(config)
  const fields = ownAddresses(config) || listen_addrs === undefined ? shared : { listen_addrs, ...shared }
  const stored: { readonly [field: string]: unknown } = { ...(await scopes.configuration()) }
  const differ = Object.entries(fields).filter(([field, value]) => JSON.stringify(stored[field]) !== JSON.stringify(value))
  if (differ.length > 0) await scopes.writeConfiguration(Object.fromEntries(differ))
}
