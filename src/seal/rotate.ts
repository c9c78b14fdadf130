import { randomBytes } from 'node:crypto'
import { type Change, type Store, StoreError } from '../store/store.ts'
import type { StoredRecord } from '../store/stored-record.ts'
import { SealError } from './error.ts'
import { type Header, isOf, openHeader, openNext, readHeader, SEAL_PARTITION, wrapWith, writeHeader } from './header.ts'
import { type Keys, keysOf } from './keys.ts'
import type { KeyProvider } from './provider.ts'
import { openStored, type TermsOf } from './verify.ts'

/** Records in one commit. */
const BATCH = 500

export interface RotateOptions {
  /** Nobody else may use it meanwhile: who has it open has the old keys. */
  readonly store: Store
  /** All that seal the store must be among them, since each has to wrap the new key. */
  readonly providers: readonly KeyProvider[]
  /** Everything in the store, each record as it is when it is read. */
  readonly contents: {
    records(): Iterable<StoredRecord> | AsyncIterable<StoredRecord>
    /** What is wrong with how they are stored. */
    problems?(): readonly string[]
  }
  readonly termsOf: TermsOf
  /** Called now and then with how many records have the new key. */
  readonly progress?: (done: number) => void
}

/**
 * Give the store a new root key, and seal each record and blind each term with keys that follow from it. At first every record is
 * checked; then the header gets the new key, wrapped, beside the old one, and the store opens for nobody until the last record is done and
 * the old key is gone from the header. When this is cut short, it is to be called again and goes on.
 * @returns the count of records, and how many of them had the new key already
 * @throws SealError `damaged`: a record does not open, and nothing was changed; `sealed`: a provider is missing. StoreError
 */
export async function rotateRootKey(options: RotateOptions): Promise<{ readonly records: number; readonly before: number }> {
  const { store, providers } = options
  const found = await readHeader(store)
  if (!found) throw new SealError('sealed', 'the store was never sealed: start kmipd on it first')
  const oldRoot = await openHeader(found.header, providers)
  const old = keysOf(oldRoot)
  try {
    const header = found.header.next ? found.header : await begin(found.header, found.revision, oldRoot, old, options)
    const newRoot = await openNext(header, providers)
    const next = keysOf(newRoot)
    try {
      const counts = await resealAll(old, next, options)
      const { revision } = (await readHeader(store))!
      await writeHeader(store, newRoot, revision, { store: header.store, entries: header.next! })
      return counts
    } finally {
      next.close()
      newRoot.fill(0)
    }
  } finally {
    old.close()
    oldRoot.fill(0)
  }
}

async function begin(header: Header, revision: number, oldRoot: Buffer, old: Keys, options: RotateOptions): Promise<Header> {
  const { store, providers, contents, termsOf } = options
  const wrapping = header.entries.map(entry => {
    const provider = providers.find(provider => isOf(entry, provider))
    if (provider) return provider
    throw new SealError(
      'sealed',
      `the store is sealed by ${entry.provider} key ${entry.key} too, which is not configured and could not get the new key: configure it, or run: kmipd seal remove ${entry.provider} ${entry.key}`,
    )
  })
  // A record that can be read and not be written again would end the rotation half-way, for good.
  const [problem] = contents.problems?.() ?? []
  if (problem !== undefined) throw new SealError('damaged', `nothing is rotated: ${problem}; see: kmipd store verify`)
  for await (const record of contents.records()) {
    if (record.partition === SEAL_PARTITION) continue
    const opened = openStored(record, old, termsOf)
    if (typeof opened === 'string')
      throw new SealError('damaged', `nothing is rotated: record ${record.id} of ${record.partition} ${opened}; see: kmipd store verify`)
    opened.body.fill(0)
  }
  const newRoot = randomBytes(32)
  try {
    const next = await Promise.all(wrapping.map(provider => wrapWith(provider, newRoot, header.store)))
    await writeHeader(store, oldRoot, revision, { store: header.store, entries: header.entries, next })
    return { ...header, next }
  } finally {
    newRoot.fill(0)
  }
}

async function resealAll(
  old: Keys,
  next: Keys,
  { store, contents, termsOf, progress }: RotateOptions,
): Promise<{ records: number; before: number }> {
  let records = 0
  let before = 0
  let changes: Change[] = []
  const flush = async (): Promise<void> => {
    if (changes.length > 0) await store.commit(changes)
    changes = []
    progress?.(records)
  }
  for await (const record of contents.records()) {
    if (record.partition === SEAL_PARTITION) continue
    records++
    const change = resealed(record, old, next, termsOf)
    if (change) changes.push(change)
    else before++
    if (changes.length >= BATCH) await flush()
  }
  await flush()
  return { records, before }
}

/** @returns nothing if the record has the new key already */
function resealed(record: StoredRecord, old: Keys, next: Keys, termsOf: TermsOf): Change | undefined {
  const { partition, id, revision } = record
  const done = next.cipher.open(partition, id, record.body)
  if (done) {
    done.fill(0)
    return undefined
  }
  const opened = openStored(record, old, termsOf)
  if (typeof opened === 'string') throw new StoreError('damaged', `record ${id} of ${partition} ${opened}: restore a backup`)
  const blind = (values: readonly string[]): Buffer[] => values.map(value => next.blinder.blind(partition, value))
  const body = next.cipher.seal(partition, id, opened.body)
  opened.body.fill(0)
  return { partition, id, expect: revision, body, terms: blind(opened.terms), claims: blind(opened.claims) }
}
