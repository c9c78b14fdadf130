import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { parseCertificate } from '../pki/certificate.ts'
import { verifyChain } from '../pki/chain.ts'
import { PkiError } from '../pki/error.ts'
import { keyUsage } from '../pki/extensions.ts'
import { issueCertificate } from '../pki/issue.ts'
import { parsePublicKey, spkiOf } from '../pki/keys.ts'
import { encodeName, type NameType } from '../pki/name.ts'
import { parseRequest } from '../pki/request.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { bytes, child, enumeration, type Item, structure, TYPE, tagName } from '../ttlv/item.ts'
import { CertifyRequest, ReCertifyRequest, ValidateRequest, ValidateResponse } from '../ttlv/payloads/certificates.ts'
import { UniqueIdentifierResponse } from '../ttlv/payloads/objects.ts'
import { CertificateRequest } from '../ttlv/payloads/structures.ts'
import { read, type Value } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { addCertificateFacts } from './certificates.ts'
import type { Context } from './context.ts'
import { linksOf, linkTo, makeObject, requestedAttributes, setLink } from './creation.ts'
import { asymmetricKey } from './key-material.ts'
import { operation } from './operation.ts'
import { requireStorage } from './protection-storage.ts'
import { inherit, tie } from './rekey.ts'

const { Operation, ObjectType, CertificateRequestType, CertificateType, LinkType, ValidityIndicator } = ENUM
const LIFE_DAYS = 365n
const DAY_SECONDS = 86_400n
/** A certificate whose holder's clock is a little behind must hold at once. */
const BACK_DATED_SECONDS = 30n
const MILLISECONDS = 1000
/** Attributes that follow from what a certificate says, and not from the one before. */
const OF_CONTENT: ReadonlySet<number> = new Set<number>([
  TAG.CertificateType,
  TAG.CryptographicAlgorithm,
  TAG.CryptographicLength,
  TAG.CryptographicDomainParameters,
  TAG.DigitalSignatureAlgorithm,
])

interface Asked {
  /** DER of the subject's name. */
  readonly subject: Buffer
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer
}
type Request = Pick<Value<typeof CertifyRequest>, 'certificateRequestType' | 'certificateRequestValue'>

/** Certify: a certificate for a public key, signed by the scope's certifying CA. Spec: KMIP 1.4 section 4.7, 2.1 section 6.1.6 */
export const certify = operation({
  code: Operation.Certify,
  name: 'Certify',
  since: 10,
  request: CertifyRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    requireStorage(request.protectionStorageMasks)
    const named =
      request.uniqueIdentifier !== undefined || !request.certificateRequestValue ? await context.read(request.uniqueIdentifier) : undefined
    if (named && named.type !== ObjectType.PublicKey && named.type !== ObjectType.CertificateRequest)
      throw new KmipError('InvalidObjectType', 'only a public key or a certificate request can be certified', { v1: 'PermissionDenied' })
    const publicKey = named?.type === ObjectType.PublicKey ? await context.unit.edit(named.id) : undefined
    const requested = await requestedAttributes([request.attributes], context)
    const asked = askedBy(request) ?? (publicKey ? await fromKey(publicKey, requested) : named && askedIn(named))
    if (!asked) throw new KmipError('MissingData', 'there is neither a public key nor a certificate request')
    const made = await issue(asked, requested, validityOf(requested, context), context)
    if (publicKey) {
      made.attributes.add(linkTo(LinkType.PublicKeyLink, publicKey.id))
      publicKey.attributes.add(linkTo(LinkType.CertificateLink, made.id))
      publicKey.touch(context.now())
    }
    context.place(made.id)
    return { uniqueIdentifier: made.id }
  },
})

/** Re-certify: a new certificate in the place of another. Spec: KMIP 1.4 section 4.8, 2.1 section 6.1.45 */
export const reCertify = operation({
  code: Operation.ReCertify,
  name: 'ReCertify',
  since: 10,
  request: ReCertifyRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    requireStorage(request.protectionStorageMasks)
    const old = await context.edit(request.uniqueIdentifier)
    if (old.type !== ObjectType.Certificate || !old.object)
      throw new KmipError('InvalidObjectType', 'only a certificate can be re-certified', { v1: 'PermissionDenied' })
    if (linksOf(old, LinkType.ReplacementObjectLink).length > 0)
      throw new KmipError('PermissionDenied', 'the certificate has been replaced already')
    const requested = await requestedAttributes([request.attributes], context)
    const { offset } = request
    const inherited = inherit(old, requested, offset, context).filter(item => requested.includes(item) || !OF_CONTENT.has(item.tag))
    const before = parsed(old.object)
    const asked = askedBy(request) ?? (await askedBefore(request, context)) ?? { subject: before.subject.der, spki: before.spki }
    const from = context.now() + BigInt(offset ?? 0)
    const length = BigInt(Math.max(1, Math.floor((before.notAfter.getTime() - before.notBefore.getTime()) / MILLISECONDS)))
    const validity = offset === undefined ? validityOf(requested, context) : { from, until: from + length }
    // Names go to the new certificate, as with Re-key.
    old.attributes.remove(TAG.Name)
    const made = await issue(asked, inherited, validity, context)
    for (const id of linksOf(old, LinkType.PublicKeyLink)) {
      made.attributes.add(linkTo(LinkType.PublicKeyLink, id))
      const publicKey = await context.unit.edit(id)
      setLink(publicKey, LinkType.CertificateLink, made.id)
      publicKey.touch(context.now())
    }
    await tie(old, made, context)
    context.place(made.id)
    return { uniqueIdentifier: made.id }
  },
})

/** Validate: whether certificates form a chain that holds at a date. Spec: KMIP 1.4 section 4.24, 2.1 section 6.1.57 */
export const validate = operation({
  code: Operation.Validate,
  name: 'Validate',
  since: 10,
  request: ValidateRequest,
  response: ValidateResponse,
  async run(request, context) {
    const items = request.certificate.map(one => one.certificateValue)
    for (const id of request.uniqueIdentifier) {
      const object = await context.read(id)
      const value = object.object && child(object.object, TAG.CertificateValue)
      if (object.type !== ObjectType.Certificate || value?.type !== TYPE.ByteString)
        throw new KmipError('InvalidObjectType', 'only certificates can be validated', { v1: 'InvalidMessage' })
      items.push(value.value)
    }
    if (items.length === 0) throw new KmipError('InvalidMessage', 'there is no certificate to validate')
    const at = dateOf(request.validityDate ?? context.now())
    try {
      const { validity } = verifyChain(items.map(parseCertificate), at)
      return { validityIndicator: ValidityIndicator[validity] }
    } catch (error) {
      if (error instanceof PkiError) return { validityIndicator: ValidityIndicator.Invalid }
      throw error
    }
  },
})

/** @throws KmipError Feature Not Supported, Invalid CSR */
export function askedBy({ certificateRequestType, certificateRequestValue }: Request): Asked | undefined {
  if (!certificateRequestValue) return undefined
  if (certificateRequestType === CertificateRequestType.PEM) return pkcs10(fromPem(certificateRequestValue))
  if (certificateRequestType !== undefined && certificateRequestType !== CertificateRequestType.PKCS_10)
    throw new KmipError('FeatureNotSupported', 'certificate requests are read as PKCS#10, in DER or PEM')
  return pkcs10(certificateRequestValue)
}

/** What a Certificate Request object asks for. @throws KmipError Invalid Object Type, Object Destroyed and as `askedBy` */
function askedIn(object: ManagedObject): Asked {
  if (object.type !== ObjectType.CertificateRequest) throw new KmipError('InvalidObjectType', 'the object is no certificate request')
  if (!object.object) throw new KmipError('ObjectDestroyed', 'the certificate request is destroyed')
  return askedBy(read(object.object, CertificateRequest))!
}

/** What the certificate request asks for that Re-certify names. Spec: KMIP 2.1 section 6.1.45 */
async function askedBefore(
  { certificateRequestUniqueIdentifier: id }: { certificateRequestUniqueIdentifier?: string | undefined },
  context: Context,
): Promise<Asked | undefined> {
  if (id === undefined) return undefined
  const object = await context.unit.read(id)
  context.checkUse(object)
  if (object.archived) throw new KmipError('ObjectArchived', 'the certificate request is archived; recover it first')
  return askedIn(object)
}

function pkcs10(der: Buffer): Asked {
  try {
    const { subject, spki } = parseRequest(der)
    return { subject: subject.der, spki }
  } catch (error) {
    if (error instanceof PkiError) throw new KmipError('InvalidCSR', `the certificate request cannot be used: ${error.message}`)
    throw error
  }
}

const fromPem = (pem: Buffer): Buffer => Buffer.from(pem.toString('latin1').replace(/-----[A-Z ]+-----/g, ''), 'base64')

/** Subject from the attributes of the request, key from the object. */
async function fromKey(publicKey: ManagedObject, requested: readonly Item[]): Promise<Asked> {
  const prefix = 'CertificateSubject'
  const parts = requested.flatMap(item => {
    const name = tagName(item.tag)
    return name.startsWith(prefix) && item.type === TYPE.TextString ? [[name.slice(prefix.length) as NameType, item.value] as const] : []
  })
  const spki = spkiOf(asymmetricKey(publicKey))
  return { subject: encodeName(parts.length > 0 ? parts : [['CN', publicKey.id]]), spki }
}

function parsed(object: Item | undefined) {
  const value = object && child(object, TAG.CertificateValue)
  if (value?.type !== TYPE.ByteString) throw new KmipError('InvalidObjectType', 'the object is no certificate', { v1: 'IllegalOperation' })
  try {
    return parseCertificate(value.value)
  } catch (error) {
    if (error instanceof PkiError) throw new KmipError('PermissionDenied', 'the certificate cannot be read, and so not be re-certified')
    throw error
  }
}

/** What the dates of a certificate can say, in seconds. Spec: RFC 5280 section 4.1.2.5 */
const CERTIFIABLE = { from: -631_152_000n, until: 253_402_300_799n } as const
const LATEST_MS = 8_640_000_000_000_000

/** A Date-Time as a Date; one beyond all that a Date can say is its last or first. */
const dateOf = (seconds: bigint): Date => new Date(Math.max(-LATEST_MS, Math.min(LATEST_MS, Number(seconds) * MILLISECONDS)))

function validityOf(requested: readonly Item[], context: Context): { from: bigint; until: bigint } {
  const date = (tag: number): bigint | undefined => {
    const value = requested.find(item => item.tag === tag)?.value
    return typeof value === 'bigint' ? value : undefined
  }
  const from = date(TAG.ActivationDate) ?? context.now() - BACK_DATED_SECONDS
  return { from, until: date(TAG.DeactivationDate) ?? from + LIFE_DAYS * DAY_SECONDS }
}

async function issue(
  asked: Asked,
  requested: readonly Item[],
  validity: { from: bigint; until: bigint },
  context: Context,
): Promise<ManagedObject> {
  const { issuer } = await context.environment.certifier.of(context.peer.scope)
  const { from, until } = validity
  if (from < CERTIFIABLE.from || until > CERTIFIABLE.until)
    throw new KmipError('InvalidAttributeValue', 'a certificate can begin in 1950 at the earliest, and end in 9999 at the latest')
  parsePublicKey(asked.spki)
  const extensions = [keyUsage('digitalSignature', 'keyEncipherment', 'keyAgreement')]
  const certificate = issueCertificate({ ...asked, notBefore: dateOf(from), notAfter: dateOf(until), extensions }, issuer)
  const object = structure(TAG.Certificate, [
    enumeration(TAG.CertificateType, CertificateType.X_509),
    bytes(TAG.CertificateValue, certificate),
  ])
  const attributes = requested.filter(item => !tagName(item.tag).startsWith('CertificateSubject'))
  const made = await makeObject(context, { type: ObjectType.Certificate, object, requested: attributes, serverMade: true })
  addCertificateFacts(made)
  return made
}
