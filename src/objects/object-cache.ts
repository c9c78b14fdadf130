import { RecentMap } from '../seal/recent-map.ts'
import type { Records } from '../seal/records.ts'
import { ManagedObject } from './managed-object.ts'

interface Entry {
  object: ManagedObject
  /** The store's version at which the entry was last known to be current. */
  checked: number
}

/**
 * Objects in clear, so that a Get need not open the sealed record again. An entry is served only after the store said that nothing
 * changed since it was checked, or that the object's revision is still the same: a revoked or destroyed key is never served from here.
 */
export class ObjectCache {
  readonly #records: Records
  readonly #entries: RecentMap<Entry>

  /** @param capacity objects kept at most; those used longest ago go first */
  constructor(records: Records, capacity = 10_000) {
    this.#records = records
    this.#entries = new RecentMap(capacity)
  }

  /** The object as it is stored now, or nothing. */
  async read(scope: string, id: string): Promise<ManagedObject | undefined> {
    const key = `${scope}/${id}`
    const entry = this.#entries.get(key)
    const version = this.#records.version()
    if (entry) {
      if (entry.checked === version) return entry.object
      if ((await this.#records.revision(scope, id)) === entry.object.revision) {
        entry.checked = version
        return entry.object
      }
      this.#entries.delete(key)
    }
    const record = await this.#records.get(scope, id)
    if (!record) return undefined
    const object = ManagedObject.fromBody(id, record.body, record.revision)
    this.#entries.set(key, { object, checked: version })
    return object
  }

  /** What is held for an object, without asking the store whether it is still true. */
  peek(scope: string, id: string): ManagedObject | undefined {
    return this.#entries.get(`${scope}/${id}`)?.object
  }

  /** Take over an object that was just stored; its revision is checked at the next read. */
  keep(scope: string, object: ManagedObject): void {
    this.#entries.set(`${scope}/${object.id}`, { object, checked: Number.NaN })
  }

  /** Put another form of an object in its place, to be served as long as the object is at that revision; a newer one that is held stays. */
  amend(scope: string, object: ManagedObject, amended: ManagedObject): void {
    const entry = this.#entries.get(`${scope}/${object.id}`)
    if (entry === undefined) this.keep(scope, amended)
    else if (entry.object === object) entry.object = amended
  }

  forget(scope: string, id: string): void {
    this.#entries.delete(`${scope}/${id}`)
  }
}
