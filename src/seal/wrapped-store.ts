import { createHmac, randomBytes } from 'node:crypto'
import { type Change, type Found, isConflict, type Page, type Sealed, type Store, StoreError, storeClosed } from '../store/store.ts'
import type { StoredRecord } from '../store/stored-record.ts'
import { decryptGcm, encryptGcm, frame, NONCE_BYTES } from './aead.ts'
import type { DataKeySource, DataKeys } from './data-keys.ts'
import { SEAL_PARTITION } from './header.ts'

// A wrapped body: 1 | number of its epoch (4) | salt (32) | ciphertext and tag, where the key is HMAC-SHA256(key of the epoch, salt) and so
// no other body's, bound to its place and revision; or 2 | length (2) and text of its own wrapped key | nonce (12) | ciphertext and tag,
// bound to its place.

const BY_EPOCH = 1
const BY_KEY = 2
const SALT_BYTES = 32
const NO_NONCE = Buffer.alloc(NONCE_BYTES)

/** Where the wrapped keys of epochs are; they are not shown above. */
const EPOCHS = 'kmipd.transit'
const EPOCH_MS = 86_400_000
const EPOCH_BODIES = 2 ** 20
const BATCH = 100

export interface WrapOptions {
  readonly keys: DataKeys
  /** `epoch`: a key from the engine for a day or a million bodies, the others follow from it; `each`: one for each body. */
  readonly by: 'epoch' | 'each'
  readonly nowMs: () => number
}

interface Epoch {
  readonly number: number
  readonly wrapped: string
  readonly createdMs: number
}

/**
 * A store whose bodies are encrypted once more with keys that a transit engine wraps. The seal above knows nothing of it: who has the disk,
 * a backup of the mount and even the root key has nothing while the engine refuses. The header of the seal stands as it is.
 */
export class WrappedStore implements Store {
  readonly #store: Store
  readonly #options: WrapOptions
  readonly #epochs = new Map<number, Epoch>()
  #current: { readonly epoch: Epoch; readonly key: Buffer; left: number } | undefined
  #beginning: Promise<void> | undefined
  readonly #commits = new Set<Promise<void>>()
  #isClosed = false

  constructor(store: Store, options: WrapOptions) {
    this.#store = store
    this.#options = options
  }

  async get(partition: string, id: string): Promise<Sealed | undefined> {
    const found = await this.#store.get(partition, id)
    return found && { revision: found.revision, body: await this.#unwrapped({ partition, id, ...found }) }
  }

  revision(partition: string, id: string): Promise<number> {
    return this.#store.revision(partition, id)
  }

  find(partition: string, terms: readonly Buffer[], page: Page): Promise<Found[]> {
    return this.#store.find(partition, terms, page)
  }

  commit(changes: readonly Change[]): Promise<void> {
    const done = this.#commit(changes)
    this.#commits.add(done)
    const forget = (): unknown => this.#commits.delete(done)
    done.then(forget, forget)
    return done
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    if (this.#isClosed) throw storeClosed()
    const bodies = await Promise.all(changes.map(change => (change.body && isWrapped(change) ? this.#wrap(change) : change.body)))
    await this.#store.commit(
      changes.map((change, i) => {
        const body = bodies[i]
        return body ? { ...change, body } : change
      }),
    )
  }

  version(): number {
    return this.#store.version()
  }

  settle(): Promise<void> | undefined {
    return this.#store.settle?.()
  }

  problem(): string | undefined {
    return this.#store.problem?.()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#commits)
    await this.#store.close()
    this.#options.keys.close()
    this.#current?.key.fill(0)
    this.#current = undefined
  }

  /** Records as they are below, as they are above: without ours, and bodies unwrapped. @throws StoreError */
  async *unwrapAll(records: Iterable<StoredRecord>): AsyncGenerator<StoredRecord> {
    let some: StoredRecord[] = []
    const opened = (): Promise<StoredRecord[]> =>
      Promise.all(some.map(async record => ({ ...record, body: await this.#unwrapped(record) })))
    for (const record of records) {
      if (record.partition === EPOCHS) continue
      some.push(record)
      if (some.length < BATCH) continue
      yield* await opened()
      some = []
    }
    yield* await opened()
  }

  async #wrap({ partition, id, expect, body }: Change): Promise<Buffer> {
    const context = contextOf(partition, id)
    if (this.#options.by === 'each') {
      const { key, wrapped } = await this.#options.keys.make()
      const nonce = randomBytes(NONCE_BYTES)
      return Buffer.concat([keyHead(wrapped), nonce, ...encryptGcm(key, nonce, context, body!)])
    }
    const { epoch, key } = await this.#epochToWrite()
    const head = Buffer.alloc(5 + SALT_BYTES, BY_EPOCH)
    head.writeUInt32BE(epoch.number, 1)
    randomBytes(SALT_BYTES).copy(head, 5)
    const bodyKey = createHmac('sha256', key).update(head).digest()
    const sealed = encryptGcm(bodyKey, NO_NONCE, frame(context.toString('latin1'), `${expect + 1}`), body!)
    bodyKey.fill(0)
    return Buffer.concat([head, ...sealed])
  }

  async #unwrapped(record: Omit<StoredRecord, 'terms' | 'claims'>): Promise<Buffer> {
    if (!isWrapped(record)) return record.body
    const { partition, id, revision, body } = record
    const context = contextOf(partition, id)
    let content: Buffer | undefined
    if (body[0] === BY_KEY) {
      const { wrapped, rest } = readKeyHead(record)
      content = decryptGcm(await this.#options.keys.open(wrapped), rest.subarray(0, NONCE_BYTES), context, rest.subarray(NONCE_BYTES))
    } else if (body[0] === BY_EPOCH && body.length > 5 + SALT_BYTES) {
      const { wrapped } = await this.#epoch(body.readUInt32BE(1))
      const key = this.#options.keys.peek(wrapped) ?? (await this.#options.keys.open(wrapped))
      const bodyKey = createHmac('sha256', key)
        .update(body.subarray(0, 5 + SALT_BYTES))
        .digest()
      content = decryptGcm(bodyKey, NO_NONCE, frame(context.toString('latin1'), `${revision}`), body.subarray(5 + SALT_BYTES))
      bodyKey.fill(0)
    }
    if (content) return content
    throw new StoreError('damaged', `record ${id} of ${partition} does not open with its transit key: it was changed, or not wrapped by us`)
  }

  async #epoch(number: number): Promise<Epoch> {
    const known = this.#epochs.get(number)
    if (known) return known
    const stored = await this.#store.get(EPOCHS, `${number}`)
    if (!stored) throw new StoreError('damaged', `the wrapped key of epoch ${number} is missing: restore a backup`)
    const epoch = { number, ...epochIn(stored.body) }
    this.#epochs.set(number, epoch)
    return epoch
  }

  async #epochToWrite(): Promise<{ readonly epoch: Epoch; readonly key: Buffer }> {
    for (;;) {
      const current = this.#current
      if (current && current.left > 0 && this.#options.nowMs() - current.epoch.createdMs < EPOCH_MS) {
        current.left--
        return current
      }
      this.#beginning ??= this.#begin().finally(() => {
        this.#beginning = undefined
      })
      await this.#beginning
    }
  }

  /** Make a new epoch. Each process has epochs of its own, which differ in nothing but their number. */
  async #begin(): Promise<void> {
    const { key, wrapped } = await this.#options.keys.make()
    const createdMs = this.#options.nowMs()
    for (;;) {
      const [newest] = await this.#store.find(EPOCHS, [], { limit: 1 })
      const number = Number(newest?.id ?? 0) + 1
      const body = Buffer.from(JSON.stringify({ wrapped, createdMs }))
      try {
        await this.#store.commit([{ partition: EPOCHS, id: `${number}`, expect: 0, body }])
      } catch (e) {
        if (isConflict(e)) continue
        throw e
      }
      const epoch = { number, wrapped, createdMs }
      this.#epochs.set(number, epoch)
      this.#current = { epoch, key: Buffer.from(key), left: EPOCH_BODIES }
      return
    }
  }
}

/**
 * Whether what is in a store was written through a `WrappedStore`: read or written in the other way, it seems to be damaged.
 * @param store below the wrapping
 * @param records everything in it
 * @returns nothing if there is nothing yet
 */
export async function isStoreWrapped(store: Store, records: Iterable<StoredRecord>): Promise<boolean | undefined> {
  // The key of an epoch is there before any body that needs it.
  if ((await store.find(EPOCHS, [], { limit: 1 })).length > 0) return true
  for (const record of records) if (isWrapped(record)) return record.body[0] === BY_KEY
  return undefined
}

/**
 * Wrap all keys with the newest version of the engine's key; what has it already is left alone, so that a run that was cut short goes on.
 * The server may run.
 * @param store below the wrapping
 * @param records everything in it, each as it is when it is read
 * @throws StoreError: what was done until then stays
 */
export async function rewrapKeys(
  store: Store,
  records: Iterable<StoredRecord>,
  source: DataKeySource,
): Promise<{ readonly keys: number; readonly rewrapped: number }> {
  let keys = 0
  let rewrapped = 0
  let some: { readonly record: StoredRecord; readonly wrapped: string }[] = []
  const flush = async (): Promise<void> => {
    const results = await source.rewrap(some.map(({ wrapped }) => wrapped))
    for (const [i, { record }] of some.entries()) {
      const wrapped = results[i]
      if (typeof wrapped !== 'string') throw wrapped
      if (await replaceKey(store, record, wrapped)) rewrapped++
    }
    some = []
  }
  for (const record of records) {
    const wrapped = wrappedIn(record)
    if (wrapped === undefined) continue
    keys++
    if (!(await source.isOld(wrapped))) continue
    some.push({ record, wrapped })
    if (some.length >= BATCH) await flush()
  }
  await flush()
  return { keys, rewrapped }
}

/** How many data keys there are, each as `source` has wrapped it, and the oldest version of its key that they need. */
export function keysInUse(
  records: Iterable<StoredRecord>,
  versionOf: (wrapped: string) => number,
): { readonly keys: number; readonly oldest: number | undefined } {
  let keys = 0
  let oldest: number | undefined
  for (const record of records) {
    const wrapped = wrappedIn(record)
    if (wrapped === undefined) continue
    keys++
    oldest = Math.min(oldest ?? Number.POSITIVE_INFINITY, versionOf(wrapped))
  }
  return { keys, oldest }
}

const wrappedIn = (record: StoredRecord): string | undefined => {
  if (record.partition === EPOCHS) return epochIn(record.body).wrapped
  return isWrapped(record) && record.body[0] === BY_KEY ? readKeyHead(record).wrapped : undefined
}

/** @returns false: the record was changed meanwhile, and so has a new key */
async function replaceKey(store: Store, record: StoredRecord, wrapped: string): Promise<boolean> {
  const { partition, id, revision, terms, claims } = record
  const body =
    partition === EPOCHS
      ? Buffer.from(JSON.stringify({ ...epochIn(record.body), wrapped }))
      : Buffer.concat([keyHead(wrapped), readKeyHead(record).rest])
  try {
    await store.commit([{ partition, id, expect: revision, body, terms, claims }])
    return true
  } catch (e) {
    if (isConflict(e)) return false
    throw e
  }
}

const isWrapped = ({ partition }: { readonly partition: string }): boolean => partition !== SEAL_PARTITION && partition !== EPOCHS
const contextOf = (partition: string, id: string): Buffer => frame('kmipd wrapped record', partition, id)

function keyHead(wrapped: string): Buffer {
  const text = Buffer.from(wrapped)
  const head = Buffer.from([BY_KEY, 0, 0])
  head.writeUInt16BE(text.length, 1)
  return Buffer.concat([head, text])
}

function readKeyHead({ partition, id, body }: Pick<StoredRecord, 'partition' | 'id' | 'body'>): { wrapped: string; rest: Buffer } {
  const end = 3 + (body.length >= 3 ? body.readUInt16BE(1) : body.length)
  if (end + NONCE_BYTES > body.length) throw new StoreError('damaged', `record ${id} of ${partition} is cut: restore a backup`)
  return { wrapped: body.toString('utf8', 3, end), rest: body.subarray(end) }
}

function epochIn(body: Buffer): Omit<Epoch, 'number'> {
  const value: unknown = JSON.parse(body.toString())
  if (typeof value === 'object' && value !== null && 'wrapped' in value && 'createdMs' in value) {
    const { wrapped, createdMs } = value
    if (typeof wrapped === 'string' && typeof createdMs === 'number') return { wrapped, createdMs }
  }
  throw new StoreError('damaged', 'a wrapped key has not its form: restore a backup')
}
