import { isWithoutIssuer, type ServerCertificate, serverCertificate } from './authorities.ts'
import { cipherList } from './cipher-suites.ts'
import { listenAddress, READERS } from './configuration.ts'
import { ScopeError } from './error.ts'
import { checkedSigner, type Sent } from './named-authorities.ts'
import type { Registry } from './registry.ts'
import { type ListenerRow, PLACE } from './rows.ts'
import { booleanOf, listOf, nameOf, textOf } from './values.ts'

/** A listener as it is shown: all nine fields. */
export type ListenerAnswer = Omit<ListenerRow, 'kind' | 'name'>

/** What a listener does now: where it listens, what it shows, whom it lets in. */
export interface ListenerPlan {
  readonly name: string
  readonly address: { readonly host: string; readonly port: number }
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3'
  /** OpenSSL's list. */
  readonly ciphers?: string
  readonly certificate: ServerCertificate
  /** PEM of the certificates that client certificates must lead to. */
  readonly authorities: readonly string[]
  /** A chain may end at any of them: an intermediate is among them whose root is not. */
  readonly endsAnywhere: boolean
  /** Names of the CAs whose clients are let in; empty: that of the configuration. */
  readonly admits: ReadonlySet<string>
}

const NEW: Omit<ListenerRow, 'name' | 'ca' | 'address'> = {
  kind: 'listener',
  server_hostnames: [],
  server_ips: ['127.0.0.1', '::1'],
  additional_client_cas: [],
  also_use_legacy_ca: false,
  tls_min_version: 'tls12',
  tls_max_version: '',
  tls_cipher_suites: '',
}

function versionOf<V extends string>(field: string, value: unknown, allowed: readonly V[]): V {
  const text = textOf(field, value)
  const version = allowed.find(one => one === text)
  if (version === undefined) throw new ScopeError('invalid', `${field} must be one of ${allowed.filter(Boolean).join(', ')}`)
  return version
}

const FIELDS: { readonly [field in keyof ListenerAnswer]: (value: unknown) => ListenerAnswer[field] } = {
  ca: value => textOf('ca', value),
  address(value) {
    const address = textOf('address', value)
    if (!listenAddress(address) || !/(^|\]|[^:\]]):\d{1,5}$/.test(address))
      throw new ScopeError('invalid', `address: ${JSON.stringify(address)} is not host:port`)
    return address
  },
  server_hostnames: READERS.server_hostnames,
  server_ips: READERS.server_ips,
  additional_client_cas: value => listOf('additional_client_cas', value),
  also_use_legacy_ca: value => booleanOf('also_use_legacy_ca', value),
  tls_min_version: value => versionOf('tls_min_version', value === '' ? 'tls12' : value, ['tls12', 'tls13']),
  tls_max_version: value => versionOf('tls_max_version', value, ['', 'tls12', 'tls13']),
  tls_cipher_suites(value) {
    const names = Array.isArray(value) ? listOf('tls_cipher_suites', value).join(',') : textOf('tls_cipher_suites', value)
    cipherList(names)
    return names
  },
}

const TLS = { tls12: 'TLSv1.2', tls13: 'TLSv1.3' } as const

/** Listeners with names: each with an address, a CA and clients of its own. */
export class NamedListeners {
  readonly #registry: Registry
  readonly #now: () => number

  constructor(registry: Registry, now: () => number) {
    this.#registry = registry
    this.#now = now
  }

  /** Make a listener, or write some fields of one and keep the others. @throws ScopeError `invalid` */
  async write(name: string, fields: Sent): Promise<ListenerAnswer> {
    nameOf('listener', name)
    return this.#registry.change(() => {
      const row = this.#merged(name, fields)
      return { updates: [{ place: PLACE.listener(name), row }], result: answerOf(row) }
    })
  }

  /** Put back what `read` gave: as it was, without a check of what else there is. */
  restore(name: string, answer: ListenerAnswer | undefined): Promise<void> {
    return this.#registry.change(() => ({
      updates: [answer ? { place: PLACE.listener(name), row: { kind: 'listener', name, ...answer } } : { place: PLACE.listener(name) }],
      result: undefined,
    }))
  }

  /** The listener; nothing if there is none. */
  async read(name: string): Promise<ListenerAnswer | undefined> {
    await this.#registry.refresh()
    const row = this.#registry.row('listener', PLACE.listener(name))
    return row && answerOf(row)
  }

  /** Names, sorted. */
  async list(): Promise<readonly string[]> {
    await this.#registry.refresh()
    return this.#registry
      .rows('listener')
      .map(row => row.name)
      .sort()
  }

  /** Nothing happens if it is not there. */
  delete(name: string): Promise<void> {
    return this.#registry.change(() => {
      if (!this.#registry.row('listener', PLACE.listener(name))) return { updates: [], result: undefined }
      return { updates: [{ place: PLACE.listener(name) }, { place: PLACE.serverSecret(name) }], result: undefined }
    })
  }

  /** @throws ScopeError `not-found` */
  async plan(name: string): Promise<ListenerPlan> {
    await this.#registry.refresh()
    const find = (): ListenerRow => {
      const row = this.#registry.row('listener', PLACE.listener(name))
      if (!row) throw new ScopeError('not-found', `there is no listener ${name}`)
      return row
    }
    const certificate = await serverCertificate(this.#registry, this.#now, find)
    const row = find()
    const address = listenAddress(row.address)
    if (!address) throw new ScopeError('invalid', `listener ${name} has no address`)
    const named = [row.ca, ...row.additional_client_cas]
    const legacy = this.#registry.row('authority', PLACE.authority)
    const ciphers = cipherList(row.tls_cipher_suites)
    const authorities = [
      ...named.flatMap(ca => this.#registry.row('named-authority', PLACE.namedAuthority(ca))?.pem ?? []),
      ...(row.also_use_legacy_ca && legacy ? [legacy.intermediate, legacy.root, ...legacy.former] : []),
    ]
    return {
      name,
      address,
      minVersion: TLS[row.tls_min_version],
      maxVersion: TLS[row.tls_max_version || 'tls13'],
      ...(ciphers !== undefined && { ciphers }),
      certificate,
      authorities,
      endsAnywhere: isWithoutIssuer(authorities),
      admits: new Set([...named, ...(row.also_use_legacy_ca ? [''] : [])]),
    }
  }

  #merged(name: string, fields: Sent): ListenerRow {
    const stored = this.#registry.row('listener', PLACE.listener(name))
    const written: { [field: string]: unknown } = { ...NEW, ca: '', address: '', ...stored, name }
    for (const [field, value] of Object.entries(fields)) {
      if (!Object.hasOwn(FIELDS, field))
        throw new ScopeError('invalid', `"${field}" is not a field of a listener; the fields are ${Object.keys(FIELDS).join(', ')}`)
      if (value !== null && value !== undefined) written[field] = FIELDS[field as keyof ListenerAnswer](value)
    }
    const row = written as unknown as ListenerRow
    for (const field of ['ca', 'address'] as const) if (row[field] === '') throw new ScopeError('invalid', `${field} is required`)
    checkedSigner(this.#registry, row.ca)
    for (const ca of row.additional_client_cas)
      if (!this.#registry.row('named-authority', PLACE.namedAuthority(ca))) throw new ScopeError('invalid', `there is no CA ${ca}`)
    if (row.tls_max_version === 'tls12' && row.tls_min_version === 'tls13')
      throw new ScopeError('invalid', 'tls_max_version is older than tls_min_version')
    if (row.server_hostnames.length === 0 && row.server_ips.length === 0)
      throw new ScopeError('invalid', 'a listener needs a name in server_hostnames or an address in server_ips')
    return row
  }
}

const answerOf = ({ kind: _kind, name: _name, ...answer }: ListenerRow): ListenerAnswer => answer
