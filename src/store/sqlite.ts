import { closeSync, mkdirSync, openSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Statement } from 'better-sqlite3'
import { type Connection, connectReader, connectWriter, guarded, storeError } from './sqlite-connection.ts'
import { conditionValues, findAllStatement, findStatement } from './sqlite-find.ts'
import { lockServer } from './sqlite-lock.ts'
import { packChange } from './sqlite-message.ts'
import { MIGRATIONS, migrate } from './sqlite-schema.ts'
import { UnitWriter } from './sqlite-units.ts'
import { type Writer, WriterThread } from './sqlite-writer-thread.ts'
import { type Change, type Found, type Page, type Sealed, type Store, StoreError } from './store.ts'

export interface SqliteOptions {
  /** The database file; made if it is not there (0600, in a folder 0700). */
  readonly path: string
  /**
   * Write on the calling thread, one transaction a commit: for a short-lived process that may run beside a server. Without it the
   * store is a server's: it has a writer thread of its own, and no second one may be open on the file.
   */
  readonly directWriter?: boolean
}

/**
 * Open the store in a SQLite file, and bring its schema up to date.
 * @throws StoreError `unavailable`: in use by another server, written by a newer kmipd, not accessible; `damaged`: not our database
 */
export async function openSqlite({ path: given, directWriter = false }: SqliteOptions): Promise<Store> {
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

/**
 * SQLite would make the file readable for everybody; its -wal and -shm get the same permissions as the file.
 * @returns the real path: whoever comes by way of a link shall find the same lock
 */
function createFile(given: string): string {
  try {
    mkdirSync(dirname(given), { recursive: true, mode: 0o700 })
    closeSync(openSync(given, 'a', 0o600))
    const path = realpathSync(given)
    closeSync(openSync(`${path}-lock`, 'a', 0o600))
    return path
  } catch (e) {
    const reason = e instanceof Error && 'code' in e ? e.code : 'failed'
    throw new StoreError('unavailable', `cannot create or open ${given} (${reason}): check owner and permissions of file and folder`, {
      cause: e,
    })
  }
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

type Row = Statement<[partition: number, id: string], { revision: number; body: Buffer }>
type Values = (number | Buffer | string)[]

class SqliteStore implements Store {
  readonly #db: Connection
  readonly #writer: Writer
  readonly #lock: { close(): void } | undefined
  readonly #version: Statement<[], number>
  readonly #numberOf: Statement<[string], number>
  readonly #row: Row
  readonly #revision: Statement<[number, string], number>
  /** By count of conditions, -1 where there is no term at all, and count of marks. */
  readonly #finds = new Map<string, Statement<Values, Found>>()
  /** Numbers of partitions by name; a number is never given again. */
  readonly #numbers = new Map<string, number>()
  #isClosed = false

  constructor(db: Connection, writer: Writer, lock: { close(): void } | undefined) {
    this.#db = db
    this.#writer = writer
    this.#lock = lock
    this.#version = db.prepare<[], number>('pragma data_version').pluck()
    this.#numberOf = db.prepare<[string], number>('select number from partition where name = ?').pluck()
    this.#row = db.prepare('select revision, body from record where partition = ? and id = ?')
    this.#revision = db.prepare<[number, string], number>('select revision from record where partition = ? and id = ?').pluck()
  }

  async get(partition: string, id: string): Promise<Sealed | undefined> {
    return this.#read(partition, number => this.#row.get(number, id))
  }

  async revision(partition: string, id: string): Promise<number> {
    return this.#read(partition, number => this.#revision.get(number, id)) ?? 0
  }

  async find(partition: string, terms: readonly Buffer[], page: Page): Promise<Found[]> {
    const { before = Number.MAX_SAFE_INTEGER, limit, marks = [] } = page
    const found = this.#read(partition, number => {
      const [first, ...others] = terms
      const placed = (values: readonly (Buffer | string)[]): Values => values.flatMap(value => [value, number])
      if (!first) return this.#finding(-1, marks.length).all(...placed(marks), number, before, limit)
      const values = conditionValues(others)
      return this.#finding(values.length, marks.length).all(...placed(marks), number, first, before, ...placed(values), limit)
    })
    return found ?? []
  }

  async commit(changes: readonly Change[]): Promise<void> {
    this.#checkOpen()
    await this.#writer.commit(changes)
  }

  version(): number {
    this.#checkOpen()
    // Asked anew each time, though it costs a system call: a value that is kept for a turn of the event loop would be older than requests
    // that are read from their sockets later in that turn, and what another process promised before them would not be seen.
    return guarded(() => this.#version.get()!)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#writer.close()
    this.#db.close()
    this.#lock?.close()
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StoreError('closed', 'the store is closed')
  }

  /** @returns nothing if the partition was never used */
  #read<T>(partition: string, f: (number: number) => T): T | undefined {
    this.#checkOpen()
    try {
      const number = this.#numbers.get(partition) ?? this.#numberOf.get(partition)
      if (number === undefined) return undefined
      this.#numbers.set(partition, number)
      return f(number)
    } catch (e) {
      throw storeError(e)
    }
  }

  #finding(conditions: number, marks: number): Statement<Values, Found> {
    const form = `${conditions} ${marks}`
    let statement = this.#finds.get(form)
    if (statement === undefined) {
      statement = this.#db.prepare(conditions < 0 ? findAllStatement(marks) : findStatement(conditions, marks))
      this.#finds.set(form, statement)
    }
    return statement
  }
}
