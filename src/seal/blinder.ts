import { HmacKey } from '../crypto/hmac.ts'
import { RecentMap } from './recent-map.ts'

const BLINDED_BYTES = 16

/**
 * Turns terms into values that show nothing but equality within their partition: HMAC-SHA256, cut to 16 bytes, with a key for each
 * partition. The same values come again and again, so results are kept.
 */
export class Blinder {
  readonly #key: HmacKey
  readonly #partitionKeys = new RecentMap<HmacKey>(1_000)
  readonly #blinded: RecentMap<Buffer>

  /**
   * @param key       32 bytes; copied, and zeroed
   * @param capacity  results kept at most
   */
  constructor(key: Buffer, capacity = 20_000) {
    this.#key = taken(key)
    this.#blinded = new RecentMap(capacity)
  }

  /** @returns 16 bytes, shared: not to be changed */
  blind(partition: string, term: string): Buffer {
    const place = `${partition}\0${term}`
    return this.#blinded.get(place) ?? this.#blinded.set(place, this.blindAnew(partition, term))
  }

  /** The same for a term that will hardly come again: it is not kept. */
  blindAnew(partition: string, term: string): Buffer {
    return this.#partitionKey(partition).of(term).subarray(0, BLINDED_BYTES)
  }

  close(): void {
    this.#key.close()
    this.#partitionKeys.clear()
    this.#blinded.clear()
  }

  #partitionKey(partition: string): HmacKey {
    return this.#partitionKeys.get(partition) ?? this.#partitionKeys.set(partition, taken(this.#key.of(partition)))
  }
}

function taken(key: Buffer): HmacKey {
  const own = new HmacKey(key)
  key.fill(0)
  return own
}
