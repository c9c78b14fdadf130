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
  /** By `packTerms`; absent: the record keeps those that it has. */
  readonly terms?: Buffer
}

export type Unit = readonly PackedChange[]

/**
 * Units on their way to the writer: few large values, since each object and each small buffer is expensive to clone.
 * `heads` has for each unit its count of changes, and for each change partition, id, expected revision, and the lengths in bytes of
 * body (-1: none) and terms (-1: kept), which lie one after the other in `bytes`.
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

export const packChange = ({ partition, id, expect, body, terms, claims, keepsTerms = false }: Change): PackedChange => ({
  partition,
  id,
  expect,
  ...(body && { body }),
  ...(!keepsTerms && { terms: packTerms(terms, claims) }),
})

/** A change of what was read, in this order. */
export const packedChange = (
  partition: string,
  id: string,
  expect: number,
  body: Buffer | undefined,
  terms: Buffer | undefined,
): PackedChange => ({ partition, id, expect, ...(body && { body }), ...(terms && { terms }) })

export function packUnits(units: readonly (readonly Change[])[]): UnitsMessage {
  const heads: (string | number)[] = []
  const parts: Buffer[] = []
  let size = 0
  for (const unit of units) {
    heads.push(unit.length)
    for (const { partition, id, expect, body, terms, claims, keepsTerms } of unit) {
      const packed = keepsTerms ? undefined : packTerms(terms, claims)
      heads.push(partition, id, expect, body ? body.length : -1, packed ? packed.length : -1)
      for (const part of [body, packed]) {
        if (part === undefined) continue
        parts.push(part)
        size += part.length
      }
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
  const next = (length: number): Buffer | undefined => {
    if (length < 0) return undefined
    at += length
    return Buffer.from(bytes.buffer, bytes.byteOffset + at - length, length)
  }
  const change = (): PackedChange => {
    const [partition, id, expect, body, terms] = heads.slice(used, used + FIELDS_PER_CHANGE) as [string, string, number, number, number]
    used += FIELDS_PER_CHANGE
    return packedChange(partition, id, expect, next(body), next(terms))
  }
  const units: Unit[] = []
  while (used < heads.length) units.push(Array.from({ length: heads[used++] as number }, change))
  return units
}
