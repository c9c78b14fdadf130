import { setTimeout as wait } from 'node:timers/promises'
import { Outgoing, type OutgoingAnswer, OutgoingError } from '../http/outgoing.ts'
import type { EntrustSettings } from './settings.ts'

export interface EntrustOptions {
  readonly settings: EntrustSettings
  /** PEM of the authorities that the server's certificate may lead to, instead of those that Node trusts. */
  readonly authorities?: readonly string[]
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** Between two tries, in milliseconds. */
  readonly pauseMs?: () => number
}

/** The answer of a call that was not done. `doubtful`: an earlier try of the same call may have been done all the same. */
export class EntrustRefusal extends Error {
  override readonly name = 'EntrustRefusal'
  readonly code = 'refused'
  readonly status: number
  /** What the server says, if it says it as it should. */
  readonly text: string
  readonly doubtful: boolean
  constructor(call: string, status: number, text: string, doubtful: boolean) {
    super(`${call} was answered with ${status}${text === '' ? '' : `: ${text}`}`)
    this.status = status
    this.text = text
    this.doubtful = doubtful
  }
}

/** Fields of an answer. */
export type Fields = { readonly [field: string]: unknown }

export interface Done {
  readonly fields: Fields
  /** An earlier try may have been done already. */
  readonly doubtful: boolean
}

interface Token {
  readonly value: string
  readonly renewAtMs: number
  readonly endsAtMs: number
}

const TRIES = 3
/** A token may be refused, and one that a renewal brought meanwhile too: the next one is of a login. */
const REFUSALS = 2
/** Life of a token whose end the server does not say. */
const DEFAULT_LIFE_MS = 5 * 60_000
const LONGEST_TEXT = 200
const RETRIED: ReadonlySet<string> = new Set(['timeout', 'reset', 'refused', 'unreachable'])

/**
 * Calls to Entrust KeyControl's vault API, logged in: the token is renewed when half of its life is over, a call that is answered with 401
 * is sent again after one login that all calls share, and what fails for the server's or the network's sake is tried three times.
 */
export class EntrustSession {
  readonly #settings: EntrustSettings
  readonly #outgoing: Outgoing
  readonly #base: string
  readonly #now: () => number
  readonly #pauseMs: () => number
  #token: Token | undefined
  #login: Promise<Token> | undefined
  #renewal: Promise<void> | undefined

  /** @throws TypeError if the endpoint is no address */
  constructor({ settings, authorities, now = Date.now, pauseMs = () => 200 + Math.random() * 800 }: EntrustOptions) {
    const url = new URL(settings.endpoint)
    this.#settings = settings
    this.#outgoing = new Outgoing({ origin: url.origin, ...(authorities && { authorities }) })
    this.#base = `${url.pathname.replace(/\/+$/, '')}/vault/1.0`
    this.#now = now
    this.#pauseMs = pauseMs
  }

  /** Log in if that was not done. @throws EntrustRefusal, OutgoingError */
  async open(): Promise<void> {
    await this.#current()
  }

  /** Do one call. @throws EntrustRefusal, OutgoingError */
  async call(name: string, body: Fields): Promise<Done> {
    let token = await this.#current()
    let doubtful = false
    let refusals = 0
    for (let tries = 1; ; tries++) {
      try {
        const answer = await this.#post(`/${name}/`, JSON.stringify(body), token.value)
        if (answer.status === 200) return { fields: fieldsOf(answer), doubtful }
        if (answer.status === 401 && refusals++ < REFUSALS) {
          token = await this.#insteadOf(token)
          continue
        }
        if (answer.status < 500 || tries >= TRIES) throw new EntrustRefusal(name, answer.status, textOf(answer), doubtful)
        doubtful = true
      } catch (error) {
        if (!(error instanceof OutgoingError) || !RETRIED.has(error.code) || tries >= TRIES) throw error
        doubtful ||= error.sent
      }
      await wait(this.#pauseMs())
    }
  }

  close(): void {
    this.#token = undefined
    this.#outgoing.close()
  }

  async #current(): Promise<Token> {
    const token = this.#token
    const now = this.#now()
    if (token === undefined || token.endsAtMs <= now) return this.#loggedIn()
    if (token.renewAtMs <= now) this.#renew(token)
    return token
  }

  /** Another token than one that the server does not take any more. */
  async #insteadOf(refused: Token): Promise<Token> {
    await this.#renewal
    if (this.#token !== undefined && this.#token !== refused) return this.#token
    return this.#loggedIn()
  }

  /** One login for all who wait for one. */
  #loggedIn(): Promise<Token> {
    this.#login ??= this.#doLogin().finally(() => {
      this.#login = undefined
    })
    return this.#login
  }

  async #doLogin(): Promise<Token> {
    const { vaultId, username, password } = this.#settings
    this.#token = undefined
    const answer = await this.#post(`/Login/${encodeURIComponent(vaultId)}/`, JSON.stringify({ username, password }))
    // What it says is left out: it could repeat what was sent.
    if (answer.status !== 200) throw new EntrustRefusal('Login', answer.status, '', false)
    return this.#keep(answer, 'Login')
  }

  /** Beside the calls that need the token meanwhile. If it fails, the token is used to its end, and a login follows then. */
  #renew(token: Token): void {
    this.#renewal ??= this.#post('/Renew/', '', token.value)
      .then(answer => {
        if (answer.status === 200 && this.#token === token) this.#keep(answer, 'Renew')
        else this.#later(token)
      })
      .catch((error: unknown) => {
        if (!(error instanceof OutgoingError) && !(error instanceof EntrustRefusal)) throw error
        this.#later(token)
      })
      .finally(() => {
        this.#renewal = undefined
      })
  }

  /** Try again to renew when half of what is left is over. */
  #later(token: Token): void {
    const now = this.#now()
    if (this.#token === token) this.#token = { ...token, renewAtMs: now + Math.max((token.endsAtMs - now) / 2, 1000) }
  }

  #keep(answer: OutgoingAnswer, call: string): Token {
    const { access_token: value, expires_at: end } = fieldsOf(answer)
    if (typeof value !== 'string' || value === '') throw new EntrustRefusal(call, answer.status, 'there is no access_token', false)
    const now = this.#now()
    const told = typeof end === 'string' ? Date.parse(end) : Number.NaN
    const endsAtMs = Number.isNaN(told) ? now + DEFAULT_LIFE_MS : told
    this.#token = { value, endsAtMs, renewAtMs: now + (endsAtMs - now) / 2 }
    return this.#token
  }

  #post(path: string, body: string, token?: string): Promise<OutgoingAnswer> {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(token !== undefined && { 'x-vault-auth': token }),
    }
    return this.#outgoing.request({ method: 'POST', target: `${this.#base}${path}`, headers, body })
  }
}

function fieldsOf(answer: OutgoingAnswer): Fields {
  const fields = jsonOf(answer)
  if (fields === undefined) throw new EntrustRefusal('the call', answer.status, 'the answer is no JSON object', false)
  return fields
}

function jsonOf({ body }: OutgoingAnswer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8') || '{}')
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** `{"error": text}`; other answers, such as those of a proxy in between, say nothing that we could go by. */
function textOf(answer: OutgoingAnswer): string {
  const error = jsonOf(answer)?.error
  return typeof error === 'string' ? error.replace(/[^\x20-\x7e]/g, ' ').slice(0, LONGEST_TEXT) : ''
}
