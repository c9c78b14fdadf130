import { envelopeOf } from '../envelope.ts'
import { AdminError } from '../error.ts'
import type { Fields } from '../fields.ts'
import { type LogicalRequest, type Route, routeFor } from '../route.ts'
import type { Identities } from './identities.ts'
import { lookUpWrapped, takeWrapped, type Wrapped, wrapResponse } from './wrapping.ts'

const route = routeFor<Identities>()

const TOKEN = {
  token: { type: 'string', description: 'The wrapping token; left out, it is the token of the request itself.' },
} as const satisfies Fields

/** Whoever holds a wrapping token may use it; guesses are counted. */
async function held<T>({ attempts }: Identities, request: LogicalRequest, sent: string | undefined, use: (secret: string) => Promise<T>) {
  const secret = sent || request.token
  if (secret === undefined) throw new AdminError(400, 'missing "token" value in input')
  try {
    return await use(secret)
  } catch (error) {
    if (error instanceof AdminError) {
      const who = `wrapping token/${request.remoteAddress}`
      attempts.failed(who)
      attempts.check(who)
    }
    throw error
  }
}

const about = ({ creationPath, createdMs, ttlSeconds }: Wrapped) => ({
  ...{ creation_path: creationPath, creation_time: new Date(createdMs).toISOString(), creation_ttl: ttlSeconds },
})

/** Within `sys/`: responses that wait for a token of one use. */
export const WRAPPING_ROUTES: readonly Route<Identities>[] = [
  route({
    path: 'wrapping/wrap',
    summary: 'Keep what is sent for a token of one use.',
    actions: {
      write: {
        async run({ request }) {
          if (request.wrapTtl === 0) throw new AdminError(400, 'endpoint requires response wrapping to be used')
          // The whole body is what is kept, so none of it is unrecognized.
          return { bare: envelopeOf(request, { data: request.data }) }
        },
        statuses: [200],
      },
    },
  }),
  route({
    path: 'wrapping/lookup',
    summary: 'What is known of a wrapped response, without using it up.',
    access: 'open',
    fields: TOKEN,
    actions: {
      write: {
        run: ({ request, fields }, identities) =>
          held(identities, request, fields.token, async secret => ({ data: about(await lookUpWrapped(identities, secret)) })),
        statuses: [200],
      },
      read: {
        run: ({ request }, identities) =>
          held(identities, request, undefined, async secret => ({ data: about(await lookUpWrapped(identities, secret)) })),
      },
    },
  }),
  route({
    path: 'wrapping/unwrap',
    summary: 'Take a wrapped response; its token is used up.',
    access: 'open',
    fields: TOKEN,
    actions: {
      write: {
        run: ({ request, fields }, identities) =>
          held(identities, request, fields.token, async secret => ({ bare: (await takeWrapped(identities, secret)).envelope })),
        statuses: [200],
      },
    },
  }),
  route({
    path: 'wrapping/rewrap',
    summary: 'Give a wrapped response another token of the same life.',
    access: 'open',
    fields: TOKEN,
    actions: {
      write: {
        run: ({ request, fields }, identities) =>
          held(identities, request, fields.token, async secret => ({
            wrapInfo: await wrapResponse(identities, await takeWrapped(identities, secret)),
          })),
        statuses: [200],
      },
    },
  }),
]
