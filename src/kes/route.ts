import type { HttpRequest, HttpResponse } from '../http/exchange.ts'
import type { Access, Asker } from './access.ts'
import type { Figures } from './figures.ts'
import type { KeyCache } from './key-cache.ts'
import type { Telemetry } from './telemetry.ts'

/** What routes work with. */
export interface Context {
  readonly access: Access
  readonly keys: KeyCache
  readonly telemetry: Telemetry
  readonly version: string
  /** Listings are lines, without pages. */
  readonly oldListings: boolean
  /** Since when the configuration counts; RFC 3339. */
  readonly configuredAt: string
  /** The API as it is configured. */
  readonly routes: readonly Route[]
  /** Nanoseconds since 1970. */
  nowNs(): bigint
  /** Of all processes of the server. */
  readonly figures: () => Promise<Figures>
  /** A fault of ours or of the key store, for the error log. */
  fault(error: unknown, call: Call): void
}

/** A request that may be served. */
export interface Call extends Asker {
  readonly request: HttpRequest
  /** What stands after the path of the route, decoded. */
  readonly name: string
  /** What was done, for the audit log; unless told, that it was served. */
  done?: string
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'DELETE'
  /** One that ends in `/` takes a name. */
  readonly path: string
  /** Bytes; 0: none is read. */
  readonly maxBody: number
  /** 0: none. */
  readonly timeoutMs: number
  /** `identity`: anybody who shows a certificate, if certificates are wanted; `policy`: whom a policy allows. */
  readonly auth: 'none' | 'identity' | 'policy'
  /** Whether it is told by `/v1/api`; those of older releases are not. */
  readonly isCurrent: boolean
  run(call: Call, context: Context): HttpResponse | Promise<HttpResponse>
}

/** Finds routes by paths. */
export class Routes {
  readonly list: readonly Route[]
  readonly #exact = new Map<string, Route>()
  /** Paths that take a name, the longest first where one begins like another. */
  readonly #named = new Map<string, Route>()

  constructor(list: readonly Route[]) {
    this.list = list
    for (const route of list) {
      this.#exact.set(route.path, route)
      if (!route.path.endsWith('/')) continue
      this.#named.set(route.path, route)
      // Clients ask for `/v1/key/list` and follow a redirect; they need not.
      this.#exact.set(route.path.slice(0, -1), route)
    }
  }

  find(path: string): { readonly route: Route; readonly name: string } | undefined {
    const exact = this.#exact.get(path)
    if (exact !== undefined) return { route: exact, name: '' }
    // The path of a route that takes a name ends after its third or fourth part: `/v1/key/create/`, `/v1/key/bulk/decrypt/`.
    let end = 0
    for (let part = 0; part < 4; part++) {
      end = path.indexOf('/', end + 1)
      if (end < 0) return undefined
      const route = part < 2 ? undefined : this.#named.get(path.slice(0, end + 1))
      if (route !== undefined) return { route, name: path.slice(end + 1) }
    }
    return undefined
  }
}
