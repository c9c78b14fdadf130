import { createHash, X509Certificate } from 'node:crypto'
import type { HttpRequest, HttpResponse } from '../../src/http/exchange.ts'
import { Access, type AccessSettings } from '../../src/kes/access.ts'
import { createKesDoor, type KesDoor, type KesDoorOptions } from '../../src/kes/door.ts'
import type { System } from '../../src/kes/figures.ts'
import { type CacheSettings, KeyCache } from '../../src/kes/key-cache.ts'
import type { KesEvent } from '../../src/kes/log-line.ts'
import { Telemetry } from '../../src/kes/telemetry.ts'
import type { KeyStore } from '../../src/keystore/keystore.ts'
import { MemoryKeyStore } from '../../src/keystore/memory.ts'
import { certificatePem } from '../../src/pki/certificate.ts'
import { authorityConstraints, type Extension } from '../../src/pki/extensions.ts'
import { issueCertificate } from '../../src/pki/issue.ts'
import { generateKey, privateKeyPem, spkiOf } from '../../src/pki/keys.ts'
import { encodeName } from '../../src/pki/name.ts'

const DAY_MS = 86_400_000
export const SYSTEM: System = { upTime: 1, cpus: 2, usableCpus: 2, threads: 5, heapBytes: 1000, heapObjects: 10, stackBytes: 100 }

export interface TestClient {
  readonly certificate: X509Certificate
  readonly identity: string
  readonly pem: string
  readonly key: string
}

/** A self-signed certificate and its identity. */
export async function makeClient(name: string, isAuthority = false, more: readonly Extension[] = []): Promise<TestClient> {
  const key = await generateKey({ type: 'ec', bits: 256 })
  const subject = encodeName([['CN', name]])
  const spki = spkiOf(key)
  const der = issueCertificate(
    {
      subject,
      spki,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      extensions: [...(isAuthority ? [authorityConstraints(0)] : []), ...more],
    },
    { name: subject, key },
  )
  const identity = createHash('sha256').update(spki).digest('hex')
  return { certificate: new X509Certificate(der), identity, pem: certificatePem(der), key: privateKeyPem(key) }
}

export const admin = await makeClient('admin')
export const app = await makeClient('app')
export const stranger = await makeClient('stranger')

export interface LabOptions {
  readonly store?: KeyStore
  readonly cache?: CacheSettings
  readonly access?: Partial<AccessSettings>
  readonly door?: Partial<KesDoorOptions>
}

export interface Asking {
  readonly client?: TestClient | readonly TestClient[]
  readonly headers?: HttpRequest['headers']
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A door above a key store in memory, and what it told. */
export class Lab {
  readonly store: KeyStore
  readonly keys: KeyCache
  readonly door: KesDoor
  readonly telemetry = new Telemetry()
  readonly events: KesEvent[] = []
  readonly logged: string[] = []
  nowMs = 1_700_000_000_000
  readonly #chains = new Map<string, readonly X509Certificate[]>()

  constructor({ store = new MemoryKeyStore(), cache, access, door }: LabOptions = {}) {
    this.store = store
    this.keys = new KeyCache(store, cache ?? { anyMs: 300_000, unusedMs: 0, offlineMs: 0 }, () => this.nowMs)
    const allow = ['create', 'import', 'describe', 'generate', 'encrypt', 'decrypt', 'bulk/decrypt', 'delete', 'hmac'].map(verb => ({
      pattern: `/v1/key/${verb}/app-*`,
    }))
    this.door = createKesDoor({
      access: new Access({
        admin: admin.identity,
        policies: [
          {
            name: 'app',
            allow: [...allow, { pattern: '/v1/key/list/app-*', line: 7 }],
            deny: [{ pattern: '/v1/key/generate/app-secret*', line: 9 }],
            identities: [app.identity],
          },
        ],
        ...access,
      }),
      keys: this.keys,
      api: {},
      oldTexts: false,
      oldListings: false,
      telemetry: this.telemetry,
      version: 'test',
      configuredAt: '2026-01-01T00:00:00Z',
      nowNs: () => BigInt(this.nowMs) * 1_000_000n,
      figures: async () => ({ counts: this.telemetry.counts, system: SYSTEM }),
      audit: event => {
        this.events.push(event)
        return undefined
      },
      log: (level, message) => this.logged.push(`${level} ${message}`),
      ...door,
    })
  }

  async ask(method: string, target: string, body: unknown = undefined, asking: Asking = {}): Promise<Answer> {
    const response = await this.respond(method, target, body, asking)
    return { status: response.status, headers: response.headers ?? {}, body: String(response.body ?? '') }
  }

  async respond(method: string, target: string, body: unknown, { client = admin, headers = {}, signal }: Asking): Promise<HttpResponse> {
    const clients = [client].flat() as TestClient[]
    const bytes =
      body === undefined
        ? Buffer.alloc(0)
        : Buffer.isBuffer(body)
          ? body
          : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const request = {
      method,
      target,
      headers,
      remoteAddress: '127.0.0.1',
      certificates: this.#chain(clients),
      authorized: false,
      truncated: false,
      signal: signal ?? new AbortController().signal,
    }
    const { bodyBytes } = this.door.allow({ ...request })
    return this.door.handler({ ...request, body: bytes.subarray(0, bodyBytes), truncated: bytes.length > bodyBytes })
  }

  /** One array for a connection, as the listener has it. */
  #chain(clients: readonly TestClient[]): readonly X509Certificate[] {
    const name = clients.map(({ identity }) => identity).join()
    const chain = this.#chains.get(name) ?? clients.map(({ certificate }) => certificate)
    this.#chains.set(name, chain)
    return chain
  }
}

/** The body of a failure. */
export const message = (text: string): string => `{"message":${JSON.stringify(text)}\n}`
export const base64 = (text: string): string => Buffer.from(text).toString('base64')
