import { randomUUID, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { apiMounts } from '../admin/api.ts'
import { createGuard } from '../admin/auth/guard.ts'
import { Identities } from '../admin/auth/identities.ts'
import { consoleDoor } from '../admin/console-door.ts'
import { createDoor } from '../admin/door.ts'
import type { Sockets } from '../admin/kmip/engine.ts'
import type { Live } from '../admin/live.ts'
import type { ObjectServices } from '../admin/objects/object-routes.ts'
import type { Config } from '../config/schema.ts'
import type { Address } from '../config/value-types.ts'
import { type HttpCredential, HttpListener } from '../http/listener.ts'
import { FIRST_PATH, type Mounts } from '../scopes/mounts.ts'
import type { Records } from '../seal/records.ts'
import { adminTrail } from './admin-trail.ts'
import type { Audit } from './audit.ts'
import type { Logger } from './log.ts'
import { settled } from './settled.ts'

export interface AdminDoorOptions {
  readonly address: Address
  readonly tls: Config['admin']['tls']
  readonly data: { readonly records: Records; readonly mounts: Mounts }
  readonly sockets: Sockets
  readonly live: Live
  readonly objects: ObjectServices
  readonly audit: Audit
  readonly log: Logger
  /** Of kmipd. */
  readonly version: string
  /** Why the server cannot answer, if it cannot. */
  unready(): string | undefined
  /** Directory of the built console; absent: there is none. */
  readonly console?: string | undefined
}

const BODY_BYTES = 4 << 20
/** Some keys take a while to make. */
const TIMEOUT_MS = 90_000
const TIDY_MS = 600_000

/** The administrators' door: Vault's HTTP API and the console, on a port of their own. */
export class AdminDoor {
  readonly #listener: HttpListener
  readonly #options: AdminDoorOptions
  readonly #tidying: NodeJS.Timeout
  #shown: HttpCredential | undefined

  private constructor(listener: HttpListener, options: AdminDoorOptions, shown: HttpCredential | undefined, tidying: NodeJS.Timeout) {
    this.#tidying = tidying
    this.#listener = listener
    this.#options = options
    this.#shown = shown
  }

  /** @throws the system's error if the address is taken or not ours, or a file of `tls` cannot be read, and OpenSSL's if they do not fit */
  static async listen(options: AdminDoorOptions): Promise<AdminDoor> {
    const { address, data, sockets, live, objects, audit, log, version, unready } = options
    const identities = await Identities.open({ records: data.records, now: Date.now })
    const handler = createDoor({
      mounts: apiMounts({ mounts: data.mounts, sockets, identities, live, objects, version, unready, now: Date.now, newId: randomUUID }),
      guard: createGuard(identities),
      trail: adminTrail({ audit, hash: text => identities.store.hash(text), now: Date.now }),
      newId: randomUUID,
      maxBody: BODY_BYTES,
      onError: (err, { path, operation, id }) => log.error({ err, path, operation, request: id }, 'an administrator was not answered'),
      ...(options.console !== undefined && { outside: consoleDoor(options.console) }),
    })
    const credential = await credentialOf(options)
    const listener = await HttpListener.listen({
      ...address,
      ...(credential && { tls: { credential, clientCertificates: 'optional' } }),
      handler: settled(handler, data.records, message => ({ errors: [message] })),
      allow: () => ({ bodyBytes: BODY_BYTES, timeoutMs: TIMEOUT_MS }),
      onError: err => log.error({ err }, "the administrators' door failed"),
      onRefused: (cause, client) => log.info({ cause, address: client }, "a TLS handshake at the administrators' door failed"),
    })
    const tidying = setInterval(() => {
      identities.tokens
        .tidy()
        .then(undefined, (err: unknown) => log.error({ err }, 'tokens that ended cannot be removed; they are good for nothing'))
    }, TIDY_MS).unref()
    return new AdminDoor(listener, options, credential, tidying)
  }

  /** `host:port` as it is bound. */
  get address(): string {
    return this.#listener.address
  }

  get url(): string {
    return `${this.#shown ? 'https' : 'http'}://${this.address}`
  }

  /** Show the certificate that is to be shown now. */
  async renew(): Promise<void> {
    const next = await credentialOf(this.#options)
    if (!next || JSON.stringify(next) === JSON.stringify(this.#shown)) return
    this.#listener.renew(next)
    this.#shown = next
  }

  stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#tidying)
    return this.#listener.stop(deadlineMs)
  }
}

async function credentialOf({ tls, data }: AdminDoorOptions): Promise<HttpCredential | undefined> {
  if (tls === undefined) return undefined
  if (tls === 'own') {
    const { certificate, key } = await (await data.mounts.scopesAt(FIRST_PATH)).serverCertificate()
    return { certificate, key }
  }
  const credential = { certificate: readFileSync(tls.certificate, 'utf8'), key: readFileSync(tls.key, 'utf8') }
  // A file that is being written is not shown.
  new X509Certificate(credential.certificate)
  return credential
}
