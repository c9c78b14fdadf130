import type { KeySpec } from '../pki/keys.ts'
import { type Configuration, checkedSpec, keyTypeOf, usualBits } from './configuration.ts'
import { ScopeError } from './error.ts'
import { canonicalFlag, mergeGrants, readGrants } from './permissions.ts'
import type { RoleRow } from './rows.ts'
import { booleanOf, integerOf, secondsOf, textOf } from './values.ts'

const TLS_FIELDS = ['tls_client_key_type', 'tls_client_key_bits', 'tls_client_ttl', 'ca']

/** Whether a role has it; `operation_create_keypair` and `operation_rekey_keypair` are taken too. */
export const isRoleField = (field: string): boolean => canonicalFlag(field) !== undefined || TLS_FIELDS.includes(field)
/**
 * Write fields over a role; null leaves a field as it is.
 * @throws ScopeError `invalid` for an unknown field, a value that does not fit, or flags that exclude each other
 */
export function mergeRole(stored: RoleRow, fields: { readonly [field: string]: unknown }, configuration: Configuration): RoleRow {
  const flags = new Map<string, boolean>()
  let { keyType, keyBits, ttlSeconds, ca = '' } = stored
  for (const [field, value] of Object.entries(fields)) {
    if (value === null || value === undefined) continue
    const flag = canonicalFlag(field)
    if (flag) {
      const granted = booleanOf(field, value)
      if ((flags.get(flag) ?? granted) !== granted) throw new ScopeError('invalid', `${flag} is written both true and false`)
      flags.set(flag, granted)
    } else if (field === 'tls_client_key_type') keyType = textOf(field, value) === '' ? '' : keyTypeOf(field, value)
    else if (field === 'tls_client_key_bits') keyBits = integerOf(field, value)
    else if (field === 'tls_client_ttl') ttlSeconds = secondsOf(field, value)
    else if (field === 'ca') ca = textOf(field, value)
    else
      throw new ScopeError(
        'invalid',
        `"${field}" is not a field of a role; flags are named operation_… and the others ${TLS_FIELDS.join(', ')}`,
      )
  }
  const { ca: _old, ...rest } = stored
  const merged = { ...rest, grants: mergeGrants(stored.grants, flags), keyType, keyBits, ttlSeconds, ...(ca !== '' && { ca }) }
  clientSpec(merged, configuration)
  return merged
}

/** The key that a role's certificates have. @throws ScopeError `invalid` if role and configuration together name none that is made */
export function clientSpec(role: RoleRow, configuration: Configuration): KeySpec {
  const inherited = configuration.default_tls_client_key_type
  const type = role.keyType === '' ? inherited : role.keyType
  const bits = role.keyBits || (type === inherited ? configuration.default_tls_client_key_bits : usualBits(type))
  return checkedSpec(`role ${role.name}`, type, bits)
}

/** How long a role's certificates live, in seconds. */
export const clientTtl = (role: RoleRow, configuration: Configuration): number => role.ttlSeconds || configuration.default_tls_client_ttl

/** A role as Vault reads it: granted flags, each true, the three TLS fields with the TTL in seconds, and its CA if it names one. */
export interface RoleAnswer {
  readonly ca?: string
  readonly tls_client_key_bits: number
  readonly tls_client_key_type: '' | 'ec' | 'rsa'
  readonly tls_client_ttl: number
  readonly [flag: `operation_${string}`]: true
}

export const readRole = (role: RoleRow): RoleAnswer => ({
  ...readGrants(role.grants),
  tls_client_key_bits: role.keyBits,
  tls_client_key_type: role.keyType,
  tls_client_ttl: role.ttlSeconds,
  ...(role.ca !== undefined && { ca: role.ca }),
})
