import type { Allow, HttpHandler, HttpRequest, HttpResponse, RequestHead } from '../http/exchange.ts'
import type { Access, Asker } from './access.ts'
import { ACCESS_ROUTES } from './access-routes.ts'
import { failure, malformed, nowhere, redirect, wrongMethod } from './answer.ts'
import { KesError } from './error.ts'
import type { Figures } from './figures.ts'
import type { KeyCache } from './key-cache.ts'
import { KEY_ROUTES } from './key-routes.ts'
import type { Asked, KesEvent, Level } from './log-line.ts'
import { readPath } from './path.ts'
import { withoutMark } from './pattern.ts'
import { type Call, type Context, type Route, Routes } from './route.ts'
import { SERVER_ROUTES } from './server-routes.ts'
import type { Telemetry } from './telemetry.ts'

/** All routes as they are unless the configuration says otherwise. */
export const ROUTES: readonly Route[] = [...SERVER_ROUTES, ...KEY_ROUTES, ...ACCESS_ROUTES]

export interface RouteSettings {
  readonly skipAuth?: boolean
  readonly timeoutMs?: number
}

export interface KesDoorOptions {
  readonly access: Access
  readonly keys: KeyCache
  /** What differs, by the path of a route. */
  readonly api: { readonly [path: string]: RouteSettings }
  /** The texts of errors as releases before 2022 had them. */
  readonly oldTexts: boolean
  readonly oldListings: boolean
  readonly telemetry: Telemetry
  readonly version: string
  /** RFC 3339. */
  readonly configuredAt: string
  nowNs(): bigint
  /** Of all processes of the server. */
  readonly figures: () => Promise<Figures>
  /** Told of each request, before its answer leaves; a promise is waited for, and if it fails there is no answer. */
  audit(event: KesEvent): Promise<void> | undefined
  log(level: Level, message: string, asked: Asked): void
}

type Match =
  | { readonly answer: HttpResponse; readonly path: string }
  | {
      readonly route: Route
      readonly name: string
      readonly path: string
      /** What policies are asked about. */
      readonly asked: string
      /** For the audit: `key/create`. */
      readonly operation: string
      readonly isCounted: boolean
    }

/** KES's HTTP API: what a request may take, and its answer. */
export interface KesDoor {
  readonly allow: Allow
  readonly handler: HttpHandler
}

export function createKesDoor(options: KesDoorOptions): KesDoor {
  const { access, telemetry, oldTexts, audit } = options
  const log: KesDoorOptions['log'] = (level, message, asked) => options.log(level, shortened(message), asked)
  const routes = new Routes(ROUTES.map(route => configured(route, options.api[route.path])))
  const context: Context = {
    ...options,
    routes: routes.list,
    fault: (error, { request, identity, ip, name }) =>
      log('ERROR', textOf(error), { method: request.method, path: shortened(name), identity, ip }),
  }
  const matches = new Map<string, Match>()
  const match = (head: RequestHead): Match => {
    const asked = `${head.method} ${head.target}`
    let found = matches.get(asked)
    if (found === undefined) {
      found = matchOf(head, routes, oldTexts)
      // Anybody may ask for paths of a megabyte, and for another one each time.
      if (asked.length > LONGEST_KEPT) return found
      if (matches.size >= MATCHES_KEPT) matches.clear()
      matches.set(asked, found)
    }
    return found
  }

  return {
    allow(head) {
      const found = match(head)
      if (!('route' in found)) return REFUSED
      const { maxBody, timeoutMs } = found.route
      return { bodyBytes: maxBody > 0 && isAdmitted(head, found, access) ? maxBody : 0, timeoutMs }
    },
    handler(request) {
      const passage = new Passage(request, match(request))
      telemetry.active++
      try {
        const answer = passage.run(context, access)
        if (!(answer instanceof Promise)) return finish(passage, answer)
        return answer.then(
          answer => finish(passage, answer),
          (error: unknown) => finish(passage, refuse(passage, error)),
        )
      } catch (error) {
        return finish(passage, refuse(passage, error))
      }
    },
  }

  function refuse(passage: Passage, error: unknown): HttpResponse {
    const known = error instanceof KesError ? error : new KesError(500, 'internal error', { cause: error })
    const { cause } = known
    if (known.status >= 500 && known.status !== 501) log('ERROR', cause === undefined ? known.message : textOf(cause), passage.asked)
    else if (known.status === 403) log('WARN', `${known.message}: ${String(cause)}`, passage.asked)
    else log('DEBUG', known.message, passage.asked)
    passage.done = known.message
    return failure(known, oldTexts)
  }

  function finish(passage: Passage, answer: HttpResponse): HttpResponse | Promise<HttpResponse> {
    telemetry.active--
    const event = passage.event(answer.status)
    if (passage.isCounted) telemetry.served(event.status, event.latencyMs / 1000)
    telemetry.event(event)
    return audit(event)?.then(() => answer) ?? answer
  }
}

/** Clients ask for the same few paths again and again. */
const MATCHES_KEPT = 2000
const LONGEST_KEPT = 500
const LONGEST_TOLD = 1000
/** As logs have it: they would grow by a megabyte with each request that is refused. */
const shortened = (text: string): string => (text.length > LONGEST_TOLD ? `${text.slice(0, LONGEST_TOLD)}…` : text)
const REFUSED = { bodyBytes: 0, timeoutMs: 10_000 }
const COUNTED = /^\/v1\/(?:key|policy|identity)\//

/** A request on its way through the door. */
class Passage {
  readonly #request: HttpRequest
  readonly #match: Match
  readonly #beganMs = performance.now()
  readonly #timeMs = Date.now()
  #asker: Asker
  #call: Call | undefined
  /** What was done, in words. */
  done: string | undefined

  constructor(request: HttpRequest, match: Match) {
    this.#request = request
    this.#match = match
    this.#asker = { identity: '', ip: request.remoteAddress }
  }

  get isCounted(): boolean {
    return this.#call !== undefined && 'route' in this.#match && this.#match.isCounted
  }

  get asked(): Asked {
    return { method: shortened(this.#request.method), path: shortened(this.#match.path), ...this.#asker }
  }

  /** @throws KesError, and what a handler did not foresee */
  run(context: Context, access: Access): HttpResponse | Promise<HttpResponse> {
    const match = this.#match
    if ('answer' in match) return match.answer
    this.#admit(match, access)
    const { identity, ip } = this.#asker
    this.#call = { request: this.#request, name: match.name, identity, ip }
    return match.route.run(this.#call, context)
  }

  event(status: number): KesEvent {
    const match = this.#match
    const isMatched = 'route' in match
    return {
      timeMs: this.#timeMs,
      method: shortened(this.#request.method),
      path: shortened(match.path),
      identity: this.#asker.identity,
      ip: this.#asker.ip,
      message: shortened(this.done ?? this.#call?.done ?? (status < 400 ? 'served' : 'refused')),
      operation: isMatched ? match.operation : '',
      object: isMatched ? shortened(match.name) : '',
      status,
      latencyMs: performance.now() - this.#beganMs,
    }
  }

  /** Who may use a route without an identity, is known all the same if he shows one. */
  #admit({ route: { auth }, asked }: Extract<Match, { route: Route }>, access: Access): void {
    if (auth === 'policy') {
      this.#asker = access.identify(this.#request)
      access.authorize(this.#asker.identity, asked)
      return
    }
    try {
      this.#asker = access.identify(this.#request)
    } catch (error) {
      if (!(error instanceof KesError)) throw error
      if (auth === 'identity' && this.#request.certificates.length > 0) throw error
    }
  }
}

/** Whether somebody may at all: the body of a request that will be refused is not worth its memory. */
function isAdmitted(head: RequestHead, { route, asked }: Extract<Match, { route: Route }>, access: Access): boolean {
  if (route.auth !== 'policy') return true
  try {
    return access.allows(access.identify(head).identity, asked)
  } catch (error) {
    if (error instanceof KesError) return false
    throw error
  }
}

function matchOf({ method, target }: RequestHead, routes: Routes, oldTexts: boolean): Match {
  const read = readPath(target)
  if (read === undefined) return { answer: malformed, path: target }
  if ('location' in read) return { answer: redirect(method, read.location), path: target }
  const { path } = read
  const found = routes.find(path)
  if (found === undefined) return { answer: nowhere, path }
  const expected = found.route.method
  if (method !== expected && !(method === 'POST' && expected === 'PUT')) return { answer: wrongMethod(method, expected, oldTexts), path }
  const { route, name } = found
  return {
    ...{ route, name, path },
    asked: route.path.endsWith('/') ? route.path + withoutMark(name) : route.path,
    operation: route.path.replace(/^\/(?:v1\/)?|\/$/g, ''),
    isCounted: COUNTED.test(path),
  }
}

const configured = (route: Route, settings: RouteSettings | undefined): Route =>
  settings === undefined
    ? route
    : {
        ...route,
        ...(settings.timeoutMs !== undefined && settings.timeoutMs > 0 && { timeoutMs: settings.timeoutMs }),
        ...(settings.skipAuth && { auth: 'none' }),
      }

const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? textOf(error.cause) : ''
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}
