import type { KeyObject } from 'node:crypto'
import { fingerprint } from '../pki/authority.ts'
import { parseCertificatePem } from '../pki/certificate.ts'
import { generateKey, parsePublicKey, spkiOf } from '../pki/keys.ts'
import type { RecordChange } from '../seal/records.ts'
import { configurationOf, ensureAuthority, signerOf } from './authorities.ts'
import { certify, checkKey, revocation } from './credentials.ts'
import { ScopeError } from './error.ts'
import type { Registry } from './registry.ts'
import { clientSpec } from './roles.ts'
import { type CredentialRow, PLACE, type RoleRow } from './rows.ts'

/** Whose credential: the partition of its objects, and the serial number of its certificate, decimal. */
export interface Holder {
  readonly scope: string
  readonly serial: string
}

/** What the next credential is to be; nothing: one with a key that is made here. */
export interface Wish {
  /** SubjectPublicKeyInfo (DER) of the next key. */
  readonly spki?: Buffer
  /** DER of a certificate of ours that the same role has already. */
  readonly certificate?: Buffer
}

/** What is to be committed so that one credential takes the place of another. */
export interface Replacement {
  /** DER. */
  readonly certificate: Buffer
  /** Of the certificate, where it was made here; it is kept nowhere. */
  readonly key?: KeyObject
  readonly changes: readonly RecordChange[]
}

/**
 * Plan the end of a client's credential and the next one in its place, for the same role.
 * @returns nothing if nobody here has this credential
 * @throws ScopeError `invalid`: the wish cannot be granted
 */
export async function planReplacement(registry: Registry, holder: Holder, wish: Wish, nowMs: number): Promise<Replacement | undefined> {
  await registry.refresh()
  const old = registry.row('credential', PLACE.credential(holder.serial))
  const role = old && registry.row('role', PLACE.role(old.scope, old.role))
  if (!role || registry.objectsOf(old.scope) !== holder.scope) return undefined
  const end = revocation(old, nowMs)
  if (wish.certificate) {
    const next = registry.credentialOf(fingerprint(wish.certificate))
    if (next?.scope !== old.scope || next.role !== old.role)
      throw new ScopeError('invalid', 'the certificate is no credential of this role; only certificates that were issued here can be used')
    if (next.serial === old.serial) throw new ScopeError('invalid', 'the certificate is the one that it is to replace')
    return { certificate: wish.certificate, changes: await registry.draft(end) }
  }
  const { row, key } = await issued(registry, role, wish.spki, nowMs)
  const changes = await registry.draft([...end, { place: PLACE.credential(row.serial), row }])
  return { certificate: parseCertificatePem(row.certificate).der, ...(key && { key }), changes }
}

async function issued(
  registry: Registry,
  role: RoleRow,
  spki: Buffer | undefined,
  nowMs: number,
): Promise<{ readonly row: CredentialRow; readonly key?: KeyObject }> {
  await ensureAuthority(registry, nowMs)
  const signer = await signerOf(registry, role.ca)
  if (spki) {
    checkKey(registry, role, parsePublicKey(spki), 'certificate request')
    return { row: certify(registry, role, spki, signer, nowMs) }
  }
  const key = await generateKey(clientSpec(role, configurationOf(registry)))
  return { row: certify(registry, role, spkiOf(key), signer, nowMs), key }
}
