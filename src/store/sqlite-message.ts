import { packTerms } from './sqlite-terms.ts'
import type { Verdict } from './sqlite-units.ts'
import type { Change } from './store.ts'

/** A change as the writer takes it. */
export interface PackedChange {
  readonly partition: string
  readonly id: string
  readonly expect: number
  /** Absent: a deletion. */
  readonly body?: Buffer
  /** By `packTerms`. */
  readonly terms: Buffer
}

export type Unit = readonly PackedChange[]

/**
 * Units on their way to the writer: few large values, since each object and each small buffer is expensive to clone.
 * `heads` has for each unit its count of changes, and for each change partition, id, expected revision, and the lengths in bytes of
 * body (-1: none) and terms, which lie one after the other in `bytes`.
 */
export interface UnitsMessage {
  readonly heads: readonly (string | number)[]
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Values of `heads` for each change. */
export const FIELDS_PER_CHANGE = 5

export type ToWriter = UnitsMessage | 'close'

/** Verdicts for the oldest units that have none yet; a number: so many were all stored. */
export type FromWriter = readonly Verdict[] | number

export const packChange = ({ partition, id, expect, body, terms, claims }: Change): PackedChange => {
  const place = { partition, id, expect, terms: packTerms(terms, claims) }
  return body ? { ...place, body } : place
}

export function packUnits(units: readonly (readonly Change[])[]): UnitsMessage {
  const heads: (string | number)[] = []
  const parts: Buffer[] = []
  let size = 0
  for (const unit of units) {
    heads.push(unit.length)
    for (const { partition, id, expect, body, terms, claims } of unit) {
      const packed = packTerms(terms, claims)
      heads.push(partition, id, expect, body ? body.length : -1, packed.length)
      if (body) parts.push(body)
      parts.push(packed)
      size += (body?.length ?? 0) + packed.length
    }
  }
  // Not from the shared pool, which cannot be moved to another thread.
  const bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  for (const part of parts) at += part.copy(bytes, at)
  return { heads, bytes }
}

export function unpackUnits({ heads, bytes }: UnitsMessage): Unit[] {
  let at = 0
  let used = 0
  const next = (length: number): Buffer => {
    at += length
    return Buffer.from(bytes.buffer, bytes.byteOffset + at - length, length)
  }
  const change = (): PackedChange => {
    const [partition, id, expect, body, terms] = heads.slice(used, used + FIELDS_PER_CHANGE) as [string, string, number, number, number]
    used += FIELDS_PER_CHANGE
    return body < 0 ? { partition, id, expect, terms: next(terms) } : { partition, id, expect, body: next(body), terms: next(terms) }
  }
  const units: Unit[] = []
  while (used < heads.length) units.push(Array.from({ length: heads[used++] as number }, change))
  return units
}
