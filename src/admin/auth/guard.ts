import { AdminError, collected, permissionDenied } from '../error.ts'
import type { Guard } from '../guard.ts'
import type { Identities } from './identities.ts'
import { wrapResponse } from './wrapping.ts'

/** The guard of the door: tokens in the store, policies at their present text. */
export const createGuard = (identities: Identities): Guard => ({
  async authenticate({ token: secret, remoteAddress }) {
    if (secret === undefined) throw permissionDenied()
    const token = await identities.tokens.use(secret, remoteAddress)
    if (token) return identities.callerOf(token)
    const who = `unknown token/${remoteAddress}`
    identities.attempts.failed(who)
    identities.attempts.check(who)
    throw new AdminError(403, collected('permission denied', 'invalid token'))
  },

  async authorize(caller, request, { sudo, stored }) {
    if (caller.isRoot) return
    const { operation, path, data, wrapTtl } = request
    const acl = await identities.policies.acl(caller.policies)
    const wrapSeconds = wrapTtl > 0 ? wrapTtl : undefined
    const asked = { operation, path, parameters: data, wrapSeconds }
    if (!acl.allows(asked) || (stored !== path && acl.forbids({ ...asked, path: stored }))) throw permissionDenied()
    if (sudo && operation !== 'help' && !acl.isSudo(path)) throw permissionDenied()
  },

  wrap: (_caller, { path, wrapTtl }, envelope) => wrapResponse(identities, { creationPath: path, ttlSeconds: wrapTtl, envelope }),
})
