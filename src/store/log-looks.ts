/** Looks at something that others change, shared by those who ask: each gets one that began after the question. */
export class Looks {
  readonly #look: () => Promise<void>
  /** The look that is under way, and the one that begins after it. */
  #current: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(look: () => Promise<void>) {
    this.#look = look
  }

  /** Join the next look: one that began before now would not do. */
  join(): Promise<void> {
    if (this.#next) return this.#next
    const before = this.#current
    const next = (before ? before.catch(() => undefined) : Promise.resolve()).then(() => {
      this.#current = next
      this.#next = undefined
      return this.#look()
    })
    this.#next = next
    next.then(this.#ended, this.#ended)
    return next
  }

  /** Nothing is under way any more; never rejects. */
  async ended(): Promise<void> {
    await Promise.allSettled([this.#current, this.#next])
  }

  readonly #ended = (): void => {
    if (!this.#next) this.#current = undefined
  }
}
