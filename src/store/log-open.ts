import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CompactionOptions } from './log-compaction.ts'
import { firstDigest } from './log-entry.ts'
import { type HeadSeen, LogFollower, readHead } from './log-follower.ts'
import { newHead } from './log-head.ts'
import { KeptSnapshot } from './log-kept.ts'
import { HEAD } from './log-paths.ts'
import { problemOf } from './log-patience.ts'
import { NodePresence, type Presence } from './log-presence.ts'
import { LogStore } from './log-store.ts'
import type { Slots } from './slots.ts'
import { StoreError } from './store.ts'

export interface LogOptions {
  /** Closed with the store. */
  readonly slots: Slots
  /** Folder for the copy, which is removed at the end, and the last snapshot; what processes that are gone left there is removed too. */
  readonly dir: string
  /**
   * `there`: use the store that is there; `any`: or make one; `new`: make one that is none for others before `LogStore.finish`, and refuse if
   * there is one.
   */
  readonly expect: 'there' | 'any' | 'new'
  readonly deadlineMs?: number
  readonly stalenessMs?: number
  readonly fenceMs?: number
  /** Absent: this process leaves that to others. */
  readonly compaction?: CompactionOptions
  readonly follow?: boolean
  /** How this process is there; absent: it only reads, and says nothing. */
  readonly presence?: Presence
  notice?(message: string, cause: unknown): void
}

const USUAL_DEADLINE_MS = 5_000
const USUAL_FENCE_MS = 600_000
const PREFIX = 'log-copy'
/** Copies of this process: another one with its number, after a crash in a container, has left what is not among them. */
const OURS = new Set<string>()

/**
 * Open a store whose truth is a commit log.
 * @throws StoreError `unavailable`: it cannot be reached, or is not there, or is there; `damaged`
 */
export async function openLog(options: LogOptions): Promise<LogStore> {
  const { slots, fenceMs = USUAL_FENCE_MS, deadlineMs = USUAL_DEADLINE_MS, stalenessMs = 0, compaction, notice } = options
  const dir = makeFolder(options.dir)
  try {
    const store = await storeAt(slots, options.expect)
    const presence = options.presence && (await NodePresence.announce(slots, options.presence, error => opened?.fail(error)))
    let opened: LogStore | undefined
    const follower = await LogFollower.open({ slots, dir, fenceMs, kept: new KeptSnapshot(options.dir, notice) }, store).catch(
      async (e: unknown) => {
        await presence?.close()
        throw e
      },
    )
    opened = new LogStore({
      slots,
      follower,
      deadlineMs,
      stalenessMs,
      follow: options.follow ?? false,
      ...(compaction && { compaction }),
      ...(notice && { notice }),
      async close() {
        removeFolder(dir)
        await presence?.close()
        await slots.close()
      },
    })
    return opened
  } catch (e) {
    removeFolder(dir)
    await slots.close()
    throw problemOf(e, 'try again')
  }
}

/** @returns the store's identity */
async function storeAt(slots: Slots, expect: LogOptions['expect']): Promise<string> {
  const seen = await (expect === 'there' ? readHead(slots) : lastingHead(slots))
  if (seen?.head.filling) {
    if (expect !== 'new')
      throw new StoreError(
        'unavailable',
        'a store is being put into that place of Vault, or that was cut short: do it once more, to its end',
      )
    return refill(slots, seen)
  }
  if (seen && expect === 'new')
    throw new StoreError('unavailable', 'there is a store in that place of Vault already: give another prefix, or remove it')
  if (seen) return seen.head.store
  if (expect === 'there') throw new StoreError('unavailable', 'there is no store in that place of Vault; run: kmipd init')
  const store = randomBytes(8).toString('hex')
  const created = await slots.create(HEAD, JSON.stringify(newHead(store, firstDigest(store), expect === 'new')))
  if (created !== 'taken') return store
  const other = await readHead(slots)
  if (!other) throw new StoreError('damaged', 'the head of the log was removed, and nobody can make another one there: give another prefix')
  // Somebody else was faster, or our own attempt before this one.
  if (expect === 'new' && other.head.store !== store)
    throw new StoreError('unavailable', 'somebody else makes a store in that place of Vault: give another prefix')
  return other.head.store
}

/** One that Vault is going to delete was written while the mount was set up so; written anew it stays. */
async function lastingHead(slots: Slots): Promise<HeadSeen | undefined> {
  const seen = await readHead(slots)
  if (!seen?.ends) return seen
  await slots.replace(HEAD, JSON.stringify(seen.head), seen.version)
  return readHead(slots)
}

/** Begin anew where a filling was cut short; what it wrote belongs to no store. */
async function refill(slots: Slots, seen: HeadSeen): Promise<string> {
  const store = randomBytes(8).toString('hex')
  const replaced = await slots.replace(HEAD, JSON.stringify(newHead(store, firstDigest(store), true)), seen.version)
  if (replaced === 'taken') throw new StoreError('unavailable', 'somebody else is putting a store into that place of Vault')
  return store
}

/** Whether there is a store, whole or not. @throws StoreError; the slots stay open */
export async function isLogThere(slots: Slots): Promise<boolean> {
  try {
    return (await readHead(slots)) !== undefined
  } catch (e) {
    throw problemOf(e, 'try again')
  }
}

function makeFolder(parent: string): string {
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(parent)) {
    const [, pid] = /^log-copy-(\d+)-/.exec(name) ?? []
    if (pid !== undefined && isGone(Number(pid), join(parent, name))) rmSync(join(parent, name), { recursive: true, force: true })
  }
  const dir = mkdtempSync(join(parent, `${PREFIX}-${process.pid}-`))
  OURS.add(dir)
  return dir
}

function removeFolder(dir: string): void {
  rmSync(dir, { recursive: true, force: true })
  OURS.delete(dir)
}

function isGone(pid: number, dir: string): boolean {
  if (pid === process.pid) return !OURS.has(dir)
  try {
    process.kill(pid, 0)
    return false
  } catch (e) {
    return e instanceof Error && 'code' in e && e.code === 'ESRCH'
  }
}
