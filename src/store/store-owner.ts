import type { ParcelVerdict } from './remote-writer.ts'
import type { UnitsMessage } from './sqlite-message.ts'
import type { Writer } from './sqlite-writer-thread.ts'

/** A copy that one process keeps of a store on other machines, for all processes of a server to read. */
export interface SharedCopy {
  /** Of its file now. */
  readonly path: string
  /**
   * Wait until everything is in the file that was committed before the call, as far as the store is set up to promise that.
   * @returns so many milliseconds ago that was known
   * @throws StoreError
   */
  look(): Promise<number>
  /** From now on tell when the copy is in another file; the one before is gone then. */
  onMove(told: (path: string) => void): void
}

/** What the process of a server that has its store does for the others. */
export interface SharedStore {
  /** Store units that another process packed; never rejects. */
  readonly forward: (units: UnitsMessage) => Promise<ParcelVerdict>
  /** Absent: what is stored is all in the file that the configuration names. */
  readonly copy?: SharedCopy
}

/** The same as another process has it. */
export interface StoreOwner {
  readonly writer: Writer
  readonly copy?: SharedCopy
}
