import type { StoredRecord } from '../store/stored-record.ts'
import { SEAL_PARTITION } from './header.ts'
import type { Keys } from './keys.ts'

export interface Terms {
  readonly terms: readonly string[]
  readonly claims: readonly string[]
  /** Some of `terms` that are missing where an older kmipd wrote the record. */
  readonly later?: readonly string[]
}

/** The index terms that follow from a record's content. @throws Error if the content cannot be read */
export type TermsOf = (partition: string, id: string, body: Buffer) => Terms

/** What is wrong with one record. */
export interface Problem {
  readonly partition: string
  readonly id: string
  readonly problem: string
}

/** @returns the record in clear, or what is wrong with it */
export function openStored({ partition, id, body }: StoredRecord, keys: Keys, termsOf: TermsOf): ({ body: Buffer } & Terms) | string {
  const content = keys.cipher.open(partition, id, body)
  if (!content) return 'was changed, moved or cut: it does not open'
  try {
    return { body: content, ...termsOf(partition, id, content) }
  } catch {
    return 'opens, but its content is none that this version of kmipd reads'
  }
}

/** @returns what is wrong with a record: its body, its terms or its claims; nothing: all is well */
export function problemOf(record: StoredRecord, keys: Keys, termsOf: TermsOf): Problem | undefined {
  const { partition, id } = record
  if (partition === SEAL_PARTITION) return undefined
  const opened = openStored(record, keys, termsOf)
  if (typeof opened === 'string') return { partition, id, problem: opened }
  const blinded = (values: readonly string[]): Set<string> =>
    new Set(values.map(value => keys.blinder.blind(partition, value).toString('hex')))
  const claims = blinded(opened.claims)
  const terms = new Set([...blinded(opened.terms), ...claims])
  const stored = { claims: hexSet(record.claims), terms: hexSet([...record.terms, ...record.claims]) }
  if (!same(claims, stored.claims)) return { partition, id, problem: 'its claims are not those that follow from its content' }
  const later = blinded(opened.later ?? [])
  const older = new Set([...terms].filter(term => !later.has(term)))
  if (!same(terms, stored.terms) && !same(older, stored.terms))
    return { partition, id, problem: 'its index terms are not those that follow from its content' }
  return undefined
}

const hexSet = (values: readonly Buffer[]): Set<string> => new Set(values.map(value => value.toString('hex')))
const same = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => a.size === b.size && [...a].every(value => b.has(value))
