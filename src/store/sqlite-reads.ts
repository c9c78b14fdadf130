import type { Statement } from 'better-sqlite3'
import { type Connection, storeError } from './sqlite-connection.ts'
import { conditionValues, findAllStatement, findStatement } from './sqlite-find.ts'
import type { Found, Page, Sealed } from './store.ts'

type Values = (number | Buffer | string)[]

/** The reading half of the store's contract on a connection: what is committed at the moment of the call. All throw StoreError. */
export class SqliteReads {
  readonly #db: Connection
  readonly #numberOf: Statement<[string], number>
  readonly #row: Statement<[partition: number, id: string], { revision: number; body: Buffer }>
  readonly #revision: Statement<[number, string], number>
  /** By count of conditions, -1 where there is no term at all, and count of marks. */
  readonly #finds = new Map<string, Statement<Values, Found>>()
  /** Numbers of partitions by name; a number is never given again. */
  readonly #numbers = new Map<string, number>()

  constructor(db: Connection) {
    this.#db = db
    this.#numberOf = db.prepare<[string], number>('select number from partition where name = ?').pluck()
    this.#row = db.prepare('select revision, body from record where partition = ? and id = ?')
    this.#revision = db.prepare<[number, string], number>('select revision from record where partition = ? and id = ?').pluck()
  }

  get(partition: string, id: string): Sealed | undefined {
    return this.#read(partition, number => this.#row.get(number, id))
  }

  revision(partition: string, id: string): number {
    return this.#read(partition, number => this.#revision.get(number, id)) ?? 0
  }

  find(partition: string, terms: readonly Buffer[], page: Page): Found[] {
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

  /** @returns nothing if the partition was never used */
  #read<T>(partition: string, f: (number: number) => T): T | undefined {
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
