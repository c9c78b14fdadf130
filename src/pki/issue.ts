import { type KeyObject, randomBytes } from 'node:crypto'
import * as der from './der.ts'
import { type Extension, encodeExtension, keyIdentifiers } from './extensions.ts'
import { keyIdentifier, spkiOf } from './keys.ts'
import { signatureWith } from './signatures.ts'

/** Who signs: the subject of the signing certificate, as DER, and its private key. */
export interface Issuer {
  readonly name: Buffer
  readonly key: KeyObject
}

export interface CertificateFields {
  /** DER of the subject's Name, as `encodeName` makes it or as a request carried it. */
  readonly subject: Buffer
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  /** Without the two key identifiers, which are always added. */
  readonly extensions: readonly Extension[]
  /** Big-endian magnitude; random when absent. */
  readonly serial?: Buffer
}

/** 159 random bits: positive and within the 20 octets that a serial may have. Spec: RFC 5280 section 4.1.2.2 */
function randomSerial(): Buffer {
  const serial = randomBytes(20)
  serial[0] = serial[0]! & 0x7f
  return serial
}

/**
 * Sign a version 3 certificate.
 * @returns its DER
 * @throws PkiError `unsupported` for a signing key that is not EC, RSA or of an Edwards curve
 * Spec: RFC 5280 section 4.1
 */
export function issueCertificate(fields: CertificateFields, issuer: Issuer): Buffer {
  const signature = signatureWith(issuer.key)
  const identifiers = keyIdentifiers(keyIdentifier(fields.spki), keyIdentifier(spkiOf(issuer.key)))
  const toBeSigned = der.sequence(
    der.item(0xa0, der.unsigned(Buffer.of(2))),
    der.unsigned(fields.serial ?? randomSerial()),
    signature.algorithm,
    issuer.name,
    der.sequence(der.time(fields.notBefore), der.time(fields.notAfter)),
    fields.subject,
    fields.spki,
    der.item(0xa3, der.sequence(...[...fields.extensions, ...identifiers].map(encodeExtension))),
  )
  return der.sequence(toBeSigned, signature.algorithm, signature.sign(toBeSigned))
}
