import { createGuard } from '../../src/admin/auth/guard.ts'
import { Identities } from '../../src/admin/auth/identities.ts'
import { authMounts, identitySystemRoutes } from '../../src/admin/auth/mounts.ts'
import { type Mounted, type Route, routeFor } from '../../src/admin/route.ts'
import type { HttpRequest } from '../../src/http/exchange.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import type { Records } from '../../src/seal/records.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { doorLab, type Reply } from './lab.ts'

export const START = Date.parse('2026-01-01T00:00:00Z')

/** Things below `kv/` that exist when they were written, for policies to guard. */
function things(): readonly Route[] {
  const written = new Set<string>()
  return [
    routeFor<unknown>()({
      path: ':path+',
      summary: 'A thing.',
      fields: { a: { type: 'any', description: 'Anything.' } },
      exists: async ({ params }) => written.has(params.path),
      actions: {
        write: {
          run: async ({ params }) => {
            written.add(params.path)
            return undefined
          },
        },
        read: { run: async ({ params }) => ({ data: { path: params.path } }) },
        delete: { run: async () => undefined },
        list: { run: async () => ({ data: { keys: ['x'] } }) },
      },
    }),
  ]
}

export interface IdentityLab {
  readonly identities: Identities
  readonly root: string
  readonly clock: { ms: number }
  readonly records: Records
  readonly store: Store
  /** Ask as the holder of a token; an empty one is none. */
  as(token: string, method: string, path: string, body?: unknown, more?: Asking): Promise<Reply>
  /** The same as root. */
  ask(method: string, path: string, body?: unknown, more?: Asking): Promise<Reply>
  /** A child of the root token. */
  child(body?: unknown): Promise<string>
  readonly errors: unknown[]
  mounts(): Promise<readonly Mounted[]>
}

interface Asking extends Partial<HttpRequest> {
  /** Value of X-Vault-Wrap-TTL. */
  readonly wrap?: string
}

/** A door whose guard, tokens and logins are the real ones, on a clock that stands. */
export async function identityLab(store: Store = new MemoryStore()): Promise<IdentityLab> {
  const clock = { ms: START }
  const records = await openRecords({ store, providers: [localProvider(newLocalKey())] })
  const identities = await Identities.open({ records, now: () => clock.ms })
  const system = identitySystemRoutes(identities)
  const kept = things()
  const mounts = async (): Promise<Mounted[]> => [
    { path: 'sys/', type: 'system', routes: system },
    { path: 'kv/', type: 'kv', routes: kept },
    ...(await authMounts(identities)),
  ]
  const door = doorLab(mounts, { guard: createGuard(identities) })
  const root = await identities.createRoot()
  const as: IdentityLab['as'] = (token, method, path, body, { wrap, ...from } = {}) =>
    door.ask(method, `/v1/${path}`, body, { 'x-vault-token': token, ...(wrap !== undefined && { 'x-vault-wrap-ttl': wrap }) }, from)
  const ask: IdentityLab['ask'] = (...args) => as(root, ...args)
  return {
    ...{ identities, root, clock, records, store, as, ask, mounts, errors: door.errors },
    async child(body = {}) {
      return tokenOf(await ask('POST', 'auth/token/create', body))
    },
  }
}

export function authOf(reply: Reply): Readonly<Record<string, unknown>> {
  const { auth } = reply.body
  if (typeof auth !== 'object' || auth === null) throw new Error(`no auth in ${JSON.stringify(reply.body)}`)
  return { ...auth }
}

export const tokenOf = (reply: Reply): string => String(authOf(reply).client_token)

export function wrapOf(reply: Reply): Readonly<Record<string, unknown>> {
  const { wrap_info } = reply.body
  if (typeof wrap_info !== 'object' || wrap_info === null) throw new Error(`nothing wrapped in ${JSON.stringify(reply.body)}`)
  return { ...wrap_info }
}
