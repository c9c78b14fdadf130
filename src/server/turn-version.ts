/**
 * The store's version, asked for once for all messages that one turn of the event loop brings: asking takes locks on a file, and would be
 * done twice for each message. It is kept from the first bytes that come (`begin`) to the end of that turn, so that it was read after the
 * messages that it serves were under way; at other times it is read anew each time.
 */
export class TurnVersion {
  readonly #read: () => number
  #version: number | undefined
  #isOpen = false

  constructor(read: () => number) {
    this.#read = read
  }

  /** Bytes of a client have come. */
  begin(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    setImmediate(this.#end)
  }

  get(): number {
    if (!this.#isOpen) return this.#read()
    this.#version ??= this.#read()
    return this.#version
  }

  /** Something was committed here: who wrote it must see it in the same turn. */
  forget(): void {
    this.#version = undefined
  }

  readonly #end = (): void => {
    this.#isOpen = false
    this.#version = undefined
  }
}
