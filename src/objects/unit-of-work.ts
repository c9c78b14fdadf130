import type { RecordChange, Records } from '../seal/records.ts'
import type { Item } from '../ttlv/item.ts'
import { KmipError } from './errors.ts'
import { claimsOf, indexTerms, nameTerms } from './index-terms.ts'
import { ManagedObject } from './managed-object.ts'
import type { ObjectCache } from './object-cache.ts'

const PAGE = 256

/** One object before and after a commit, not to be changed: `before` is absent for a new one, `after` for one that is gone. */
export interface ObjectChange {
  readonly before?: ManagedObject | undefined
  readonly after?: ManagedObject | undefined
}
/** An object that was not opened, and which of the marks it carries. */
export interface Marked {
  readonly id: string
  readonly mark: string
}
/** Is told of each commit at once, in the order of the commits. It must not throw. */
export type OnCommit = (changes: readonly ObjectChange[]) => void

/**
 * What one batch item, or an Undo batch as a whole, reads and changes in one scope. Nothing is stored before `commit`, and then all of
 * it or nothing: the commit fails when another unit changed one of the objects meanwhile, and the caller does the work again.
 */
export class UnitOfWork {
  readonly #records: Records
  readonly #cache: ObjectCache
  readonly #isRetry: boolean
  readonly scope: string
  /** Objects that this unit made or changed, by identifier. */
  readonly #changed = new Map<string, ManagedObject>()
  readonly #removed = new Map<string, ManagedObject>()
  /** Objects that were served for the first time, where that may be stored after the answer. */
  readonly served: ManagedObject[] = []
  /** Records of other partitions that change with the objects, by partition and identifier. */
  readonly #others = new Map<string, RecordChange>()

  readonly #onCommit: OnCommit | undefined
  /** Changed objects as they were, where somebody wants to know. */
  readonly #before: Map<string, ManagedObject> | undefined

  /** @param isRetry an earlier unit with the same work failed with a conflict */
  constructor(records: Records, cache: ObjectCache, scope: string, isRetry = false, onCommit?: OnCommit) {
    this.#isRetry = isRetry
    this.#onCommit = onCommit
    this.#before = onCommit && new Map()
    this.#records = records
    this.#cache = cache
    this.scope = scope
  }

  /** The object as this unit sees it, or nothing. Shared with others: do not change it. */
  async find(id: string): Promise<ManagedObject | undefined> {
    if (this.#removed.has(id)) return undefined
    return this.#changed.get(id) ?? this.#cache.read(this.scope, id)
  }

  /** @throws KmipError Object Not Found (Item Not Found before 2.0), the same for an object of another scope */
  async read(id: string, reason: 'ObjectNotFound' | 'ItemNotFound' = 'ObjectNotFound'): Promise<ManagedObject> {
    const object = await this.find(id)
    if (!object) throw new KmipError(reason, `there is no object ${printable(id)}`)
    return object
  }

  /** A copy to change; this unit stores it when it commits. @throws KmipError as `read` */
  async edit(id: string): Promise<ManagedObject> {
    const own = this.#changed.get(id)
    if (own) return own
    const before = await this.read(id)
    const copy = before.copy()
    this.#changed.set(id, copy)
    this.#before?.set(id, before)
    return copy
  }

  add(object: ManagedObject): void {
    this.#removed.delete(object.id)
    this.#changed.set(object.id, object)
    const before = object.revision > 0 ? this.#cache.peek(this.scope, object.id) : undefined
    if (before) this.#before?.set(object.id, before)
  }

  /** Forget the object altogether. @throws KmipError as `read` */
  async remove(id: string): Promise<void> {
    const object = await this.read(id)
    this.#changed.delete(id)
    if (object.revision > 0) this.#removed.set(id, object)
  }

  /**
   * Objects that carry all `terms`, newest first, those of this unit included. Terms narrow; whether an object is one that is asked
   * for is the caller's to say.
   */
  async *candidates(terms: readonly string[]): AsyncGenerator<ManagedObject> {
    for await (const candidate of this.#candidates(terms)) if ('type' in candidate) yield candidate
  }

  /** The same, but of stored objects that carry one of the marks no more than that: they are not opened. */
  markedCandidates(terms: readonly string[], marks: readonly string[]): AsyncGenerator<ManagedObject | Marked> {
    return this.#candidates(terms, marks)
  }

  async *#candidates(terms: readonly string[], marks?: readonly string[]): AsyncGenerator<ManagedObject | Marked> {
    for (const object of [...this.#changed.values()].reverse()) if (object.revision === 0) yield object
    let before: number | undefined
    for (;;) {
      const page = await this.#records.find(this.scope, terms, {
        limit: PAGE,
        ...(before !== undefined && { before }),
        ...(marks && { marks }),
      })
      for (const { id, mark } of page) {
        if (typeof mark === 'number' && !this.#changed.has(id)) {
          if (!this.#removed.has(id)) yield { id, mark: marks![mark]! }
          continue
        }
        const object = await this.find(id)
        if (object) yield object
      }
      const last = page.at(-1)
      if (!last || page.length < PAGE) break
      before = last.sequence
    }
    // An object that this unit changed so that it has the terms only now is not in the index yet.
    for (const object of this.#changed.values()) if (object.revision > 0 && this.#hasNewTerms(object, terms)) yield object
  }

  #hasNewTerms(object: ManagedObject, terms: readonly string[]): boolean {
    const stored = this.#cache.peek(this.scope, object.id)
    const before = new Set(stored ? indexTerms(stored) : [])
    const now = new Set(indexTerms(object))
    return terms.every(term => now.has(term)) && !terms.every(term => before.has(term))
  }

  /**
   * Refuse a name that another living object of the scope has. Whether a stored object has it, the store's claims decide when this unit
   * commits; only a unit that failed so looks for the object, to tell the client what was wrong.
   * @throws KmipError Non Unique Name Attribute
   */
  async checkName(name: Item, except?: string, v1: 'InvalidField' | 'IllegalOperation' = 'InvalidField'): Promise<void> {
    const terms = nameTerms(name)
    const check = (object: ManagedObject): void => {
      if (object.id !== except && !object.destroyed && claimsOf(object).some(claim => terms.includes(claim)))
        throw new KmipError('NonUniqueNameAttribute', 'another object has this Name', { v1 })
    }
    if (this.#isRetry) for await (const object of this.candidates(terms)) check(object)
    else for (const object of this.#changed.values()) check(object)
  }

  /** A record apart from the objects that changes with them, or not at all. */
  write(change: RecordChange): void {
    this.#others.set(`${change.partition}/${change.id}`, change)
  }

  /** What this unit will write there, if anything. */
  written(partition: string, id: string): RecordChange | undefined {
    return this.#others.get(`${partition}/${id}`)
  }

  get isChanged(): boolean {
    return this.#changed.size + this.#removed.size + this.#others.size > 0
  }

  /** Make all changes durable. @throws StoreError `conflict`: another unit was faster; nothing is stored. */
  async commit(): Promise<void> {
    if (!this.isChanged) return
    const changes: RecordChange[] = [...this.#others.values()]
    const bodies: Buffer[] = []
    for (const object of this.#changed.values()) {
      const body = object.toBody()
      bodies.push(body)
      const terms = indexTerms(object)
      changes.push({ partition: this.scope, id: object.id, expect: object.revision, body, terms, claims: claimsOf(object) })
    }
    for (const object of this.#removed.values()) changes.push({ partition: this.scope, id: object.id, expect: object.revision })
    await this.#records.commit(changes)
    const told: ObjectChange[] | undefined = this.#onCommit && []
    let at = 0
    for (const object of this.#changed.values()) {
      const { id, type, attributes, owner, revision } = object
      this.#cache.keep(this.scope, id, bodies[at++]!, revision + 1)
      told?.push({ before: this.#before?.get(id), after: new ManagedObject(id, type, attributes, object.object, revision + 1, owner) })
    }
    for (const object of this.#removed.values()) {
      this.#cache.forget(this.scope, object.id)
      told?.push({ before: this.#before?.get(object.id) ?? object })
    }
    if (told !== undefined && told.length > 0) this.#onCommit?.(told)
    this.#changed.clear()
    this.#removed.clear()
    this.#others.clear()
  }
}

/** What a client sent may stand in a message only as far as it is harmless. */
const printable = (id: string): string => (/^[\w.:-]{1,127}$/.test(id) ? id : 'with this Unique Identifier')
