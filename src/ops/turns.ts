/**
 * Those who lost a race for an object do their work again one at a time, so that each gets on: without turns, many who change one object
 * at once go on losing against each other.
 */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** Wait for one's turn among those of the scope. Call what it answers to let the next one go. */
  async take(scope: string): Promise<() => void> {
    const before = this.#last.get(scope)
    const { promise, end } = pending()
    this.#last.set(scope, promise)
    await before
    return () => {
      if (this.#last.get(scope) === promise) this.#last.delete(scope)
      end()
    }
  }
}

function pending(): { promise: Promise<void>; end: () => void } {
  let end = (): void => undefined
  const promise = new Promise<void>(resolve => {
    end = resolve
  })
  return { promise, end }
}
