import { randomBytes, randomUUID } from 'node:crypto'
import { AdminError } from '../error.ts'
import type { IdentityStore, Write } from './identity-store.ts'
import type { AuthMountRow } from './rows.ts'

/** Kinds of login that can be enabled. */
export const LOGIN_TYPES = ['approle', 'cert', 'userpass'] as const

const TOKEN_MOUNT: AuthMountRow = {
  ...{ kind: 'auth', path: 'token/', type: 'token', accessor: 'auth_token_00000000', uuid: '00000000-0000-0000-0000-000000000000' },
  ...{ description: 'token based credentials', defaultTtlSeconds: 0, maxTtlSeconds: 0 },
}

export interface MountChanges {
  readonly description?: string | undefined
  readonly default_lease_ttl?: number | undefined
  readonly max_lease_ttl?: number | undefined
}

const withSlash = (path: string): string => `${path.replace(/^\/+|\/+$/g, '')}/`

/** Ways to log in, at their paths below `auth/`. Tokens are always there. */
export class Logins {
  readonly #store: IdentityStore

  constructor(store: IdentityStore) {
    this.#store = store
  }

  /** Sorted by path. */
  async list(): Promise<AuthMountRow[]> {
    const stored = (await this.#store.list('auth')).map(({ row }) => row)
    return [TOKEN_MOUNT, ...stored].sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  async find(path: string): Promise<AuthMountRow | undefined> {
    return (await this.list()).find(row => row.path === withSlash(path))
  }

  /** By its `uuid`. */
  async byId(uuid: string): Promise<AuthMountRow | undefined> {
    return (await this.list()).find(row => row.uuid === uuid)
  }

  /** @throws AdminError 400 */
  async enable(path: string, type: string, changes: MountChanges): Promise<void> {
    const place = withSlash(path)
    if (!LOGIN_TYPES.some(known => known === type)) throw new AdminError(400, `plugin not found in the catalog: ${type}`)
    if (!/^[\w.-]+(\/[\w.-]+)*\/$/.test(place)) throw new AdminError(400, `${JSON.stringify(path)} cannot be a path`)
    const row: AuthMountRow = {
      ...{ kind: 'auth', path: place, type, accessor: `auth_${type}_${randomBytes(4).toString('hex')}`, uuid: randomUUID() },
      ...{ description: '', defaultTtlSeconds: 0, maxTtlSeconds: 0 },
    }
    const id = this.#store.id('auth', place)
    await this.#store.change(async () => {
      const taken = (await this.list()).find(({ path }) => place.startsWith(path) || path.startsWith(place))
      if (taken) throw new AdminError(400, `path is already in use at ${taken.path}`)
      return { writes: [{ id, expect: 0, row: merged(row, changes) }], result: undefined }
    })
  }

  /** @throws AdminError 400 */
  async tune(path: string, changes: MountChanges): Promise<void> {
    const place = withSlash(path)
    await this.#store.change(async () => {
      const stored = await this.#store.get('auth', place)
      if (!stored) throw new AdminError(400, `tune of path "auth/${place}" failed: no mount entry found`)
      return { writes: [{ id: stored.id, expect: stored.revision, row: merged(stored.row, changes) }], result: undefined }
    })
  }

  /** Remove a way to log in with all that it keeps, and revoke the tokens that it gave. Nothing if it is not there. */
  async disable(path: string): Promise<void> {
    const place = withSlash(path)
    if (place === TOKEN_MOUNT.path) throw new AdminError(400, 'token credential backend cannot be disabled')
    await this.#store.change(async () => {
      const stored = await this.#store.get('auth', place)
      if (!stored) return { writes: [], result: undefined }
      const kept = [
        ...(await this.#store.list('approle', [`mount/${stored.row.uuid}`])),
        ...(await this.#store.list('secret-id', [`mount/${stored.row.uuid}`])),
        ...(await this.#store.list('cert', [`mount/${stored.row.uuid}`])),
        ...(await this.#store.list('user', [`mount/${stored.row.uuid}`])),
        ...(await this.#store.list('token', [`from/${stored.row.uuid}`])),
      ]
      return { writes: [stored, ...kept].map(({ id, revision }): Write => ({ id, expect: revision })), result: undefined }
    })
  }
}

const merged = (row: AuthMountRow, { description, default_lease_ttl, max_lease_ttl }: MountChanges): AuthMountRow => ({
  ...row,
  description: description ?? row.description,
  defaultTtlSeconds: default_lease_ttl ?? row.defaultTtlSeconds,
  maxTtlSeconds: max_lease_ttl ?? row.maxTtlSeconds,
})
