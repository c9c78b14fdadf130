import type { Records } from '../seal/records.ts'

const PAGE = 1000
const MOST = 100_000

/** How many objects a partition has; more than are counted are that many. */
export async function countObjects(records: Records, partition: string): Promise<number> {
  let count = 0
  for (let before: number | undefined; count < MOST; ) {
    const page = await records.find(partition, [], before === undefined ? { limit: PAGE } : { before, limit: PAGE })
    count += page.length
    before = page.at(-1)?.sequence
    if (page.length < PAGE || before === undefined) return count
    // The clients' turn, between pages.
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  return count
}
