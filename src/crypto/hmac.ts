import { hash } from 'node:crypto'

const BLOCK_BYTES = 64

/**
 * HMAC-SHA256 of short messages with one key, by two calls of the hash in place of Node's Hmac: that is an object outside of JavaScript's heap,
 * which costs more than the hashing, and again when it is collected. Spec: RFC 2104
 */
export class HmacKey {
  /** The key with the inner pad, then room for a message. */
  readonly #inner = Buffer.alloc(4 * BLOCK_BYTES)
  /** The key with the outer pad, then the inner hash. */
  readonly #outer = Buffer.alloc(BLOCK_BYTES + 32)

  /** @param key 64 bytes at most, copied */
  constructor(key: Uint8Array) {
    if (key.length > BLOCK_BYTES) throw new RangeError(`a key of ${key.length} bytes is longer than a block`)
    for (let i = 0; i < BLOCK_BYTES; i++) {
      this.#inner[i] = (key[i] ?? 0) ^ 0x36
      this.#outer[i] = (key[i] ?? 0) ^ 0x5c
    }
  }

  /** @returns 32 bytes */
  of(message: string | Uint8Array): Buffer {
    this.#outer.write(hash('sha256', this.#padded(message), 'binary'), BLOCK_BYTES, 'latin1')
    return Buffer.from(hash('sha256', this.#outer, 'binary'), 'latin1')
  }

  close(): void {
    this.#inner.fill(0)
    this.#outer.fill(0)
  }

  #padded(message: string | Uint8Array): Buffer {
    const size = BLOCK_BYTES + Buffer.byteLength(message)
    if (size > this.#inner.length) return Buffer.concat([this.#inner.subarray(0, BLOCK_BYTES), Buffer.from(message)])
    if (typeof message === 'string') this.#inner.write(message, BLOCK_BYTES)
    else this.#inner.set(message, BLOCK_BYTES)
    return this.#inner.subarray(0, size)
  }
}
