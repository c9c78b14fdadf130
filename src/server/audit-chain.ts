import { createHmac, randomBytes } from 'node:crypto'

const ID_BYTES = 6
const HASH_BYTES = 32
const START = Buffer.alloc(HASH_BYTES).toString('base64url')

/** The last link of a chain that is known. */
export interface ChainHead {
  /** Eight characters, of one process and one opening of its log. */
  readonly chain: string
  /** Counts links from 0. */
  readonly link: number
  /** Base64url. */
  readonly hash: string
}

/** HMAC-SHA-256 over the link before, where this one stands, and the bytes of its lines without the link itself. */
export function linkHash(
  key: Buffer,
  previous: string,
  { chain, link }: Omit<ChainHead, 'hash'>,
  body: string,
  encoding: 'utf8' | 'latin1',
) {
  return createHmac('sha256', key).update(`${previous}.${chain}.${link}\n`).update(body, encoding).digest('base64url')
}

/**
 * Links what one process writes to its audit log: the last line of each write says which link it is and the hash of it, so that nobody
 * without the key can change, remove, insert or move lines unseen. Several processes may write to one file, each its own chain, as long as
 * each write goes there whole. The first link in a file shows the hash before it too, so that a file can be verified by itself.
 */
export class AuditChain {
  readonly #key: Buffer
  readonly #id = randomBytes(ID_BYTES).toString('base64url')
  #next = 0
  #hash = START
  #isFirst = true

  /** @param key 32 bytes that the log's readers do not have */
  constructor(key: Buffer) {
    this.#key = key
  }

  /** Nothing before the first link. */
  get head(): ChainHead | undefined {
    return this.#next === 0 ? undefined : { chain: this.#id, link: this.#next - 1, hash: this.#hash }
  }

  /** The next link goes to another file. */
  inNewFile(): void {
    this.#isFirst = true
  }

  /**
   * @param lines whole lines, each a JSON object
   * @returns the lines as they are to be written, and what to call once they are
   */
  link(lines: string): { readonly text: string; readonly written: () => void } {
    const body = lines.slice(0, -2)
    const at = { chain: this.#id, link: this.#next }
    const hash = linkHash(this.#key, this.#hash, at, body, 'utf8')
    const before = this.#isFirst && this.#next > 0 ? `.${this.#hash}` : ''
    const written = (): void => {
      this.#hash = hash
      this.#next++
      this.#isFirst = false
    }
    return { text: `${body},"chain":"${at.chain}.${at.link}.${hash}${before}"}\n`, written }
  }
}

const LINK = /,"chain":"([\w-]{8})\.(\d{1,15})\.([\w-]{43})(?:\.([\w-]{43}))?"\}$/

export interface Link extends ChainHead {
  /** The line without its link. */
  readonly body: string
  /** Hash before it, where it is the first in its file. */
  readonly before: string | undefined
}

/** The link at the end of a line, if it has one. */
export function linkIn(line: string): Link | undefined {
  const [whole, chain, link, hash, before] = LINK.exec(line) ?? []
  if (whole === undefined || chain === undefined || link === undefined || hash === undefined) return undefined
  return { chain, link: Number(link), hash, before, body: line.slice(0, -whole.length) }
}

export const chainStart = START
