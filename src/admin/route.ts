import type { X509Certificate } from 'node:crypto'
import type { Fields, Values } from './fields.ts'

/** What is done, in the words of policies; `create` is a write where nothing is yet, for routes that can tell. */
export type Operation = 'create' | 'read' | 'update' | 'delete' | 'list' | 'patch' | 'help'

/** A request after the HTTP is read off it: what guards, audit and handlers see. */
export interface LogicalRequest {
  /** A UUID; the answer's `request_id`. */
  readonly id: string
  readonly operation: Operation
  /** Behind `/v1/`, decoded, without a slash at its ends: `kmip/scope/finance`. */
  readonly path: string
  /** Of the engine that serves it, with its slash: `kmip/`, `sys/`, `auth/token/`; empty when none does. */
  readonly mount: string
  readonly mountType: string
  /** Body, or query of requests without a body, as sent; nothing is checked yet. */
  readonly data: Readonly<Record<string, unknown>>
  readonly token: string | undefined
  /** As it was sent; there is one namespace, the root. */
  readonly namespace: string | undefined
  /** Seconds that the answer shall be wrapped for; 0: it shall not. */
  readonly wrapTtl: number
  readonly remoteAddress: string
  /** What the client showed in the TLS handshake, leaf first. */
  readonly certificates: readonly X509Certificate[]
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** Who asks, as the guard found out. */
export interface Caller {
  readonly displayName: string
  readonly accessor: string
  readonly policies: readonly string[]
  /** May do everything. */
  readonly isRoot: boolean
}

/** The `auth` block of an answer: a token that was made or renewed, by Vault's names. */
export type AuthAnswer = Readonly<Record<string, unknown>> & { readonly client_token: string }
export type WrapAnswer = Readonly<Record<string, unknown>> & { readonly token: string }

/** What a handler gives. Nothing at all: 404 for a read or list, 204 for the others. */
export interface Answer {
  readonly data?: Readonly<Record<string, unknown>> | null
  readonly auth?: AuthAnswer
  readonly wrapInfo?: WrapAnswer
  readonly warnings?: readonly string[]
  /** Instead of 200. */
  readonly status?: number
  /** Instead of the type of the mount that answered. */
  readonly mountType?: string
  /** Put the keys of `data` at the top of the envelope too, as Vault's `sys/` does. */
  readonly repeated?: boolean
  /** Instead of the envelope: the body as it is. */
  readonly raw?: { readonly contentType: string; readonly body: string | Buffer }
  /** Instead of the envelope: this object, as JSON. */
  readonly bare?: Readonly<Record<string, unknown>>
  /** Extra headers of the answer. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface Call<P extends string = string, F extends Fields = Fields> {
  readonly request: LogicalRequest
  /** Absent on routes that are open to everybody. */
  readonly caller: Caller | undefined
  /** Of the path, by the names in its pattern. */
  readonly params: { readonly [name in P]: string }
  /** Those that were sent, read by their rows. */
  readonly fields: Values<F>
}

export type Handler<C, P extends string, F extends Fields> = (call: Call<P, F>, context: C) => Promise<Answer | undefined>
export type Verb = 'write' | 'read' | 'delete' | 'list' | 'patch'

export interface Action<C, P extends string = string, F extends Fields = Fields> {
  readonly run: Handler<C, P, F>
  /** What it does, in a sentence, where the route's own does not say it. */
  readonly summary?: string
  /** Names of the fields that it takes; unless told, all for `write` and `patch` and none for the others. */
  readonly takes?: readonly (keyof F & string)[]
  /** Statuses of success; unless told, 200 for `read` and `list`, 204 for `delete`, either for the others. */
  readonly statuses?: readonly number[]
  /** Shape of the answer's `data`, for the documents. */
  readonly answer?: Fields
  /** Of an answer that is not JSON, for the documents. */
  readonly contentType?: string
}

/** `token`: whom a policy allows it. `sudo`: whom a policy allows it with sudo. `open`: everybody, without a token. */
export type Access = 'token' | 'sudo' | 'open'

/** Names in a path pattern: `:name` is one part of it, `:name+` at least one. */
export type ParamsOf<P extends string> = P extends `${infer Head}/${infer Rest}`
  ? ParamsOf<Head> | ParamsOf<Rest>
  : P extends `:${infer Name}+`
    ? Name
    : P extends `:${infer Name}`
      ? Name
      : never

interface RouteRow<C, Path extends string, F extends Fields> {
  /** Within the mount: `scope/:scope/role/:role`. */
  readonly path: Path
  /** Heading of the help, in a sentence. */
  readonly summary: string
  readonly description?: string
  /** `token` unless told. */
  readonly access?: Access
  /** What the names in the path are. */
  readonly params?: { readonly [name in ParamsOf<Path>]: string }
  readonly fields?: F
  readonly actions: { readonly [verb in Verb]?: Action<C, ParamsOf<Path>, F> }
  /** Names in the path are not told apart by case. */
  readonly caseless?: boolean
  /** Whether the thing is there: a write is `create` if not. Without it each write is `update`, as in Vault. */
  readonly exists?: (call: Call<ParamsOf<Path>, F>, context: C) => Promise<boolean>
}

/** A row of a route table. Handlers get the context that the mount of the table was bound to. */
export interface Route<C = unknown> {
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly access: Access
  readonly params: Readonly<Record<string, string>>
  readonly fields: Fields
  readonly actions: { readonly [verb in Verb]?: Action<C> }
  readonly caseless?: boolean
  readonly exists?: (call: Call, context: C) => Promise<boolean>
}

/** Makes rows whose handlers know the names and types of their parameters: `const route = routeFor<Context>()`. */
export const routeFor =
  <C>() =>
  <const Path extends string, const F extends Fields = Record<never, never>>(row: RouteRow<C, Path, F>): Route<C> =>
    // What the row's own types say of its parameters holds because the door reads them by that same row.
    ({ access: 'token', params: {}, fields: {}, ...row }) as unknown as Route<C>

/** A table at its place, ready to be served. */
export interface Mounted {
  /** With its slash: `kmip/`, `auth/approle/`. */
  readonly path: string
  /** `kmip`, `system`, `token`, … */
  readonly type: string
  readonly routes: readonly Route[]
}

/** Rows with the context that their handlers are to get. */
export const bound = <C>(routes: readonly Route<C>[], context: C): readonly Route[] =>
  routes.map(route => {
    const { actions, exists, ...rest } = route
    const bind = ([verb, { run, ...action }]: [string, Action<C>]) => [verb, { ...action, run: (call: Call) => run(call, context) }]
    return {
      ...rest,
      actions: Object.fromEntries(Object.entries(actions).map(bind)),
      ...(exists && { exists: (call: Call) => exists(call, context) }),
    }
  })
