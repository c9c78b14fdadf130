import * as der from './der.ts'
import { PkiError } from './error.ts'
import { type Extension, parseExtensions } from './extensions.ts'
import { parsePublicKey } from './keys.ts'
import { type Name, parseName } from './name.ts'
import { signatureHolds } from './signatures.ts'

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

/** What a PKCS#10 request asks for; its signature was checked. */
export interface CertificateRequest {
  readonly subject: Name
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer
  /** Extensions that it asks for; who signs decides which to grant. */
  readonly extensions: readonly Extension[]
}

/**
 * Read a DER request and check that who made it holds the private key.
 * @throws PkiError `malformed`; `unsupported` for a key or signature of an unknown kind; `untrusted` when the signature does not hold
 * Spec: RFC 2986 section 4
 */
export function parseRequest(bytes: Buffer): CertificateRequest {
  const [info, algorithm, signature] = der.inside(der.read(bytes, 'certificate request'), 'certificate request')
  const [, subject, key, attributes] = der.inside(info, 'certificate request')
  if (!info || !algorithm || !signature || !subject || !key) throw new PkiError('malformed', 'certificate request: a part of it is missing')
  const spki = der.raw(key)
  if (!signatureHolds(der.raw(algorithm), der.raw(info), der.content(signature).subarray(1), parsePublicKey(spki)))
    throw new PkiError('untrusted', 'the certificate request is not signed with the private key of the public key that it carries')
  const extensions: Extension[] = []
  if (attributes && der.content(attributes).length > 0)
    for (const attribute of der.inside(attributes, 'attributes of the request')) {
      const [type, values] = der.inside(attribute, 'attribute of the request')
      if (der.dotted(type, 'attribute of the request') !== EXTENSION_REQUEST) continue
      for (const list of der.inside(values, 'requested extensions')) extensions.push(...parseExtensions(list))
    }
  return { subject: parseName(subject), spki, extensions }
}

/** As `parseRequest`, from PEM. */
export const parseRequestPem = (pem: string): CertificateRequest =>
  parseRequest(der.fromPem(pem, 'CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'))
