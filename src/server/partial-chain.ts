import { certificatesIn, parseCertificate, parseCertificatePem } from '../pki/certificate.ts'
import { isSignedBy } from '../pki/chain.ts'
import { PkiError } from '../pki/error.ts'

/**
 * What OpenSSL says in the end of a chain that is good up to an intermediate whose root it does not trust: that comes first, and whatever
 * else is wrong takes its place. (Node's servers cannot be told that chains may be partial, as those of Go are.)
 */
const WITHOUT_ROOT: ReadonlySet<unknown> = new Set(['UNABLE_TO_GET_ISSUER_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'])

/**
 * Whether all that the chain of a client lacks is what stands above one of our CAs.
 * @param problem      what OpenSSL found wrong
 * @param certificate  the client's, DER
 * @param authorities  PEM
 */
export function endsAtOneOf(authorities: readonly string[], problem: unknown, certificate: Buffer, at: Date): boolean {
  if (!WITHOUT_ROOT.has(problem)) return false
  try {
    return isSignedBy(parseCertificate(certificate), authorities.flatMap(certificatesIn).map(parseCertificatePem), at)
  } catch (error) {
    if (error instanceof PkiError) return false
    throw error
  }
}
