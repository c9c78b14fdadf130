/**
 * What came from the sockets in one turn of the event loop is judged together, once all of it is read: the store's version is asked for once,
 * after the last byte that came, so that it was read after everything that its messages may rely on. (Judging a message as it comes with a
 * version that an earlier one asked for would not do: what another process promised in between would not be seen.) The answers leave together
 * at the end.
 */
export class Turn {
  readonly #read: () => number
  #works: (() => void)[] = []
  #ends: (() => void)[] = []
  #version: number | undefined
  #isOpen = false

  /** @param read asks for the store's version, which takes locks on a file */
  constructor(read: () => number) {
    this.#read = read
  }

  /** Do this when all that came in this turn is read. */
  take(work: () => void): void {
    if (this.#works.push(work) > 1) return
    // Both run in the phase of the event loop that follows the reading of the sockets; all promises that the first one makes and that wait for
    // nothing outside are kept before the second one.
    setImmediate(this.#run)
    setImmediate(this.#end)
  }

  /** Do this when what is under way in this turn is done, or soon. */
  atEnd(work: () => void): void {
    if (this.#isOpen) this.#ends.push(work)
    else setImmediate(work)
  }

  /** The version of the store: within the turn that of its begin, at other times as it is now. */
  version(): number {
    if (!this.#isOpen) return this.#read()
    this.#version ??= this.#read()
    return this.#version
  }

  /** Something was committed here: who wrote it must see it in the same turn. */
  forget(): void {
    this.#version = undefined
  }

  readonly #run = (): void => {
    const works = this.#works
    this.#works = []
    this.#version = undefined
    this.#isOpen = true
    for (const work of works) work()
  }

  readonly #end = (): void => {
    this.#isOpen = false
    this.#version = undefined
    const ends = this.#ends
    this.#ends = []
    for (const end of ends) end()
  }
}
