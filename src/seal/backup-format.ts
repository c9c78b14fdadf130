import { createHash } from 'node:crypto'
import type { StoredRecord } from '../store/stored-record.ts'
import { SealError } from './error.ts'

// A backup is `kmipd backup 1` and a line end, then frames: type (1), length of the payload (4), payload, and SHA-256 (32) of the hash of
// the frame before (zeros for the first) followed by type, length and payload. So a frame that is changed, left out or moved is noticed
// at once, wherever the file came from.
//
// M, once and first: the manifest, JSON
// R: records, oldest first; the header of the seal is the first of all
// E, once and last: count of records, and an HMAC of the hash before it with a child of the root key, JSON

const MAGIC = Buffer.from('kmipd backup 1\n')
const HASH_BYTES = 32
const HEAD_BYTES = 5
/** More would be more than a record can be. */
const MAX_PAYLOAD = 2 ** 30 + 2 ** 20

export interface Manifest {
  /** Name and version of what wrote it. */
  readonly program: string
  /** ISO 8601. */
  readonly created: string
  readonly records: number
  readonly sealedBy: readonly { readonly provider: string; readonly key: string }[]
}

export interface End {
  readonly records: number
  /** Base64. */
  readonly mac: string
}

type Type = 'M' | 'R' | 'E'

/** Writes frames. */
export class BackupWriter {
  #hash: Buffer = Buffer.alloc(HASH_BYTES)

  /** Of all frames so far. */
  get hash(): Buffer {
    return this.#hash
  }

  /** What a file begins with. */
  begin(manifest: Manifest): Buffer {
    return Buffer.concat([MAGIC, this.#frame('M', json(manifest))])
  }

  records(records: readonly StoredRecord[]): Buffer {
    return this.#frame('R', Buffer.concat(records.flatMap(packed)))
  }

  end(end: End): Buffer {
    return this.#frame('E', json(end))
  }

  #frame(type: Type, payload: Buffer): Buffer {
    const head = headOf(type, payload.length)
    this.#hash = chained(this.#hash, head, payload)
    return Buffer.concat([head, payload, this.#hash])
  }
}

export type Part =
  | { readonly manifest: Manifest }
  | { readonly record: StoredRecord }
  /** With the hash of all before it. */
  | { readonly end: End; readonly hash: Buffer }

/**
 * The parts of a backup, in their order: manifest, records, end. What comes before an error was as it was written.
 * @throws SealError `damaged`: it is no backup, or not whole
 */
export async function* readParts(source: AsyncIterable<Buffer>): AsyncGenerator<Part> {
  const bytes = new Bytes(source)
  if (!(await bytes.take(MAGIC.length))?.equals(MAGIC)) throw new SealError('damaged', 'the file is no backup of kmipd, or of a newer one')
  let hash: Buffer = Buffer.alloc(HASH_BYTES)
  for (let number = 1; ; number++) {
    const head = await bytes.take(HEAD_BYTES)
    if (!head) throw damaged('its end is missing')
    const length = head.readUInt32BE(1)
    const payload = length <= MAX_PAYLOAD ? await bytes.take(length) : undefined
    const given = payload && (await bytes.take(HASH_BYTES))
    if (!payload || !given) throw damaged(`it is cut in part ${number}, or that was changed`)
    const before = hash
    hash = chained(hash, head, payload)
    if (!hash.equals(given)) throw damaged(`part ${number} was changed, or one before it is missing`)
    const type = String.fromCharCode(head[0]!)
    if ((type === 'M') !== (number === 1) || !'MRE'.includes(type)) throw damaged(`part ${number} does not belong there`)
    if (type === 'M') yield { manifest: parsed(payload, isManifest) }
    if (type === 'R') for (const record of unpacked(payload)) yield { record }
    if (type !== 'E') continue
    if (await bytes.take(1)) throw damaged('something follows its end')
    yield { end: parsed(payload, isEnd), hash: before }
    return
  }
}

const damaged = (what: string): SealError => new SealError('damaged', `the backup is damaged: ${what}; use another one`)

function headOf(type: Type, length: number): Buffer {
  const head = Buffer.from([type.charCodeAt(0), 0, 0, 0, 0])
  head.writeUInt32BE(length, 1)
  return head
}

const chained = (before: Buffer, head: Buffer, payload: Buffer): Buffer =>
  createHash('sha256').update(before).update(head).update(payload).digest()

const json = (value: Manifest | End): Buffer => Buffer.from(JSON.stringify(value))

function parsed<T>(payload: Buffer, is: (value: unknown) => value is T): T {
  try {
    const value: unknown = JSON.parse(payload.toString())
    if (is(value)) return value
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
  }
  throw damaged('manifest or end has not its form')
}

const isRow = (value: unknown): value is { readonly [key: string]: unknown } => typeof value === 'object' && value !== null
const isEnd = (value: unknown): value is End => isRow(value) && typeof value.records === 'number' && typeof value.mac === 'string'
const isManifest = (value: unknown): value is Manifest =>
  isRow(value) &&
  typeof value.records === 'number' &&
  [value.program, value.created].every(field => typeof field === 'string') &&
  Array.isArray(value.sealedBy)

// A record: partition, id, revision (4), count of claims (4), claims, count of terms (4), terms, body; each value after its length (4).

const number = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const sized = (value: Buffer): Buffer[] => [number(value.length), value]

function packed({ partition, id, revision, claims, terms, body }: StoredRecord): Buffer[] {
  return [
    ...sized(Buffer.from(partition)),
    ...sized(Buffer.from(id)),
    number(revision),
    number(claims.length),
    ...claims.flatMap(sized),
    number(terms.length),
    ...terms.flatMap(sized),
    ...sized(body),
  ]
}

function* unpacked(payload: Buffer): Generator<StoredRecord> {
  let at = 0
  const number = (): number => {
    if (at + 4 > payload.length) throw damaged('a record is cut')
    at += 4
    return payload.readUInt32BE(at - 4)
  }
  const value = (): Buffer => {
    const length = number()
    if (length > payload.length - at) throw damaged('a record is cut')
    at += length
    return payload.subarray(at - length, at)
  }
  const values = (): Buffer[] => {
    const list: Buffer[] = []
    for (let left = number(); left > 0; left--) list.push(value())
    return list
  }
  while (at < payload.length) {
    const place = { partition: value().toString(), id: value().toString(), revision: number() }
    yield { ...place, claims: values(), terms: values(), body: value() }
  }
}

/** A stream of bytes, taken in pieces of given lengths. */
class Bytes {
  readonly #source: AsyncIterator<Buffer>
  #chunks: Buffer[] = []
  #length = 0

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** @returns nothing if there are fewer bytes left */
  async take(length: number): Promise<Buffer | undefined> {
    while (this.#length < length) {
      const { done, value } = await this.#source.next()
      if (done === true) return undefined
      this.#chunks.push(value)
      this.#length += value.length
    }
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = [all.subarray(length)]
    this.#length -= length
    return all.subarray(0, length)
  }
}
