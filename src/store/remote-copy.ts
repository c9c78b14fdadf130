import type { Verdict } from './sqlite-units.ts'
import { StoreError } from './store.ts'
import type { SharedCopy } from './store-owner.ts'

interface Asked {
  readonly resolve: (agoMs: number) => void
  readonly reject: (error: StoreError) => void
}

/** What the owner of a copy says to a question, under its number: see `SharedCopy.look`, or why that failed. */
export type LookAnswer = { readonly agoMs: number } | NonNullable<Verdict>

/** The copy of another process, with whom messages are exchanged, in order. */
export class RemoteCopy implements SharedCopy {
  path: string
  readonly #ask: (question: number) => void
  readonly #asked = new Map<number, Asked>()
  #question = 0
  #told: ((path: string) => void) | undefined

  /** @param ask brings a question to the owner, whose answer comes to `settle` */
  constructor(path: string, ask: (question: number) => void) {
    this.path = path
    this.#ask = ask
  }

  look(): Promise<number> {
    return new Promise((resolve, reject) => {
      const question = this.#question++
      this.#asked.set(question, { resolve, reject })
      this.#ask(question)
    })
  }

  onMove(told: (path: string) => void): void {
    this.#told = told
  }

  /** The answer to a question has come. */
  settle(question: number, answer: LookAnswer): void {
    const asked = this.#asked.get(question)
    this.#asked.delete(question)
    if ('agoMs' in answer) asked?.resolve(answer.agoMs)
    else asked?.reject(new StoreError(answer.code, answer.message))
  }

  /** The owner has said that the copy is in another file. */
  move(path: string): void {
    this.path = path
    this.#told?.(path)
  }
}

/** A question of another process, answered. */
export const answerLook = (copy: SharedCopy): Promise<LookAnswer> =>
  copy.look().then(
    agoMs => ({ agoMs }),
    (e: unknown) => (e instanceof StoreError ? { code: e.code, message: e.message } : { code: 'unavailable', message: 'the store failed' }),
  )
