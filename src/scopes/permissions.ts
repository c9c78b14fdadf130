import { ENUM } from '../ttlv/enumerations.ts'
import { ScopeError } from './error.ts'

const OPERATIONS = Object.keys(ENUM.Operation)

// Where Vault does not simply put an underscore before each capital; PKCS_11 has one already.
const IRREGULAR: { readonly [operation: string]: string } = {
  ReKey: 'rekey',
  ReKeyKeyPair: 'rekey_key_pair',
  ReCertify: 'recertify',
  ReProvision: 'reprovision',
  MACVerify: 'mac_verify',
  RNGRetrieve: 'rng_retrieve',
  RNGSeed: 'rng_seed',
}
const flagOf = (operation: string): string =>
  `operation_${IRREGULAR[operation] ?? operation.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase()}`

const BY_FLAG: ReadonlyMap<string, string> = new Map(OPERATIONS.map(operation => [flagOf(operation), operation]))
// Vault's documentation spells these otherwise than its server.
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['operation_create_keypair', 'operation_create_key_pair'],
  ['operation_rekey_keypair', 'operation_rekey_key_pair'],
])
const [ALL, NONE] = ['operation_all', 'operation_none']

/** Each flag that a role may hold: the two pseudo-operations, then one for each operation of KMIP, by Vault's names where Vault has it. */
export const FLAGS: readonly string[] = [ALL, NONE, ...BY_FLAG.keys()]

/** What a role allows, as it is stored. */
export interface Grants {
  readonly pseudo?: 'all' | 'none'
  readonly granted: readonly string[]
  /** With `all`: the flags that are left out. */
  readonly denied: readonly string[]
}

export const NO_GRANTS: Grants = { granted: [], denied: [] }

/** The flag that a field names, by either spelling; nothing for other fields. */
export function canonicalFlag(field: string): string | undefined {
  const flag = ALIASES.get(field) ?? field
  return flag === ALL || flag === NONE || BY_FLAG.has(flag) ? flag : undefined
}

/**
 * Write flags over what a role holds. Flags merge with the stored ones, but a stored pseudo-operation is replaced by what is
 * granted now. `operation_all` goes with flags that are false (all but those), and neither pseudo-operation with one that is true.
 * @param flags  canonical names
 * @throws ScopeError `invalid` for a forbidden mixture
 */
export function mergeGrants(stored: Grants, flags: ReadonlyMap<string, boolean>): Grants {
  if (flags.size === 0) return stored
  const ordinary = [...flags].filter(([flag]) => flag !== ALL && flag !== NONE)
  const granted = ordinary.filter(([, value]) => value).map(([flag]) => flag)
  const denied = ordinary.filter(([, value]) => !value).map(([flag]) => flag)
  const pseudo = flags.get(ALL) ? 'all' : flags.get(NONE) ? 'none' : undefined
  if (pseudo) {
    if (flags.get(ALL) && flags.get(NONE)) throw new ScopeError('invalid', `${ALL} and ${NONE} exclude each other`)
    if (granted.length > 0) throw new ScopeError('invalid', `operation_${pseudo} cannot be combined with ${granted.join(', ')}`)
    return { pseudo, granted: [], denied: pseudo === 'all' ? denied : [] }
  }
  const withdrawn = stored.pseudo !== undefined && flags.get(`operation_${stored.pseudo}`) === false
  if (stored.pseudo && granted.length === 0 && !withdrawn)
    return stored.pseudo === 'all' ? { ...stored, denied: [...new Set([...stored.denied, ...denied])] } : stored
  const kept = stored.pseudo ? [] : stored.granted.filter(flag => flags.get(flag) !== false)
  return { granted: [...new Set([...kept, ...granted])].sort(), denied: [] }
}

/** As Vault reads a role: the granted flags alone, each true. */
export function readGrants({ pseudo, granted }: Grants): { readonly [flag: string]: true } {
  return Object.fromEntries([...(pseudo ? [`operation_${pseudo}`] : []), ...granted].map(flag => [flag, true]))
}

/** The operations that the grants allow, by their KMIP XML names. */
export function allowedBy({ pseudo, granted, denied }: Grants): ReadonlySet<string> {
  if (pseudo === 'all') return new Set(OPERATIONS.filter(operation => !denied.includes(flagOf(operation))))
  return new Set(granted.map(flag => BY_FLAG.get(flag)).filter(operation => operation !== undefined))
}
