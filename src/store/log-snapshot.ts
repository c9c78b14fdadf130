import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, rmSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { LocalCopy } from './local-copy.ts'
import type { Snapshot } from './log-head.ts'
import type { KeptSnapshot } from './log-kept.ts'
import { chunkPath, inLanes, SNAPSHOTS } from './log-paths.ts'
import type { Slots } from './slots.ts'
import { StoreError } from './store.ts'

/** Of an image, in bytes: as base64 below 256 KiB. */
const CHUNK_BYTES = 192_000

/** What the state is the state of. */
export interface Place {
  readonly at: number
  readonly digest: Buffer
}

/**
 * Write an image of the copy as it is at this moment.
 * @param path of a file that is not there, for the image, which stays
 * @param nowMs by the clock of the other side
 * @throws SlotsError, StoreError; chunks may be left behind under a name that no head has
 */
export async function writeSnapshot(slots: Slots, copy: LocalCopy, { at, digest }: Place, path: string, nowMs: number): Promise<Snapshot> {
  await copy.image(path)
  const name = `${Math.floor(nowMs / 1000)}-${randomBytes(8).toString('hex')}`
  const { size } = await stat(path)
  const chunks = Math.ceil(size / CHUNK_BYTES)
  const file = await open(path)
  try {
    await inLanes(chunks, async i => {
      const bytes = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - i * CHUNK_BYTES))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, i * CHUNK_BYTES)
      // The rest would be whatever was in memory before, and the entries behind the snapshot would be removed all the same.
      if (bytesRead < bytes.length) throw new StoreError('unavailable', 'the image of the store cannot be read back: check the disk')
      await slots.create(chunkPath(name, i), bytes.toString('base64'))
    })
  } finally {
    await file.close()
  }
  return { at, digest: digest.toString('base64'), name, chunks, bytes: size, image: await sha256Of(path) }
}

/**
 * Make a copy from a snapshot, which is kept here from now on.
 * @param path of a file that is not there
 * @returns nothing if the snapshot is not there any more: read the head again
 * @throws StoreError `damaged`; SlotsError
 */
export async function loadSnapshot(slots: Slots, snapshot: Snapshot, path: string, kept: KeptSnapshot): Promise<LocalCopy | undefined> {
  const { name, chunks } = snapshot
  if (chunks === 0) return LocalCopy.open(path)
  if (await kept.take(name, path)) {
    if (await isWhole(snapshot, path)) return LocalCopy.open(path)
    kept.drop(name)
  }
  if (!(await readSnapshot(slots, snapshot, path))) return undefined
  if (!(await isWhole(snapshot, path))) throw new StoreError('damaged', `the snapshot ${name} of the store was changed: restore a backup`)
  await kept.put(name, path)
  return LocalCopy.open(path)
}

const isWhole = async ({ bytes, image }: Snapshot, path: string): Promise<boolean> =>
  (await stat(path)).size === bytes && (await sha256Of(path)) === image

/** @returns whether all of it was there */
async function readSnapshot(slots: Slots, { name, chunks }: Snapshot, path: string): Promise<boolean> {
  const file = await open(path, 'w', 0o600)
  let isThere = true
  try {
    await inLanes(chunks, async i => {
      if (!isThere) return
      const { slot } = await slots.read(chunkPath(name, i))
      if (slot) await file.write(Buffer.from(slot.text, 'base64'), 0, undefined, i * CHUNK_BYTES)
      else isThere = false
    })
  } finally {
    await file.close()
  }
  if (!isThere) rmSync(path)
  return isThere
}

export async function removeSnapshot(slots: Slots, { name, chunks }: Pick<Snapshot, 'name' | 'chunks'>): Promise<void> {
  await inLanes(chunks, i => slots.remove(chunkPath(name, i)))
}

/** Remove what was begun before `cutMs`, save these: a node that ended while it wrote a snapshot leaves its chunks. */
export async function removeStraySnapshots(slots: Slots, cutMs: number, kept: readonly string[]): Promise<void> {
  for (const folder of await slots.list(SNAPSHOTS)) {
    const name = folder.replace(/\/$/, '')
    if (kept.includes(name) || Number(name.split('-')[0]) * 1000 >= cutMs) continue
    const chunks = await slots.list(`${SNAPSHOTS}/${name}`)
    await inLanes(chunks.length, i => slots.remove(`${SNAPSHOTS}/${name}/${chunks[i]}`))
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece)
  return hash.digest('base64')
}
