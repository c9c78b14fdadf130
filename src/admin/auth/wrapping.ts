import { AdminError } from '../error.ts'
import type { WrapAnswer } from '../route.ts'
import type { Identities } from './identities.ts'
import type { IdentityStore } from './identity-store.ts'
import { base62 } from './tokens.ts'

const MAX_RESPONSE = 1 << 20

const NOT_VALID = 'wrapping token is not valid or does not exist'

/** A response that is kept for the one use of a token. */
export interface Wrapped {
  readonly creationPath: string
  readonly createdMs: number
  readonly ttlSeconds: number
}

interface ToWrap {
  readonly creationPath: string
  readonly ttlSeconds: number
  readonly envelope: Readonly<Record<string, unknown>>
}

/** Keep a response, and give a token that brings it once. */
export async function wrapResponse(identities: Identities, { creationPath, ttlSeconds, envelope }: ToWrap): Promise<WrapAnswer> {
  const { store, now } = identities
  const secret = `hvs.${base62(48)}`
  const id = store.id('wrapped', secret)
  const response = JSON.stringify(envelope)
  if (response.length > MAX_RESPONSE) throw new AdminError(400, 'the response is too long to be wrapped')
  const createdMs = now()
  await store.commit([{ id, expect: 0, row: { kind: 'wrapped', response, creationPath, createdMs, ttlSeconds } }])
  const wrappedAccessor = accessorIn(envelope)
  return {
    token: secret,
    accessor: accessorOf(store, id),
    ttl: ttlSeconds,
    creation_time: new Date(createdMs).toISOString(),
    creation_path: creationPath,
    ...(wrappedAccessor !== undefined && { wrapped_accessor: wrappedAccessor }),
  }
}

function accessorIn({ auth }: ToWrap['envelope']): string | undefined {
  const accessor = typeof auth === 'object' && auth !== null && 'accessor' in auth ? auth.accessor : undefined
  return typeof accessor === 'string' ? accessor : undefined
}

/** What is known of a wrapped response; its token stays good. @throws AdminError 400 */
export async function lookUpWrapped(identities: Identities, secret: string): Promise<Wrapped> {
  const stored = await identities.store.get('wrapped', secret)
  if (!stored || isOver(identities, stored.row)) throw new AdminError(400, NOT_VALID)
  const { creationPath, createdMs, ttlSeconds } = stored.row
  return { creationPath, createdMs, ttlSeconds }
}

/** Take a wrapped response; nobody can do it again, in whatever process. @throws AdminError 400 */
export function takeWrapped(identities: Identities, secret: string): Promise<ToWrap> {
  const { store } = identities
  return store.change(async () => {
    const stored = await store.get('wrapped', secret)
    if (!stored || isOver(identities, stored.row)) throw new AdminError(400, NOT_VALID)
    const { response, creationPath, ttlSeconds } = stored.row
    return { writes: [{ id: stored.id, expect: stored.revision }], result: { envelope: JSON.parse(response), creationPath, ttlSeconds } }
  })
}

/** Names a wrapping token without being it. */
const accessorOf = (store: IdentityStore, id: string): string => store.hash(`accessor\0${id}`).slice(0, 24)

/** Forget a wrapped response, so that its token brings nothing any more. @returns whether there was one */
export function dropWrapped({ store }: Identities, by: { readonly secret: string } | { readonly accessor: string }): Promise<boolean> {
  return store.change(async () => {
    const stored =
      'secret' in by
        ? await store.get('wrapped', by.secret)
        : (await store.list('wrapped')).find(({ id }) => accessorOf(store, id) === by.accessor)
    return { writes: stored ? [{ id: stored.id, expect: stored.revision }] : [], result: stored !== undefined }
  })
}

const isOver = ({ now }: Identities, { createdMs, ttlSeconds }: Wrapped): boolean => createdMs + ttlSeconds * 1000 <= now()
