import type { KeyObject } from 'node:crypto'
import { issueServer, makeAuthority } from '../pki/authority.ts'
import { certificatePem, certificatesIn, parseCertificatePem } from '../pki/certificate.ts'
import type { Issuer } from '../pki/issue.ts'
import { generateKey, type KeySpec, parsePrivateKey, privateKeyPem, spkiOf } from '../pki/keys.ts'
import { StoreError } from '../store/store.ts'
import { type Configuration, DEFAULTS } from './configuration.ts'
import type { Registry, Update } from './registry.ts'
import { type AuthoritySecret, type ListenerRow, PLACE, type ServerSecret } from './rows.ts'

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

/** A CA with its keys, in PEM. */
export async function newAuthority(spec: KeySpec, label: string, nowMs: number, lifeMs?: number): Promise<AuthoritySecret> {
  const { root, intermediate } = await makeAuthority(spec, label, nowMs, lifeMs)
  return {
    root: certificatePem(root.certificate),
    rootKey: privateKeyPem(root.key),
    intermediate: certificatePem(intermediate.certificate),
    intermediateKey: privateKeyPem(intermediate.key),
  }
}

const specOfAuthority = ({ tls_ca_key_type: type, tls_ca_key_bits: bits }: Configuration): KeySpec => ({ type, bits })

/** Makes authorities at most once for each kind of key while a change is tried again and again. */
export function authorityMaker(nowMs: number): (spec: KeySpec, former: readonly string[]) => Promise<Update[]> {
  const made = new Map<string, Promise<AuthoritySecret>>()
  return async (spec, former) => {
    const name = `${spec.type} ${spec.bits}`
    const secret = await (made.get(name) ?? made.set(name, newAuthority(spec, LABEL, nowMs)).get(name)!)
    const { root, intermediate } = secret
    return [
      { place: PLACE.authority, row: { kind: 'authority', ...spec, root, intermediate, former } },
      { place: PLACE.authoritySecret(), secret },
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

/**
 * A CA's key, read and opened anew. Call `ensureAuthority` before.
 * @param ca  name of one that was made here; empty: that of the configuration
 * @throws StoreError, SealError
 */
export async function signerOf(registry: Registry, ca = ''): Promise<Signer> {
  const secret = await registry.secret<AuthoritySecret>(PLACE.authoritySecret(ca))
  if (!secret) throw new StoreError('damaged', 'the certificate authority has no key in the store: restore a backup')
  const certificate = parseCertificatePem(secret.intermediate)
  return {
    issuer: { name: certificate.subject.der, key: parsePrivateKey(secret.intermediateKey) },
    chain: [secret.intermediate, secret.root],
    notAfterMs: certificate.notAfter.getTime(),
  }
}

const same = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((item, i) => item === b[i])

/** What a server certificate is made for: the listeners of the configuration, or one with a name and a CA of its own. */
interface Served {
  readonly place: string
  readonly ca: string
  readonly hostnames: readonly string[]
  readonly ips: readonly string[]
  readonly spec: KeySpec
  /** PEM. */
  readonly intermediate: string | undefined
}

function served(registry: Registry, listener: ListenerRow | undefined): Served {
  if (!listener) {
    const configuration = configurationOf(registry)
    const { server_hostnames: hostnames, server_ips: ips } = configuration
    const intermediate = registry.row('authority', PLACE.authority)?.intermediate
    return { place: PLACE.serverSecret(), ca: '', hostnames, ips, spec: specOfAuthority(configuration), intermediate }
  }
  const { name, ca, server_hostnames: hostnames, server_ips: ips } = listener
  const authority = registry.row('named-authority', PLACE.namedAuthority(ca))
  const { type = 'ec', bits = 256 } = authority?.made ?? {}
  const [intermediate] = authority ? certificatesIn(authority.pem) : []
  return { place: PLACE.serverSecret(name), ca, hostnames, ips, spec: { type, bits }, intermediate }
}

/** Whether one of these CAs (PEM) was signed by none of them. */
export function isWithoutIssuer(authorities: readonly string[]): boolean {
  const certificates = authorities.flatMap(certificatesIn).map(parseCertificatePem)
  return certificates.some(({ issuer }) => !certificates.some(({ subject }) => subject.der.equals(issuer.der)))
}

/**
 * The stored certificate of the listeners, or a new one when less than a third of its life is left or its names or its CA changed.
 * @param findListener  looked up for each attempt; absent: the listeners of the configuration
 */
export async function serverCertificate(
  registry: Registry,
  now: () => number,
  findListener?: () => ListenerRow,
): Promise<ServerCertificate> {
  await ensureAuthority(registry, now())
  const fits = (secret: ServerSecret): boolean => {
    const { hostnames, ips, intermediate } = served(registry, findListener?.())
    const life = secret.notAfterMs - secret.notBeforeMs
    return (
      same(secret.hostnames, hostnames) &&
      same(secret.ips, ips) &&
      secret.intermediate === intermediate &&
      secret.notAfterMs - now() > life / 3
    )
  }
  const answer = ({ certificate, intermediate, key, notAfterMs }: ServerSecret): ServerCertificate => ({
    certificate: `${certificate}\n${intermediate}`,
    key,
    notAfterMs,
  })
  const stored = await registry.secret<ServerSecret>(served(registry, findListener?.()).place)
  if (stored && fits(stored)) return answer(stored)

  const keys = new Map<string, KeyObject>()
  return registry.change(async () => {
    const { place, ca, hostnames, ips, spec } = served(registry, findListener?.())
    const other = await registry.secret<ServerSecret>(place)
    if (other && fits(other)) return { updates: [], result: answer(other) }
    const name = `${spec.type} ${spec.bits}`
    // No client offers P-224 for the key of a server.
    const key = keys.get(name) ?? (await generateKey({ ...spec, bits: spec.type === 'ec' && spec.bits === 224 ? 256 : spec.bits }))
    keys.set(name, key)
    const { issuer, chain, notAfterMs } = await signerOf(registry, ca)
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
    return { updates: [{ place, secret }], result: answer(secret) }
  })
}
