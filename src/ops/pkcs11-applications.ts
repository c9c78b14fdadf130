import { KmipError } from '../objects/errors.ts'
import type { Mechanism } from './pkcs11-wire.ts'
import { Pkcs11Error } from './pkcs11-wire.ts'

export type Work = 'encrypt' | 'decrypt' | 'sign' | 'verify' | 'digest'

/** What an Init function has begun. */
export interface Begun {
  readonly mechanism: Mechanism
  /** Identifier of the key; none for a digest. */
  readonly key: string | undefined
  /** The batch item that ended it: the same item may be run anew when another client was faster. */
  endedBy?: object | undefined
}

export interface Session {
  readonly handle: number
  readonly writable: boolean
  readonly begun: Map<Work, Begun>
  /** Handles that a search has found and not yet given out. */
  found: number[] | undefined
}

const MAX_SESSIONS = 100
const MAX_OBJECTS = 100_000

/** What one client has between C_Initialize and C_Finalize. */
export class Application {
  readonly owner: string
  expires: bigint
  loggedIn = false
  readonly sessions = new Map<number, Session>()
  readonly #handles = new Map<string, number>()
  readonly #ids = new Map<number, string>()
  #last = 0

  constructor(owner: string, expires: bigint) {
    this.owner = owner
    this.expires = expires
  }

  /** @throws Pkcs11Error Session Count */
  open(writable: boolean): Session {
    if (this.sessions.size >= MAX_SESSIONS) throw new Pkcs11Error('SESSION_COUNT')
    const session: Session = { handle: ++this.#last, writable, begun: new Map(), found: undefined }
    this.sessions.set(session.handle, session)
    return session
  }

  /** @throws Pkcs11Error Session Handle Invalid */
  session(handle: number): Session {
    const session = this.sessions.get(handle)
    if (!session) throw new Pkcs11Error('SESSION_HANDLE_INVALID')
    return session
  }

  /** The handle of an object, the same as long as the application lives. */
  handleOf(id: string): number {
    const known = this.#handles.get(id)
    if (known !== undefined) return known
    if (this.#ids.size >= MAX_OBJECTS) throw new Pkcs11Error('GENERAL_ERROR')
    const handle = ++this.#last
    this.#handles.set(id, handle)
    this.#ids.set(handle, id)
    return handle
  }

  /** Identifier of the object that a handle stands for, or nothing. */
  idOf(handle: number): string | undefined {
    return this.#ids.get(handle)
  }
}

/**
 * Clients that use PKCS#11, by the Correlation Value that C_Initialize gave them: unguessable, bound to the role that asked, forgotten
 * when they are silent for long. Each process keeps its own. Spec: KMIP 2.1 section 6.1.37
 */
export class Applications {
  readonly #applications = new Map<string, Application>()
  readonly #limit: number
  readonly #share: number
  readonly #lifeSeconds: bigint

  /** At most `limit` at once, and `share` of them for one client. */
  constructor({ limit = 1000, share = 500, lifeSeconds = 3600n } = {}) {
    this.#limit = limit
    this.#share = share
    this.#lifeSeconds = lifeSeconds
  }

  /** @throws KmipError Server Limit Exceeded */
  open(correlation: Buffer, owner: string, now: bigint): void {
    for (const [key, application] of this.#applications) if (application.expires <= now) this.#applications.delete(key)
    const own = [...this.#applications.values()].filter(application => application.owner === owner).length
    if (this.#applications.size >= this.#limit || own >= this.#share)
      throw new KmipError('ServerLimitExceeded', 'too many clients use PKCS#11; finalize some')
    this.#applications.set(correlation.toString('hex'), new Application(owner, now + this.#lifeSeconds))
  }

  /** @throws Pkcs11Error Cryptoki Not Initialized */
  of(correlation: Buffer | undefined, owner: string, now: bigint): Application {
    const application = correlation && this.#applications.get(correlation.toString('hex'))
    if (!application || application.owner !== owner || application.expires <= now) throw new Pkcs11Error('CRYPTOKI_NOT_INITIALIZED')
    application.expires = now + this.#lifeSeconds
    return application
  }

  close(correlation: Buffer): void {
    this.#applications.delete(correlation.toString('hex'))
  }
}
