import { randomInt } from 'node:crypto'
import type { OutgoingOptions } from '../http/outgoing.ts'
import { VaultError } from './errors.ts'
import { Transport } from './transport.ts'

export type EndpointState = 'unknown' | 'active' | 'standby' | 'sealed' | 'uninitialised' | 'away'

export interface EndpointStatus {
  readonly origin: string
  readonly state: EndpointState
  /** Of the server, as it says. */
  readonly version?: string
  /** Connections (and so TLS handshakes) since the start. */
  readonly connectionsMade: number
}

// Of `sys/health`; 472 and 473 are an Enterprise's secondary and performance standby.
const STATES: Readonly<Record<number, EndpointState>> = {
  200: 'active',
  429: 'standby',
  472: 'standby',
  473: 'standby',
  501: 'uninitialised',
  503: 'sealed',
}
const RANK: readonly EndpointState[] = ['active', 'unknown', 'standby', 'away', 'sealed', 'uninitialised']
/** A server that lives answers sooner. */
const HEALTH_DEADLINE_MS = 2000

/** One server of the cluster, and what it last was. */
export class Endpoint {
  readonly transport: Transport
  state: EndpointState = 'unknown'
  version: string | undefined

  constructor(options: OutgoingOptions) {
    this.transport = new Transport(options)
  }

  /** Whether a standby of this kind answers reads itself, and so perhaps with what is no longer true: OpenBao (2.x), Enterprise. */
  get standbyReads(): boolean {
    return this.version === undefined || !this.version.startsWith('1.') || this.version.includes('+ent')
  }

  /** Ask it what it is. No namespace goes with it: servers refuse that. */
  async check(): Promise<EndpointState> {
    try {
      const { status, body } = await this.transport.send({
        method: 'GET',
        path: 'sys/health',
        headers: {},
        deadlineMs: HEALTH_DEADLINE_MS,
        idempotent: true,
      })
      this.state = STATES[status] ?? 'away'
      if (typeof body?.version === 'string') this.version = body.version
    } catch (error) {
      if (!(error instanceof VaultError)) throw error
      this.state = 'away'
    }
    return this.state
  }

  /** What a failed request shows of it. */
  failed({ code }: VaultError): void {
    if (code === 'sealed') this.state = 'sealed'
    else if (code === 'not-active' && this.state !== 'sealed') this.state = 'standby'
    else if (code === 'unreachable' || code === 'tls' || code === 'in-doubt') this.state = 'away'
  }

  answered(): void {
    if (this.state !== 'active' && this.state !== 'standby') this.state = 'unknown'
  }
}

/** All servers of the cluster. Requests go to the active one where it is known, and to the others in turn where it is not. */
export class Endpoints {
  readonly all: readonly Endpoint[]
  #checking: Promise<void> | undefined

  constructor(servers: readonly string[], options: Omit<OutgoingOptions, 'origin'>) {
    if (servers.length === 0) throw new VaultError('configuration', 'no Vault server is named')
    this.all = servers.map(origin => new Endpoint({ ...options, origin }))
  }

  /** @param attempt counts from 0: the next one gets the next server */
  pick(attempt: number): Endpoint {
    const sorted = [...this.all].sort((a, b) => RANK.indexOf(a.state) - RANK.indexOf(b.state))
    const first = sorted[0]
    if (first?.state === 'active') return first
    return sorted[attempt % sorted.length]!
  }

  get active(): Endpoint | undefined {
    return this.all.find(({ state }) => state === 'active')
  }

  /**
   * A standby that hands all requests to the active server, where only such are named: one address with a load balancer behind it, perhaps.
   * A server among them that is away may be the active one, which comes back sooner than a standby finds that out.
   */
  get relay(): Endpoint | undefined {
    return this.all.every(({ state, standbyReads }) => state === 'standby' && !standbyReads) ? this.all[0] : undefined
  }

  /** Ask all what they are; who asks meanwhile gets the same answer. */
  check(): Promise<void> {
    this.#checking ??= Promise.all(this.all.map(endpoint => endpoint.check())).then(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  status(): EndpointStatus[] {
    return this.all.map(({ transport, state, version }) => ({
      origin: transport.origin,
      state,
      ...(version !== undefined && { version }),
      connectionsMade: transport.connectionsMade,
    }))
  }

  close(): void {
    for (const { transport } of this.all) transport.close()
  }
}

/** Between half and all of what doubles with each failure. */
export function backOffMs(failures: number, { firstMs, longestMs }: { readonly firstMs: number; readonly longestMs: number }): number {
  const whole = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 20))
  return Math.max(1, Math.ceil(whole / 2) + randomInt(Math.max(1, Math.floor(whole / 2))))
}
