import { type FileHandle, open } from 'node:fs/promises'
import { AdminError } from '../admin/error.ts'
import type { HistoryEntry, HistoryPage, HistoryQuery } from '../admin/objects/object-routes.ts'

const CHUNK = 1 << 18
/** Bytes that one search reads at most, from the end of the log. */
const MOST = 1 << 28

/**
 * Records of an audit log, newest first. One that goes to standard output, or is not there, has none.
 * @param file  where the log is now; older ones are not searched
 * @throws AdminError 400 for an `after` that is none, or of a log that was rotated since
 */
export async function searchAudit(file: string, query: HistoryQuery): Promise<HistoryPage> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { entries: [] }
    throw error
  }
  try {
    return await searchIn(handle, query)
  } finally {
    await handle.close()
  }
}

/** A page goes on at a byte of a file. */
function endOf(after: string | undefined, ino: number, size: number): number {
  if (after === undefined) return size
  const [, of, at] = /^(\d+)-(\d+)$/.exec(after) ?? []
  if (Number(of) === ino && Number(at) <= size) return Number(at)
  throw new AdminError(400, 'the audit log is another one than at the page before; search anew')
}

async function searchIn(handle: FileHandle, query: HistoryQuery): Promise<HistoryPage> {
  const entries: HistoryEntry[] = []
  const { size, ino } = await handle.stat()
  const last = endOf(query.after, ino, size)
  const upTo = (position: number): HistoryPage => ({ entries, ...(position > 0 && { next: `${ino}-${position}` }) })
  // A record that cannot be the one is not parsed: most lines lack the word.
  const words = [query.id, query.partition, query.scope, query.role, query.operation, query.status].flatMap(word =>
    word === undefined ? [] : [JSON.stringify(word)],
  )
  let rest = Buffer.alloc(0)
  let end = last
  while (end > 0 && last - end < MOST) {
    const start = Math.max(0, end - CHUNK)
    const chunk = Buffer.alloc(end - start)
    await handle.read(chunk, 0, chunk.length, start)
    const piece = Buffer.concat([chunk, rest])
    // What stands before the first line end belongs to a line that begins further ahead.
    const first = start === 0 ? 0 : piece.indexOf(0x0a) + 1 || piece.length
    for (let to = piece.length, from: number; to > first; to = from) {
      from = to < 2 ? 0 : piece.lastIndexOf(0x0a, to - 2) + 1
      const line = piece.subarray(from, to)
      if (!words.every(word => line.includes(word))) continue
      const entry = entryOf(line.toString('utf8').trimEnd(), query)
      if (entry && entries.push(entry) === query.limit) return upTo(start + from)
    }
    rest = piece.subarray(0, first)
    end = start
  }
  return upTo(end === 0 ? 0 : end + rest.length)
}

interface Line {
  readonly [name: string]: unknown
}

function entryOf(line: string, query: HistoryQuery): HistoryEntry | undefined {
  const record = parsed(line)
  if (!record || record.event === 'asked') return undefined
  const text = (name: string): string | undefined => {
    const value = record[name]
    return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined
  }
  const isMeant =
    (query.partition === undefined || text('scope') === query.partition) &&
    (query.scope === undefined || text('scopeName') === query.scope) &&
    (query.role === undefined || text('role') === query.role) &&
    (query.operation === undefined || text('operation') === query.operation) &&
    (query.id === undefined || text('object') === query.id) &&
    (query.status === undefined || text('status') === query.status)
  const [time, operation] = [text('time'), text('operation')]
  if (!isMeant || time === undefined || operation === undefined) return undefined
  const some = (name: string, value: string | undefined) => (value === undefined ? {} : { [name]: value })
  return {
    ...{ time, operation, status: text('status') ?? text('event') ?? '' },
    ...some('scope', text('scopeName')),
    ...some('role', text('role')),
    ...some('id', text('object')),
    ...some('reason', text('reason') ?? text('problem')),
    ...some('remote', text('address')),
    ...some('path', text('path')),
    ...some('user', text('user') ?? text('displayName')),
  }
}

function parsed(line: string): Line | undefined {
  // A line that was cut off while it was written is no record.
  if (!line.startsWith('{') || !line.endsWith('}')) return undefined
  try {
    const record: unknown = JSON.parse(line)
    return typeof record === 'object' && record !== null ? { ...record } : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
