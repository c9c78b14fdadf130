import { type Connection, guarded } from './sqlite-connection.ts'
import { Database } from './sqlite-driver.ts'

/** A SQLite database of another program, to read alone. */
export class ForeignDatabase {
  readonly #db: Connection

  /** @throws StoreError `unavailable`, `damaged` */
  constructor(path: string) {
    this.#db = guarded(() => new Database(path, { readonly: true, fileMustExist: true }))
  }

  hasTable(name: string): boolean {
    return guarded(() => this.#db.prepare("select 1 from sqlite_schema where type = 'table' and name = ?").get(name) !== undefined)
  }

  /** All rows of a query; whole numbers are numbers, and bytes are Buffers. @throws StoreError */
  rows(query: string): { readonly [column: string]: unknown }[] {
    return guarded(() => this.#db.prepare<[], { readonly [column: string]: unknown }>(query).all())
  }

  close(): void {
    this.#db.close()
  }
}
