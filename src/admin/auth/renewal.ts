import { AdminError } from '../error.ts'
import type { IdentityStore } from './identity-store.ts'
import type { Logins } from './logins.ts'
import type { AuthMountRow, TokenRow, TokenSettings } from './rows.ts'
import { maxTtlOf, periodOf, tighter } from './token-settings.ts'

/** What bounds a renewal, in seconds; 0: nothing of that kind. */
export interface RenewalBounds {
  /** For how long, when nobody asks for another time. */
  readonly ttlSeconds: number
  /** From the making of the token on; 0: as the system has it. */
  readonly maxTtlSeconds: number
  /** The same, and for periodic tokens too. */
  readonly explicitMaxSeconds: number
  readonly periodSeconds: number
}

const isSame = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every(name => b.includes(name))
const gone = (what: string): AdminError => new AdminError(400, `failed to renew entry: ${what}, not renewing`)

interface Method {
  readonly kind: 'approle' | 'user' | 'cert'
  /** Under which the name of who logged in stands in the token. */
  readonly meta: string
  readonly called: string
  /** Whether a change of policies ends renewals; as in Vault, whose AppRole goes by the role's other settings alone. */
  readonly minds: boolean
}

const METHODS: Readonly<Record<string, Method>> = {
  approle: { kind: 'approle', meta: 'role_name', called: 'role', minds: false },
  userpass: { kind: 'user', meta: 'username', called: 'user', minds: true },
  cert: { kind: 'cert', meta: 'cert_name', called: 'certificate', minds: true },
}

/**
 * What bounds the renewal of a token now: a login's token goes by its user, role or certificate as it is today, and so does one that a role of
 * tokens made. So who was removed can stay no longer than the token lives already.
 * @throws AdminError 400 when that is gone, or gives other policies by now
 */
export async function renewalBounds(store: IdentityStore, logins: Logins, row: TokenRow): Promise<RenewalBounds> {
  const { creationTtlSeconds: ttlSeconds, explicitMaxSeconds, periodSeconds } = row
  if (row.mount !== undefined) return boundsOfLogin(store, await logins.byId(row.mount), row)
  if (row.role === undefined) return { ttlSeconds, maxTtlSeconds: 0, explicitMaxSeconds, periodSeconds }
  const role = (await store.get('token-role', row.role))?.row
  if (!role) throw gone(`original token role ${JSON.stringify(row.role)} could not be found`)
  const explicit = tighter(explicitMaxSeconds, role.token_explicit_max_ttl)
  return { ttlSeconds, maxTtlSeconds: 0, explicitMaxSeconds: explicit, periodSeconds: role.token_period }
}

async function boundsOfLogin(store: IdentityStore, mount: AuthMountRow | undefined, row: TokenRow): Promise<RenewalBounds> {
  const method = mount && METHODS[mount.type]
  if (!method) throw gone('the way to log in could not be found')
  const name = row.meta?.[method.meta] ?? ''
  const settings = (await store.get(method.kind, `${mount.uuid}/${name}`))?.row.settings
  if (!settings) throw gone(`${method.called} ${JSON.stringify(name)} does not exist during renewal`)
  if (method.minds && !isSame(beside(row.policies), beside(settings.token_policies))) throw gone('policies have changed')
  return boundsIn(settings, mount, row)
}

const beside = (policies: readonly string[]): readonly string[] => policies.filter(name => name !== 'default')

const boundsIn = (settings: TokenSettings, mount: AuthMountRow, row: TokenRow): RenewalBounds => ({
  ttlSeconds: settings.token_ttl || mount.defaultTtlSeconds || row.creationTtlSeconds,
  maxTtlSeconds: maxTtlOf(settings, mount.maxTtlSeconds),
  explicitMaxSeconds: tighter(row.explicitMaxSeconds, settings.token_explicit_max_ttl),
  periodSeconds: periodOf(settings, mount.maxTtlSeconds),
})
