/**
 * The store's version, asked for once for all messages that one turn of the event loop brings: asking takes locks on a file, and would be
 * done twice for each message.
 *
 * A message is judged by a version that was read when the message was under way already, as if it had been read after its last byte: what a
 * client was told before it sent a message, it sees. All sockets that a turn reads had bytes waiting when it began, and the version is read
 * after that. Bytes that came later can hide only behind others of the same connection: `begin` and `forget` read anew for those.
 */
export class TurnVersion {
  readonly #read: () => number
  #version: number | undefined
  #isOpen = false
  #turn = 0

  constructor(read: () => number) {
    this.#read = read
  }

  /**
   * Bytes of a connection have come. To be called while sockets are read, so that the turn ends before they are read again.
   * @param last what this returned when the connection's last bytes came
   */
  begin(last?: number): number {
    if (this.#turn === last && this.#isOpen) this.forget()
    if (!this.#isOpen) {
      this.#isOpen = true
      this.#turn++
      setImmediate(this.#end)
    }
    return this.#turn
  }

  get(): number {
    if (!this.#isOpen) return this.#read()
    this.#version ??= this.#read()
    return this.#version
  }

  /** What was read holds no longer: something was committed here, or a message follows another one of the same connection. */
  forget(): void {
    this.#version = undefined
  }

  readonly #end = (): void => {
    this.#isOpen = false
    this.#version = undefined
  }
}
