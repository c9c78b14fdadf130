import { RecentMap } from '../seal/recent-map.ts'
import type { Records } from '../seal/records.ts'
import { ManagedObject } from './managed-object.ts'

/** Objects whose records are longer are opened each time: many of them would fill the memory. */
const MAX_KEPT_BYTES = 16_384

/**
 * Records of new objects that are kept until somebody asks for them: so many, since a client that works with an object does so soon, and all
 * that is kept for longer the garbage collector has to carry along.
 */
const NEW_KEPT = 256

/** An object as it is held: first as a text of the bytes of its record, which is one value, and from its second use on opened, which is hundreds. */
interface Entry {
  readonly revision: number
  /** The store's version at which the entry was last known to be current. */
  checked: number
  bytes: string | undefined
  object: ManagedObject | undefined
}

const unopened = (body: Buffer, revision: number, checked = Number.NaN): Entry => ({
  revision,
  checked,
  bytes: body.toString('latin1'),
  object: undefined,
})

/**
 * Objects in clear, so that a Get need not open the sealed record again. An entry is served only after the store said that nothing
 * changed since it was checked, or that the object's revision is still the same: a revoked or destroyed key is never served from here.
 */
export class ObjectCache {
  readonly #records: Records
  readonly #entries: RecentMap<Entry>
  readonly #new = new RecentMap<Entry>(NEW_KEPT)

  /** @param capacity objects kept at most; those used longest ago go first */
  constructor(records: Records, capacity = 10_000) {
    this.#records = records
    this.#entries = new RecentMap(capacity)
  }

  /** The object as it is stored now, or nothing. */
  async read(scope: string, id: string): Promise<ManagedObject | undefined> {
    const key = `${scope}/${id}`
    const entry = this.#entryOf(key)
    const version = this.#records.version()
    if (entry) {
      if (entry.checked === version) return opened(entry, id)
      if ((await this.#records.revision(scope, id)) === entry.revision) {
        entry.checked = version
        return opened(entry, id)
      }
      this.#entries.delete(key)
    }
    const record = await this.#records.get(scope, id)
    if (!record) return undefined
    if (record.body.length <= MAX_KEPT_BYTES) this.#entries.set(key, unopened(record.body, record.revision, version))
    return ManagedObject.fromBody(id, record.body, record.revision)
  }

  /** What is held for an object, without asking the store whether it is still true. */
  peek(scope: string, id: string): ManagedObject | undefined {
    const entry = this.#entryOf(`${scope}/${id}`)
    return entry && opened(entry, id)
  }

  /** Whether this very form of the object is held. */
  holds(scope: string, object: ManagedObject): boolean {
    return this.#entries.get(`${scope}/${object.id}`)?.object === object
  }

  /** Take over the record of an object that was just stored; its revision is checked at the next read. */
  keep(scope: string, id: string, body: Buffer, revision: number): void {
    const key = `${scope}/${id}`
    if (revision > 1) this.#entries.delete(key)
    if (body.length <= MAX_KEPT_BYTES) this.#new.set(key, unopened(body, revision))
    else this.#new.delete(key)
  }

  /** Put another form of an object in its place, to be served as long as the object is at that revision; a newer one that is held stays. */
  amend(scope: string, object: ManagedObject, amended: ManagedObject): void {
    const key = `${scope}/${object.id}`
    const entry = this.#entryOf(key)
    if (entry === undefined) this.#entries.set(key, { revision: object.revision, checked: Number.NaN, bytes: undefined, object: amended })
    else if (entry.revision === object.revision) {
      entry.object = amended
      entry.bytes = undefined
    }
  }

  forget(scope: string, id: string): void {
    this.#entries.delete(`${scope}/${id}`)
    this.#new.delete(`${scope}/${id}`)
  }

  #entryOf(key: string): Entry | undefined {
    const entry = this.#new.get(key)
    if (entry === undefined) return this.#entries.get(key)
    this.#new.delete(key)
    return this.#entries.set(key, entry)
  }
}

function opened(entry: Entry, id: string): ManagedObject {
  entry.object ??= ManagedObject.fromBody(id, Buffer.from(entry.bytes!, 'latin1'), entry.revision)
  entry.bytes = undefined
  return entry.object
}
