const HEADER = 8

/** Cuts a byte stream into TTLV messages by the length in their first eight bytes. */
export class Framer {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #size = 0
  #wanted = HEADER

  /** @param maxBytes longest message that is accepted, header included */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of a message that has begun and is not complete. */
  get pending(): number {
    return this.#size
  }

  /**
   * Take in what has arrived and give out the messages that are complete now.
   * @throws RangeError when a message claims to be longer than the limit; the stream is of no use after that
   */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    const messages: Buffer[] = []
    // Small pieces of a long message wait unjoined, so that they are copied once and not each time.
    while (this.#size >= this.#wanted) {
      const [first] = this.#chunks
      const bytes = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
      const length = HEADER + bytes.readUInt32BE(4)
      if (length > this.#maxBytes) throw new RangeError(`a message of ${length} bytes, over the limit of ${this.#maxBytes}`)
      this.#wanted = length
      if (bytes.length < length) {
        this.#chunks = [bytes]
        break
      }
      messages.push(bytes.subarray(0, length))
      this.#chunks = bytes.length > length ? [bytes.subarray(length)] : []
      this.#size -= length
      this.#wanted = HEADER
    }
    return messages
  }
}
