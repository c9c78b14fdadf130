import { createHmac } from 'node:crypto'
import { RecentMap } from './recent-map.ts'

const BLINDED_BYTES = 16

/**
 * Turns terms into values that show nothing but equality within their partition: HMAC-SHA256, cut to 16 bytes, with a key for each
 * partition. The same values come again and again, so results are kept.
 */
export class Blinder {
  readonly #key: Buffer
  readonly #partitionKeys: RecentMap<Buffer>
  readonly #blinded: RecentMap<Buffer>

  /**
   * @param key       32 bytes; kept until `close`
   * @param capacity  results kept at most
   */
  constructor(key: Buffer, capacity = 20_000) {
    this.#key = key
    this.#partitionKeys = new RecentMap(1_000)
    this.#blinded = new RecentMap(capacity)
  }

  /** @returns 16 bytes, shared: not to be changed */
  blind(partition: string, term: string): Buffer {
    const place = `${partition}\0${term}`
    return this.#blinded.get(place) ?? this.#blinded.set(place, this.blindAnew(partition, term))
  }

  /** The same for a term that will hardly come again: it is not kept. */
  blindAnew(partition: string, term: string): Buffer {
    return hmac(this.#partitionKey(partition), term).subarray(0, BLINDED_BYTES)
  }

  close(): void {
    this.#key.fill(0)
    this.#partitionKeys.clear()
    this.#blinded.clear()
  }

  #partitionKey(partition: string): Buffer {
    return this.#partitionKeys.get(partition) ?? this.#partitionKeys.set(partition, hmac(this.#key, partition))
  }
}

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
