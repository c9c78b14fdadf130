import type { Verdict } from './sqlite-units.ts'
import type { Change } from './store.ts'

/** A change without its bytes: lengths in bytes of what lies in the message's `bytes`, in this order. */
interface Outline {
  readonly partition: string
  readonly id: string
  readonly expect: number
  /** Absent: a deletion. */
  readonly body?: number
  readonly terms: readonly number[]
  readonly claims: readonly number[]
}

/** Units on their way to the writer. All bytes lie in one piece that moves to the other thread; small buffers are expensive to clone. */
export interface UnitsMessage {
  readonly units: readonly (readonly Outline[])[]
  readonly bytes: Uint8Array<ArrayBuffer>
}

export type ToWriter = UnitsMessage | 'close'

/** Verdicts for the oldest units that have none yet. */
export type FromWriter = readonly Verdict[]

export function packUnits(units: readonly (readonly Change[])[]): UnitsMessage {
  const parts: Buffer[] = []
  const lengths = (values: readonly Buffer[] = []): number[] =>
    values.map(value => {
      parts.push(value)
      return value.length
    })
  const outlines = units.map(unit =>
    unit.map(({ partition, id, expect, body, terms, claims }) => {
      const [length] = body ? lengths([body]) : []
      const outline = { partition, id, expect, terms: lengths(terms), claims: lengths(claims) }
      return length === undefined ? outline : { ...outline, body: length }
    }),
  )
  const total = parts.reduce((sum, part) => sum + part.length, 0)
  // Not from the shared pool, which cannot be moved.
  const bytes = Buffer.allocUnsafeSlow(total)
  let at = 0
  for (const part of parts) at += part.copy(bytes, at)
  return { units: outlines, bytes }
}

export function unpackUnits({ units, bytes }: UnitsMessage): Change[][] {
  let at = 0
  const next = (length: number): Buffer => {
    at += length
    return Buffer.from(bytes.buffer, bytes.byteOffset + at - length, length)
  }
  return units.map(unit =>
    unit.map(({ partition, id, expect, body: length, terms, claims }) => {
      const body = length === undefined ? undefined : next(length)
      const change = { partition, id, expect, terms: terms.map(next), claims: claims.map(next) }
      return body ? { ...change, body } : change
    }),
  )
}
