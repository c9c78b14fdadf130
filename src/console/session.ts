import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import { Api, ApiError } from './api.ts'

/** What `auth/token/lookup-self` says of a token. */
export interface Holder {
  readonly display_name: string
  readonly accessor: string
  readonly policies: readonly string[]
  /** Seconds that are left; 0: it does not end. */
  readonly ttl: number
  readonly renewable: boolean
}

/** Somebody who is signed in. */
export interface Session {
  readonly api: Api
  readonly holder: Holder
  /** The KMIP engine that is looked at, without a slash at its end: `kmip`. */
  readonly mount: string
  readonly mounts: readonly string[]
  choose(mount: string): void
  /** Forget the token. @param reason a sentence to show above the form */
  signOut(reason?: string): void
  /** Learn anew who the token is and what engines there are, after that changed. */
  refresh(): void
  /** Ask whether the token is still good after the server said no, and sign out if it is not. */
  verify(): void
}

const Signed = createContext<Session | undefined>(undefined)
export const SessionProvider = Signed.Provider

/** Who is signed in; for use below the sign-in alone. */
export function useSession(): Session {
  const session = useContext(Signed)
  if (!session) throw new Error('nobody is signed in')
  return session
}

const TOKEN = 'kmipd-token'
const MOUNT = 'kmipd-mount'

/** The token lives in the storage of this tab alone, and goes with it. */
export const kept = {
  token: (): string | undefined => sessionStorage.getItem(TOKEN) ?? undefined,
  keep: (token: string): void => sessionStorage.setItem(TOKEN, token),
  forget: (): void => sessionStorage.removeItem(TOKEN),
  mount: (): string | undefined => sessionStorage.getItem(MOUNT) ?? undefined,
  keepMount: (mount: string): void => sessionStorage.setItem(MOUNT, mount),
}

export const ENDED = 'Your token has ended or was revoked. Sign in again.'

export interface Entry {
  readonly api: Api
  readonly holder: Holder
  readonly mounts: readonly string[]
}

/** Sign in. @throws ApiError; its status is 403 when the token is not good */
export async function enter(token: string): Promise<Entry> {
  const api = new Api(token)
  const holder = await api.read<Holder>('auth/token/lookup-self')
  return { api, holder, mounts: await mountsOf(api) }
}

/** The KMIP engines that the token may see, or the usual one if it may not see any list of them. */
async function mountsOf(api: Api): Promise<readonly string[]> {
  try {
    const { secret } = await api.read<{ secret?: Readonly<Record<string, { readonly type: string }>> }>('sys/internal/ui/mounts')
    const engines = Object.entries(secret ?? {}).filter(([, { type }]) => type === 'kmip')
    return engines.map(([at]) => at.replace(/\/$/, '')).sort()
  } catch (err) {
    if (err instanceof ApiError && (err.status === 403 || err.status === 404)) return ['kmip']
    throw err
  }
}
