/** A term as the database has it. */
export interface Term {
  readonly value: Buffer
  /** No other record of the partition may claim it. */
  readonly isClaimed: boolean
}

const HEAD_BYTES = 4

/**
 * The terms of a record in one piece, each once, claims first: length in bytes * 2 + whether it is claimed (4 bytes), value. Like this
 * they travel to the writer, and like this they stand beside the record, so that a change of the record knows what to take out of the index.
 */
export function packTerms(terms: readonly Buffer[] = [], claims: readonly Buffer[] = []): Buffer {
  const distinct: Buffer[] = []
  const add = (value: Buffer): void => {
    if (!distinct.some(other => other === value || other.equals(value))) distinct.push(value)
  }
  claims.forEach(add)
  const claimed = distinct.length
  terms.forEach(add)
  let size = 0
  for (const value of distinct) size += HEAD_BYTES + value.length
  const packed = Buffer.allocUnsafe(size)
  let at = 0
  for (const [i, value] of distinct.entries()) {
    at = packed.writeUInt32BE(value.length * 2 + (i < claimed ? 1 : 0), at)
    at += value.copy(packed, at)
  }
  return packed
}

/** @returns views into `packed` */
export function unpackTerms(packed: Buffer): Term[] {
  const terms: Term[] = []
  for (let at = 0; at < packed.length; ) {
    const head = packed.readUInt32BE(at)
    const start = at + HEAD_BYTES
    at = start + (head >>> 1)
    terms.push({ value: packed.subarray(start, at), isClaimed: head % 2 === 1 })
  }
  return terms
}
