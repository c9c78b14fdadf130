import { setImmediate } from 'node:timers/promises'
import { type ResponseItem, requestMessage, responseItems } from '../client/message.ts'
import { filterTerms, nameTerms } from '../objects/index-terms.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ObjectCache } from '../objects/object-cache.ts'
import { UnitOfWork } from '../objects/unit-of-work.ts'
import type { Engine } from '../ops/engine.ts'
import { ScopeError } from '../scopes/error.ts'
import type { Scopes } from '../scopes/scopes.ts'
import { SealError } from '../seal/error.ts'
import type { Records } from '../seal/records.ts'
import { StoreError } from '../store/store.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { enumeration, type Item, structure, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { type KeyPage, type KeyStore, KeyStoreError, type KeyStoreErrorCode, type StoredKey } from './keystore.ts'
import { isKeyName, pageOf } from './names.ts'
import { DamagedObject, hiddenBecause, importFields, keyNamesOf, keyOfObject, nameItem } from './native-object.ts'

const { ResultReason, ResultStatus, RevocationReasonCode, State } = ENUM
const VERSION = 21
/** Objects that are looked at before others get their turn. */
const TURN = 100
/** Names whose keys are kept ready. */
const KEPT = 10_000
const SYMMETRIC_KEYS = filterTerms([enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey)])

export interface NativeOptions {
  readonly records: Records
  readonly scopes: Scopes
  /** That of the server: so its other clients are told of changes. */
  readonly engine: Engine
  /** Name of the scope that the keys stand in; made if it is missing. */
  readonly scope: string
  /** Seconds since 1970. */
  now(): bigint
  /** Of a new object. */
  newId(): string
}

/** Something that was true at a version of the store and in a second of the clock. */
interface Known<T> {
  readonly version: number
  readonly second: bigint
  readonly value: T
}

/**
 * Keys as KMIP objects: each is a Symmetric Key in a scope, stored, sealed and claimed by its name as any other, so that KMIP clients with a
 * role in the scope work with them, and the KES door with 256-bit keys that those made. A key that is not Active is gone for KES.
 */
export class NativeKeyStore implements KeyStore {
  readonly description: string
  readonly isCurrent = true
  readonly #options: NativeOptions
  readonly #cache: ObjectCache
  readonly #keys = new Map<string, Known<StoredKey>>()
  /** The cache gives the same object while it is unchanged. */
  readonly #opened = new WeakMap<ManagedObject, StoredKey>()
  #names: Known<readonly string[]> | undefined
  #scope: Known<string> | undefined
  #isClosed = false

  private constructor(options: NativeOptions) {
    this.#options = options
    this.#cache = new ObjectCache(options.records)
    this.description = `KMIP: scope ${options.scope}`
  }

  /** @throws KeyStoreError, ScopeError if the scope cannot have the name */
  static async open(options: NativeOptions): Promise<NativeKeyStore> {
    const { scopes, scope } = options
    const store = new NativeKeyStore(options)
    if (!(await store.#doing('list scopes', () => scopes.listScopes())).includes(scope)) await makeScope(scopes, scope)
    await store.status()
    return store
  }

  async create(name: string, key: StoredKey): Promise<void> {
    await this.#doing(`create ${name}`, async () => {
      if (!isKeyName(name)) throw this.#error('unavailable', `${name} is no name for a key`)
      const { now, newId } = this.#options
      const [item] = await this.#ask([{ operation: 'Import', payload: importFields(newId(), name, key, now()) }])
      if (item?.reason === ResultReason.NonUniqueNameAttribute) throw this.#error('exists', `an object of the scope has the name ${name}`)
      if (item?.status !== ResultStatus.Success) throw this.#error('unavailable', `cannot create ${name}: ${item?.message ?? 'no answer'}`)
    })
  }

  async get(name: string): Promise<StoredKey> {
    return this.#doing(`read ${name}`, async () => {
      const known = this.#keys.get(name)
      if (known && this.#isTrue(known)) return known.value
      const moment = this.#moment()
      const value = this.#keyOf(await this.#find(name))
      this.#keys.delete(name)
      this.#keys.set(name, { ...moment, value })
      if (this.#keys.size > KEPT) this.#keys.delete(this.#keys.keys().next().value ?? '')
      return value
    })
  }

  /** Revokes and destroys: the object's metadata stays in the scope, as that of any destroyed object. */
  async delete(name: string): Promise<void> {
    await this.#doing(`delete ${name}`, async () => {
      const object = await this.#find(name)
      const id = text(TAG.UniqueIdentifier, object.id)
      const reason = structure(TAG.RevocationReason, [enumeration(TAG.RevocationReasonCode, RevocationReasonCode.CessationOfOperation)])
      const isActive = object.state(this.#options.now()) === State.Active
      const items = await this.#ask([
        ...(isActive ? [{ operation: 'Revoke' as const, payload: [id, reason] }] : []),
        { operation: 'Destroy', payload: [id] },
      ])
      if (items.every(({ status }) => status === ResultStatus.Success)) return
      // Another client may have been faster; then it is not there any more.
      await this.#find(name)
      throw this.#error('unavailable', `cannot delete ${name}: ${items.find(({ message }) => message)?.message ?? 'refused'}`)
    })
  }

  async list(prefix: string, page: { readonly after?: string; readonly limit: number }): Promise<KeyPage> {
    return this.#doing('list the keys', async () => {
      if (!this.#names || !this.#isTrue(this.#names)) this.#names = { ...this.#moment(), value: await this.#allNames() }
      return pageOf(this.#names.value, prefix, page)
    })
  }

  async status(): Promise<number> {
    const began = performance.now()
    await this.#doing('look at the scope', () => this.#scopeId())
    return performance.now() - began
  }

  /** The records are not closed: they are the server's. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#keys.clear()
    this.#names = undefined
  }

  /** The object that KES means by a name. @throws KeyStoreError `not-found` */
  async #find(name: string): Promise<ManagedObject> {
    const unit = new UnitOfWork(this.#options.records, this.#cache, await this.#scopeId())
    let hidden = ''
    for await (const object of unit.candidates(nameTerms(nameItem(name)))) {
      if (object.destroyed || !keyNamesOf(object).includes(name)) continue
      const reason = hiddenBecause(object, this.#options.now())
      if (reason === undefined) return object
      hidden = `; object ${object.id} has the name, but ${reason}`
    }
    throw this.#error('not-found', `there is no key ${name}${hidden}`)
  }

  #keyOf(object: ManagedObject): StoredKey {
    const key = this.#opened.get(object) ?? keyOfObject(object)
    this.#opened.set(object, key)
    return key
  }

  async #allNames(): Promise<string[]> {
    const names: string[] = []
    const unit = new UnitOfWork(this.#options.records, this.#cache, await this.#scopeId())
    const now = this.#options.now()
    let seen = 0
    for await (const object of unit.candidates(SYMMETRIC_KEYS)) {
      if (hiddenBecause(object, now) === undefined) names.push(...keyNamesOf(object))
      // Objects in memory are read without waiting for anything: others get their turn now and then.
      if (++seen % TURN === 0) await setImmediate()
    }
    return names
  }

  /** Identifier of the scope, which is the partition of its objects. @throws KeyStoreError `unreachable` */
  async #scopeId(): Promise<string> {
    if (this.#scope && this.#isTrue(this.#scope)) return this.#scope.value
    const moment = this.#moment()
    const { partition: id } = await this.#options.scopes.readScope(this.#options.scope)
    this.#scope = { ...moment, value: id }
    return id
  }

  /** All operations as one unit of work. @throws what happened inside, if something unforeseen did */
  async #ask(
    operations: readonly { readonly operation: 'Import' | 'Revoke' | 'Destroy'; readonly payload: readonly Item[] }[],
  ): Promise<ResponseItem[]> {
    const peer = { scope: await this.#scopeId(), scopeName: this.#options.scope, role: 'kes', serial: '-', may: () => true }
    const message = requestMessage(operations, { version: VERSION, ...(operations.length > 1 && { errorContinuation: 'Undo' }) })
    const { message: answer, entries } = await this.#options.engine.answerItem(message, peer)
    const cause = entries.find(entry => entry.cause !== undefined)?.cause
    if (cause instanceof Error) throw cause
    return responseItems(answer)
  }

  #moment(): { readonly version: number; readonly second: bigint } {
    return { version: this.#options.records.version(), second: this.#options.now() }
  }

  #isTrue({ version, second }: Known<unknown>): boolean {
    return version === this.#options.records.version() && second === this.#options.now()
  }

  /** What the layers below say, in the words of the contract. */
  async #doing<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw this.#error('closed', 'the key store is closed')
    try {
      return await act()
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined || !(error instanceof Error)) throw error
      throw this.#error(code, `cannot ${what}: ${error.message}`, error)
    }
  }

  #error(code: KeyStoreErrorCode, message: string, cause?: Error): KeyStoreError {
    return new KeyStoreError(code, `${this.description}: ${message}`, { cause })
  }
}

/** What an error of the layers below means here; nothing: it is none of theirs. */
function codeOf(error: unknown): KeyStoreErrorCode | undefined {
  if (error instanceof DamagedObject) return 'damaged'
  if (error instanceof SealError) return error.code === 'damaged' ? 'damaged' : 'unreachable'
  // The scope of the keys is gone: that says nothing of a key.
  if (error instanceof ScopeError) return 'unreachable'
  if (!(error instanceof StoreError)) return undefined
  if (error.code === 'unavailable') return 'unreachable'
  return error.code === 'conflict' ? 'unavailable' : error.code
}

async function makeScope(scopes: Scopes, name: string): Promise<void> {
  try {
    await scopes.createScope(name)
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!(error instanceof ScopeError) || error.code !== 'exists') throw error
  }
}
