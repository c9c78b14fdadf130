import { createHash, type KeyObject } from 'node:crypto'
import { authorityConstraints, type Extension, extendedKeyUsage, keyUsage, subjectAlternativeNames } from './extensions.ts'
import { type Issuer, issueCertificate } from './issue.ts'
import { generateKey, type KeySpec, spkiOf } from './keys.ts'
import { encodeName } from './name.ts'

const DAY_MS = 86_400_000
const AUTHORITY_MS = 3650 * DAY_MS
/** Clients whose clock is a little behind must accept a certificate that was made just now. */
const BACK_DATED_MS = 30_000

/** A certificate, as DER, with its private key. */
export interface Certified {
  readonly certificate: Buffer
  readonly key: KeyObject
}

/** A root and the intermediate that signs all other certificates. */
export interface Authority {
  readonly root: Certified
  readonly intermediate: Certified
}

const names = (label: string) => ({
  root: encodeName([['CN', label]]),
  intermediate: encodeName([['CN', `${label}-intermediate`]]),
})

/** From a moment ago until then. */
export const validity = (nowMs: number, lengthMs: number) => ({
  notBefore: new Date(nowMs - BACK_DATED_MS),
  notAfter: new Date(nowMs + lengthMs),
})

/** SHA-256 of a certificate's DER, lower-case hex. */
export const fingerprint = (certificate: Uint8Array): string => createHash('sha256').update(certificate).digest('hex')

/**
 * Make a root and an intermediate CA, each with a new key.
 * @param label   the root's CN; the intermediate's has `-intermediate` after it
 * @param lifeMs  how long both are valid
 */
export async function makeAuthority(spec: KeySpec, label: string, nowMs: number, lifeMs = AUTHORITY_MS): Promise<Authority> {
  const [rootKey, intermediateKey] = await Promise.all([generateKey(spec), generateKey(spec)])
  const subjects = names(label)
  const signer: Issuer = { name: subjects.root, key: rootKey }
  const certify = (subject: Buffer, key: KeyObject, pathLength: number): Certified => ({
    certificate: issueCertificate(
      {
        subject,
        spki: spkiOf(key),
        ...validity(nowMs, lifeMs),
        extensions: [authorityConstraints(pathLength), keyUsage('keyCertSign', 'cRLSign')],
      },
      signer,
    ),
    key,
  })
  return { root: certify(subjects.root, rootKey, 10), intermediate: certify(subjects.intermediate, intermediateKey, 9) }
}

interface Leaf {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer
  readonly nowMs: number
  readonly lifeMs: number
}

function leaf(issuer: Issuer, subject: Buffer, { spki, nowMs, lifeMs }: Leaf, purpose: Extension, ...more: readonly Extension[]): Buffer {
  const usage = keyUsage('digitalSignature', 'keyEncipherment', 'keyAgreement')
  return issueCertificate({ subject, spki, ...validity(nowMs, lifeMs), extensions: [usage, purpose, ...more] }, issuer)
}

/** A client certificate whose subject is exactly OU = scope id, CN = role id. @returns DER */
export const issueClient = (issuer: Issuer, holder: { readonly scope: string; readonly role: string }, fields: Leaf): Buffer =>
  leaf(
    issuer,
    encodeName([
      ['OU', holder.scope],
      ['CN', holder.role],
    ]),
    fields,
    extendedKeyUsage('clientAuth'),
  )

/** A certificate for a listener, and for what the server tells its clients unasked; the first hostname is the CN. @returns DER */
export const issueServer = (
  issuer: Issuer,
  names: { readonly hostnames: readonly string[]; readonly ips: readonly string[] },
  fields: Leaf,
): Buffer =>
  leaf(
    issuer,
    encodeName([['CN', names.hostnames[0] ?? names.ips[0] ?? 'localhost']]),
    fields,
    extendedKeyUsage('serverAuth', 'clientAuth'),
    subjectAlternativeNames(names.hostnames, names.ips),
  )
