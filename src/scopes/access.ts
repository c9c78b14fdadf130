import { fingerprint } from '../pki/authority.ts'
import { type Certificate, parseCertificate } from '../pki/certificate.ts'
import { PkiError } from '../pki/error.ts'
import type { Registry } from './registry.ts'
import { PLACE } from './rows.ts'

/** A certificate that was found good once; ask `peerOf` what it may do now. */
export interface Identity {
  /** Ids, as in the certificate. */
  readonly scope: string
  readonly role: string
  /** Decimal. */
  readonly serial: string
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly fingerprint: string
}

/** Why a certificate is not let in, for a log: what a client is told is somebody else's choice. */
export interface Refusal {
  readonly refused: 'malformed' | 'unknown' | 'revoked' | 'expired'
  readonly reason: string
}

/** Who sends a message, with what the role allows at this moment. */
export interface Client {
  /** Id of the scope, and partition of the objects that this client sees. */
  readonly scope: string
  readonly scopeName: string
  /** Name of the role. */
  readonly role: string
  /** Decimal. */
  readonly serial: string
  /** Whether the role allows an operation, by its KMIP XML name such as `CreateKeyPair`. */
  may(operation: string): boolean
}

/** A certificate that somebody else has parsed. */
export interface Presented {
  readonly ou: string
  readonly cn: string
  /** Decimal. */
  readonly serial: string
  /** SHA-256 of its DER in hex, with or without colons. */
  readonly fingerprint: string
}

const REVOKED: Refusal = { refused: 'revoked', reason: 'the certificate was revoked, or its role or scope deleted' }

function refusal(registry: Registry, bytes: Buffer): Refusal {
  let certificate: Certificate
  try {
    certificate = parseCertificate(bytes)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    return { refused: 'malformed', reason: error.message }
  }
  const [[scope = ''] = [], [role = '']] = [certificate.subject.values.OU, certificate.subject.values.CN ?? []]
  return unknown(registry, scope, role, certificate.serial)
}

function unknown(registry: Registry, scope: string, role: string, serial: string): Refusal {
  const who = `certificate ${serial} (OU=${scope}, CN=${role})`
  if (registry.row('scope', PLACE.scope(scope))?.state !== 'live') return { refused: 'unknown', reason: `${who}: its OU is no scope` }
  if (!registry.row('role', PLACE.role(scope, role))) return { refused: 'unknown', reason: `${who}: its CN is no role of the scope` }
  return { refused: 'unknown', reason: `${who}: not among the credentials of its role; it was revoked or never issued` }
}

/**
 * Who a certificate belongs to: the stored credential whose bytes are exactly these. A certificate of our CA that is not stored is refused.
 * @param certificate  DER, or its parts
 */
export async function identify(registry: Registry, certificate: Buffer | Presented, nowMs: number): Promise<Identity | Refusal> {
  if (!registry.isCurrent()) await registry.refresh()
  const digest = Buffer.isBuffer(certificate) ? fingerprint(certificate) : certificate.fingerprint.replaceAll(':', '').toLowerCase()
  const row = registry.credentialOf(digest)
  if (!row && Buffer.isBuffer(certificate)) return refusal(registry, certificate)
  if (!Buffer.isBuffer(certificate)) {
    const { ou, cn, serial } = certificate
    if (row?.serial !== serial || row.scope !== ou || row.role !== cn) return unknown(registry, ou, cn, serial)
  }
  if (!row) return REVOKED
  const identity = { scope: row.scope, role: row.role, serial: row.serial, fingerprint: row.fingerprint }
  const client = clientOf(registry, identity, nowMs)
  return 'refused' in client ? client : identity
}

function clientOf(registry: Registry, identity: Identity, nowMs: number): Client | Refusal {
  const { scope, role, serial } = identity
  const row = registry.credentialOf(identity.fingerprint)
  const place = PLACE.role(scope, role)
  const [scopeRow, roleRow, allowed] = [registry.row('scope', PLACE.scope(scope)), registry.row('role', place), registry.allowed(place)]
  if (row?.serial !== serial || scopeRow?.state !== 'live' || !roleRow || !allowed) return REVOKED
  if (nowMs > row.notAfterMs)
    return { refused: 'expired', reason: `certificate ${serial} ended at ${new Date(row.notAfterMs).toISOString()}` }
  return { scope, scopeName: scopeRow.name, role: roleRow.name, serial, may: operation => allowed.has(operation) }
}

/** The client of an identity at this moment: to be asked before each message, so that what changed counts at once. */
export async function peerOf(registry: Registry, identity: Identity, nowMs: number): Promise<Client | Refusal> {
  if (!registry.isCurrent()) await registry.refresh()
  return clientOf(registry, identity, nowMs)
}
