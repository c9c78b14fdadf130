import { SlotsError } from './slots.ts'
import { StoreError } from './store.ts'

const FIRST_PAUSE_MS = 20
const MAX_PAUSE_MS = 500

/**
 * Tries again what failed because the other side could not be reached, until it is too late. After a time without any success nobody is
 * made to wait for more than one attempt. All that is done with it can be repeated: what is written has one place and one content.
 */
export class Patience {
  #problem: string | undefined
  #troubled = false

  /** Why nothing works at the moment; nothing: it does. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Something failed since `calm`. */
  get isTroubled(): boolean {
    return this.#troubled
  }

  calm(): void {
    this.#troubled = false
  }

  /** @param untilMs by the monotonic clock. @throws what `work` throws, and the last SlotsError when it is too late */
  async until<T>(untilMs: number, work: () => Promise<T>): Promise<T> {
    let isInDoubt = false
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(MAX_PAUSE_MS, pause * 2)) {
      try {
        const result = await work()
        this.#problem = undefined
        return result
      } catch (e) {
        if (!(e instanceof SlotsError) || e.code === 'deleted') throw e
        const isDown = this.#problem !== undefined
        this.#troubled = true
        isInDoubt ||= e.code === 'in-doubt'
        const mayRecover = e.code !== 'refused' && !isDown
        if (!mayRecover || performance.now() + pause > untilMs) {
          this.#problem = inWords(e)
          throw isInDoubt ? new SlotsError('in-doubt', e.message, { cause: e.cause ?? e }) : e
        }
      }
      await new Promise(resolve => setTimeout(resolve, pause * (0.5 + Math.random() / 2)))
    }
  }
}

const inWords = ({ code, message }: SlotsError): string =>
  `the store in Vault ${code === 'refused' ? 'refuses' : 'is not reachable'}: ${message}`

/** @param doubt what is to be said of a change whose answer was lost */
export function problemOf(e: unknown, doubt: string): StoreError {
  if (e instanceof StoreError) return e
  if (!(e instanceof SlotsError)) return new StoreError('unavailable', 'the store failed', { cause: e })
  // What is behind it tells whether time cures it.
  const { cause = e } = e
  if (e.code === 'deleted') return new StoreError('damaged', `the store in Vault was changed: ${e.message}`, { cause })
  const what = e.code === 'in-doubt' ? `; ${doubt}` : ''
  return new StoreError('unavailable', `${inWords(e)}${what}`, { cause })
}
