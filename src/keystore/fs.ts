import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, type FileHandle, link, lstat, mkdir, open, readdir, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { knowsNoLinks } from '../store/durable-files.ts'
import { type KeyPage, type KeyStore, KeyStoreError, type KeyStoreErrorCode, type StoredKey } from './keystore.ts'
import { isKeyName, pageOf } from './names.ts'
import { LONGEST_VALUE, readStoredKey, writeStoredKey } from './stored-key.ts'

/** A key that is being made, not known by its name yet. */
const DRAFT = /^\.new-[0-9a-f]{16}$/
/** Nobody takes so long to make one. */
const DRAFT_MS = 60_000

/** A directory with a file for each key, as KES's file system key store has it; both may work on one directory. */
export class FsKeyStore implements KeyStore {
  readonly description: string
  readonly #dir: string
  #isClosed = false

  private constructor(dir: string) {
    this.#dir = dir
    this.description = `Filesystem: ${dir}`
  }

  /** Makes the directory if it is missing. @throws KeyStoreError `unreachable`, `unavailable` */
  static async open(dir: string): Promise<FsKeyStore> {
    const store = new FsKeyStore(dir)
    await store.#doing('make the directory', () => mkdir(dir, { recursive: true, mode: 0o700 }))
    await store.status()
    const isOurs = await access(dir, constants.W_OK).then(
      () => true,
      () => false,
    )
    if (isOurs) await store.#sweep()
    return store
  }

  async create(name: string, key: StoredKey): Promise<void> {
    const path = this.#pathOf(name)
    await this.#doing(`create ${name}`, async () => {
      const bytes = Buffer.from(writeStoredKey(key))
      // A whole file takes the name at once: who reads it meanwhile, or after a crash, never sees half a key.
      const draft = join(this.#dir, `.new-${randomBytes(8).toString('hex')}`)
      try {
        await writeNew(draft, bytes)
        if (!(await linked(draft, path))) await writeNew(path, bytes, () => unlink(path))
      } finally {
        await rm(draft, { force: true })
      }
      await this.#syncDirectory()
    })
  }

  async get(name: string): Promise<StoredKey> {
    const path = this.#pathOf(name)
    return this.#doing(`read ${name}`, async () => {
      const file = await open(path, constants.O_RDONLY)
      try {
        return readStoredKey(await upTo(file, LONGEST_VALUE + 1), `${this.description}: ${name}`)
      } finally {
        await file.close()
      }
    })
  }

  async delete(name: string): Promise<void> {
    const path = this.#pathOf(name)
    await this.#doing(`delete ${name}`, async () => {
      await unlink(path)
      await this.#syncDirectory()
    })
    await this.#sweep()
  }

  async list(prefix: string, page: { readonly after?: string; readonly limit: number }): Promise<KeyPage> {
    return this.#doing('list the keys', async () => {
      const entries = await readdir(this.#dir, { withFileTypes: true })
      const names = entries.filter(entry => entry.isFile() || entry.isSymbolicLink()).map(entry => entry.name)
      return pageOf(names, prefix, page)
    })
  }

  async status(): Promise<number> {
    const began = performance.now()
    await this.#doing('look at the directory', async () => {
      if (!(await stat(this.#dir)).isDirectory()) throw this.#error('unavailable', 'it is no directory')
    })
    return performance.now() - began
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  #pathOf(name: string): string {
    // KES never makes such names; here they would lead out of the directory.
    if (!isKeyName(name)) throw this.#error('not-found', 'there is no key of a name with such characters')
    return join(this.#dir, name)
  }

  /** Who is killed while he makes a key leaves its draft. There may be a key in it, which would outlive its deletion. */
  async #sweep(): Promise<void> {
    await this.#doing('remove what is left of keys that were never made', async () => {
      const drafts = (await readdir(this.#dir)).filter(name => DRAFT.test(name))
      for (const draft of drafts) {
        const path = join(this.#dir, draft)
        // One that is gone meanwhile was made a key, or another server has removed it.
        const madeMs = await lstat(path).then(({ mtimeMs }) => mtimeMs, unlessGone)
        if (madeMs !== undefined && madeMs < Date.now() - DRAFT_MS) await rm(path, { force: true })
      }
    })
  }

  async #syncDirectory(): Promise<void> {
    const directory = await open(this.#dir, constants.O_RDONLY)
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  /** What the operating system says, in the words of the contract. */
  async #doing<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw this.#error('closed', 'the key store is closed')
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error instanceof KeyStoreError) throw error
      if (error.code === 'EEXIST') throw this.#error('exists', `cannot ${what}: it is there already`, error)
      if (error.code !== 'ENOENT') throw this.#error('unavailable', `cannot ${what}: ${String(error.code)}`, error)
      const directory = await stat(this.#dir).catch((missing: unknown) => missing)
      // A directory that went away, such as one that is not mounted, says nothing of the keys in it.
      if (directory instanceof Error) throw this.#error('unreachable', `cannot ${what}: the directory is not there`, error)
      throw this.#error('not-found', `cannot ${what}: there is no such key`, error)
    }
  }

  #error(code: KeyStoreErrorCode, message: string, cause?: Error): KeyStoreError {
    return new KeyStoreError(code, `${this.description}: ${message}`, { cause })
  }
}

function unlessGone(error: unknown): undefined {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error
}

/** A file that was not there, whole and on the disk; if that fails after it came to be, `undo` is called. */
async function writeNew(path: string, bytes: Buffer, undo: () => Promise<void> = async () => {}): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  let isWhole = false
  try {
    await file.writeFile(bytes)
    await file.sync()
    isWhole = true
  } finally {
    await file.close()
    if (!isWhole) await undo()
  }
}

/** @returns whether the file system knows links. @throws the operating system's EEXIST */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (knowsNoLinks(error)) return false
    throw error
  }
}

/** The bytes from the beginning, at most `limit`. */
async function upTo(file: FileHandle, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let total = 0
  for await (const chunk of file.createReadStream({ autoClose: false, end: limit - 1 }) as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    total += chunk.length
    if (total >= limit) break
  }
  return Buffer.concat(chunks)
}
