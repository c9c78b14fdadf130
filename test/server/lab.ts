import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { Answer, Engine, Peer, Reply } from '../../src/ops/engine.ts'
import { type Authority, issueClient, issueServer, makeAuthority } from '../../src/pki/authority.ts'
import { certificatePem, parseCertificate } from '../../src/pki/certificate.ts'
import { keyUsage } from '../../src/pki/extensions.ts'
import { issueCertificate } from '../../src/pki/issue.ts'
import { generateKey, privateKeyPem, spkiOf } from '../../src/pki/keys.ts'
import { encodeName } from '../../src/pki/name.ts'
import type { Audit } from '../../src/server/audit.ts'
import type { OpenConnection } from '../../src/server/connection.ts'
import type { Identities } from '../../src/server/identities.ts'
import { LIMITS, type Limits } from '../../src/server/limits.ts'
import { Listener, type ServerCredential } from '../../src/server/listener.ts'
import { createLog } from '../../src/server/log.ts'
import { Metrics } from '../../src/server/metrics.ts'
import { Turn } from '../../src/server/turn.ts'
import { structure } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'

const EC = { type: 'ec', bits: 256 } as const
const DAY_MS = 86_400_000

export interface ClientCredential {
  readonly cert: string
  readonly key: string
}

/** A CA of the tests with a server certificate and clients. */
export class Pki {
  readonly authority: Authority
  private constructor(authority: Authority) {
    this.authority = authority
  }
  static async make(): Promise<Pki> {
    return new Pki(await makeAuthority(EC, 'test', Date.now()))
  }
  get #issuer() {
    return { name: encodeName([['CN', 'test-intermediate']]), key: this.authority.intermediate.key }
  }
  get ca(): string[] {
    return [certificatePem(this.authority.root.certificate), certificatePem(this.authority.intermediate.certificate)]
  }
  async server(): Promise<ServerCredential> {
    const key = await generateKey(EC)
    const fields = { spki: spkiOf(key), nowMs: Date.now(), lifeMs: DAY_MS }
    const certificate = issueServer(this.#issuer, { hostnames: ['localhost'], ips: ['127.0.0.1'] }, fields)
    return { certificate: `${certificatePem(certificate)}\n${this.ca[1]}`, key: privateKeyPem(key), authorities: this.ca }
  }
  async client(lifeMs = DAY_MS): Promise<ClientCredential> {
    const key = await generateKey(EC)
    const holder = { scope: randomUUID(), role: randomUUID() }
    const certificate = issueClient(this.#issuer, holder, { spki: spkiOf(key), nowMs: Date.now(), lifeMs })
    return { cert: certificatePem(certificate), key: privateKeyPem(key) }
  }
  /** As vCenter makes them. */
  async clientWithoutExtendedKeyUsage(): Promise<ClientCredential> {
    const key = await generateKey(EC)
    const certificate = issueCertificate(
      {
        subject: encodeName([['CN', 'plain']]),
        spki: spkiOf(key),
        notBefore: new Date(Date.now() - 60_000),
        notAfter: new Date(Date.now() + DAY_MS),
        extensions: [keyUsage('digitalSignature')],
      },
      this.#issuer,
    )
    return { cert: certificatePem(certificate), key: privateKeyPem(key) }
  }
}

/** Everybody is known until refused. */
export class FakeIdentities implements Identities {
  readonly refused = new Set<string>()
  /** Serials in the order in which they were first looked up. */
  readonly seen: string[] = []
  lookUps = 0
  /** Until then only those are known who were looked up before. */
  settling: Promise<void> | undefined
  #version = 1
  version(): number {
    return this.#version
  }
  settle(): Promise<void> | undefined {
    return this.settling
  }
  revoke(serial: string): void {
    this.refused.add(serial)
    this.#version++
  }
  touch(): void {
    this.#version++
  }
  async identify(certificate: Buffer): Promise<Peer | undefined> {
    this.lookUps++
    await undefined
    const { serial } = parseCertificate(certificate)
    if (this.settling && !this.seen.includes(serial)) return undefined
    if (!this.seen.includes(serial)) this.seen.push(serial)
    return this.refused.has(serial) ? undefined : { scope: 's', scopeName: 'scope', role: 'r', serial, may: () => true }
  }
}

export type Answerer = (request: Buffer) => Buffer | Partial<Answer> | Promise<Buffer | Partial<Answer>>

/** An engine that answers with what `answer` returns, and one audit entry. */
export const fakeEngine = (answer: Answerer): Engine => ({
  async answer(request) {
    const result = await answer(request)
    const bytes = Buffer.isBuffer(result) ? result : (result.bytes ?? request)
    const entries = [
      { operation: 'Get', object: `m${request.length > 8 ? request.readUInt32BE(8) : ''}`, status: 'Success', latencyMs: 0.1 },
    ]
    return { close: false, entries, ...(Buffer.isBuffer(result) ? {} : result), bytes }
  },
  answerItem: async () => UNREADABLE,
  answerUnreadable: () => UNREADABLE,
  finish: async () => undefined,
  recall: () => undefined,
})
/** What the engine says to what it cannot read. */
export const UNREADABLE: Reply = { message: structure(TAG.ResponseMessage, []), entries: [] }

/** A request message with a number and so many bytes of content. */
export function message(number: number, contentBytes = 8): Buffer {
  const bytes = Buffer.alloc(8 + contentBytes)
  bytes.writeUInt32BE(0x42007801, 0)
  bytes.writeUInt32BE(contentBytes, 4)
  bytes.writeUInt32BE(number, 8)
  return bytes
}

export interface Lab {
  readonly listener: Listener
  readonly metrics: Metrics
  readonly identities: FakeIdentities
  readonly audited: string[]
  readonly logged: string[]
  connect(credential?: ClientCredential, options?: ConnectionOptions): Promise<TLSSocket>
}

export interface LabOptions {
  readonly pki: Pki
  readonly client: ClientCredential
  readonly credential: ServerCredential
  readonly limits?: Partial<Limits>
  readonly answer?: Answerer
  readonly audit?: Audit
  /** Instead of the fake one. */
  readonly engine?: Engine
  readonly open?: OpenConnection
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** A listener, with a fake engine unless told. `teardown` gets what stops it. */
export async function startLab(t: { teardown(stop: () => Promise<void>): unknown }, options: LabOptions): Promise<Lab> {
  const { pki, client, credential, limits, answer = request => request } = options
  const metrics = new Metrics({ version: 'test' })
  const identities = new FakeIdentities()
  const audited: string[] = []
  const logged: string[] = []
  const listener = await Listener.listen({
    host: '127.0.0.1',
    port: 0,
    credential,
    limits: { ...LIMITS, ...limits },
    engine: options.engine ?? fakeEngine(answer),
    ...(options.open && { open: options.open }),
    identities,
    turn: new Turn(() => identities.version()),
    audit: options.audit ?? { write: lines => audited.push(...lines.trimEnd().split('\n')), reopen: () => {}, close: () => {} },
    metrics,
    log: createLog({ level: 'debug', pretty: false, destination: { write: line => logged.push(line) } }),
    now: options.now ?? Date.now,
  })
  t.teardown(() => listener.stop(0))
  const port = Number(listener.address.split(':').at(-1))
  return {
    listener,
    metrics,
    identities,
    audited,
    logged,
    async connect(who = client, more = {}) {
      const socket = connect({ host: '127.0.0.1', port, ca: pki.ca, ...who, ...more })
      socket.on('error', () => {})
      await once(socket, 'secureConnect')
      return socket
    },
  }
}

/** Read so many bytes, or what came before the end. */
export function receive(socket: TLSSocket, bytes: number): Promise<Buffer> {
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    let length = 0
    const done = (): void => {
      socket.off('data', onData)
      resolve(Buffer.concat(chunks))
    }
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk)
      length += chunk.length
      if (length >= bytes) done()
    }
    socket.on('data', onData)
    socket.once('close', done)
  })
}

/** Until the connection is closed, whether well or with an error. */
export const closed = (socket: TLSSocket): Promise<void> =>
  new Promise(resolve => {
    if (socket.closed) resolve()
    else socket.resume().once('close', () => resolve())
  })

export const portOf = (lab: Lab): number => Number(lab.listener.address.split(':').at(-1))

const PATIENCE_MS = 60_000

/** Wait for what happens sooner or later. */
export async function until(condition: () => boolean, everyMs = 5): Promise<void> {
  for (const began = performance.now(); !condition(); await new Promise(resolve => setTimeout(resolve, everyMs)))
    if (performance.now() - began > PATIENCE_MS) throw new Error(`it did not come: ${condition}`)
}
