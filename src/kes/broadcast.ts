/** Lines that a slow reader may be behind; older ones are lost to him. */
const BEHIND = 1000

/** Other processes, where the same is told. */
export interface Elsewhere {
  /** Say whether somebody listens here from now on. @returns kept when all others know */
  listening(isHeard: boolean): Promise<void>
  /** @param lines whole lines, one or more */
  pass(lines: string): Promise<void>
}

/** What is told to all who listen at the moment, here and in other processes, and kept for nobody else. */
export class Broadcast {
  /** Whether somebody listens in another process. */
  isHeardElsewhere = false
  readonly #readers = new Set<Reader>()
  readonly #elsewhere: Elsewhere | undefined
  readonly #toPass: string[] = []
  #isPassing = false

  constructor(elsewhere?: Elsewhere) {
    this.#elsewhere = elsewhere
  }

  get isHeard(): boolean {
    return this.#readers.size > 0 || this.isHeardElsewhere
  }

  tell(line: string): void {
    this.hear(line)
    if (!this.isHeardElsewhere || !this.#elsewhere) return
    keep(line, this.#toPass)
    if (!this.#isPassing) void this.#pass(this.#elsewhere)
  }

  /** What was told in another process. */
  hear(lines: string): void {
    for (const reader of this.#readers) reader.take(lines)
  }

  /** Hear what is told from now on, until the signal is aborted. */
  async listen(signal: AbortSignal): Promise<AsyncIterable<string>> {
    const reader = new Reader()
    const readers = this.#readers
    const stop = (): void => {
      if (readers.delete(reader) && readers.size === 0) void this.#elsewhere?.listening(false)
      reader.end()
    }
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    else {
      readers.add(reader)
      await this.#elsewhere?.listening(true)
    }
    return reader.lines()
  }

  /** One parcel at a time, so that others need not take more than they can. */
  async #pass(elsewhere: Elsewhere): Promise<void> {
    this.#isPassing = true
    while (this.#toPass.length > 0) await elsewhere.pass(this.#toPass.splice(0).join(''))
    this.#isPassing = false
  }
}

function keep(line: string, lines: string[]): void {
  if (lines.length >= BEHIND) lines.shift()
  lines.push(line)
}

class Reader {
  readonly #lines: string[] = []
  #wake: () => void = () => undefined
  #ended = false

  take(line: string): void {
    keep(line, this.#lines)
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
