import type { X509Certificate } from 'node:crypto'
import { fitsGlob } from './globs.ts'
import type { CertRow } from './rows.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const MAX_CHAIN = 10

const isValidAt = (certificate: X509Certificate, nowMs: number): boolean =>
  nowMs >= Date.parse(certificate.validFrom) && nowMs <= Date.parse(certificate.validTo)

/**
 * Whether what a client showed in its handshake is the certificate of an entry, or leads to it if that is a CA. That the client holds the
 * key was proved in the handshake.
 * @param shown  leaf first, the others in any order
 */
export function leadsTo(shown: readonly X509Certificate[], trusted: X509Certificate, nowMs: number): boolean {
  const [leaf, ...others] = shown
  if (!leaf || !isValidAt(leaf, nowMs) || !isValidAt(trusted, nowMs) || !isForClients(leaf)) return false
  if (leaf.raw.equals(trusted.raw)) return true
  if (!trusted.ca) return false
  let current = leaf
  const left = others.slice(0, MAX_CHAIN)
  for (let step = 0; step <= MAX_CHAIN; step++) {
    if (isIssuer(trusted, current)) return true
    const at = left.findIndex(other => other.ca && isValidAt(other, nowMs) && isIssuer(other, current))
    if (at < 0) return false
    current = left.splice(at, 1)[0] ?? current
  }
  return false
}

const isIssuer = (issuer: X509Certificate, certificate: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)

const isForClients = ({ keyUsage }: X509Certificate): boolean => {
  // Node's name for the extended key usage; absent without the extension, whatever its type says.
  const usages: readonly string[] | undefined = keyUsage
  return usages === undefined || usages.length === 0 || usages.includes(CLIENT_AUTH)
}

/** Names in a certificate, by the attribute or kind: `CN`, `OU`, `DNS`, `email`, `URI`. */
export function namesIn(certificate: X509Certificate): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>()
  const add = (kind: string, name: string): void => {
    names.set(kind, [...(names.get(kind) ?? []), name])
  }
  for (const line of certificate.subject.split('\n')) {
    const at = line.indexOf('=')
    if (at > 0) add(line.slice(0, at), line.slice(at + 1))
  }
  // Node quotes a name that could be taken for several.
  for (const [, kind = '', quoted, plain] of (certificate.subjectAltName ?? '').matchAll(
    /(?:^|, )(\w[\w ]*):(?:"((?:[^"\\]|\\.)*)"|([^,]*))/g,
  ))
    add(kind, quoted === undefined ? (plain ?? '') : String(JSON.parse(`"${quoted}"`)))
  return names
}

const fits = (patterns: readonly string[], names: readonly string[] = []): boolean =>
  patterns.length === 0 || names.some(name => fitsGlob(patterns, name))

/** Whether the names in a certificate are those that an entry wants. */
export function namesFit(entry: CertRow, certificate: X509Certificate): boolean {
  const names = namesIn(certificate)
  return (
    fits(entry.allowed_names ?? [], [...(names.get('CN') ?? []), ...(names.get('DNS') ?? []), ...(names.get('email') ?? [])]) &&
    fits(entry.allowed_common_names, names.get('CN')) &&
    fits(entry.allowed_organizational_units, names.get('OU')) &&
    fits(entry.allowed_dns_sans, names.get('DNS')) &&
    fits(entry.allowed_email_sans, names.get('email')) &&
    fits(entry.allowed_uri_sans, names.get('URI'))
  )
}
