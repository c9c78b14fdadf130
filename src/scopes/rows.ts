import { StoreError } from '../store/store.ts'
import type { Configuration } from './configuration.ts'
import type { Grants } from './permissions.ts'

/** What was configured; fields that were never written are absent. */
export interface ConfigurationRow {
  readonly kind: 'configuration'
  readonly values: Partial<Configuration>
}

/** Our CA without its keys. */
export interface AuthorityRow {
  readonly kind: 'authority'
  readonly type: 'ec' | 'rsa'
  readonly bits: number
  /** PEM. */
  readonly root: string
  readonly intermediate: string
  /** CA certificates, PEM, that were ours before the kind of key changed: clients that they certified are still let in. */
  readonly former: readonly string[]
}

export interface ScopeRow {
  readonly kind: 'scope'
  /** Five base62 characters: OU of the certificates and partition of the objects; the row stays when the scope goes, so no id returns. */
  readonly id: string
  readonly name: string
  readonly createdMs: number
  /** Delete with its objects even when that is not said again. */
  readonly force: boolean
  /** `deleting`: nobody may use it any more, and what it held is being removed. */
  readonly state: 'live' | 'deleting' | 'deleted'
}

export interface RoleRow {
  readonly kind: 'role'
  /** Id of the scope. */
  readonly scope: string
  /** Five base62 characters: CN of the certificates. */
  readonly id: string
  readonly name: string
  readonly createdMs: number
  readonly grants: Grants
  /** These three: empty or 0 to inherit from the configuration. */
  readonly keyType: '' | 'ec' | 'rsa'
  readonly keyBits: number
  readonly ttlSeconds: number
}

/** A client certificate that is good; revoking one deletes its row. */
export interface CredentialRow {
  readonly kind: 'credential'
  /** Decimal. */
  readonly serial: string
  /** Ids. */
  readonly scope: string
  readonly role: string
  /** PEM. */
  readonly certificate: string
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string
  readonly createdMs: number
  readonly notAfterMs: number
}

export type Row = ConfigurationRow | AuthorityRow | ScopeRow | RoleRow | CredentialRow

/** The CA with its keys, all PEM; not kept in memory. */
export interface AuthoritySecret {
  readonly root: string
  readonly rootKey: string
  readonly intermediate: string
  readonly intermediateKey: string
}

/** The listener's certificate with its key, PEM, and what it was made for; not kept in memory. */
export interface ServerSecret {
  readonly certificate: string
  readonly key: string
  readonly intermediate: string
  readonly hostnames: readonly string[]
  readonly ips: readonly string[]
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Where each row is stored. */
export const PLACE = {
  configuration: 'configuration',
  authority: 'authority',
  scope: (id: string): string => `scope/${id}`,
  role: (scope: string, id: string): string => `role/${scope}/${id}`,
  credential: (serial: string): string => `credential/${serial}`,
  authoritySecret: 'secret/authority',
  serverSecret: 'secret/server',
} as const

export const isSecret = (place: string): boolean => place.startsWith('secret/')

const KINDS: ReadonlySet<unknown> = new Set(['configuration', 'authority', 'scope', 'role', 'credential'] satisfies Row['kind'][])

/** @throws StoreError `damaged` if the record was not written here, or by a newer version */
export function rowOf(body: Buffer): Row {
  const row: unknown = JSON.parse(body.toString('utf8'))
  if (typeof row !== 'object' || row === null || !('kind' in row) || !KINDS.has(row.kind))
    throw new StoreError(
      'damaged',
      'a record of the administration is of a kind that this version does not know; it may be older than the data',
    )
  return row as Row
}
