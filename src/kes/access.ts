import type { X509Certificate } from 'node:crypto'
import type { RequestHead } from '../http/exchange.ts'
import { RecentMap } from '../seal/recent-map.ts'
import { KesError, notAllowed } from './error.ts'
import { certificateShown, forwardedCertificate, identityOf } from './identity.ts'
import { CompiledPolicy, type Policy } from './policy.ts'

export interface AccessSettings {
  /** May everything; a text that is no identity stands for nobody. */
  readonly admin: string
  readonly policies: readonly (Policy & { readonly identities: readonly string[] })[]
  readonly proxy?: {
    readonly identities: readonly string[]
    /** Name of the header with the certificate of the proxy's client, in lower case. */
    readonly header: string
    /** Authorities that such a certificate has to lead to; absent: any will do. */
    readonly authorities?: readonly X509Certificate[]
  }
}

type Proxy = NonNullable<AccessSettings['proxy']>

/** Who asks, and from where. */
export interface Asker {
  /** Empty: nobody. */
  readonly identity: string
  readonly ip: string
}

const FORWARDED_KEPT = 1000
/** The client of the proxy may have written it. */
const LONGEST_IP = 64
const IDENTITIES_KEPT = 10_000

/** Who somebody is, and what he may. */
export class Access {
  readonly settings: AccessSettings
  readonly #policies = new Map<string, CompiledPolicy>()
  readonly #byIdentity = new Map<string, CompiledPolicy>()
  readonly #shown = new WeakMap<readonly X509Certificate[], string | KesError>()
  readonly #forwarded = new Map<string, string>()
  /** By the fingerprint of the certificate: a client shows the same one with each connection, and it takes longer to read than the handshake. */
  readonly #identities = new RecentMap<string>(IDENTITIES_KEPT)

  constructor(settings: AccessSettings) {
    this.settings = settings
    for (const policy of settings.policies) {
      const compiled = new CompiledPolicy(policy)
      this.#policies.set(policy.name, compiled)
      for (const identity of policy.identities) this.#byIdentity.set(identity, compiled)
    }
  }

  /** @throws KesError */
  identify(request: RequestHead): Asker {
    const { certificates, remoteAddress: ip } = request
    let shown = this.#shown.get(certificates)
    if (shown === undefined) {
      shown = attempt(() => this.#identityOf(certificateShown(certificates)))
      this.#shown.set(certificates, shown)
    }
    const { proxy } = this.settings
    if (typeof shown !== 'string') throw shown
    return proxy?.identities.includes(shown) ? this.#throughProxy(proxy, request, shown) : { identity: shown, ip }
  }

  isAdmin(identity: string): boolean {
    return identity === this.settings.admin && identity !== ''
  }

  policyOf(identity: string): CompiledPolicy | undefined {
    return this.#byIdentity.get(identity)
  }

  policy(name: string): CompiledPolicy | undefined {
    return this.#policies.get(name)
  }

  get policyNames(): string[] {
    return [...this.#policies.keys()].sort()
  }

  /** Sorted, the admin among them. */
  get identities(): string[] {
    return [...new Set([this.settings.admin, ...this.#byIdentity.keys()])].sort()
  }

  allows(identity: string, path: string): boolean {
    return this.isAdmin(identity) || this.#byIdentity.get(identity)?.allows(path) === true
  }

  /** @throws KesError, whose cause says what is missing */
  authorize(identity: string, path: string): void {
    if (this.allows(identity, path)) return
    throw notAllowed(this.explain(identity, path).why)
  }

  /** Whether somebody may, and why. */
  explain(identity: string, path: string): { readonly allowed: boolean; readonly why: string } {
    if (this.isAdmin(identity)) return { allowed: true, why: `${identity} is the admin` }
    const policy = this.#byIdentity.get(identity)
    if (policy === undefined)
      return { allowed: false, why: `no policy names the identity ${identity}; list it under the identities of one` }
    const { name } = policy.policy
    const verdict = policy.explain(path)
    const where = verdict.rule?.line === undefined ? '' : ` (line ${verdict.rule.line})`
    if (verdict.allowed) return { allowed: true, why: `policy ${name} allows ${verdict.rule.pattern}${where}` }
    if (verdict.rule) return { allowed: false, why: `policy ${name} denies ${verdict.rule.pattern}${where}` }
    return { allowed: false, why: `policy ${name} has no allow rule for it; add: ${path}` }
  }

  /** A proxy that asks for itself sends no certificate, and has what its own policy allows. */
  #throughProxy(proxy: Proxy, { headers, remoteAddress }: RequestHead, own: string): Asker {
    const value = headers[proxy.header]
    const ip = headers['x-forwarded-for']?.split(',', 1)[0]?.trim().slice(0, LONGEST_IP) || remoteAddress
    if (value === undefined || value === '') {
      if (this.#byIdentity.has(own)) return { identity: own, ip: remoteAddress }
      throw new KesError(400, 'no client certificate is present')
    }
    let identity = this.#forwarded.get(value)
    if (identity === undefined) {
      const certificate = forwardedCertificate(value)
      if (proxy.authorities && !isIssued(certificate, proxy.authorities)) throw new KesError(400, 'invalid client certificate')
      identity = this.#identityOf(certificate)
      if (!proxy.authorities) this.#keep(value, identity)
    }
    return { identity, ip }
  }

  #identityOf(certificate: X509Certificate): string {
    const { fingerprint256 } = certificate
    return this.#identities.get(fingerprint256) ?? this.#identities.set(fingerprint256, identityOf(certificate))
  }

  #keep(value: string, identity: string): void {
    if (this.#forwarded.size >= FORWARDED_KEPT) this.#forwarded.clear()
    this.#forwarded.set(value, identity)
  }
}

function attempt(identify: () => string): string | KesError {
  try {
    return identify()
  } catch (error) {
    if (error instanceof KesError) return error
    return new KesError(400, 'invalid client certificate', { cause: error })
  }
}

function isIssued(certificate: X509Certificate, authorities: readonly X509Certificate[]): boolean {
  const now = Date.now()
  if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo)) return false
  return authorities.some(authority => certificate.checkIssued(authority) && certificate.verify(authority.publicKey))
}
