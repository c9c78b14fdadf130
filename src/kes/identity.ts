import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { fromBase64 } from '../keystore/stored-key.ts'
import { parseCertificate } from '../pki/certificate.ts'
import { certificateRequired, KesError, severalCertificates } from './error.ts'

const API_KEY_PREFIX = 'kes:v1:'
const ED25519_PRIVATE = Buffer.from('302e020100300506032b657004220420', 'hex')
const SEED_BYTES = 32
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
const PEM_FRAME = /-----(?:BEGIN|END) CERTIFICATE-----/g

/** SHA-256 of a DER SubjectPublicKeyInfo, in lower-case hexadecimal digits. */
export const identityOfKey = (spki: Buffer): string => createHash('sha256').update(spki).digest('hex')
export const identityOf = (certificate: X509Certificate): string => identityOfKey(parseCertificate(certificate.raw).spki)

/**
 * What a client shows: its one certificate that is no CA's. It has to be the first, for the handshake proves the key of that one alone; the others
 * anybody may append. KES takes it from any place, so that there a CA of one's own in front of somebody's certificate is enough to be him.
 * @throws KesError
 */
export function certificateShown(certificates: readonly X509Certificate[]): X509Certificate {
  const [own, ...others] = certificates
  if (own === undefined || own.ca) throw certificateRequired()
  // OpenSSL takes none for a CA's whose key usage says that it signs no certificates; the extension of a CA is enough for KES.
  if (others.some(({ ca, raw }) => !ca && !parseCertificate(raw).authority)) throw severalCertificates()
  return own
}

/** An API key is the seed of an Ed25519 key. @returns nothing if the text is none */
export function identityOfApiKey(text: string): string | undefined {
  const bytes = fromBase64(text.startsWith(API_KEY_PREFIX) ? text.slice(API_KEY_PREFIX.length) : text)
  if (bytes?.length !== SEED_BYTES + 1 || bytes[0] !== 0) return undefined
  const key = createPrivateKey({ key: Buffer.concat([ED25519_PRIVATE, bytes.subarray(1)]), format: 'der', type: 'pkcs8' })
  return identityOfKey(createPublicKey(key).export({ type: 'spki', format: 'der' }))
}

/** @param seed 32 random bytes */
export const apiKeyOf = (seed: Buffer): string => `${API_KEY_PREFIX}${Buffer.concat([Buffer.of(0), seed]).toString('base64')}`

/**
 * The certificate that a TLS proxy saw and put into a header: PEM or DER in base64 (also between colons, as RFC 9440 has it),
 * percent-encoded or not. A plus sign is one.
 * @throws KesError
 */
export function forwardedCertificate(value: string): X509Certificate {
  const text = unescaped(value).trim()
  const pems = text.match(PEM_CERTIFICATE) ?? []
  if (pems.length > 1) throw new KesError(400, 'too many client certificates are present')
  // Proxies make spaces of the line ends in PEM.
  const der = fromBase64(
    (pems[0] ?? text)
      .replace(PEM_FRAME, '')
      .replace(/^:(.*):$/s, '$1')
      .replace(/\s/g, ''),
  )
  try {
    if (der !== undefined) return new X509Certificate(der)
  } catch (cause) {
    throw new KesError(400, 'invalid client certificate', { cause })
  }
  throw new KesError(400, 'invalid client certificate')
}

function unescaped(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch (error) {
    if (error instanceof URIError) return value
    throw error
  }
}
