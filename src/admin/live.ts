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

/** The process behind the door, as an administrator sees it. */
export interface Live {
  overview(): Promise<Overview>
}

const route = routeFor<Live>()

/** More rows of `sys/`: what the console shows of the process. Vault has none of it. */
export const LIVE_ROUTES = [
  route({
    path: 'kmipd/overview',
    summary: 'What the server does now and did in the last minutes.',
    description: 'Counts, latencies, health of store and seal, and the certificates that end first; the console shows them.',
    actions: { read: { run: async (_, live) => ({ data: { ...(await live.overview()) } }) } },
  }),
]
