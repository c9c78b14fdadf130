import type { ManagedObject } from '../objects/managed-object.ts'
import { TAG } from '../ttlv/tags.ts'

/**
 * Which member of an Object Group comes next where a client asks for the group's default: each Get moves on to the next, oldest first,
 * and behind the last one the first comes again. Kept by each process for itself. Spec: KMIP 1.4 section 4.9, 9.1.3.2.33
 */
export class GroupMembers {
  readonly #served = new Map<string, string>()
  readonly #capacity: number

  /** @param capacity groups that are remembered at most; the oldest go first */
  constructor(capacity = 10_000) {
    this.#capacity = capacity
  }

  /** The default among the group's members, given oldest first. */
  next(scope: string, group: string, members: readonly string[]): string | undefined {
    const last = this.#served.get(`${scope}/${group}`)
    return members[(last === undefined ? 0 : members.indexOf(last) + 1) % members.length]
  }

  /** An object was given out. */
  serve(scope: string, object: ManagedObject): void {
    for (const { item } of object.attributes.all(TAG.ObjectGroup)) {
      const key = `${scope}/${String(item.value)}`
      this.#served.delete(key)
      this.#served.set(key, object.id)
      if (this.#served.size > this.#capacity) this.#served.delete(this.#served.keys().next().value!)
    }
  }
}
