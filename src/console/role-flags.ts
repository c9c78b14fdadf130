/** The flags of a role as the grid shows them, and what a change of them sends. */

export type Grant = 'all' | 'none' | 'chosen'

export interface Flags {
  readonly grant: Grant
  /** Without their prefix: `create`. Empty unless `chosen`. */
  readonly chosen: ReadonlySet<string>
}

/** Operations by what people think of them. Vault's engine has the plain ones; the others are kmipd's own. */
export const GROUPS: readonly { readonly title: string; readonly flags: readonly string[] }[] = [
  {
    title: 'Make',
    flags: [
      'create',
      'create_key_pair',
      'register',
      'import',
      'derive_key',
      'rekey',
      'rekey_key_pair',
      'create_split_key',
      'join_split_key',
    ],
  },
  {
    title: 'Find and read',
    flags: ['locate', 'get', 'export', 'get_attributes', 'get_attribute_list', 'check', 'obtain_lease', 'get_usage_allocation'],
  },
  {
    title: 'Attributes',
    flags: [
      'add_attribute',
      'modify_attribute',
      'set_attribute',
      'adjust_attribute',
      'delete_attribute',
      'get_constraints',
      'set_constraints',
      'set_defaults',
    ],
  },
  { title: 'Life cycle', flags: ['activate', 'revoke', 'destroy', 'archive', 'recover'] },
  {
    title: 'Cryptography',
    flags: ['encrypt', 'decrypt', 'sign', 'signature_verify', 'mac', 'mac_verify', 'hash', 'rng_retrieve', 'rng_seed', 'pkcs_11'],
  },
  { title: 'Certificates', flags: ['certify', 'recertify', 'validate'] },
  {
    title: 'Conversation',
    flags: [
      'query',
      'discover_versions',
      'poll',
      'cancel',
      'query_asynchronous_requests',
      'process',
      'ping',
      'log',
      'interop',
      'put',
      'notify',
      'set_endpoint_role',
    ],
  },
  {
    title: 'Users and sessions',
    flags: [
      'login',
      'logout',
      'delegated_login',
      'create_user',
      'create_group',
      'create_credential',
      'obliterate',
      'deactivate',
      'reprovision',
    ],
  },
]

/** What a client of a database or a storage system usually asks for. */
export const USUAL: readonly string[] = [
  'activate',
  'create',
  'destroy',
  'discover_versions',
  'get',
  'get_attribute_list',
  'get_attributes',
  'locate',
  'query',
  'register',
  'revoke',
]

const PREFIX = 'operation_'

/** `create_key_pair` as a person reads it: `Create key pair`. */
export function titleOf(flag: string): string {
  const words = flag
    .replaceAll('_', ' ')
    .replace(/\b(mac|rng)\b/g, word => word.toUpperCase())
    .replace('pkcs 11', 'PKCS#11')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** The flags in an answer of the server, which names granted ones only. */
export function flagsOf(role: { readonly [flag: `operation_${string}`]: unknown }): Flags {
  if (role.operation_all === true) return { grant: 'all', chosen: new Set() }
  const granted = Object.entries(role).flatMap(([name, value]) =>
    name.startsWith(PREFIX) && value === true && name !== 'operation_none' ? [name] : [],
  )
  if (granted.length === 0) return { grant: 'none', chosen: new Set() }
  return { grant: 'chosen', chosen: new Set(granted.map(name => name.slice(PREFIX.length))) }
}

/** Flags in an answer that no group has, so that nothing granted is hidden. */
export const ungrouped = (flags: Flags): string[] => {
  const known = new Set(GROUPS.flatMap(group => group.flags))
  return [...flags.chosen].filter(flag => !known.has(flag)).sort()
}

/**
 * The fields to write so that a role which holds `before` holds `after`. The server merges what it is sent with what it has, but a stored
 * `all` or `none` is replaced by the flags that are sent.
 */
export function changeOf(before: Flags, after: Flags): Record<string, boolean> {
  const grant = after.grant === 'chosen' && after.chosen.size === 0 ? 'none' : after.grant
  if (grant !== 'chosen') return before.grant === grant ? {} : { [PREFIX + grant]: true }
  const kept = before.grant === 'chosen' ? before.chosen : new Set<string>()
  const added = [...after.chosen].filter(flag => !kept.has(flag)).map(flag => [PREFIX + flag, true] as const)
  const removed = [...kept].filter(flag => !after.chosen.has(flag)).map(flag => [PREFIX + flag, false] as const)
  return Object.fromEntries([...added, ...removed])
}
