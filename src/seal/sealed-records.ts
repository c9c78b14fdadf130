import { type Change, type Store, storeClosed } from '../store/store.ts'
import type { Blinder } from './blinder.ts'
import { SealError } from './error.ts'
import { rootKeyOf, SEAL_PARTITION } from './header.ts'
import { keysOf } from './keys.ts'
import type { KeyProvider } from './provider.ts'
import type { RecordCipher } from './record-cipher.ts'
import type { FoundRecord, Record, RecordChange, RecordPage, Records } from './records.ts'

/**
 * Open the seal of a store, and seal it if it never was: then a new root key is made, and each of `providers` wraps it.
 * @param store closed by the result's `close`
 * @param providers those that may open the root key; one is enough
 * @throws SealError `sealed`, `wrong-key`, `damaged`
 * @throws StoreError
 */
export async function openRecords({ store, providers }: { store: Store; providers: readonly KeyProvider[] }): Promise<Records> {
  const rootKey = await rootKeyOf(store, providers)
  const { cipher, blinder } = keysOf(rootKey)
  rootKey.fill(0)
  return new SealedRecords(store, cipher, blinder)
}

class SealedRecords implements Records {
  readonly #store: Store
  readonly #cipher: RecordCipher
  readonly #blinder: Blinder
  #isClosed = false

  constructor(store: Store, cipher: RecordCipher, blinder: Blinder) {
    this.#store = store
    this.#cipher = cipher
    this.#blinder = blinder
  }

  async get(partition: string, id: string): Promise<Record | undefined> {
    this.#check(partition)
    const sealed = await this.#store.get(partition, id)
    if (!sealed) return undefined
    this.#check(partition)
    const body = this.#cipher.open(partition, id, sealed.body)
    if (!body)
      throw new SealError('damaged', `record ${id} of ${partition} was changed, moved or cut in the store: restore it from a backup`)
    return { revision: sealed.revision, body }
  }

  async revision(partition: string, id: string): Promise<number> {
    return this.#store.revision(partition, id)
  }

  async find(partition: string, terms: readonly string[], page: RecordPage): Promise<FoundRecord[]> {
    this.#check(partition)
    const { marks, ...rest } = page
    return this.#store.find(partition, this.#blind(partition, terms), marks ? { ...rest, marks: this.#blind(partition, marks) } : rest)
  }

  async commit(changes: readonly RecordChange[]): Promise<void> {
    await this.#store.commit(changes.map(change => this.#sealed(change)))
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
    this.#cipher.close()
    this.#blinder.close()
    await this.#store.close()
  }

  #sealed({ partition, id, expect, body: content, terms = [], claims = [], keepsTerms = false }: RecordChange): Change {
    this.#check(partition)
    if (!content) return { partition, id, expect }
    const body = this.#cipher.seal(partition, id, content)
    if (keepsTerms) return { partition, id, expect, body, keepsTerms }
    return {
      partition,
      id,
      expect,
      body,
      terms: this.#blind(
        partition,
        terms.filter(term => !claims.includes(term)),
      ),
      // Claims are terms too, and mostly of this record alone: nobody asks for them so soon that they were worth to be kept.
      claims: claims.map(claim => this.#blinder.blindAnew(partition, claim)),
    }
  }

  #blind(partition: string, values: readonly string[]): Buffer[] {
    return values.map(value => this.#blinder.blind(partition, value))
  }

  /** After `close` the keys are zero, and nothing may be sealed with them. */
  #check(partition: string): void {
    if (this.#isClosed) throw storeClosed()
    if (partition === SEAL_PARTITION) throw new RangeError(`the partition ${SEAL_PARTITION} is the seal's own`)
  }
}
