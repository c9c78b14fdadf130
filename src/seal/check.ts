import type { Store } from '../store/store.ts'
import type { StoredRecord } from '../store/stored-record.ts'
import { SealError } from './error.ts'
import { checkSettled, openHeader, readHeader } from './header.ts'
import { keysOf } from './keys.ts'
import type { KeyProvider } from './provider.ts'
import { type Problem, problemOf, type TermsOf } from './verify.ts'

/**
 * Open each record of a store, and compare its index terms and claims with those that follow from its content. Nothing is changed.
 * @throws SealError: the store cannot be unsealed
 */
export async function checkStore(options: {
  readonly store: Store
  readonly contents: { records(): Iterable<StoredRecord> | AsyncIterable<StoredRecord> }
  readonly providers: readonly KeyProvider[]
  readonly termsOf: TermsOf
}): Promise<{ readonly records: number; readonly problems: readonly Problem[] }> {
  const header = (await readHeader(options.store))?.header
  if (!header) throw new SealError('sealed', 'the store was never sealed: there is nothing to check')
  checkSettled(header)
  const rootKey = await openHeader(header, options.providers)
  const keys = keysOf(rootKey)
  rootKey.fill(0)
  try {
    let records = 0
    const problems: Problem[] = []
    for await (const record of options.contents.records()) {
      records++
      const problem = problemOf(record, keys, options.termsOf)
      if (problem) problems.push(problem)
    }
    return { records, problems }
  } finally {
    keys.close()
  }
}
