import { ENUM, ENUM_VERSIONS } from '../ttlv/enumerations.ts'
import type { Version } from '../ttlv/spec.ts'
import type { Operation } from './operation.ts'

// Which conformance profiles hold, judged by the operations that are registered for a version, and by the listeners: the encodings over HTTPS.
// What else a listener decides (Suite B) is not said here, and Complete Server is not claimed.

interface Family {
  /** Begins the names of its profiles: `KMIPV1_2` and the like follow up to 1.4, nothing from 2.0 on. */
  readonly name: RegExp
  /** Operations that the profile demands, and those from a version on. */
  readonly operations: readonly string[]
  readonly later?: readonly (readonly [since: Version, ...operations: string[]])[]
  /** There must be an HTTPS listener, which speaks all encodings. */
  readonly overHttps?: true
}

const BASELINE: Family = {
  name: /^BaselineServer/,
  operations: ['Register', 'Get', 'GetAttributes', 'GetAttributeList', 'AddAttribute', 'ModifyAttribute', 'DeleteAttribute', 'Locate'],
  later: [
    [10, 'Destroy', 'Activate', 'Revoke', 'Check', 'Query'],
    [11, 'DiscoverVersions'],
    [21, 'AdjustAttribute', 'SetAttribute', 'Export', 'Import', 'Log', 'SetEndpointRole'],
  ],
}
const FAMILIES: readonly Family[] = [
  BASELINE,
  { name: /^SymmetricKeyLifecycleServer/, operations: ['Create'] },
  { name: /^SymmetricKeyFoundry\w*Server/, operations: ['Create'] },
  { name: /^AsymmetricKeyLifecycleServer/, operations: ['CreateKeyPair'] },
  { name: /^BasicCryptographicServer/, operations: ['Encrypt', 'Decrypt'] },
  {
    name: /^AdvancedCryptographicServer/,
    operations: ['Encrypt', 'Decrypt', 'Sign', 'SignatureVerify', 'MAC', 'MACVerify', 'Hash', 'RNGRetrieve', 'RNGSeed'],
  },
  { name: /^RNGCryptographicServer/, operations: ['RNGRetrieve', 'RNGSeed'] },
  { name: /^OpaqueManagedObjectStoreServer/, operations: ['Register'] },
  { name: /^StorageArrayWithSelfEncryptingDriveServer/, operations: ['Register'] },
  { name: /^TapeLibraryServer/, operations: ['Create'] },
  { name: /^AESXTSServer/, operations: ['Create'] },
  { name: /^PKCS_11Server/, operations: ['PKCS_11'] },
  { name: /^(HTTPS|JSON|XML)Server/, operations: ['Query'], overHttps: true },
]

/** Number of a profile, and the version of the protocol that it is about. */
export interface Profile {
  readonly name: number
  readonly version: Version
}

const V1_SUFFIX = /KMIPV1_(\d)$/

/** Profiles that hold for a server with these operations, of the numbers that clients of `version` know. Every one rests on Baseline. */
export function profilesOf(operations: readonly Operation[], version: Version, hasHttps: boolean): Profile[] {
  const known = new Map(operations.map(one => [one.name, one]))
  const has = (name: string, at: Version): boolean => {
    const operation = known.get(name)
    return operation !== undefined && at >= operation.since
  }
  const holds = ({ operations, later = [] }: Family, at: Version): boolean =>
    operations.every(name => has(name, at)) && later.every(([since, ...names]) => at < since || names.every(name => has(name, at)))
  return Object.entries(ENUM.ProfileName).flatMap(([name, value]) => {
    const family = FAMILIES.find(one => one.name.test(name) && (hasHttps || !one.overHttps))
    const [since, until] = ENUM_VERSIONS.ProfileName?.[name] ?? [10, 30]
    const minor = V1_SUFFIX.exec(name)?.[1]
    const at = minor === undefined ? version : 10 + Number(minor)
    return family && version >= since && version <= until && holds(BASELINE, at) && holds(family, at) ? [{ name: value, version: at }] : []
  })
}
