import { createHash } from 'node:crypto'
import { type Change, type Store, StoreError } from '../store/store.ts'
import type { StoredRecord } from '../store/stored-record.ts'
import { checkCount } from './backup.ts'
import { SealError } from './error.ts'
import { checkSettled, openHeader, readHeader } from './header.ts'
import { type Keys, keysOf } from './keys.ts'
import type { KeyProvider } from './provider.ts'
import { problemOf, type TermsOf } from './verify.ts'

/** Records in one commit, and bytes of bodies. */
const BATCH = 200
const BATCH_BYTES = 150_000
const PROGRESS = 5_000

interface Contents {
  readonly count: number
  records(): Iterable<StoredRecord> | AsyncIterable<StoredRecord>
  close(): void
}

interface Side {
  readonly store: Store
  contents(as: 'moment'): Promise<Contents>
}

export interface CopyOptions {
  readonly from: Side
  /** Empty. */
  readonly to: Side
  /** One of them must open the seal. */
  readonly providers: readonly KeyProvider[]
  readonly termsOf: TermsOf
  readonly progress?: (done: { readonly records: number; readonly of: number }) => void
}

/**
 * Copy all records as they are sealed, opening each on the way, and compare what the other store has then.
 * @returns the count of records
 * @throws SealError `damaged`: a record does not open, or is another one in the copy; StoreError
 */
export async function copyStore({ from, to, providers, termsOf, progress }: CopyOptions): Promise<number> {
  const header = (await readHeader(from.store))?.header
  if (!header) throw new SealError('sealed', 'the store was never sealed: there is nothing to copy')
  checkSettled(header)
  const rootKey = await openHeader(header, providers)
  const keys = keysOf(rootKey)
  rootKey.fill(0)
  const contents = await from.contents('moment')
  try {
    const written = await copyAll(contents, to.store, keys, termsOf, progress)
    const copied = await to.contents('moment')
    try {
      if ((await digestOf(copied)) !== written.digest)
        throw new SealError('damaged', 'the copy is not what was copied: somebody else wrote to it, or the store failed; do it once more')
    } finally {
      copied.close()
    }
    return written.records
  } finally {
    contents.close()
    keys.close()
  }
}

async function copyAll(
  contents: Contents,
  store: Store,
  keys: Keys,
  termsOf: TermsOf,
  progress: CopyOptions['progress'],
): Promise<{ readonly records: number; readonly digest: string }> {
  const of = contents.count
  const hash = createHash('sha256')
  let records = 0
  let bytes = 0
  let batch: Change[] = []
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await store.commit(batch)
    batch = []
    bytes = 0
  }
  for await (const record of contents.records()) {
    const problem = problemOf(record, keys, termsOf)
    if (problem) throw new SealError('damaged', `record ${problem.id} of ${problem.partition}: ${problem.problem}; see: kmipd store verify`)
    const { partition, id, body, terms, claims } = record
    hash.update(lineOf(record))
    batch.push({ partition, id, expect: 0, body, terms, claims })
    bytes += body.length
    if (++records % PROGRESS === 0) progress?.({ records, of })
    if (batch.length >= BATCH || bytes >= BATCH_BYTES) await flush()
  }
  await flush()
  progress?.({ records, of })
  checkCount(records, of)
  if (records === 0) throw new StoreError('unavailable', 'there is nothing in the store')
  return { records, digest: hash.digest('hex') }
}

async function digestOf(contents: Contents): Promise<string> {
  const hash = createHash('sha256')
  for await (const record of contents.records()) hash.update(lineOf(record))
  return hash.digest('hex')
}

/** All of a record but its revision, which begins anew. */
const lineOf = ({ partition, id, body, terms, claims }: StoredRecord): string =>
  `${JSON.stringify([partition, id, body.toString('base64'), sorted(terms), sorted(claims)])}\n`

const sorted = (values: readonly Buffer[]): string[] => values.map(value => value.toString('hex')).sort()
