import type { Mount, Mounts } from '../../scopes/mounts.ts'
import type { Sockets } from '../kmip/engine.ts'
import type { Caller, Mounted } from '../route.ts'

/**
 * The version of Vault whose API this is. Terraform goes by it: from 2.0.0 on it offers named CAs and listeners, and `ent` in the build says that
 * there is a KMIP engine at all.
 */
export const VAULT_VERSION = '2.0.0+ent'

/** What the routes of `sys/` about the server itself work on. */
export interface System {
  readonly mounts: Mounts
  readonly sockets: Sockets
  readonly remounts: Remounts
  /** Of kmipd. */
  readonly version: string
  /** A UUID that stays the same for one set of data. */
  readonly clusterId: string
  /** Milliseconds since 1970. */
  now(): number
  newId(): string
  /** Why the server cannot answer, if it cannot. */
  unready(): string | undefined
  /** Whether the caller may do anything below the path of an engine or a way to log in. */
  reaches(caller: Caller | undefined, place: string): Promise<boolean>
  /** Everything that is mounted now, `sys/` too. */
  mounted(): Promise<readonly Mounted[]>
}

export interface Remount {
  readonly from: string
  readonly to: string
}

const KEPT = 200

/** The moves of engines since the start, for who asks how they went: each was done before it was answered. */
export class Remounts {
  readonly #done = new Map<string, Remount>()

  add(id: string, remount: Remount): void {
    this.#done.set(id, remount)
    const [oldest] = this.#done.keys()
    if (this.#done.size > KEPT && oldest !== undefined) this.#done.delete(oldest)
  }

  get(id: string): Remount | undefined {
    return this.#done.get(id)
  }
}

const fixed = (type: string) => ({
  deprecation_status: 'supported',
  plugin_version: '',
  running_plugin_version: `v${VAULT_VERSION.replace(/\+.*/, '')}+builtin.kmipd`,
  running_sha256: '',
  type,
})

/** A KMIP engine as `sys/mounts` shows it. */
export function mountInfo({ row }: Mount): Readonly<Record<string, unknown>> {
  const { id, uuid, description, options, local, seal_wrap, external_entropy_access, config } = row
  return {
    ...fixed('kmip'),
    accessor: `kmip_${id}`,
    config,
    description,
    external_entropy_access,
    local,
    options,
    seal_wrap,
    uuid,
  }
}

/** What a lease lasts in Vault where nobody says; credentials of KMIP have none. */
export const USUAL_LEASE = 2_764_800

/** The same with the leases that count where the engine says none, as consoles are told. */
export const effectiveInfo = (mount: Mount): Readonly<Record<string, unknown>> => {
  const { config } = mount.row
  const leases = { default_lease_ttl: config.default_lease_ttl || USUAL_LEASE, max_lease_ttl: config.max_lease_ttl || USUAL_LEASE }
  return { ...mountInfo(mount), config: { ...config, ...leases } }
}

/** What is mounted beside the engines and cannot be changed. */
export const systemInfo: Readonly<Record<string, unknown>> = {
  ...fixed('system'),
  accessor: 'system_kmipd',
  config: { default_lease_ttl: 0, force_no_cache: false, listing_visibility: '', max_lease_ttl: 0 },
  description: 'what concerns the server itself',
  external_entropy_access: false,
  local: false,
  options: null,
  seal_wrap: false,
  uuid: '00000000-0000-4000-8000-000000737973',
}
