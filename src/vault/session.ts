import { randomBytes } from 'node:crypto'
import type { Call, Dispatcher } from './dispatcher.ts'
import { backOffMs } from './endpoints.ts'
import { VaultError, type VaultErrorCode } from './errors.ts'
import type { Answer } from './failures.ts'
import { type Grant, grantOf, type Login, type LoginMethod, loginMethod } from './logins.ts'

/** For the log. Nothing in it is secret. */
export interface VaultEvent {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly code?: VaultErrorCode
}

export interface SessionOptions {
  readonly dispatcher: Dispatcher
  readonly login: Login
  /** Of what is done with the token, and those of the rest. */
  readonly namespace: string | undefined
  readonly otherNamespaces: readonly string[]
  /** Longest pause between two logins that failed because Vault was away. */
  readonly retryMs: number
  /** Pause after a credential was refused, unless it changes before. */
  readonly refusedMs: number
  readonly onEvent: (event: VaultEvent) => void
}

interface Held extends Grant {
  readonly obtainedMs: number
  /** A renewal gave it less time than before: it nears the end of all renewals. */
  readonly shrinks: boolean
}

const LOGIN_DEADLINE_MS = 10_000
const RENEW_AT = 0.6
const RENEW_JITTER = 0.1
/** The token of a login is not used in the last moments of its life. */
const MARGIN_MS = 250
/** Pauses are not cut shorter by requests that wait for a token. */
const SHORTEST_PAUSE_MS = 100
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * A token that lives: one login at a time whoever asks for it, renewals at about 60 % of its time, another login when it cannot be renewed
 * any more or has died. Without one it keeps trying, and requests wait for it until their deadlines.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #method: LoginMethod
  readonly #changed = new Set<() => void>()
  #held: Held | undefined
  #failure: VaultError | undefined
  #wake: () => void = () => {}
  #isClosed = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#method = loginMethod(options.login, options.namespace, call => this.#send(call))
  }

  /** Begin to log in; never fails. */
  start(): void {
    this.#keep().then(undefined, (error: unknown) => {
      const message = `the login to Vault has ended by a fault of kmipd: ${error instanceof Error ? error.stack : typeof error}`
      this.#options.onEvent({ level: 'error', message })
      this.close()
    })
  }

  /** Why there is no token; nothing if there is one. */
  get failure(): VaultError | undefined {
    return this.#valid() ? undefined : this.#failure
  }

  get isReady(): boolean {
    return this.#valid() !== undefined
  }

  /** @throws VaultError: why there is no token, after `deadlineMs` or, when time does not cure it, at once */
  async token(deadlineMs: number, signal?: AbortSignal): Promise<string> {
    const endMs = performance.now() + deadlineMs
    for (;;) {
      const valid = this.#valid()
      if (valid) return valid.token
      if (this.#isClosed) throw new VaultError('closed', 'the Vault client is closed')
      this.#wake()
      if (this.#failure && !this.#failure.passing) throw this.#failure
      if (signal?.aborted) throw new VaultError('aborted', 'given up by its caller while waiting for a login to Vault')
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) throw this.#failure ?? new VaultError('unreachable', `no login to Vault within ${Math.round(deadlineMs)} ms`)
      await this.#change(leftMs, signal)
    }
  }

  /** Whether the server still knows this token. @throws VaultError when it cannot be asked */
  async isAlive(token: string): Promise<boolean> {
    try {
      await this.#send({ method: 'GET', path: 'auth/token/lookup-self', token, namespace: this.#method.namespace })
      return true
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== 'permission-denied') throw error
      // Its policy refuses: so it lives.
      return error.message.includes('1 error occurred')
    }
  }

  /** This token is dead: log in again, unless that was done already. */
  invalidate(token: string): void {
    if (this.#held?.token !== token) return
    this.#held = undefined
    this.#options.onEvent({ level: 'warn', message: 'the Vault token was ended by somebody else; logging in again' })
    this.#wake()
  }

  close(): void {
    this.#isClosed = true
    this.#held = undefined
    this.#wake()
    this.#announce()
  }

  async #keep(): Promise<void> {
    for (let failures = 0; !this.#isClosed; ) {
      let secret: string | undefined
      try {
        secret = await this.#method.secret()
        const held = await this.#logIn(secret)
        failures = 0
        this.#failure = undefined
        this.#held = held
        this.#announce()
        await this.#hold(held)
      } catch (error) {
        if (!(error instanceof VaultError)) throw error
        if (this.#isClosed) return
        this.#report(error, failures === 0)
        this.#failure = error
        this.#announce()
        if (error.passing) await this.#pause(backOffMs(failures++, { firstMs: 200, longestMs: this.#options.retryMs }))
        else await this.#rest(secret)
      }
    }
  }

  async #logIn(secret: string): Promise<Held> {
    const obtainedMs = performance.now()
    try {
      const grant = await this.#method.logIn(secret)
      await this.#probeNamespaces(grant.token)
      const life = grant.ttlMs === 0 ? 'for ever' : `for ${grant.ttlMs / 1000} s${grant.renewable ? ', renewable' : ''}`
      this.#options.onEvent({ level: 'info', message: `logged in to Vault by ${this.#method.kind}; the token is valid ${life}` })
      return { ...grant, obtainedMs, shrinks: false }
    } catch (error) {
      throw error instanceof VaultError ? refusal(error, this.#method.kind) : error
    }
  }

  /** A server that knows no namespaces ignores the header, and everything would land in the wrong place. */
  async #probeNamespaces(token: string): Promise<void> {
    const { namespace = this.#method.namespace, otherNamespaces } = this.#options
    const configured = namespace ?? otherNamespaces[0]
    if (configured === undefined) return
    const unknown = `kmipd-probe-${randomBytes(8).toString('hex')}`
    try {
      await this.#send({ method: 'GET', path: 'auth/token/lookup-self', token, namespace: unknown })
    } catch (error) {
      if (error instanceof VaultError && !error.passing) return
      throw error
    }
    throw new VaultError('configuration', `a namespace is configured (${configured}), and this server ignores namespaces: leave it out`)
  }

  /** Renew it as long as that goes. @returns when another login is due */
  async #hold(first: Held): Promise<void> {
    let held = first
    for (let failures = 0; ; ) {
      const ageMs = performance.now() - held.obtainedMs
      const renewInMs = held.ttlMs * (RENEW_AT + RENEW_JITTER * Math.random()) - ageMs
      await this.#pause(held.ttlMs === 0 ? LONGEST_TIMER_MS : failures > 0 ? backOffMs(failures, this.#retries(held)) : renewInMs)
      if (this.#isClosed || this.#held !== held) return
      if (held.ttlMs === 0) continue
      if (!held.renewable || held.shrinks || !this.#valid()) return
      try {
        held = await this.#renew(held)
        this.#held = held
        this.#announce()
        failures = 0
      } catch (error) {
        if (!(error instanceof VaultError)) throw error
        this.#report(error, failures === 0)
        if (error.code === 'permission-denied') this.#held = undefined
        if (!error.passing) return
        failures++
      }
    }
  }

  #retries({ ttlMs }: Held): { firstMs: number; longestMs: number } {
    return { firstMs: Math.min(200, ttlMs / 50), longestMs: Math.min(this.#options.retryMs, ttlMs / 10) }
  }

  async #renew(held: Held): Promise<Held> {
    const obtainedMs = performance.now()
    const { token } = held
    const answer = await this.#send({
      method: 'POST',
      path: 'auth/token/renew-self',
      json: {},
      token,
      namespace: this.#method.namespace,
      idempotent: true,
    })
    const { ttlMs, renewable } = grantOf(answer)
    return { token, ttlMs, renewable, obtainedMs, shrinks: ttlMs > 0 && ttlMs < held.ttlMs * 0.9 }
  }

  /** After a refusal: until the credential is another one, or long enough that a lock-out does not come of it. */
  async #rest(refused: string | undefined): Promise<void> {
    const endMs = performance.now() + this.#options.refusedMs
    while (!this.#isClosed && performance.now() < endMs) {
      await this.#pause(Math.min(this.#options.retryMs, endMs - performance.now()))
      if (refused !== (await this.#shown())) return
    }
  }

  async #shown(): Promise<string | undefined> {
    try {
      return await this.#method.secret()
    } catch (error) {
      if (error instanceof VaultError) return undefined
      throw error
    }
  }

  #valid(): Held | undefined {
    const held = this.#held
    if (held === undefined || held.ttlMs === 0) return held
    return performance.now() < held.obtainedMs + held.ttlMs - Math.min(MARGIN_MS, held.ttlMs / 10) ? held : undefined
  }

  #send(call: Parameters<Parameters<typeof loginMethod>[2]>[0]): Promise<Answer> {
    const whole: Call = { ...call, deadlineMs: LOGIN_DEADLINE_MS, tries: 'each-server' }
    return this.#options.dispatcher.call(whole)
  }

  #report({ code, message, passing }: VaultError, first: boolean): void {
    if (!first && passing) return
    this.#options.onEvent({ level: passing ? 'warn' : 'error', message, code })
  }

  #announce(): void {
    for (const tell of this.#changed) tell()
  }

  async #change(withinMs: number, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>(resolve => {
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        this.#changed.delete(done)
        resolve()
      }
      const timer = setTimeout(done, Math.min(withinMs, LONGEST_TIMER_MS))
      signal?.addEventListener('abort', done, { once: true })
      this.#changed.add(done)
    })
  }

  /** Its timer keeps no process alive. Somebody who waits for a token cuts it short. */
  async #pause(ms: number): Promise<void> {
    const startMs = performance.now()
    await new Promise<void>(resolve => {
      let timer = setTimeout(resolve, Math.min(Math.max(0, ms), LONGEST_TIMER_MS)).unref()
      this.#wake = () => {
        clearTimeout(timer)
        timer = setTimeout(resolve, this.#isClosed ? 0 : Math.max(0, SHORTEST_PAUSE_MS - (performance.now() - startMs))).unref()
      }
    })
    this.#wake = () => {}
  }
}

const REFUSED: ReadonlySet<VaultErrorCode> = new Set(['permission-denied', 'invalid-request', 'login-refused', 'not-found', 'key-missing'])

function refusal(error: VaultError, kind: string): VaultError {
  if (!REFUSED.has(error.code)) return error.code === 'in-doubt' ? new VaultError('unreachable', error.message) : error
  return new VaultError(
    'login-refused',
    `Vault refuses the ${kind} login: ${error.message}`,
    error.status === undefined ? {} : { status: error.status },
  )
}
