import type { Socket } from 'node:net'

/** Bytes that are handed to the socket before the turn is over. */
const MOST_COLLECTED = 1 << 16

/** Gathers the frames of a turn into one write. */
export class Http2Output {
  readonly #socket: Socket
  #frames: Buffer[] = []
  #bytes = 0
  #isHeld = false
  #isPlanned = false
  #isOver = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  add(bytes: Buffer): void {
    this.#frames.push(bytes)
    this.#bytes += bytes.length
    if (this.#bytes > MOST_COLLECTED) this.#flush()
    else if (!this.#isHeld && !this.#isPlanned) {
      this.#isPlanned = true
      process.nextTick(this.#flushLater)
    }
  }

  /** More comes until `release`. */
  hold(): void {
    this.#isHeld = true
  }

  release(): void {
    this.#isHeld = false
    this.#flush()
  }

  /** Send what there is, and no more. The other side is to close the connection, or it might lose what was sent last. */
  end(): void {
    this.#flush()
    this.#isOver = true
    this.#socket.end()
    this.#socket.resume()
  }

  readonly #flushLater = (): void => {
    this.#isPlanned = false
    if (!this.#isHeld) this.#flush()
  }

  #flush(): void {
    const frames = this.#frames
    if (frames.length === 0 || this.#isOver) return
    this.#frames = []
    this.#bytes = 0
    // Who does not take answers, need not ask more.
    if (!this.#socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames))) this.#socket.pause()
  }
}
