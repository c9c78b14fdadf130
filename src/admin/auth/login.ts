import { AdminError } from '../error.ts'
import type { Answer, LogicalRequest } from '../route.ts'
import { cidrsHold } from './cidrs.ts'
import type { Identities } from './identities.ts'
import type { AuthMountRow, TokenSettings } from './rows.ts'
import { loginToken } from './token-settings.ts'

/** What the routes of a login method work on. */
export interface LoginContext {
  readonly identities: Identities
  readonly mount: AuthMountRow
}

/** Who was found to be who he says. */
export interface Known {
  readonly settings: TokenSettings
  readonly displayName: string
  readonly meta: Readonly<Record<string, string>>
  /** Further addresses that the token is bound to. */
  readonly boundCidrs?: readonly string[]
}

/**
 * Let somebody log in.
 * @param name  whom it is about, for the count of failures; nothing is verified once there were too many
 * @param verify  finds out who it is; AdminError with another status than 429 counts as a failure
 */
export async function logIn(
  { identities, mount }: LoginContext,
  request: LogicalRequest,
  name: string,
  verify: () => Promise<Known>,
): Promise<Answer> {
  const { attempts, tokens } = identities
  const [who, from] = [`${mount.uuid}/${name}`, `login/${request.remoteAddress}`]
  attempts.check(who)
  let known: Known
  try {
    known = await verify()
    if (!cidrsHold(known.settings.token_bound_cidrs, request.remoteAddress)) throw new AdminError(403, 'permission denied')
  } catch (error) {
    if (!(error instanceof AdminError)) throw error
    attempts.failed(who, from)
    attempts.check(from)
    throw error
  }
  attempts.succeeded(who)
  const { settings, displayName, meta, boundCidrs = [] } = known
  const wish = loginToken(settings, {
    path: request.path,
    displayName,
    meta,
    ttlSeconds: mount.defaultTtlSeconds,
    maxTtlSeconds: mount.maxTtlSeconds,
  })
  const made = await tokens.create({
    ...wish,
    mount: mount.uuid,
    ...(boundCidrs.length > 0 && { boundCidrs }),
  })
  return { auth: identities.authOf(made), warnings: made.warnings }
}

/** Displayed name of a login's token, as Vault makes it: the mount's path, and who. */
export const shownAs = ({ path }: AuthMountRow, who: string): string =>
  `${path.replace(/\/$/, '').replaceAll('/', '-')}${who === '' ? '' : `-${who}`}`
