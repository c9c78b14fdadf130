import { type Change, type Found, type Page, type Sealed, type Store, StoreError } from './store.ts'

interface Row {
  readonly sequence: number
  readonly revision: number
  readonly body: Buffer
  readonly terms: ReadonlySet<string>
  readonly claims: readonly string[]
}

interface Partition {
  /** By identifier. A row that is replaced keeps its place, so the order is the one in which records were made. */
  readonly rows: Map<string, Row>
  /** Who holds which claim. */
  readonly holders: Map<string, string>
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

  async find(partition: string, terms: readonly Buffer[], { before = Number.POSITIVE_INFINITY, limit }: Page): Promise<Found[]> {
    this.#checkOpen()
    const wanted = terms.map(text)
    const found: Found[] = []
    for (const [id, row] of [...(this.#partitions.get(partition)?.rows ?? [])].reverse()) {
      if (found.length >= limit) break
      if (row.sequence < before && wanted.every(term => row.terms.has(term))) found.push({ id, sequence: row.sequence })
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
    if (this.#closed) throw new StoreError('closed', 'the store is closed')
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
    for (const { partition, id, body, claims } of changes) {
      if (body === undefined) continue
      for (const claim of new Set(claims?.map(text))) {
        const holder = this.#partitions.get(partition)?.holders.get(claim)
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

  #write({ partition, id, expect, body, terms = [], claims = [] }: Change): void {
    let { rows, holders } = this.#partitions.get(partition) ?? {}
    if (body === undefined) {
      rows?.delete(id)
      return
    }
    if (!rows || !holders) {
      rows = new Map()
      holders = new Map()
      this.#partitions.set(partition, { rows, holders })
    }
    rows.set(id, {
      sequence: rows.get(id)?.sequence ?? ++this.#sequence,
      revision: expect + 1,
      body: Buffer.from(body),
      terms: new Set(terms.map(text)),
      claims: claims.map(text),
    })
    for (const claim of claims) holders.set(text(claim), id)
  }
}

/** @returns an empty store that lives as long as the process */
export const openMemory = async (): Promise<Store> => new MemoryStore()
