import { timingSafeEqual } from 'node:crypto'
import type { Store } from '../store/store.ts'
import { SealError } from './error.ts'
import { checkSettled, contextOf, type Entry, type Header, isOf, openHeader, readHeader, wrapWith, writeHeader } from './header.ts'
import type { KeyProvider } from './provider.ts'

export type SealedBy = Pick<Entry, 'provider' | 'key'>

/** Who can open the store, without opening it; nobody if it was never sealed. @throws SealError `damaged` */
export async function sealedBy(store: Store): Promise<SealedBy[]> {
  const found = await readHeader(store)
  return (found?.header.entries ?? []).map(({ provider, key }) => ({ provider, key }))
}

/**
 * Let one more provider open the store. The root key stays, so nothing else is written; doing it again does nothing.
 * @param providers those that can open it now
 * @throws SealError; StoreError `conflict`: somebody else changed the seal meanwhile
 */
export async function addProvider(store: Store, providers: readonly KeyProvider[], added: KeyProvider): Promise<void> {
  const { header, revision } = await sealOf(store)
  if (header.entries.some(entry => isOf(entry, added))) return
  const rootKey = await openHeader(header, providers)
  try {
    const entry = await wrapWith(added, rootKey, header.store)
    await writeHeader(store, rootKey, revision, { store: header.store, entries: [...header.entries, entry] })
  } finally {
    rootKey.fill(0)
  }
}

/**
 * Take a provider its right to open the store. A copy of the database from before still opens with it.
 * @param providers one of them must open the store without the one that is removed; that is tried first
 * @throws SealError `sealed`: none does; StoreError `conflict`: somebody else changed the seal meanwhile
 */
export async function removeProvider(store: Store, providers: readonly KeyProvider[], removed: SealedBy): Promise<void> {
  const { header, revision } = await sealOf(store)
  const isRemoved = ({ kind, key }: Pick<KeyProvider, 'kind' | 'key'>): boolean => kind === removed.provider && key === removed.key
  const entries = header.entries.filter(({ provider, key }) => !isRemoved({ kind: provider, key }))
  if (entries.length === header.entries.length) return
  const rootKey = await openWithout(
    header,
    providers.filter(provider => !isRemoved(provider)),
  )
  try {
    await writeHeader(store, rootKey, revision, { store: header.store, entries })
  } finally {
    rootKey.fill(0)
  }
}

async function openWithout(header: Header, remaining: readonly KeyProvider[]): Promise<Buffer> {
  try {
    return await openHeader(header, remaining)
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause
    throw new SealError('sealed', 'not removed: none of the other configured providers opens the store', { cause })
  }
}

/**
 * Have each entry whose provider has newer versions of its key wrapped anew with the newest one. Nothing else is written, and what is of the
 * newest version already stays: cut short, it goes on where it was. The server may run.
 * @param providers one of them must open the store
 * @returns those that were wrapped anew
 * @throws SealError; StoreError `conflict`: somebody else changed the seal meanwhile
 */
export async function rewrapEntries(store: Store, providers: readonly KeyProvider[]): Promise<SealedBy[]> {
  const { header, revision } = await sealOf(store)
  const rewrapped: SealedBy[] = []
  const entries: Entry[] = []
  for (const entry of header.entries) {
    const provider = providers.find(provider => isOf(entry, provider))
    const wrapped = await provider?.rewrap?.(entry.wrapped, contextOf(header.store))
    if (wrapped !== undefined) rewrapped.push({ provider: entry.provider, key: entry.key })
    entries.push(wrapped === undefined ? entry : { ...entry, wrapped })
  }
  if (rewrapped.length === 0) return []
  const rootKey = await openHeader(header, providers)
  try {
    for (const entry of entries.filter(({ provider, key }) => rewrapped.some(one => one.provider === provider && one.key === key)))
      await proveEntry(header, entry, providers, rootKey)
    await writeHeader(store, rootKey, revision, { store: header.store, entries })
  } finally {
    rootKey.fill(0)
  }
  return rewrapped
}

/** What replaces the only way in must open before it is written. */
async function proveEntry({ store }: Header, entry: Entry, providers: readonly KeyProvider[], rootKey: Buffer): Promise<void> {
  const provider = providers.find(provider => isOf(entry, provider))
  const opened = await provider?.unwrap(entry.wrapped, contextOf(store))
  try {
    if (!opened || !timingSafeEqual(opened, rootKey))
      throw new SealError('damaged', `nothing is rewrapped: ${entry.provider} ${entry.key} does not open what it has wrapped`)
  } finally {
    opened?.fill(0)
  }
}

/** Open the root key with this provider alone, and forget it. @throws SealError: it does not open, and why */
export async function proveProvider(store: Store, provider: KeyProvider): Promise<void> {
  const { header } = await sealOf(store)
  const rootKey = await openHeader(header, [provider])
  rootKey.fill(0)
}

export interface ProviderStatus extends SealedBy {
  /** It has wrapped the root key. */
  readonly seals: boolean
  readonly configured: boolean
  /** The root key was opened with it just now; absent: it is not configured, or does not seal. */
  readonly opens?: boolean
  /** Oldest version of its key that is needed; absent: its key has no versions. */
  readonly keyVersion?: number
  /** Why it does not open. */
  readonly problem?: string
}

/** All who seal and all that are configured; each that is both is tried. @throws SealError `damaged`: there is no header to read */
export async function sealStatus(
  store: Store,
  providers: readonly KeyProvider[],
): Promise<{ readonly rotating: boolean; readonly providers: readonly ProviderStatus[] }> {
  const header = (await readHeader(store))?.header
  const entries = header?.entries ?? []
  const status: ProviderStatus[] = entries
    .filter(entry => !providers.some(provider => isOf(entry, provider)))
    .map(({ provider, key }) => ({ provider, key, seals: true, configured: false }))
  for (const provider of providers) {
    const seals = entries.some(entry => isOf(entry, provider))
    const tried = header && seals ? await tryToOpen(header, provider) : {}
    const entry = entries.find(entry => isOf(entry, provider))
    const keyVersion = entry && provider.keyVersion?.(entry.wrapped)
    status.push({
      provider: provider.kind,
      key: provider.key,
      seals,
      configured: true,
      ...tried,
      ...(keyVersion !== undefined && { keyVersion }),
    })
  }
  return { rotating: header?.next !== undefined, providers: status }
}

async function tryToOpen(header: Header, provider: KeyProvider): Promise<Pick<ProviderStatus, 'opens' | 'problem'>> {
  try {
    const rootKey = await openHeader(header, [provider])
    rootKey.fill(0)
    return { opens: true }
  } catch (e) {
    if (!(e instanceof SealError)) throw e
    return { opens: false, problem: e.message }
  }
}

async function sealOf(store: Store): Promise<{ header: Header; revision: number }> {
  const found = await readHeader(store)
  if (!found) throw new SealError('sealed', 'the store was never sealed: start kmipd on it first')
  checkSettled(found.header)
  return found
}
