import type { Answer } from '../route.ts'
import { routeFor } from '../route.ts'
import { type System, VAULT_VERSION } from './system.ts'

const route = routeFor<System>()
const NAME = 'kmipd'
const BUILT = '2026-01-01T00:00:00Z'

const healthOf = ({ clusterId, now, unready, version }: System): Answer => ({
  status: unready() === undefined ? 200 : 503,
  bare: {
    initialized: true,
    sealed: unready() !== undefined,
    standby: false,
    performance_standby: false,
    replication_performance_mode: 'disabled',
    replication_dr_mode: 'disabled',
    server_time_utc: Math.floor(now() / 1000),
    version: VAULT_VERSION,
    enterprise: true,
    cluster_name: NAME,
    cluster_id: clusterId,
    echo_duration_ms: 0,
    clock_skew_ms: 0,
    replication_primary_canary_age_ms: 0,
    kmipd_version: version,
  },
})

const sealStatusOf = ({ clusterId, version }: System): Answer => ({
  bare: {
    type: 'shamir',
    initialized: true,
    sealed: false,
    t: 1,
    n: 1,
    progress: 0,
    nonce: '',
    version: VAULT_VERSION,
    build_date: BUILT,
    migration: false,
    cluster_name: NAME,
    cluster_id: clusterId,
    recovery_seal: false,
    storage_type: NAME,
    kmipd_version: version,
  },
})

const LEADER: Answer = {
  bare: {
    ha_enabled: false,
    is_self: false,
    active_time: '0001-01-01T00:00:00Z',
    leader_address: '',
    leader_cluster_address: '',
    performance_standby: false,
    performance_standby_last_remote_wal: 0,
  },
}

// Scripts look for KMIP among the features before they go on.
const LICENSE = {
  license_id: NAME,
  features: ['KMIP'],
  start_time: '2026-01-01T00:00:00Z',
  expiration_time: '9999-12-31T23:59:59Z',
  termination_time: '9999-12-31T23:59:59Z',
  performance_standby_count: 0,
}

export const STATUS_ROUTES = [
  route({
    path: 'health',
    summary: 'Whether the server answers: 200, or 503 when it cannot.',
    access: 'open',
    fields: {
      standbyok: { type: 'string', description: 'Not used: there are no standbys.' },
      perfstandbyok: { type: 'string', description: 'Not used.' },
      activecode: { type: 'string', description: 'Not used.' },
    },
    actions: { read: { takes: ['standbyok', 'perfstandbyok', 'activecode'], run: async (_, system) => healthOf(system) } },
  }),
  route({
    path: 'seal-status',
    summary: 'The seal, and the version of the API.',
    access: 'open',
    actions: { read: { run: async (_, system) => sealStatusOf(system) } },
  }),
  route({
    path: 'init',
    summary: 'Whether the server has its keys; it always has.',
    access: 'open',
    actions: { read: { run: async () => ({ bare: { initialized: true } }) } },
  }),
  route({
    path: 'leader',
    summary: 'Which server of a cluster leads; there is one server.',
    access: 'open',
    actions: { read: { run: async () => LEADER } },
  }),
  route({
    path: 'license/status',
    summary: 'Features that a licence of Vault would name; kmipd needs none.',
    actions: { read: { run: async () => ({ data: { autoloading_used: true, autoloaded: LICENSE } }) } },
  }),
]
