import { KmipError } from '../objects/errors.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { TYPE } from '../ttlv/item.ts'
import { DelegatedLoginRequest, LoginRequest, LoginResponse, LogoutRequest, Nothing } from '../ttlv/payloads/sessions.ts'
import type { Value } from '../ttlv/spec.ts'
import type { Context } from './context.ts'
import { operation } from './operation.ts'
import { holderOf, type TicketTerms } from './tickets.ts'

const { Operation, TicketType } = ENUM
const TICKET_BYTES = 32

/** Login: a ticket that stands for who is asking. Spec: KMIP 2.1 section 6.1.30 */
export const login = operation({
  code: Operation.Login,
  name: 'Login',
  since: 20,
  immediate: true,
  request: LoginRequest,
  response: LoginResponse,
  async run(request, context) {
    return issue(request, context, { user: context.inner.user, rights: context.inner.rights })
  },
})

/** Delegated Login: a ticket for somebody else, with some of the rights. Spec: KMIP 2.1 section 6.1.12 */
export const delegatedLogin = operation({
  code: Operation.DelegatedLogin,
  name: 'DelegatedLogin',
  since: 20,
  immediate: true,
  request: DelegatedLoginRequest,
  response: LoginResponse,
  async run(request, context) {
    if (context.inner.rights) throw new KmipError('NotAuthorised', 'who has a delegated ticket cannot delegate it further')
    return issue(request, context, { user: context.inner.user, rights: request.rights.right })
  },
})

/** Logout: the ticket is good for nothing any more. Spec: KMIP 2.1 section 6.1.31 */
export const logout = operation({
  code: Operation.Logout,
  name: 'Logout',
  since: 20,
  immediate: true,
  request: LogoutRequest,
  response: Nothing,
  async run(request, context) {
    await context.environment.tickets.revoke(request.ticket.ticketValue, holderOf(context.peer), context.unit)
    return {}
  },
})

async function issue(request: Value<typeof LoginRequest>, context: Context, terms: TicketTerms): Promise<Value<typeof LoginResponse>> {
  const { leaseTime, requestCount, usageLimits } = request
  if (usageLimits || terms.rights?.some(right => right.usageLimits))
    throw new KmipError('FeatureNotSupported', 'how much is done with a ticket is not counted; give it a Request Count')
  if (requestCount !== undefined && requestCount < 0) throw new KmipError('InvalidField', 'Request Count cannot be negative')
  const now = context.now()
  const seconds = leaseTime?.type === TYPE.Interval && leaseTime.value > 0 ? now + BigInt(leaseTime.value) : undefined
  const expires = leaseTime?.type === TYPE.DateTime ? leaseTime.value : seconds
  const ticketValue = context.environment.randomBytes(TICKET_BYTES)
  const requests = requestCount === undefined || requestCount === 0 ? undefined : requestCount
  await context.environment.tickets.issue(ticketValue, holderOf(context.peer), { ...terms, expires, requests }, context.unit, now)
  return { ticket: { ticketType: TicketType.Login, ticketValue } }
}
