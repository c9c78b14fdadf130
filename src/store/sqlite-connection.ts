import type { Database as DatabaseConnection } from 'better-sqlite3'
import { Database } from './sqlite-driver.ts'
import { StoreError, type StoreErrorCode } from './store.ts'

export type Connection = DatabaseConnection

/** How long a write waits for another process that is writing the same file. Group commits last milliseconds. */
const BUSY_TIMEOUT_MS = 10_000

/** SQLite's way to say 64 MiB at most, for those who read. */
const READ_CACHE = -65_536
/**
 * 8 MiB for those who write: new records come at the ends of most indexes, and after each commit that split a page of an index SQLite looks
 * through all that it has cached.
 */
const WRITE_CACHE = -8_192

/** SQLite's result codes that an operator can do something about, by their beginning. */
const TROUBLE: readonly [prefix: string, code: StoreErrorCode, message: string][] = [
  ['SQLITE_FULL', 'unavailable', 'the disk of the store is full: free some space, nothing was stored'],
  ['SQLITE_BUSY', 'unavailable', 'another process has been writing to the store for too long: try again, or end that process'],
  ['SQLITE_LOCKED', 'unavailable', 'the store is locked: try again'],
  ['SQLITE_READONLY', 'unavailable', 'the store cannot be written: check owner and permissions of its file and folder'],
  ['SQLITE_CANTOPEN', 'unavailable', 'the store cannot be opened: check that its folder exists, and owner and permissions'],
  ['SQLITE_PERM', 'unavailable', 'the store cannot be opened: check owner and permissions of its file'],
  ['SQLITE_IOERR', 'unavailable', 'the disk of the store reports an error: check the system log and the disk'],
  ['SQLITE_CORRUPT', 'damaged', 'the database of the store is damaged: restore a backup'],
  ['SQLITE_NOTADB', 'damaged', 'the file of the store is not a database: check its path, or restore a backup'],
]

/** What SQLite or its driver says, as an error that tells what to do. The driver's own error is the `cause`. */
export function storeError(e: unknown): StoreError {
  if (e instanceof StoreError) return e
  const { code = '', message = '' } = e instanceof Error ? (e as Error & { code?: string }) : {}
  if (code === 'ERR_DLOPEN_FAILED' || message.includes('bindings file'))
    return new StoreError('unavailable', 'the SQLite driver is not built for this version of Node.js; run: npm rebuild better-sqlite3', {
      cause: e,
    })
  const row = TROUBLE.find(([prefix]) => code.startsWith(prefix))
  return new StoreError(row?.[1] ?? 'unavailable', row?.[2] ?? 'the store failed', { cause: e })
}

/** `f`, with the errors of SQLite as StoreError. */
export function guarded<T>(f: () => T): T {
  try {
    return f()
  } catch (e) {
    throw storeError(e)
  }
}

/**
 * Open a connection that may write.
 * @throws StoreError `unavailable`, `damaged`
 */
export const connectWriter = (path: string): Connection => connect(path, 'full')

/** The same to a copy of what is durable elsewhere: it waits for no disk, and is of no use after a crash. @throws StoreError */
export const connectCopy = (path: string): Connection => connect(path, 'off')

function connect(path: string, synchronous: 'full' | 'off'): Connection {
  return guarded(() => {
    const db = new Database(path, { timeout: BUSY_TIMEOUT_MS })
    try {
      if (db.pragma('journal_mode = wal', { simple: true }) !== 'wal')
        throw new StoreError('unavailable', 'the file system of the store has no shared memory for SQLite (WAL): use a local disk')
      setDurability(db, synchronous)
      // A key that was destroyed shall not stay behind in free space of the file.
      db.pragma('secure_delete = on')
      db.pragma(`cache_size = ${WRITE_CACHE}`)
      db.pragma('wal_autocheckpoint = 4000')
      return db
    } catch (e) {
      db.close()
      throw e
    }
  })
}

/** Open a connection that only reads; the file must be there. @throws StoreError `unavailable`, `damaged` */
export function connectReader(path: string): Connection {
  return guarded(() => {
    const db = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
    setDurability(db, 'full')
    db.pragma('query_only = on')
    db.pragma(`cache_size = ${READ_CACHE}`)
    return db
  })
}

/** SQLite as the driver builds it falls back to NORMAL in WAL mode after the first write, and an answered key could be lost with the power. */
const setDurability = (db: Connection, synchronous: 'full' | 'off'): unknown => db.pragma(`synchronous = ${synchronous}`)
