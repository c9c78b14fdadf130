import { readFileSync } from 'node:fs'
import { AuthoritiesError, readAuthorities } from '../http/authorities.ts'
import { type Call, Dispatcher } from './dispatcher.ts'
import { type EndpointStatus, Endpoints } from './endpoints.ts'
import { VaultError, type VaultErrorCode } from './errors.ts'
import type { Answer } from './failures.ts'
import { rowOf } from './fields.ts'
import { detectVersion, type Kv, KvV1, KvV2 } from './kv.ts'
import type { Login } from './logins.ts'
import { mountPath, namespaceOf } from './paths.ts'
import { Session, type VaultEvent } from './session.ts'
import { Transit } from './transit.ts'

export interface VaultTls {
  /** File or folder of PEM certificates that the server's must lead to, instead of those that Node trusts. */
  readonly ca?: string | undefined
  /** Files of this client's certificate and key, in PEM. */
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  /** Name in the server's certificate, when it is not the host. */
  readonly serverName?: string | undefined
}

export interface VaultOptions {
  /** `https://host:port` of each server of one cluster. */
  readonly servers: readonly string[]
  readonly login: Login
  /** Namespace of all that is read and written, unless a mount is asked for in another one. */
  readonly namespace?: string | undefined
  /** The other ones that are going to be asked for: servers that ignore namespaces are refused then too. */
  readonly otherNamespaces?: readonly string[] | undefined
  readonly tls?: VaultTls | undefined
  /** For a call, its repetitions and the wait for a login included, unless it has its own. Default 10 s. */
  readonly deadlineMs?: number | undefined
  /** Time between two looks at the health of the servers. Default 10 s. */
  readonly pingMs?: number | undefined
  /** Longest pause between logins that fail because Vault is away. Default 5 s. */
  readonly retryMs?: number | undefined
  /** Pause after a refused credential, unless it changes. Default 5 min, so that no lock-out comes of it. */
  readonly refusedMs?: number | undefined
  /** Connections to each server. Default 64. */
  readonly connections?: number | undefined
  readonly onEvent?: ((event: VaultEvent) => void) | undefined
}

export interface CallOptions {
  readonly deadlineMs?: number
  readonly signal?: AbortSignal
  /** Answered by the active server alone, also through a standby that asks it, so with nothing older than the request. */
  readonly fresh?: boolean
}

export interface VaultRequest
  extends Omit<Call, 'token' | 'deadlineMs' | 'namespace' | 'signal' | 'fresh' | 'accept' | 'tries'>,
    CallOptions {
  /** 404 is an answer and no error. */
  readonly missing?: boolean
  /** So is 400 of a batch, with the results of its good items. */
  readonly batch?: boolean
}

export type Request = (request: VaultRequest) => Promise<Answer>

export interface VaultStatus {
  /** Whether there is a token, and a server that answered at the last look. */
  readonly ready: boolean
  /** Why not. */
  readonly code?: VaultErrorCode
  readonly reason?: string
  readonly servers: readonly EndpointStatus[]
}

export interface Place {
  /** Instead of the client's. */
  readonly namespace?: string | undefined
}

/**
 * The one client of Vault and OpenBao. It is made whether or not Vault is there: it keeps trying to log in, and until then each call waits
 * for its deadline and fails with the reason.
 */
export interface VaultClient {
  /** A KV engine, or a folder of one; its version is asked for unless given. @throws VaultError `configuration`: there is none */
  kv(mount: string, options?: Place & CallOptions & { readonly version?: 1 | 2; readonly folder?: string }): Promise<Kv>
  /** A transit engine. */
  transit(mount: string, options?: Place): Transit
  /** What the token may do: for each path its capabilities, `deny` or `root` among them. */
  capabilities(paths: readonly string[], options?: Place & CallOptions): Promise<ReadonlyMap<string, readonly string[]>>
  /** Any other request, with token and namespace. `path` must be made by `pathOf` and `mountPath`. @throws VaultError */
  request(request: VaultRequest & Place): Promise<Answer>
  /** Wait until logged in. @throws VaultError: why not within the deadline, or at once what time does not cure */
  ready(options?: CallOptions): Promise<void>
  /** Ask all servers now. */
  ping(): Promise<VaultStatus>
  /** As of the last look. */
  status(): VaultStatus
  /** Whether reads with `fresh` can be trusted to come from the active server; else why not, for the operator. */
  freshness(): Promise<string | undefined>
  close(): void
}

/** @throws VaultError `configuration`: options that no server can make right. That Vault is away or sealed is no error here */
export async function connectVault(options: VaultOptions): Promise<VaultClient> {
  return new Client(options)
}

const DEADLINE_MS = 10_000

class Client implements VaultClient {
  readonly #options: VaultOptions
  readonly #namespace: string | undefined
  readonly #endpoints: Endpoints
  readonly #dispatcher: Dispatcher
  readonly #session: Session
  readonly #ping: NodeJS.Timeout

  constructor(options: VaultOptions) {
    const { servers, namespace, otherNamespaces = [], pingMs = 10_000, retryMs = 5_000, refusedMs = 300_000, onEvent = () => {} } = options
    this.#options = options
    this.#namespace = namespace === undefined || namespace === '' ? undefined : namespaceOf(namespace)
    this.#endpoints = new Endpoints(servers.map(originOf), { ...tlsOf(options.tls), connections: options.connections ?? 64 })
    this.#dispatcher = new Dispatcher(this.#endpoints)
    this.#session = new Session({
      ...{ dispatcher: this.#dispatcher, login: options.login, namespace: this.#namespace, otherNamespaces, retryMs, refusedMs, onEvent },
    })
    this.#ping = setInterval(() => void this.#endpoints.check(), pingMs).unref()
    void this.#endpoints.check()
    this.#session.start()
  }

  async kv(mount: string, options: Place & CallOptions & { readonly version?: 1 | 2; readonly folder?: string } = {}): Promise<Kv> {
    const { namespace, version, folder, ...rest } = options
    const path = mountPath(mount)
    const request = this.#in(namespace)
    return (version ?? (await detectVersion(path, request, rest))) === 2 ? new KvV2(path, request, folder) : new KvV1(path, request, folder)
  }

  transit(mount: string, { namespace }: Place = {}): Transit {
    return new Transit(mountPath(mount), this.#in(namespace))
  }

  async capabilities(paths: readonly string[], { namespace, ...options }: Place & CallOptions = {}) {
    const json = { paths }
    const request = { method: 'POST', path: 'sys/capabilities-self', json, idempotent: true, ...options } as const
    const { body } = await this.#in(namespace)(request)
    const rows = rowOf(body?.data ?? body)
    return new Map(paths.map(path => [path, textsOf(rows[path] ?? (paths.length === 1 ? rows.capabilities : undefined))]))
  }

  request({ namespace, ...request }: VaultRequest & Place): Promise<Answer> {
    return this.#in(namespace)(request)
  }

  async ready({ deadlineMs = this.#deadlineMs, signal }: CallOptions = {}): Promise<void> {
    await this.#session.token(deadlineMs, signal)
  }

  async ping(): Promise<VaultStatus> {
    await this.#endpoints.check()
    return this.status()
  }

  status(): VaultStatus {
    const servers = this.#endpoints.status()
    const { failure } = this.#session
    const usable = servers.some(({ state }) => state === 'active' || state === 'standby' || state === 'unknown')
    if (this.#session.isReady && usable) return { ready: true, servers }
    const states = servers.map(({ origin, state }) => `${origin} is ${state}`).join(', ')
    const sealed = servers.every(({ state }) => state === 'sealed' || state === 'uninitialised')
    const code = failure?.code ?? (sealed ? 'sealed' : 'unreachable')
    return { ready: false, code, reason: failure?.message ?? states, servers }
  }

  async freshness(): Promise<string | undefined> {
    await this.#endpoints.check()
    if (this.#endpoints.all.length > 1 || !this.#endpoints.all[0]?.standbyReads) return undefined
    const { body } = await this.#dispatcher.call({ method: 'GET', path: 'sys/leader', deadlineMs: this.#deadlineMs })
    if (body?.ha_enabled !== true) return undefined
    return 'one address is configured, and standby servers of this kind answer reads themselves: name each server, or let the address lead to the active one alone'
  }

  close(): void {
    clearInterval(this.#ping)
    this.#session.close()
    this.#endpoints.close()
  }

  get #deadlineMs(): number {
    return this.#options.deadlineMs ?? DEADLINE_MS
  }

  #in(namespace: string | undefined): Request {
    const chosen = namespace === undefined || namespace === '' ? this.#namespace : namespaceOf(namespace)
    return request => this.#request(request, chosen)
  }

  async #request({ missing, batch, ...call }: VaultRequest, namespace: string | undefined): Promise<Answer> {
    const endMs = performance.now() + (call.deadlineMs ?? this.#deadlineMs)
    const accept = ({ status, body }: Answer): boolean =>
      status === 404 ? missing === true : batch === true && Array.isArray(rowOf(body?.data).batch_results)
    for (let isSecond = false; ; isSecond = true) {
      const token = await this.#session.token(endMs - performance.now(), call.signal)
      try {
        return await this.#dispatcher.call({ ...call, namespace, token, accept, deadlineMs: endMs - performance.now() })
      } catch (error) {
        if (!(error instanceof VaultError) || error.code !== 'permission-denied' || isSecond) throw error
        if (await this.#session.isAlive(token)) throw error
        this.#session.invalidate(token)
      }
    }
  }
}

const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.filter(text => typeof text === 'string') : [])

function originOf(server: string): string {
  const url = URL.canParse(server) ? new URL(server) : undefined
  const isServer =
    url && /^https?:$/.test(url.protocol) && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password
  if (isServer) return url.origin
  throw new VaultError('configuration', 'the address of a Vault server is written https://host:port, without a path')
}

function tlsOf({ ca, certificate, key, serverName }: VaultTls = {}) {
  return {
    ...(ca !== undefined && { authorities: authoritiesIn(ca) }),
    ...(certificate !== undefined && { certificate: contentOf(certificate) }),
    ...(key !== undefined && { key: contentOf(key) }),
    ...(serverName !== undefined && { serverName }),
  }
}

function authoritiesIn(path: string): string[] {
  try {
    return readAuthorities(path)
  } catch (error) {
    if (error instanceof AuthoritiesError) throw new VaultError('configuration', error.message)
    throw error
  }
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    throw new VaultError('configuration', `${path} cannot be read${code}`)
  }
}
