/** A token. Its record is found by a keyed hash of the token, which itself is kept nowhere. */
export interface TokenRow {
  readonly kind: 'token'
  readonly accessor: string
  /** Identifier of the record of the token that made it; absent: an orphan. Without that record, or once it has expired, this one is dead. */
  readonly parent?: string
  readonly policies: readonly string[]
  /** Where it was made: `auth/token/create`, `auth/approle/login`. */
  readonly path: string
  readonly displayName: string
  readonly meta: Readonly<Record<string, string>> | null
  readonly createdMs: number
  readonly creationTtlSeconds: number
  /** Absent: it does not expire. */
  readonly expiresMs?: number
  /** 0: no bound of its own. */
  readonly explicitMaxSeconds: number
  /** 0: it is not periodic. */
  readonly periodSeconds: number
  /** Uses that are left; 0: any number. */
  readonly uses: number
  readonly renewable: boolean
  readonly renewedMs?: number
  /** Of `auth/token/roles`. */
  readonly role?: string
  /** `uuid` of the login method that gave it. */
  readonly mount?: string
  readonly boundCidrs: readonly string[]
}

/** A response that waits for the one use of its token, which is found by the same hash. */
export interface WrappedRow {
  readonly kind: 'wrapped'
  /** The whole body of the response. */
  readonly response: string
  /** Path that it answers. */
  readonly creationPath: string
  readonly createdMs: number
  readonly ttlSeconds: number
}

export interface PolicyRow {
  readonly kind: 'policy'
  readonly name: string
  readonly text: string
}

/** A way to log in. */
export interface AuthMountRow {
  readonly kind: 'auth'
  /** With its slash: `approle/`. */
  readonly path: string
  readonly type: string
  readonly accessor: string
  readonly uuid: string
  readonly description: string
  readonly defaultTtlSeconds: number
  readonly maxTtlSeconds: number
}

/** What a login method gives its tokens. */
export interface TokenSettings {
  readonly token_policies: readonly string[]
  /** Seconds, 0: the default. */
  readonly token_ttl: number
  readonly token_max_ttl: number
  readonly token_explicit_max_ttl: number
  readonly token_period: number
  readonly token_num_uses: number
  readonly token_no_default_policy: boolean
  readonly token_bound_cidrs: readonly string[]
  readonly token_type: string
}

/** A role of `auth/token/roles`. */
export interface TokenRoleRow {
  readonly kind: 'token-role'
  readonly name: string
  readonly allowed_policies: readonly string[]
  readonly disallowed_policies: readonly string[]
  /** Absent in rows of before there were such fields. */
  readonly allowed_policies_glob?: readonly string[]
  readonly disallowed_policies_glob?: readonly string[]
  readonly orphan: boolean
  readonly renewable: boolean
  readonly path_suffix: string
  readonly token_period: number
  readonly token_explicit_max_ttl: number
  readonly token_num_uses: number
  readonly token_no_default_policy: boolean
  readonly token_bound_cidrs: readonly string[]
}

export interface AppRoleRow {
  readonly kind: 'approle'
  /** `uuid` of the mount. */
  readonly mount: string
  readonly name: string
  readonly roleId: string
  readonly bind_secret_id: boolean
  readonly secret_id_bound_cidrs: readonly string[]
  readonly secret_id_num_uses: number
  readonly secret_id_ttl: number
  readonly settings: TokenSettings
}

/** A secret-id, found by a keyed hash of it. */
export interface SecretIdRow {
  readonly kind: 'secret-id'
  readonly mount: string
  readonly role: string
  readonly accessor: string
  readonly createdMs: number
  readonly ttlSeconds: number
  readonly expiresMs?: number
  /** 0: any number. */
  readonly uses: number
  readonly cidrs: readonly string[]
  readonly tokenCidrs: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
}

/** A certificate, or a CA of certificates, that may log in. */
export interface CertRow {
  readonly kind: 'cert'
  readonly mount: string
  readonly name: string
  /** PEM. */
  readonly certificate: string
  /** Absent in rows of before there was such a field. */
  readonly allowed_names?: readonly string[]
  readonly allowed_common_names: readonly string[]
  readonly allowed_dns_sans: readonly string[]
  readonly allowed_email_sans: readonly string[]
  readonly allowed_uri_sans: readonly string[]
  readonly allowed_organizational_units: readonly string[]
  readonly display_name: string
  readonly settings: TokenSettings
}

export interface UserRow {
  readonly kind: 'user'
  readonly mount: string
  readonly name: string
  /** Of scrypt, base64. */
  readonly salt: string
  readonly hash: string
  readonly settings: TokenSettings
}

export type Row = TokenRow | WrappedRow | PolicyRow | AuthMountRow | TokenRoleRow | AppRoleRow | SecretIdRow | CertRow | UserRow
export type Kind = Row['kind']
export type RowOf<K extends Kind> = Extract<Row, { readonly kind: K }>

export const KINDS: ReadonlySet<string> = new Set([
  ...(['token', 'wrapped', 'policy', 'auth', 'token-role', 'approle', 'secret-id', 'cert', 'user'] satisfies Kind[]),
])
