import { randomBytes, randomUUID } from 'node:crypto'
import type { Records } from '../seal/records.ts'
import { ScopeError } from './error.ts'
import { ADMINISTRATION, Registry } from './registry.ts'
import type { Holder, Replacement, Wish } from './replacement.ts'
import { type MountConfig, type MountRow, PLACE } from './rows.ts'
import { Scopes } from './scopes.ts'

/** Where the engine stands that is there from the start. */
export const FIRST_PATH = 'kmip/'
const FIRST = 'kmip'

export interface MountsOptions {
  readonly records: Records
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export type MountSettings = Partial<
  Pick<MountRow, 'description' | 'options' | 'local' | 'seal_wrap' | 'external_entropy_access'> & { readonly config: Partial<MountConfig> }
>

/** A KMIP engine: its place and its administration. */
export interface Mount {
  readonly row: MountRow
  readonly scopes: Scopes
}

const USUAL_CONFIG: MountConfig = { default_lease_ttl: 0, max_lease_ttl: 0, force_no_cache: false, listing_visibility: '' }

const newRow = (id: string, path: string, createdMs: number): MountRow => ({
  kind: 'mount',
  id,
  path,
  // That of the first one must not change while nothing is stored of it.
  uuid: id === FIRST ? '00000000-0000-4000-8000-000000006b6d' : randomUUID(),
  createdMs,
  implicit: id === FIRST,
  description: '',
  options: null,
  local: false,
  seal_wrap: false,
  external_entropy_access: false,
  config: USUAL_CONFIG,
  state: 'live',
})

/**
 * The KMIP engines, each with configuration, CAs, listeners, scopes and partitions of its own. `kmip/` is there from the start, on the
 * records of servers that knew only one; who enables it makes it theirs. All functions reject with ScopeError when they cannot do what was asked.
 */
export class Mounts {
  readonly #options: MountsOptions
  readonly #registry: Registry
  readonly #scopes = new Map<string, Scopes>()

  constructor(options: MountsOptions) {
    this.#options = options
    this.#registry = new Registry(options.records)
  }

  /** See everything that was committed. */
  refresh(): Promise<void> {
    return this.#registry.refresh()
  }

  /** The mounts as they were last seen, by their paths. */
  get known(): readonly Mount[] {
    return this.#rows()
      .filter(({ state }) => state === 'live')
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(row => ({ row, scopes: this.#scopesOf(row.id) }))
  }

  async list(): Promise<readonly Mount[]> {
    await this.refresh()
    return this.known
  }

  /** @param path  with its slash */
  async at(path: string): Promise<Mount | undefined> {
    return (await this.list()).find(({ row }) => row.path === path)
  }

  /** @throws ScopeError `not-found` */
  async scopesAt(path: string): Promise<Scopes> {
    const mount = await this.at(path)
    if (!mount) throw new ScopeError('not-found', `there is no KMIP engine at ${path}`)
    return mount.scopes
  }

  /** For a client that asks for another credential in the place of its own, in whatever engine. @throws ScopeError `invalid` */
  async planReplacement(holder: Holder, wish: Wish): Promise<Replacement | undefined> {
    for (const { scopes } of await this.list()) {
      const replacement = await scopes.planReplacement(holder, wish)
      if (replacement) return replacement
    }
    return undefined
  }

  /** Make an engine at a path that is free; the caller has checked the path. @throws ScopeError `exists` */
  enable(path: string, settings: MountSettings): Promise<Mount> {
    return this.#registry.change(() => {
      const taken = this.known.find(({ row }) => path.startsWith(row.path) || row.path.startsWith(path))
      if (taken && !(taken.row.implicit && taken.row.path === path))
        throw new ScopeError('exists', `path is already in use at ${taken.row.path}`)
      const stored = taken?.row ?? newRow(randomBytes(4).toString('hex'), path, this.#options.now())
      const row = { ...merged(stored, settings), implicit: false }
      return { updates: [{ place: PLACE.mount(row.id), row }], result: { row, scopes: this.#scopesOf(row.id) } }
    })
  }

  /** @throws ScopeError `not-found` */
  tune(path: string, settings: MountSettings): Promise<void> {
    return this.#registry.change(() => {
      const row = merged(this.#at(path), settings)
      return { updates: [{ place: PLACE.mount(row.id), row }], result: undefined }
    })
  }

  /** Move an engine with all that it holds. @throws ScopeError `not-found`, `exists` */
  move(from: string, to: string): Promise<void> {
    return this.#registry.change(() => {
      const stored = this.#at(from)
      const taken = this.known.find(({ row }) => row.id !== stored.id && (to.startsWith(row.path) || row.path.startsWith(to)))
      if (taken) throw new ScopeError('exists', `path in use at ${JSON.stringify(taken.row.path)}`)
      const row = { ...stored, path: to, implicit: false }
      return { updates: [{ place: PLACE.mount(row.id), row }], result: undefined }
    })
  }

  /** Delete an engine with everything in it. From the first commit on nobody reaches it. Nothing happens if there is none. */
  async disable(path: string): Promise<void> {
    const row = await this.#registry.change(() => {
      const found = this.known.find(mount => mount.row.path === path)
      if (!found) return { updates: [], result: undefined }
      const deleting: MountRow = { ...found.row, implicit: false, state: 'deleting' }
      return { updates: [{ place: PLACE.mount(deleting.id), row: deleting }], result: deleting }
    })
    if (row) await this.#finish(row)
  }

  /** Store what stands for the first mount, and finish deletions that were cut short, of mounts and within them. To be called at start. */
  async resume(): Promise<void> {
    await this.#registry.change(() => {
      const isStored = this.#registry.row('mount', PLACE.mount(FIRST)) !== undefined
      const row = { ...newRow(FIRST, FIRST_PATH, this.#options.now()), uuid: randomUUID() }
      return { updates: isStored ? [] : [{ place: PLACE.mount(FIRST), row }], result: undefined }
    })
    for (const row of this.#rows()) {
      if (row.state === 'deleting') await this.#finish(row)
      if (row.state === 'live') await this.#scopesOf(row.id).resume()
    }
  }

  /** Forget what is of no use any more. To be called now and then. */
  async drop(): Promise<void> {
    for (const { scopes } of await this.list()) await scopes.revocations.drop()
  }

  async #finish(row: MountRow): Promise<void> {
    await this.#scopesOf(row.id).remove()
    this.#scopes.delete(row.id)
    await this.#registry.change(() => ({
      updates: [{ place: PLACE.mount(row.id), row: { ...row, state: 'deleted' } }],
      result: undefined,
    }))
  }

  #rows(): readonly MountRow[] {
    const stored = this.#registry.rows('mount')
    return stored.some(({ id }) => id === FIRST) ? stored : [newRow(FIRST, FIRST_PATH, 0), ...stored]
  }

  #at(path: string): MountRow {
    const found = this.known.find(({ row }) => row.path === path)
    if (!found) throw new ScopeError('not-found', `there is no KMIP engine at ${path}`)
    return found.row
  }

  #scopesOf(id: string): Scopes {
    const known = this.#scopes.get(id)
    if (known) return known
    const { records, now } = this.#options
    // The first one's rows stand beside those of the mounts, and its objects where they were when it was the only one.
    const registry = id === FIRST ? this.#registry : new Registry(records, { partition: `${ADMINISTRATION}-${id}`, prefix: `${id}.` })
    const scopes = new Scopes({ records, now, registry })
    this.#scopes.set(id, scopes)
    return scopes
  }
}

const merged = (row: MountRow, { config, ...settings }: MountSettings): MountRow => ({
  ...row,
  ...settings,
  config: { ...row.config, ...config },
})

/** Open the mounts on these records; nothing is written before a function that writes is called. */
export async function openMounts(options: MountsOptions): Promise<Mounts> {
  const mounts = new Mounts(options)
  await mounts.refresh()
  return mounts
}
