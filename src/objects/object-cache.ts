import { RecentMap } from '../seal/recent-map.ts'
import type { Records } from '../seal/records.ts'
import { ManagedObject } from './managed-object.ts'

/** Objects whose records are longer are opened each time: many of them would fill the memory. */
const MAX_KEPT_BYTES = 16_384

/**
 * A record in clear that nobody has asked for yet, as a text of its bytes: an object is some hundred values, each of which the garbage
 * collector would have to carry along for every object that is made.
 */
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
  held: ManagedObject | Unopened
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
      if (entry.checked === version) return opened(entry, id)
      if ((await this.#records.revision(scope, id)) === entry.held.revision) {
        entry.checked = version
        return opened(entry, id)
      }
      this.#entries.delete(key)
    }
    const record = await this.#records.get(scope, id)
    if (!record) return undefined
    const object = ManagedObject.fromBody(id, record.body, record.revision)
    if (record.body.length <= MAX_KEPT_BYTES) this.#entries.set(key, { held: object, checked: version })
    return object
  }

  /** What is held for an object, without asking the store whether it is still true. */
  peek(scope: string, id: string): ManagedObject | undefined {
    const entry = this.#entries.get(`${scope}/${id}`)
    return entry && opened(entry, id)
  }

  /** Take over the record of an object that was just stored; its revision is checked at the next read. */
  keep(scope: string, id: string, body: Buffer, revision: number): void {
    if (body.length > MAX_KEPT_BYTES) this.forget(scope, id)
    else this.#entries.set(`${scope}/${id}`, { held: new Unopened(body, revision), checked: Number.NaN })
  }

  /** Put another form of an object in its place, to be served as long as the object is at that revision; a newer one that is held stays. */
  amend(scope: string, object: ManagedObject, amended: ManagedObject): void {
    const key = `${scope}/${object.id}`
    const entry = this.#entries.get(key)
    if (entry === undefined) this.#entries.set(key, { held: amended, checked: Number.NaN })
    else if (entry.held === object) entry.held = amended
  }

  forget(scope: string, id: string): void {
    this.#entries.delete(`${scope}/${id}`)
  }
}

function opened(entry: Entry, id: string): ManagedObject {
  const { held } = entry
  if (held instanceof ManagedObject) return held
  const object = held.open(id)
  entry.held = object
  return object
}
