import { closeSync, existsSync, openSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Statement } from 'better-sqlite3'
import { makeFolder, sizeOf } from './durable-files.ts'
import { type Connection, connectReader, connectWriter, guarded } from './sqlite-connection.ts'
import { lockServer } from './sqlite-lock.ts'
import { packChange, type UnitsMessage } from './sqlite-message.ts'
import { SqliteReads } from './sqlite-reads.ts'
import { MIGRATIONS, migrate, schemaVersion } from './sqlite-schema.ts'
import { UnitWriter, type Verdict } from './sqlite-units.ts'
import { type Writer, WriterThread } from './sqlite-writer-thread.ts'
import { type Change, type Found, type Page, type Sealed, type Store, StoreError, storeClosed } from './store.ts'

export interface SqliteOptions {
  /** The database file; made if it is not there (0600, in a folder 0700). */
  readonly path: string
  /**
   * Write on the calling thread, one transaction a commit: for a short-lived process that may run beside a server. Without it the
   * store is a server's: it has a writer thread of its own, and no second one may be open on the file.
   */
  readonly directWriter?: boolean
  /** Write through this, and only read here: a server in another process has the file open and brought its schema up to date. */
  readonly writer?: Writer
}

/**
 * Open the store in a SQLite file, and bring its schema up to date.
 * @throws StoreError `unavailable`: in use by another server, written by a newer kmipd, not accessible; `damaged`: not our database
 */
export async function openSqlite({ path: given, directWriter = false, writer }: SqliteOptions): Promise<SqliteStore> {
  if (writer) return guarded(() => openReading(realpathSync(given), writer))
  return guarded(() => {
    const path = createFile(given)
    const lock = directWriter ? undefined : lockServer(path)
    let db: Connection | undefined
    try {
      db = connectWriter(path)
      migrate(db, MIGRATIONS, () => {
        if (!lock) lockServer(path).close()
      })
      const reader = connectReader(path)
      if (directWriter) return new SqliteStore(reader, new DirectWriter(db), lock)
      db.close()
      return new SqliteStore(reader, new WriterThread(path), lock)
    } catch (e) {
      db?.close()
      lock?.close()
      throw e
    }
  })
}

/** The store in a file that another process keeps. @throws StoreError */
export function openReading(path: string, writer: Writer): SqliteStore {
  const reader = connectReader(path)
  try {
    if (schemaVersion(reader) !== MIGRATIONS.length)
      throw new StoreError('unavailable', 'the store has another schema than this process knows: restart kmipd')
    return new SqliteStore(reader, writer, undefined)
  } catch (e) {
    reader.close()
    throw e
  }
}

/**
 * SQLite would make the file readable for everybody; its -wal and -shm get the same permissions as the file.
 * @returns the real path: whoever comes by way of a link shall find the same lock
 */
function createFile(given: string): string {
  try {
    makeFolder(dirname(given))
    refuseLeftovers(given)
    closeSync(openSync(given, 'a', 0o600))
    const path = realpathSync(given)
    closeSync(openSync(`${path}-lock`, 'a', 0o600))
    return path
  } catch (e) {
    if (e instanceof StoreError) throw e
    const reason = e instanceof Error && 'code' in e ? e.code : 'failed'
    throw new StoreError('unavailable', `cannot create or open ${given} (${reason}): check owner and permissions of file and folder`, {
      cause: e,
    })
  }
}

/** Files in which SQLite keeps what is not in the database yet. */
const LEFT_BY_SQLITE = ['-wal', '-journal']

/**
 * Where a database is gone and what belonged to it is not, SQLite would write that into a new one, or throw it away.
 * @throws StoreError `unavailable`
 */
export function refuseLeftovers(path: string): void {
  // In this order: who makes a database at the same time makes that first.
  const left = LEFT_BY_SQLITE.map(end => `${path}${end}`).find(file => sizeOf(file) > 0)
  if (left === undefined || existsSync(path)) return
  throw new StoreError(
    'unavailable',
    `${path} is gone, but ${left} is there, with changes to it: put the first back, or move the second away`,
  )
}

class DirectWriter implements Writer {
  readonly #db: Connection
  readonly #units: UnitWriter

  constructor(db: Connection) {
    this.#db = db
    this.#units = new UnitWriter(db)
  }

  async commit(changes: readonly Change[]): Promise<void> {
    const [verdict] = this.#units.commit([changes.map(packChange)])
    if (verdict) throw new StoreError(verdict.code, verdict.message)
  }

  async close(): Promise<void> {
    this.#db.close()
  }
}

/** See `Store`. */
export class SqliteStore implements Store {
  readonly #db: Connection
  readonly #reads: SqliteReads
  readonly #writer: Writer
  readonly #lock: { close(): void } | undefined
  readonly #version: Statement<[], number>
  #isClosed = false

  constructor(db: Connection, writer: Writer, lock: { close(): void } | undefined) {
    this.#db = db
    this.#reads = new SqliteReads(db)
    this.#writer = writer
    this.#lock = lock
    this.#version = db.prepare<[], number>('pragma data_version').pluck()
  }

  async get(partition: string, id: string): Promise<Sealed | undefined> {
    this.#checkOpen()
    return this.#reads.get(partition, id)
  }

  async revision(partition: string, id: string): Promise<number> {
    this.#checkOpen()
    return this.#reads.revision(partition, id)
  }

  async find(partition: string, terms: readonly Buffer[], page: Page): Promise<Found[]> {
    this.#checkOpen()
    return this.#reads.find(partition, terms, page)
  }

  async commit(changes: readonly Change[]): Promise<void> {
    this.#checkOpen()
    await this.#writer.commit(changes)
  }

  /** Units that another process packed for this one to write. @returns a verdict for each, or their count where all were stored */
  async forward(units: UnitsMessage): Promise<readonly Verdict[] | number> {
    if (!(this.#writer instanceof WriterThread)) throw new StoreError('unavailable', 'this process does not write for others')
    return this.#writer.forward(units)
  }

  version(): number {
    this.#checkOpen()
    // Asked anew each time, though it costs a system call: a value that is kept for a turn of the event loop would be older than requests
    // that are read from their sockets later in that turn, and what another process promised before them would not be seen.
    return guarded(() => this.#version.get()!)
  }

  /**
   * Put everything into the one file, durably, so that it can be moved without those beside it. Nobody else may use it.
   * @throws StoreError
   */
  gather(): void {
    this.#checkOpen()
    // At the end SQLite does the same, but says nothing when it cannot.
    const [result] = guarded(() => this.#db.pragma('wal_checkpoint(truncate)')) as readonly { readonly busy: number }[]
    if (result?.busy !== 0) throw new StoreError('unavailable', 'another process uses the store that is being made: end it, and begin anew')
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#writer.close()
    this.#db.close()
    this.#lock?.close()
  }

  #checkOpen(): void {
    if (this.#isClosed) throw storeClosed()
  }
}
