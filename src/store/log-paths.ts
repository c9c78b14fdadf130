// Where the parts of a log stand, below its prefix. Numbers and random names only: nothing that a client gave.

export const HEAD = 'head'
export const BLOBS = 'blob'
export const SNAPSHOTS = 'snap'

export const entryPath = (store: string, number: number): string => `log/${store}/${number}`
export const blobPath = (name: string): string => `${BLOBS}/${name}`
export const chunkPath = (snapshot: string, chunk: number): string => `${SNAPSHOTS}/${snapshot}/${chunk}`

/** So many requests are under way at once where many are to be made; more of them only wait in Vault. */
const LANES = 8

/** Do `work` for 0 to `count` - 1, a few at a time. Rejects with the first error once nothing is under way any more. */
export async function inLanes(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  let isFailed = false
  const lane = async (): Promise<void> => {
    while (next < count && !isFailed) {
      try {
        await work(next++)
      } catch (e) {
        isFailed = true
        throw e
      }
    }
  }
  const results = await Promise.allSettled(Array.from({ length: Math.min(LANES, count) }, lane))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
