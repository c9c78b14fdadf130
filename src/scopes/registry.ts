import type { RecordChange, Records } from '../seal/records.ts'
import { isConflict } from '../store/store.ts'
import { allowedBy } from './permissions.ts'
import { type CredentialRow, isSecret, type RoleRow, type Row, rowOf, type ScopeRow } from './rows.ts'

/** Partition of all records of the administration of the first mount; longer than a scope's id, so that none can be it. */
export const ADMINISTRATION = 'administration'
// Each commit rewrites this record, so its revision counts them and orders them all.
const GENERATION = 'generation'
const PAGE = 500
const ATTEMPTS = 100
/** How many places the journal names before readers that are further behind must read everything. */
const JOURNAL = 128

/** A row to write, a secret to write, or neither to delete what is at the place. */
export interface Update {
  readonly place: string
  readonly row?: Row
  readonly secret?: object
}

export interface Plan<T> {
  readonly updates: readonly Update[]
  readonly result: T
}

type Journal = readonly (readonly [generation: number, places: readonly string[]])[]

/**
 * The rows of the administration in memory, kept equal to the records. `refresh` costs one comparison while nothing was committed in
 * the store, one look at the generation's revision when something was, and reads only the rows that changed when they did.
 */
export class Registry {
  readonly records: Records
  readonly #partition: string
  readonly #prefix: string
  readonly #rows = new Map<string, { readonly revision: number; readonly row: Row }>()
  readonly #scopes = new Map<string, ScopeRow>()
  readonly #roles = new Map<string, RoleRow>()
  readonly #allowed = new Map<string, ReadonlySet<string>>()
  readonly #credentials = new Map<string, CredentialRow>()
  #generation = -1
  #version: number | undefined
  #pending: { readonly version: number; readonly done: Promise<void> } | undefined
  #reading: Promise<void> = Promise.resolve()
  #writing: Promise<unknown> = Promise.resolve()

  /**
   * @param partition  of its records
   * @param prefix     stands before a scope's id in the name of the partition of its objects
   */
  constructor(
    records: Records,
    { partition = ADMINISTRATION, prefix = '' }: { readonly partition?: string; readonly prefix?: string } = {},
  ) {
    this.records = records
    this.#partition = partition
    this.#prefix = prefix
  }

  /** Partition of the objects of a scope. */
  objectsOf = (scope: string): string => `${this.#prefix}${scope}`

  row<K extends Row['kind']>(kind: K, place: string): (Row & { readonly kind: K }) | undefined {
    const row = this.#rows.get(place)?.row
    return row?.kind === kind ? (row as Row & { readonly kind: K }) : undefined
  }

  rows<K extends Row['kind']>(kind: K): (Row & { readonly kind: K })[] {
    return [...this.#rows.values()].flatMap(({ row }) => (row.kind === kind ? [row as Row & { readonly kind: K }] : []))
  }

  /** Where all rows are. */
  places = (): string[] => [...this.#rows.keys()]

  /** A live scope by its name. */
  scopeNamed = (name: string): ScopeRow | undefined => this.#scopes.get(name)
  roleNamed = (scope: string, name: string): RoleRow | undefined => this.#roles.get(`${scope}/${name}`)
  credentialOf = (fingerprint: string): CredentialRow | undefined => this.#credentials.get(fingerprint)
  /** Operations that a role allows, by the role's place. */
  allowed = (place: string): ReadonlySet<string> | undefined => this.#allowed.get(place)

  /** Another number after each commit of rows. */
  get generation(): number {
    return this.#generation
  }

  /** Whether nothing was committed since the last `refresh`. */
  isCurrent(): boolean {
    return this.#version !== undefined && this.#version === this.records.version()
  }

  /** See everything that was committed before this call, by whatever process. */
  async refresh(): Promise<void> {
    const version = this.records.version()
    if (version === this.#version) return
    // Whoever began to look before this version may have looked too early.
    if (this.#pending?.version !== version) this.#pending = { version, done: this.#look(version) }
    const pending = this.#pending
    try {
      await pending.done
    } finally {
      if (this.#pending === pending) this.#pending = undefined
    }
  }

  async #look(version: number): Promise<void> {
    if ((await this.records.revision(this.#partition, GENERATION)) !== this.#generation) {
      const read = this.#reading.then(() => this.#read())
      this.#reading = read.catch(() => undefined)
      await read
    }
    this.#version = version
  }

  async #read(): Promise<void> {
    const record = await this.records.get(this.#partition, GENERATION)
    const generation = record?.revision ?? 0
    if (generation === this.#generation) return
    const journal: Journal = record ? JSON.parse(record.body.toString('utf8')) : []
    const oldest = journal[0]?.[0] ?? generation + 1
    const whole = this.#generation < 0 || generation < this.#generation || oldest > this.#generation + 1
    const places = whole ? await this.#allPlaces() : journal.flatMap(([at, changed]) => (at > this.#generation ? changed : []))
    const found = new Map<string, { readonly revision: number; readonly row: Row } | undefined>()
    if (whole) for (const place of this.#rows.keys()) found.set(place, undefined)
    for (const place of new Set(places)) {
      if (place === GENERATION || isSecret(place)) continue
      const stored = await this.records.get(this.#partition, place)
      found.set(place, stored && { revision: stored.revision, row: rowOf(stored.body) })
    }
    for (const [place, entry] of found) this.#put(place, entry)
    this.#generation = generation
  }

  async #allPlaces(): Promise<string[]> {
    const places: string[] = []
    for (let before: number | undefined; ; ) {
      const page = await this.records.find(this.#partition, [], before === undefined ? { limit: PAGE } : { before, limit: PAGE })
      places.push(...page.map(({ id }) => id))
      before = page.at(-1)?.sequence
      if (page.length < PAGE || before === undefined) return places
    }
  }

  #put(place: string, entry: { readonly revision: number; readonly row: Row } | undefined): void {
    const old = this.#rows.get(place)?.row
    if (old?.kind === 'scope' && this.#scopes.get(old.name)?.id === old.id) this.#scopes.delete(old.name)
    if (old?.kind === 'role') {
      this.#roles.delete(`${old.scope}/${old.name}`)
      this.#allowed.delete(place)
    }
    if (old?.kind === 'credential') this.#credentials.delete(old.fingerprint)
    if (!entry) {
      this.#rows.delete(place)
      return
    }
    this.#rows.set(place, entry)
    const { row } = entry
    if (row.kind === 'scope' && row.state === 'live') this.#scopes.set(row.name, row)
    if (row.kind === 'role') {
      this.#roles.set(`${row.scope}/${row.name}`, row)
      this.#allowed.set(place, allowedBy(row.grants))
    }
    if (row.kind === 'credential') this.#credentials.set(row.fingerprint, row)
  }

  /**
   * Change rows, all or nothing. `plan` sees the newest rows and is run anew when somebody else committed meanwhile.
   * @throws what `plan` throws; StoreError
   */
  change<T>(plan: () => Plan<T> | Promise<Plan<T>>): Promise<T> {
    const done = this.#writing.then(() => this.#change(plan))
    this.#writing = done.catch(() => undefined)
    return done
  }

  async #change<T>(plan: () => Plan<T> | Promise<Plan<T>>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      await this.refresh()
      const generation = this.#generation
      const { updates, result } = await plan()
      if (updates.length === 0) return result
      try {
        await this.records.commit(await this.#changes(generation, updates))
      } catch (error) {
        if (isConflict(error) && attempt < ATTEMPTS) {
          // Our own look may have found nothing new, if the store tells of others' commits late.
          this.#version = undefined
          continue
        }
        throw error
      }
      await this.refresh()
      return result
    }
  }

  /** What is to be committed for these updates of the rows as they were last seen: for a commit of somebody else, which may conflict. */
  draft(updates: readonly Update[]): Promise<RecordChange[]> {
    return this.#changes(this.#generation, updates)
  }

  async #changes(generation: number, updates: readonly Update[]): Promise<RecordChange[]> {
    const stored = await this.records.get(this.#partition, GENERATION)
    const journal: Journal = stored && stored.revision === generation ? JSON.parse(stored.body.toString('utf8')) : []
    const recent: (readonly [number, readonly string[]])[] = [...journal, [generation + 1, updates.map(({ place }) => place)]]
    for (let count = recent.reduce((sum, [, places]) => sum + places.length, 0); count > JOURNAL && recent.length > 1; )
      count -= recent.shift()![1].length
    const changes: RecordChange[] = [
      { partition: this.#partition, id: GENERATION, expect: generation, body: Buffer.from(JSON.stringify(recent)) },
    ]
    for (const { place, row, secret } of updates) {
      const content = row ?? secret
      const expect = isSecret(place) ? await this.records.revision(this.#partition, place) : (this.#rows.get(place)?.revision ?? 0)
      changes.push({ partition: this.#partition, id: place, expect, ...(content ? { body: Buffer.from(JSON.stringify(content)) } : {}) })
    }
    return changes
  }

  /** A secret, which is read each time; nothing if there is none. @throws SealError */
  async secret<T>(place: string): Promise<T | undefined> {
    const record = await this.records.get(this.#partition, place)
    return record && (JSON.parse(record.body.toString('utf8')) as T)
  }
}
