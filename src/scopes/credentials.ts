import type { KeyObject } from 'node:crypto'
import { fingerprint, issueClient } from '../pki/authority.ts'
import { certificatePem, certificatesIn, parseCertificate, parseCertificatePem } from '../pki/certificate.ts'
import { fromPem } from '../pki/der.ts'
import { PkiError } from '../pki/error.ts'
import { generateKey, parsePublicKey, privateKeyDer, privateKeyPem, specOf, spkiOf } from '../pki/keys.ts'
import { parseRequestPem } from '../pki/request.ts'
import { configurationOf, ensureAuthority, type Signer, signerOf } from './authorities.ts'
import { ScopeError } from './error.ts'
import type { Registry, Update } from './registry.ts'
import { clientSpec, clientTtl } from './roles.ts'
import { type CredentialRow, PLACE, type RevocationRow, type RoleRow } from './rows.ts'

const FORMATS = ['pem', 'pem_bundle', 'der'] as const
export type Format = (typeof FORMATS)[number]

/** @throws ScopeError `invalid` */
export function formatOf(value: unknown): Format {
  const format = FORMATS.find(known => known === (value ?? 'pem_bundle'))
  if (!format) throw new ScopeError('invalid', `format must be one of ${FORMATS.join(', ')}, not ${JSON.stringify(value)}`)
  return format
}

/**
 * A credential as Vault answers. `pem`: PEM texts; `pem_bundle`: the same, but `certificate` holds private key, certificate and chain one
 * after another; `der`: DER as base64. No text ends in a line end.
 */
export interface CredentialAnswer {
  /** Intermediate, then root. */
  readonly ca_chain: readonly string[]
  readonly certificate: string
  /** Decimal. */
  readonly serial_number: string
  /** Only in the answer that made it: it is not kept. */
  readonly private_key?: string
}

/** What is known of a credential without its certificate. */
export interface CredentialInfo {
  readonly serial_number: string
  readonly createdMs: number
  readonly notAfterMs: number
}

/** A credential with the names it belongs to. */
export interface CredentialEntry extends CredentialInfo {
  readonly scope: string
  readonly role: string
}

const infoOf = ({ serial: serial_number, createdMs, notAfterMs }: CredentialRow): CredentialInfo => ({
  serial_number,
  createdMs,
  notAfterMs,
})

const base64OfPem = (pem: string): string => fromPem(pem, 'CERTIFICATE').toString('base64')

function answer(format: Format, row: CredentialRow, chain: readonly string[], key?: KeyObject): CredentialAnswer {
  const { certificate, serial: serial_number } = row
  if (format === 'der') {
    const secret = key ? { private_key: privateKeyDer(key).toString('base64') } : {}
    return { ca_chain: chain.map(base64OfPem), certificate: base64OfPem(certificate), serial_number, ...secret }
  }
  const secret = key ? { private_key: privateKeyPem(key) } : {}
  const bundle = [...Object.values(secret), certificate, ...chain].join('\n')
  return { ca_chain: chain, certificate: format === 'pem_bundle' ? bundle : certificate, serial_number, ...secret }
}

/** A row for a new certificate of a role. */
export function certify(registry: Registry, role: RoleRow, spki: Buffer, signer: Signer, nowMs: number): CredentialRow {
  const lifeMs = Math.min(clientTtl(role, configurationOf(registry)) * 1000, signer.notAfterMs - nowMs)
  const der = issueClient(signer.issuer, { scope: role.scope, role: role.id }, { spki, nowMs, lifeMs })
  const { serial, notAfter } = parseCertificate(der)
  return {
    kind: 'credential',
    serial,
    scope: role.scope,
    role: role.id,
    certificate: certificatePem(der),
    fingerprint: fingerprint(der),
    createdMs: nowMs,
    notAfterMs: notAfter.getTime(),
    ...(role.ca !== undefined && { ca: role.ca }),
  }
}

/** @throws ScopeError `invalid` for a public key that is not of the role's kind and size */
export function checkKey(registry: Registry, role: RoleRow, key: KeyObject, where: string): void {
  const spec = specOf(key)
  const wanted = clientSpec(role, configurationOf(registry))
  if (spec?.type === wanted.type && spec.bits === wanted.bits) return
  const got = spec ? `${spec.type} with ${spec.bits} bits` : 'of another kind'
  throw new ScopeError(
    'invalid',
    `the key of the ${where} is ${got}, and role ${role.name} asks for ${wanted.type} with ${wanted.bits} bits`,
  )
}

/** The role is looked up for each attempt: it may be deleted while a key is made. */
type FindRole = () => RoleRow

/** Make a key and a certificate for it. The key is in the answer and nowhere else. */
export async function generateCredential(registry: Registry, findRole: FindRole, format: Format, nowMs: number): Promise<CredentialAnswer> {
  await ensureAuthority(registry, nowMs)
  const key = await generateKey(clientSpec(findRole(), configurationOf(registry)))
  return registry.change(async () => {
    const role = findRole()
    const signer = await signerOf(registry, role.ca)
    const row = certify(registry, role, spkiOf(key), signer, nowMs)
    return { updates: [{ place: PLACE.credential(row.serial), row }], result: answer(format, row, signer.chain, key) }
  })
}

/**
 * Sign the key of a PKCS#10 request; nothing else of the request counts.
 * @throws ScopeError `invalid` when it is no request, is not signed with its own key, or its key is not of the role's kind and size
 */
export async function signRequest(
  registry: Registry,
  findRole: FindRole,
  csr: string,
  format: Format,
  nowMs: number,
): Promise<CredentialAnswer> {
  await ensureAuthority(registry, nowMs)
  const { spki } = asked(() => parseRequestPem(csr), 'csr')
  const key = asked(() => parsePublicKey(spki), 'csr')
  return registry.change(async () => {
    const role = findRole()
    checkKey(registry, role, key, 'csr')
    const signer = await signerOf(registry, role.ca)
    const row = certify(registry, role, spki, signer, nowMs)
    return { updates: [{ place: PLACE.credential(row.serial), row }], result: answer(format, row, signer.chain) }
  })
}

function asked<T>(read: () => T, field: string): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof PkiError)) throw cause
    throw new ScopeError('invalid', `${field}: ${cause.message}`, { cause })
  }
}

/** Credentials of a role, oldest first. */
export const credentialsOf = (registry: Registry, role: RoleRow): readonly CredentialInfo[] =>
  registry
    .rows('credential')
    .filter(row => row.scope === role.scope && row.role === role.id)
    .sort((a, b) => a.createdMs - b.createdMs || a.serial.localeCompare(b.serial))
    .map(infoOf)

/** Those of all scopes that live. */
export const allCredentials = (registry: Registry): readonly CredentialEntry[] =>
  registry.rows('credential').flatMap(row => {
    const scope = registry.row('scope', PLACE.scope(row.scope))
    const role = registry.row('role', PLACE.role(row.scope, row.role))
    return scope?.state === 'live' && role ? [{ scope: scope.name, role: role.name, ...infoOf(row) }] : []
  })

function credentialOf(registry: Registry, role: RoleRow, serial: string): CredentialRow {
  const row = registry.row('credential', PLACE.credential(serial.trim()))
  if (row?.scope !== role.scope || row.role !== role.id)
    throw new ScopeError('not-found', `role ${role.name} has no credential with serial number ${serial}`)
  return row
}

/** PEM of a CA's certificates; none of one that is gone. */
function chainOf(registry: Registry, ca: string | undefined): readonly string[] {
  if (ca !== undefined) return certificatesIn(registry.row('named-authority', PLACE.namedAuthority(ca))?.pem ?? '')
  const authority = registry.row('authority', PLACE.authority)
  return authority ? [authority.intermediate, authority.root] : []
}

/** A stored credential. @throws ScopeError `not-found` */
export async function lookupCredential(registry: Registry, role: RoleRow, serial: string, format: Format): Promise<CredentialAnswer> {
  const row = credentialOf(registry, role, serial)
  return answer(format, row, chainOf(registry, row.ca))
}

/** The end of a credential: no message of it is answered any more, and its CA's revocation list says so. */
export function revocation({ serial, ca, notAfterMs }: CredentialRow, nowMs: number): readonly Update[] {
  const row: RevocationRow = { kind: 'revocation', serial, revokedMs: nowMs, notAfterMs, ...(ca !== undefined && { ca }) }
  return [{ place: PLACE.credential(serial) }, { place: PLACE.revocation(serial), row }]
}

/**
 * Revoke a credential, found by exactly one of its serial number and its certificate (PEM).
 * @throws ScopeError `not-found`; `invalid` for both or neither, and for what is no certificate
 */
export function revokeCredential(
  registry: Registry,
  findRole: FindRole,
  by: { readonly serial_number?: string | undefined; readonly certificate?: string | undefined },
  nowMs: number,
): Promise<void> {
  const { serial_number, certificate } = by
  if ((serial_number === undefined) === (certificate === undefined))
    throw new ScopeError('invalid', 'name the credential by exactly one of serial_number and certificate')
  const parsed = certificate === undefined ? undefined : asked(() => parseCertificatePem(certificate), 'certificate')
  return registry.change(() => {
    const row = credentialOf(registry, findRole(), serial_number ?? parsed?.serial ?? '')
    if (parsed && fingerprint(parsed.der) !== row.fingerprint)
      throw new ScopeError('not-found', 'the certificate is not the stored one of this serial number')
    return { updates: revocation(row, nowMs), result: undefined }
  })
}
