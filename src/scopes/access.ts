import { fingerprint } from '../pki/authority.ts'
import { type Certificate, parseCertificate } from '../pki/certificate.ts'
import { PkiError } from '../pki/error.ts'
import { type Imported, importedOf, placeOf } from './imported.ts'
import { type ClientLimits, limitsOf } from './limits.ts'
import type { Registry } from './registry.ts'
import { PLACE, type RoleRow, type ScopeRow } from './rows.ts'

/** A certificate that was found good once; ask `peerOf` what it may do now. */
export interface Identity {
  /** Ids, as in the certificate. */
  readonly scope: string
  readonly role: string
  /** Decimal. */
  readonly serial: string
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly fingerprint: string
  /** Name of the CA that signed it; empty: that of the configuration. */
  readonly ca: string
  /** Of a certificate that is not stored here: who an imported CA says that it belongs to. */
  readonly imported?: Imported
}

/** Why a certificate is not let in, for a log: what a client is told is somebody else's choice. */
export interface Refusal {
  readonly refused: 'malformed' | 'unknown' | 'revoked' | 'expired'
  readonly reason: string
}

/** Who sends a message, with what the role allows at this moment. */
export interface Client {
  /** Partition of the objects that this client sees: in the first mount the id of the scope. */
  readonly scope: string
  readonly scopeName: string
  /** Name of the role. */
  readonly role: string
  /** Decimal. */
  readonly serial: string
  /** Whether the role allows an operation, by its KMIP XML name such as `CreateKeyPair`. */
  may(operation: string): boolean
  readonly limits?: ClientLimits
  /** Its refused requests are to be traced. */
  readonly isTraced?: boolean
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
 * Who a certificate belongs to: the stored credential whose bytes are exactly these, or whom an imported CA that signed it says. A certificate
 * of a CA of ours that is not stored is refused.
 * @param certificate  DER, or its parts
 * @param admits       names of the CAs that count, empty for that of the configuration; absent: all
 */
export async function identify(
  registry: Registry,
  certificate: Buffer | Presented,
  nowMs: number,
  admits?: ReadonlySet<string>,
): Promise<Identity | Refusal> {
  if (!registry.isCurrent()) await registry.refresh()
  const digest = Buffer.isBuffer(certificate) ? fingerprint(certificate) : certificate.fingerprint.replaceAll(':', '').toLowerCase()
  const row = registry.credentialOf(digest)
  if (!row && Buffer.isBuffer(certificate)) return importedOrRefused(registry, certificate, digest, nowMs, admits)
  if (!Buffer.isBuffer(certificate)) {
    const { ou, cn, serial } = certificate
    if (row?.serial !== serial || row.scope !== ou || row.role !== cn) return unknown(registry, ou, cn, serial)
  }
  if (!row) return REVOKED
  const ca = row.ca ?? ''
  if (admits && !admits.has(ca)) return { refused: 'unknown', reason: `certificate ${row.serial} is of a CA that counts elsewhere` }
  const identity = { scope: row.scope, role: row.role, serial: row.serial, fingerprint: row.fingerprint, ca }
  const client = clientOf(registry, identity, nowMs)
  return 'refused' in client ? client : identity
}

/** The certificates of imported CAs are not stored: the CA itself says whose they are. */
function importedOrRefused(
  registry: Registry,
  certificate: Buffer,
  digest: string,
  nowMs: number,
  admits: ReadonlySet<string> | undefined,
): Identity | Refusal {
  const found = importedOf(registry, certificate, nowMs, admits)
  if (!found) return refusal(registry, certificate)
  const place = placeOf(registry, found)
  if (!place) return { refused: 'unknown', reason: `certificate ${found.serial} of CA ${found.ca} names no scope and role that are here` }
  const { scope, role } = place
  const identity = { scope: scope.id, role: role.id, serial: found.serial, fingerprint: digest, ca: found.ca, imported: found }
  const client = clientOf(registry, identity, nowMs)
  return 'refused' in client ? client : identity
}

interface Held {
  readonly scope: ScopeRow
  readonly role: RoleRow
  readonly notAfterMs: number
}

/** What an identity holds at this moment; nothing if it was revoked. */
function heldBy(registry: Registry, { scope, role, serial, fingerprint: digest, imported }: Identity): Held | undefined {
  if (imported) {
    const place = placeOf(registry, imported)
    return place && { ...place, notAfterMs: imported.notAfterMs }
  }
  const row = registry.credentialOf(digest)
  const [scopeRow, roleRow] = [registry.row('scope', PLACE.scope(scope)), registry.row('role', PLACE.role(scope, role))]
  if (row?.serial !== serial || scopeRow?.state !== 'live' || !roleRow) return undefined
  return { scope: scopeRow, role: roleRow, notAfterMs: row.notAfterMs }
}

function clientOf(registry: Registry, identity: Identity, nowMs: number): Client | Refusal {
  const { serial } = identity
  const held = heldBy(registry, identity)
  if (!held) return REVOKED
  if (nowMs > held.notAfterMs)
    return { refused: 'expired', reason: `certificate ${serial} ended at ${new Date(held.notAfterMs).toISOString()}` }
  return clientAs(registry, held, serial, nowMs)
}

/** Who acts for a role at this moment, be it by a certificate or not. @param serial of the certificate */
export function clientAs(registry: Registry, { scope, role }: Omit<Held, 'notAfterMs'>, serial: string, nowMs: number): Client {
  const allowed = registry.allowed(PLACE.role(role.scope, role.id))
  const partition = registry.objectsOf(scope.id)
  const limits = limitsOf(partition, scope, role)
  return {
    scope: partition,
    scopeName: scope.name,
    role: role.name,
    serial,
    may: operation => allowed?.has(operation) === true,
    ...(limits && { limits }),
    ...(scope.tracedUntilMs !== undefined && nowMs < scope.tracedUntilMs && { isTraced: true }),
  }
}

/** The client of an identity at this moment: to be asked before each message, so that what changed counts at once. */
export async function peerOf(registry: Registry, identity: Identity, nowMs: number): Promise<Client | Refusal> {
  if (!registry.isCurrent()) await registry.refresh()
  return clientOf(registry, identity, nowMs)
}
