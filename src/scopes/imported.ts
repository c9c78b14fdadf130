import { createHash } from 'node:crypto'
import { type Certificate, certificatesIn, parseCertificate, parseCertificatePem } from '../pki/certificate.ts'
import { isSignedBy } from '../pki/chain.ts'
import { PkiError } from '../pki/error.ts'
import type { Registry } from './registry.ts'
import { type Mapping, type MappingField, PLACE, type RoleRow, type ScopeRow } from './rows.ts'

/** A certificate that an imported CA signed, with what it may be mapped by. */
export interface Imported {
  /** Name of the CA. */
  readonly ca: string
  /** SHA-256 of the CA's PEM: another CA by that name is another one. */
  readonly issuer: string
  readonly subject: { readonly [field in MappingField]?: readonly string[] }
  /** Decimal. */
  readonly serial: string
  readonly notAfterMs: number
}

const digestOf = (pem: string): string => createHash('sha256').update(pem).digest('hex')

/** The imported CA that signed a certificate (DER), if one did. @param admits names of the CAs that count; absent: all */
export function importedOf(registry: Registry, der: Buffer, nowMs: number, admits?: ReadonlySet<string>): Imported | undefined {
  const rows = registry.rows('named-authority').filter(({ name, made }) => made === undefined && (admits?.has(name) ?? true))
  if (rows.length === 0) return undefined
  let certificate: Certificate
  try {
    certificate = parseCertificate(der)
  } catch (error) {
    if (error instanceof PkiError) return undefined
    throw error
  }
  const at = new Date(nowMs)
  const row = rows.find(({ pem }) => isSignedBy(certificate, certificatesIn(pem).map(parseCertificatePem), at))
  if (!row) return undefined
  const { subject, serial, notAfter } = certificate
  return { ca: row.name, issuer: digestOf(row.pem), subject: subject.values, serial, notAfterMs: notAfter.getTime() }
}

/** What the subject has under a field, if it stands there exactly once: of two units nobody can say which is meant. */
const only = (values: readonly string[] | undefined): string | undefined => (values?.length === 1 ? values[0] : undefined)

function nameBy(mapping: Mapping, what: 'scope' | 'role', { subject }: Imported): string | undefined {
  const field = mapping[`${what}_field`]
  return field === undefined ? mapping[`${what}_name`] : only(subject[field])
}

/** Scope and role of such a certificate at this moment: the mapping may change, and either may go. */
export function placeOf(registry: Registry, imported: Imported): { readonly scope: ScopeRow; readonly role: RoleRow } | undefined {
  const row = registry.row('named-authority', PLACE.namedAuthority(imported.ca))
  if (!row?.mapping || digestOf(row.pem) !== imported.issuer) return undefined
  const [scopeName, roleName] = [nameBy(row.mapping, 'scope', imported), nameBy(row.mapping, 'role', imported)]
  const scope = scopeName === undefined ? undefined : registry.scopeNamed(scopeName)
  const role = scope && roleName !== undefined ? registry.roleNamed(scope.id, roleName) : undefined
  return scope && role && { scope, role }
}
