import * as der from './der.ts'
import { encodeExtension, keyIdentifiers, OID } from './extensions.ts'
import type { Issuer } from './issue.ts'
import { keyIdentifier, spkiOf } from './keys.ts'
import { signatureWith } from './signatures.ts'

/** A certificate that is good no more. */
export interface Revoked {
  /** Decimal. */
  readonly serial: string
  readonly atMs: number
}

export interface RevocationListFields {
  /** Each list of an issuer has a higher one than the list before. */
  readonly number: number
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly revoked: readonly Revoked[]
}

const CRL_NUMBER = '2.5.29.20'

const magnitude = (decimal: string | number): Buffer => {
  const digits = BigInt(decimal).toString(16)
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
}

/**
 * Sign a certificate revocation list.
 * @returns its DER
 * @throws PkiError `unsupported` for a signing key that is not EC, RSA or of an Edwards curve
 * Spec: RFC 5280 section 5
 */
export function issueRevocationList({ number, thisUpdate, nextUpdate, revoked }: RevocationListFields, issuer: Issuer): Buffer {
  const signature = signatureWith(issuer.key)
  const own = keyIdentifier(spkiOf(issuer.key))
  const extensions = [
    ...keyIdentifiers(own, own).filter(({ oid }) => oid === OID.authorityKeyIdentifier),
    { oid: CRL_NUMBER, critical: false, value: der.unsigned(magnitude(number)) },
  ]
  const entries = revoked.map(({ serial, atMs }) => der.sequence(der.unsigned(magnitude(serial)), der.time(new Date(atMs))))
  const toBeSigned = der.sequence(
    der.unsigned(Buffer.of(1)),
    signature.algorithm,
    issuer.name,
    der.time(thisUpdate),
    der.time(nextUpdate),
    // An empty list of entries is left out.
    ...(entries.length > 0 ? [der.sequence(...entries)] : []),
    der.item(0xa0, der.sequence(...extensions.map(encodeExtension))),
  )
  return der.sequence(toBeSigned, signature.algorithm, signature.sign(toBeSigned))
}

/** @param list  DER */
export const revocationListPem = (list: Uint8Array): string => der.toPem('X509 CRL', list)
