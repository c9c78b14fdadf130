import { AdminError } from '../error.ts'
import { routeFor } from '../route.ts'
import type { Identities } from './identities.ts'

const route = routeFor<Identities>()

/** Within `sys/`: how a text looks in the audit log. */
export const AUDIT_HASH_ROUTES = [
  route({
    path: 'audit-hash/:path+',
    summary: 'The hash that stands for a text in the audit log.',
    params: { path: 'Taken and not used: there is one log.' },
    fields: { input: { type: 'string', description: 'The text.', required: true } },
    actions: {
      write: {
        async run({ fields }, { store }) {
          if (fields.input === undefined) throw new AdminError(400, 'the "input" parameter is empty')
          return { data: { hash: `hmac-sha256:${store.hash(fields.input)}` }, repeated: true }
        },
        statuses: [200],
      },
    },
  }),
]
