import { closeSync, fstatSync, fsyncSync, openSync, readSync, statSync } from 'node:fs'
import type { AuditChain } from './audit-chain.ts'
import { writeAll } from './write-all.ts'

/** The audit log cannot be written. */
export class AuditError extends Error {
  override readonly name = 'AuditError'
  readonly code = 'audit_unwritable'
}

export interface AuditOptions {
  /** File to append to, made with mode 0600; absent: standard output. */
  readonly file?: string
  /** Wait for the disk after each write. */
  readonly fsync?: boolean
  /** Bytes that a pipe takes in one piece, where other processes write to it too; absent: they do not. Into a file all goes in one piece. */
  readonly wholeBytes?: number
  /** Links what is written. */
  readonly chain?: AuditChain
}

/** Where audit records go. `write` returns when the lines are handed to the system, and throws when they are not. */
export interface Audit {
  /** @throws AuditError */
  write(lines: string): void
  /** Open the file anew, after it was rotated. @throws AuditError, the old file still open */
  reopen(): void
  close(): void
}

/**
 * Open the audit log. Writes are synchronous and their failure is known at once, which a stream cannot promise: an answer leaves only after
 * its record.
 * @throws AuditError
 */
export function openAudit(options: AuditOptions): Audit {
  const { file, fsync = false, chain, wholeBytes } = options
  let fd = file === undefined ? 1 : open(file)
  const takesAll = wholeBytes === undefined || fstatSync(fd).isFile()
  let isTorn = file !== undefined && endsTorn(file)
  const writePiece = (lines: string): void => {
    const { text, written } = chain?.link(lines) ?? { text: lines, written: () => undefined }
    // A write that ended in the middle of a line must not spoil the next one.
    const bytes = Buffer.from(isTorn ? `\n${text}` : text)
    const progress = { bytes: 0 }
    try {
      writeAll(fd, bytes, progress)
      isTorn = false
      written()
      if (fsync) fsyncSync(fd)
    } catch (cause) {
      if (progress.bytes > 0 && progress.bytes < bytes.length) isTorn = true
      throw new AuditError('the audit log cannot be written', { cause })
    }
  }
  return {
    write(lines) {
      if (takesAll) writePiece(lines)
      else for (const piece of piecesOf(lines, wholeBytes - LINK_BYTES)) writePiece(piece)
    },
    reopen() {
      if (file === undefined) return
      const next = open(file)
      closeSync(fd)
      fd = next
      isTorn = endsTorn(file)
      chain?.inNewFile()
    },
    close() {
      if (file !== undefined) closeSync(fd)
    },
  }
}

function open(file: string): number {
  try {
    return openSync(file, 'a', 0o600)
  } catch (cause) {
    throw new AuditError('the audit log cannot be opened', { cause })
  }
}

/**
 * Whether whoever wrote before ended in the middle of a line: on a full disk, or with the machine. A pipe has no end to look at, and nothing is
 * known of a file that may only be written.
 */
function endsTorn(file: string): boolean {
  const stat = statSync(file)
  if (!stat.isFile() || stat.size === 0) return false
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return false
  }
  const last = Buffer.alloc(1)
  readSync(fd, last, 0, 1, stat.size - 1)
  closeSync(fd)
  return last.toString() !== '\n'
}

/** So many bytes POSIX promises to write to a pipe in one piece on Linux. */
export const PIPE_BUF = 4_096
/** What the link of a chain adds to the last line of a piece, at most. */
const LINK_BYTES = 160

/** Whole lines in pieces of so many bytes at most; a longer line is a piece of its own. */
export function piecesOf(lines: string, most: number): string[] {
  // A character that is not ASCII takes three bytes at most in UTF-8.
  const room = Math.floor(most / (Buffer.byteLength(lines) === lines.length ? 1 : 3))
  const pieces: string[] = []
  for (let start = 0; start < lines.length; ) {
    const whole = start + room >= lines.length ? lines.length : lines.lastIndexOf('\n', start + room - 1) + 1
    const end = whole > start ? whole : lines.indexOf('\n', start) + 1 || lines.length
    pieces.push(lines.slice(start, end))
    start = end
  }
  return pieces
}
