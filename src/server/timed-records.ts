import type { Records } from '../seal/records.ts'

/** The same records; `observe` is told how many seconds each commit took, failed ones included. */
export function timed(records: Records, observe: (seconds: number) => void): Records {
  return {
    get: (partition, id) => records.get(partition, id),
    revision: (partition, id) => records.revision(partition, id),
    find: (partition, terms, page) => records.find(partition, terms, page),
    version: () => records.version(),
    close: () => records.close(),
    async commit(changes) {
      const begin = performance.now()
      try {
        await records.commit(changes)
      } finally {
        observe((performance.now() - begin) / 1000)
      }
    },
  }
}
