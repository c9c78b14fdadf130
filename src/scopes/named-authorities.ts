import { certificatePem, certificatesIn, parseCertificatePem } from '../pki/certificate.ts'
import { PkiError } from '../pki/error.ts'
import { newAuthority } from './authorities.ts'
import { checkedSpec, keyTypeOf } from './configuration.ts'
import { ScopeError } from './error.ts'
import type { Registry } from './registry.ts'
import { type Mapping, type MappingField, type NamedAuthorityRow, PLACE } from './rows.ts'
import { integerOf, nameOf, secondsOf, textOf } from './values.ts'

const YEAR_SECONDS = 365 * 86_400
// Certificates cannot say longer times.
const LONGEST_SECONDS = 200 * YEAR_SECONDS

export type Sent = { readonly [field: string]: unknown }

/** A named CA as it is shown. */
export interface NamedAuthorityAnswer extends Mapping {
  readonly ca_pem: string
  readonly ca_chain: readonly string[]
  /** The certificate that signs, or the first that was imported. */
  readonly certificate: string
  /** Decimal, of `certificate`. */
  readonly serial_number: string
  readonly imported: boolean
  readonly key_type?: string
  readonly key_bits?: number
  /** Seconds. */
  readonly ttl?: number
}

export const MAPPING_FIELDS: readonly MappingField[] = ['CN', 'O', 'OU', 'UID']

/** CAs beside that of the configuration: made here to sign for roles and listeners, or imported to let in clients that others certify. */
export class NamedAuthorities {
  readonly #registry: Registry
  readonly #now: () => number

  constructor(registry: Registry, now: () => number) {
    this.#registry = registry
    this.#now = now
  }

  /** @throws ScopeError `exists`; `invalid` for a key that is not made */
  async generate(name: string, { key_type, key_bits, ttl }: Sent): Promise<NamedAuthorityAnswer> {
    nameOf('CA', name)
    if (key_type === undefined || key_bits === undefined) throw new ScopeError('invalid', 'key_type and key_bits are required')
    const spec = checkedSpec('CA', keyTypeOf('key_type', key_type), integerOf('key_bits', key_bits))
    const ttlSeconds = ttl === undefined ? YEAR_SECONDS : secondsOf('ttl', ttl)
    if (ttlSeconds < 60 || ttlSeconds > LONGEST_SECONDS) throw new ScopeError('invalid', 'ttl must be a minute to 200 years')
    await this.#registry.refresh()
    this.#mustBeNew(name)
    const nowMs = this.#now()
    const secret = await newAuthority(spec, `kmipd-${name}`, nowMs, ttlSeconds * 1000)
    return this.#registry.change(() => {
      this.#mustBeNew(name)
      const pem = `${secret.intermediate}\n${secret.root}`
      const row: NamedAuthorityRow = { kind: 'named-authority', name, createdMs: nowMs, made: { ...spec, ttlSeconds }, pem }
      return {
        updates: [
          { place: PLACE.namedAuthority(name), row },
          { place: PLACE.authoritySecret(name), secret },
        ],
        result: answerOf(row),
      }
    })
  }

  /** Take in a CA whose clients have certificates of their own. @throws ScopeError `exists`, `invalid` */
  async import(name: string, { ca_pem, ...mapping }: Sent): Promise<NamedAuthorityAnswer> {
    nameOf('CA', name)
    const pem = importable(ca_pem)
    const row: NamedAuthorityRow = { kind: 'named-authority', name, createdMs: this.#now(), pem, mapping: mappingOf(mapping) }
    return this.#registry.change(() => {
      this.#mustBeNew(name)
      return { updates: [{ place: PLACE.namedAuthority(name), row }], result: answerOf(row) }
    })
  }

  /** Say anew how an imported CA names its clients. @throws ScopeError `not-found`; `invalid`, also for a CA that was made here */
  async map(name: string, fields: Sent): Promise<NamedAuthorityAnswer> {
    return this.#registry.change(() => {
      const stored = this.#row(name)
      if (stored.made) throw new ScopeError('invalid', `CA ${name} was generated; only imported CAs can be updated`)
      const row = { ...stored, mapping: mappingOf(merged(stored.mapping, fields)) }
      return { updates: [{ place: PLACE.namedAuthority(name), row }], result: answerOf(row) }
    })
  }

  /** @throws ScopeError `not-found` */
  async read(name: string): Promise<NamedAuthorityAnswer> {
    await this.#registry.refresh()
    return answerOf(this.#row(name))
  }

  /** Names, sorted. */
  async list(): Promise<readonly string[]> {
    await this.#registry.refresh()
    return this.#registry
      .rows('named-authority')
      .map(row => row.name)
      .sort()
  }

  /** Nothing happens if it is not there. @throws ScopeError `invalid` while a listener or a role uses it */
  delete(name: string): Promise<void> {
    return this.#registry.change(() => {
      const row = this.#registry.row('named-authority', PLACE.namedAuthority(name))
      if (!row) return { updates: [], result: undefined }
      const user =
        this.#registry.rows('listener').find(({ ca, additional_client_cas }) => ca === name || additional_client_cas.includes(name)) ??
        this.#registry.rows('role').find(({ ca }) => ca === name)
      if (user) throw new ScopeError('invalid', `CA ${name} is in use by ${user.kind} ${user.name}`)
      const secret = row.made ? [{ place: PLACE.authoritySecret(name) }] : []
      return { updates: [{ place: PLACE.namedAuthority(name) }, ...secret], result: undefined }
    })
  }

  #row(name: string): NamedAuthorityRow {
    const row = this.#registry.row('named-authority', PLACE.namedAuthority(name))
    if (!row) throw new ScopeError('not-found', `there is no CA ${name}`)
    return row
  }

  #mustBeNew(name: string): void {
    if (this.#registry.row('named-authority', PLACE.namedAuthority(name))) throw new ScopeError('exists', `CA ${name} exists already`)
  }
}

/** A named CA that was made here, for what it shall sign. @throws ScopeError `invalid` */
export function checkedSigner(registry: Registry, ca: string): void {
  const row = registry.row('named-authority', PLACE.namedAuthority(ca))
  if (!row) throw new ScopeError('invalid', `there is no CA ${ca}`)
  if (!row.made) throw new ScopeError('invalid', `CA ${ca} was imported; it verifies clients and cannot sign`)
}

function answerOf({ pem, made, mapping }: NamedAuthorityRow): NamedAuthorityAnswer {
  const chain = certificatesIn(pem)
  const certificate = chain[0] ?? ''
  return {
    ca_pem: pem,
    ca_chain: chain,
    certificate,
    serial_number: parseCertificatePem(certificate).serial,
    imported: made === undefined,
    ...(made && { key_type: made.type, key_bits: made.bits, ttl: made.ttlSeconds }),
    ...mapping,
  }
}

function importable(value: unknown): string {
  if (value === undefined) throw new ScopeError('invalid', 'ca_pem is required')
  if (typeof value !== 'string') throw new ScopeError('invalid', 'ca_pem must be text in PEM')
  const found = certificatesIn(value.replaceAll('\r\n', '\n'))
  if (found.length === 0) throw new ScopeError('invalid', 'ca_pem holds no certificate')
  const certificates = found.map(pem => {
    try {
      return parseCertificatePem(pem)
    } catch (cause) {
      if (!(cause instanceof PkiError)) throw cause
      throw new ScopeError('invalid', `ca_pem: ${cause.message}`, { cause })
    }
  })
  for (const { subject, authority } of certificates) if (!authority) throw new ScopeError('invalid', `ca_pem: ${subject.text} is not a CA`)
  return certificates.map(({ der }) => certificatePem(der)).join('\n')
}

const PAIRS = ['scope', 'role'] as const

function mappingOf(fields: Sent): Mapping {
  const mapping: { scope_name?: string; scope_field?: MappingField; role_name?: string; role_field?: MappingField } = {}
  for (const what of PAIRS) {
    const [name, field] = [given(fields, `${what}_name`), given(fields, `${what}_field`)]
    if ((name === undefined) === (field === undefined))
      throw new ScopeError('invalid', `exactly one of ${what}_name and ${what}_field must be set`)
    if (name !== undefined) mapping[`${what}_name`] = nameOf(what, name)
    if (field !== undefined) {
      const known = MAPPING_FIELDS.find(one => one === field)
      if (!known) throw new ScopeError('invalid', `${what}_field must be one of ${MAPPING_FIELDS.join(', ')}`)
      mapping[`${what}_field`] = known
    }
  }
  return mapping
}

/** What is written of a pair replaces the pair. */
function merged(stored: Mapping | undefined, fields: Sent): Sent {
  const old: Sent = { ...stored }
  return Object.fromEntries(
    PAIRS.flatMap(what => {
      const names = [`${what}_name`, `${what}_field`]
      const source = names.some(name => given(fields, name) !== undefined) ? fields : old
      return names.map(name => [name, source[name]])
    }),
  )
}

function given(fields: Sent, name: string): string | undefined {
  const value = fields[name] ?? undefined
  return value === undefined || value === '' ? undefined : textOf(name, value)
}
