import type { Config } from '../config/schema.ts'
import type { VaultStore } from '../config/vault-schema.ts'
import type { Slots } from '../store/slots.ts'
import type { SqliteStore } from '../store/sqlite.ts'
import type { SqliteContents } from '../store/sqlite-contents.ts'
import type { UnitsMessage } from '../store/sqlite-message.ts'
import type { Store } from '../store/store.ts'
import type { SharedStore, StoreOwner } from '../store/store-owner.ts'
import type { StoredRecord } from '../store/stored-record.ts'
import type { VaultClient } from '../vault/client.ts'
import { vaultClient } from './vault-client.ts'

/**
 * What a store is opened for. `server`: with a writer of its own, for long; `command`: for a moment, also beside a server; `first`: the same,
 * where there may be none yet; `reader`: the same as `command`, and nothing is written; `alone`: nobody else uses it until it is closed; `new`:
 * there must be none, and it is none before `finish`; an owner: in a process of a server's, for which another one has the store.
 */
export type OpenAs = 'server' | 'command' | 'first' | 'reader' | 'alone' | 'new' | StoreOwner

/** Everything in a store, oldest first. */
export interface Contents {
  readonly count: number
  records(): Iterable<StoredRecord> | AsyncIterable<StoredRecord>
  /** What is wrong with how the store keeps its records, in words for an operator. */
  problems(): string[]
  close(): void
}

export interface OpenedStore {
  readonly store: Store
  /** Where other processes of the server can use it through this one. */
  readonly shared?: SharedStore
  /** @param as `moment`: all as it is at this moment; `current`: each record as it is when it is read */
  contents(as: 'moment' | 'current'): Promise<Contents>
  /** Wrap data keys anew; where there are none, absent. */
  rewrap?(): Promise<{ readonly keys: number; readonly rewrapped: number }>
  /** The data keys, and the oldest version of the key in Vault that opens them; where there are none, absent. */
  dataKeys?(): Promise<{ readonly keys: number; readonly oldest: number | undefined }>
  /** What was opened as `new` is whole. */
  finish(): Promise<void>
  close(): Promise<void>
}

/** Where it is, for people. */
export const nameOf = (store: Config['store']): string =>
  store.kind === 'vault' ? `${store.mount}/${store.prefix} in ${store.server[0]}` : store.kind === 'sqlite' ? store.path : 'memory'

export type Notice = (message: string, cause?: unknown) => void

/** Open the store of a configuration, below the seal. @throws StoreError, VaultError */
export async function openStore({ store, dataDir }: Pick<Config, 'store' | 'dataDir'>, as: OpenAs, notice?: Notice): Promise<OpenedStore> {
  if (store.kind === 'memory') return openMemory()
  if (store.kind === 'sqlite') return openFile(store.path, as)
  return typeof as === 'string' ? openVault(store, dataDir, as, notice) : openVaultCopy(store, as)
}

async function openMemory(): Promise<OpenedStore> {
  const { MemoryStore } = await import('../store/memory.ts')
  const store = new MemoryStore()
  return {
    store,
    contents: async () => {
      throw await storeUnavailable('what is in memory is seen by its server alone')
    },
    finish: async () => undefined,
    close: () => store.close(),
  }
}

interface OpenFile {
  readonly store: SqliteStore
  readonly lock: { close(): void }
  /** Of a store that is made anew. */
  readonly partial: NewFile | undefined
  readonly contents: (as: 'moment' | 'current') => Contents
}

async function openFile(path: string, as: OpenAs): Promise<OpenedStore> {
  const { openSqlite } = await import('../store/sqlite.ts')
  const { SqliteContents } = await import('../store/sqlite-contents.ts')
  const { lockUse } = await import('../store/sqlite-use-lock.ts')
  const partial = as === 'new' ? await newFile(path) : undefined
  let store: SqliteStore | undefined
  let lock: { close(): void } | undefined
  try {
    store = await openSqlite({
      path: partial?.path ?? path,
      ...(typeof as === 'string' ? { directWriter: as !== 'server' } : { writer: as.writer }),
    })
    lock = partial ? { close: () => undefined } : lockUse(path, as === 'alone' ? 'alone' : 'shared')
  } finally {
    if (!lock) {
      await store?.close()
      partial?.end(false)
    }
  }
  return openedFile(as, { store, lock, partial, contents: how => SqliteContents.open(partial?.path ?? path, how) })
}

function openedFile(as: OpenAs, { store, lock, partial, contents }: OpenFile): OpenedStore {
  let isWhole = false
  return {
    store,
    ...(as === 'server' && { shared: { forward: (units: UnitsMessage) => store.forward(units) } }),
    contents: async how => contents(how),
    async finish() {
      if (partial) store.gather()
      isWhole = true
    },
    async close() {
      let isClosed = false
      try {
        await store.close().finally(() => lock.close())
        isClosed = true
      } finally {
        partial?.end(isWhole && isClosed)
      }
    },
  }
}

interface NewFile {
  readonly path: string
  end(isWhole: boolean): void
}

/** Only a file that came to its end gets its name; what a killed process left behind is begun anew, unless that is still at it. */
async function newFile(path: string): Promise<NewFile> {
  const { closeSync, existsSync, openSync, renameSync, rmSync } = await import('node:fs')
  const { dirname } = await import('node:path')
  const { makeFolder, syncFolder } = await import('../store/durable-files.ts')
  const { refuseLeftovers } = await import('../store/sqlite.ts')
  const { lockServer } = await import('../store/sqlite-lock.ts')
  const { UsageError } = await import('./usage-error.ts')
  const refuseData = (): void => {
    if (existsSync(path)) throw new UsageError(`there is data in ${path} already; give another directory`)
    refuseLeftovers(path)
  }
  refuseData()
  makeFolder(dirname(path))
  const partial = `${path}.restoring`
  const lockFile = `${partial}-lock`
  closeSync(openSync(lockFile, 'a', 0o600))
  const lock = lockServer(partial, `another command is making ${path}: wait for its end`)
  const clear = (): void => {
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${partial}${end}`, { force: true })
  }
  const unlock = (): void => {
    rmSync(lockFile, { force: true })
    lock.close()
  }
  let isBegun = false
  try {
    // Whoever had the lock until now may have come to its end.
    refuseData()
    clear()
    isBegun = true
  } finally {
    if (!isBegun) unlock()
  }
  return {
    path: partial,
    end(isWhole) {
      try {
        if (isWhole) {
          renameSync(partial, path)
          syncFolder(dirname(path))
        }
        clear()
      } finally {
        unlock()
      }
    },
  }
}

async function openVault(section: VaultStore, dataDir: string, as: Exclude<OpenAs, StoreOwner>, notice?: Notice): Promise<OpenedStore> {
  const { openLog } = await import('../store/log-open.ts')
  const { USUAL_COMPACTION } = await import('../store/log-compaction.ts')
  const { SqliteContents } = await import('../store/sqlite-contents.ts')
  const { slots, client, version } = await vaultSlots(section, as === 'server' ? notice : undefined)
  const isAlone = as === 'alone' || as === 'new' || version === 1
  const log = await openLog({
    slots,
    dir: dataDir,
    expect: as === 'new' ? 'new' : as === 'server' || as === 'first' ? 'any' : 'there',
    deadlineMs: section.deadline,
    stalenessMs: as === 'server' ? section.maxStaleness : 0,
    follow: as === 'server',
    ...(as !== 'reader' && { presence: isAlone ? 'alone' : 'shared' }),
    ...(as === 'server' && { compaction: { ...USUAL_COMPACTION, retentionMs: section.retention } }),
    ...(notice && { notice }),
  })
  const raw = async (how: 'moment' | 'current') => {
    await log.settle()
    return SqliteContents.open(log.path, how)
  }
  let isRight = false
  try {
    await refuseOtherWrapping(section, log, raw)
    isRight = true
  } finally {
    if (!isRight) await log.close()
  }
  const wrapping = section.transit && (await wrappedBy(section.transit, client, log))
  const shared = { forward: (units: UnitsMessage) => log.forward(units), copy: log }
  if (!wrapping) return { store: log, shared, contents: raw, finish: () => log.finish(), close: () => log.close() }
  const { store, source, rewrapKeys } = wrapping
  return {
    ...{ store, shared },
    async contents(how) {
      const contents = await raw(how)
      const count = contents.count - (await log.find('kmipd.transit', [], { limit: 100_000 })).length
      return {
        count,
        records: () => store.unwrapAll(contents.records()),
        problems: () => contents.problems(),
        close: () => contents.close(),
      }
    },
    async dataKeys() {
      const { keysInUse } = await import('../seal/wrapped-store.ts')
      const { keyVersionOf } = await import('../vault/transit.ts')
      const contents = await raw('current')
      try {
        return keysInUse(contents.records(), keyVersionOf)
      } finally {
        contents.close()
      }
    },
    async rewrap() {
      const contents = await raw('current')
      try {
        return await rewrapKeys(log, contents.records(), source)
      } finally {
        contents.close()
      }
    },
    finish: () => log.finish(),
    close: () => store.close(),
  }
}

/** Nodes of one store, and the commands beside them, have data keys of transit or have none. @throws StoreError `unavailable` */
async function refuseOtherWrapping(
  { transit }: VaultStore,
  log: Store,
  contentsOf: (how: 'moment') => Promise<SqliteContents>,
): Promise<void> {
  const { isStoreWrapped } = await import('../seal/wrapped-store.ts')
  const contents = await contentsOf('moment')
  try {
    const isWrapped = await isStoreWrapped(log, contents.records())
    if (isWrapped === true && !transit)
      throw await storeUnavailable('data keys of transit encrypt the store: write store.transit as where it was made')
    if (isWrapped === false && transit)
      throw await storeUnavailable('the store was made without data keys of transit: leave out store.transit, or see: kmipd store migrate')
  } finally {
    contents.close()
  }
}

/** The copy that another process of the server keeps, and writes for this one. Vault is needed here for the keys of transit alone. */
async function openVaultCopy(section: VaultStore, { writer, copy }: StoreOwner): Promise<OpenedStore> {
  const { CopyStore } = await import('../store/copy-store.ts')
  if (!copy) throw await storeUnavailable('the process that owns the store has it elsewhere: restart kmipd')
  const store = new CopyStore({ writer, copy, stalenessMs: section.maxStaleness })
  const owned = {
    contents: async () => {
      throw await storeUnavailable('the contents of the store are read by the process that owns it')
    },
    finish: async () => undefined,
  }
  if (!section.transit) return { ...owned, store, close: () => store.close() }
  const client = await vaultClient(section)
  const wrapping = await wrappedBy(section.transit, client, store)
  return { ...owned, store: wrapping.store, close: () => wrapping.store.close().finally(() => client.close()) }
}

async function wrappedBy(transit: NonNullable<VaultStore['transit']>, client: VaultClient, log: Store) {
  const { DataKeys } = await import('../seal/data-keys.ts')
  const { transitKeys } = await import('../seal/transit-keys.ts')
  const { rewrapKeys, WrappedStore } = await import('../seal/wrapped-store.ts')
  const source = transitKeys(client.transit(transit.path, { namespace: transit.namespace }), transit.key)
  const store = new WrappedStore(log, { keys: new DataKeys(source), by: transit.dataKeys, nowMs: Date.now })
  return { store, source, rewrapKeys }
}

/** Whether there is a store in Vault. @throws VaultError, StoreError */
export async function isVaultStoreThere(section: VaultStore): Promise<boolean> {
  const { isLogThere } = await import('../store/log-open.ts')
  const { slots } = await vaultSlots(section)
  try {
    return await isLogThere(slots)
  } finally {
    await slots.close()
  }
}

async function vaultSlots(section: VaultStore, notice?: Notice) {
  const { KvV1Slots, KvV2Slots } = await import('../store/vault-slots.ts')
  const { mount, prefix, maxStaleness, deadline: deadlineMs } = section
  const client = await vaultClient(section)
  let isOpen = false
  try {
    await client.ready()
    const { version } = await client.kv(mount)
    if (notice && maxStaleness === 0) {
      const problem = await client.freshness()
      if (problem !== undefined) notice(`what other nodes commit may be seen late: ${problem}`)
    }
    const place = { client, mount, prefix, deadlineMs, version }
    const slots: Slots = version === 2 ? new KvV2Slots(place) : new KvV1Slots(place)
    isOpen = true
    return { slots, client, version }
  } finally {
    if (!isOpen) client.close()
  }
}

/** The class is loaded only when something failed. */
async function storeUnavailable(message: string): Promise<Error> {
  const { StoreError } = await import('../store/store.ts')
  return new StoreError('unavailable', message)
}
