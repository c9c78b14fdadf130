import { StoreError } from './store.ts'

const FORMAT = 1

/** An image of the whole store after an entry. */
export interface Snapshot {
  /** Number of the last entry that is in it; 0: it is the empty store, and has no chunks. */
  readonly at: number
  /** Digest of that entry, base64. */
  readonly digest: string
  /** Folder of the chunks below `snap`. */
  readonly name: string
  readonly chunks: number
  readonly bytes: number
  /** SHA-256 of the image, base64. */
  readonly image: string
}

/** At this time, by Vault's clock, the log was this long. */
export interface Mark {
  readonly at: number
  readonly timeMs: number
}

/** The one text that changes: where a node begins to read. */
export interface Head {
  readonly format: number
  /** Random, of this store: a store that is made anew at the same place is another one. */
  readonly store: string
  /** Somebody is putting a whole store here and has not come to the end: it is none yet. */
  readonly filling?: true
  readonly snapshot: Snapshot
  /** Entries before this one are removed, or are about to be. */
  readonly first: number
  /** Entries from here to `first` may still be there: what removes them may be cut short. */
  readonly removing: number
  /** Oldest first: how long the log was when, for the retention. */
  readonly marks: readonly Mark[]
  /** Earlier snapshots that somebody may still be reading, and since when they are of no use. */
  readonly old: readonly { readonly name: string; readonly chunks: number; readonly sinceMs: number }[]
}

export const newHead = (store: string, digest: Buffer, isFilling: boolean): Head => ({
  format: FORMAT,
  store,
  ...(isFilling && { filling: true }),
  snapshot: { at: 0, digest: digest.toString('base64'), name: '', chunks: 0, bytes: 0, image: '' },
  first: 1,
  removing: 1,
  marks: [],
  old: [],
})

/** @throws StoreError `damaged`, or `unavailable` when a newer kmipd wrote it */
export function parseHead(text: string): Head {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new StoreError('damaged', 'the head of the log is not readable', { cause })
  }
  if (isRow(value) && typeof value.format === 'number' && value.format > FORMAT)
    throw new StoreError('unavailable', `the log has format ${value.format}, and this kmipd knows ${FORMAT}: use a newer one`)
  if (!isHead(value)) throw new StoreError('damaged', 'the head of the log has not its form')
  return value
}

type Row = { readonly [key: string]: unknown }
const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null
const areNumbers = (row: Row, ...keys: string[]): boolean => keys.every(key => Number.isSafeInteger(row[key]))
const areTexts = (row: Row, ...keys: string[]): boolean => keys.every(key => typeof row[key] === 'string')
const isName = (value: unknown): boolean => typeof value === 'string' && /^[\w-]*$/.test(value)
const isSnapshot = (value: unknown): boolean =>
  isRow(value) && areNumbers(value, 'at', 'chunks', 'bytes') && areTexts(value, 'digest', 'image') && isName(value.name)
const isHead = (value: unknown): value is Head =>
  isRow(value) &&
  isName(value.store) &&
  (value.filling === undefined || value.filling === true) &&
  isSnapshot(value.snapshot) &&
  areNumbers(value, 'first', 'removing') &&
  Array.isArray(value.marks) &&
  value.marks.every(mark => isRow(mark) && areNumbers(mark, 'at', 'timeMs')) &&
  Array.isArray(value.old) &&
  value.old.every(old => isRow(old) && isName(old.name) && areNumbers(old, 'chunks', 'sinceMs'))
