import { isIP } from 'node:net'
import { KEY_BITS, type KeySpec } from '../pki/keys.ts'
import { ScopeError } from './error.ts'
import { integerOf, listOf, secondsOf, textOf } from './values.ts'

/** The settings of the KMIP listener and of the certificates, by Vault's names. */
export interface Configuration {
  /** As they were written: `host:port`, or a bare address for port 5696. */
  readonly listen_addrs: readonly string[]
  /** Names of the server certificate; the first is its CN. */
  readonly server_hostnames: readonly string[]
  readonly server_ips: readonly string[]
  readonly tls_ca_key_type: KeySpec['type']
  readonly tls_ca_key_bits: number
  readonly tls_min_version: string
  readonly default_tls_client_key_type: KeySpec['type']
  readonly default_tls_client_key_bits: number
  /** Seconds. */
  readonly default_tls_client_ttl: number
}

export const DEFAULTS: Configuration = {
  listen_addrs: [],
  server_hostnames: ['localhost'],
  server_ips: ['127.0.0.1', '::1'],
  tls_ca_key_type: 'ec',
  tls_ca_key_bits: 256,
  tls_min_version: 'tls12',
  default_tls_client_key_type: 'ec',
  default_tls_client_key_bits: 256,
  default_tls_client_ttl: 336 * 3600,
}

// The oldest two are taken because Vault takes them; a listener never goes below TLS 1.2.
const TLS_VERSIONS: readonly string[] = ['tls10', 'tls11', 'tls12', 'tls13']
const HOSTNAME = /^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/

function each(field: string, value: unknown, holds: (item: string) => boolean, wanted: string): readonly string[] {
  const items = listOf(field, value)
  for (const item of items) if (!holds(item)) throw new ScopeError('invalid', `${field}: ${JSON.stringify(item)} is not ${wanted}`)
  return items
}

/** Kind of key; @throws ScopeError `invalid` */
export function keyTypeOf(field: string, value: unknown): KeySpec['type'] {
  const type = textOf(field, value)
  if (type !== 'ec' && type !== 'rsa') throw new ScopeError('invalid', `${field} must be "ec" or "rsa", not ${JSON.stringify(type)}`)
  return type
}

export const READERS: { readonly [field in keyof Configuration]: (value: unknown) => Configuration[field] } = {
  listen_addrs: value => each('listen_addrs', value, item => listenAddress(item) !== undefined, 'host:port'),
  server_hostnames: value => each('server_hostnames', value, item => item.length < 254 && HOSTNAME.test(item), 'a hostname'),
  server_ips: value => each('server_ips', value, item => isIP(item) !== 0 && !item.includes('%'), 'an IP address'),
  tls_ca_key_type: value => keyTypeOf('tls_ca_key_type', value),
  tls_ca_key_bits: value => integerOf('tls_ca_key_bits', value),
  tls_min_version(value) {
    const version = textOf('tls_min_version', value)
    if (!TLS_VERSIONS.includes(version)) throw new ScopeError('invalid', `tls_min_version must be one of ${TLS_VERSIONS.join(', ')}`)
    return version
  },
  default_tls_client_key_type: value => keyTypeOf('default_tls_client_key_type', value),
  default_tls_client_key_bits: value => integerOf('default_tls_client_key_bits', value),
  default_tls_client_ttl(value) {
    const seconds = secondsOf('default_tls_client_ttl', value)
    if (seconds === 0) throw new ScopeError('invalid', 'default_tls_client_ttl must be longer than 0')
    return seconds
  },
}

/** The fields of a configuration, in the order in which they are shown. */
export const CONFIGURATION_FIELDS: readonly string[] = Object.keys(READERS)

/** Host and port of a `listen_addrs` item; nothing if it is neither. IPv6 with a port needs brackets. */
export function listenAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  if (isIP(text) !== 0) return { host: text, port: 5696 }
  const [, bracketed, plain = '', digits] = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? []
  const [host, port] = [bracketed ?? plain, digits === undefined ? 5696 : Number(digits)]
  const known = bracketed === undefined ? HOSTNAME.test(plain) || (plain === '' && digits !== undefined) : isIP(bracketed) === 6
  return known && port <= 65_535 ? { host: host === '' ? '::' : host, port } : undefined
}

/** @throws ScopeError `invalid` when keys of this size are not made */
export function checkedSpec(what: string, type: KeySpec['type'], bits: number): KeySpec {
  if (!KEY_BITS[type].includes(bits))
    throw new ScopeError('invalid', `${what}: ${type} keys have ${KEY_BITS[type].join(', ')} bits, not ${bits}`)
  return { type, bits }
}

/** Bits for a kind of key when only the kind was said. */
export const usualBits = (type: KeySpec['type']): number => (type === 'ec' ? 256 : 2048)

/**
 * Write fields over a configuration; null leaves a field as it is. A key type written without bits takes usual ones if the old do not fit.
 * @returns the new configuration, whole
 * @throws ScopeError `invalid` for an unknown field or a value that does not fit
 */
export function mergeConfiguration(stored: Configuration, fields: { readonly [field: string]: unknown }): Configuration {
  const merged: { [field: string]: unknown } = { ...stored }
  for (const [field, value] of Object.entries(fields)) {
    if (!Object.hasOwn(READERS, field))
      throw new ScopeError('invalid', `"${field}" is not a setting; the settings are ${CONFIGURATION_FIELDS.join(', ')}`)
    if (value !== null && value !== undefined) merged[field] = READERS[field as keyof Configuration](value)
  }
  for (const prefix of ['tls_ca_key', 'default_tls_client_key']) {
    const type = keyTypeOf(`${prefix}_type`, merged[`${prefix}_type`])
    const bits = Number(merged[`${prefix}_bits`])
    const written = (fields[`${prefix}_bits`] ?? null) !== null
    if (!written && !KEY_BITS[type].includes(bits)) merged[`${prefix}_bits`] = usualBits(type)
    else checkedSpec(prefix, type, bits)
  }
  return { ...stored, ...merged }
}
