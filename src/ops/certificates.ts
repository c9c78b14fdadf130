import { createPublicKey } from 'node:crypto'
import { CryptoError } from '../crypto/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { type Certificate, parseCertificate } from '../pki/certificate.ts'
import { PkiError } from '../pki/error.ts'
import type { Name } from '../pki/name.ts'
import { attributeOfTag } from '../ttlv/attributes.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { bytes, child, enumeration, type Item, integer, structure, TYPE, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { factsOfKey } from './key-facts.ts'

const { ObjectType, CertificateType, DigitalSignatureAlgorithm } = ENUM

/**
 * Attributes that a certificate tells about itself, in the forms of all versions: the dialect leaves out what a version lacks.
 * A certificate that the server cannot read is kept all the same, and has only its type and length.
 * Spec: KMIP 1.4 section 3.8 to 3.16, 2.1 section 4.7
 */
/** Put on a certificate what it tells about itself, where the client did not say it. */
export function addCertificateFacts(object: ManagedObject): void {
  const { attributes } = object
  for (const fact of certificateFacts(object.type, object.object)) {
    const row = attributeOfTag(fact.tag)
    if (row?.multi === true || !attributes.has(fact.tag)) attributes.add(fact)
  }
}

function certificateFacts(objectType: number, object: Item | undefined): Item[] {
  if (objectType !== ObjectType.Certificate || !object) return []
  const type = child(object, TAG.CertificateType)
  const value = child(object, TAG.CertificateValue)
  if (type?.type !== TYPE.Enumeration || value?.type !== TYPE.ByteString) return []
  const facts: Item[] = [enumeration(TAG.CertificateType, type.value), integer(TAG.CertificateLength, value.value.length)]
  const certificate = type.value === CertificateType.X_509 ? tryParse(value.value) : undefined
  return certificate ? [...facts, ...x509Facts(certificate)] : facts
}

function tryParse(der: Buffer): Certificate | undefined {
  try {
    return parseCertificate(der)
  } catch (error) {
    if (error instanceof PkiError) return undefined
    throw error
  }
}

function x509Facts(certificate: Certificate): Item[] {
  const { issuer, subject, serialNumber, signatureAlgorithm, issuerAlternativeNames, subjectAlternativeNames } = certificate
  return [
    structure(TAG.X_509CertificateIdentifier, [
      bytes(TAG.IssuerDistinguishedName, issuer.der),
      bytes(TAG.CertificateSerialNumber, serialNumber),
    ]),
    structure(TAG.X_509CertificateIssuer, [
      bytes(TAG.IssuerDistinguishedName, issuer.der),
      ...issuerAlternativeNames.map(name => bytes(TAG.IssuerAlternativeName, name.der)),
    ]),
    structure(TAG.X_509CertificateSubject, [
      bytes(TAG.SubjectDistinguishedName, subject.der),
      ...subjectAlternativeNames.map(name => bytes(TAG.SubjectAlternativeName, name.der)),
    ]),
    structure(TAG.CertificateIdentifier, [text(TAG.Issuer, issuer.text), text(TAG.SerialNumber, serialText(serialNumber))]),
    structure(TAG.CertificateIssuer, [
      text(TAG.CertificateIssuerDistinguishedName, issuer.text),
      ...issuerAlternativeNames.map(name => text(TAG.CertificateIssuerAlternativeName, name.text)),
    ]),
    structure(TAG.CertificateSubject, [
      text(TAG.CertificateSubjectDistinguishedName, subject.text),
      ...subjectAlternativeNames.map(name => text(TAG.CertificateSubjectAlternativeName, name.text)),
    ]),
    ...nameParts('CertificateSubject', subject),
    ...nameParts('CertificateIssuer', issuer),
    ...(signatureAlgorithm === undefined
      ? []
      : [enumeration(TAG.DigitalSignatureAlgorithm, DigitalSignatureAlgorithm[signatureAlgorithm])]),
    ...publicKeyFacts(certificate),
  ]
}

/** The serial number as 1.0 clients write it: hexadecimal digits, without a sign byte. */
function serialText(serialNumber: Buffer): string {
  const digits = serialNumber.subarray(2)
  return (digits.length > 1 && digits[0] === 0 ? digits.subarray(1) : digits).toString('hex').toUpperCase()
}

/** One attribute for each part of a name that has one, from 2.0 on. */
function nameParts(prefix: 'CertificateSubject' | 'CertificateIssuer', name: Name): Item[] {
  return Object.entries(name.values).flatMap(([type, values]) => {
    const tag = TAG[`${prefix}${type}` as keyof typeof TAG]
    return tag === undefined ? [] : (values ?? []).map(value => text(tag, value))
  })
}

function publicKeyFacts(certificate: Certificate): Item[] {
  try {
    return factsOfKey(createPublicKey({ key: certificate.spki, format: 'der', type: 'spki' })).filter(
      fact => fact.tag !== TAG.CryptographicDomainParameters,
    )
  } catch (error) {
    // A key that neither OpenSSL nor KMIP knows says nothing about itself; all else of the certificate is told.
    if (
      error instanceof CryptoError ||
      (error instanceof Error && 'opensslErrorStack' in error) ||
      (error as NodeJS.ErrnoException).code?.startsWith('ERR_')
    )
      return []
    throw error
  }
}
