import { ManagedObject } from '../../objects/managed-object.ts'
import type { Records } from '../../seal/records.ts'
import { factsOf, type ObjectFacts, type ObjectInfo } from './object-facts.ts'

/** What objects must be like to be listed; all of it. */
export interface ObjectFilters {
  /** Part of a name, whatever its case. */
  readonly name?: string
  readonly type?: string
  readonly state?: string
  /** Values of attributes by their names in snake case. */
  readonly attributes?: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly madeAfterMs?: number
  readonly madeBeforeMs?: number
}

export interface ObjectPage {
  readonly limit: number
  /** Only what comes after this identifier. */
  readonly after?: string
}

export interface ObjectList {
  /** Newest first. */
  readonly found: readonly (readonly [id: string, info: ObjectInfo])[]
  /** Where to go on, when not all was looked at. */
  readonly next?: string
}

const PAGE = 500
/** Objects that one list opens at most, so that a list of few among many does not hold up the clients. */
const MOST_OPENED = 10_000

/** A partition's objects, by their records. */
export class Inventory {
  readonly #records: Records
  readonly #partition: string
  readonly #now: () => bigint

  /** @param now seconds since 1970 */
  constructor(records: Records, partition: string, now: () => bigint) {
    this.#records = records
    this.#partition = partition
    this.#now = now
  }

  /** @throws StoreError, SealError */
  async read(id: string): Promise<ObjectFacts | undefined> {
    const object = await this.#open(id)
    return object && factsOf(object, this.#now())
  }

  /** @throws StoreError, SealError */
  async list(filters: ObjectFilters, { limit, after }: ObjectPage): Promise<ObjectList> {
    const found: [string, ObjectInfo][] = []
    let isPast = after === undefined
    let opened = 0
    let last = after
    for await (const id of this.#ids()) {
      if (!isPast) {
        isPast = id === after
        continue
      }
      if (opened === MOST_OPENED) return { found, ...(last !== undefined && { next: last }) }
      opened++
      last = id
      const object = await this.#open(id)
      if (!object) continue
      const { attributes, ...info } = factsOf(object, this.#now())
      if (isWanted({ ...info, attributes }, filters)) found.push([id, info])
      if (found.length === limit) return { found, next: id }
    }
    return { found }
  }

  async #open(id: string): Promise<ManagedObject | undefined> {
    const record = await this.#records.get(this.#partition, id)
    return record && ManagedObject.fromBody(id, record.body, record.revision)
  }

  async *#ids(): AsyncGenerator<string> {
    for (let before: number | undefined; ; ) {
      const page = await this.#records.find(this.#partition, [], before === undefined ? { limit: PAGE } : { before, limit: PAGE })
      for (const { id } of page) yield id
      before = page.at(-1)?.sequence
      if (page.length < PAGE || before === undefined) return
      // The clients' turn, between pages.
      await new Promise<void>(resolve => setImmediate(resolve))
    }
  }
}

function isWanted(facts: ObjectFacts, { name, type, state, attributes = {}, madeAfterMs, madeBeforeMs }: ObjectFilters): boolean {
  const madeMs = facts.initial_date === undefined ? undefined : Date.parse(facts.initial_date)
  return (
    (name === undefined || facts.names?.some(known => known.toLowerCase().includes(name.toLowerCase())) === true) &&
    (type === undefined || facts.type === type) &&
    (state === undefined || facts.state === state) &&
    (madeAfterMs === undefined || (madeMs !== undefined && madeMs >= madeAfterMs)) &&
    (madeBeforeMs === undefined || (madeMs !== undefined && madeMs < madeBeforeMs)) &&
    Object.entries(attributes).every(([wanted, value]) => has(facts.attributes[wanted], value))
  )
}

const has = (value: unknown, wanted: string): boolean =>
  Array.isArray(value)
    ? value.some(item => has(item, wanted))
    : typeof value === 'object'
      ? JSON.stringify(value) === wanted
      : String(value) === wanted
