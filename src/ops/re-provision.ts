import { createPublicKey } from 'node:crypto'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ScopeError } from '../scopes/error.ts'
import type { Replacement, Wish } from '../scopes/replacement.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { bytes, enumeration, structure } from '../ttlv/item.ts'
import { ReProvisionRequest } from '../ttlv/payloads/certificates.ts'
import { UniqueIdentifierResponse } from '../ttlv/payloads/objects.ts'
import { TAG } from '../ttlv/tags.ts'
import { addCertificateFacts } from './certificates.ts'
import { askedBy } from './certify.ts'
import type { Context } from './context.ts'
import { linkTo, makeObject, setLink } from './creation.ts'
import { keepPair } from './key-pair.ts'
import { operation } from './operation.ts'

const { ObjectType, CertificateType, LinkType } = ENUM

/**
 * Re-Provision: another client certificate for who asks, who cannot use the present one any more once this is stored. The new certificate,
 * and the key where it was made here, are objects of the scope. Spec: KMIP 2.1 section 6.1.48
 */
export const reProvision = operation({
  code: ENUM.Operation.ReProvision,
  name: 'ReProvision',
  since: 20,
  immediate: true,
  request: ReProvisionRequest,
  response: UniqueIdentifierResponse,
  async run({ certificateRequest, certificate }, context) {
    if (certificateRequest && certificate)
      throw new KmipError('InvalidMessage', 'a certificate request and a certificate cannot both be given')
    if (certificate && certificate.certificateType !== CertificateType.X_509)
      throw new KmipError('FeatureNotSupported', 'clients have X.509 certificates')
    const spki = certificateRequest && askedBy(certificateRequest)?.spki
    const replacement = await plan({ ...(spki && { spki }), ...(certificate && { certificate: certificate.certificateValue }) }, context)
    const kept = await keepCertificate(replacement.certificate, context)
    let answered = kept
    if (replacement.key) {
      const pair = { privateKey: replacement.key, publicKey: createPublicKey(replacement.key) }
      const { privateKey, publicKey } = await keepPair(pair, [], [], context)
      kept.attributes.add(linkTo(LinkType.PublicKeyLink, publicKey.id))
      setLink(publicKey, LinkType.CertificateLink, kept.id)
      answered = privateKey
    }
    for (const change of replacement.changes) context.unit.write(change)
    context.place(answered.id)
    return { uniqueIdentifier: answered.id }
  },
})

async function plan(wish: Wish, { environment, peer }: Context): Promise<Replacement> {
  try {
    const replacement = await environment.replace?.(peer, wish)
    if (replacement) return replacement
  } catch (error) {
    if (!(error instanceof ScopeError) || error.code !== 'invalid') throw error
    throw new KmipError('InvalidField', error.message)
  }
  throw new KmipError('PermissionDenied', 'the certificate of this client was not issued here; ask who issued it for another one')
}

async function keepCertificate(der: Buffer, context: Context): Promise<ManagedObject> {
  const object = structure(TAG.Certificate, [enumeration(TAG.CertificateType, CertificateType.X_509), bytes(TAG.CertificateValue, der)])
  const made = await makeObject(context, { type: ObjectType.Certificate, object, requested: [], serverMade: true })
  addCertificateFacts(made)
  return made
}
