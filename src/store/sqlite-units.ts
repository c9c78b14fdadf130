import type { Statement, Transaction } from 'better-sqlite3'
import { type Connection, storeError } from './sqlite-connection.ts'
import type { PackedChange, Unit } from './sqlite-message.ts'
import { type Term, unpackTerms } from './sqlite-terms.ts'
import type { StoreErrorCode } from './store.ts'

/** What became of a unit: stored, or why not. */
export type Verdict = undefined | { readonly code: StoreErrorCode; readonly message: string }

/** A record that is there. */
interface Row {
  readonly sequence: number
  readonly revision: number
  readonly terms: Buffer
}

interface Place {
  /** Absent: the partition was never used. */
  readonly partition: number | undefined
  readonly row: Row | undefined
  /** Those that the record has afterwards. */
  readonly terms: readonly Term[]
}

const NONE = Buffer.alloc(0)

/** The record that claims a term. The newest of those that carry it comes first, since it is mostly that one. Parameters: partition, term. */
export const HOLDER = 'select sequence from term where partition = ? and term = ? and claimed order by sequence desc'

/**
 * Writes units of changes through one connection, as many as there are in one transaction, each of them all or nothing: a unit is
 * checked before anything of it is written, so that it needs no savepoint.
 */
export class UnitWriter {
  readonly #numberOf: Statement<[string], number>
  readonly #newPartition: Statement<[string], number>
  readonly #next: Statement<[], number>
  readonly #setNext: Statement<[number]>
  readonly #row: Statement<[number, string], Row>
  readonly #insert: Statement<[sequence: number, partition: number, id: string, terms: Buffer, body: Buffer]>
  readonly #update: Statement<[terms: Buffer, body: Buffer, sequence: number]>
  readonly #updateBody: Statement<[body: Buffer, sequence: number]>
  readonly #remove: Statement<[number]>
  readonly #holder: Statement<[partition: number, term: Buffer], number>
  readonly #untag: Statement<[partition: number, term: Buffer, sequence: number]>
  /** One row: for a statement of several, SQLite keeps what was on each page before, lest it fails half-way, and that takes as long again. */
  readonly #tag: Statement<[partition: number, term: Buffer, sequence: number, claimed: number]>
  readonly #batch: Transaction<(units: readonly Unit[]) => Verdict[]>
  /** Numbers of partitions by name. */
  readonly #numbers = new Map<string, number>()
  /** Of the next new record. */
  #sequence = 0

  constructor(db: Connection) {
    this.#numberOf = db.prepare<[string], number>('select number from partition where name = ?').pluck()
    this.#newPartition = db.prepare<[string], number>('insert into partition (name) values (?) returning number').pluck()
    this.#next = db.prepare<[], number>('select sequence from next').pluck()
    this.#setNext = db.prepare('update next set sequence = ?')
    this.#row = db.prepare('select sequence, revision, terms from record where partition = ? and id = ?')
    this.#insert = db.prepare('insert into record (sequence, partition, id, revision, terms, body) values (?, ?, ?, 1, ?, ?)')
    this.#update = db.prepare('update record set revision = revision + 1, terms = ?, body = ? where sequence = ?')
    this.#updateBody = db.prepare('update record set revision = revision + 1, body = ? where sequence = ?')
    this.#remove = db.prepare('delete from record where sequence = ?')
    this.#holder = db.prepare<[number, Buffer], number>(HOLDER).pluck()
    this.#untag = db.prepare('delete from term where partition = ? and term = ? and sequence = ?')
    this.#tag = db.prepare('insert into term (partition, term, sequence, claimed) values (?, ?, ?, ?)')
    this.#batch = db.transaction(units => this.write(units))
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
      this.forget()
      throw storeError(e)
    }
  }

  /** A transaction was rolled back, and may have made a partition. */
  forget(): void {
    this.#numbers.clear()
  }

  /** The same within a transaction of the caller's; when that is rolled back, `forget` must be called. */
  write(units: readonly Unit[]): Verdict[] {
    const first = this.#next.get()!
    this.#sequence = first
    const verdicts = units.map(unit => this.#judge(unit))
    if (this.#sequence !== first) this.#setNext.run(this.#sequence)
    return verdicts
  }

  #judge(unit: Unit): Verdict {
    const places = unit.map(change => this.#place(change, unit.length))
    const message = this.#conflict(unit, places)
    if (message) return { code: 'conflict', message }
    for (const [i, change] of unit.entries()) this.#write(change, places[i]!)
    return undefined
  }

  #place({ partition: name, id, body, terms }: PackedChange, count: number): Place {
    const partition = this.#number(name)
    const row = partition === undefined ? undefined : this.#row.get(partition, id)
    if (!body) return { partition, row, terms: [] }
    // What a record keeps stands in the way of the others in its unit alone.
    const kept = count > 1 ? row?.terms : undefined
    return { partition, row, terms: unpackTerms(terms ?? kept ?? NONE) }
  }

  /** Everything for which a unit may be refused. */
  #conflict(unit: Unit, places: readonly Place[]): string | undefined {
    const seen = new Set<string>()
    for (const [i, { partition, id, expect }] of unit.entries()) {
      const revision = places[i]!.row?.revision ?? 0
      if (revision !== expect) return `record ${id} is at revision ${revision}, not ${expect}`
      if (seen.size === seen.add(`${partition}\0${id}`).size) return `record ${id} is changed twice in one commit`
    }
    const taken = new Set<string>()
    for (const [i, { partition: name, id }] of unit.entries()) {
      const { partition, terms } = places[i]!
      for (const { value, isClaimed } of terms) {
        if (!isClaimed) break
        const holder = partition === undefined ? undefined : this.#holder.get(partition, value)
        // A record of this unit lets go what it held, whatever their order; what it keeps is among the taken ones.
        if (holder !== undefined && !places.some(({ row }) => row?.sequence === holder)) return `a claim of record ${id} is taken`
        if (taken.size === taken.add(`${name}\0${value.toString('latin1')}`).size) return `a claim of record ${id} is taken`
      }
    }
    return undefined
  }

  #write({ partition: name, id, body, terms: packed }: PackedChange, { row, terms }: Place): void {
    if (!body) {
      if (!row) return
      const partition = this.#number(name)!
      for (const { value } of unpackTerms(row.terms)) this.#untag.run(partition, value, row.sequence)
      this.#remove.run(row.sequence)
      return
    }
    const partition = this.#number(name) ?? this.#make(name)
    if (!row) {
      const sequence = this.#sequence++
      this.#insert.run(sequence, partition, id, packed ?? NONE, body)
      for (const { value, isClaimed } of terms) this.#tag.run(partition, value, sequence, isClaimed ? 1 : 0)
      return
    }
    if (packed === undefined || packed.equals(row.terms)) {
      this.#updateBody.run(body, row.sequence)
      return
    }
    this.#update.run(packed, body, row.sequence)
    const had = unpackTerms(row.terms)
    for (const term of had) if (!has(terms, term)) this.#untag.run(partition, term.value, row.sequence)
    for (const term of terms) if (!has(had, term)) this.#tag.run(partition, term.value, row.sequence, term.isClaimed ? 1 : 0)
  }

  #number(name: string): number | undefined {
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    const number = this.#numberOf.get(name)
    if (number !== undefined) this.#numbers.set(name, number)
    return number
  }

  #make(name: string): number {
    const number = this.#newPartition.get(name)!
    this.#numbers.set(name, number)
    return number
  }
}

const has = (terms: readonly Term[], { value, isClaimed }: Term): boolean =>
  terms.some(term => term.isClaimed === isClaimed && term.value.equals(value))
