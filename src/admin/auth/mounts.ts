import { bound, type Mounted, type Route } from '../route.ts'
import { APPROLE_ROUTES } from './approle-routes.ts'
import { AUDIT_HASH_ROUTES } from './audit-hash-routes.ts'
import { CAPABILITY_ROUTES } from './capability-routes.ts'
import { CERT_ROUTES } from './cert-routes.ts'
import type { Identities } from './identities.ts'
import type { LoginContext } from './login.ts'
import { LOGIN_MOUNT_ROUTES } from './login-mount-routes.ts'
import type { LOGIN_TYPES } from './logins.ts'
import { POLICY_ROUTES } from './policy-routes.ts'
import { TOKEN_ROUTES } from './token-routes.ts'
import { USERPASS_ROUTES } from './userpass-routes.ts'
import { WRAPPING_ROUTES } from './wrapping-routes.ts'

const LOGIN_ROUTES: { readonly [type in (typeof LOGIN_TYPES)[number]]: readonly Route<LoginContext>[] } = {
  approle: APPROLE_ROUTES,
  cert: CERT_ROUTES,
  userpass: USERPASS_ROUTES,
}

/** Rows of `sys/` about who may administer, to stand before more general ones. */
export const identitySystemRoutes = (identities: Identities): readonly Route[] =>
  bound([...POLICY_ROUTES, ...CAPABILITY_ROUTES, ...WRAPPING_ROUTES, ...AUDIT_HASH_ROUTES, ...LOGIN_MOUNT_ROUTES], identities)

/** `auth/token/` and the ways to log in that are enabled now. */
export async function authMounts(identities: Identities): Promise<readonly Mounted[]> {
  const rows = await identities.logins.list()
  return rows.map(mount => ({
    path: `auth/${mount.path}`,
    type: mount.type,
    routes: isLogin(mount.type) ? bound(LOGIN_ROUTES[mount.type], { identities, mount }) : bound(TOKEN_ROUTES, identities),
  }))
}

const isLogin = (type: string): type is keyof typeof LOGIN_ROUTES => Object.hasOwn(LOGIN_ROUTES, type)
