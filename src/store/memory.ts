import { type Change, type Found, type Page, type Sealed, type Store, StoreError, storeClosed } from './store.ts'

/** A record keeps its row for life, so a row has its place in every list by its sequence. */
interface Row {
  readonly id: string
  readonly sequence: number
  revision: number
  body: Buffer
  terms: ReadonlySet<string>
  claims: ReadonlySet<string>
}

interface Partition {
  readonly rows: Map<string, Row>
  /** All rows, oldest first. */
  readonly all: Row[]
  /** Rows that carry a term, oldest first; no list is empty. */
  readonly carriers: Map<string, Row[]>
  /** Who holds which claim. */
  readonly holders: Map<string, Row>
}

const text = (value: Buffer): string => value.toString('latin1')

/** The store in its plainest form, for tests and for servers that shall leave nothing behind. Gone with the process. */
export class MemoryStore implements Store {
  readonly #partitions = new Map<string, Partition>()
  #sequence = 0
  #version = 0
  #closed = false

  async get(partition: string, id: string): Promise<Sealed | undefined> {
    const row = this.#row(partition, id)
    return row && { revision: row.revision, body: row.body }
  }

  async revision(partition: string, id: string): Promise<number> {
    return this.#row(partition, id)?.revision ?? 0
  }

  async find(partition: string, terms: readonly Buffer[], page: Page): Promise<Found[]> {
    this.#checkOpen()
    const { before = Number.POSITIVE_INFINITY, limit } = page
    const marks = page.marks?.map(text)
    const { all = [], carriers } = this.#partitions.get(partition) ?? {}
    const wanted = terms.map(text)
    const lists = wanted.map(term => carriers?.get(term) ?? [])
    const rarest = lists.reduce((a, b) => (b.length < a.length ? b : a), lists[0] ?? all)
    const found: Found[] = []
    for (let i = placeOf(rarest, before) - 1; i >= 0 && found.length < limit; i--) {
      const { id, sequence, terms } = rarest[i]!
      if (!wanted.every(term => terms.has(term))) continue
      const mark = marks?.findIndex(term => terms.has(term)) ?? -1
      found.push(mark < 0 ? { id, sequence } : { id, sequence, mark })
    }
    return found
  }

  async commit(changes: readonly Change[]): Promise<void> {
    this.#checkOpen()
    this.#check(changes)
    for (const change of changes) this.#release(change)
    for (const change of changes) this.#write(change)
    this.#version++
  }

  version(): number {
    this.#checkOpen()
    return this.#version
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#partitions.clear()
  }

  #row(partition: string, id: string): Row | undefined {
    this.#checkOpen()
    return this.#partitions.get(partition)?.rows.get(id)
  }

  #checkOpen(): void {
    if (this.#closed) throw storeClosed()
  }

  /** Everything that could fail, before anything is changed. */
  #check(changes: readonly Change[]): void {
    const changed = new Set<string>()
    const taken = new Set<string>()
    const place = (partition: string, value: string): string => JSON.stringify([partition, value])
    for (const { partition, id, expect } of changes) {
      const revision = this.#row(partition, id)?.revision ?? 0
      if (revision !== expect) throw new StoreError('conflict', `record ${id} is at revision ${revision}, not ${expect}`)
      if (changed.has(place(partition, id))) throw new StoreError('conflict', `record ${id} is changed twice in one commit`)
      changed.add(place(partition, id))
    }
    for (const { partition, id, body, claims, keepsTerms } of changes) {
      if (body === undefined) continue
      for (const claim of keepsTerms ? (this.#row(partition, id)?.claims ?? []) : new Set(claims?.map(text))) {
        const holder = this.#partitions.get(partition)?.holders.get(claim)?.id
        const isHeld = holder !== undefined && holder !== id && !changed.has(place(partition, holder))
        if (isHeld || taken.has(place(partition, claim))) throw new StoreError('conflict', `a claim of record ${id} is taken`)
        taken.add(place(partition, claim))
      }
    }
  }

  #release({ partition, id }: Change): void {
    const holders = this.#partitions.get(partition)?.holders
    for (const claim of this.#row(partition, id)?.claims ?? []) holders?.delete(claim)
  }

  #write({ partition: name, id, expect, body, terms = [], claims = [], keepsTerms = false }: Change): void {
    const partition = this.#partition(name)
    const { rows, all, holders } = partition
    const stored = rows.get(id)
    if (body === undefined) {
      if (!stored) return
      tag(partition, stored, new Set())
      rows.delete(id)
      all.splice(placeOf(all, stored.sequence), 1)
      return
    }
    const row = stored ?? { id, sequence: ++this.#sequence, revision: 0, body, terms: new Set(), claims: new Set() }
    if (!stored) {
      rows.set(id, row)
      all.push(row)
    }
    row.revision = expect + 1
    row.body = Buffer.from(body)
    if (!keepsTerms) {
      row.claims = new Set(claims.map(text))
      tag(partition, row, new Set([...row.claims, ...terms.map(text)]))
    }
    for (const claim of row.claims) holders.set(claim, row)
  }

  #partition(name: string): Partition {
    let partition = this.#partitions.get(name)
    if (!partition) {
      partition = { rows: new Map(), all: [], carriers: new Map(), holders: new Map() }
      this.#partitions.set(name, partition)
    }
    return partition
  }
}

/** Give the row these terms instead of those that it has. */
function tag({ carriers }: Partition, row: Row, terms: ReadonlySet<string>): void {
  for (const term of row.terms) {
    if (terms.has(term)) continue
    const list = carriers.get(term)!
    if (list.length === 1) carriers.delete(term)
    else list.splice(placeOf(list, row.sequence), 1)
  }
  for (const term of terms) {
    if (row.terms.has(term)) continue
    const list = carriers.get(term)
    if (list) list.splice(placeOf(list, row.sequence), 0, row)
    else carriers.set(term, [row])
  }
  row.terms = terms
}

/** Where a row of this sequence is or would be: the count of rows that are older. */
function placeOf(rows: readonly Row[], sequence: number): number {
  if (rows.length === 0 || rows.at(-1)!.sequence < sequence) return rows.length
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (rows[middle]!.sequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}

/** @returns an empty store that lives as long as the process */
export const openMemory = async (): Promise<Store> => new MemoryStore()
