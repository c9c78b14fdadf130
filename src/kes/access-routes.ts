import type { HttpResponse } from '../http/exchange.ts'
import { isKeyName } from '../keystore/names.ts'
import { json, lines, success } from './answer.ts'
import { identityNotFound, KesError, policyNotFound } from './error.ts'
import { isPattern, prefixOf } from './pattern.ts'
import type { Policy, Rule } from './policy.ts'
import type { Call, Context, Route } from './route.ts'

const TIMEOUT_MS = 15_000

/** A set of rules as KES's clients read it. Sorted, as Go sorts the keys of a map. */
const rulesOf = (rules: readonly Rule[]): { [pattern: string]: object } | undefined =>
  rules.length === 0
    ? undefined
    : Object.fromEntries([...new Set(rules.map(({ pattern }) => pattern))].sort().map(pattern => [pattern, {}]))

const shown = ({ allow, deny }: Policy) => ({ allow: rulesOf(allow), deny: rulesOf(deny) })
const madeAt = ({ configuredAt: created_at, access }: Context) => ({ created_at, created_by: access.settings.admin })

function policyOf({ name }: Call, { access }: Context): Policy {
  if (!isKeyName(name)) throw new KesError(400, `policy name '${name}' is empty, too long or contains invalid characters`)
  const found = access.policy(name)
  if (found === undefined) throw policyNotFound()
  return found.policy
}

const describePolicy = (call: Call, context: Context): HttpResponse =>
  success(json({ name: policyOf(call, context).name, ...madeAt(context) }))

const readPolicy = (call: Call, context: Context): HttpResponse => {
  const policy = policyOf(call, context)
  return success(json({ name: policy.name, ...shown(policy), ...madeAt(context) }))
}

const listed = (names: readonly string[], { name }: Call): string[] => {
  if (!isPattern(name)) throw new KesError(400, `listing pattern '${name}' is empty, too long or is invalid`)
  return names.filter(each => each.startsWith(prefixOf(name)))
}

function listPolicies(call: Call, context: Context): HttpResponse {
  const names = listed(context.access.policyNames, call)
  return context.oldListings ? lines(names.map(name => ({ name, ...madeAt(context) }))) : success(json({ names, continue_at: '' }))
}

function listIdentities(call: Call, context: Context): HttpResponse {
  const { access, oldListings } = context
  const identities = listed(access.identities, call)
  if (!oldListings) return success(json({ identities, continue_at: '' }))
  return lines(
    identities.map(identity => ({
      identity,
      admin: access.isAdmin(identity),
      policy: access.policyOf(identity)?.policy.name,
      ...madeAt(context),
    })),
  )
}

/** KES has no other checks for a name here than for those of keys. */
function describeIdentity({ name }: Call, context: Context): HttpResponse {
  if (!isKeyName(name)) throw new KesError(400, `identity '${name}' is empty, too long or contains invalid characters`)
  const { access, configuredAt: created_at } = context
  if (access.isAdmin(name)) return success(json({ admin: true, created_at }))
  const found = access.policyOf(name)
  if (found === undefined) throw identityNotFound()
  return success(json({ policy: found.policy.name, ...madeAt(context) }))
}

/** In the form that the SDK reads: name and rules of the policy beside the identity. */
function describeSelf({ identity }: Call, context: Context): HttpResponse {
  const { access, configuredAt: created_at } = context
  if (access.isAdmin(identity)) return success(json({ identity, admin: true, created_at }))
  const found = access.policyOf(identity)
  if (found === undefined) throw identityNotFound()
  return success(json({ identity, policy: found.policy.name, ...shown(found.policy), ...madeAt(context) }))
}

const row = (path: string, run: Route['run'], auth: Route['auth'] = 'policy'): Route => ({
  method: 'GET',
  path: `/v1/${path}`,
  maxBody: 0,
  timeoutMs: TIMEOUT_MS,
  auth,
  isCurrent: true,
  run,
})

export const ACCESS_ROUTES: readonly Route[] = [
  row('policy/describe/', describePolicy),
  row('policy/read/', readPolicy),
  row('policy/list/', listPolicies),
  row('identity/describe/', describeIdentity),
  row('identity/list/', listIdentities),
  row('identity/self/describe', describeSelf, 'identity'),
  ...gone(),
]

/** What releases before 2023-10-24 could change over the API stands in the configuration file since. */
function gone(): Route[] {
  const ROWS: readonly (readonly [method: Route['method'], path: string, instead: string])[] = [
    ['PUT', 'policy/write/', 'policies'],
    ['PUT', 'policy/assign/', 'policies'],
    ['DELETE', 'policy/delete/', 'policies'],
    ['PUT', 'identity/assign/', 'identities'],
    ['DELETE', 'identity/forget/', 'identities'],
    ['DELETE', 'identity/delete/', 'identities'],
  ]
  return ROWS.map(([method, path, what]) => ({
    ...row(path, () => {
      // Clients take a server with this status for one that cannot, and not for one that is broken.
      throw new KesError(501, `${what} are changed in the configuration file of the server, which reads it again on SIGHUP`)
    }),
    method,
    isCurrent: false,
  }))
}
