import { createHmac, randomFillSync } from 'node:crypto'
import { decryptGcm, encryptGcm, frame, NONCE_BYTES, TAG_BYTES } from './aead.ts'

/** Version of the form below; the first byte of each sealed body. */
const FORM = 1
const SALT_BYTES = 20
const HEAD_BYTES = 1 + SALT_BYTES + NONCE_BYTES

/**
 * Seals bodies: form (1) | salt (20) | nonce (12) | ciphertext | tag (16). The key of a body is HMAC-SHA256(records key, salt), so it
 * is used once; key and nonce together come from 32 random bytes. The place, partition and identifier, is bound as associated data: a
 * body that is moved to another place does not open.
 *
 * The revision is not bound. Whoever can write the database can put back an older body together with its revision, and a record alone
 * cannot show that.
 */
export class RecordCipher {
  readonly #key: Buffer
  /** Random bytes for the next seals, asked for in pieces: one call for each seal costs as much as the seal. */
  readonly #random = Buffer.alloc(128 * (SALT_BYTES + NONCE_BYTES))
  /** Those not used yet begin here. */
  #at = this.#random.length

  /** @param key 32 bytes; kept until `close` */
  constructor(key: Buffer) {
    this.#key = key
  }

  /** @returns the sealed body, longer than `content` by 49 bytes */
  seal(partition: string, id: string, content: Buffer): Buffer {
    const head = this.#newHead()
    const key = this.#bodyKey(head)
    const sealed = Buffer.concat([head, ...encryptGcm(key, head.subarray(1 + SALT_BYTES), place(partition, id), content)])
    key.fill(0)
    return sealed
  }

  /** @returns the content in a buffer of its own, or nothing if the body was not sealed with our key for this place */
  open(partition: string, id: string, sealed: Buffer): Buffer | undefined {
    if (sealed.length < HEAD_BYTES + TAG_BYTES || sealed[0] !== FORM) return undefined
    const key = this.#bodyKey(sealed)
    const content = decryptGcm(key, sealed.subarray(1 + SALT_BYTES, HEAD_BYTES), place(partition, id), sealed.subarray(HEAD_BYTES))
    key.fill(0)
    return content
  }

  close(): void {
    this.#key.fill(0)
  }

  #bodyKey(head: Buffer): Buffer {
    return createHmac('sha256', this.#key)
      .update(head.subarray(0, 1 + SALT_BYTES))
      .digest()
  }

  #newHead(): Buffer {
    if (this.#at === this.#random.length) {
      randomFillSync(this.#random)
      this.#at = 0
    }
    const head = Buffer.alloc(HEAD_BYTES)
    head[0] = FORM
    this.#at += this.#random.copy(head, 1, this.#at, this.#at + SALT_BYTES + NONCE_BYTES)
    return head
  }
}

const place = (partition: string, id: string): Buffer => frame('kmipd record', partition, id)
