/**
 * Digests. `hash(data, 'SHA_256')` for one shot, `createHashStream` for data that comes in parts. Spec: KMIP 1.4 section 4.37.
 */
import { createHash } from 'node:crypto'
import { HASHES, type HashRow } from './algorithms.ts'
import { lookup } from './errors.ts'

/** Facts of a Hashing Algorithm. @throws CryptoError `unsupported`, or `invalid` when absent */
export const hashRow = (algorithm: string | undefined): HashRow => lookup(HASHES, algorithm, 'Hashing Algorithm')

/** Digest of `data`. @param algorithm a Hashing Algorithm, such as 'SHA_256' @throws CryptoError `unsupported`, `invalid` */
export const hash = (data: Uint8Array, algorithm: string | undefined): Buffer => createHash(hashRow(algorithm).name).update(data).digest()

/** Data in parts, one result at the end: a digest or a MAC. After `final` the stream is spent. */
export interface DigestStream {
  update(data: Uint8Array): void
  final(): Buffer
}

/** A digest over data in parts. @throws CryptoError `unsupported`, `invalid` */
export function createHashStream(algorithm: string | undefined): DigestStream {
  const state = createHash(hashRow(algorithm).name)
  return { update: data => void state.update(data), final: () => state.digest() }
}
