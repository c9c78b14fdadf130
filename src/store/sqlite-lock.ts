import { Database } from './sqlite-driver.ts'
import { StoreError } from './store.ts'

/**
 * Keep other servers away from the database at `path` until the lock is closed or the process ends, however it ends: the lock is one
 * of the operating system's on a file of its own beside the database. The file stays; its being there means nothing.
 * @param refusal what is said where another one has the lock
 * @throws StoreError `unavailable`: another server has the lock
 */
export function lockServer(
  path: string,
  refusal = `another kmipd server uses ${path}: stop it first, or give this one a store of its own`,
): { close(): void } {
  const db = new Database(`${path}-lock`, { timeout: 0 })
  try {
    db.pragma('journal_mode = memory')
    db.exec('begin exclusive')
    return db
  } catch (e) {
    db.close()
    if (!(e instanceof Database.SqliteError && e.code.startsWith('SQLITE_BUSY'))) throw e
    throw new StoreError('unavailable', refusal)
  }
}
