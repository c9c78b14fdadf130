import type { StoreError } from '../store/store.ts'
import { RecentMap } from './recent-map.ts'

/** Who makes keys and wraps them, and keeps what opens them to himself: a transit engine. */
export interface DataKeySource {
  /** A new key of 32 bytes, for the caller to zero, and the same wrapped. @throws StoreError */
  make(): Promise<{ readonly plaintext: Buffer; readonly wrapped: string }>
  /** In the order of the texts; one that does not open is an error in its place. @throws StoreError */
  unwrap(wrapped: readonly string[]): Promise<(Buffer | StoreError)[]>
  /** The same keys, wrapped with the newest version. @throws StoreError */
  rewrap(wrapped: readonly string[]): Promise<(string | StoreError)[]>
  /** Whether a text is wrapped with an older version than `rewrap` would. @throws StoreError */
  isOld(wrapped: string): Promise<boolean>
}

export interface KeepOptions {
  /** A key is forgotten after it was not used for so long. */
  readonly idleMs: number
  /** And so long after it came, whatever use it is. */
  readonly lifeMs: number
  readonly capacity: number
}

const USUAL_KEEP: KeepOptions = { idleMs: 600_000, lifeMs: 3_600_000, capacity: 10_000 }

interface Kept {
  readonly key: Buffer
  readonly sinceMs: number
  usedMs: number
}

interface Wanted {
  readonly wrapped: string
  readonly resolve: (key: Buffer) => void
  readonly reject: (error: unknown) => void
}

const BATCH = 100

/** Keys in clear, for as long as they may be kept. Those that are asked for at the same time are unwrapped in one request. */
export class DataKeys {
  readonly #source: DataKeySource
  readonly #options: KeepOptions
  readonly #kept: RecentMap<Kept>
  #wanted: Wanted[] = []

  constructor(source: DataKeySource, options: KeepOptions = USUAL_KEEP) {
    this.#source = source
    this.#options = options
    this.#kept = new RecentMap(options.capacity)
  }

  /** @returns the key, not to be changed; nothing if it must be unwrapped first */
  peek(wrapped: string): Buffer | undefined {
    const kept = this.#kept.get(wrapped)
    const now = performance.now()
    if (!kept || now - kept.sinceMs > this.#options.lifeMs || now - kept.usedMs > this.#options.idleMs) return undefined
    kept.usedMs = now
    return kept.key
  }

  /** @throws StoreError */
  async open(wrapped: string): Promise<Buffer> {
    return (
      this.peek(wrapped) ??
      (await new Promise<Buffer>((resolve, reject) => {
        if (this.#wanted.length === 0) setImmediate(() => void this.#unwrap())
        this.#wanted.push({ wrapped, resolve, reject })
      }))
    )
  }

  /** A new key that nothing else has. @throws StoreError */
  async make(): Promise<{ readonly key: Buffer; readonly wrapped: string }> {
    const { plaintext, wrapped } = await this.#source.make()
    this.#keep(wrapped, plaintext)
    return { key: plaintext, wrapped }
  }

  close(): void {
    this.#kept.clear()
  }

  async #unwrap(): Promise<void> {
    const wanted = this.#wanted
    this.#wanted = []
    for (let at = 0; at < wanted.length; at += BATCH) {
      const some = wanted.slice(at, at + BATCH)
      try {
        const keys = await this.#source.unwrap(some.map(({ wrapped }) => wrapped))
        for (const [i, { wrapped, resolve, reject }] of some.entries()) {
          const key = keys[i]
          if (Buffer.isBuffer(key)) resolve(this.#keep(wrapped, key))
          else reject(key)
        }
      } catch (e) {
        for (const { reject } of some) reject(e)
      }
    }
  }

  #keep(wrapped: string, key: Buffer): Buffer {
    const now = performance.now()
    this.#kept.set(wrapped, { key, sinceMs: now, usedMs: now })
    return key
  }
}
