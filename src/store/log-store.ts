import { isInline, writeBlobs } from './log-blobs.ts'
import { type CompactionOptions, compact, isCompactionDue } from './log-compaction.ts'
import { ENTRY_BYTES, type EntryUnit, entryText, newCommitId, parseEntry, sizeInEntry, unitBytes } from './log-entry.ts'
import { type LogFollower, readHead } from './log-follower.ts'
import { Looks } from './log-looks.ts'
import { entryPath, HEAD } from './log-paths.ts'
import { Patience, problemOf } from './log-patience.ts'
import type { ParcelVerdict } from './remote-writer.ts'
import { type Slots, SlotsError } from './slots.ts'
import { packChange, type Unit, type UnitsMessage, unpackUnits } from './sqlite-message.ts'
import type { Verdict } from './sqlite-units.ts'
import { type Change, type Found, type Page, type Sealed, type Store, StoreError, storeClosed } from './store.ts'
import type { SharedCopy } from './store-owner.ts'

export interface LogStoreOptions {
  readonly slots: Slots
  readonly follower: LogFollower
  /** How long an answer of the other side is waited for, its refusals to connect included. */
  readonly deadlineMs: number
  /** What was committed elsewhere may be seen so much later; 0: at once. */
  readonly stalenessMs: number
  /** Absent: this node leaves that to others. */
  readonly compaction?: CompactionOptions
  /** Is told of trouble in the background, which is tried again. */
  notice?(message: string, cause: unknown): void
  /** Look for what others committed now and then, also when nobody asks. */
  readonly follow: boolean
  /** What else ends with the store. */
  close(): Promise<void>
}

interface Waiting {
  readonly unit: Unit
  readonly placed: EntryUnit
  readonly untilMs: number
  readonly resolve: () => void
  readonly reject: (error: StoreError) => void
}

/** Somebody may have looked away for this long while the store was put back to an older state. */
const CHECK_MS = 1_000
const FOLLOW_MS = 1_000
/** Between a snapshot that could not be written and the next attempt. */
const REST_MS = 30_000
/** After a lost race for a slot, so many milliseconds at most for each one lost in a row, so that others get their turn. */
const LOSS_MS = 4

/**
 * A store whose truth is a commit log in Vault, and whose reads are those of a copy that follows it. Each entry holds all units that came
 * while the one before was under way. Of entries with the same number one can be stored, so the log orders all nodes' commits.
 */
export class LogStore implements Store, SharedCopy {
  readonly #options: LogStoreOptions
  readonly #slots: Slots
  readonly #follower: LogFollower
  readonly #patience: Patience
  readonly #timer: NodeJS.Timeout | undefined
  readonly #looks = new Looks(() => this.#lookNow())
  #queue: Waiting[] = []
  #pumping: Promise<void> | undefined
  #last: Promise<unknown> = Promise.resolve()
  /** When the last look that succeeded began, by our monotonic clock. */
  #lookedMs = Number.NEGATIVE_INFINITY
  #checkedMs = Number.NEGATIVE_INFINITY
  /** Commits whose blobs are being written. */
  #placing = 0
  #compacting: Promise<void> | undefined
  /** Not before, since it failed. */
  #compactFromMs = 0
  /** The store cannot be used any more. */
  #failure: StoreError | undefined
  #closing: Promise<void> | undefined

  constructor(options: LogStoreOptions) {
    this.#options = options
    this.#slots = options.slots
    this.#follower = options.follower
    this.#patience = new Patience()
    this.#lookedMs = performance.now()
    if (options.follow) {
      const everyMs = options.stalenessMs > 0 ? Math.min(FOLLOW_MS, options.stalenessMs / 3) : FOLLOW_MS
      this.#timer = setInterval(() => this.#followOn(everyMs), everyMs).unref()
    }
  }

  /** The copy's file, which holds everything as it is after `settle`. */
  get path(): string {
    return this.#follower.copy.path
  }

  async get(partition: string, id: string): Promise<Sealed | undefined> {
    this.#checkUsable()
    return this.#follower.copy.reads.get(partition, id)
  }

  async revision(partition: string, id: string): Promise<number> {
    this.#checkUsable()
    return this.#follower.copy.reads.revision(partition, id)
  }

  async find(partition: string, terms: readonly Buffer[], page: Page): Promise<Found[]> {
    this.#checkUsable()
    return this.#follower.copy.reads.find(partition, terms, page)
  }

  version(): number {
    this.#checkUsable()
    return this.#follower.version
  }

  /** A store that was opened as a new one is whole: others may use it. @throws StoreError */
  async finish(): Promise<void> {
    try {
      await this.#patience.until(performance.now() + this.#options.deadlineMs, async () => {
        const seen = await readHead(this.#slots)
        if (seen?.head.store !== this.#follower.store) throw new StoreError('damaged', 'another store was put into that place of Vault')
        const { filling, ...head } = seen.head
        if (filling && (await this.#slots.replace(HEAD, JSON.stringify(head), seen.version)) === 'taken')
          throw new SlotsError('unreachable', 'the head of the log was changed meanwhile')
      })
    } catch (e) {
      throw problemOf(e, 'do it once more')
    }
  }

  /** End the use of the store, for a reason that was found outside. */
  fail(error: StoreError): void {
    this.#failure ??= error
  }

  problem(): string | undefined {
    return this.#failure?.message ?? this.#patience.problem
  }

  /** See `SharedCopy`. */
  async look(): Promise<number> {
    this.#checkUsable()
    await this.settle()
    return performance.now() - this.#lookedMs
  }

  onMove(told: (path: string) => void): void {
    this.#follower.moved = told
  }

  settle(): Promise<void> | undefined {
    if (this.#failure || this.#closing) return undefined
    const { stalenessMs } = this.#options
    if (stalenessMs > 0 && performance.now() - this.#lookedMs < stalenessMs) return undefined
    return this.#looks.join()
  }

  commit(changes: readonly Change[]): Promise<void> {
    return this.#commit(changes.map(packChange))
  }

  /** See `SharedStore`. */
  async forward(units: UnitsMessage): Promise<ParcelVerdict> {
    const verdicts = await Promise.all(unpackUnits(units).map(unit => this.#commit(unit).then(() => undefined, verdictOf)))
    return verdicts.some(verdict => verdict) ? verdicts : verdicts.length
  }

  async #commit(unit: Unit): Promise<void> {
    this.#checkUsable()
    const bytes = unitBytes(unit)
    const untilMs = performance.now() + this.#options.deadlineMs
    // Without waiting where that can be: commits that come together shall share an entry.
    const placed = isInline(bytes) ? { inline: bytes } : await this.#place(bytes, untilMs)
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ unit, placed, untilMs, resolve, reject })
      this.#pumping ??= this.#pump()
    })
  }

  async #place(bytes: Buffer, untilMs: number): Promise<EntryUnit> {
    this.#placing++
    try {
      return await this.#patience.until(untilMs, () => writeBlobs(this.#slots, bytes, this.#follower.endMs))
    } catch (e) {
      throw problemOf(e, 'nothing was stored')
    } finally {
      this.#placing--
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer)
    while (this.#pumping || this.#placing > 0) await (this.#pumping ?? new Promise(resolve => setImmediate(resolve)))
    await Promise.allSettled([this.#looks.ended(), this.#last, this.#compacting])
    this.#follower.close()
    await this.#options.close()
  }

  #checkUsable(): void {
    if (this.#failure) throw this.#failure
    if (this.#closing) throw storeClosed()
  }

  /** One after the other: what changes the copy. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  /** What is not the fault of the moment ends the use of the store. */
  #judge(e: unknown): StoreError {
    const error = problemOf(e, 'whether the change was stored is not known')
    if (error.code === 'damaged') this.#failure ??= error
    return error
  }

  async #lookNow(): Promise<void> {
    const began = performance.now()
    try {
      await this.#patience.until(began + this.#options.deadlineMs, async () => {
        const { at, store } = this.#follower
        const { slot, nowMs } = await this.#slots.read(entryPath(store, at + 1))
        if (slot || !this.#follower.believes(nowMs)) await this.#exclusive(() => this.#follower.catchUp())
        // Our own entry may have come to be the next one meanwhile; before it there was nothing.
        else if (this.#follower.at === at) this.#follower.isAtEnd(nowMs)
        await this.#checkPlace()
      })
      this.#lookedMs = began
      if (this.#follower.sinceSnapshot.ends) this.#compactIfDue()
    } catch (e) {
      throw this.#judge(e)
    }
  }

  /** Now and then, and after any trouble: is this still the log that we know? */
  async #checkPlace(): Promise<void> {
    const now = performance.now()
    if (now - this.#checkedMs < CHECK_MS && !this.#patience.isTroubled) return
    await this.#exclusive(async () => {
      if ((await this.#follower.check()) === 'behind') await this.#follower.reload()
    })
    this.#checkedMs = now
    this.#patience.calm()
  }

  #followOn(everyMs: number): void {
    if (this.#closing || this.#failure || performance.now() - this.#lookedMs < everyMs / 2) return
    this.#looks.join().catch(e => this.#options.notice?.('the store in Vault cannot be read', e))
  }

  async #pump(): Promise<void> {
    // Commits of the same turn shall share an entry.
    await new Promise(resolve => setImmediate(resolve))
    while (this.#queue.length > 0) {
      await this.#exclusive(() => this.#append(this.#takeGroup()))
      this.#compactIfDue()
    }
    this.#pumping = undefined
  }

  #takeGroup(): Waiting[] {
    let count = 0
    for (let bytes = 0; count < this.#queue.length; count++) {
      bytes += sizeInEntry(this.#queue[count]!.placed)
      if (bytes > ENTRY_BYTES && count > 0) break
    }
    return this.#queue.splice(0, count)
  }

  /** Store the units that fit in the next entry of the log. Every one of them is told what became of it. */
  async #append(group: Waiting[]): Promise<void> {
    const follower = this.#follower
    try {
      for (let losses = 0; ; losses++) {
        const waiting = group.filter(({ untilMs }) => performance.now() < untilMs)
        if (waiting.length < group.length) rejectAll(group, late(), waiting)
        group = waiting
        if (group.length === 0) return
        const verdicts = follower.copy.try(group.map(({ unit }) => unit))
        const good = group.filter((_, i) => !verdicts[i])
        const refuse = (): void =>
          group.forEach(({ reject }, i) => {
            const verdict = verdicts[i]
            if (verdict) reject(new StoreError(verdict.code, verdict.message))
          })
        if (good.length === 0) {
          follower.copy.drop()
          // They may be in conflict with what is not true any more.
          if (await this.#patience.until(latest(group), () => follower.catchUp())) continue
          refuse()
          return
        }
        const outcome = await this.#store(good)
        if (outcome === 'stored') {
          for (const { resolve } of good) resolve()
          refuse()
          return
        }
        follower.copy.drop()
        const until = latest(group)
        if (outcome === 'behind') await this.#patience.until(until, () => follower.reload())
        else {
          if (losses > 0) await new Promise(resolve => setTimeout(resolve, Math.random() * LOSS_MS * losses))
          await this.#patience.until(until, () => follower.catchUp())
        }
      }
    } catch (e) {
      try {
        follower.copy.drop()
      } finally {
        rejectAll(group, this.#judge(e))
      }
    }
  }

  /** @returns `taken`: another node's entry has the number; `behind`: what we wrote does not count, since we had slept. */
  async #store(units: readonly Waiting[]): Promise<'stored' | 'taken' | 'behind'> {
    const follower = this.#follower
    const number = follower.at + 1
    const path = entryPath(follower.store, number)
    const commit = newCommitId()
    const text = entryText({ commit, previous: follower.digest, units: units.map(({ placed }) => placed) })
    const until = latest(units)
    const writtenMs = await this.#patience.until(until, async () => {
      const created = await this.#slots.create(path, text)
      if (created !== 'taken') return created.writtenMs
      // It may be ours: an answer that was lost is no failure.
      const { slot } = await this.#slots.read(path)
      return slot && parseEntry(slot.text, number).commit === commit ? slot.writtenMs : undefined
    })
    if (writtenMs === undefined) return 'taken'
    if (!follower.believes(writtenMs) || performance.now() - this.#checkedMs >= CHECK_MS || this.#patience.isTroubled) {
      const now = performance.now()
      if ((await this.#patience.until(until, () => follower.check())) === 'behind') return 'behind'
      this.#checkedMs = now
      this.#patience.calm()
    }
    follower.keep(text)
    follower.isAtEnd(writtenMs)
    return 'stored'
  }

  #compactIfDue(): void {
    const { compaction, notice } = this.#options
    if (!compaction || this.#compacting || this.#closing || !isCompactionDue(this.#follower, compaction)) return
    if (performance.now() < this.#compactFromMs) return
    this.#compacting = compact(this.#slots, this.#follower, compaction)
      .catch(e => {
        notice?.('a snapshot of the store could not be written; it is tried again', e)
        this.#compactFromMs = performance.now() + REST_MS
        return false
      })
      .then(isDone => {
        this.#compacting = undefined
        // What was committed meanwhile may be enough for another one, and perhaps no more comes.
        if (isDone) this.#compactIfDue()
      })
  }
}

const verdictOf = (e: unknown): Verdict => {
  const { code, message } = problemOf(e, 'whether the change was stored is not known')
  return { code, message }
}
const late = (): StoreError => new StoreError('unavailable', 'the store in Vault did not answer in time: nothing was stored')
const latest = (units: readonly Waiting[]): number => Math.max(...units.map(({ untilMs }) => untilMs))

function rejectAll(units: readonly Waiting[], error: StoreError, except: readonly Waiting[] = []): void {
  for (const unit of units) if (!except.includes(unit)) unit.reject(error)
}
