import { createHash, timingSafeEqual } from 'node:crypto'
import { KmipError } from '../objects/errors.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { enumName, type Item } from '../ttlv/item.ts'
import { Authentication, Device, TicketCredential, UsernameAndPassword } from '../ttlv/payloads/sessions.ts'
import { read } from '../ttlv/spec.ts'
import type { Peer } from './engine.ts'
import type { Rights, Tickets } from './tickets.ts'

const { CredentialType } = ENUM

/** Somebody whom credentials inside a request can name. */
export interface Account {
  readonly name: string
  readonly password: string
  /** Fields of a Device credential that must be these; absent: the account is a user with a password. */
  readonly device?: Readonly<Record<string, string>>
}

/** Who asks inside what the certificate allows: the certificate is the outer limit, this can only narrow it. */
export interface Inner {
  /** Owner of what is made; absent: the certificate alone asks. */
  readonly user?: string | undefined
  readonly rights?: Rights | undefined
}

const CERTIFICATE_ALONE: Inner = {}

/**
 * Who a request's credentials name. Without accounts on the server, user and device credentials say nothing that can be checked, and
 * the certificate, which was checked, says who is asking; many clients send a name and a password to every server.
 * Spec: KMIP 1.4 section 6.6, 2.1 section 9.3
 * @throws KmipError Authentication Not Successful, Invalid Ticket, Usage Limit Exceeded; MessageError for a malformed credential
 */
export function authenticate(
  authentication: Item | undefined,
  peer: Peer,
  accounts: readonly Account[],
  tickets: Tickets,
  now: bigint,
): Inner {
  if (!authentication) return CERTIFICATE_ALONE
  let inner = CERTIFICATE_ALONE
  for (const { credentialType, credentialValue } of read(authentication, Authentication).credential) {
    switch (credentialType) {
      case CredentialType.UsernameAndPassword: {
        const { username, password } = read(credentialValue, UsernameAndPassword)
        if (accounts.length > 0) inner = { user: matching(accounts, account => !account.device && account.name === username, password) }
        break
      }
      case CredentialType.Device: {
        const { password, ...fields } = read(credentialValue, Device)
        if (accounts.length > 0) inner = { user: matching(accounts, account => isDevice(account, fields), password) }
        break
      }
      case CredentialType.Ticket:
        inner = tickets.use(read(credentialValue, TicketCredential).ticket.ticketValue, `${peer.scope}/${peer.role}`, now)
        break
      default:
        throw new KmipError(
          'AuthenticationNotSuccessful',
          `credentials of type ${enumName('CredentialType', credentialType)} cannot be checked here`,
        )
    }
  }
  return inner
}

const isDevice = ({ device }: Account, fields: Readonly<Record<string, string | undefined>>): boolean =>
  device !== undefined && Object.entries(device).every(([name, value]) => fields[name] === value)

function matching(accounts: readonly Account[], isMeant: (account: Account) => boolean, password: string | undefined): string {
  const account = accounts.find(isMeant)
  // Compared for an unknown name too, so that the time does not tell whether it exists.
  const right = sameText(account?.password ?? '', password ?? '')
  if (!account || !right) throw new KmipError('AuthenticationNotSuccessful', 'the credentials are not right')
  return account.name
}

function sameText(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}

/** Whether the rights of a ticket cover an operation, and on which objects; an omitted field is no limit. Spec: KMIP 2.1 section 7.34 */
export function hasRight({ rights }: Inner, operation: number, object: string | undefined): boolean {
  if (!rights) return true
  return rights.some(
    right =>
      (right.operations === undefined || right.operations.operation.includes(operation)) &&
      (object === undefined || right.objects === undefined || right.objects.uniqueIdentifier.includes(object)),
  )
}
