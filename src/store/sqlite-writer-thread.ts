import { Worker } from 'node:worker_threads'
import { FIELDS_PER_CHANGE, type FromWriter, packUnits, type ToWriter, type UnitsMessage } from './sqlite-message.ts'
import type { Verdict } from './sqlite-units.ts'
import { type Change, StoreError, storeClosed } from './store.ts'

/** Where the commits of a store go. */
export interface Writer {
  /** @throws StoreError */
  commit(changes: readonly Change[]): Promise<void>
  /** Finish what waits, then end. */
  close(): Promise<void>
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: StoreError) => void
}

interface Collected extends Waiting {
  readonly changes: readonly Change[]
}

/** So many units are sent at once, for the writer to begin while this thread prepares more; fewer cost more messages than that gains. */
const MAX_COLLECTED = 8
/** The same for a writer that has nothing to do. */
const MAX_COLLECTED_IDLE = 4

const CODE = new URL('./sqlite-writer.js', import.meta.url)

/** The writer thread as its owner sees it. Units that come close together travel in one message. */
export class WriterThread implements Writer {
  readonly #worker: Worker
  readonly #ended: Promise<void>
  /** Not sent yet. */
  #collected: Collected[] = []
  /** Sent, oldest first. */
  #sent: Waiting[] = []
  #isClosing = false
  #failure: StoreError | undefined

  /** @param path the database, migrated already */
  constructor(path: string, code: URL = CODE) {
    this.#worker = new Worker(code, { workerData: { path }, name: 'kmipd store', execArgv: [] })
    this.#worker.on('message', (verdicts: FromWriter) => this.#settle(verdicts))
    this.#worker.on('error', cause => this.#fail(cause))
    this.#ended = new Promise(resolve => {
      this.#worker.once('exit', code => {
        this.#fail(new Error(`the thread ended with code ${code}`))
        resolve()
      })
    })
    // An idle store does not keep the process alive.
    this.#worker.unref()
  }

  commit(changes: readonly Change[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure)
      if (this.#isClosing) return reject(storeClosed())
      if (this.#collected.length === 0) setImmediate(() => this.#send())
      this.#collected.push({ changes, resolve, reject })
      if (this.#collected.length >= (this.#sent.length === 0 ? MAX_COLLECTED_IDLE : MAX_COLLECTED)) this.#send()
    })
  }

  /**
   * Units that another process packed, behind those that were committed here before.
   * @returns a verdict for each of them, or their count where all were stored; it is never rejected
   */
  async forward({ heads, bytes }: UnitsMessage): Promise<readonly Verdict[] | number> {
    this.#send()
    const verdicts: Promise<Verdict>[] = []
    for (let at = 0; at < heads.length; at += 1 + Number(heads[at]) * FIELDS_PER_CHANGE)
      verdicts.push(
        new Promise(resolve => {
          const reject = ({ code, message }: StoreError): void => resolve({ code, message })
          if (this.#failure) reject(this.#failure)
          else if (this.#isClosing) reject(storeClosed())
          else this.#sent.push({ resolve: () => resolve(undefined), reject })
        }),
      )
    if (!this.#failure && !this.#isClosing) {
      // A buffer of its own, which can be moved to the thread.
      const own = new Uint8Array(bytes)
      this.#worker.ref()
      this.#worker.postMessage({ heads, bytes: own } satisfies ToWriter, [own.buffer])
    }
    const all = await Promise.all(verdicts)
    return all.some(verdict => verdict) ? all : all.length
  }

  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true
      this.#send()
      this.#worker.ref()
      this.#worker.postMessage('close' satisfies ToWriter)
    }
    await this.#ended
  }

  #send(): void {
    if (this.#collected.length === 0 || this.#failure) return
    const message = packUnits(this.#collected.map(({ changes }) => changes))
    this.#worker.ref()
    this.#worker.postMessage(message satisfies ToWriter, [message.bytes.buffer])
    this.#sent.push(...this.#collected)
    this.#collected = []
  }

  #settle(verdicts: FromWriter): void {
    const units = this.#sent.splice(0, typeof verdicts === 'number' ? verdicts : verdicts.length)
    if (this.#sent.length === 0 && !this.#isClosing) this.#worker.unref()
    units.forEach(({ resolve, reject }, i) => {
      const verdict = typeof verdicts === 'number' ? undefined : verdicts[i]
      if (verdict) reject(new StoreError(verdict.code, verdict.message))
      else resolve()
    })
  }

  /** What was sent may be stored or not: nobody knows, so nobody is told that it is. */
  #fail(cause: unknown): void {
    this.#failure ??= this.#isClosing
      ? storeClosed()
      : new StoreError('unavailable', 'the writer of the store has ended: restart kmipd', { cause })
    const units = [...this.#sent, ...this.#collected]
    this.#sent = []
    this.#collected = []
    for (const { reject } of units) reject(this.#failure)
  }
}
