import type { Records } from '../seal/records.ts'
import type { Turn } from './turn.ts'

/** The same records, with the version of the turn; `observe` is told how many seconds each commit took, failed ones included. */
export function timed(records: Records, turn: Turn, observe: (seconds: number) => void): Records {
  return {
    get: (partition, id) => records.get(partition, id),
    revision: (partition, id) => records.revision(partition, id),
    find: (partition, terms, page) => records.find(partition, terms, page),
    version: () => turn.version(),
    settle: () => records.settle?.(),
    problem: () => records.problem?.(),
    close: () => records.close(),
    async commit(changes) {
      const begin = performance.now()
      try {
        await records.commit(changes)
      } finally {
        turn.forget()
        observe((performance.now() - begin) / 1000)
      }
    },
  }
}
