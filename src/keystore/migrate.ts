import { type KeyStore, KeyStoreError, type StoredKey } from './keystore.ts'

export interface MigrationOptions {
  /** Names to take: `*` stands for any characters, `?` for one. Default: all. */
  readonly pattern?: string
  /**
   * What becomes of a key that the target has under the same name and that is another one. `refuse`: it stays, and the migration is not
   * complete; `keep`: it stays; `overwrite`: it is replaced.
   */
  readonly existing: 'refuse' | 'keep' | 'overwrite'
  /** Called after each key. */
  readonly onProgress?: (report: MigrationReport) => void
  /** Keys under way at once. Default 8. */
  readonly parallel?: number
}

export interface MigrationReport {
  /** Created in the target, read back and compared. */
  readonly migrated: number
  /** The target had the same key already: from an earlier run. */
  readonly present: number
  /** The target has another key of the name, and keeps it. */
  readonly kept: readonly string[]
  /** Keys that are not as they should be in the target, and why. */
  readonly failed: readonly { readonly name: string; readonly reason: string }[]
}

const PAGE = 1000

/**
 * Copy keys from one key store to another. What was copied before is not copied again, so a migration that was cut short is begun anew.
 * The source is not changed.
 * @throws KeyStoreError when one of them cannot be reached; what was copied until then stays
 */
export async function migrateKeys(from: KeyStore, to: KeyStore, options: MigrationOptions): Promise<MigrationReport> {
  const { pattern = '*', existing, onProgress = () => {}, parallel = 8 } = options
  const report = { migrated: 0, present: 0, kept: [] as string[], failed: [] as { name: string; reason: string }[] }
  const names = namesOf(from, pattern)
  const work = async (): Promise<void> => {
    for (let next = await names.next(); next.done !== true; next = await names.next()) {
      const name = next.value
      const outcome = await migrateOne(from, to, name, existing)
      if (outcome === 'migrated' || outcome === 'present') report[outcome]++
      else if (outcome === 'kept') report.kept.push(name)
      else if (outcome !== 'gone') report.failed.push({ name, reason: outcome.reason })
      onProgress(report)
    }
  }
  try {
    await Promise.all(Array.from({ length: parallel }, work))
  } finally {
    await names.return(undefined)
  }
  report.kept.sort()
  report.failed.sort((a, b) => (a.name < b.name ? -1 : 1))
  return report
}

async function* namesOf(store: KeyStore, pattern: string): AsyncGenerator<string, undefined> {
  const matches = expressionOf(pattern)
  const prefix = /^[^*?]*/.exec(pattern)?.[0] ?? ''
  let after: string | undefined
  do {
    const page = await store.list(prefix, { limit: PAGE, ...(after !== undefined && { after }) })
    yield* page.names.filter(name => matches.test(name))
    after = page.after
  } while (after !== undefined)
  return undefined
}

const expressionOf = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*/g, '.*')
      .replace(/\?/g, '.')}$`,
  )

type Outcome = 'migrated' | 'present' | 'kept' | 'gone' | { readonly reason: string }

async function migrateOne(from: KeyStore, to: KeyStore, name: string, existing: MigrationOptions['existing']): Promise<Outcome> {
  const key = await attempt(() => from.get(name))
  // Somebody deleted it since it was listed.
  if (isError(key, 'not-found')) return 'gone'
  if (key instanceof KeyStoreError) return { reason: key.message }
  const created = await attempt(() => to.create(name, key))
  if (created === undefined) return verified(to, name, key)
  if (created.code !== 'exists') return { reason: created.message }
  const there = await attempt(() => to.get(name))
  if (!(there instanceof KeyStoreError) && isSameKey(there, key)) return 'present'
  if (existing === 'keep') return 'kept'
  if (existing === 'refuse') return { reason: 'the target has another key of this name' }
  return replaced(to, name, key, there)
}

/** Key stores overwrite nothing: the other key is deleted, and put back if the new one cannot be stored. */
async function replaced(to: KeyStore, name: string, key: StoredKey, other: StoredKey | KeyStoreError): Promise<Outcome> {
  const deleted = await attempt(() => to.delete(name))
  if (deleted !== undefined) return { reason: deleted.message }
  const created = await attempt(() => to.create(name, key))
  if (created === undefined) return verified(to, name, key)
  if (!(other instanceof KeyStoreError)) await to.create(name, other)
  return { reason: created.message }
}

async function verified(to: KeyStore, name: string, key: StoredKey): Promise<Outcome> {
  const there = await attempt(() => to.get(name))
  if (there instanceof KeyStoreError) return { reason: `it was stored and cannot be read: ${there.message}` }
  return isSameKey(there, key) && there.createdAtNs === key.createdAtNs && there.createdBy === key.createdBy
    ? 'migrated'
    : { reason: 'it was stored and comes back as another key' }
}

const isSameKey = (a: StoredKey, b: StoredKey): boolean =>
  a.algorithm === b.algorithm &&
  a.key.equals(b.key) &&
  (a.hmacKey === undefined ? b.hmacKey === undefined : b.hmacKey?.equals(a.hmacKey) === true)

const isError = (value: unknown, code: KeyStoreError['code']): boolean => value instanceof KeyStoreError && value.code === code

/** An error that concerns one key is a value; one that concerns the whole store ends the migration. */
async function attempt<T>(act: () => Promise<T>): Promise<T | KeyStoreError> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof KeyStoreError) || error.code === 'unreachable' || error.code === 'closed') throw error
    return error
  }
}
