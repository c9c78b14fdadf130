import { KmipError } from '../objects/errors.ts'

/** Something that takes data in parts: a cipher, a hash, a signature. */
export interface Stream {
  /** Operation that began it; another one may not go on with it. */
  readonly operation: string
  /** Key it works with; none for a hash. */
  readonly object: string | undefined
  readonly work: unknown
}

interface Held extends Stream {
  readonly owner: string
  readonly expires: bigint
  /** Of data that is kept until the end. */
  bytes: number
}

/**
 * Work that spans several requests, by its Correlation Value: unguessable, bound to the client that began it, forgotten after a while.
 * Spec: KMIP 1.4 section 4 (streaming), 6.20
 */
export class Streams {
  readonly #held = new Map<string, Held>()
  readonly #done = new WeakMap<object, Promise<unknown>>()
  readonly #limit: number
  readonly #share: number
  readonly #limitBytes: number
  readonly #shareBytes: number
  readonly #lifeSeconds: bigint

  /** At most `limit` at once that hold `limitBytes`, and `share` of them with `shareBytes` for one client. */
  constructor({ limit = 10_000, share = 1_000, limitBytes = 2 ** 28, shareBytes = 2 ** 26, lifeSeconds = 300n } = {}) {
    this.#limit = limit
    this.#share = share
    this.#limitBytes = limitBytes
    this.#shareBytes = shareBytes
    this.#lifeSeconds = lifeSeconds
  }

  /**
   * Do work that changes a stream once for a batch item: an item that is tried again, because the key changed meanwhile, must not feed
   * its data to the cipher twice.
   */
  once<T>(item: object, work: () => Promise<T>): Promise<T> {
    const done = this.#done.get(item) ?? work()
    this.#done.set(item, done)
    return done as Promise<T>
  }

  /** @throws KmipError Server Limit Exceeded: too many are open */
  open(correlation: Buffer, owner: string, stream: Stream, now: bigint): void {
    this.#expire(now)
    let own = 0
    for (const held of this.#held.values()) if (held.owner === owner) own++
    if (this.#held.size >= this.#limit || own >= this.#share)
      throw new KmipError('ServerLimitExceeded', 'too many operations in parts are open; finish some')
    this.#held.set(correlation.toString('hex'), { ...stream, owner, expires: now + this.#lifeSeconds, bytes: 0 })
  }

  /** @throws KmipError Invalid Correlation Value (Item Not Found in 1.x) */
  continue(correlation: Buffer, owner: string, operation: string, now: bigint): Stream {
    this.#expire(now)
    const held = this.#held.get(correlation.toString('hex'))
    if (!held || held.owner !== owner || held.operation !== operation)
      throw new KmipError('InvalidCorrelationValue', 'no operation in parts is open under this Correlation Value')
    return held
  }

  /**
   * The work holds so many bytes now.
   * @throws KmipError Server Limit Exceeded: with those of others that is too much, and this work is over
   */
  weigh(correlation: Buffer, bytes: number): void {
    const held = this.#held.get(correlation.toString('hex'))
    if (!held || bytes === 0) return
    held.bytes = bytes
    let [all, own] = [0, 0]
    for (const { owner, bytes } of this.#held.values()) {
      all += bytes
      if (owner === held.owner) own += bytes
    }
    if (all <= this.#limitBytes && own <= this.#shareBytes) return
    this.close(correlation)
    throw new KmipError(
      'ServerLimitExceeded',
      'operations in parts hold too much data that is only looked at in the end; use smaller messages',
    )
  }

  close(correlation: Buffer): void {
    this.#held.delete(correlation.toString('hex'))
  }

  #expire(now: bigint): void {
    for (const [key, held] of this.#held) {
      if (held.expires > now) return
      this.#held.delete(key)
    }
  }
}
