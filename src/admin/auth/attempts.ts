import { AdminError } from '../error.ts'

/** Names that are watched at most; the oldest is forgotten first. */
const MOST = 10_000

export interface AttemptLimits {
  /** Failures within the window before nothing more is tried. */
  readonly failures: number
  readonly windowMs: number
}

/**
 * Counts failed logins and unknown tokens by who tried. After too many nothing is tried any more until the window since the first of
 * them is over, so that guessing costs time. It knows of this process alone.
 */
export class Attempts {
  readonly #limits: AttemptLimits
  readonly #now: () => number
  readonly #failed = new Map<string, { count: number; readonly sinceMs: number }>()

  constructor(limits: AttemptLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  /** @throws AdminError 429 */
  check(...names: readonly string[]): void {
    for (const name of names) {
      const known = this.#failed.get(name)
      if (!known) continue
      const leftMs = known.sinceMs + this.#limits.windowMs - this.#now()
      // The clock may have been set back meanwhile: nobody waits for longer than the window.
      if (leftMs <= 0 || leftMs > this.#limits.windowMs) this.#failed.delete(name)
      else if (known.count >= this.#limits.failures)
        throw new AdminError(429, `too many failed attempts; try again in ${Math.ceil(leftMs / 1000)} seconds`)
    }
  }

  failed(...names: readonly string[]): void {
    for (const name of names) {
      const known = this.#failed.get(name)
      if (known) known.count++
      else {
        this.#failed.set(name, { count: 1, sinceMs: this.#now() })
        if (this.#failed.size > MOST) for (const oldest of this.#failed.keys()) if (this.#failed.delete(oldest)) break
      }
    }
  }

  succeeded(...names: readonly string[]): void {
    for (const name of names) this.#failed.delete(name)
  }
}
