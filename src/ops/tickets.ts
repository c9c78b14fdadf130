import { KmipError } from '../objects/errors.ts'
import type { Right } from '../ttlv/payloads/sessions.ts'
import type { Value } from '../ttlv/spec.ts'

export type Rights = readonly Value<typeof Right>[]

interface Ticket {
  readonly owner: string
  /** Whom the ticket stands for inside the request; nobody in particular if absent. */
  readonly user: string | undefined
  /** What it may be used for; absent: all that its owner may do. */
  readonly rights: Rights | undefined
  readonly expires: bigint | undefined
  requestsLeft: number | undefined
}

export interface TicketTerms {
  readonly user?: string | undefined
  readonly rights?: Rights | undefined
  /** Seconds since 1970; absent: no end. */
  readonly expires?: bigint | undefined
  readonly requests?: number | undefined
}

/**
 * Tickets that Login and Delegated Login gave out. Unguessable, bound to the role that asked for them, kept by each process for itself:
 * after a restart clients log in anew. Spec: KMIP 2.1 section 6.1.12, 6.1.30
 */
export class Tickets {
  readonly #tickets = new Map<string, Ticket>()
  readonly #limit: number

  constructor(limit = 10_000) {
    this.#limit = limit
  }

  /** @throws KmipError Server Limit Exceeded */
  issue(value: Buffer, owner: string, { user, rights, expires, requests }: TicketTerms, now: bigint): void {
    for (const [key, ticket] of this.#tickets) if (ticket.expires !== undefined && ticket.expires <= now) this.#tickets.delete(key)
    if (this.#tickets.size >= this.#limit) throw new KmipError('ServerLimitExceeded', 'too many tickets are valid; log out of some')
    this.#tickets.set(value.toString('hex'), { owner, user, rights, expires, requestsLeft: requests })
  }

  /** Use a ticket for one request. @throws KmipError Invalid Ticket, Usage Limit Exceeded */
  use(value: Buffer, owner: string, now: bigint): { user: string | undefined; rights: Rights | undefined } {
    const ticket = this.#tickets.get(value.toString('hex'))
    if (ticket?.owner !== owner || (ticket.expires !== undefined && ticket.expires <= now))
      throw new KmipError('InvalidTicket', 'the ticket is not valid, or not any more; log in')
    if (ticket.requestsLeft !== undefined) {
      if (ticket.requestsLeft === 0) throw new KmipError('UsageLimitExceeded', 'the ticket has been used as often as it may')
      ticket.requestsLeft--
    }
    return ticket
  }

  /** @throws KmipError Invalid Ticket */
  revoke(value: Buffer, owner: string): void {
    const key = value.toString('hex')
    if (this.#tickets.get(key)?.owner !== owner) throw new KmipError('InvalidTicket', 'the ticket is not valid, or not any more')
    this.#tickets.delete(key)
  }
}
