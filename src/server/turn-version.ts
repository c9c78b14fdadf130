/**
 * The store's version, asked for once for all messages that come in one piece: asking takes locks on a file, and would be done twice for
 * each message. It is kept from the bytes that come (`begin`) until all that they set going at once is done, so that it was read after the
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
    // Once everything that these bytes set going is done; no other socket is read before that. (setImmediate would come after all sockets that
    // this turn found readable: a message could then be judged by what was true before another one's answer left.)
    void Promise.resolve().then(() => process.nextTick(this.#end))
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
