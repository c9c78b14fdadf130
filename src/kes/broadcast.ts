/** Lines that a slow reader may be behind; older ones are lost to him. */
const BEHIND = 1000

/** What is told to all who listen at the moment, and kept for nobody else. */
export class Broadcast {
  readonly #readers = new Set<Reader>()

  get isHeard(): boolean {
    return this.#readers.size > 0
  }

  tell(line: string): void {
    for (const reader of this.#readers) reader.take(line)
  }

  /** Hear what is told from now on, until the signal is aborted. */
  listen(signal: AbortSignal): AsyncIterable<string> {
    const reader = new Reader()
    const readers = this.#readers
    readers.add(reader)
    const stop = (): void => {
      readers.delete(reader)
      reader.end()
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    return reader.lines()
  }
}

class Reader {
  readonly #lines: string[] = []
  #wake: () => void = () => undefined
  #ended = false

  take(line: string): void {
    if (this.#lines.length >= BEHIND) this.#lines.shift()
    this.#lines.push(line)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  async *lines(): AsyncGenerator<string> {
    while (!this.#ended) {
      if (this.#lines.length > 0) yield this.#lines.splice(0).join('')
      else
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
    }
  }
}
