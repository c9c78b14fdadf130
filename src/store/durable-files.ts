import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** File systems that know no hard links say one of these. */
const WITHOUT_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** Whether a link failed since the file system knows none. */
export const knowsNoLinks = (e: unknown): boolean => e instanceof Error && 'code' in e && WITHOUT_LINKS.has(String(e.code))

/** What was made, renamed or removed in a folder is so after the loss of power too. @throws the operating system's error */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Make a folder that only its owner reads, and those above it, where they are missing; durably. @throws the operating system's error */
export function makeFolder(given: string): void {
  const path = resolve(given)
  const first = mkdirSync(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  // The name of each that was made stands in the one above it.
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) syncFolder(dirname(folder))
}

/**
 * Make a file that only its owner reads, durably. Whole it takes its name: whatever ends this half-way, there is no half file of that name.
 * @throws the operating system's error: `EEXIST` where the file is there already
 */
export function createFile(path: string, content: string): void {
  const draft = `${path}.new-${randomBytes(4).toString('hex')}`
  try {
    writeNew(draft, content)
    if (!linked(draft, path)) writeNew(path, content)
  } finally {
    rmSync(draft, { force: true })
  }
  syncFolder(dirname(path))
}

/** Bytes of a file, 0 if there is none. */
export const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

function writeNew(path: string, content: string): void {
  const file = openSync(path, 'wx', 0o600)
  let isWhole = false
  try {
    const bytes = Buffer.from(content)
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
    bytes.fill(0)
    fsyncSync(file)
    isWhole = true
  } finally {
    closeSync(file)
    if (!isWhole) rmSync(path, { force: true })
  }
}

/** @returns whether the file system knows links. @throws the operating system's `EEXIST` */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (e) {
    if (knowsNoLinks(e)) return false
    throw e
  }
}
