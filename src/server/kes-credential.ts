import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import type { HttpCredential } from '../http/listener.ts'
import type { TlsSettings } from '../kes/settings.ts'
import { KesConfigError } from '../kes/yaml-reader.ts'
import { certificatePem } from '../pki/certificate.ts'
import { extendedKeyUsage, keyUsage, subjectAlternativeNames } from '../pki/extensions.ts'
import { issueCertificate } from '../pki/issue.ts'
import { generateKey, privateKeyPem, spkiOf } from '../pki/keys.ts'
import { encodeName } from '../pki/name.ts'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z]+ )?PRIVATE KEY-----/

export interface KesCredential extends HttpCredential {
  /** Those of `tls.ca`. */
  readonly trusted: readonly X509Certificate[]
  readonly endsMs: number
}

/** Read the files that KES's configuration names under `tls`. @throws KesConfigError, the system's error */
export function readKesCredential({ key, cert, password, ca, auth }: TlsSettings): KesCredential {
  const certificates = read(cert, 'TLS certificate').match(CERTIFICATE) ?? []
  const [first] = certificates
  if (first === undefined) throw new KesConfigError(`failed to read TLS certificate: there is no certificate in ${cert}`)
  const leaf = new X509Certificate(first)
  if (!/DNS:|IP Address:/.test(leaf.subjectAltName ?? ''))
    throw new KesConfigError('invalid TLS certificate: certificate does not contain any DNS or IP address as SAN')
  const privateKey = privateKeyOf(read(key, 'TLS private key'), key, password)
  if (!leaf.checkPrivateKey(privateKey)) throw new KesConfigError(`the private key in ${key} is not that of the certificate in ${cert}`)
  const authorities = ca === undefined ? [] : readAuthorities(ca)
  return {
    certificate: certificates.join('\n'),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    ...(auth && authorities.length > 0 && { authorities: [...rootCertificates, ...authorities] }),
    trusted: authorities.map(pem => new X509Certificate(pem)),
    endsMs: Date.parse(leaf.validTo),
  }
}

function privateKeyOf(text: string, file: string, password: string | undefined): KeyObject {
  const pem = PRIVATE_KEY.exec(text)?.[0]
  if (pem === undefined) throw new KesConfigError(`failed to read TLS private key: there is none in ${file}`)
  try {
    return createPrivateKey({ key: pem, ...(password !== undefined && { passphrase: password }) })
  } catch (cause) {
    throw new KesConfigError(`failed to read TLS private key: ${file} cannot be opened; is tls.password right?`, { cause })
  }
}

/** A file, or all files of a directory; each holds certificates and nothing else. */
function readAuthorities(place: string): string[] {
  const isDirectory = reading('TLS CA certificates', () => statSync(place).isDirectory())
  const files = isDirectory ? readdirSync(place).map(name => join(place, name)) : [place]
  return files.flatMap(file => {
    const found = read(file, 'TLS CA certificates').match(CERTIFICATE)
    if (found === null) throw new KesConfigError(`failed to read TLS CA certificates: there is no certificate in ${file}`)
    return [...found]
  })
}

const read = (file: string, what: string): string => reading(what, () => readFileSync(file, 'latin1'))

function reading<T>(what: string, use: () => T): T {
  try {
    return use()
  } catch (cause) {
    throw new KesConfigError(`failed to read ${what}`, { cause })
  }
}

const DAY_MS = 86_400_000

/** A self-signed certificate for this machine, for trying out. */
export async function ephemeralCredential(): Promise<KesCredential> {
  const key = await generateKey({ type: 'ec', bits: 256 })
  const subject = encodeName([['CN', 'localhost']])
  const endsMs = Date.now() + 30 * DAY_MS
  const certificate = issueCertificate(
    {
      subject,
      spki: spkiOf(key),
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(endsMs),
      extensions: [
        keyUsage('digitalSignature'),
        extendedKeyUsage('serverAuth'),
        subjectAlternativeNames(['localhost'], ['127.0.0.1', '::1']),
      ],
    },
    { name: subject, key },
  )
  return { certificate: certificatePem(certificate), key: privateKeyPem(key), trusted: [], endsMs }
}
