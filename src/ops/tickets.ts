import { createHash } from 'node:crypto'
import { KmipError } from '../objects/errors.ts'
import type { UnitOfWork } from '../objects/unit-of-work.ts'
import type { Records } from '../seal/records.ts'
import { isConflict } from '../store/store.ts'
import { decode, encode } from '../ttlv/binary.ts'
import { Right } from '../ttlv/payloads/sessions.ts'
import { date, type Fields, integer, optional, read, repeated, struct, text, type Value, writeStructure } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Peer } from './engine.ts'

export type Rights = readonly Value<typeof Right>[]

/** Stand in and around a stored ticket; the extension tags never appear on the wire. */
const RECORD = { Ticket: 0x54f020, Owner: 0x54f021, Expires: 0x54f022 } as const
const Ticket = {
  /** The role that asked for it. */
  owner: text(RECORD.Owner),
  /** Whom it stands for inside the request; nobody in particular if absent. */
  user: optional(text(TAG.Username)),
  /** Seconds since 1970. */
  expires: date(RECORD.Expires),
  /** Requests that are left; absent: any number. */
  requests: optional(integer(TAG.RequestCount)),
  /** What it may be used for; absent: all that its owner may do. */
  rights: optional(struct(TAG.Rights, { right: repeated(struct(TAG.Right, Right)) })),
} as const satisfies Fields
type Ticket = Value<typeof Ticket>

export interface TicketTerms {
  readonly user?: string | undefined
  readonly rights?: Rights | undefined
  /** Seconds since 1970; absent: as long as tickets are good at most. */
  readonly expires?: bigint | undefined
  readonly requests?: number | undefined
}

/** Where they are kept, apart from the scopes' objects. */
const PARTITION = 'tickets'
const NEWEST = 21
const LONGEST_SECONDS = 366n * 86_400n
/** Tickets of a role; with another one the oldest goes. */
const MOST = 1000

/**
 * Tickets that Login and Delegated Login gave out: unguessable, bound to the role that asked for them, good at each server of the same store.
 * A stored one has its hash for a name, so that the store shows none that could be used. Spec: KMIP 2.1 section 6.1.12, 6.1.30
 */
export class Tickets {
  readonly #records: Records

  constructor(records: Records) {
    this.#records = records
  }

  /** Give out a ticket with a unit of work. @throws StoreError */
  async issue(
    value: Buffer,
    owner: string,
    { user, rights, expires, requests }: TicketTerms,
    unit: UnitOfWork,
    now: bigint,
  ): Promise<void> {
    const before = await this.#records.find(PARTITION, [ownedBy(owner)], { limit: MOST })
    const oldest = before.length < MOST ? undefined : before.at(-1)?.id
    if (oldest !== undefined) unit.write({ partition: PARTITION, id: oldest, expect: await this.#records.revision(PARTITION, oldest) })
    const latest = now + LONGEST_SECONDS
    const ticket = { owner, user, requests, rights: rights && { right: rights }, expires: expires && expires < latest ? expires : latest }
    unit.write(change(idOf(value), 0, ticket))
  }

  /** Use a ticket for one request. @throws KmipError Invalid Ticket, Usage Limit Exceeded; StoreError, SealError */
  async use(value: Buffer, owner: string, now: bigint): Promise<{ user: string | undefined; rights: Rights | undefined }> {
    for (;;) {
      const { ticket, revision } = await this.#find(value, owner)
      if (ticket.expires <= now) throw notValid()
      const { user, rights, requests } = ticket
      const known = { user, rights: rights?.right }
      if (requests === undefined) return known
      if (requests === 0) throw new KmipError('UsageLimitExceeded', 'the ticket has been used as often as it may')
      try {
        await this.#records.commit([change(idOf(value), revision, { ...ticket, requests: requests - 1 })])
        return known
      } catch (error) {
        // Another request was faster.
        if (!isConflict(error)) throw error
      }
    }
  }

  /** Take a ticket back with a unit of work. @throws KmipError Invalid Ticket; StoreError, SealError */
  async revoke(value: Buffer, owner: string, unit: UnitOfWork): Promise<void> {
    const { revision } = await this.#find(value, owner)
    unit.write({ partition: PARTITION, id: idOf(value), expect: revision })
  }

  async #find(value: Buffer, owner: string): Promise<{ readonly ticket: Ticket; readonly revision: number }> {
    const record = await this.#records.get(PARTITION, idOf(value))
    const ticket = record && read(decode(record.body), Ticket)
    if (ticket?.owner !== owner) throw notValid()
    return { ticket, revision: record!.revision }
  }
}

/** To whom a ticket is bound: the role of the certificate. */
export const holderOf = ({ scope, role }: Peer): string => `${scope}/${role}`

const idOf = (value: Buffer): string => createHash('sha256').update(value).digest('hex')
const ownedBy = (owner: string): string => `owner=${owner}`
const notValid = (): KmipError => new KmipError('InvalidTicket', 'the ticket is not valid, or not any more; log in')
const change = (id: string, expect: number, ticket: Ticket) => ({
  partition: PARTITION,
  id,
  expect,
  body: encode(writeStructure(RECORD.Ticket, ticket, Ticket, NEWEST)),
  terms: [ownedBy(ticket.owner)],
})
