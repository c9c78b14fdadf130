import type { ManagedObject } from '../objects/managed-object.ts'
import type { ObjectCache } from '../objects/object-cache.ts'
import type { UnitOfWork } from '../objects/unit-of-work.ts'
import { isConflict } from '../store/store.ts'
import { boolean } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import type { ObjectSource } from './remembered-answers.ts'

/** Marks that are stored before other work gets its turn. */
const AT_ONCE = 16
/** With so many that wait, a Get waits for its own mark again. */
const MOST_WAITING = 4_096
const ATTEMPTS = 5

interface Mark {
  readonly fresh: ManagedObject
  readonly marked: ManagedObject
  readonly newUnit: () => UnitOfWork
  /** What the answer follows from that served the object; it follows from the marked object as well. */
  readonly source: ObjectSource | undefined
}

export const isFresh = (object: ManagedObject): boolean => object.attributes.flag(TAG.Fresh) === true
export const endFresh = (object: ManagedObject): void => object.attributes.set(boolean(TAG.Fresh, false))

/**
 * Objects that were served for the first time, and so are not Fresh any more. Within this process that holds at once; it is stored a
 * little later, so that a Get need not wait for the disk. Until then another process, or this one after a crash, still sees the object
 * as Fresh; hence an object in an Object Group, out of which fresh members are given, is never marked here but before its Get is answered.
 * Spec: KMIP 1.4 section 3.34
 */
export class ServedMarks {
  readonly #cache: ObjectCache
  readonly #soon: (work: () => Promise<void>) => void
  #waiting = new Map<string, Mark>()
  #storing: Promise<void> = Promise.resolve()
  #isScheduled = false

  /** @param soon runs the work a few milliseconds later, once */
  constructor(cache: ObjectCache, soon: (work: () => Promise<void>) => void) {
    this.#cache = cache
    this.#soon = soon
  }

  /** Whether the mark of this object may follow the answer. */
  takes(object: ManagedObject): boolean {
    return object.revision > 0 && this.#waiting.size < MOST_WAITING && !object.attributes.has(TAG.ObjectGroup)
  }

  /**
   * The object was served.
   * @param newUnit a unit of work in the scope of the object
   * @param source what the answer follows from: its revision is that of the object, and goes on with it when the mark is stored
   */
  note(fresh: ManagedObject, newUnit: () => UnitOfWork, source?: ObjectSource): void {
    const unit = newUnit()
    const marked = fresh.copy()
    endFresh(marked)
    this.#cache.amend(unit.scope, fresh, marked)
    const key = `${unit.scope}/${fresh.id}`
    // One mark serves all who got the object at once, and one answer goes on with it: the others are worked out anew.
    const earlier = this.#waiting.get(key)?.source
    if (earlier) earlier.revision = 0
    this.#waiting.set(key, { fresh, marked, newUnit, source })
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#soon(() => this.settle())
  }

  /** Store the marks that wait. It never throws: a mark that cannot be stored is forgotten with the answer, and the next Get makes it again. */
  settle(): Promise<void> {
    this.#storing = this.#storing.then(() => this.#store())
    return this.#storing
  }

  async #store(): Promise<void> {
    this.#isScheduled = false
    const marks = [...this.#waiting.values()]
    this.#waiting = new Map()
    const stored: Promise<void>[] = []
    for (let i = 0; i < marks.length; i += AT_ONCE) {
      for (const mark of marks.slice(i, i + AT_ONCE)) stored.push(this.#storeOne(mark))
      if (i + AT_ONCE < marks.length) await new Promise(resolve => setImmediate(resolve))
    }
    await Promise.all(stored)
  }

  async #storeOne({ fresh, marked, newUnit, source }: Mark): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const unit = newUnit()
      try {
        if (this.#cache.holds(unit.scope, marked)) {
          unit.replace(fresh, marked)
          await unit.commit()
          if (source) source.revision++
          return
        }
        const current = await unit.find(marked.id)
        // Whoever changed the object here meanwhile stored the mark with it.
        if (current === undefined || !isFresh(current)) return
        endFresh(await unit.edit(marked.id))
        await unit.commit()
        return
      } catch (error) {
        this.#cache.forget(unit.scope, marked.id)
        if (isConflict(error)) continue
        if (source) source.revision = 0
        return
      }
    }
  }
}
