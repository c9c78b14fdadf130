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
  readonly #notice: ((message: string, cause: unknown) => void) | undefined

  /**
   * @param dir also of other processes
   * @param notice is told when one could not be kept or taken: then a start takes longer, and that is all
   */
  constructor(dir: string, notice?: (message: string, cause: unknown) => void) {
    this.#dir = dir
    this.#notice = notice
  }

  /** Copy it to `path`, if it is that one. @returns whether it was; what came with it is still to be checked */
  async take(name: string, path: string): Promise<boolean> {
    try {
      await copyFile(this.#path(name), path, constants.COPYFILE_FICLONE)
      return true
    } catch (e) {
      const isMissing = e instanceof Error && 'code' in e && e.code === 'ENOENT'
      if (!isMissing) this.#notice?.('the snapshot of the store that was kept could not be taken; it is read from Vault', e)
      return false
    }
  }

  /** Keep a copy of what is in `path`, instead of what was kept before. */
  async put(name: string, path: string): Promise<void> {
    const copy = `${path}-kept`
    try {
      await copyFile(path, copy, constants.COPYFILE_FICLONE)
      await rename(copy, this.#path(name))
      for (const other of readdirSync(this.#dir))
        if (KEPT.test(other) && other !== this.#file(name)) rmSync(join(this.#dir, other), { force: true })
    } catch (e) {
      rmSync(copy, { force: true })
      this.#notice?.('the snapshot of the store could not be kept; the next start reads it from Vault', e)
    }
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
