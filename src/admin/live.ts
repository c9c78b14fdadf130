import { type KeyStore, KeyStoreError } from '../keystore/keystore.ts'
import { routeFor } from './route.ts'

/** Counts at one moment, each since the server's start but for `connections`; latencies in seconds, of the time since the sample before. */
export interface Sample {
  /** Seconds since 1970. */
  readonly time: number
  readonly requests: number
  readonly failed: number
  readonly refused: number
  readonly connections: number
  /** Half of the requests took no longer; null: there were none. */
  readonly median: number | null
  /** All but one of a hundred took no longer. */
  readonly p99: number | null
  /** The median of commits. */
  readonly commit: number | null
}

export interface OperationUse {
  readonly operation: string
  readonly requests: number
  readonly failed: number
  readonly median: number | null
  readonly p99: number | null
}

/** A certificate that will end. `expiration` is ISO 8601. */
export interface Ending {
  readonly kind: 'server' | 'ca' | 'credential'
  readonly name: string
  readonly scope?: string
  readonly role?: string
  /** Decimal. */
  readonly serial_number?: string
  readonly expiration: string
}

/** What stands behind something that must work, for people, and whether it does. Says nothing secret. */
export interface Part {
  readonly healthy: boolean
  readonly description: string
}

export interface Overview {
  readonly version: string
  /** ISO 8601, as `now`. */
  readonly started: string
  readonly now: string
  /** Why the server is not ready, if it is not. */
  readonly unready?: string
  readonly requests: { readonly total: number; readonly failed: number }
  readonly connections: { readonly open: number; readonly total: number }
  readonly received_bytes: number
  readonly sent_bytes: number
  /** How often each limit or check refused a connection or message. */
  readonly refusals: Readonly<Record<string, number>>
  /** The most used first. */
  readonly operations: readonly OperationUse[]
  /** Oldest first, at even distances. */
  readonly samples: readonly Sample[]
  readonly store: Part
  readonly seal: Part
  /** Those that end soonest, soonest first. */
  readonly certificates: readonly Ending[]
}

/** The KES door as it is now. */
export interface KesDoor {
  readonly store: KeyStore
  readonly policies: readonly KesPolicy[]
}

export interface KesPolicy {
  readonly name: string
  /** Paths, or how they begin with `*` at the end. */
  readonly allow: readonly string[]
  readonly deny: readonly string[]
  /** Who it is for: hashes of public keys, in hexadecimal digits. */
  readonly identities: readonly string[]
}

/** The process behind the door, as an administrator sees it. */
export interface Live {
  overview(): Promise<Overview>
  /** Nothing when there is no KES door. */
  kes(): KesDoor | undefined
}

const route = routeFor<Live>()

const PAGE = 50

/** Rows for `sys/kmipd/`: what the console shows of the process. Vault has none of it. */
export const LIVE_ROUTES = [
  route({
    path: 'overview',
    summary: 'What the server does now and did in the last minutes.',
    description: 'Counts, latencies, health of store and seal, and the certificates that end first; the console shows them.',
    actions: { read: { run: async (_, live) => ({ data: { ...(await live.overview()) } }) } },
  }),
  route({
    path: 'kes',
    summary: 'The KES door: where its keys are, and its policies.',
    actions: {
      read: {
        answer: {
          store: { type: 'string', description: 'What keeps the keys, and where.' },
          policies: { type: 'list', description: 'Each with name, allow, deny and identities.' },
        },
        async run(_, live) {
          const door = live.kes()
          return door && { data: { store: door.store.description, policies: door.policies } }
        },
      },
    },
  }),
  route({
    path: 'kes/key',
    summary: 'The keys of the KES door, by their names; never what they are.',
    fields: {
      prefix: { type: 'string', default: '', description: 'How the names begin.' },
      after: { type: 'string', description: 'The last name of the page before.' },
      limit: { type: 'integer', default: PAGE, description: `How many at most, up to ${PAGE}.` },
    },
    actions: {
      list: {
        takes: ['prefix', 'after', 'limit'],
        async run({ fields: { prefix = '', after, limit = PAGE } }, live) {
          const store = live.kes()?.store
          if (!store || limit < 1) return undefined
          const { names } = await store.list(prefix, { limit: Math.min(limit, PAGE), ...(after !== undefined && { after }) })
          if (names.length === 0) return undefined
          const info = await Promise.all(names.map(async name => [name, await described(store, name)] as const))
          return { data: { keys: names, key_info: Object.fromEntries(info) } }
        },
      },
    },
  }),
]

/** What may be told of a key; less of one that is damaged or was deleted meanwhile, so that the others can be seen. */
async function described(store: KeyStore, name: string): Promise<Readonly<Record<string, string>>> {
  try {
    const { algorithm, createdAtNs, createdBy } = await store.get(name)
    return {
      algorithm,
      ...(createdAtNs !== undefined && { created: new Date(Number(createdAtNs / 1_000_000n)).toISOString() }),
      ...(createdBy !== undefined && { created_by: createdBy }),
    }
  } catch (error) {
    if (error instanceof KeyStoreError && (error.code === 'damaged' || error.code === 'not-found')) return { trouble: error.code }
    throw error
  }
}
