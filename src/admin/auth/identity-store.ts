import { createHmac, randomBytes } from 'node:crypto'
import type { RecordChange, Records } from '../../seal/records.ts'
import { isConflict, StoreError } from '../../store/store.ts'
import { rowTerms } from './row-terms.ts'
import { KINDS, type Kind, type Row, type RowOf } from './rows.ts'

/** Partition of who may administer; longer than a scope's id, so that none can be it. */
export const IDENTITIES = 'identities'
const SALT = 'salt'
const SALT_BYTES = 32
const PAGE = 500
const ATTEMPTS = 100

export interface Stored<K extends Kind> {
  readonly id: string
  readonly revision: number
  readonly row: RowOf<K>
}

/** A row to write in place of the stored one, or none to delete it. */
export interface Write {
  readonly id: string
  /** 0: there is none yet. */
  readonly expect: number
  readonly row?: Row
}

/**
 * Tokens, policies and login methods in sealed records. A record is found by a keyed hash of its kind and name, so that neither a name nor
 * a secret stands in the store. Nothing is cached: what another process committed counts at once.
 */
export class IdentityStore {
  readonly #records: Records
  readonly #salt: Buffer

  private constructor(records: Records, salt: Buffer) {
    this.#records = records
    this.#salt = salt
  }

  /** @throws StoreError, SealError */
  static async open(records: Records): Promise<IdentityStore> {
    for (let attempt = 1; ; attempt++) {
      const stored = await records.get(IDENTITIES, SALT)
      if (stored) return new IdentityStore(records, stored.body)
      try {
        await records.commit([{ partition: IDENTITIES, id: SALT, expect: 0, body: randomBytes(SALT_BYTES) }])
      } catch (error) {
        // Another process was faster.
        if (!isConflict(error) || attempt === ATTEMPTS) throw error
      }
    }
  }

  /** Where the row of that kind and name is. */
  id(kind: Kind, name: string): string {
    return this.hash(`${kind}\0${name}`)
  }

  /** HMAC-SHA-256 with a key that is in the sealed store only, in hex. */
  hash(text: string): string {
    return createHmac('sha256', this.#salt).update(text).digest('hex')
  }

  get<K extends Kind>(kind: K, name: string): Promise<Stored<K> | undefined> {
    return this.at(kind, this.id(kind, name))
  }

  /** @throws StoreError `damaged` if it is of a kind that this version does not know */
  async at<K extends Kind>(kind: K, id: string): Promise<Stored<K> | undefined> {
    const record = await this.#records.get(IDENTITIES, id)
    if (!record) return undefined
    const row = rowIn(record.body)
    return row.kind === kind ? { id, revision: record.revision, row: row as RowOf<K> } : undefined
  }

  /** All rows of a kind that carry the terms, oldest first. */
  async list<K extends Kind>(kind: K, terms: readonly string[] = []): Promise<Stored<K>[]> {
    const rows: Stored<K>[] = []
    for (let before: number | undefined; ; ) {
      const page = await this.#records.find(
        IDENTITIES,
        [...terms, `kind/${kind}`],
        before === undefined ? { limit: PAGE } : { before, limit: PAGE },
      )
      for (const { id } of page) {
        const stored = await this.at(kind, id)
        if (stored) rows.push(stored)
      }
      before = page.at(-1)?.sequence
      if (page.length < PAGE || before === undefined) return rows.reverse()
    }
  }

  /** All or nothing. @throws StoreError `conflict` */
  commit(writes: readonly Write[]): Promise<void> {
    return this.#records.commit(
      writes.map(({ id, expect, row }): RecordChange => {
        if (!row) return { partition: IDENTITIES, id, expect }
        return { partition: IDENTITIES, id, expect, body: Buffer.from(JSON.stringify(row)), terms: rowTerms(row) }
      }),
    )
  }

  /** Read, decide and commit, anew whenever somebody else committed meanwhile. `plan` may return no writes. */
  async change<T>(plan: () => Promise<{ readonly writes: readonly Write[]; readonly result: T }>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const { writes, result } = await plan()
      try {
        if (writes.length > 0) await this.commit(writes)
        return result
      } catch (error) {
        if (!isConflict(error) || attempt === ATTEMPTS) throw error
      }
    }
  }
}

/** @throws StoreError `damaged` if it is of a kind that this version does not know */
function rowIn(body: Buffer): Row {
  const row: unknown = JSON.parse(body.toString('utf8'))
  if (typeof row !== 'object' || row === null || !('kind' in row) || !KINDS.has(String(row.kind)))
    throw new StoreError('damaged', 'a record of the administrators is of a kind that this version does not know')
  return row as Row
}

/** The index terms that follow from the content of a record of `IDENTITIES`. @throws StoreError */
export const identityTerms = (id: string, body: Buffer): readonly string[] => (id === SALT ? [] : rowTerms(rowIn(body)))
