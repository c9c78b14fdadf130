import { randomInt } from 'node:crypto'
import { AdminError } from '../error.ts'
import { cidrsHold } from './cidrs.ts'
import type { IdentityStore, Stored, Write } from './identity-store.ts'
import type { RenewalBounds } from './renewal.ts'
import type { TokenRow } from './rows.ts'

/** Seconds that a token lives when nobody says otherwise, and at most; as Vault's. */
export const DEFAULT_TTL = 2_764_800
export const MAX_TTL = 2_764_800
/** Longer chains of parents than anybody has. */
const MAX_DEPTH = 100

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
export const base62 = (length: number): string => Array.from({ length }, () => BASE62[randomInt(62)]).join('')

/** A token that is good now. */
export type Token = Stored<'token'>

export interface NewToken {
  readonly parent?: Token
  readonly policies: readonly string[]
  readonly path: string
  readonly displayName: string
  readonly meta?: Readonly<Record<string, string>> | null
  /** 0: the default. */
  readonly ttlSeconds?: number
  /** Without any bound that was asked for, one of the policy root does not expire. */
  readonly mayLast?: boolean
  /** Of a login; 0: the system's. */
  readonly maxTtlSeconds?: number
  readonly explicitMaxSeconds?: number
  readonly periodSeconds?: number
  readonly uses?: number
  readonly renewable?: boolean
  readonly role?: string
  /** `uuid` of the login method that gives it. */
  readonly mount?: string
  readonly boundCidrs?: readonly string[]
  /** The token itself, instead of a random one. */
  readonly secret?: string
}

/** A token that was just made: the only time that it is known. */
export interface Made {
  readonly secret: string
  readonly token: Token
  readonly warnings: readonly string[]
}

interface Warned {
  readonly warnings: readonly string[]
}

/**
 * Tokens: kept as hashes, in a tree. A token is good while it has neither expired nor been revoked and its parent is good, so the
 * revocation of one ends all below it in the same commit.
 */
export class Tokens {
  readonly #store: IdentityStore
  readonly #now: () => number

  /** @param now milliseconds since 1970 */
  constructor(store: IdentityStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  async create(wish: NewToken): Promise<Made> {
    const secret = wish.secret ?? `hvs.${base62(24)}`
    const { write, warnings } = this.draft(secret, wish)
    if (wish.secret !== undefined && (await this.#store.at('token', write.id)))
      throw new AdminError(400, 'cannot create a token with a duplicate ID')
    await this.#store.commit([write])
    return { secret, token: { id: write.id, revision: 1, row: write.row }, warnings }
  }

  /** What is to be committed for a new token. */
  draft(secret: string, wish: NewToken): { readonly write: Write & { readonly row: TokenRow }; readonly warnings: readonly string[] } {
    const now = this.#now()
    const { parent, policies, path, displayName, role, mount } = wish
    const { explicitMaxSeconds = 0, periodSeconds = 0, uses = 0, meta = null, boundCidrs = [] } = wish
    const { seconds, warnings } = lifeOf(wish)
    const row: TokenRow = {
      kind: 'token',
      accessor: base62(24),
      ...(parent && { parent: parent.id }),
      ...{ policies, path, displayName, meta, createdMs: now, creationTtlSeconds: seconds, explicitMaxSeconds, periodSeconds, uses },
      ...(seconds > 0 && { expiresMs: now + seconds * 1000 }),
      renewable: seconds > 0 && (wish.renewable ?? true),
      ...(role !== undefined && { role }),
      ...(mount !== undefined && { mount }),
      boundCidrs,
    }
    return { write: { id: this.#store.id('token', secret), expect: 0, row }, warnings }
  }

  /** A token that is good, by itself. */
  async find(secret: string): Promise<Token | undefined> {
    const token = await this.#store.get('token', secret)
    return token && (await this.#isGood(token)) ? token : undefined
  }

  async findByAccessor(accessor: string): Promise<Token | undefined> {
    const [token] = await this.#store.list('token', [`accessor/${accessor}`])
    return token && (await this.#isGood(token)) ? token : undefined
  }

  /**
   * Use a token once: one with a number of uses has one less afterwards, and is gone after its last.
   * @returns the token as it was before; nothing if it is not good, or not from that address
   */
  use(secret: string, remoteAddress: string): Promise<Token | undefined> {
    return this.#store.change(async () => {
      const token = await this.find(secret)
      if (!token || !cidrsHold(token.row.boundCidrs, remoteAddress)) return { writes: [], result: undefined }
      const { id, revision: expect, row } = token
      if (row.uses === 0) return { writes: [], result: token }
      if (row.uses === 1) return { writes: [{ id, expect }], result: token }
      const left: TokenRow = { ...row, uses: row.uses - 1 }
      return { writes: [{ id, expect, row: left }], result: token }
    })
  }

  /** Accessors of all tokens that are good. */
  async accessors(): Promise<string[]> {
    const accessors: string[] = []
    for (const token of await this.#store.list('token')) if (await this.#isGood(token)) accessors.push(token.row.accessor)
    return accessors
  }

  /**
   * @param incrementSeconds  wished for; 0: as long as the bounds say
   * @param boundsOf  what bounds the renewal of that token now
   * @throws AdminError
   */
  renew(id: string, incrementSeconds: number, boundsOf: (row: TokenRow) => Promise<RenewalBounds>): Promise<Made['token'] & Warned> {
    return this.#store.change(async () => {
      const token = await this.#store.at('token', id)
      if (!token || !(await this.#isGood(token))) throw new AdminError(403, 'token not found')
      const { row, revision } = token
      if (!row.renewable || row.expiresMs === undefined) throw new AdminError(400, 'lease is not renewable')
      const bounds = await boundsOf(row)
      const { ttlSeconds, periodSeconds } = bounds
      const now = this.#now()
      const wished = periodSeconds > 0 ? periodSeconds : incrementSeconds > 0 ? incrementSeconds : ttlSeconds
      const bound = longestOf(bounds)
      const left = row.createdMs + bound * 1000 - now
      if (left <= 0) throw new AdminError(400, 'past the max TTL, cannot renew')
      const renewed: TokenRow = { ...row, expiresMs: now + Math.min(wished * 1000, left), renewedMs: now }
      const warnings = wished * 1000 > left && incrementSeconds > 0 ? [capped(wished, bound)] : []
      return { writes: [{ id, expect: revision, row: renewed }], result: { id, revision: revision + 1, row: renewed, warnings } }
    })
  }

  /** Revoke a token and all below it. Revoking one that is not there does nothing. */
  async revoke(id: string): Promise<void> {
    await this.#store.change(async () => {
      const token = await this.#store.at('token', id)
      return { writes: token ? [{ id, expect: token.revision }] : [], result: undefined }
    })
  }

  /** Revoke a token alone: those it made are orphans from now on. */
  async revokeOrphan(id: string): Promise<void> {
    await this.#store.change(async () => {
      const token = await this.#store.at('token', id)
      if (!token) return { writes: [], result: undefined }
      const children = await this.#store.list('token', [`parent/${id}`])
      const freed = children.map(({ id, revision: expect, row: { parent: _, ...row } }) => ({ id, expect, row }))
      return { writes: [{ id, expect: token.revision }, ...freed], result: undefined }
    })
  }

  /** Delete the records of tokens that are not good any more, and of what can be used only by them. To be called now and then. */
  async tidy(): Promise<number> {
    const [tokens, wrapped] = [await this.#store.list('token'), await this.#store.list('wrapped')]
    const ends = wrapped.map(({ id, row }) => ({
      kind: 'wrapped' as const,
      id,
      isOver: row.createdMs + row.ttlSeconds * 1000 < this.#now(),
    }))
    const secretIds = await this.#store.list('secret-id')
    const dead: { readonly kind: 'token' | 'wrapped' | 'secret-id'; readonly id: string }[] = ends.filter(({ isOver }) => isOver)
    for (const token of tokens) if (!(await this.#isGood(token))) dead.push({ kind: 'token', id: token.id })
    for (const { id, row } of secretIds)
      if (row.expiresMs !== undefined && row.expiresMs <= this.#now()) dead.push({ kind: 'secret-id', id })
    for (const { kind, id } of dead)
      await this.#store.change(async () => {
        // It was dead and stays so; only its revision may be another one by now.
        const stored = await this.#store.at(kind, id)
        return { writes: stored ? [{ id, expect: stored.revision }] : [], result: undefined }
      })
    return dead.length
  }

  /** Seconds that a token has left; 0 if it does not expire. */
  ttlOf({ expiresMs }: TokenRow): number {
    return expiresMs === undefined ? 0 : Math.max(0, Math.ceil((expiresMs - this.#now()) / 1000))
  }

  async #isGood({ row }: Token): Promise<boolean> {
    let current = row
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      if (current.expiresMs !== undefined && current.expiresMs <= this.#now()) return false
      if (current.parent === undefined) return true
      const parent = await this.#store.at('token', current.parent)
      if (!parent) return false
      current = parent.row
    }
    return false
  }
}

/** How long a new token lives; 0: for ever, which only a token of the policy root does. */
function lifeOf(wish: NewToken): { readonly seconds: number; readonly warnings: readonly string[] } {
  const { ttlSeconds = 0, maxTtlSeconds = 0, explicitMaxSeconds = 0, periodSeconds = 0 } = wish
  const isUnbound = ttlSeconds === 0 && explicitMaxSeconds === 0 && periodSeconds === 0
  if (isUnbound && wish.mayLast && wish.policies.includes('root')) return { seconds: 0, warnings: [] }
  const wished = periodSeconds > 0 ? periodSeconds : ttlSeconds > 0 ? ttlSeconds : DEFAULT_TTL
  const bound = longestOf({ maxTtlSeconds, explicitMaxSeconds, periodSeconds })
  if (wished <= bound) return { seconds: wished, warnings: [] }
  return { seconds: bound, warnings: ttlSeconds > 0 ? [capped(ttlSeconds, bound)] : [] }
}

/** Seconds that a token may live from its making on; one with a period is bound by its explicit maximum alone. */
function longestOf({ maxTtlSeconds, explicitMaxSeconds, periodSeconds }: Omit<RenewalBounds, 'ttlSeconds'>): number {
  const max = periodSeconds > 0 ? Number.POSITIVE_INFINITY : maxTtlSeconds || MAX_TTL
  return explicitMaxSeconds > 0 ? Math.min(max, explicitMaxSeconds) : max
}

const capped = (seconds: number, bound: number): string =>
  `TTL of "${seconds}s" exceeded the effective max_ttl of "${bound}s"; TTL value is capped accordingly`
