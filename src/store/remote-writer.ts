import { packUnits, type UnitsMessage } from './sqlite-message.ts'
import type { Verdict } from './sqlite-units.ts'
import type { Writer } from './sqlite-writer-thread.ts'
import { type Change, StoreError, storeClosed } from './store.ts'

/** Units that are sent at once; more would wait for each other. */
const MAX_COLLECTED = 32

interface Waiting {
  readonly changes: readonly Change[]
  readonly resolve: () => void
  readonly reject: (error: StoreError) => void
}

/** What the writing process says of a parcel of units: a verdict for each, or their count where all were stored. */
export type ParcelVerdict = readonly Verdict[] | number

/** Brings a parcel of units to the process that writes; its verdict comes to `settle` under the same number. */
export type SendParcel = (parcel: number, units: UnitsMessage) => void

/** The writer of a process that may only read: another process writes for it. Units that come close together travel in one parcel. */
export class RemoteWriter implements Writer {
  readonly #send: SendParcel
  #collected: Waiting[] = []
  readonly #sent = new Map<number, Waiting[]>()
  #parcel = 0
  #isClosing = false
  #idle: (() => void) | undefined

  constructor(send: SendParcel) {
    this.#send = send
  }

  commit(changes: readonly Change[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isClosing) return reject(storeClosed())
      if (this.#collected.length === 0) setImmediate(this.#flush)
      this.#collected.push({ changes, resolve, reject })
      if (this.#collected.length >= MAX_COLLECTED) this.#flush()
    })
  }

  /** The verdict on a parcel has come. */
  settle(parcel: number, verdicts: ParcelVerdict): void {
    const units = this.#sent.get(parcel) ?? []
    this.#sent.delete(parcel)
    units.forEach(({ resolve, reject }, i) => {
      const verdict = typeof verdicts === 'number' ? undefined : verdicts[i]
      if (verdict) reject(new StoreError(verdict.code, verdict.message))
      else resolve()
    })
    if (this.#sent.size === 0) this.#idle?.()
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#flush()
    if (this.#sent.size === 0) return
    await new Promise<void>(resolve => {
      this.#idle = resolve
    })
  }

  readonly #flush = (): void => {
    if (this.#collected.length === 0) return
    const parcel = this.#parcel++
    const units = this.#collected
    this.#collected = []
    this.#sent.set(parcel, units)
    this.#send(parcel, packUnits(units.map(({ changes }) => changes)))
  }
}
