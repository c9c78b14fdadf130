import { setTimeout as sleep } from 'node:timers/promises'
import { backOffMs, type Endpoint, type Endpoints } from './endpoints.ts'
import { VaultError } from './errors.ts'
import { type Answer, failureOf, secretsIn } from './failures.ts'
import type { Sent } from './transport.ts'

export interface Call {
  readonly method: Sent['method']
  /** Below `/v1/`, made by `pathOf`. */
  readonly path: string
  /** Without the question mark. */
  readonly query?: string
  readonly json?: object
  readonly contentType?: string
  /** Whether it does no harm when done twice: it is then repeated until the deadline. Default: for GET. */
  readonly idempotent?: boolean
  /** Only from the active server, so that nothing older than the request is answered. */
  readonly fresh?: boolean
  readonly namespace?: string | undefined
  readonly token?: string | undefined
  readonly deadlineMs: number
  /** Which answers are good although their status says failure. */
  readonly accept?: (answer: Answer) => boolean
  /** Each server is tried once, and not until the deadline. */
  readonly tries?: 'each-server'
  readonly signal?: AbortSignal | undefined
}

const PAUSE = { firstMs: 50, longestMs: 1000 }
/** With less time than that left, another try would only end with a worse reason. */
const LEAST_TRY_MS = 250
/** Times that an internal error of the server is met with the same request. */
const INTERNAL_ERRORS = 3

/**
 * Requests to whichever server can answer. What failed for a reason that passes is sent again, to the next server, with growing pauses and
 * until the deadline, unless it is a write that may have happened.
 */
export class Dispatcher {
  readonly #endpoints: Endpoints

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints
  }

  /** @throws VaultError */
  async call(call: Call): Promise<Answer> {
    const endMs = performance.now() + call.deadlineMs
    let before: VaultError | undefined
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.once(call, attempt, endMs - performance.now())
      } catch (error) {
        if (!(error instanceof VaultError) || !error.passing || error.code === 'busy') throw error
        const tries = call.tries ? this.#endpoints.all.length : error.code === 'unavailable' ? INTERNAL_ERRORS : Infinity
        if (attempt + 1 >= tries) throw error
        const pauseMs = error.retryAfterMs ?? backOffMs(attempt, PAUSE)
        // That nobody answered in the time that was left says less than what the try before was told.
        if (performance.now() + pauseMs + Math.min(LEAST_TRY_MS, call.deadlineMs / 4) >= endMs)
          throw (error.code === 'unreachable' && before) || error
        before = error
        await pause(pauseMs, call)
        if (this.#endpoints.all.length > 1 && error.code !== 'quota') await this.#endpoints.check()
      }
    }
  }

  /** One try, at one server. @throws VaultError */
  async once(call: Call, attempt: number, deadlineMs: number): Promise<Answer> {
    const endpoint = call.fresh ? await this.#active(call) : this.#endpoints.pick(attempt)
    try {
      const answer =
        call.fresh && endpoint.standbyReads ? await this.#fresh(call, endpoint, deadlineMs) : await send(call, endpoint, deadlineMs)
      endpoint.answered()
      return answer
    } catch (error) {
      if (error instanceof VaultError) endpoint.failed(error)
      throw error
    }
  }

  async #active({ method, path }: Call): Promise<Endpoint> {
    const known = this.#endpoints.active ?? this.#endpoints.relay
    if (known) return known
    await this.#endpoints.check()
    const found = this.#endpoints.active ?? this.#endpoints.relay
    if (found) return found
    const states = this.#endpoints.all.map(({ transport, state }) => `${transport.origin} ${state}`).join(', ')
    const sealed = this.#endpoints.all.every(({ state }) => state === 'sealed' || state === 'uninitialised')
    throw new VaultError(sealed ? 'sealed' : 'not-active', `${method} ${path}: no server is active now (${states})`)
  }

  /** It must still be the active one when it answers: a standby answers such a read with what it has. */
  async #fresh(call: Call, endpoint: Endpoint, deadlineMs: number): Promise<Answer> {
    const [answer, state] = await Promise.all([send(call, endpoint, deadlineMs), endpoint.check()])
    if (state === 'active') return answer
    throw new VaultError('not-active', `${call.method} ${call.path}: ${endpoint.transport.origin} is ${state} now`)
  }
}

async function send(call: Call, endpoint: Endpoint, deadlineMs: number): Promise<Answer> {
  const { method, path, query, json, contentType, namespace, token, signal, idempotent = method === 'GET' } = call
  const isList = query?.includes('list=true') === true
  const asked = { method, path, isList, idempotent, secrets: [...secretsIn(json), ...(token === undefined ? [] : [token])] }
  const answer = await endpoint.transport.send({
    method,
    path: query === undefined ? path : `${path}?${query}`,
    deadlineMs: Math.max(1, Math.ceil(deadlineMs)),
    idempotent,
    headers: {
      ...(token !== undefined && { 'x-vault-token': token }),
      ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
      ...(contentType !== undefined && { 'content-type': contentType }),
    },
    ...(json && { json }),
    ...(signal && { signal }),
  })
  const failure = failureOf(answer, asked)
  // Without a route or a namespace, 404 does not say that there is nothing.
  if (failure && (failure.code === 'configuration' || !call.accept?.(answer))) throw failure
  return answer
}

async function pause(ms: number, { method, path, signal }: Call): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {})
  } catch {
    throw new VaultError('aborted', `${method} ${path}: given up by its caller`)
  }
}
