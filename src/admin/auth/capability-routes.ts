import { AdminError } from '../error.ts'
import type { Fields, Values } from '../fields.ts'
import { type Answer, type Route, routeFor } from '../route.ts'
import type { Identities } from './identities.ts'
import { named, namedByAccessor } from './token-answers.ts'
import type { Token } from './tokens.ts'

const route = routeFor<Identities>()

const PATHS = {
  paths: { type: 'list', description: 'Paths to say something about.' },
  path: { type: 'list', description: 'The same, for one.' },
} as const satisfies Fields
const TOKEN = { token: { type: 'string', description: 'The token.', required: true } } as const satisfies Fields
const ACCESSOR = { accessor: { type: 'string', description: 'Accessor of the token.', required: true } } as const satisfies Fields

async function answer({ policies }: Identities, { row }: Token, { paths, path }: Values<typeof PATHS>): Promise<Answer> {
  const wanted = [...(paths ?? []), ...(path ?? [])]
  if (wanted.length === 0) throw new AdminError(400, 'paths must be supplied')
  const acl = await policies.acl(row.policies)
  const found = wanted.map(path => [path, acl.capabilities(path)] as const)
  return { data: { ...Object.fromEntries(found), ...(found.length === 1 && { capabilities: found[0]![1] }) }, repeated: true }
}

/** Within `sys/`: what a token may do at a path. */
export const CAPABILITY_ROUTES: readonly Route<Identities>[] = [
  route({
    path: 'capabilities',
    summary: 'What a token may do at some paths.',
    fields: { ...TOKEN, ...PATHS },
    actions: {
      write: { run: async ({ fields }, identities) => answer(identities, await named(identities, fields.token), fields), statuses: [200] },
    },
  }),
  route({
    path: 'capabilities-accessor',
    summary: 'What the token of an accessor may do at some paths.',
    fields: { ...ACCESSOR, ...PATHS },
    actions: {
      write: {
        run: async ({ fields }, identities) => answer(identities, await namedByAccessor(identities, fields.accessor), fields),
        statuses: [200],
      },
    },
  }),
  route({
    path: 'capabilities-self',
    summary: 'What the token that asks may do at some paths.',
    fields: PATHS,
    actions: {
      write: { run: async ({ caller, fields }, identities) => answer(identities, identities.tokenOf(caller), fields), statuses: [200] },
    },
  }),
]
