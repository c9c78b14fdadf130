import { claimsOf, indexTerms, statusMark } from '../objects/index-terms.ts'
import { ManagedObject } from '../objects/managed-object.ts'
import type { Terms } from '../seal/verify.ts'

/** A scope's id, which is the partition of its objects; partitions with other names have records that are not indexed. */
const SCOPE_ID = /^[0-9A-Za-z]{5}$/

/** The index terms that follow from the content of a record of whatever partition. @throws Error if the content cannot be read */
export function storedTerms(partition: string, id: string, body: Buffer): Terms {
  if (!SCOPE_ID.test(partition)) return { terms: [], claims: [] }
  const object = ManagedObject.fromBody(id, body, 1)
  const mark = statusMark(object)
  return { terms: indexTerms(object), claims: claimsOf(object), ...(mark !== undefined && { later: [mark] }) }
}
