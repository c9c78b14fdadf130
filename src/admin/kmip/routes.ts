import type { Route } from '../route.ts'
import { CA_ROUTES } from './ca-routes.ts'
import { CONFIG_ROUTES } from './config-routes.ts'
import { CREDENTIAL_ROUTES } from './credential-routes.ts'
import type { Engine } from './engine.ts'
import { LIMIT_ROUTES } from './limit-routes.ts'
import { LISTENER_ROUTES } from './listener-routes.ts'
import { REVOCATION_ROUTES } from './revocation-routes.ts'
import { ROLE_ROUTES } from './role-routes.ts'
import { SCOPE_ROUTES } from './scope-routes.ts'

/** Everything below the path of a KMIP engine. */
export const KMIP_ROUTES: readonly Route<Engine>[] = [
  ...CONFIG_ROUTES,
  ...CA_ROUTES,
  ...REVOCATION_ROUTES,
  ...LISTENER_ROUTES,
  ...CREDENTIAL_ROUTES,
  ...LIMIT_ROUTES,
  ...ROLE_ROUTES,
  ...SCOPE_ROUTES,
]
