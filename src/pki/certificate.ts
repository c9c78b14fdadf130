import { type BaseBlock, GeneralizedTime, Integer, UTCTime } from 'asn1js'
import type { ENUM } from '../ttlv/enumerations.ts'
import * as der from './der.ts'
import { PkiError } from './error.ts'
import {
  type AlternativeName,
  type Extension,
  type KeyUsage,
  OID,
  parseAlternativeNames,
  parseConstraints,
  parseExtensions,
  parseKeyUsage,
} from './extensions.ts'
import { type Name, parseName } from './name.ts'
import { kmipSignatureAlgorithm } from './signatures.ts'

/** What an X.509 certificate says. Byte strings are views into the bytes that were parsed. */
export interface Certificate {
  readonly der: Buffer
  readonly lengthBytes: number
  /** The DER INTEGER, its tag and length included. */
  readonly serialNumber: Buffer
  /** The serial as a decimal number. */
  readonly serial: string
  readonly issuer: Name
  readonly subject: Name
  readonly issuerAlternativeNames: readonly AlternativeName[]
  readonly subjectAlternativeNames: readonly AlternativeName[]
  readonly notBefore: Date
  readonly notAfter: Date
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer
  /** KMIP's DigitalSignatureAlgorithm, where KMIP has the algorithm. */
  readonly signatureAlgorithm?: keyof typeof ENUM.DigitalSignatureAlgorithm
  readonly extensions: readonly Extension[]
  readonly authority: boolean
  /** How many CAs may stand between this one and a leaf; absent: any number. */
  readonly pathLength?: number
  /** Absent: the certificate does not restrict the use of its key. */
  readonly keyUsage?: ReadonlySet<KeyUsage>
  /** What was signed, with what, and the signature, for `signatureHolds`. */
  readonly signed: { readonly data: Buffer; readonly algorithm: Buffer; readonly signature: Buffer }
}

function dateOf(block: BaseBlock | undefined): Date {
  if (!(block instanceof UTCTime || block instanceof GeneralizedTime))
    throw new PkiError('malformed', 'a date of the certificate is missing or of another type')
  const date = block.toDate()
  if (Number.isNaN(date.getTime())) throw new PkiError('malformed', 'a date of the certificate is out of range')
  return date
}

/** Decimal number of a DER INTEGER's content; negative ones, which old CAs made, keep their sign. */
export function decimalOf(content: Buffer): string {
  const value = BigInt(`0x${content.toString('hex') || '0'}`)
  return (content[0]! & 0x80 ? value - (1n << BigInt(content.length * 8)) : value).toString()
}

/** Read a DER certificate. @throws PkiError `malformed` */
export function parseCertificate(bytes: Buffer): Certificate {
  const [toBeSigned, algorithm, signature] = der.inside(der.read(bytes, 'certificate'), 'certificate')
  const fields = [...der.inside(toBeSigned, 'certificate')]
  if (der.isContext(fields[0], 0)) fields.shift()
  const [serial, , issuer, validity, subject, spki, ...rest] = fields
  if (!toBeSigned || !algorithm || !signature || !(serial instanceof Integer) || !issuer || !subject || !spki)
    throw new PkiError('malformed', 'certificate: a part of it is missing')
  const [notBefore, notAfter] = der.inside(validity, 'validity')
  const wrapped = rest.find(block => der.isContext(block, 3))
  const [list] = wrapped ? der.inside(wrapped, 'extensions') : []
  const extensions = list ? parseExtensions(list) : []
  const extension = (oid: string): Extension | undefined => extensions.find(row => row.oid === oid)
  const algorithmId = der.dotted(der.inside(algorithm, 'signature algorithm')[0], 'signature algorithm')
  const kmip = kmipSignatureAlgorithm(algorithmId)
  const usage = parseKeyUsage(extension(OID.keyUsage))
  return {
    der: bytes,
    lengthBytes: bytes.length,
    serialNumber: der.raw(serial),
    serial: decimalOf(der.content(serial)),
    issuer: parseName(issuer),
    subject: parseName(subject),
    issuerAlternativeNames: parseAlternativeNames(extension(OID.issuerAlternativeName)),
    subjectAlternativeNames: parseAlternativeNames(extension(OID.subjectAlternativeName)),
    notBefore: dateOf(notBefore),
    notAfter: dateOf(notAfter),
    spki: der.raw(spki),
    ...(kmip ? { signatureAlgorithm: kmip } : {}),
    extensions,
    ...parseConstraints(extension(OID.basicConstraints)),
    ...(usage ? { keyUsage: usage } : {}),
    signed: { data: der.raw(toBeSigned), algorithm: der.raw(algorithm), signature: der.content(signature).subarray(1) },
  }
}

/** Read the first certificate of a PEM text. @throws PkiError `malformed` */
export const parseCertificatePem = (pem: string): Certificate => parseCertificate(der.fromPem(pem, 'CERTIFICATE'))

/** The certificates in a PEM text, each without a line end. */
export const certificatesIn = (pem: string): readonly string[] =>
  pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []

export const certificatePem = (bytes: Uint8Array): string => der.toPem('CERTIFICATE', bytes)
