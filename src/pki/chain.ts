import type { Certificate } from './certificate.ts'
import { PkiError } from './error.ts'
import { OID } from './extensions.ts'
import { parsePublicKey } from './keys.ts'
import { signatureHolds } from './signatures.ts'

/** KMIP's ValidityIndicator with the reason in words. */
export interface Verdict {
  readonly validity: 'Valid' | 'Invalid' | 'Unknown'
  readonly reason: string
}

const UNDERSTOOD: ReadonlySet<string> = new Set(Object.values(OID))

const invalid = (reason: string): Verdict => ({ validity: 'Invalid', reason })

function trouble(certificate: Certificate, issuer: Certificate, authoritiesBelow: number): Verdict | undefined {
  const [who, by] = [certificate.subject.text, issuer.subject.text]
  if (!issuer.authority) return invalid(`${by}, the issuer of ${who}, is not a CA`)
  if (issuer.keyUsage && !issuer.keyUsage.has('keyCertSign')) return invalid(`${by}, the issuer of ${who}, may not sign certificates`)
  if (issuer.pathLength !== undefined && authoritiesBelow > issuer.pathLength)
    return invalid(`${by} allows ${issuer.pathLength} CAs below it, and there are ${authoritiesBelow}`)
  try {
    const { algorithm, data, signature } = certificate.signed
    return signatureHolds(algorithm, data, signature, parsePublicKey(issuer.spki))
      ? undefined
      : invalid(`the signature of ${who} was not made by ${by}`)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    return { validity: 'Unknown', reason: error.message }
  }
}

/**
 * Verify one chain: who issued whom, signatures, dates, CA flags and path lengths. Revocation is not looked at.
 * @param certificates  of one chain, in any order
 * @param anchors       certificates that are trusted; none: a self-signed certificate in the chain is
 * @returns `Unknown` when an issuer is missing or an algorithm is not known
 * Spec: KMIP 1.4 section 4.24, RFC 5280 section 6.1
 */
export function verifyChain(certificates: readonly Certificate[], at: Date, anchors: readonly Certificate[] = []): Verdict {
  const issued = (by: Certificate, other: Certificate): boolean => by !== other && other.issuer.der.equals(by.subject.der)
  const selfIssued = (one: Certificate): boolean => one.issuer.der.equals(one.subject.der)
  const trusted = (one: Certificate): boolean => (anchors.length > 0 ? anchors.some(anchor => anchor.der.equals(one.der)) : selfIssued(one))
  const leaves = certificates.filter(one => !certificates.some(other => issued(one, other) && !one.der.equals(other.der)))
  const [first, second] = leaves
  if (!first) return invalid('there is no certificate at the end of a chain')
  if (second && !second.der.equals(first.der)) return invalid('the certificates do not form one chain')

  let current = first
  const seen = new Set<Certificate>()
  for (let authoritiesBelow = 0; ; authoritiesBelow++) {
    if (at < current.notBefore) return invalid(`${current.subject.text} is not valid before ${current.notBefore.toISOString()}`)
    if (at > current.notAfter) return invalid(`${current.subject.text} was valid until ${current.notAfter.toISOString()}`)
    const strange = current.extensions.find(({ critical, oid }) => critical && !UNDERSTOOD.has(oid))
    if (strange) return { validity: 'Unknown', reason: `critical extension ${strange.oid} of ${current.subject.text} is not understood` }
    seen.add(current)
    if (trusted(current)) {
      const wrong = selfIssued(current) ? selfSignature(current) : undefined
      return wrong ?? { validity: 'Valid', reason: `the chain ends at ${current.subject.text}, which is trusted` }
    }
    // A CA that was renewed has the name of its predecessor: the one whose signature holds is meant.
    const issuers = [...certificates, ...anchors].filter(other => !seen.has(other) && issued(other, current))
    const verdicts = issuers.map(issuer => trouble(current, issuer, authoritiesBelow))
    const issuer = issuers[verdicts.indexOf(undefined)]
    if (!issuer) return verdicts[0] ?? { validity: 'Unknown', reason: `no trusted issuer of ${current.subject.text} is known` }
    current = issuer
  }
}

/** Whether one of these CAs itself signed a certificate that is good at this time: what stands above the CA does not matter. */
export const isSignedBy = (certificate: Certificate, authorities: readonly Certificate[], at: Date): boolean =>
  authorities.some(
    issuer => issuer.subject.der.equals(certificate.issuer.der) && verifyChain([certificate, issuer], at, [issuer]).validity === 'Valid',
  )

/** A root is trusted for what it is, but a changed copy of one must not pass. */
function selfSignature(root: Certificate): Verdict | undefined {
  const { algorithm, data, signature } = root.signed
  try {
    return signatureHolds(algorithm, data, signature, parsePublicKey(root.spki))
      ? undefined
      : invalid(`the signature of ${root.subject.text} does not hold`)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    return { validity: 'Unknown', reason: error.message }
  }
}
