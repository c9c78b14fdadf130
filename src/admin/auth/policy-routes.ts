import { AdminError } from '../error.ts'
import type { Fields } from '../fields.ts'
import { type Route, routeFor } from '../route.ts'
import type { Identities } from './identities.ts'

const route = routeFor<Identities>()
const NAME = { name: 'Name of the policy.' }

const TEXT = {
  policy: { type: 'string', description: 'The policy, in HCL or JSON.', required: true },
} as const satisfies Fields
const OLD_TEXT = { ...TEXT, rules: { type: 'string', description: 'Older name of policy.', deprecated: true } } as const satisfies Fields

function needed(text: string | undefined): string {
  if (text === undefined || text === '') throw new AdminError(400, "'policy' parameter not supplied or empty")
  return text
}

async function remove({ policies }: Identities, name: string): Promise<undefined> {
  await policies.delete(name)
}

/** Within `sys/`: what tokens may. The older paths answer by the older names. */
export const POLICY_ROUTES: readonly Route<Identities>[] = [
  route({
    path: 'policies/acl',
    summary: 'List the policies.',
    actions: { list: { run: async (_call, { policies }) => ({ data: { keys: await policies.list() }, repeated: true }) } },
  }),
  route({
    path: 'policies/acl/:name+',
    summary: 'What tokens of a policy may do, path by path.',
    params: NAME,
    caseless: true,
    fields: TEXT,
    actions: {
      read: {
        async run({ params }, { policies }) {
          const found = await policies.read(params.name)
          return found && { data: { name: found.name, policy: found.text }, repeated: true }
        },
      },
      write: {
        async run({ params, fields }, { policies }) {
          await policies.write(params.name, needed(fields.policy))
          return undefined
        },
        statuses: [204],
      },
      delete: { run: ({ params }, identities) => remove(identities, params.name) },
    },
  }),
  route({
    path: 'policy',
    summary: 'List the policies.',
    actions: {
      read: { run: (_call, identities) => oldList(identities) },
      list: { run: (_call, identities) => oldList(identities) },
    },
  }),
  route({
    path: 'policy/:name+',
    summary: 'What tokens of a policy may do, path by path.',
    params: NAME,
    caseless: true,
    fields: OLD_TEXT,
    actions: {
      read: {
        async run({ params }, { policies }) {
          const found = await policies.read(params.name)
          return found && { data: { name: found.name, rules: found.text }, repeated: true }
        },
      },
      write: {
        async run({ params, fields }, { policies }) {
          await policies.write(params.name, needed(fields.policy ?? fields.rules))
          return undefined
        },
        statuses: [204],
      },
      delete: { run: ({ params }, identities) => remove(identities, params.name) },
    },
  }),
]

async function oldList({ policies }: Identities) {
  const keys = await policies.list()
  return { data: { keys, policies: keys }, repeated: true }
}
