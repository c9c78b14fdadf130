import { createHmac, randomBytes, randomFillSync } from 'node:crypto'
import { decryptGcm, encryptGcm, frame, NONCE_BYTES, TAG_BYTES } from './aead.ts'
import { RecentMap } from './recent-map.ts'

/** Version of the form below; the first byte of each sealed body. */
const FORM = 1
const SALT_BYTES = 20
const PREFIX_BYTES = 1 + SALT_BYTES
const HEAD_BYTES = PREFIX_BYTES + NONCE_BYTES

/** Bodies that are sealed with one key: so few that two of them have the same random nonce with a probability of 2^-65. */
const BODIES_PER_KEY = 2 ** 16

/** Keys that are kept to open with. Each process that ever wrote to the store made one for every `BODIES_PER_KEY` bodies. */
const KEPT_KEYS = 1_000

/**
 * Seals bodies: form (1) | salt (20) | nonce (12) | ciphertext | tag (16), AES-256-GCM. The key is HMAC-SHA256(records key, form and
 * salt); a cipher makes a new salt, and so a key that no other has, for every `BODIES_PER_KEY` bodies. The place, partition and
 * identifier, is bound as associated data: a body that is moved to another place does not open.
 *
 * The revision is not bound. Whoever can write the database can put back an older body together with its revision, and a record alone
 * cannot show that.
 */
export class RecordCipher {
  readonly #key: Buffer
  /** By salt. */
  readonly #bodyKeys = new RecentMap<Buffer>(KEPT_KEYS)
  /** Form and salt of what is sealed now, and how many bodies more may have them. */
  #prefix = Buffer.alloc(0)
  #left = 0
  /** Nonces for the next bodies, asked for in pieces: one call for each costs as much as the sealing. */
  readonly #nonces = Buffer.alloc(256 * NONCE_BYTES)
  /** Those not used yet begin here. */
  #at = this.#nonces.length

  /** @param key 32 bytes; kept until `close` */
  constructor(key: Buffer) {
    this.#key = key
  }

  /** @returns the sealed body, longer than `content` by 49 bytes */
  seal(partition: string, id: string, content: Buffer): Buffer {
    if (this.#left-- === 0) {
      this.#prefix = Buffer.concat([Buffer.from([FORM]), randomBytes(SALT_BYTES)])
      this.#left = BODIES_PER_KEY - 1
    }
    const nonce = this.#newNonce()
    const sealed = encryptGcm(this.#bodyKey(this.#prefix), nonce, place(partition, id), content)
    return Buffer.concat([this.#prefix, nonce, ...sealed])
  }

  /** @returns the content in a buffer of its own, or nothing if the body was not sealed with our key for this place */
  open(partition: string, id: string, sealed: Buffer): Buffer | undefined {
    if (sealed.length < HEAD_BYTES + TAG_BYTES || sealed[0] !== FORM) return undefined
    const key = this.#bodyKey(sealed.subarray(0, PREFIX_BYTES))
    return decryptGcm(key, sealed.subarray(PREFIX_BYTES, HEAD_BYTES), place(partition, id), sealed.subarray(HEAD_BYTES))
  }

  close(): void {
    this.#key.fill(0)
    this.#bodyKeys.clear()
    this.#left = 0
  }

  #bodyKey(prefix: Buffer): Buffer {
    const salt = prefix.toString('latin1')
    return this.#bodyKeys.get(salt) ?? this.#bodyKeys.set(salt, createHmac('sha256', this.#key).update(prefix).digest())
  }

  #newNonce(): Buffer {
    if (this.#at === this.#nonces.length) {
      randomFillSync(this.#nonces)
      this.#at = 0
    }
    this.#at += NONCE_BYTES
    return this.#nonces.subarray(this.#at - NONCE_BYTES, this.#at)
  }
}

const place = (partition: string, id: string): Buffer => frame('kmipd record', partition, id)
