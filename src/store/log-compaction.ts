import { rmSync } from 'node:fs'
import { removeBlobs } from './log-blobs.ts'
import { type HeadSeen, type LogFollower, readHead } from './log-follower.ts'
import type { Head, Mark } from './log-head.ts'
import { entryPath, HEAD, inLanes } from './log-paths.ts'
import { removeSnapshot, removeStraySnapshots, writeSnapshot } from './log-snapshot.ts'
import type { Slots } from './slots.ts'

export interface CompactionOptions {
  /** A snapshot is due when the log behind the last one has so many entries or so many bytes. */
  readonly entries: number
  readonly bytes: number
  /** Entries are kept for so long, whatever snapshots there are: many times longer than any node sleeps without noticing. */
  readonly retentionMs: number
  /** A snapshot is kept for so long after the next one, for those who are reading it. */
  readonly graceMs: number
  /** At most so long is waited for another node that wants to do the same. */
  readonly jitterMs: number
}

export const USUAL_COMPACTION: CompactionOptions = {
  entries: 5_000,
  bytes: 32 * 2 ** 20,
  retentionMs: 24 * 3_600_000,
  graceMs: 3_600_000,
  jitterMs: 2_000,
}

/** Marks in one time of retention. */
const MARKS = 24

/** At once, too, where the log behind the snapshot is going to lose entries. */
export const isCompactionDue = ({ sinceSnapshot }: LogFollower, { entries, bytes }: CompactionOptions): boolean =>
  sinceSnapshot.ends || sinceSnapshot.entries >= entries || sinceSnapshot.bytes >= bytes

/**
 * Write a snapshot, and remove what nobody needs any more. Any node may do it at any time, several at once too: one of them moves the
 * head, and the others remove what they wrote. When it is cut short, the next one goes on.
 * @returns whether the head has our snapshot now
 * @throws StoreError, SlotsError
 */
export async function compact(slots: Slots, follower: LogFollower, options: CompactionOptions): Promise<boolean> {
  await new Promise(resolve => setTimeout(resolve, Math.random() * options.jitterMs))
  if ((await follower.check()) === 'behind' || !isCompactionDue(follower, options)) return false
  const path = follower.newFile()
  try {
    return await replaceSnapshot(slots, follower, path, options)
  } finally {
    rmSync(path, { force: true })
  }
}

/** @param path of the new one's image, on its way */
async function replaceSnapshot(slots: Slots, follower: LogFollower, path: string, options: CompactionOptions): Promise<boolean> {
  const before = await headOf(slots, follower)
  const { copy, at, digest, endMs } = follower
  const snapshot = await writeSnapshot(slots, copy, { at, digest }, path, endMs)
  const { nowMs } = await slots.read(HEAD)
  const { head } = before
  const moved: Head = {
    ...head,
    snapshot,
    marks: withMark(head.marks, { at: snapshot.at, timeMs: nowMs }, options.retentionMs / MARKS),
    old: head.snapshot.chunks > 0 ? [...head.old, { name: head.snapshot.name, chunks: head.snapshot.chunks, sinceMs: nowMs }] : head.old,
  }
  const replaced = await replaceHead(slots, before, moved)
  if (replaced) {
    await follower.kept.put(snapshot.name, path)
    await removeOld(slots, follower.store, replaced, nowMs, options)
  } else if ((await headOf(slots, follower)).head.snapshot.name !== snapshot.name) await removeSnapshot(slots, snapshot)
  return replaced !== undefined
}

async function headOf(slots: Slots, { store }: LogFollower): Promise<HeadSeen> {
  const seen = await readHead(slots)
  if (seen?.head.store !== store) throw new Error('the head is another one')
  return seen
}

const withMark = (marks: readonly Mark[], mark: Mark, apartMs: number): readonly Mark[] =>
  mark.timeMs - (marks.at(-1)?.timeMs ?? 0) < apartMs ? marks : [...marks, mark]

/** @returns nothing if another node has changed it */
async function replaceHead(slots: Slots, { version }: HeadSeen, head: Head): Promise<HeadSeen | undefined> {
  const replaced = await slots.replace(HEAD, JSON.stringify(head), version)
  return replaced === 'taken' ? undefined : { head, version: replaced.version }
}

/** Say in the head what is going to be removed, remove it, and say that it is done. */
async function removeOld(slots: Slots, store: string, seen: HeadSeen, nowMs: number, options: CompactionOptions): Promise<void> {
  const { head } = seen
  const past = head.marks.filter(({ timeMs }) => timeMs <= nowMs - options.retentionMs)
  const cut = past.at(-1)
  const first = Math.max(head.first, Math.min(cut?.at ?? 0, head.snapshot.at) + 1)
  const dead = head.old.filter(({ sinceMs }) => sinceMs <= nowMs - options.graceMs)
  if (first === head.removing && dead.length === 0) return
  const announced = await replaceHead(slots, seen, {
    ...head,
    first,
    marks: head.marks.filter(mark => mark === cut || !past.includes(mark)),
  })
  if (!announced) return
  await inLanes(first - head.removing, i => slots.remove(entryPath(store, head.removing + i)))
  for (const snapshot of dead) await removeSnapshot(slots, snapshot)
  const cutMs = nowMs - options.retentionMs
  if (cut) await removeBlobs(slots, cut.timeMs)
  await removeStraySnapshots(slots, cutMs, [head.snapshot.name, ...head.old.map(({ name }) => name)])
  await replaceHead(slots, announced, { ...announced.head, removing: first, old: head.old.filter(snapshot => !dead.includes(snapshot)) })
}
