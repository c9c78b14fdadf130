import { createHash, randomBytes } from 'node:crypto'
import { type Blobs, ENTRY_BYTES, type EntryUnit, INLINE_BYTES } from './log-entry.ts'
import { BLOBS, blobPath, inLanes } from './log-paths.ts'
import type { Slots } from './slots.ts'
import { StoreError } from './store.ts'

/** An entry names its blobs within this time after they were written, or never. */
const BLOB_USE_MS = 3_600_000

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64')

/** Whether the bytes of a unit stand in its entry itself. */
export const isInline = (bytes: Buffer): boolean => bytes.length <= INLINE_BYTES

/**
 * Put the bytes of a unit into blobs, before any entry names them.
 * @param nowMs by the clock of the other side
 * @throws SlotsError: nothing of the unit counts
 */
export async function writeBlobs(slots: Slots, bytes: Buffer, nowMs: number): Promise<EntryUnit> {
  // The name begins with the time, so that what no entry names any more can be told by its name.
  const prefix = `${Math.floor(nowMs / 1000)}-${randomBytes(12).toString('hex')}`
  const names = Array.from({ length: Math.ceil(bytes.length / ENTRY_BYTES) }, (_, i) => `${prefix}-${i}`)
  await inLanes(names.length, async i => {
    const piece = bytes.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES)
    // The name is random, so what is there already is what an attempt before this one wrote.
    await slots.create(blobPath(names[i]!), piece.toString('base64'))
  })
  return { blobs: { names, bytes: bytes.length, digest: sha256(bytes) } }
}

/** @returns nothing if a piece is not there. @throws StoreError `damaged`: they are not what was written; SlotsError */
export async function readBlobs(slots: Slots, { names, bytes, digest }: Blobs): Promise<Buffer | undefined> {
  const pieces: (Buffer | undefined)[] = []
  await inLanes(names.length, async i => {
    const { slot } = await slots.read(blobPath(names[i]!))
    pieces[i] = slot && Buffer.from(slot.text, 'base64')
  })
  const there = pieces.filter(piece => piece !== undefined)
  if (there.length < names.length) return undefined
  const whole = Buffer.concat(there)
  if (whole.length !== bytes || sha256(whole) !== digest)
    throw new StoreError('damaged', `a piece of a commit was changed, one of those from ${blobPath(names[0] ?? '')} on: restore a backup`)
  return whole
}

/** Remove blobs that only entries from before `cutMs` could name. */
export async function removeBlobs(slots: Slots, cutMs: number): Promise<void> {
  const names = (await slots.list(BLOBS)).filter(name => Number(name.split('-')[0]) * 1000 + BLOB_USE_MS < cutMs)
  await inLanes(names.length, i => slots.remove(blobPath(names[i]!)))
}
