import { START_SIZE } from '../ops/message.ts'

const HEADER = 8
const START = [0x42, 0x00, 0x78]
const EMPTY: Buffer = Buffer.alloc(0)

export type FramingReason = 'not_kmip' | 'message_size'

/** The byte stream is no sequence of KMIP requests within the limit: there is no next message to be found in it. */
export class FramingError extends Error {
  override readonly name = 'FramingError'
  readonly reason: FramingReason
  /** What came of a message that is too long: its item header at least, and no more than says its version. */
  readonly start: Buffer | undefined
  constructor(reason: FramingReason, message: string, start?: Buffer) {
    super(message)
    this.reason = reason
    this.start = start
  }
}

/**
 * Cuts a byte stream into KMIP request messages by the length in their TTLV header. A message that lies in one chunk is a view into it;
 * one that spans chunks is gathered in a buffer that grows with what has arrived, never with what a header claims.
 * Spec: KMIP 1.4 section 9.1.1
 */
export class Framer {
  readonly #limit: number
  #chunk = EMPTY
  #offset = 0
  #gathered = EMPTY
  #filled = 0

  /** @param limit bytes of one message, header included */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes that have arrived and were not yet returned. */
  get buffered(): number {
    return this.#filled + this.#chunk.length - this.#offset
  }

  /** Take the next chunk; `next` must have returned nothing since the last one, or the rest is copied. The chunk must not change later. */
  push(chunk: Buffer): void {
    if (this.buffered > 0) {
      this.#gather(this.#chunk.subarray(this.#offset))
      this.#gather(chunk)
      this.#take(EMPTY)
    } else this.#take(chunk)
  }

  /**
   * The next whole message, or nothing until more bytes arrive.
   * @throws FramingError as soon as the bytes that are there show it
   */
  next(): Buffer | undefined {
    if (this.#filled > 0) return this.#nextGathered()
    const from = this.#offset
    const size = this.#sizeAt(this.#chunk, from, this.#chunk.length)
    if (size === undefined || from + size > this.#chunk.length) return undefined
    this.#offset = from + size
    return from === 0 && size === this.#chunk.length ? this.#chunk : this.#chunk.subarray(from, from + size)
  }

  #nextGathered(): Buffer | undefined {
    const size = this.#sizeAt(this.#gathered, 0, this.#filled)
    if (size === undefined || size > this.#filled) return undefined
    const message = this.#gathered.subarray(0, size)
    this.#chunk = this.#gathered.subarray(size, this.#filled)
    this.#offset = 0
    this.#gathered = EMPTY
    this.#filled = 0
    return message
  }

  #take(chunk: Buffer): void {
    this.#chunk = chunk
    this.#offset = 0
  }

  #gather(bytes: Buffer): void {
    const filled = this.#filled + bytes.length
    if (filled > this.#gathered.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(filled, this.#gathered.length * 2, 1024))
      this.#gathered.copy(grown, 0, 0, this.#filled)
      this.#gathered = grown
    }
    bytes.copy(this.#gathered, this.#filled)
    this.#filled = filled
  }

  /** Size of the message that starts at `from`, or nothing while its header is incomplete. */
  #sizeAt(buffer: Buffer, from: number, end: number): number | undefined {
    const start = Math.min(START.length, end - from)
    for (let i = 0; i < start; i++)
      if (buffer[from + i] !== START[i]) throw new FramingError('not_kmip', 'the bytes do not start a KMIP request message')
    if (end - from < HEADER) return undefined
    if (buffer[from + 3] !== 1) throw new FramingError('not_kmip', 'the request message is not a structure')
    const size = HEADER + buffer.readUInt32BE(from + 4)
    if (size > this.#limit)
      throw new FramingError(
        'message_size',
        `a request of ${size} bytes is above the limit of ${this.#limit}`,
        Buffer.from(buffer.subarray(from, Math.min(end, from + START_SIZE))),
      )
    return size
  }
}
