import type { RecordChange, Records } from '../seal/records.ts'
import type { Item } from '../ttlv/item.ts'
import { KmipError } from './errors.ts'
import { claimsOf, indexTerms, nameTerms, sharesTerms } from './index-terms.ts'
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
  /** Objects that this unit made, changed or removed, by identifier. */
  readonly #edits = new Map<string, ObjectChange>()
  /** Objects that were served for the first time, where that may be stored after the answer. */
  readonly served: ManagedObject[] = []
  /** Records of other partitions that change with the objects. */
  #others: RecordChange[] = []
  readonly #onCommit: OnCommit | undefined

  /** @param isRetry an earlier unit with the same work failed with a conflict */
  constructor(records: Records, cache: ObjectCache, scope: string, isRetry = false, onCommit?: OnCommit) {
    this.#isRetry = isRetry
    this.#onCommit = onCommit
    this.#records = records
    this.#cache = cache
    this.scope = scope
  }

  /** The object as this unit sees it, or nothing. Shared with others: do not change it. */
  find(id: string): Promise<ManagedObject | undefined> {
    const edit = this.#edits.get(id)
    return edit ? Promise.resolve(edit.after) : this.#cache.read(this.scope, id)
  }

  /** @throws KmipError Object Not Found (Item Not Found before 2.0), the same for an object of another scope */
  async read(id: string, reason: 'ObjectNotFound' | 'ItemNotFound' = 'ObjectNotFound'): Promise<ManagedObject> {
    const object = await this.find(id)
    if (!object) throw new KmipError(reason, `there is no object ${printable(id)}`)
    return object
  }

  /** A copy to change; this unit stores it when it commits. @throws KmipError as `read` */
  async edit(id: string): Promise<ManagedObject> {
    const own = this.#edits.get(id)?.after
    if (own) return own
    const before = await this.read(id)
    const after = before.copy()
    this.#edits.set(id, { before, after })
    return after
  }

  add(object: ManagedObject): void {
    const before = object.revision > 0 ? this.#cache.peek(this.scope, object.id) : undefined
    this.#edits.set(object.id, { before, after: object })
  }

  /** Store `after`, a changed copy, in place of `before`; the commit fails when that is not what is stored. */
  replace(before: ManagedObject, after: ManagedObject): void {
    this.#edits.set(after.id, { before, after })
  }

  /** Forget the object altogether. @throws KmipError as `read` */
  async remove(id: string): Promise<void> {
    const object = await this.read(id)
    if (object.revision > 0) this.#edits.set(id, { before: this.#edits.get(id)?.before ?? object })
    else this.#edits.delete(id)
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
    for (const object of this.#own().reverse()) if (object.revision === 0) yield object
    let before: number | undefined
    for (;;) {
      const page = await this.#records.find(this.scope, terms, {
        limit: PAGE,
        ...(before !== undefined && { before }),
        ...(marks && { marks }),
      })
      for (const { id, mark } of page) {
        if (typeof mark === 'number' && !this.#edits.has(id)) yield { id, mark: marks![mark]! }
        else {
          const object = await this.find(id)
          if (object) yield object
        }
      }
      const last = page.at(-1)
      if (!last || page.length < PAGE) break
      before = last.sequence
    }
    // An object that this unit changed so that it has the terms only now is not in the index yet.
    for (const object of this.#own()) if (object.revision > 0 && this.#hasNewTerms(object, terms)) yield object
  }

  /** What this unit made or changed. */
  #own(): ManagedObject[] {
    return [...this.#edits.values()].flatMap(({ after }) => after ?? [])
  }

  #hasNewTerms(object: ManagedObject, terms: readonly string[]): boolean {
    const stored = this.#cache.peek(this.scope, object.id)
    const before = new Set(stored ? indexTerms(stored) : [])
    const now = new Set(indexTerms(object))
    return terms.every(term => now.has(term)) && !terms.every(term => before.has(term))
  }

  /** @throws KmipError Non Unique Name Attribute: another living object of the scope has the name */
  async checkName(name: Item, except?: string, v1: 'InvalidField' | 'IllegalOperation' = 'InvalidField'): Promise<void> {
    if (await this.isNameTaken(name, except)) throw new KmipError('NonUniqueNameAttribute', 'another object has this Name', { v1 })
  }

  /**
   * Whether another living object of the scope has a name, as far as this unit knows: whether a stored object has it, the store's claims decide
   * when the unit commits, and only a unit that failed so looks for the object.
   */
  async isNameTaken(name: Item, except?: string): Promise<boolean> {
    const terms = nameTerms(name)
    const hasIt = (object: ManagedObject): boolean =>
      object.id !== except && !object.destroyed && claimsOf(object).some(claim => terms.includes(claim))
    if (!this.#isRetry) return this.#own().some(hasIt)
    for await (const object of this.candidates(terms)) if (hasIt(object)) return true
    return false
  }

  /** A record apart from the objects that changes with them, or not at all. */
  write(change: RecordChange): void {
    this.#others = [...this.#others.filter(({ partition, id }) => partition !== change.partition || id !== change.id), change]
  }

  /** What this unit will write there, if anything. */
  written(partition: string, id: string): RecordChange | undefined {
    return this.#others.find(other => other.partition === partition && other.id === id)
  }

  get isChanged(): boolean {
    return this.#edits.size + this.#others.length > 0
  }

  /** Make all changes durable. @throws StoreError `conflict`: another unit was faster; nothing is stored. */
  async commit(): Promise<void> {
    if (!this.isChanged) return
    const edits = [...this.#edits]
    const changes = edits.map(([id, edit]) => this.#changeOf(id, edit))
    await this.#records.commit(this.#others.length > 0 ? [...this.#others, ...changes] : changes)
    for (const { id, expect, body } of changes)
      if (body) this.#cache.keep(this.scope, id, body, expect + 1)
      else this.#cache.forget(this.scope, id)
    if (edits.length > 0) this.#onCommit?.(edits.map(([, edit]) => told(edit)))
    this.#edits.clear()
    this.#others = []
  }

  #changeOf(id: string, { before, after }: ObjectChange): RecordChange {
    if (!after) return { partition: this.scope, id, expect: before!.revision }
    const change = { partition: this.scope, id, expect: after.revision, body: after.toBody() }
    if (after.revision > 0 && before?.revision === after.revision && sharesTerms(before, after)) return { ...change, keepsTerms: true }
    return { ...change, terms: indexTerms(after), claims: claimsOf(after) }
  }
}

/** What happened to an object, with the revision that it has now. */
function told({ before, after }: ObjectChange): ObjectChange {
  if (!after) return { before }
  const { id, type, attributes, object, revision, owner } = after
  return { before, after: new ManagedObject(id, type, attributes, object, revision + 1, owner) }
}

/** What a client sent may stand in a message only as far as it is harmless. */
const printable = (id: string): string => (/^[\w.:-]{1,127}$/.test(id) ? id : 'with this Unique Identifier')
