/** What the administrator's API answers, as far as the console shows it. */

export interface RoleInfo {
  readonly tls_client_key_type: string
  readonly tls_client_key_bits: number
  /** Seconds. */
  readonly tls_client_ttl: number
  readonly ca?: string
  readonly [flag: `operation_${string}`]: boolean
}

export interface CredentialAnswer {
  readonly ca_chain: readonly string[]
  readonly certificate: string
  readonly private_key?: string
  readonly serial_number: string
  /** The file as base64, when that format was asked for. */
  readonly pkcs12?: string
}

export interface Configuration {
  readonly listen_addrs: readonly string[]
  readonly server_hostnames: readonly string[]
  readonly server_ips: readonly string[]
  readonly tls_ca_key_type: string
  readonly tls_ca_key_bits: number
  readonly tls_min_version: string
  readonly default_tls_client_key_type: string
  readonly default_tls_client_key_bits: number
  readonly default_tls_client_ttl: number
}

/** Counts at one moment, each since the server's start but for the connections; latencies in seconds, of the time since the sample before. */
export interface Sample {
  /** Seconds since 1970. */
  readonly time: number
  readonly requests: number
  readonly failed: number
  readonly refused: number
  readonly connections: number
  readonly median: number | null
  readonly p99: number | null
  readonly commit: number | null
}

export interface Overview {
  readonly version: string
  readonly started: string
  readonly now: string
  /** Why the server is not ready. */
  readonly unready?: string
  readonly requests: { readonly total: number; readonly failed: number }
  readonly connections: { readonly open: number; readonly total: number }
  readonly received_bytes: number
  readonly sent_bytes: number
  readonly refusals: Readonly<Record<string, number>>
  /** The most used first; latencies in seconds. */
  readonly operations: readonly {
    readonly operation: string
    readonly requests: number
    readonly failed: number
    readonly median: number | null
    readonly p99: number | null
  }[]
  /** Oldest first. */
  readonly samples: readonly Sample[]
  readonly store: { readonly healthy: boolean; readonly description: string }
  readonly seal: { readonly healthy: boolean; readonly description: string }
  /** Those that end first, soonest first. */
  readonly certificates: readonly {
    readonly kind: 'server' | 'ca' | 'credential'
    readonly name: string
    readonly scope?: string
    readonly role?: string
    readonly serial_number?: string
    readonly expiration: string
  }[]
}

/** An object as a list has it. Times as ISO 8601. */
export interface ObjectInfo {
  readonly type: string
  readonly state?: string
  readonly names?: readonly string[]
  readonly algorithm?: string
  readonly length?: number
  readonly initial_date?: string
}

export interface ObjectDetail extends ObjectInfo {
  /** By their names in snake case; never what the object holds. */
  readonly attributes: Readonly<Record<string, unknown>>
}
