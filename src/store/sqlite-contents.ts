import type { Statement } from 'better-sqlite3'
import { type Connection, connectReader, guarded, storeError } from './sqlite-connection.ts'
import { MIGRATIONS, schemaVersion } from './sqlite-schema.ts'
import { unpackTerms } from './sqlite-terms.ts'
import { StoreError } from './store.ts'
import type { StoredRecord } from './stored-record.ts'

const PAGE = 200

interface Row {
  readonly sequence: number
  readonly partition: string
  readonly number: number
  readonly id: string
  readonly revision: number
  readonly terms: Buffer
  readonly body: Buffer
}

/**
 * Everything in a store's file, oldest record first, whatever its partition: for backups, checks and rotations. It may be read while a
 * server writes.
 */
export class SqliteContents {
  readonly #db: Connection
  readonly #page: Statement<[after: number, limit: number], Row>
  readonly #indexed: Statement<[partition: number, term: Buffer, sequence: number], number>

  private constructor(db: Connection) {
    this.#db = db
    this.#page = db.prepare(`
      select sequence, name as partition, number, id, revision, terms, body from record join partition on number = record.partition
      where sequence > ? order by sequence limit ? + 0`)
    this.#indexed = db.prepare<[number, Buffer, number], number>(
      'select claimed from term where partition = ? and term = ? and sequence = ?',
    )
    this.#indexed.pluck()
  }

  /**
   * @param path of a store's file that is there
   * @param as `moment`: all as it is at this moment, until `close`; `current`: each record as it is when it is read
   * @throws StoreError
   */
  static open(path: string, as: 'moment' | 'current'): SqliteContents {
    return guarded(() => {
      const db = connectReader(path)
      try {
        if (as === 'moment') db.exec('begin')
        if (schemaVersion(db) !== MIGRATIONS.length)
          throw new StoreError('unavailable', 'the store was not opened by this version of kmipd yet: start the server once')
        return new SqliteContents(db)
      } catch (e) {
        db.close()
        throw e
      }
    })
  }

  /** How many records there are. */
  get count(): number {
    return guarded(() => this.#db.prepare<[], number>('select count(*) from record').pluck().get()!)
  }

  /** @throws StoreError */
  *records(): Generator<StoredRecord> {
    for (const { partition, id, revision, body, terms: packed } of this.#rows()) {
      const terms = unpackTerms(packed)
      yield {
        partition,
        id,
        revision,
        body,
        terms: terms.flatMap(({ value, isClaimed }) => (isClaimed ? [] : [value])),
        claims: terms.flatMap(({ value, isClaimed }) => (isClaimed ? [value] : [])),
      }
    }
  }

  /** What is wrong with the file and its index, in words for an operator; nothing: all is well. @throws StoreError */
  problems(): string[] {
    try {
      return this.#problems()
    } catch (e) {
      const error = storeError(e)
      if (error.code !== 'damaged') throw error
      return [error.message]
    }
  }

  #problems(): string[] {
    const found = this.#db
      .prepare<[], string>('pragma integrity_check(20)')
      .pluck()
      .all()
      .filter(text => text !== 'ok')
    // What a damaged file says of itself beyond that is not to be believed.
    if (found.length > 0) return found
    let entries = 0
    for (const { partition, number, id, sequence, terms: packed } of this.#rows()) {
      const terms = unpackTerms(packed)
      entries += terms.length
      const lost = terms.filter(({ value, isClaimed }) => this.#indexed.get(number, value, sequence) !== (isClaimed ? 1 : 0))
      if (lost.length > 0) found.push(`record ${id} of ${partition}: ${lost.length} of its index entries are missing or changed`)
    }
    const indexed = this.#db.prepare<[], number>('select count(*) from term').pluck().get()!
    if (indexed > entries) found.push(`the index has ${indexed - entries} entries that belong to no record`)
    return found
  }

  close(): void {
    this.#db.close()
  }

  *#rows(): Generator<Row> {
    for (let after = 0; ; ) {
      let page: Row[]
      try {
        page = this.#page.all(after, PAGE)
      } catch (e) {
        throw storeError(e)
      }
      yield* page
      const last = page.at(-1)
      if (!last || page.length < PAGE) return
      after = last.sequence
    }
  }
}
