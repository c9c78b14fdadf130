import { createHmac, hkdfSync, randomBytes, randomUUID } from 'node:crypto'
import { sameBytes } from '../crypto/same-bytes.ts'
import { isConflict, type Store } from '../store/store.ts'
import { frame } from './aead.ts'
import { SealError, type SealErrorCode } from './error.ts'
import type { KeyProvider } from './provider.ts'

/** Where the header is. It is not sealed, since it is what one needs to unseal; a MAC with a child of the root key protects it. */
export const SEAL_PARTITION = 'kmipd.seal'
const HEADER_ID = 'header'
const FORMAT = 1
/** Of the header while the root key is being rotated: what does not know of that must not use the store. */
const ROTATION_FORMAT = 2

export interface Entry {
  /** Kind of the provider. */
  readonly provider: string
  readonly key: string
  readonly wrapped: string
}

export interface Header {
  readonly format: number
  /** Of this store, random: bound into each wrapped root key. */
  readonly store: string
  readonly entries: readonly Entry[]
  /** While the root key is being rotated: the next one, wrapped by the same providers. Records are sealed with the one or the other. */
  readonly next?: readonly Entry[]
  /** With a child of the root key that `entries` wrap. */
  readonly mac: string
}

/** @returns nothing if the store was never sealed. @throws SealError `damaged` */
export async function readHeader(store: Store): Promise<{ header: Header; revision: number } | undefined> {
  const record = await store.get(SEAL_PARTITION, HEADER_ID)
  if (!record) return undefined
  const header = parseHeader(record.body)
  if (header.format !== (header.next ? ROTATION_FORMAT : FORMAT))
    throw new SealError('sealed', `the seal has format ${header.format}, which this kmipd does not know: use a newer one`)
  return { header, revision: record.revision }
}

/** The header in a record of the seal's partition, as a backup has it. @throws SealError `damaged` */
export function parseHeader(body: Buffer): Header {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch (cause) {
    throw new SealError('damaged', 'the header of the seal is not readable: restore a backup', { cause })
  }
  if (!isHeader(value)) throw new SealError('damaged', 'the header of the seal has not its form: restore a backup')
  return value
}

const isRow = (value: unknown): value is { readonly [key: string]: unknown } => typeof value === 'object' && value !== null
const isEntry = (value: unknown): value is Entry =>
  isRow(value) && [value.provider, value.key, value.wrapped].every(field => typeof field === 'string')
const areEntries = (value: unknown): value is Entry[] => Array.isArray(value) && value.every(isEntry)
const isHeader = (value: unknown): value is Header =>
  isRow(value) &&
  typeof value.format === 'number' &&
  typeof value.store === 'string' &&
  typeof value.mac === 'string' &&
  areEntries(value.entries) &&
  (value.next === undefined || areEntries(value.next))

/** @param revision the one that is stored, 0: none. @throws StoreError `conflict`: another process was faster */
export async function writeHeader(store: Store, rootKey: Buffer, revision: number, content: Omit<Header, 'format' | 'mac'>): Promise<void> {
  const { store: id, entries, next } = content
  const unsigned = { format: next ? ROTATION_FORMAT : FORMAT, store: id, entries, ...(next && { next }) }
  const header: Header = { ...unsigned, mac: macOf(rootKey, unsigned).toString('base64') }
  await store.commit([{ partition: SEAL_PARTITION, id: HEADER_ID, expect: revision, body: Buffer.from(JSON.stringify(header)) }])
}

function macOf(rootKey: Buffer, { format, store, entries, next }: Omit<Header, 'mac'>): Buffer {
  const key = childKey(rootKey, 'header')
  const texts = (list: readonly Entry[]): string[] => list.flatMap(({ provider, key, wrapped }) => [provider, key, wrapped])
  const mac = createHmac('sha256', key)
    .update(frame(`${format}`, store, ...texts(entries), ...(next ? ['next', ...texts(next)] : [])))
    .digest()
  key.fill(0)
  return mac
}

/** A key of 32 bytes for one purpose. */
export const childKey = (rootKey: Buffer, purpose: string): Buffer => Buffer.from(hkdfSync('sha256', rootKey, '', `kmipd ${purpose}`, 32))

/** What a provider binds to the wrapped root key: a wrapped key of another store does not open here. */
export const contextOf = (store: string): Buffer => frame('kmipd root key', store)

export async function wrapWith(provider: KeyProvider, rootKey: Buffer, store: string): Promise<Entry> {
  return { provider: provider.kind, key: provider.key, wrapped: await provider.wrap(rootKey, contextOf(store)) }
}

/**
 * The root key of the store, made at first use and wrapped by all of `providers`.
 * @returns 32 bytes, for the caller to zero
 * @throws SealError
 */
export async function rootKeyOf(store: Store, providers: readonly KeyProvider[]): Promise<Buffer> {
  const found = await readHeader(store)
  if (!found) return create(store, providers)
  checkSettled(found.header)
  return openHeader(found.header, providers)
}

/** @throws SealError `sealed`: the root key is being rotated, so that one root key does not open all records */
export function checkSettled({ next }: Header): void {
  if (next) throw new SealError('sealed', 'a rotation of the root key was cut short; finish it with: kmipd seal rotate')
}

async function create(store: Store, providers: readonly KeyProvider[]): Promise<Buffer> {
  if (providers.length === 0) throw new SealError('sealed', 'no key is configured to seal the store with')
  const rootKey = randomBytes(32)
  try {
    const id = randomUUID()
    const entries = await Promise.all(providers.map(provider => wrapWith(provider, rootKey, id)))
    await writeHeader(store, rootKey, 0, { store: id, entries })
    return rootKey
  } catch (e) {
    rootKey.fill(0)
    if (isConflict(e)) return rootKeyOf(store, providers)
    throw e
  }
}

/** @returns the root key, for the caller to zero. @throws SealError */
export const openHeader = async (header: Header, providers: readonly KeyProvider[]): Promise<Buffer> =>
  unwrapWith(header.store, header.entries, providers, rootKey => verified(header, rootKey))

/** The next root key of a rotation; the header was opened before, and so verified. @returns for the caller to zero. @throws SealError */
export const openNext = async ({ store, next = [] }: Header, providers: readonly KeyProvider[]): Promise<Buffer> =>
  unwrapWith(store, next, providers, rootKey => rootKey)

async function unwrapWith(
  store: string,
  entries: readonly Entry[],
  providers: readonly KeyProvider[],
  check: (rootKey: Buffer) => Buffer,
): Promise<Buffer> {
  const causes: unknown[] = []
  for (const provider of providers) {
    for (const entry of entries.filter(entry => isOf(entry, provider))) {
      try {
        return check(await provider.unwrap(entry.wrapped, contextOf(store)))
      } catch (e) {
        causes.push(e)
      }
    }
  }
  throw refusal(entries, providers, causes)
}

/** Whether this provider made the entry. */
export const isOf = (entry: Pick<Entry, 'provider' | 'key'>, { kind, key }: Pick<KeyProvider, 'kind' | 'key'>): boolean =>
  entry.provider === kind && entry.key === key

function verified({ mac, ...unsigned }: Header, rootKey: Buffer): Buffer {
  const expected = macOf(rootKey, unsigned)
  const given = Buffer.from(mac, 'base64')
  if (sameBytes(given, expected)) return rootKey
  rootKey.fill(0)
  throw new SealError('damaged', 'the header of the seal was changed by somebody who has not its key: restore a backup')
}

/**
 * Why nothing opened: a provider that may open it later comes first, since then nothing is lost; what went wrong with the right key says more
 * than a wrong key, and that more than none.
 */
function refusal(entries: readonly Entry[], providers: readonly KeyProvider[], causes: readonly unknown[]): SealError {
  const said = (code: SealErrorCode): unknown => causes.find(e => e instanceof SealError && e.code === code)
  const cause = said('away') ?? said('refused') ?? said('damaged') ?? causes[0]
  if (cause instanceof SealError) return cause
  if (cause !== undefined) return new SealError('sealed', 'no provider could open the root key', { cause })
  const sealedBy = list(entries.map(({ provider, key }) => `${provider} key ${key}`))
  const configured = list(providers.map(({ kind, key }) => `${kind} key ${key}`))
  if (providers.some(({ kind }) => entries.some(({ provider }) => provider === kind)))
    return new SealError('wrong-key', `the store was sealed with ${sealedBy}, and ${configured} is configured: give the key that sealed it`)
  return new SealError('sealed', `the store is sealed by ${sealedBy}; configured: ${configured}`)
}

const list = (texts: readonly string[]): string => texts.join(', ') || 'nothing'
