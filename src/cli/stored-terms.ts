import { IDENTITIES, identityTerms } from '../admin/auth/identity-store.ts'
import { storedTerms as objectTerms } from '../ops/stored-terms.ts'
import type { Terms } from '../seal/verify.ts'

/** The index terms that follow from the content of a record of whatever partition. @throws Error if the content cannot be read */
export const storedTerms = (partition: string, id: string, body: Buffer): Terms =>
  partition === IDENTITIES ? { terms: identityTerms(id, body), claims: [] } : objectTerms(partition, id, body)
