import { constants, readdirSync, rmSync } from 'node:fs'
import { copyFile, rename } from 'node:fs/promises'
import { join } from 'node:path'

const KEPT = /^log-snapshot-[\w-]+\.db$/

/**
 * The snapshot that was read or written last in a folder, as it is in Vault, so that whoever begins with the same one need not read it again.
 * It is worth nothing by itself: the head of the log says what its digest must be.
 */
export class KeptSnapshot {
  readonly #dir: string

  /** @param dir also of other processes */
  constructor(dir: string) {
    this.#dir = dir
  }

  /** Copy it to `path`, if it is that one. @returns whether it was; what came with it is still to be checked */
  async take(name: string, path: string): Promise<boolean> {
    try {
      await copyFile(this.#path(name), path, constants.COPYFILE_FICLONE)
      return true
    } catch (e) {
      // Another process may have removed it at this moment.
      if (e instanceof Error && 'code' in e && e.code === 'ENOENT') return false
      throw e
    }
  }

  /** Keep what is in `path`, instead of what was kept before; the file is used up. */
  async put(name: string, path: string): Promise<void> {
    await rename(path, this.#path(name))
    for (const other of readdirSync(this.#dir))
      if (KEPT.test(other) && other !== this.#file(name)) rmSync(join(this.#dir, other), { force: true })
  }

  /** The same with a copy of it. */
  async putCopy(name: string, path: string): Promise<void> {
    await copyFile(path, `${path}-kept`, constants.COPYFILE_FICLONE)
    await this.put(name, `${path}-kept`)
  }

  drop(name: string): void {
    rmSync(this.#path(name), { force: true })
  }

  #file(name: string): string {
    return `log-snapshot-${name}.db`
  }

  #path(name: string): string {
    return join(this.#dir, this.#file(name))
  }
}
