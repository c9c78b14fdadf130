import type { KeyObject } from 'node:crypto'
import { issueServer, makeAuthority } from '../pki/authority.ts'
import { certificatePem, parseCertificatePem } from '../pki/certificate.ts'
import type { Issuer } from '../pki/issue.ts'
import { generateKey, type KeySpec, parsePrivateKey, privateKeyPem, spkiOf } from '../pki/keys.ts'
import { StoreError } from '../store/store.ts'
import { type Configuration, DEFAULTS } from './configuration.ts'
import type { Registry, Update } from './registry.ts'
import { type AuthoritySecret, PLACE, type ServerSecret } from './rows.ts'

const LABEL = 'kmipd-default'
const SERVER_LIFE_MS = 90 * 86_400_000

/** The listener's certificate and key. */
export interface ServerCertificate {
  /** PEM of the certificate and, after it, of the intermediate that signed it. */
  readonly certificate: string
  /** PEM. */
  readonly key: string
  readonly notAfterMs: number
}

/** What signs a certificate now. */
export interface Signer {
  readonly issuer: Issuer
  /** PEM, intermediate first, then root. */
  readonly chain: readonly [intermediate: string, root: string]
  readonly notAfterMs: number
}

export const configurationOf = (registry: Registry): Configuration => ({
  ...DEFAULTS,
  ...registry.row('configuration', PLACE.configuration)?.values,
})

const specOfAuthority = ({ tls_ca_key_type: type, tls_ca_key_bits: bits }: Configuration): KeySpec => ({ type, bits })

/** Makes authorities at most once for each kind of key while a change is tried again and again. */
export function authorityMaker(nowMs: number): (spec: KeySpec, former: readonly string[]) => Promise<Update[]> {
  const made = new Map<string, Promise<AuthoritySecret>>()
  async function make(spec: KeySpec): Promise<AuthoritySecret> {
    const { root, intermediate } = await makeAuthority(spec, LABEL, nowMs)
    return {
      root: certificatePem(root.certificate),
      rootKey: privateKeyPem(root.key),
      intermediate: certificatePem(intermediate.certificate),
      intermediateKey: privateKeyPem(intermediate.key),
    }
  }
  return async (spec, former) => {
    const name = `${spec.type} ${spec.bits}`
    const secret = await (made.get(name) ?? made.set(name, make(spec)).get(name)!)
    const { root, intermediate } = secret
    return [
      { place: PLACE.authority, row: { kind: 'authority', ...spec, root, intermediate, former } },
      { place: PLACE.authoritySecret, secret },
    ]
  }
}

/** Make our CA if there is none. */
export async function ensureAuthority(registry: Registry, nowMs: number): Promise<void> {
  await registry.refresh()
  if (registry.row('authority', PLACE.authority)) return
  const make = authorityMaker(nowMs)
  await registry.change(async () => ({
    updates: registry.row('authority', PLACE.authority) ? [] : await make(specOfAuthority(configurationOf(registry)), []),
    result: undefined,
  }))
}

/** What a changed configuration needs: a new CA if there is one of another kind of key. The old one stays trusted for clients. */
export async function authorityUpdates(
  registry: Registry,
  configuration: Configuration,
  make: ReturnType<typeof authorityMaker>,
): Promise<readonly Update[]> {
  const [row, spec] = [registry.row('authority', PLACE.authority), specOfAuthority(configuration)]
  if (!row || (row.type === spec.type && row.bits === spec.bits)) return []
  return make(spec, [...row.former, row.intermediate, row.root])
}

/** The CA's key, read and opened anew. Call `ensureAuthority` before. @throws StoreError, SealError */
export async function signerOf(registry: Registry): Promise<Signer> {
  const secret = await registry.secret<AuthoritySecret>(PLACE.authoritySecret)
  if (!secret) throw new StoreError('damaged', 'the certificate authority has no key in the store: restore a backup')
  const certificate = parseCertificatePem(secret.intermediate)
  return {
    issuer: { name: certificate.subject.der, key: parsePrivateKey(secret.intermediateKey) },
    chain: [secret.intermediate, secret.root],
    notAfterMs: certificate.notAfter.getTime(),
  }
}

const same = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((item, i) => item === b[i])

/** The stored certificate of the listener, or a new one when less than a third of its life is left or its names or its CA changed. */
export async function serverCertificate(registry: Registry, now: () => number): Promise<ServerCertificate> {
  await ensureAuthority(registry, now())
  const fits = (secret: ServerSecret): boolean => {
    const { server_hostnames: hostnames, server_ips: ips } = configurationOf(registry)
    const life = secret.notAfterMs - secret.notBeforeMs
    return (
      same(secret.hostnames, hostnames) &&
      same(secret.ips, ips) &&
      secret.intermediate === registry.row('authority', PLACE.authority)?.intermediate &&
      secret.notAfterMs - now() > life / 3
    )
  }
  const answer = ({ certificate, intermediate, key, notAfterMs }: ServerSecret): ServerCertificate => ({
    certificate: `${certificate}\n${intermediate}`,
    key,
    notAfterMs,
  })
  const stored = await registry.secret<ServerSecret>(PLACE.serverSecret)
  if (stored && fits(stored)) return answer(stored)

  const keys = new Map<string, KeyObject>()
  return registry.change(async () => {
    const other = await registry.secret<ServerSecret>(PLACE.serverSecret)
    if (other && fits(other)) return { updates: [], result: answer(other) }
    const configuration = configurationOf(registry)
    const { type, bits } = specOfAuthority(configuration)
    // No client offers P-224 for the key of a server.
    const spec: KeySpec = { type, bits: type === 'ec' && bits === 224 ? 256 : bits }
    const name = `${spec.type} ${spec.bits}`
    const key = keys.get(name) ?? (await generateKey(spec))
    keys.set(name, key)
    const { issuer, chain, notAfterMs } = await signerOf(registry)
    const { server_hostnames: hostnames, server_ips: ips } = configuration
    const nowMs = now()
    const lifeMs = Math.min(SERVER_LIFE_MS, notAfterMs - nowMs)
    const certificate = certificatePem(issueServer(issuer, { hostnames, ips }, { spki: spkiOf(key), nowMs, lifeMs }))
    const secret: ServerSecret = {
      certificate,
      key: privateKeyPem(key),
      intermediate: chain[0],
      hostnames,
      ips,
      notBeforeMs: nowMs,
      notAfterMs: nowMs + lifeMs,
    }
    return { updates: [{ place: PLACE.serverSecret, secret }], result: answer(secret) }
  })
}
