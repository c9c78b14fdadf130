import { createHmac } from 'node:crypto'
import { sameBytes } from '../crypto/same-bytes.ts'
import type { Store } from '../store/store.ts'
import type { StoredRecord } from '../store/stored-record.ts'
import { BackupWriter, type End, type Manifest, readParts } from './backup-format.ts'
import { SealError } from './error.ts'
import { checkSettled, childKey, openHeader, parseHeader, SEAL_PARTITION } from './header.ts'
import { type Keys, keysOf } from './keys.ts'
import type { KeyProvider } from './provider.ts'
import { type Problem, problemOf, type TermsOf } from './verify.ts'

/** Bodies in one part of a backup, in bytes. */
const PART_BYTES = 256 * 1024
/** Records in one commit of a restore. */
const BATCH = 500
/** Records that are opened when not all are. */
const SAMPLE = 100

export interface BackupSource {
  readonly count: number
  /** All at one moment, oldest first. */
  records(): Iterable<StoredRecord> | AsyncIterable<StoredRecord>
}

/**
 * A backup as a stream. It holds the records as they are stored, sealed, and whoever has one of the keys can tell that it is whole.
 * @param providers one of them must open the store
 * @throws SealError
 */
export async function* backupOf(
  source: BackupSource,
  providers: readonly KeyProvider[],
  made: { readonly program: string; readonly created: string },
): AsyncGenerator<Buffer> {
  const writer = new BackupWriter()
  let macKey: Buffer | undefined
  let records = 0
  let part: StoredRecord[] = []
  let size = 0
  for await (const record of source.records()) {
    if (!macKey) {
      const unsealed = await unseal(record, providers)
      macKey = unsealed.macKey
      unsealed.keys.close()
      yield writer.begin({ ...made, records: source.count, sealedBy: unsealed.sealedBy })
    }
    records++
    part.push(record)
    size += record.body.length
    if (size < PART_BYTES) continue
    yield writer.records(part)
    part = []
    size = 0
  }
  if (!macKey) throw new SealError('sealed', 'the store was never sealed: there is nothing to back up')
  checkCount(records, source.count)
  if (part.length > 0) yield writer.records(part)
  yield writer.end({ records, mac: macOf(macKey, writer.hash, records).toString('base64') })
  macKey.fill(0)
}

/**
 * Whether all records were read: in a file that is damaged some may not be met on the way.
 * @param records that were read
 * @param count as their index has it
 * @throws SealError `damaged`
 */
export function checkCount(records: number, count: number): void {
  if (records !== count)
    throw new SealError('damaged', `the store is damaged: ${records} of ${count} records can be read; see: kmipd store verify`)
}

export interface BackupReport {
  readonly manifest: Manifest
  readonly records: number
  /** How many of them were opened. */
  readonly opened: number
  readonly problems: readonly Problem[]
}

/**
 * Read a whole backup, unseal it, and open some of its records or all.
 * @throws SealError `damaged`: it is not whole, or not made by who has the key; `sealed`, `wrong-key`: no provider opens it
 */
export const verifyBackup = (
  source: AsyncIterable<Buffer>,
  options: { readonly providers: readonly KeyProvider[]; readonly termsOf: TermsOf; readonly all: boolean },
): Promise<BackupReport> => readBackup(source, options, async () => undefined)

/**
 * Put the records of a backup into an empty store, and open each on the way. A record with a problem is put there all the same.
 * @throws as `verifyBackup`, after some records were stored; StoreError
 */
export async function restoreBackup(
  source: AsyncIterable<Buffer>,
  { store, ...options }: { readonly store: Store; readonly providers: readonly KeyProvider[]; readonly termsOf: TermsOf },
): Promise<BackupReport> {
  let batch: StoredRecord[] = []
  const flush = async (): Promise<void> => {
    await store.commit(batch.map(({ partition, id, body, terms, claims }) => ({ partition, id, expect: 0, body, terms, claims })))
    batch = []
  }
  const report = await readBackup(source, { ...options, all: true }, async record => {
    batch.push(record)
    if (batch.length >= BATCH) await flush()
  })
  if (batch.length > 0) await flush()
  return report
}

async function readBackup(
  source: AsyncIterable<Buffer>,
  { providers, termsOf, all }: { readonly providers: readonly KeyProvider[]; readonly termsOf: TermsOf; readonly all: boolean },
  visit: (record: StoredRecord) => Promise<void>,
): Promise<BackupReport> {
  let manifest: Manifest | undefined
  let unsealed: { keys: Keys; macKey: Buffer } | undefined
  let records = 0
  let opened = 0
  const problems: Problem[] = []
  try {
    for await (const part of readParts(source)) {
      if ('manifest' in part) manifest = part.manifest
      else if ('record' in part) {
        unsealed ??= await unseal(part.record, providers)
        const every = all ? 1 : Math.ceil(manifest!.records / SAMPLE)
        if (records % every === 0) {
          opened++
          const problem = problemOf(part.record, unsealed.keys, termsOf)
          if (problem) problems.push(problem)
        }
        records++
        await visit(part.record)
      } else checkEnd(part.end, part.hash, records, unsealed)
    }
    return { manifest: manifest!, records, opened, problems }
  } finally {
    unsealed?.keys.close()
    unsealed?.macKey.fill(0)
  }
}

function checkEnd(end: End, hash: Buffer, records: number, unsealed: { macKey: Buffer } | undefined): void {
  const given = Buffer.from(end.mac, 'base64')
  const expected = unsealed && macOf(unsealed.macKey, hash, records)
  if (!expected || end.records !== records || !sameBytes(given, expected))
    throw new SealError('damaged', 'the backup was put together by somebody who has not its key; use another one')
}

/** The keys of a backup, by its first record: the header of the seal. */
async function unseal(
  { partition, body }: StoredRecord,
  providers: readonly KeyProvider[],
): Promise<{ keys: Keys; macKey: Buffer; sealedBy: Manifest['sealedBy'] }> {
  if (partition !== SEAL_PARTITION) throw new SealError('damaged', 'the header of the seal is not the first record: restore a backup')
  const header = parseHeader(body)
  checkSettled(header)
  const rootKey = await openHeader(header, providers)
  try {
    const sealedBy = header.entries.map(({ provider, key }) => ({ provider, key }))
    return { keys: keysOf(rootKey), macKey: childKey(rootKey, 'backup'), sealedBy }
  } finally {
    rootKey.fill(0)
  }
}

function macOf(key: Buffer, hash: Buffer, records: number): Buffer {
  return createHmac('sha256', key).update(hash).update(String(records)).digest()
}
