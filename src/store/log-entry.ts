import { createHash, randomBytes } from 'node:crypto'
import { type PackedChange, packedChange, type Unit } from './sqlite-message.ts'
import { StoreError } from './store.ts'

// An entry of the commit log, base64: form (1) | commit id (16) | digest of the entry before (32) | units. A unit: 0 and its length (4),
// then its bytes, or 1 and a length, then JSON that says in which blobs its bytes are. The digest of an entry covers store, number and text.

const FORM = 1
const ID_BYTES = 16
const DIGEST_BYTES = 32
const HEAD_BYTES = 1 + ID_BYTES + DIGEST_BYTES
const UNIT_HEAD_BYTES = 5

/** Bytes of units in one entry, and of one blob: as base64 with its surroundings below 256 KiB, far from what any storage of Vault refuses. */
export const ENTRY_BYTES = 192_000 - HEAD_BYTES
/** A larger unit goes into blobs, and does not keep others out of its entry. */
export const INLINE_BYTES = 96_000

/** Where the bytes of a large unit are. */
export interface Blobs {
  readonly names: readonly string[]
  readonly bytes: number
  /** SHA-256 of all, base64. */
  readonly digest: string
}

export type EntryUnit = { readonly inline: Buffer } | { readonly blobs: Blobs }

export interface Entry {
  /** Hexadecimal; random, so that its writer knows it again. */
  readonly commit: string
  readonly previous: Buffer
  readonly units: readonly EntryUnit[]
}

export const newCommitId = (): string => randomBytes(ID_BYTES).toString('hex')

/** What a unit takes of an entry. */
export const sizeInEntry = (unit: EntryUnit): number => UNIT_HEAD_BYTES + payloadOf(unit).length

const payloadOf = (unit: EntryUnit): Buffer => ('inline' in unit ? unit.inline : Buffer.from(JSON.stringify(unit.blobs)))

export function entryText({ commit, previous, units }: Entry): string {
  const parts = [Buffer.from([FORM]), Buffer.from(commit, 'hex'), previous]
  for (const unit of units) {
    const payload = payloadOf(unit)
    const head = Buffer.allocUnsafe(UNIT_HEAD_BYTES)
    head[0] = 'inline' in unit ? 0 : 1
    head.writeUInt32BE(payload.length, 1)
    parts.push(head, payload)
  }
  return Buffer.concat(parts).toString('base64')
}

/** @throws StoreError `damaged` */
export function parseEntry(text: string, number: number): Entry {
  const bytes = Buffer.from(text, 'base64')
  if (bytes[0] !== FORM || bytes.length < HEAD_BYTES)
    throw new StoreError('damaged', `entry ${number} of the log has not its form: a newer kmipd wrote it, or it was changed`)
  const units: EntryUnit[] = []
  for (let at = HEAD_BYTES; at < bytes.length; ) {
    const end = at + UNIT_HEAD_BYTES + (at + UNIT_HEAD_BYTES <= bytes.length ? bytes.readUInt32BE(at + 1) : bytes.length)
    if (end > bytes.length) throw new StoreError('damaged', `entry ${number} of the log is cut`)
    const payload = bytes.subarray(at + UNIT_HEAD_BYTES, end)
    units.push(bytes[at] === 0 ? { inline: payload } : { blobs: blobsOf(payload, number) })
    at = end
  }
  return {
    commit: bytes.toString('hex', 1, 1 + ID_BYTES),
    previous: bytes.subarray(1 + ID_BYTES, HEAD_BYTES),
    units,
  }
}

function blobsOf(payload: Buffer, number: number): Blobs {
  const value: unknown = JSON.parse(payload.toString())
  if (typeof value === 'object' && value !== null && 'names' in value && 'bytes' in value && 'digest' in value) {
    const { names, bytes, digest } = value
    if (Array.isArray(names) && names.every(isSegment) && typeof bytes === 'number' && typeof digest === 'string')
      return { names, bytes, digest }
  }
  throw new StoreError('damaged', `entry ${number} of the log names its blobs in a way that this kmipd does not know`)
}

const isSegment = (name: unknown): name is string => typeof name === 'string' && /^[\w-]+$/.test(name)

/** What the next entry must name. */
export const digestOf = (store: string, number: number, text: string): Buffer =>
  createHash('sha256').update(`kmipd log\0${store}\0${number}\0`).update(text).digest()

/** What the first entry of a store names. */
export const firstDigest = (store: string): Buffer => digestOf(store, 0, '')

// A unit: length of a JSON list (4), the list with partition, id, expected revision, and lengths of body (-1: none) and terms (-1: kept)
// for each change, then bodies and terms in that order.

export function unitBytes(unit: Unit): Buffer {
  const heads = unit.map(({ partition, id, expect, body, terms }) => [
    partition,
    id,
    expect,
    body ? body.length : -1,
    terms ? terms.length : -1,
  ])
  const json = Buffer.from(JSON.stringify(heads))
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(json.length)
  return Buffer.concat([length, json, ...unit.flatMap(({ body, terms }) => [body, terms].filter(part => part !== undefined))])
}

/** @returns views into `bytes`. @throws StoreError `damaged` */
export function parseUnit(bytes: Buffer): Unit {
  const start = 4 + (bytes.length >= 4 ? bytes.readUInt32BE(0) : 0)
  const heads: unknown = start > 4 && start <= bytes.length ? JSON.parse(bytes.toString('utf8', 4, start)) : undefined
  if (!Array.isArray(heads)) throw malformed()
  let at = start
  const next = (length: number): Buffer | undefined => {
    if (length < 0) return undefined
    at += length
    if (at > bytes.length) throw malformed()
    return bytes.subarray(at - length, at)
  }
  return heads.map((head: unknown): PackedChange => {
    if (!isHead(head)) throw malformed()
    const [partition, id, expect, body, terms] = head
    return packedChange(partition, id, expect, next(body), next(terms))
  })
}

const malformed = (): StoreError => new StoreError('damaged', 'a unit of the log has not its form')
const isHead = (head: unknown): head is [string, string, number, number, number] =>
  Array.isArray(head) &&
  head.length === 5 &&
  head.slice(0, 2).every(value => typeof value === 'string') &&
  head.slice(2).every(value => Number.isInteger(value) && value >= -1)
