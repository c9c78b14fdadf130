import { isKeyName } from '../keystore/names.ts'
import { readKeyStore } from './config-keystore.ts'
import { ROUTES, type RouteSettings } from './door.ts'
import type { CacheSettings } from './key-cache.ts'
import { LEVELS, type Level } from './log-line.ts'
import { oddityOf, type Rule } from './policy.ts'
import type { KesSettings, TlsSettings } from './settings.ts'
import { type Environment, KesConfigError, Section } from './yaml-reader.ts'

const ADDRESS = '0.0.0.0:7373'
const PROXY_HEADER = 'X-Tls-Client-Cert'
const ANY_MS = 300_000
const UNUSED_MS = 30_000
const OFF = LEVELS.ERROR + 1

/** What the command line says: the address instead of the file's, the rest where the file says nothing. */
export interface KesOverrides {
  readonly address?: string
  readonly key?: string
  readonly cert?: string
  /** `on` or `off`. */
  readonly auth?: string
  /** The admin; files before 2022 did not have to name one. */
  readonly root?: string
}

const KNOWN = 'version address admin root tls policy cache api log keys keystore kmipd'.split(' ')

/**
 * Read a configuration file of KES, of any release since v0.5.
 * @param text YAML
 * @throws KesConfigError
 */
export function readKesConfig(text: string, env: Environment, overrides: KesOverrides = {}): KesSettings {
  const file = Section.parse(text, env)
  const warnings: string[] = []
  const warn = (section: Section, message: string): void => void warnings.push(`${section.where}: ${message}`)
  const version = file.at('version').filled()
  if (version !== undefined && version !== 'v1') throw new KesConfigError(`edge: invalid server config version '${version}'`)
  for (const [name, section] of file.entries()) if (!KNOWN.includes(name)) warn(section, 'is unknown and ignored')

  const admin = adminOf(file, overrides, warn)
  const tls = tlsOf(file.at('tls'), overrides, admin)
  const policies = policiesOf(file.at('policy'), admin, warn)
  const keys = file.at('keys')
  const isStore = keys.isMap
  if (isStore) warn(keys, 'is the key store in files before v0.13.6; call it keystore')
  return {
    address: addressOf(overrides.address ?? file.at('address').filled() ?? ADDRESS),
    ...(admin !== undefined && { admin }),
    tls,
    policies,
    cache: cacheOf(file.at('cache', 'expiry')),
    api: apiOf(file.at('api'), warn),
    log: { error: levelOf(file.at('log', 'error'), warn), audit: levelOf(file.at('log', 'audit'), warn) },
    keys: isStore ? [] : keysOf(keys),
    keystore: readKeyStore(isStore && !file.at('keystore').isThere ? keys : file.at('keystore')),
    ...ours(file.at('kmipd')),
    warnings,
  }
}

type Warn = (section: Section, message: string) => void

function adminOf(file: Section, { root }: KesOverrides, warn: Warn): string {
  const old = file.at('root')
  if (old.isThere) warn(old, 'is the admin in files before 2022; call it admin.identity')
  const admin = file.at('admin', 'identity').filled() ?? old.filled() ?? root
  if (admin === undefined || admin === '') throw new KesConfigError('kesconf: invalid admin identity: no admin identity')
  return admin
}

function tlsOf(section: Section, { key, cert, auth }: KesOverrides, admin: string): TlsSettings {
  const password = section.at('password').filled()
  const ca = section.at('ca').filled()
  const proxies = section
    .at('proxy', 'identities')
    .list()
    .flatMap(entry => entry.filled() ?? [])
  if (proxies.includes(admin)) throw new KesConfigError(`kesconf: invalid tls proxy: identity '${admin}' is already admin`)
  const header = section.at('proxy', 'header', 'cert').filled() ?? PROXY_HEADER
  return {
    key: section.at('key').filled() ?? key ?? section.at('key').required('kesconf: invalid tls config: no private key'),
    cert: section.at('cert').filled() ?? cert ?? section.at('cert').required('kesconf: invalid tls config: no certificate'),
    ...(password !== undefined && { password }),
    auth: authOf(section.at('auth').filled() ?? auth),
    ...(ca !== undefined && { ca }),
    ...(proxies.length > 0 && { proxy: { identities: proxies, header: header.toLowerCase() } }),
  }
}

function authOf(text = 'off'): boolean {
  const auth = { on: true, true: true, off: false, false: false }[text.toLowerCase()]
  if (auth === undefined) throw new KesConfigError(`kesconf: invalid tls config: invalid auth '${text}'`)
  return auth
}

function policiesOf(section: Section, admin: string, warn: Warn): KesSettings['policies'] {
  const assigned = new Set<string>()
  return section.entries().map(([name, policy]) => {
    if (!isKeyName(name)) throw new KesConfigError(`kes: policy name '${name}' is empty, too long or contains invalid characters`)
    const paths = policy.at('paths')
    if (paths.isThere) warn(paths, 'is read as allow, its name since v0.16')
    const identities = policy
      .at('identities')
      .list()
      .map(entry => {
        const identity = entry.text() ?? ''
        if (identity === admin) throw new KesConfigError(`kesconf: invalid policy '${name}': identity '${identity}' is already admin`)
        if (!isKeyName(identity)) throw new KesConfigError(`kes: identity '${identity}' is empty, too long or contains invalid characters`)
        if (assigned.has(identity))
          throw new KesConfigError(`kes: cannot assign policy '${name}' to '${identity}': identity already has a policy`)
        if (/[A-F]/.test(identity) && /^[0-9A-Fa-f]{64}$/.test(identity)) warn(entry, 'is nobody: identities have lower-case digits')
        assigned.add(identity)
        return identity
      })
    return {
      name,
      allow: [...rulesOf(policy.at('allow'), warn), ...rulesOf(paths, warn)],
      deny: rulesOf(policy.at('deny'), warn),
      identities,
    }
  })
}

const PATHS = ROUTES.map(({ path }) => path)

const rulesOf = (section: Section, warn: Warn): Rule[] =>
  section.list().map(entry => {
    const pattern = entry.raw() ?? ''
    const oddity = oddityOf(pattern, PATHS)
    if (oddity !== undefined) warn(entry, `the rule ${pattern} ${oddity}`)
    return { pattern, ...(entry.line !== undefined && { line: entry.line }) }
  })

function cacheOf(section: Section): CacheSettings {
  const expiry = (...names: readonly string[]): number | undefined => {
    const written = names.map(name => section.at(name)).find(({ isThere }) => isThere)
    const ms = written?.duration()
    if (ms !== undefined && ms < 0) throw new KesConfigError(`kesconf: invalid cache expiry '${written?.text() ?? ''}'`)
    return ms
  }
  return {
    // Called all up to v0.7.
    anyMs: expiry('any', 'all') || ANY_MS,
    unusedMs: expiry('unused') || UNUSED_MS,
    offlineMs: expiry('offline') ?? 0,
  }
}

function apiOf(section: Section, warn: Warn): KesSettings['api'] {
  const api: { [path: string]: RouteSettings } = {}
  for (const [path, settings] of section.entries()) {
    const skipAuth = settings.at('skip_auth').flag()
    const timeoutMs = settings.at('timeout').duration()
    if (timeoutMs !== undefined && timeoutMs < 0)
      throw new KesConfigError(`kesconf: invalid timeout '${timeoutMs * 1e6}' for API '${path}'`)
    if (!PATHS.includes(path)) warn(settings, `there is no API ${path}; it is ignored`)
    api[path] = { ...(skipAuth !== undefined && { skipAuth }), ...(timeoutMs !== undefined && { timeoutMs }) }
  }
  return api
}

function levelOf(section: Section, warn: Warn): number {
  if (section.isMap) {
    warn(section, 'had files up to v0.7; the log goes to the standard streams')
    return LEVELS.INFO
  }
  const text = section.filled()?.toUpperCase()
  if (text === undefined || text === 'ON' || text === 'TRUE') return LEVELS.INFO
  if (text === 'OFF' || text === 'FALSE') return OFF
  if (/^[+-]?\d+$/.test(text)) return Number(text)
  const [, name = '', offset = ''] = /^([A-Z]+)(.*)$/.exec(text) ?? []
  if (!(name in LEVELS)) throw new KesConfigError(`${section.where}: '${text}' is no log level: write on, off, DEBUG, INFO, WARN or ERROR`)
  if (!/^(?:[+-]\d+)?$/.test(offset)) throw new KesConfigError(`kesconf: invalid log level suffix '${offset.slice(1)}' in ${section.where}`)
  return LEVELS[name as Level] + Number(offset)
}

function keysOf(section: Section): string[] {
  const names = section.list().map(entry => (entry.isMap ? entry.at('name') : entry).text() ?? '')
  for (const [i, name] of names.entries()) {
    if (names.indexOf(name) !== i) throw new KesConfigError(`kesconf: invalid key config: key '${name}' is defined multiple times`)
    if (!isKeyName(name))
      throw new KesConfigError(`kesconf: invalid key config: key name '${name}' is empty, too long or contains invalid characters`)
  }
  return names
}

/** Settings that KES does not have; it ignores them. */
function ours(section: Section): Pick<KesSettings, 'oldTexts' | 'oldListings' | 'prefer'> {
  const texts = section.at('error_texts').filled() ?? 'current'
  if (texts !== 'current' && texts !== 'v0.17') throw new KesConfigError(`${section.at('error_texts').where} is current or v0.17`)
  const listings = section.at('listings').filled() ?? 'json'
  if (listings !== 'json' && listings !== 'ndjson') throw new KesConfigError(`${section.at('listings').where} is json or ndjson`)
  const prefer = section.at('prefer').filled()
  if (prefer !== undefined && prefer !== 'h2' && prefer !== 'http/1.1')
    throw new KesConfigError(`${section.at('prefer').where} is h2 or http/1.1`)
  return { oldTexts: texts === 'v0.17', oldListings: listings === 'ndjson', ...(prefer !== undefined && { prefer }) }
}

/** `ip:port`, also with a host name, or `:port` for all addresses. */
function addressOf(text: string): KesSettings['address'] {
  const [, bracketed, plain = '', port] = /^(?:\[(.*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? []
  if (port === undefined) throw new KesConfigError(`address ${text}: missing port in address`)
  return { host: (bracketed ?? plain) || '0.0.0.0', port: Number(port) }
}
