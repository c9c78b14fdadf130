import { join } from 'node:path'
import type { LocalCopy } from './local-copy.ts'
import { readBlobs } from './log-blobs.ts'
import { digestOf, firstDigest, parseEntry, parseUnit } from './log-entry.ts'
import { type Head, parseHead } from './log-head.ts'
import type { KeptSnapshot } from './log-kept.ts'
import { entryPath, HEAD } from './log-paths.ts'
import { loadSnapshot } from './log-snapshot.ts'
import type { Slots } from './slots.ts'
import type { Unit } from './sqlite-message.ts'
import { StoreError } from './store.ts'

/** Entries that are read at once by who is far behind. */
const AHEAD = 16
const LOAD_ATTEMPTS = 5

export interface FollowerOptions {
  readonly slots: Slots
  /** A folder of ours alone, for the copy. */
  readonly dir: string
  readonly kept: KeptSnapshot
  /**
   * What was seen of the end of the log is good for this long, by the clock of the other side; far less than the time for which entries
   * are kept. Who has slept longer looks at the head before it believes that nothing is there, or that its own entry counts.
   */
  readonly fenceMs: number
}

export interface HeadSeen {
  readonly head: Head
  readonly version: number
  /** Vault is going to delete it. */
  readonly ends?: true
}

/** @returns nothing if there is no store. @throws StoreError, SlotsError */
export async function readHead(slots: Slots): Promise<HeadSeen | undefined> {
  const { slot } = await slots.read(HEAD)
  return slot && { head: parseHead(slot.text), version: slot.version, ...(slot.ends && { ends: true }) }
}

/**
 * A copy of the log's state and its place in the log. What changes it must be done by one caller at a time; `copy` may be another one
 * after each. Everything rejects with SlotsError, and with StoreError `damaged` when the log is not the one that was followed so far.
 */
export class LogFollower {
  readonly #slots: Slots
  readonly #options: FollowerOptions
  readonly store: string
  /** Number of the last entry that is in the copy. */
  at = 0
  /** Of that entry. */
  digest: Buffer
  /** Another one after each change of the copy. */
  version = 1
  copy!: LocalCopy
  /** Is told of another file of the copy, before the one before is removed. */
  moved: ((path: string) => void) | undefined
  /**
   * When our place was last known to be the end of the log, by the clock of the other side: what was written after that cannot have been
   * removed yet. It says nothing of entries that we read on the way there.
   */
  #endMs = Number.NEGATIVE_INFINITY
  #snapshotAt = 0
  /** Bytes of entries since the snapshot. */
  #bytes = 0
  /** The last entry that Vault is going to delete of itself. */
  #endingAt = 0
  #files = 0

  private constructor(options: FollowerOptions, store: string) {
    this.#options = options
    this.#slots = options.slots
    this.store = store
    this.digest = firstDigest(store)
  }

  /** Load the store that is there, and follow it to its end. */
  static async open(options: FollowerOptions, store: string): Promise<LogFollower> {
    const follower = new LogFollower(options, store)
    await follower.#load()
    try {
      await follower.catchUp()
      return follower
    } catch (e) {
      follower.close()
      throw e
    }
  }

  get kept(): KeptSnapshot {
    return this.#options.kept
  }

  /** A file in our folder that nothing else uses. */
  newFile(): string {
    return join(this.#options.dir, `${++this.#files}.db`)
  }

  /** Whether what was seen at this time can be taken for the truth without a look at the head. */
  believes(nowMs: number): boolean {
    return nowMs - this.#endMs <= this.#options.fenceMs
  }

  /** At this time our place was the end of the log. */
  isAtEnd(nowMs: number): void {
    this.#endMs = Math.max(this.#endMs, nowMs)
  }

  /** When that was last seen. */
  get endMs(): number {
    return this.#endMs
  }

  /** What somebody who begins now has to read beside the snapshot, as far as we know. */
  get sinceSnapshot(): { readonly entries: number; readonly bytes: number; readonly ends: boolean } {
    return { entries: this.at - this.#snapshotAt, bytes: this.#bytes, ends: this.#endingAt > this.#snapshotAt }
  }

  /** Take over everything to the end of the log. @returns whether there was anything new */
  async catchUp(): Promise<boolean> {
    const { version } = this
    let ahead = 1
    for (;;) {
      const { at } = this
      const sights = await Promise.all(Array.from({ length: ahead }, (_, i) => this.#slots.read(entryPath(this.store, at + 1 + i))))
      const missing = sights.findIndex(({ slot }) => !slot)
      const isHole = missing >= 0 && sights.slice(missing).some(({ slot }) => slot)
      if (sights.some(({ nowMs }) => !this.believes(nowMs)) || isHole) {
        if ((await this.check()) === 'behind') {
          await this.#load()
          continue
        }
        // It may have been written between the two looks; it is a hole if it is still not there.
        if (isHole && !(await this.#slots.read(entryPath(this.store, at + 1 + missing))).slot)
          throw damaged(`entry ${at + 1 + missing} of the log is missing, and later ones are there`)
      }
      if (missing === 0) {
        this.isAtEnd(sights[0]!.nowMs)
        return this.version !== version
      }
      const slots = sights.slice(0, missing < 0 ? ahead : missing).map(({ slot }) => slot!)
      if (await this.#take(slots.map(({ text }) => text))) {
        const last = slots.findLastIndex(({ ends }) => ends)
        if (last >= 0) this.#endingAt = at + 1 + last
      } else await this.#load()
      ahead = missing < 0 ? Math.min(AHEAD, ahead * 2) : 1
    }
  }

  /**
   * Look whether the place is still one in the log.
   * @returns `behind`: entries that follow it are removed, or may be; `reload` is needed
   * @throws StoreError `damaged`: it is another log than before
   */
  async check(): Promise<'here' | 'behind'> {
    const { at, digest } = this
    const [head, own] = await Promise.all([this.#head(), at > 0 ? this.#slots.read(entryPath(this.store, at)) : undefined])
    if (head.first > at + 1) return 'behind'
    // The head vouches for it, whether it is still there or not.
    if (head.snapshot.at === at && head.snapshot.digest === digest.toString('base64')) return 'here'
    if (own && at >= head.first && !(own.slot && digestOf(this.store, at, own.slot.text).equals(digest))) {
      // Removed between the two looks, perhaps.
      const { first } = await this.#head()
      if (first > at + 1) return 'behind'
      if (at >= first) throw damaged(`entry ${at} of the log, which this node has seen, is ${own.slot ? 'another one' : 'gone'}`)
    }
    return 'here'
  }

  /** Begin anew from the snapshot. */
  async reload(): Promise<void> {
    await this.#load()
    await this.catchUp()
  }

  /** Our own entry, whose units were tried, is stored. */
  keep(text: string): void {
    this.copy.keep()
    this.#advance(text, digestOf(this.store, this.at + 1, text))
  }

  close(): void {
    this.copy.close()
  }

  async #head(): Promise<Head> {
    const seen = await readHead(this.#slots)
    if (!seen) throw damaged('the head of the log is gone')
    if (seen.head.store !== this.store) throw damaged('another store stands in its place')
    if (seen.head.snapshot.at > this.#snapshotAt) {
      this.#snapshotAt = seen.head.snapshot.at
      this.#bytes = 0
    }
    return seen.head
  }

  async #load(): Promise<void> {
    for (let attempt = 1; attempt <= LOAD_ATTEMPTS; attempt++) {
      const head = await this.#head()
      const loaded = await loadSnapshot(this.#slots, head.snapshot, this.newFile(), this.kept)
      if (!loaded) continue
      const before: LocalCopy | undefined = this.copy
      this.copy = loaded
      this.moved?.(loaded.path)
      before?.close()
      this.at = head.snapshot.at
      this.digest = Buffer.from(head.snapshot.digest, 'base64')
      this.#bytes = 0
      this.#endMs = Number.NEGATIVE_INFINITY
      this.version++
      return
    }
    throw damaged('its snapshot is missing')
  }

  /** Take over the entries that follow, together. @returns false: what one is made of is removed already, and we are behind */
  async #take(texts: readonly string[]): Promise<boolean> {
    const units: Unit[] = []
    /** The entry of each unit. */
    const numbers: number[] = []
    const digests: Buffer[] = []
    let { at, digest } = this
    for (const text of texts) {
      const entry = parseEntry(text, ++at)
      if (!entry.previous.equals(digest)) throw damaged(`entry ${at} of the log does not follow the one before it`)
      digest = digestOf(this.store, at, text)
      digests.push(digest)
      for (const unit of entry.units) {
        const bytes = 'inline' in unit ? unit.inline : await readBlobs(this.#slots, unit.blobs)
        if (bytes) {
          numbers.push(at)
          units.push(parseUnit(bytes))
        } else if ((await this.check()) === 'behind') return false
        else throw damaged(`a piece of entry ${at} of the log is missing`)
      }
    }
    try {
      const verdicts = this.copy.try(units)
      const bad = verdicts.findIndex(verdict => verdict)
      if (bad >= 0) throw damaged(`entry ${numbers[bad]} of the log does not fit what is before it: ${verdicts[bad]!.message}`)
      this.copy.keep()
    } catch (e) {
      // A full disk too: what was tried must not be there when it is tried again.
      this.copy.drop()
      throw e
    }
    for (const [i, text] of texts.entries()) this.#advance(text, digests[i]!)
    return true
  }

  #advance(text: string, digest: Buffer): void {
    this.at++
    this.digest = digest
    this.#bytes += text.length
    this.version++
  }
}

const damaged = (what: string): StoreError =>
  new StoreError(
    'damaged',
    `the store in Vault is not the one that this node has followed: ${what}. Vault was restored from an older backup, or somebody changed the mount. Stop all nodes, look what Vault has, and start them again to go on from that`,
  )
