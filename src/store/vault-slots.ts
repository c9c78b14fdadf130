import type { CallOptions, VaultClient, VaultRequest } from '../vault/client.ts'
import { VaultError, type VaultErrorCode } from '../vault/errors.ts'
import type { Answer } from '../vault/failures.ts'
import { rowOf } from '../vault/fields.ts'
import { isMortal, mortal } from '../vault/kv.ts'
import { checkedPath, mountPath } from '../vault/paths.ts'
import { type Sight, type Slots, SlotsError, type SlotsErrorCode } from './slots.ts'

/** Where in Vault a store is. */
export interface VaultPlace {
  readonly client: VaultClient
  /** Of a KV engine. */
  readonly mount: string
  /** Folder of the store in it; several stores share a mount by it. */
  readonly prefix: string
  /** For one call. */
  readonly deadlineMs: number
  readonly version: 1 | 2
}

const CODES: Partial<Record<VaultErrorCode, SlotsErrorCode>> = {
  'in-doubt': 'in-doubt',
  // What answered was no Vault, and nobody knows what it passed on.
  malformed: 'in-doubt',
  unreachable: 'unreachable',
  tls: 'unreachable',
  sealed: 'unreachable',
  'not-active': 'unreachable',
  unavailable: 'unreachable',
  quota: 'unreachable',
  busy: 'unreachable',
  aborted: 'unreachable',
  closed: 'unreachable',
}

/** `work`, with Vault's errors as those of slots. */
async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (e) {
    if (!(e instanceof VaultError)) throw e
    throw new SlotsError(CODES[e.code] ?? 'refused', e.message, { cause: e })
  }
}

const isConflict = (e: unknown): boolean => e instanceof VaultError && e.code === 'conflict'
const isForbidden = (e: unknown): boolean => e instanceof VaultError && e.code === 'permission-denied'

/** The server's clock, as it stands in every answer; ours where a proxy took it out. */
function nowIn({ headers }: Answer): number {
  const { date } = headers
  const ms = typeof date === 'string' ? Date.parse(date) : Number.NaN
  return Number.isNaN(ms) ? Date.now() : ms
}

/** What both kinds of KV engine have in common. */
abstract class KvSlots {
  protected readonly place: VaultPlace
  readonly #root: string

  constructor(place: VaultPlace) {
    this.place = place
    this.#root = mountPath(place.mount)
    checkedPath(place.prefix)
  }

  async close(): Promise<void> {
    this.place.client.close()
  }

  /** @param kind of KV v2: `data` or `metadata` */
  protected ask(request: Omit<VaultRequest, 'path'>, path: string, kind?: string): Promise<Answer> {
    const parts = [this.#root, ...(kind === undefined ? [] : [kind]), checkedPath(`${this.place.prefix}/${path}`)]
    const options: CallOptions = { deadlineMs: this.place.deadlineMs, fresh: true }
    return this.place.client.request({ ...options, ...request, path: parts.join('/') })
  }

  protected async names(path: string, kind?: string): Promise<readonly string[]> {
    const { body } = await this.ask({ method: 'GET', query: 'list=true', missing: true }, path, kind)
    const { keys } = rowOf(body?.data)
    return Array.isArray(keys) ? keys.filter(key => typeof key === 'string') : []
  }
}

/** Slots of a KV v2 engine: check-and-set makes one writer win, on whatever server of the cluster it is asked. */
export class KvV2Slots extends KvSlots implements Slots {
  create(path: string, text: string): Promise<{ readonly writtenMs: number } | 'taken'> {
    return translated(async () => {
      const answer = await this.#write(path, text, 0)
      return answer === 'taken' ? answer : { writtenMs: nowIn(answer) }
    })
  }

  replace(path: string, text: string, version: number): Promise<{ readonly version: number } | 'taken'> {
    return translated(async () => {
      const answer = await this.#write(path, text, version)
      return answer === 'taken' ? answer : { version: version + 1 }
    })
  }

  read(path: string): Promise<Sight> {
    return translated(() => this.#read(path))
  }

  remove(path: string): Promise<void> {
    return translated(async () => {
      await this.ask({ method: 'DELETE', idempotent: true, missing: true }, path, 'metadata')
    })
  }

  list(folder: string): Promise<readonly string[]> {
    return translated(() => this.names(folder, 'metadata'))
  }

  async #read(path: string): Promise<Sight> {
    const answer = await this.ask({ method: 'GET', missing: true }, path, 'data')
    const nowMs = nowIn(answer)
    const { data, metadata } = rowOf(answer.body?.data)
    const row = rowOf(metadata)
    const { version, created_time } = row
    if (typeof version !== 'number') return { slot: undefined, nowMs }
    const { text } = rowOf(data)
    if (typeof text !== 'string')
      throw new SlotsError(
        'deleted',
        `${this.place.prefix}/${path} was deleted in Vault, or is not what was written; see: vault kv undelete`,
      )
    return { slot: { text, version, writtenMs: Date.parse(String(created_time)), ...(isMortal(row) && { ends: true }) }, nowMs }
  }

  async #write(path: string, text: string, cas: number): Promise<Answer | 'taken'> {
    try {
      const answer = await this.ask({ method: 'POST', json: { options: { cas }, data: { text } } }, path, 'data')
      // It is there, and nobody is told that it stays.
      if (isMortal(rowOf(answer.body?.data))) throw new VaultError('configuration', mortal(this.place.mount))
      return answer
    } catch (e) {
      if (isConflict(e)) return 'taken'
      // A policy that lets nothing be overwritten answers so when something is there.
      if (isForbidden(e) && cas === 0 && (await this.#read(path)).slot) return 'taken'
      throw e
    }
  }
}

/**
 * Slots of a KV v1 engine, which has no check-and-set: they serve one node alone, and nothing is ever overwritten. What would be replaced
 * has an entry for each version.
 */
export class KvV1Slots extends KvSlots implements Slots {
  readonly single = 'an engine of KV version 1 serves one node; for more, make the store in one of version 2'

  create(path: string, text: string): Promise<{ readonly writtenMs: number } | 'taken'> {
    return translated(async () => {
      if ((await this.#newest(path)) > 0) return 'taken'
      const answer = await this.ask({ method: 'POST', json: { text } }, versionPath(path, 1))
      return { writtenMs: nowIn(answer) }
    })
  }

  replace(path: string, text: string, version: number): Promise<{ readonly version: number } | 'taken'> {
    return translated(async () => {
      if ((await this.#newest(path)) !== version) return 'taken'
      await this.ask({ method: 'POST', json: { text } }, versionPath(path, version + 1))
      await this.#remove(versionPath(path, version))
      return { version: version + 1 }
    })
  }

  read(path: string): Promise<Sight> {
    return translated(async () => {
      const version = Math.max(1, isVersioned(path) ? await this.#newest(path) : 1)
      const answer = await this.ask({ method: 'GET', missing: true }, versionPath(path, version))
      const nowMs = nowIn(answer)
      const { text } = rowOf(answer.body?.data)
      return { slot: typeof text === 'string' ? { text, version, writtenMs: nowMs } : undefined, nowMs }
    })
  }

  remove(path: string): Promise<void> {
    return translated(() => this.#remove(path))
  }

  list(folder: string): Promise<readonly string[]> {
    return translated(() => this.names(folder))
  }

  async #remove(path: string): Promise<void> {
    await this.ask({ method: 'DELETE', idempotent: true, missing: true }, path)
  }

  /** @returns 0 if there is none */
  async #newest(path: string): Promise<number> {
    if (!isVersioned(path)) return (await this.ask({ method: 'GET', missing: true }, path)).status === 404 ? 0 : 1
    const names = await this.names(path)
    return names.reduce((newest, name) => Math.max(newest, Number(name) || 0), 0)
  }
}

/** The head alone is ever replaced. */
const isVersioned = (path: string): boolean => path === 'head'
const versionPath = (path: string, version: number): string => (isVersioned(path) ? `${path}/${version}` : path)
