import { createHash, timingSafeEqual } from 'node:crypto'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { enumName, type Item } from '../ttlv/item.ts'
import { Authentication, Device, HashedPassword, TicketCredential, UsernameAndPassword } from '../ttlv/payloads/sessions.ts'
import { read, type Value } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Peer } from './engine.ts'
import type { HashedPasswords } from './hashed-passwords.ts'
import { holderOf, type Rights, type Tickets } from './tickets.ts'

const { CredentialType } = ENUM

/** Somebody whom credentials inside a request can name. */
export interface Account {
  readonly name: string
  readonly password: string
  /** Fields of a Device credential that must be these; absent: the account is a user with a password. */
  readonly device?: Readonly<Record<string, string>>
  /** May make users, groups and credentials. */
  readonly isAdministrator?: boolean
}

/** Looks up users that are kept as objects. */
export type Users = (name: string) => Promise<{ readonly id: string; readonly passwords: readonly string[] } | undefined>

/** Who asks inside what the certificate allows: the certificate is the outer limit, this can only narrow it. */
export interface Inner {
  /** Owner of what is made; absent: the certificate alone asks. */
  readonly user?: string | undefined
  readonly isAdministrator?: boolean | undefined
  readonly rights?: Rights | undefined
  /** Proves to the client that the server knows its password too. */
  readonly serverHashedPassword?: Buffer
}

/** Nobody is named inside the request. */
export const CERTIFICATE_ALONE: Inner = {}

/** Names who asks, where work is kept from one request to the next: the client, and the user inside the request. */
export const ownerOf = ({ peer, inner }: { readonly peer: Peer; readonly inner: Inner }): string =>
  `${peer.scope}/${peer.role}\0${inner.user ?? ''}`

/** Whom the server knows. */
export interface Known {
  readonly accounts: readonly Account[]
  readonly tickets: Tickets
  readonly users: Users
  readonly hashedPasswords: HashedPasswords
}

/**
 * Who a request's credentials name. Without accounts on the server, user and device credentials say nothing that can be checked, and
 * the certificate, which was checked, says who is asking; many clients send a name and a password to every server.
 * Spec: KMIP 1.4 section 6.6, 2.1 section 9.3
 * @throws KmipError Authentication Not Successful, Invalid Ticket, Usage Limit Exceeded; MessageError for a malformed credential
 */
export async function authenticate(authentication: Item, peer: Peer, known: Known, now: bigint): Promise<Inner> {
  const { accounts, tickets, users } = known
  let inner = CERTIFICATE_ALONE
  for (const { credentialType, credentialValue } of read(authentication, Authentication).credential) {
    switch (credentialType) {
      case CredentialType.UsernameAndPassword: {
        const { username, password = '' } = read(credentialValue, UsernameAndPassword)
        const account = accounts.find(one => !one.device && one.name === username)
        const user = account ? undefined : await users(username)
        if (accounts.length > 0 || user) inner = account || !user ? byAccount(account, password) : byUser(user, password)
        break
      }
      case CredentialType.Device: {
        const { password = '', ...fields } = read(credentialValue, Device)
        if (accounts.some(account => account.device))
          inner = byAccount(
            accounts.find(account => isDevice(account, fields)),
            password,
          )
        break
      }
      case CredentialType.HashedPassword:
        inner = await byHash(read(credentialValue, HashedPassword), peer, known, now)
        break
      case CredentialType.Ticket:
        inner = await tickets.use(read(credentialValue, TicketCredential).ticket.ticketValue, holderOf(peer), now)
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

const wrong = (): KmipError => new KmipError('AuthenticationNotSuccessful', 'the credentials are not right')

function byAccount(account: Account | undefined, password: string): Inner {
  // Compared for an unknown name too, so that the time does not tell whether it exists.
  const isRight = sameText(account?.password ?? '', password)
  if (!account || !isRight) throw wrong()
  return { user: account.name, isAdministrator: account.isAdministrator }
}

function byUser(user: { readonly id: string; readonly passwords: readonly string[] }, password: string): Inner {
  if (user.passwords.filter(one => sameText(one, password)).length === 0) throw wrong()
  return { user: user.id }
}

async function byHash(credential: Value<typeof HashedPassword>, peer: Peer, known: Known, now: bigint): Promise<Inner> {
  const account = known.accounts.find(one => !one.device && one.name === credential.username)
  const user = account ? undefined : await known.users(credential.username)
  const passwords = account ? [account.password] : (user?.passwords ?? [])
  const name = account?.name ?? user?.id ?? ''
  const serverHashedPassword = await known.hashedPasswords.check(`${peer.scope}/${name}`, credential, passwords, now)
  return { user: name, isAdministrator: account?.isAdministrator, serverHashedPassword }
}

function sameText(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}

/** Whether the rights of a ticket cover an operation, and on this object; an omitted field is no limit. Spec: KMIP 2.1 section 7.34 */
export function hasRight({ rights }: Inner, operation: number, object?: ManagedObject): boolean {
  if (!rights) return true
  const groups = object?.attributes.all(TAG.ObjectGroup).map(({ item }) => item.value)
  return rights.some(
    ({ operations, objects, objectGroups }) =>
      (!operations || operations.operation.includes(operation)) &&
      (!object || !objects || objects.uniqueIdentifier.includes(object.id)) &&
      (!groups || !objectGroups || objectGroups.objectGroup.some(group => groups.includes(group))),
  )
}
