import { randomBytes } from 'node:crypto'
import type { Records } from '../seal/records.ts'
import { isConflict } from '../store/store.ts'
import type { ChainHead } from './audit-chain.ts'

/** Longer than a scope's id, so that none can be it. */
const PARTITION = 'audit-chains'
const KEY = 'key'
const KEY_BYTES = 32
/** Chains that are remembered; the one that was heard of longest ago is forgotten first. */
const KEPT = 200
const PAGE = 500
const ATTEMPTS = 100

/** How far a chain had come at a time: its log must reach at least that far. */
export interface Anchor extends ChainHead {
  readonly timeMs: number
}

/** The key of the audit log's chains; made at the first call. @throws StoreError, SealError */
export async function auditKey(records: Records): Promise<Buffer> {
  for (let attempt = 1; ; attempt++) {
    const stored = await records.get(PARTITION, KEY)
    if (stored) return Buffer.from(stored.body)
    try {
      await records.commit([{ partition: PARTITION, id: KEY, expect: 0, body: randomBytes(KEY_BYTES) }])
    } catch (error) {
      // Another process was faster.
      if (!isConflict(error) || attempt === ATTEMPTS) throw error
    }
  }
}

/** Remember how far a chain has come. Its process alone writes it. @throws StoreError, SealError */
export async function writeAnchor(records: Records, { chain, link, hash }: ChainHead, timeMs: number): Promise<void> {
  const expect = await records.revision(PARTITION, `chain/${chain}`)
  const body = Buffer.from(JSON.stringify({ chain, link, hash, timeMs } satisfies Anchor))
  await records.commit([{ partition: PARTITION, id: `chain/${chain}`, expect, body }])
  if (expect === 0) await forgetOldest(records)
}

/** Newest chains first. @throws StoreError, SealError */
export async function anchorsIn(records: Records): Promise<readonly Anchor[]> {
  const anchors: Anchor[] = []
  for (const id of await anchorIds(records)) {
    const stored = await records.get(PARTITION, id)
    if (stored) anchors.push(JSON.parse(stored.body.toString('utf8')))
  }
  return anchors
}

const anchorIds = async (records: Records): Promise<readonly string[]> =>
  (await records.find(PARTITION, [], { limit: PAGE })).map(({ id }) => id).filter(id => id !== KEY)

async function forgetOldest(records: Records): Promise<void> {
  for (const id of (await anchorIds(records)).slice(KEPT)) {
    const expect = await records.revision(PARTITION, id)
    if (expect > 0) await records.commit([{ partition: PARTITION, id, expect }])
  }
}
