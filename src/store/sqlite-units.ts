import type { Statement, Transaction } from 'better-sqlite3'
import { type Connection, storeError } from './sqlite-connection.ts'
import { type Change, StoreError, type StoreErrorCode } from './store.ts'

/** What became of a unit: stored, or why not. */
export type Verdict = undefined | { readonly code: StoreErrorCode; readonly message: string }

type Unit = readonly Change[]

interface Place {
  readonly partition: number
  /** Absent: the record is not there. */
  readonly sequence?: number
}

/** A table of values that belong to records: terms and claims have the same columns. */
interface Tags {
  readonly of: Statement<[sequence: number], Buffer>
  readonly add: Statement<[partition: number, value: Buffer, sequence: number]>
  readonly remove: Statement<[partition: number, value: Buffer, sequence: number]>
}

/** Writes units of changes through one connection, as many as there are in one transaction, each of them all or nothing. */
export class UnitWriter {
  readonly #numberOf: Statement<[string], number>
  readonly #newPartition: Statement<[string], number>
  readonly #row: Statement<[number, string], { sequence: number; revision: number }>
  readonly #insert: Statement<[number, string, Buffer]>
  readonly #update: Statement<[Buffer, number]>
  readonly #remove: Statement<[number]>
  readonly #terms: Tags
  readonly #claims: Tags
  readonly #unit: Transaction<(unit: Unit) => void>
  readonly #batch: Transaction<(units: readonly Unit[]) => Verdict[]>

  constructor(db: Connection) {
    this.#numberOf = db.prepare<[string], number>('select number from partition where name = ?').pluck()
    this.#newPartition = db.prepare<[string], number>('insert into partition (name) values (?) returning number').pluck()
    this.#row = db.prepare('select sequence, revision from record where partition = ? and id = ?')
    this.#insert = db.prepare('insert into record (partition, id, revision, body) values (?, ?, 1, ?)')
    this.#update = db.prepare('update record set revision = revision + 1, body = ? where sequence = ?')
    this.#remove = db.prepare('delete from record where sequence = ?')
    this.#terms = tagsIn(db, 'term')
    this.#claims = tagsIn(db, 'claim')
    this.#unit = db.transaction(unit => this.#write(unit))
    this.#batch = db.transaction(units => units.map(unit => this.#judge(unit)))
  }

  /**
   * Write the units in one transaction; a unit in conflict leaves nothing behind and does not touch the others.
   * @returns a verdict for each unit, all of them durable
   * @throws StoreError `unavailable`, `damaged`: nothing of any unit was stored
   */
  commit(units: readonly Unit[]): Verdict[] {
    try {
      return this.#batch.immediate(units)
    } catch (e) {
      throw storeError(e)
    }
  }

  #judge(unit: Unit): Verdict {
    try {
      this.#unit(unit)
      return undefined
    } catch (e) {
      if (e instanceof StoreError && e.code === 'conflict') return { code: e.code, message: e.message }
      throw e
    }
  }

  #write(unit: Unit): void {
    const seen = new Set<string>()
    const places = unit.map(change => {
      const place = this.#place(change)
      const key = `${place.partition}/${change.id}`
      if (seen.has(key)) throw new StoreError('conflict', `record ${change.id} is changed twice in one commit`)
      seen.add(key)
      return place
    })
    // A claim may pass from one record of the unit to another, whatever their order: first everything is let go, then taken.
    unit.forEach((change, i) => {
      drop(this.#claims, places[i]!, change.body ? change.claims : [])
    })
    unit.forEach((change, i) => {
      this.#store(change, places[i]!)
    })
  }

  /** Where the record is or will be. @throws StoreError `conflict`: it is not at the expected revision */
  #place({ partition: name, id, expect, body }: Change): Place {
    let partition = this.#numberOf.get(name)
    const row = partition === undefined ? undefined : this.#row.get(partition, id)
    const revision = row?.revision ?? 0
    if (revision !== expect) throw new StoreError('conflict', `record ${id} is at revision ${revision}, not ${expect}`)
    if (row) return { partition: partition!, sequence: row.sequence }
    if (body) partition ??= this.#newPartition.get(name)
    return { partition: partition ?? 0 }
  }

  #store({ id, body, terms, claims }: Change, { partition, sequence }: Place): void {
    if (!body) {
      if (sequence === undefined) return
      drop(this.#terms, { partition, sequence }, [])
      this.#remove.run(sequence)
      return
    }
    if (sequence !== undefined) this.#update.run(body, sequence)
    const place = { partition, sequence: sequence ?? Number(this.#insert.run(partition, id, body).lastInsertRowid) }
    drop(this.#terms, place, terms)
    take(this.#terms, place, terms)
    if (!take(this.#claims, place, claims)) throw new StoreError('conflict', `a claim of record ${id} is taken`)
  }
}

const tagsIn = (db: Connection, table: 'term' | 'claim'): Tags => ({
  of: db.prepare<[number], Buffer>(`select ${table} from ${table} where sequence = ?`).pluck(),
  add: db.prepare(`insert into ${table} (partition, ${table}, sequence) values (?, ?, ?) on conflict do nothing`),
  remove: db.prepare(`delete from ${table} where partition = ? and ${table} = ? and sequence = ?`),
})

/** Remove the record's values that are not among `kept`. */
function drop(tags: Tags, { partition, sequence }: Place, kept: readonly Buffer[] = []): void {
  if (sequence === undefined) return
  for (const value of tags.of.all(sequence)) if (!kept.some(k => k.equals(value))) tags.remove.run(partition, value, sequence)
}

/** Give the record the values that it lacks. @returns false if another record has one that only one may have */
function take(tags: Tags, { partition, sequence }: Place, values: readonly Buffer[] = []): boolean {
  if (values.length === 0 || sequence === undefined) return true
  const had = tags.of.all(sequence)
  const lacking = values.filter((value, i) => !had.some(h => h.equals(value)) && values.findIndex(v => v.equals(value)) === i)
  return lacking.every(value => tags.add.run(partition, value, sequence).changes === 1)
}
