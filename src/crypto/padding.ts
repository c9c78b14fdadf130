/**
 * Paddings of block ciphers. Each row fills the last block and takes its filling away again.
 * Spec: KMIP 1.4 section 9.1.3.2.15. Sources: RFC 5652 section 6.3 (PKCS5), ANSI X9.23, ISO 10126, RFC 6101 section 5.2.3.2 (SSL3).
 */
import { randomBytes } from 'node:crypto'
import { CryptoError, failure, lookup } from './errors.ts'

export interface Padding {
  /** Bytes to put behind `length` bytes so that whole blocks result. @throws CryptoError `invalid` when the method adds none and some are needed */
  pad(length: number, block: number): Buffer
  /** Length of the message inside the last block of a padded text. @throws CryptoError `failed` */
  unpad(last: Buffer, block: number): number
}

const missing = (length: number, block: number): number => block - (length % block)

/** The count in the last byte, once it is between 1 and the block; without a branch on secret bytes that could be timed. */
function counted(last: Buffer, block: number, wrong: (byte: number, count: number, fromEnd: number) => number): number {
  const count = last[block - 1] ?? 0
  let bad = Number(count === 0) | Number(count > block)
  for (let fromEnd = 0; fromEnd < block; fromEnd++)
    bad |= Number(fromEnd < count) & Number(wrong(last[block - 1 - fromEnd] ?? 0, count, fromEnd) !== 0)
  if (bad !== 0) throw failure()
  return block - count
}

/** Zeros, or what `fill` puts in, and then the count of all bytes added. */
function withCount(length: number, block: number, fill: (count: number) => Buffer): Buffer {
  const count = missing(length, block)
  const bytes = fill(count)
  bytes[count - 1] = count
  return bytes
}

const PADDINGS: Readonly<Record<string, Padding>> = {
  None: {
    pad(length, block) {
      if (length % block !== 0) throw new CryptoError('invalid', `without padding the data must be a multiple of ${block} bytes`)
      return Buffer.alloc(0)
    },
    unpad: last => last.length,
  },
  PKCS5: {
    pad: (length, block) => Buffer.alloc(missing(length, block), missing(length, block)),
    unpad: (last, block) => counted(last, block, (byte, count) => byte ^ count),
  },
  ANSIX9_23: {
    pad: (length, block) => withCount(length, block, count => Buffer.alloc(count)),
    unpad: (last, block) => counted(last, block, (byte, _count, fromEnd) => (fromEnd === 0 ? 0 : byte)),
  },
  ISO10126: {
    pad: (length, block) => withCount(length, block, randomBytes),
    unpad: (last, block) => counted(last, block, () => 0),
  },
  // The last byte counts the padding before it, so that it runs from 0 to block - 1; the rest may be anything.
  SSL3: {
    pad(length, block) {
      const bytes = randomBytes(missing(length, block))
      bytes[bytes.length - 1] = bytes.length - 1
      return bytes
    },
    unpad(last, block) {
      const count = last[block - 1] ?? block
      if (count >= block) throw failure()
      return block - 1 - count
    },
  },
  // Whole blocks get none, so at most block - 1 zeros were added; trailing zeros of the message itself are lost, as the method has it.
  Zeros: {
    pad: (length, block) => Buffer.alloc(missing(length, block) % block),
    unpad(last, block) {
      let length = last.length
      while (length > last.length - (block - 1) && last[length - 1] === 0) length--
      return length
    },
  },
}

/** The padding of a Padding Method; absent: None. @throws CryptoError `unsupported` */
export const paddingRow = (method: string | undefined): Padding => lookup(PADDINGS, method ?? 'None', 'Padding Method')
