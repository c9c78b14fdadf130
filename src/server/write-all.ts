import { writeSync } from 'node:fs'

const RETRY_MS = 5
const RETRIES = 200
const pause = new Int32Array(new SharedArrayBuffer(4))

/**
 * Write bytes to a file or a stream before returning. A pipe that another process made non-blocking answers EAGAIN while its reader is
 * behind: that is waited for, but not for ever.
 * @param progress how many of them are written, also where the rest is not
 * @throws the system's error
 */
export function writeAll(fd: number, bytes: Buffer, progress: { bytes: number }): void {
  for (let attempt = 0; progress.bytes < bytes.length; ) {
    try {
      progress.bytes += writeSync(fd, bytes, progress.bytes)
      attempt = 0
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN') || ++attempt > RETRIES) throw error
      Atomics.wait(pause, 0, 0, RETRY_MS)
    }
  }
}
