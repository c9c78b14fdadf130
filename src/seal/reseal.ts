import type { Store } from '../store/store.ts'
import { SealError } from './error.ts'
import { type Entry, type Header, openHeader, readHeader, wrapWith, writeHeader } from './header.ts'
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
  if (header.entries.some(entry => isOf(entry, { provider: added.kind, key: added.key }))) return
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
  const entries = header.entries.filter(entry => !isOf(entry, removed))
  if (entries.length === header.entries.length) return
  const remaining = providers.filter(({ kind, key }) => !isOf(removed, { provider: kind, key }))
  const rootKey = await openHeader(header, remaining)
  try {
    await writeHeader(store, rootKey, revision, { store: header.store, entries })
  } finally {
    rootKey.fill(0)
  }
}

const isOf = (a: SealedBy, b: SealedBy): boolean => a.provider === b.provider && a.key === b.key

async function sealOf(store: Store): Promise<{ header: Header; revision: number }> {
  const found = await readHeader(store)
  if (!found) throw new SealError('sealed', 'the store was never sealed: start kmipd on it first')
  return found
}
