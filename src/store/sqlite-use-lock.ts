import { closeSync, openSync, realpathSync } from 'node:fs'
import { Database } from './sqlite-driver.ts'
import { StoreError } from './store.ts'

/**
 * Say that this process uses the store at `path`, together with others or alone, until the lock is closed or the process ends, however it
 * ends. The lock is one of the operating system's on a file of its own beside the database; that the file is there means nothing.
 * @param path of a store's file that is there; whoever comes by way of a link finds the same lock
 * @throws StoreError `unavailable`: somebody uses it whom this cannot be done beside
 */
export function lockUse(path: string, how: 'shared' | 'alone'): { close(): void } {
  const file = `${realpathSync(path)}-use`
  closeSync(openSync(file, 'a', 0o600))
  const db = new Database(file, { timeout: 0 })
  try {
    db.pragma('journal_mode = memory')
    db.exec(how === 'alone' ? 'begin exclusive' : 'begin')
    // A transaction that is begun in the usual way has no lock before it reads.
    if (how === 'shared') db.prepare('select count(*) from sqlite_schema').get()
    return db
  } catch (e) {
    db.close()
    if (!(e instanceof Database.SqliteError && e.code.startsWith('SQLITE_BUSY'))) throw e
    throw new StoreError(
      'unavailable',
      how === 'alone'
        ? `a server or a command uses ${path}: stop it first`
        : `the root key of ${path} is being rotated: wait until that is done`,
      { cause: e },
    )
  }
}
