import type { EntrustSettings, KeyStoreSettings, TlsFiles, VaultSettings } from '../keystore/settings.ts'
import { KesConfigError, type Section } from './yaml-reader.ts'

const PING_MS = 15_000
const NATIVE_SCOPE = 'kes'

const SUPPORTED = 'fs, vault, entrust.keycontrol and native'
/** What KES has and we have not, by the name in its file, old and new. */
const UNSUPPORTED: { readonly [name: string]: string } = {
  aws: 'AWS Secrets Manager',
  azure: 'Azure Key Vault',
  fortanix: 'Fortanix SDKMS',
  gcp: 'GCP Secret Manager',
  gemalto: 'Gemalto KeySecure',
  generic: 'a REST plugin',
  kes: 'another KES server',
}

const READERS: { readonly [name: string]: (section: Section) => KeyStoreSettings } = {
  fs: section => ({ kind: 'fs', path: section.at('path').required('kesconf: invalid fs keystore: no path specified') }),
  vault: vaultOf,
  entrust: section => entrustOf(section.at('keycontrol')),
  native: section => ({ kind: 'native', scope: section.isMap ? (section.at('scope').filled() ?? NATIVE_SCOPE) : NATIVE_SCOPE }),
  memory: () => ({ kind: 'memory' }),
}

/**
 * Read which key store is used.
 * @param section `keystore`, or `keys` of files before v0.13.6
 * @throws KesConfigError
 */
export function readKeyStore(section: Section): KeyStoreSettings {
  const named = section.isThere ? section.entries().filter(([name, part]) => part.isThere || name === 'native' || name === 'memory') : []
  const found = named.filter(([name]) => name in READERS || name in UNSUPPORTED)
  if (found.length > 1) throw new KesConfigError('kesconf: invalid keystore config: more than once keystore specified')
  const [first] = found
  if (first === undefined) throw new KesConfigError(`kesconf: no keystore specified; there are ${SUPPORTED}`)
  const [name, part] = first
  const read = READERS[name]
  if (read) return read(part)
  throw new KesConfigError(
    `the keystore ${name} (${UNSUPPORTED[name]}) in line ${part.line} is not supported: there are ${SUPPORTED}; move the keys by kes migrate first`,
  )
}

function vaultOf(section: Section): VaultSettings {
  const broken = (what: string): string => `kesconf: invalid vault keystore: ${what}`
  const endpoint = section.at('endpoint').filled() ?? section.at('address').filled()
  if (endpoint === undefined) throw new KesConfigError(broken('no endpoint specified'))
  const version = section.at('version').filled() ?? 'v1'
  if (version !== 'v1' && version !== 'v2') throw new KesConfigError(`vault: invalid engine API version '${version}'`)
  const namespace = section.at('namespace').filled()
  // It was called name up to v0.7.
  const prefix = section.at('prefix').filled() ?? section.at('name').filled()
  const transit = section.at('transit')
  const tls = tlsOf(section.at('tls'), broken)
  return {
    kind: 'vault',
    endpoint,
    engine: section.at('engine').filled() ?? 'kv',
    version,
    ...(namespace !== undefined && { namespace }),
    ...(prefix !== undefined && { prefix }),
    ...(transit.isThere && {
      transit: {
        engine: transit.at('engine').filled() ?? 'transit',
        key: transit.at('key').required(broken('invalid transit config: no key name specified')),
      },
    }),
    ...loginOf(section, broken),
    ...(tls && { tls }),
    pingMs: section.at('status', 'ping').duration() || PING_MS,
  }
}

function loginOf(section: Section, broken: (what: string) => string): Pick<VaultSettings, 'approle' | 'kubernetes'> {
  const approle = section.at('approle')
  const kubernetes = section.at('kubernetes')
  const withAppRole = approle.isThere && (approle.at('id').filled() ?? approle.at('secret').filled()) !== undefined
  const withKubernetes = kubernetes.isThere && (kubernetes.at('role').filled() ?? kubernetes.at('jwt').filled()) !== undefined
  if (withAppRole && withKubernetes) throw new KesConfigError(broken('more than one authentication method specified'))
  if (withAppRole)
    return {
      approle: {
        ...mountOf(approle, 'approle'),
        id: approle.at('id').required(broken('invalid approle config: no approle ID specified')),
        secret: approle.at('secret').required(broken('invalid approle config: no approle secret specified')),
      },
    }
  if (withKubernetes)
    return {
      kubernetes: {
        ...mountOf(kubernetes, 'kubernetes'),
        role: kubernetes.at('role').required(broken('invalid kubernetes config: no role specified')),
        jwt: kubernetes.at('jwt').required(broken('invalid kubernetes config: no JWT specified')),
      },
    }
  throw new KesConfigError(broken('no authentication method specified'))
}

function mountOf(section: Section, usual: string): { engine: string; namespace?: string } {
  // `path` up to 2020.
  const engine = section.at('engine').filled() ?? section.at('path').filled() ?? usual
  const namespace = section.at('namespace').filled()
  return { engine, ...(namespace !== undefined && { namespace }) }
}

function tlsOf(section: Section, broken: (what: string) => string): TlsFiles | undefined {
  const key = section.at('key').filled()
  const cert = section.at('cert').filled()
  const ca = section.at('ca').filled()
  if (key !== undefined && cert === undefined) throw new KesConfigError(broken('invalid tls config: no TLS certificate provided'))
  if (key === undefined && cert !== undefined) throw new KesConfigError(broken('invalid tls config: no TLS private key provided'))
  if (key === undefined && ca === undefined) return undefined
  return { ...(key !== undefined && { key }), ...(cert !== undefined && { cert }), ...(ca !== undefined && { ca }) }
}

function entrustOf(section: Section): EntrustSettings {
  const missing = (what: string): string => `kesconf: invalid Entrust KeyControl keystore: no ${what} specified`
  const credentials = section.at('credentials')
  const ca = section.at('tls', 'ca').filled()
  return {
    kind: 'entrust',
    endpoint: section.at('endpoint').required(missing('endpoint')),
    vaultId: section.at('vault_id').required(missing('vault ID')),
    boxId: section.at('box_id').required(missing('box ID')),
    username: credentials.at('username').required(missing('username')),
    password: credentials.at('password').required(missing('password')),
    ...(ca !== undefined && { tls: { ca } }),
  }
}
