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

/** A CA beside our own: one that was made here, or a corporate one whose certificates name scope and role in their subject. */
export interface NamedAuthorityRow {
  readonly kind: 'named-authority'
  readonly name: string
  readonly createdMs: number
  /** Made here: its kind of key and its life. Absent when it was imported. */
  readonly made?: { readonly type: 'ec' | 'rsa'; readonly bits: number; readonly ttlSeconds: number }
  /** PEM: intermediate and root, or what was imported, as it was written. */
  readonly pem: string
  /** How an imported one says who its clients are. */
  readonly mapping?: Mapping
}

/** Exactly one of each pair: a fixed name, or the attribute of the subject that has it. */
export interface Mapping {
  readonly scope_name?: string
  readonly scope_field?: MappingField
  readonly role_name?: string
  readonly role_field?: MappingField
}
export type MappingField = 'CN' | 'O' | 'OU' | 'UID'

/** A listener beside those of the configuration, by Vault's names. */
export interface ListenerRow {
  readonly kind: 'listener'
  readonly name: string
  /** Name of a CA that was made here. */
  readonly ca: string
  readonly address: string
  readonly server_hostnames: readonly string[]
  readonly server_ips: readonly string[]
  /** Names of CAs whose clients are let in too. */
  readonly additional_client_cas: readonly string[]
  /** Let in the clients of the CA of the configuration too. */
  readonly also_use_legacy_ca: boolean
  readonly tls_min_version: 'tls12' | 'tls13'
  readonly tls_max_version: '' | 'tls12' | 'tls13'
  /** Go's names with commas between them; for TLS 1.2. */
  readonly tls_cipher_suites: string
}

/** A KMIP engine at its path. Only the administration of the first one has these. */
export interface MountRow {
  readonly kind: 'mount'
  /** Eight hex digits, or `kmip` for the one that is there from the start. */
  readonly id: string
  /** With its slash: `kmip/`. */
  readonly path: string
  readonly uuid: string
  readonly createdMs: number
  /** Nobody has enabled it yet: it is there from the start. */
  readonly implicit: boolean
  readonly description: string
  readonly options: { readonly [name: string]: string } | null
  readonly local: boolean
  readonly seal_wrap: boolean
  readonly external_entropy_access: boolean
  readonly config: MountConfig
  readonly state: 'live' | 'deleting' | 'deleted'
}

/** Seconds; 0: the usual ones. Credentials of KMIP have no leases, so that these are kept for who asks for them. */
export interface MountConfig {
  readonly default_lease_ttl: number
  readonly max_lease_ttl: number
  readonly force_no_cache: boolean
  readonly listing_visibility: string
}

/** What the clients of a scope or of a role may use; what is absent is not limited. */
export interface LimitValues {
  readonly requestsPerSecond?: number
  /** Requests that may come at once after a pause; that of a second, unless told. */
  readonly burst?: number
  /** Objects that a scope may have; not for roles. */
  readonly maxObjects?: number
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
  readonly limits?: LimitValues
  /** Until when refused requests of its clients are traced. */
  readonly tracedUntilMs?: number
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
  /** Name of the CA that signs its certificates; absent: that of the configuration. */
  readonly ca?: string
  readonly limits?: LimitValues
}

/** A client certificate that is good; revoking one puts a `RevocationRow` in its place. */
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
  /** Name of the CA that signed it; absent: that of the configuration. */
  readonly ca?: string
}

/** What the revocation list of a CA says of a credential that was revoked, or went with its role or scope. */
export interface RevocationRow {
  readonly kind: 'revocation'
  /** Decimal. */
  readonly serial: string
  readonly revokedMs: number
  /** Of the certificate: some time after it there is nothing to say any more. */
  readonly notAfterMs: number
  /** Name of the CA that signed it; absent: that of the configuration. */
  readonly ca?: string
}

export type Row =
  | ConfigurationRow
  | AuthorityRow
  | NamedAuthorityRow
  | ListenerRow
  | MountRow
  | ScopeRow
  | RoleRow
  | CredentialRow
  | RevocationRow

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
  revocation: (serial: string): string => `revocation/${serial}`,
  namedAuthority: (name: string): string => `authority/${name}`,
  listener: (name: string): string => `listener/${name}`,
  mount: (id: string): string => `mount/${id}`,
  /** Of the CA of the configuration, or of a named one. */
  authoritySecret: (name = ''): string => (name === '' ? 'secret/authority' : `secret/authority/${name}`),
  /** Of the listeners of the configuration, or of a named one. */
  serverSecret: (name = ''): string => (name === '' ? 'secret/server' : `secret/server/${name}`),
} as const

export const isSecret = (place: string): boolean => place.startsWith('secret/')

const KINDS: ReadonlySet<unknown> = new Set([
  'configuration',
  'authority',
  'named-authority',
  'listener',
  'mount',
  'scope',
  'role',
  'credential',
  'revocation',
] satisfies Row['kind'][])

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
