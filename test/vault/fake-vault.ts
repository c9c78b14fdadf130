import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { answer, errors, type FakeAnswer, type FakeRequest } from './fake-answers.ts'
import { FakeKv } from './fake-kv.ts'
import { FakeTransit } from './fake-transit.ts'

export type Test = { teardown(stop: () => void | Promise<void>): unknown }

/** What goes wrong: an answer of its own, none at all, a connection that ends before or after the request was done. */
export interface Fault {
  readonly path: RegExp
  readonly method?: string
  /** How often; default once. */
  times?: number
  readonly does: FakeAnswer | 'silence' | 'cut' | 'cut after'
}

export interface FakeToken {
  endsMs: number
  ttlMs: number
  renewable: boolean
  /** What it may do; absent: everything. */
  allow?: (request: FakeRequest) => boolean
}

const denied = errors(403, '1 error occurred:\n\t* permission denied\n\n')
const dead = errors(403, 'permission denied')

/** The data of a cluster that speaks as Vault does, and the faults that tests give it. Its servers are made by `serve`. */
export class FakeVault {
  readonly kv = new FakeKv(2)
  readonly kv1 = new FakeKv(1)
  readonly transit = new FakeTransit()
  readonly tokens = new Map<string, FakeToken>()
  readonly requests: FakeRequest[] = []
  readonly faults: Fault[] = []
  readonly role = { id: randomUUID(), secrets: new Set<string>([randomUUID()]) }
  readonly jwts = new Set<string>()
  /** Wrapping tokens: what is in them, and where it was made. */
  readonly wrapped = new Map<string, { secret: string; path: string }>()
  /** Names; absent: the header is ignored. */
  namespaces: Set<string> | undefined
  /** Of the tokens of logins. */
  ttlMs = 3_600_000
  renewable = true
  uses = 0
  /** What tokens of logins may do; absent: everything. */
  allow: ((request: FakeRequest) => boolean) | undefined
  version = '1.13.1'
  logins = 0

  get secret(): string {
    return [...this.role.secrets][0] ?? ''
  }

  /** One more server of the cluster. */
  async serve(t: Test): Promise<FakeServer> {
    return FakeServer.start(t, this)
  }

  grant(token: string, fields: Partial<FakeToken> = {}): string {
    const ttlMs = fields.ttlMs ?? this.ttlMs
    this.tokens.set(token, {
      ttlMs,
      endsMs: Date.now() + ttlMs,
      renewable: this.renewable,
      ...(this.allow && { allow: this.allow }),
      ...fields,
    })
    return token
  }

  count(path: RegExp): number {
    return this.requests.filter(request => path.test(request.path)).length
  }

  handle(request: FakeRequest): FakeAnswer {
    const namespace = request.headers['x-vault-namespace']
    if (this.namespaces && namespace !== undefined && !this.namespaces.has(`${namespace}`)) return errors(404, 'namespace not found')
    if (request.path.endsWith('/login')) return this.#logIn(request)
    if (request.path === 'sys/leader') return answer(200, { ha_enabled: true, leader_address: '' })
    if (request.path === 'sys/wrapping/lookup') return this.#lookUpWrapped(`${request.body.token}`)
    const text = `${request.headers['x-vault-token']}`
    if (request.path === 'sys/wrapping/unwrap') return this.#unwrap(text)
    const token = this.tokens.get(text)
    if (!token || token.endsMs < Date.now()) return dead
    if (request.path === 'auth/token/lookup-self')
      return answer(200, { data: { ttl: (token.endsMs - Date.now()) / 1000, renewable: token.renewable, num_uses: this.uses } })
    if (request.path === 'auth/token/renew-self') return this.#renew(text, token)
    if (request.path === 'sys/capabilities-self') return this.#capabilities(request, token)
    if (token.allow && !token.allow(request)) return denied
    if (request.path === 'sys/internal/ui/mounts/kv') return answer(200, { data: { type: 'kv', options: { version: '2' } } })
    if (request.path === 'sys/internal/ui/mounts/kv1') return answer(200, { data: { type: 'kv', options: { version: '1' } } })
    if (request.path === 'sys/internal/ui/mounts/transit') return answer(200, { data: { type: 'transit', options: null } })
    const [mount, ...rest] = request.path.split('/')
    if (mount === 'kv') return this.kv.handle(request, rest.join('/'))
    if (mount === 'kv1') return this.kv1.handle(request, rest.join('/'))
    if (mount === 'transit') return this.transit.handle(request, rest.join('/'))
    return errors(404, `no handler for route "${request.path}". route entry not found.`)
  }

  #logIn({ path, body }: FakeRequest): FakeAnswer {
    this.logins++
    const isKnown =
      path === 'auth/approle/login'
        ? body.role_id === this.role.id && this.role.secrets.has(`${body.secret_id}`)
        : path === 'auth/kubernetes/login' && this.jwts.has(`${body.jwt}`)
    if (path === 'auth/approle/login' && !isKnown) return errors(500, `invalid secret id`)
    if (!isKnown) return dead
    const client_token = this.grant(`hvs.${randomUUID()}`)
    const auth = { client_token, lease_duration: this.ttlMs / 1000, renewable: this.renewable, num_uses: this.uses, token_type: 'service' }
    return answer(200, { auth })
  }

  #lookUpWrapped(token: string): FakeAnswer {
    const found = this.wrapped.get(token)
    return found ? answer(200, { data: { creation_path: found.path } }) : errors(400, 'wrapping token is not valid or does not exist')
  }

  #unwrap(token: string): FakeAnswer {
    const found = this.wrapped.get(token)
    this.wrapped.delete(token)
    return found ? answer(200, { data: { secret_id: found.secret } }) : errors(400, 'wrapping token is not valid or does not exist')
  }

  #renew(text: string, token: FakeToken): FakeAnswer {
    if (!token.renewable) return errors(400, 'lease is not renewable')
    token.endsMs = Date.now() + this.ttlMs
    return answer(200, { auth: { client_token: text, lease_duration: this.ttlMs / 1000, renewable: true } })
  }

  #capabilities(request: FakeRequest, token: FakeToken): FakeAnswer {
    const verbs = { create: 'POST', read: 'GET', update: 'POST', delete: 'DELETE', list: 'GET' }
    const of = (path: string): string[] => {
      const allowed = Object.entries(verbs).filter(
        ([verb, method]) => token.allow?.({ ...request, path, method, isList: verb === 'list' }) ?? true,
      )
      return allowed.length > 0 ? allowed.map(([verb]) => verb) : ['deny']
    }
    const paths = request.body.paths as string[]
    return answer(200, { data: Object.fromEntries(paths.map(path => [path, of(path)])) })
  }
}

/** One server of a fake cluster. */
export class FakeServer {
  readonly #vault: FakeVault
  readonly #server = createServer((request, response) => void this.#answer(request, response))
  readonly #sockets = new Set<Socket>()
  #port = 0
  state: 'active' | 'standby' | 'sealed' = 'active'
  /** Answers of OpenBao's standby: reads it makes itself. */
  readonly served: string[] = []

  private constructor(vault: FakeVault) {
    this.#vault = vault
    this.#server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  static async start(t: Test, vault: FakeVault): Promise<FakeServer> {
    const server = new FakeServer(vault)
    await server.start()
    t.teardown(() => server.stop())
    return server
  }

  get address(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Listen, at the same port as before. */
  async start(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (this.#server.listening) await new Promise(resolve => this.#server.close(resolve))
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await read(message)
    const fault = this.#vault.faults.find(
      ({ path, method, times = 1 }) => times > 0 && path.test(request.path) && (method ?? request.method) === request.method,
    )
    if (fault) fault.times = (fault.times ?? 1) - 1
    if (fault?.does === 'silence') return
    if (fault?.does === 'cut') return void message.socket.destroy()
    const { status, body, headers = {} } = typeof fault?.does === 'object' ? fault.does : this.#handle(request)
    if (fault?.does === 'cut after') return void message.socket.destroy()
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body))
  }

  #handle(request: FakeRequest): FakeAnswer {
    const { version } = this.#vault
    if (request.path === 'sys/health') {
      if (request.headers['x-vault-namespace'] !== undefined) return errors(400, 'operation unavailable in namespaces')
      const status = { active: 200, standby: 429, sealed: 503 }[this.state]
      return answer(status, { initialized: true, sealed: this.state === 'sealed', standby: this.state !== 'active', version })
    }
    if (this.state === 'sealed') return errors(503, 'Vault is sealed')
    this.served.push(request.path)
    this.#vault.requests.push(request)
    return this.#vault.handle(request)
  }
}

async function read(message: IncomingMessage): Promise<FakeRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  const url = new URL(message.url ?? '', 'http://localhost')
  const isList = url.searchParams.get('list') === 'true'
  return {
    method: message.method ?? '',
    path: url.pathname.replace(/^\/v1\//, ''),
    headers: message.headers,
    body: text === '' ? {} : JSON.parse(text),
    isList,
  }
}
