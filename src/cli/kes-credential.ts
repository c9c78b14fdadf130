import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { fromBase64 } from '../keystore/stored-key.ts'
import { toPem } from '../pki/der.ts'
import { extendedKeyUsage, keyUsage, subjectAlternativeNames } from '../pki/extensions.ts'
import { issueCertificate } from '../pki/issue.ts'
import { spkiOf } from '../pki/keys.ts'
import { encodeName } from '../pki/name.ts'
import { KesCommandError } from './kes-error.ts'

const PREFIX = 'kes:v1:'
const SEED_BYTES = 32
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const DAY_MS = 86_400_000

/** A client's private key and its certificate, in PEM. */
export interface KesCredential {
  readonly key: string
  readonly cert: string
}

export interface CertificateWishes {
  readonly commonName: string
  readonly hostnames?: readonly string[]
  readonly ips?: readonly string[]
  readonly lifeMs?: number
  readonly purposes?: readonly ('clientAuth' | 'serverAuth')[]
}

export const isApiKey = (text: string): boolean => text.startsWith(PREFIX)
export const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey

/** The key that an API key stands for: its seed. @throws KesCommandError */
export function keyOfApiKey(text: string): KeyObject {
  const bytes = fromBase64(isApiKey(text) ? text.slice(PREFIX.length) : text)
  if (bytes === undefined) throw new KesCommandError('parsing API key: kes: invalid API key: illegal base64 data')
  if (bytes.length !== SEED_BYTES + 1) throw new KesCommandError('parsing API key: kes: invalid API key: invalid length')
  if (bytes[0] !== 0) throw new KesCommandError('parsing API key: kes: invalid API key: invalid key type')
  return createPrivateKey({ key: Buffer.concat([PKCS8, bytes.subarray(1)]), format: 'der', type: 'pkcs8' })
}

/** @param key an Ed25519 private key */
export function apiKeyOfKey(key: KeyObject): string {
  const seed = key.export({ format: 'der', type: 'pkcs8' }).subarray(-SEED_BYTES)
  return `${PREFIX}${Buffer.concat([Buffer.of(0), seed]).toString('base64')}`
}

/** A certificate that a key signs itself, in PEM. The server looks at its key alone. */
export function selfSigned(key: KeyObject, wishes: CertificateWishes): string {
  const { commonName, hostnames = [], ips = [], lifeMs = 90 * DAY_MS, purposes = ['clientAuth'] } = wishes
  const subject = encodeName(commonName === '' ? [] : [['CN', commonName]])
  const nowMs = Date.now()
  const serial = randomBytes(16)
  serial[0] = (serial[0] ?? 0) & 0x7f
  const certificate = issueCertificate(
    {
      subject,
      spki: spkiOf(key),
      serial,
      // A clock that is a minute behind shall not refuse it.
      notBefore: new Date(nowMs - 60_000),
      notAfter: new Date(nowMs + lifeMs),
      extensions: [
        keyUsage('digitalSignature'),
        extendedKeyUsage(...purposes),
        ...(hostnames.length + ips.length > 0 ? [subjectAlternativeNames(hostnames, ips)] : []),
      ],
    },
    { name: subject, key },
  )
  return `${toPem('CERTIFICATE', certificate)}\n`
}
