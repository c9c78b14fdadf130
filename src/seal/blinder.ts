import { createHmac } from 'node:crypto'

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
    return this.#blinded.get(place) ?? this.#blinded.set(place, hmac(this.#partitionKey(partition), term).subarray(0, BLINDED_BYTES))
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

/** Keeps what was used lately: two generations, and when the young one is full the old one goes. Long keys are not worth their memory. */
class RecentMap<T> {
  readonly #half: number
  #young = new Map<string, T>()
  #old = new Map<string, T>()

  constructor(capacity: number) {
    this.#half = Math.ceil(capacity / 2)
  }

  get(key: string): T | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    return old === undefined ? undefined : this.set(key, old)
  }

  set(key: string, value: T): T {
    if (key.length > MAX_KEPT_LENGTH) return value
    if (this.#young.size >= this.#half) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
    return value
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}

const MAX_KEPT_LENGTH = 512
