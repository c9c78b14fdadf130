import { randomInt } from 'node:crypto'
import type { Records } from '../seal/records.ts'
import { type Client, clientAs, type Identity, identify, type Presented, peerOf, type Refusal } from './access.ts'
import {
  authorityMaker,
  authorityUpdates,
  configurationOf,
  ensureAuthority,
  type ServerCertificate,
  type Signer,
  serverCertificate,
  signerOf,
} from './authorities.ts'
import { type Configuration, mergeConfiguration } from './configuration.ts'
import { asPkcs12, type Pkcs12Answer, pkcs12Password } from './credential-pkcs12.ts'
import {
  allCredentials,
  type CredentialAnswer,
  type CredentialEntry,
  type CredentialInfo,
  credentialsOf,
  formatOf,
  generateCredential,
  lookupCredential,
  revokeCredential,
  signRequest,
} from './credentials.ts'
import { removeAdministration, removeRole, removeScope, resumeRemovals } from './deletion.ts'
import { ScopeError } from './error.ts'
import { mergeLimits } from './limits.ts'
import { NamedListeners } from './listeners.ts'
import { checkedSigner, NamedAuthorities } from './named-authorities.ts'
import { countObjects } from './object-count.ts'
import { NO_GRANTS } from './permissions.ts'
import { type Plan, Registry } from './registry.ts'
import { type Holder, planReplacement, type Replacement, type Wish } from './replacement.ts'
import { Revocations } from './revocations.ts'
import { mergeRole, type RoleAnswer, readRole } from './roles.ts'
import { type LimitValues, PLACE, type RoleRow, type ScopeRow } from './rows.ts'
import { nameOf } from './values.ts'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const randomId = (): string => Array.from({ length: 5 }, () => BASE62[randomInt(62)]).join('')

export interface ScopesOptions {
  readonly records: Records
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Makes five base62 characters; random ones by default. */
  readonly id?: () => string
  /** Where the rows are; unless told, those of the first mount. */
  readonly registry?: Registry
}

/** A scope with the count of what it holds, objects apart. */
export interface ScopeAnswer {
  /** The OU of its certificates. */
  readonly id: string
  /** Of its objects. */
  readonly partition: string
  readonly name: string
  readonly createdMs: number
  readonly force: boolean
  readonly roles: number
  readonly credentials: number
}

/**
 * Who may use kmipd, and as what: configuration, CA, scopes, roles and client certificates, with Vault's rules. Several processes may do
 * this on the same records at once; each sees what the others committed. Names in, Vault's answer shapes out. All functions reject with
 * ScopeError when they cannot do what was asked, and with StoreError or SealError when the records cannot be had.
 */
export class Scopes {
  /** CAs beside that of the configuration. */
  readonly authorities: NamedAuthorities
  /** Listeners beside those of the configuration. */
  readonly listeners: NamedListeners
  /** Of the CAs that sign here. */
  readonly revocations: Revocations
  readonly #registry: Registry
  readonly #now: () => number
  readonly #id: () => string

  constructor({ records, now, id = randomId, registry = new Registry(records) }: ScopesOptions) {
    this.authorities = new NamedAuthorities(registry, now)
    this.listeners = new NamedListeners(registry, now)
    this.revocations = new Revocations(registry, now)
    this.#registry = registry
    this.#now = now
    this.#id = id
  }

  /** See everything that was committed; each function here does this first. */
  refresh(): Promise<void> {
    return this.#registry.refresh()
  }

  /** The configuration, whole, with defaults for what was never written. */
  async configuration(): Promise<Configuration> {
    await this.#registry.refresh()
    return configurationOf(this.#registry)
  }

  /** Whether a configuration was ever written. */
  async isConfigured(): Promise<boolean> {
    await this.#registry.refresh()
    return this.#registry.row('configuration', PLACE.configuration) !== undefined
  }

  /** Write some fields and keep the others. Another kind of CA key makes a new CA; the old one's clients are still let in. */
  writeConfiguration(fields: { readonly [field: string]: unknown }): Promise<Configuration> {
    const make = authorityMaker(this.#now())
    return this.#registry.change(async () => {
      const values = mergeConfiguration(configurationOf(this.#registry), fields)
      const more = await authorityUpdates(this.#registry, values, make)
      return { updates: [{ place: PLACE.configuration, row: { kind: 'configuration', values } }, ...more], result: values }
    })
  }

  /** Whether there is a CA of the configuration. */
  async hasAuthority(): Promise<boolean> {
    await this.#registry.refresh()
    return this.#registry.row('authority', PLACE.authority) !== undefined
  }

  /** PEM of the CA's certificates, intermediate first, then root, without a line end after the last. Makes the CA if there is none. */
  async caChain(): Promise<readonly [intermediate: string, root: string]> {
    await ensureAuthority(this.#registry, this.#now())
    const { intermediate, root } = this.#registry.row('authority', PLACE.authority)!
    return [intermediate, root]
  }

  /** PEM of each CA certificate whose clients a listener lets in: the chain, and CAs of earlier configurations. */
  async trusted(): Promise<readonly string[]> {
    const chain = await this.caChain()
    return [...chain, ...(this.#registry.row('authority', PLACE.authority)?.former ?? [])]
  }

  /** The listener's certificate; another one when a third of its life is left or its names or the CA changed. Ask now and then. */
  serverCertificate(): Promise<ServerCertificate> {
    return serverCertificate(this.#registry, this.#now)
  }

  /** Our intermediate, to sign certificates that clients ask for by Certify. */
  async signer(): Promise<Signer> {
    await ensureAuthority(this.#registry, this.#now())
    return signerOf(this.#registry)
  }

  /** @throws ScopeError `exists` */
  async createScope(name: string, { force = false }: { readonly force?: boolean } = {}): Promise<ScopeAnswer> {
    nameOf('scope', name)
    return this.#registry.change(() => {
      if (this.#registry.scopeNamed(name)) throw new ScopeError('exists', `scope ${name} exists already`)
      return this.#newScope(name, force)
    })
  }

  /** Make a scope if it is not there, and say whether it may be deleted with its objects, if that is said. */
  async ensureScope(name: string, force?: boolean): Promise<ScopeAnswer> {
    nameOf('scope', name)
    return this.#registry.change(() => {
      const stored = this.#registry.scopeNamed(name)
      if (!stored) return this.#newScope(name, force ?? false)
      const row = { ...stored, force: force ?? stored.force }
      const updates = row.force === stored.force ? [] : [{ place: PLACE.scope(row.id), row }]
      return { updates, result: this.#scopeAnswer(row) }
    })
  }

  #newScope(name: string, force: boolean): Plan<ScopeAnswer> {
    const id = this.#freeId(candidate => this.#registry.row('scope', PLACE.scope(candidate)) !== undefined)
    const row: ScopeRow = { kind: 'scope', id, name, createdMs: this.#now(), force, state: 'live' }
    return { updates: [{ place: PLACE.scope(id), row }], result: this.#scopeAnswer(row) }
  }

  /** Names of all scopes, sorted. */
  async listScopes(): Promise<readonly string[]> {
    await this.#registry.refresh()
    const live = this.#registry.rows('scope').filter(row => row.state === 'live')
    return live.map(row => row.name).sort()
  }

  async readScope(name: string): Promise<ScopeAnswer> {
    await this.#registry.refresh()
    return this.#scopeAnswer(this.#scope(name))
  }

  /** What the clients of a scope may use, or those of one of its roles. @throws ScopeError `not-found` */
  async readLimits(scope: string, role?: string): Promise<LimitValues> {
    await this.#registry.refresh()
    return (role === undefined ? this.#scope(scope) : this.#role(scope, role)).limits ?? {}
  }

  /** Write some limits and keep the others; 0 takes one away. Clients notice at once. @throws ScopeError `not-found`, `invalid` */
  async writeLimits(scope: string, role: string | undefined, changes: LimitValues): Promise<void> {
    await this.#registry.change(() => {
      const { limits: stored, ...row } = role === undefined ? this.#scope(scope) : this.#role(scope, role)
      const limits = mergeLimits(stored, changes)
      const place = row.kind === 'scope' ? PLACE.scope(row.id) : PLACE.role(row.scope, row.id)
      return { updates: [{ place, row: { ...row, ...(limits && { limits }) } }], result: undefined }
    })
  }

  /** Until when refused requests of a scope's clients are traced; nothing: they are not. @throws ScopeError `not-found` */
  tracedUntil = async (name: string): Promise<number | undefined> => (await this.#refreshedScope(name)).tracedUntilMs

  /** @param untilMs  absent: stop. @throws ScopeError `not-found` */
  async trace(name: string, untilMs?: number): Promise<void> {
    await this.#registry.change(() => {
      const { tracedUntilMs: _, ...scope } = this.#scope(name)
      const row = { ...scope, ...(untilMs !== undefined && { tracedUntilMs: untilMs }) }
      return { updates: [{ place: PLACE.scope(row.id), row }], result: undefined }
    })
  }

  /** How many objects a scope has, up to 100,000. @throws ScopeError `not-found` */
  async countObjects(name: string): Promise<number> {
    return countObjects(this.#registry.records, await this.objectsOf(name))
  }

  /** Partition of a scope's objects. @throws ScopeError `not-found` */
  objectsOf = async (name: string): Promise<string> => this.#registry.objectsOf((await this.#refreshedScope(name)).id)

  /**
   * Delete a scope with its roles and credentials, at once for its clients; and with its objects if forced here or when it was made.
   * @throws ScopeError `not-found`; `not-empty` while it has objects and nobody forces
   */
  deleteScope(name: string, { force = false }: { readonly force?: boolean } = {}): Promise<void> {
    return removeScope(this.#registry, () => this.#scope(name), force, this.#now())
  }

  /** Finish deletions of scopes and roles that were cut short. To be called at start. */
  resume(): Promise<void> {
    return resumeRemovals(this.#registry, this.#now())
  }

  /** Make a role, or write some fields of one and keep the others. @throws ScopeError `not-found` when there is no such scope */
  async writeRole(scope: string, name: string, fields: { readonly [field: string]: unknown }): Promise<RoleAnswer> {
    nameOf('role', name)
    return this.#registry.change(() => {
      const { id: scopeId } = this.#scope(scope)
      const stored = this.#registry.roleNamed(scopeId, name) ?? this.#newRole(scopeId, name)
      const row = mergeRole(stored, fields, configurationOf(this.#registry))
      if (row.ca !== undefined) checkedSigner(this.#registry, row.ca)
      return { updates: [{ place: PLACE.role(scopeId, row.id), row }], result: readRole(row) }
    })
  }

  async readRole(scope: string, name: string): Promise<RoleAnswer> {
    await this.#registry.refresh()
    return readRole(this.#role(scope, name))
  }

  /** Names of a scope's roles, sorted. */
  async listRoles(scope: string): Promise<readonly string[]> {
    await this.#registry.refresh()
    const { id } = this.#scope(scope)
    const roles = this.#registry.rows('role').filter(row => row.scope === id)
    return roles.map(row => row.name).sort()
  }

  /** Delete a role with its credentials. @throws ScopeError `not-found` */
  deleteRole(scope: string, name: string): Promise<void> {
    return removeRole(this.#registry, () => this.#role(scope, name), this.#now())
  }

  /** @param options  `format`: `pem`, `pem_bundle` (also when absent) or `der` */
  async generateCredential(scope: string, role: string, options: { readonly format?: unknown } = {}): Promise<CredentialAnswer> {
    const format = formatOf(options.format)
    return generateCredential(this.#registry, () => this.#role(scope, role), format, this.#now())
  }

  /** The same as one file under a password, which is kept as little as the key. @throws ScopeError `invalid` without a password */
  async generatePkcs12(scope: string, role: string, options: { readonly password: unknown }): Promise<Pkcs12Answer> {
    const password = pkcs12Password(options.password)
    return asPkcs12(await this.generateCredential(scope, role, { format: 'pem' }), `${scope}/${role}`, password)
  }

  /** Sign a PKCS#10 request (PEM); subject and extensions in it are not taken over. */
  async signRequest(scope: string, role: string, options: { readonly csr: string; readonly format?: unknown }): Promise<CredentialAnswer> {
    const format = formatOf(options.format)
    return signRequest(this.#registry, () => this.#role(scope, role), options.csr, format, this.#now())
  }

  /** The credentials of a role, oldest first. */
  async listCredentials(scope: string, role: string): Promise<readonly CredentialInfo[]> {
    await this.#registry.refresh()
    return credentialsOf(this.#registry, this.#role(scope, role))
  }

  /** All credentials, for metrics and warnings before they end. */
  async credentials(): Promise<readonly CredentialEntry[]> {
    await this.#registry.refresh()
    return allCredentials(this.#registry)
  }

  /** @throws ScopeError `not-found` */
  async lookupCredential(
    scope: string,
    role: string,
    by: { readonly serial_number: string; readonly format?: unknown },
  ): Promise<CredentialAnswer> {
    await this.#registry.refresh()
    return lookupCredential(this.#registry, this.#role(scope, role), by.serial_number, formatOf(by.format))
  }

  /** Revoke a credential, found by exactly one of serial number and certificate (PEM): from now on no message of it is answered. */
  async revokeCredential(
    scope: string,
    role: string,
    by: { readonly serial_number?: string | undefined; readonly certificate?: string | undefined },
  ): Promise<void> {
    await revokeCredential(this.#registry, () => this.#role(scope, role), by, this.#now())
  }

  /**
   * Who a client certificate belongs to; once for each connection.
   * @param admits  names of the CAs that count, empty for that of the configuration; absent: all
   */
  identify(certificate: Buffer | Presented, admits?: ReadonlySet<string>): Promise<Identity | Refusal> {
    return identify(this.#registry, certificate, this.#now(), admits)
  }

  /** Delete everything: scopes with their objects, roles, credentials, CAs, listeners and configuration. Can be done again when cut short. */
  remove(): Promise<void> {
    return removeAdministration(this.#registry, this.#now())
  }

  /** What an identity is and may do at this moment; before each message, on open connections too. */
  peerOf(identity: Identity): Promise<Client | Refusal> {
    return peerOf(this.#registry, identity, this.#now())
  }

  /** For a client that asks for another credential in the place of its own. @throws ScopeError `invalid` */
  planReplacement(holder: Holder, wish: Wish): Promise<Replacement | undefined> {
    return planReplacement(this.#registry, holder, wish, this.#now())
  }

  /** A client of a role that shows no certificate: whoever lets it act has made sure that it may. @throws ScopeError `not-found` */
  async clientOfRole(scope: string, role: string): Promise<Client> {
    const scopeRow = await this.#refreshedScope(scope)
    return clientAs(this.#registry, { scope: scopeRow, role: this.#role(scope, role) }, '-', this.#now())
  }

  async #refreshedScope(name: string): Promise<ScopeRow> {
    await this.#registry.refresh()
    return this.#scope(name)
  }

  #scope(name: string): ScopeRow {
    const row = this.#registry.scopeNamed(name)
    if (!row) throw new ScopeError('not-found', `there is no scope ${name}`)
    return row
  }

  #role(scope: string, name: string): RoleRow {
    const row = this.#registry.roleNamed(this.#scope(scope).id, name)
    if (!row) throw new ScopeError('not-found', `scope ${scope} has no role ${name}`)
    return row
  }

  #newRole(scope: string, name: string): RoleRow {
    const id = this.#freeId(candidate => this.#registry.row('role', PLACE.role(scope, candidate)) !== undefined)
    return { kind: 'role', scope, id, name, createdMs: this.#now(), grants: NO_GRANTS, keyType: '', keyBits: 0, ttlSeconds: 0 }
  }

  #freeId(taken: (id: string) => boolean): string {
    for (;;) {
      const id = this.#id()
      if (!taken(id)) return id
    }
  }

  #scopeAnswer({ id, name, createdMs, force }: ScopeRow): ScopeAnswer {
    const count = (kind: 'role' | 'credential'): number => this.#registry.rows(kind).filter(row => row.scope === id).length
    return { id, partition: this.#registry.objectsOf(id), name, createdMs, force, roles: count('role'), credentials: count('credential') }
  }
}
