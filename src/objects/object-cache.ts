import { RecentMap } from '../seal/recent-map.ts'
import type { Records } from '../seal/records.ts'
import { ManagedObject } from './managed-object.ts'

/** Objects whose records are longer are opened each time: many of them would fill the memory. */
const MAX_KEPT_BYTES = 16_384

/**
 * Records of new objects that are kept until somebody asks for them: so many, since a client that works with an object does so soon, and all
 * that is kept for longer the garbage collector has to carry along, object by object.
 */
const NEW_KEPT = 256

/** A record in clear, as a text of its bytes: opened it is some hundred values. */
class Unopened {
  readonly revision: number
  readonly #bytes: string

  constructor(body: Buffer, revision: number) {
    this.#bytes = body.toString('latin1')
    this.revision = revision
  }

  open(id: string): ManagedObject {
    return ManagedObject.fromBody(id, Buffer.from(this.#bytes, 'latin1'), this.revision)
  }
}

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
  readonly #unopened = new RecentMap<Unopened>(NEW_KEPT)

  /** @param capacity objects kept at most; those used longest ago go first */
  constructor(records: Records, capacity = 10_000) {
    this.#records = records
    this.#entries = new RecentMap(capacity)
  }

  /** The object as it is stored now, or nothing. */
  async read(scope: string, id: string): Promise<ManagedObject | undefined> {
    const key = `${scope}/${id}`
    const entry = this.#entryOf(key, id)
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
    if (record.body.length <= MAX_KEPT_BYTES) this.#entries.set(key, { object, checked: version })
    return object
  }

  /** What is held for an object, without asking the store whether it is still true. */
  peek(scope: string, id: string): ManagedObject | undefined {
    return this.#entryOf(`${scope}/${id}`, id)?.object
  }

  /** Take over the record of an object that was just stored; its revision is checked at the next read. */
  keep(scope: string, id: string, body: Buffer, revision: number): void {
    const key = `${scope}/${id}`
    if (revision > 1) this.#entries.delete(key)
    if (body.length <= MAX_KEPT_BYTES) this.#unopened.set(key, new Unopened(body, revision))
    else this.#unopened.delete(key)
  }

  /** Put another form of an object in its place, to be served as long as the object is at that revision; a newer one that is held stays. */
  amend(scope: string, object: ManagedObject, amended: ManagedObject): void {
    const key = `${scope}/${object.id}`
    const entry = this.#entryOf(key, object.id)
    if (entry === undefined) this.#entries.set(key, { object: amended, checked: Number.NaN })
    else if (entry.object === object) entry.object = amended
  }

  forget(scope: string, id: string): void {
    this.#entries.delete(`${scope}/${id}`)
    this.#unopened.delete(`${scope}/${id}`)
  }

  #entryOf(key: string, id: string): Entry | undefined {
    const unopened = this.#unopened.get(key)
    if (unopened === undefined) return this.#entries.get(key)
    this.#unopened.delete(key)
    return this.#entries.set(key, { object: unopened.open(id), checked: Number.NaN })
  }
}
