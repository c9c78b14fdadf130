import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import type { UnitOfWork } from '../objects/unit-of-work.ts'
import type { Holder, Replacement, Wish } from '../scopes/replacement.ts'
import { structureTo } from '../ttlv/dialect.ts'
import type { Item } from '../ttlv/item.ts'
import type { Version } from '../ttlv/spec.ts'
import { type Account, hasRight, type Inner, ownerOf } from './authentication.ts'
import type { Certifier } from './certifier.ts'
import type { Channel, Peer } from './engine.ts'
import type { GroupMembers } from './group-members.ts'
import type { HashedPasswords } from './hashed-passwords.ts'
import type { Jobs } from './jobs.ts'
import type { Operation } from './operation.ts'
import type { Applications } from './pkcs11-applications.ts'
import type { Policies, Policy } from './policies.ts'
import type { Source } from './remembered-answers.ts'
import { type Rules, rulesOf } from './rules.ts'
import { endFresh, isFresh, type ServedMarks } from './served-marks.ts'
import type { Streams } from './streams.ts'
import type { Tickets } from './tickets.ts'
import type { Weak } from './weak.ts'

/** What an operator can set about the operations. */
export interface Settings {
  /** Maximum lease, in seconds; 0: no leases. Spec: KMIP 1.4 section 3.20 */
  readonly leaseTime: number
  /** Identifiers that one Locate returns at most. */
  readonly locatePage: number
  /** Items of one batch at most. */
  readonly maxBatch: number
  /** Iterations of PBKDF2 at most; more would let one request hold up all others. */
  readonly maxIterations: number
  /** Bytes that RNG Retrieve gives at most. */
  readonly maxRandom: number
  /** Users and devices that credentials inside a request can name; none: the certificate alone says who is asking. */
  readonly accounts: readonly Account[]
  /** Interop is answered, for conformance tests. */
  readonly interop: boolean
  /** Weak cryptography that may be used all the same. */
  readonly allowWeak: readonly Weak[]
  /** There is an HTTPS listener beside the raw one. */
  readonly hasHttps: boolean
  /** Drafts of the protocol are spoken: 3.0. */
  readonly experimental: boolean
  /** Object Groups in which a fresh key is made when a client asks for a fresh member and there is none. */
  readonly freshGroups: readonly string[]
  readonly productName: string
  readonly productVersion: string
  readonly serverName: string
}

/** @returns nothing if the client's credential is not one that is kept here. @throws ScopeError `invalid` */
export type Replace = (holder: Holder, wish: Wish) => Promise<Replacement | undefined>

/** What lives as long as the server and that operations may ask for. */
export interface Environment {
  readonly settings: Settings
  /** Seconds since 1970. */
  now(): bigint
  randomBytes(size: number): Buffer
  newId(): string
  readonly streams: Streams
  readonly groups: GroupMembers
  readonly marks: ServedMarks
  readonly jobs: Jobs
  readonly tickets: Tickets
  readonly hashedPasswords: HashedPasswords
  readonly certifier: Certifier
  /** Plans another credential for a client; absent: nobody keeps credentials. */
  readonly replace?: Replace | undefined
  readonly policies: Policies
  readonly applications: Applications
  /** Run something soon, but not now. */
  defer(work: () => Promise<void>): void
  readonly operations: readonly Operation[]
  /** Why a client may not have another object, if it may not. */
  quota?(peer: Peer): Promise<KmipError | undefined>
}

/** What the items of one batch share: the ID Placeholder, and the identifiers and the data of earlier answers. Spec: KMIP 1.4 section 4 */
export class Batch {
  /** Items of it. */
  readonly size: number
  placeholder: string | undefined
  /** Identifiers by the operation that answered them, and all of them in order: what 2.x requests can refer to. */
  readonly named = new Map<string, string>()
  readonly identifiers: string[] = []
  /** The same for what operations of cryptography answered. */
  readonly namedResults = new Map<string, Buffer>()
  readonly results: Buffer[] = []

  constructor(size: number) {
    this.size = size
  }
}

/** Who asks: by certificate, and inside the request. */
export interface Asking {
  readonly peer: Peer
  readonly inner: Inner
  /** The connection, where its roles can change. */
  readonly channel?: Channel | undefined
  /** Why nothing of the request is done: its credentials are wrong. */
  readonly refused?: KmipError | undefined
}

/** All that an operation may touch. */
export class Context {
  readonly unit: UnitOfWork
  readonly peer: Peer
  readonly channel: Channel | undefined
  readonly batch: Batch
  readonly environment: Environment
  readonly rules: Rules
  readonly version: Version
  /** The object that the item is about, for the audit log. */
  subject: string | undefined
  /** What the answer follows from, besides the request; absent: other things too, such as the clock, or the item does something. */
  source: Source | undefined
  /** What the client wants to have in the log. */
  remark: string | undefined
  readonly inner: Inner
  /** The batch item that is done: the same object however often it is tried. */
  readonly item: { readonly operation: number }
  #policy: Promise<Policy> | undefined
  #now: bigint | undefined

  constructor(environment: Environment, asking: Asking, batch: Batch, unit: UnitOfWork, version: Version, item: Context['item']) {
    this.environment = environment
    this.peer = asking.peer
    this.channel = asking.channel
    this.inner = asking.inner
    this.item = item
    this.batch = batch
    this.unit = unit
    this.version = version
    this.rules = rulesOf(version)
  }

  /** See `ownerOf`. */
  get owner(): string {
    return ownerOf(this)
  }

  get settings(): Settings {
    return this.environment.settings
  }

  /** Seconds since 1970: the same for all that the item does, so that its dates fit each other however long it takes. */
  now(): bigint {
    this.#now ??= this.environment.now()
    return this.#now
  }

  /** What clients have set for new objects of the scope. @throws StoreError, SealError */
  policy(): Promise<Policy> {
    this.#policy ??= this.environment.policies.of(this.unit)
    return this.#policy
  }

  /** The identifier that a request gives, or the ID Placeholder. @throws KmipError if there is neither */
  id(given: string | undefined): string {
    const id = given ?? this.batch.placeholder
    if (id === undefined) throw new KmipError('InvalidMessage', 'no Unique Identifier is given, and the ID Placeholder is empty')
    this.subject = id
    return id
  }

  /** The object that a request is about, to read. @throws KmipError Object Not Found, Object Archived */
  async read(given: string | undefined): Promise<ManagedObject> {
    const object = await this.readArchived(given)
    if (object.archived) throw new KmipError('ObjectArchived', 'the object is archived; recover it first')
    return object
  }

  /** The same, archived or not. @throws KmipError Object Not Found, Permission Denied, Not Authorised */
  async readArchived(given: string | undefined, reason?: 'ObjectNotFound' | 'ItemNotFound'): Promise<ManagedObject> {
    const object = await this.unit.read(this.id(given), reason)
    this.checkUse(object)
    return object
  }

  /** Whether whom the credentials name may use the object: its own, those that belong to nobody, and of them what a ticket covers. */
  mayUse(object: ManagedObject): boolean {
    return this.#isOwn(object) && hasRight(this.inner, this.item.operation, object)
  }

  /** @throws KmipError Permission Denied, Not Authorised */
  checkUse(object: ManagedObject): void {
    if (!this.#isOwn(object)) throw new KmipError('PermissionDenied', 'the object belongs to another user')
    if (!this.mayUse(object)) throw new KmipError('NotAuthorised', 'the ticket does not cover this object')
  }

  #isOwn({ owner }: ManagedObject): boolean {
    return owner === undefined || this.inner.user === undefined || owner === this.inner.user
  }

  /** The object that a request is about, to change. @throws KmipError as `read` */
  async edit(given: string | undefined): Promise<ManagedObject> {
    const { id } = await this.read(given)
    return this.unit.edit(id)
  }

  /** The object leaves the server: Fresh ends, as soon as the item has succeeded. Spec: KMIP 1.4 section 3.34 */
  async serve(object: ManagedObject): Promise<void> {
    if (!isFresh(object)) return
    if (this.environment.marks.takes(object)) this.unit.served.push(object)
    else endFresh(await this.unit.edit(object.id))
  }

  /** A structure with attributes as the client's version writes it, for what is encoded inside a wrapped key. */
  inDialect(structure: Item): Item {
    return structureTo(this.version, structure)
  }

  /** Make this identifier the ID Placeholder of the items that follow. */
  place(id: string): void {
    this.batch.placeholder = id
    this.subject = id
  }
}
