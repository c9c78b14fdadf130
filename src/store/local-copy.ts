import { closeSync, openSync, rmSync } from 'node:fs'
import { type Connection, connectCopy, connectReader, guarded, storeError } from './sqlite-connection.ts'
import { Database } from './sqlite-driver.ts'
import type { Unit } from './sqlite-message.ts'
import { SqliteReads } from './sqlite-reads.ts'
import { MIGRATIONS, migrate } from './sqlite-schema.ts'
import { UnitWriter, type Verdict } from './sqlite-units.ts'
import { StoreError } from './store.ts'

/** Pages of an image that are copied before other work gets its turn. */
const IMAGE_PAGES = 128

/**
 * The state of a log as a SQLite database of this process alone: what it holds is durable in the log, so it waits for no disk, and may be
 * thrown away at any time. Units are written into it tentatively, while their entry is under way, and nobody reads them before `keep`.
 */
export class LocalCopy {
  readonly path: string
  readonly reads: SqliteReads
  readonly #writer: Connection
  readonly #reader: Connection
  readonly #units: UnitWriter

  private constructor(path: string, writer: Connection, reader: Connection) {
    this.path = path
    this.#writer = writer
    this.#reader = reader
    this.#units = new UnitWriter(writer)
    this.reads = new SqliteReads(reader)
  }

  /**
   * @param path of a file that is not there, or of an image
   * @throws StoreError `damaged`: it is no image of a store
   */
  static open(path: string): LocalCopy {
    return guarded(() => {
      createFile(path)
      const writer = connectCopy(path)
      try {
        writer.pragma('trusted_schema = off')
        writer.pragma('cell_size_check = on')
        migrate(writer, MIGRATIONS, () => undefined)
        checkSchema(writer)
        return new LocalCopy(path, writer, connectReader(path))
      } catch (e) {
        writer.close()
        throw e
      }
    })
  }

  /** Write units that are no truth yet. @returns a verdict for each; units in conflict leave nothing */
  try(units: readonly Unit[]): Verdict[] {
    return guarded(() => {
      if (!this.#writer.inTransaction) this.#writer.exec('begin immediate')
      return this.#units.write(units)
    })
  }

  /** What was tried is true. */
  keep(): void {
    guarded(() => this.#writer.exec('commit'))
  }

  /** What was tried is not true. */
  drop(): void {
    this.#units.forget()
    if (this.#writer.inTransaction) guarded(() => this.#writer.exec('rollback'))
  }

  /** Write the state of this moment to a file, while the copy changes on. */
  async image(path: string): Promise<void> {
    createFile(path)
    const source = connectReader(this.path)
    try {
      source.exec('begin')
      source.prepare('select version from schema').get()
      await source.backup(path, { progress: () => IMAGE_PAGES })
    } catch (e) {
      throw storeError(e)
    } finally {
      source.close()
    }
  }

  /** Close it and remove its files. */
  close(): void {
    this.#reader.close()
    this.#writer.close()
    for (const end of ['', '-wal', '-shm']) rmSync(`${this.path}${end}`, { force: true })
  }
}

/** SQLite would make it readable for everybody. */
const createFile = (path: string): void => closeSync(openSync(path, 'a', 0o600))

/** An image came from afar: nothing in it may do anything by itself. */
function checkSchema(db: Connection): void {
  const clean = new Database(':memory:')
  try {
    migrate(clean, MIGRATIONS, () => undefined)
    if (JSON.stringify(schemaOf(db)) !== JSON.stringify(schemaOf(clean)))
      throw new StoreError('damaged', 'a snapshot of the store has another schema than it should have: it was made by somebody else')
  } finally {
    clean.close()
  }
}

const schemaOf = (db: Connection): unknown[] => db.prepare('select type, name, tbl_name, sql from sqlite_schema order by type, name').all()
