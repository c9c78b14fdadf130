import { isDeepStrictEqual } from 'node:util'
import type { CallOptions, Request } from './client.ts'
import { VaultError } from './errors.ts'
import { type Row, rowOf } from './fields.ts'
import { checkedPath, mountPath } from './paths.ts'

/** What is at a place of a KV engine. */
export interface KvEntry {
  /** Nothing: it was deleted, which is not the same as never there. Object keys come back sorted: keep one text where bytes matter. */
  readonly data: Row | undefined
  /** From 1 on; KV v1 has none and says 0. */
  readonly version: number
  /** Its data is gone for good. */
  readonly destroyed: boolean
}

/** Which of the stored versions to read. */
export interface VersionOption {
  /** KV v2: this version, not the newest. */
  readonly at?: number
}

/**
 * Entries of one KV mount, or of one folder in it. Paths are below it, of segments in `A-Z a-z 0-9 _ -`.
 *
 * KV v2 is safe for many writers. KV v1 has no check-and-set: `create` looks before and after, and of two at the same moment both can win.
 */
export interface Kv {
  readonly mount: string
  readonly version: 1 | 2
  /** @returns nothing if nothing was ever there */
  read(path: string, options?: CallOptions & VersionOption): Promise<KvEntry | undefined>
  /**
   * Put something where nothing is.
   * @returns its version
   * @throws VaultError `conflict`: something is there, perhaps what an earlier try in doubt has written: read and compare; `in-doubt`
   */
  create(path: string, data: object, options?: CallOptions): Promise<number>
  /**
   * Put something in the place of version `over`.
   * @returns its version
   * @throws VaultError `conflict`, `in-doubt`; `invalid-request` on KV v1, which has no versions
   */
  replace(path: string, data: object, over: number, options?: CallOptions): Promise<number>
  /** Names below a folder, folders with a slash at their end; none: an empty list. All at once, whatever it holds. `''`: the top. */
  list(path: string, options?: CallOptions): Promise<string[]>
  /** Remove an entry as if it never was; one that is not there is no error. On KV v2 its versions start at 1 again afterwards. */
  remove(path: string, options?: CallOptions): Promise<void>
  /** KV v2: end the data of versions; the place stays taken. @throws VaultError `invalid-request` on KV v1 */
  destroy(path: string, versions: readonly number[], options?: CallOptions): Promise<void>
}

/** Whether Vault is going to delete a version of itself, as its metadata say: the mount has `delete_version_after`. */
export const isMortal = ({ deletion_time }: Row): boolean => typeof deletion_time === 'string' && deletion_time !== ''

export const mortal = (mount: string): string =>
  `the engine ${mount} deletes after a time what is written: run: vault write ${mount}/config delete_version_after=0s`

/** @throws VaultError `configuration`: no KV engine is mounted there, or the token may see nothing in it */
export async function detectVersion(mount: string, request: Request, options?: CallOptions): Promise<1 | 2> {
  const row = await describe(mount, request, options)
  if (row.type !== 'kv' && row.type !== 'generic') throw new VaultError('configuration', `${mount} is no KV engine but ${row.type}`)
  return rowOf(row.options).version === '2' ? 2 : 1
}

async function describe(mount: string, request: Request, options?: CallOptions): Promise<Row> {
  try {
    return rowOf((await request({ method: 'GET', path: `sys/internal/ui/mounts/${mount}`, ...options })).body?.data)
  } catch (error) {
    if (!(error instanceof VaultError) || (error.code !== 'permission-denied' && error.code !== 'not-found')) throw error
    throw new VaultError('configuration', `no engine is mounted at ${mount}, or the token has no right to anything in it`)
  }
}

export class KvV2 implements Kv {
  readonly version = 2
  readonly mount: string
  readonly #request: Request
  readonly #folder: string

  /** @param folder what an operator wrote; all paths are below it */
  constructor(mount: string, request: Request, folder = '') {
    this.mount = mount
    this.#request = request
    this.#folder = folderPath(folder)
  }

  async read(path: string, { at, ...options }: CallOptions & VersionOption = {}): Promise<KvEntry | undefined> {
    const query = at === undefined ? {} : { query: `version=${at}` }
    const answer = await this.#request({ method: 'GET', path: this.#path('data', path), missing: true, ...query, ...options })
    const content = rowOf(answer.body?.data)
    const { version, destroyed } = rowOf(content.metadata)
    if (typeof version !== 'number') return undefined
    const data = typeof content.data === 'object' && content.data !== null ? rowOf(content.data) : undefined
    return { data, version, destroyed: destroyed === true }
  }

  create(path: string, data: object, options?: CallOptions): Promise<number> {
    return this.#write(path, data, 0, options)
  }

  replace(path: string, data: object, over: number, options?: CallOptions): Promise<number> {
    return this.#write(path, data, over, options)
  }

  async list(path: string, options?: CallOptions): Promise<string[]> {
    return listed(this.#request, path === '' ? `${this.mount}/metadata${this.#folder}` : this.#path('metadata', path), options)
  }

  async remove(path: string, options?: CallOptions): Promise<void> {
    await this.#request({ method: 'DELETE', path: this.#path('metadata', path), idempotent: true, missing: true, ...options })
  }

  async destroy(path: string, versions: readonly number[], options?: CallOptions): Promise<void> {
    await this.#request({ method: 'POST', path: this.#path('destroy', path), json: { versions }, idempotent: true, ...options })
  }

  async #write(path: string, data: object, cas: number, options?: CallOptions): Promise<number> {
    const where = this.#path('data', path)
    try {
      const { body } = await this.#request({ method: 'POST', path: where, json: { options: { cas }, data }, ...options })
      const row = rowOf(body?.data)
      if (isMortal(row)) await this.#refuse(path, cas, options)
      const { version } = row
      if (typeof version === 'number') return version
      throw new VaultError('in-doubt', `POST ${where}: answered without a version; is ${this.mount} KV v2?`)
    } catch (error) {
      // A policy that lets nothing be overwritten answers so when something is there.
      if (!(error instanceof VaultError) || error.code !== 'permission-denied' || !(await this.#isThere(path, options))) throw error
      throw new VaultError('conflict', `POST ${where}: something is there, and the policy does not let it be overwritten`, { status: 403 })
    }
  }

  /** What would be gone one day must not be taken for stored; something else that was there before stays as a version. */
  async #refuse(path: string, cas: number, options?: CallOptions): Promise<never> {
    if (cas === 0) await this.remove(path, options)
    throw new VaultError('configuration', mortal(this.mount))
  }

  async #isThere(path: string, options?: CallOptions): Promise<boolean> {
    try {
      return (await this.read(path, options)) !== undefined
    } catch (error) {
      if (error instanceof VaultError && error.code === 'permission-denied') return false
      throw error
    }
  }

  #path(kind: 'data' | 'metadata' | 'destroy', path: string): string {
    return `${this.mount}/${kind}${this.#folder}/${checkedPath(path)}`
  }
}

export class KvV1 implements Kv {
  readonly version = 1
  readonly mount: string
  readonly #request: Request
  readonly #folder: string

  /** @param folder what an operator wrote; all paths are below it */
  constructor(mount: string, request: Request, folder = '') {
    this.mount = mount
    this.#request = request
    this.#folder = folderPath(folder)
  }

  async read(path: string, { at: _, ...options }: CallOptions & VersionOption = {}): Promise<KvEntry | undefined> {
    const { status, body } = await this.#request({ method: 'GET', path: this.#path(path), missing: true, ...options })
    return status === 404 ? undefined : { data: rowOf(body?.data), version: 0, destroyed: false }
  }

  async create(path: string, data: object, options?: CallOptions): Promise<number> {
    const where = this.#path(path)
    const conflict = (): VaultError => new VaultError('conflict', `POST ${where}: something is there`)
    if (await this.read(path, options)) throw conflict()
    try {
      await this.#request({ method: 'POST', path: where, json: data, ...options })
    } catch (error) {
      if (error instanceof VaultError && error.code === 'permission-denied' && (await this.read(path, options))) throw conflict()
      throw error
    }
    const stored = await this.read(path, options)
    if (!isDeepStrictEqual(stored?.data, JSON.parse(JSON.stringify(data)))) throw conflict()
    return 0
  }

  async replace(path: string): Promise<number> {
    throw new VaultError('invalid-request', `${this.#path(path)}: KV v1 cannot replace one version alone: use KV v2`)
  }

  async list(path: string, options?: CallOptions): Promise<string[]> {
    return listed(this.#request, path === '' ? `${this.mount}${this.#folder}` : this.#path(path), options)
  }

  async remove(path: string, options?: CallOptions): Promise<void> {
    await this.#request({ method: 'DELETE', path: this.#path(path), idempotent: true, missing: true, ...options })
  }

  async destroy(path: string): Promise<void> {
    throw new VaultError('invalid-request', `${this.#path(path)}: KV v1 has no versions to destroy: use KV v2`)
  }

  #path(path: string): string {
    return `${this.mount}${this.#folder}/${checkedPath(path)}`
  }
}

const folderPath = (folder: string): string => (folder === '' ? '' : `/${mountPath(folder)}`)

async function listed(request: Request, path: string, options?: CallOptions): Promise<string[]> {
  const { body } = await request({ method: 'GET', path, query: 'list=true', missing: true, ...options })
  const { keys } = rowOf(body?.data)
  return Array.isArray(keys) ? keys.filter(key => typeof key === 'string' && key !== '') : []
}
