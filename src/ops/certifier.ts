import { makeAuthority } from '../pki/authority.ts'
import { type Certificate, parseCertificate } from '../pki/certificate.ts'
import type { Issuer } from '../pki/issue.ts'
import { parsePrivateKey, privateKeyPem } from '../pki/keys.ts'
import type { Records } from '../seal/records.ts'
import { isConflict, StoreError } from '../store/store.ts'

/** Where the certifying CAs are kept, one a scope; apart from the scopes' own objects, which clients could list and destroy. */
const PARTITION = 'certifiers'
const KEY = { type: 'rsa', bits: 3072 } as const

export interface CertifyingAuthority {
  readonly issuer: Issuer
  readonly certificate: Certificate
}

interface Stored {
  readonly certificate: string
  readonly key: string
}

/**
 * The CAs that sign what clients ask Certify for: one for each scope, made when it is first needed. Never the CA of the listeners: who
 * may ask for certificates in one scope must not get one that passes for a server or a client of another.
 */
export class Certifier {
  readonly #records: Records
  readonly #nowMs: () => number
  readonly #known = new Map<string, CertifyingAuthority>()

  constructor(records: Records, nowMs: () => number) {
    this.#records = records
    this.#nowMs = nowMs
  }

  /** @throws StoreError, SealError */
  async of(scope: string): Promise<CertifyingAuthority> {
    const known = this.#known.get(scope)
    if (known) return known
    const authority = (await this.#read(scope)) ?? (await this.#make(scope))
    this.#known.set(scope, authority)
    return authority
  }

  async #read(scope: string): Promise<CertifyingAuthority | undefined> {
    const record = await this.#records.get(PARTITION, scope)
    if (!record) return undefined
    const stored = JSON.parse(record.body.toString()) as Stored
    const certificate = parseCertificate(Buffer.from(stored.certificate, 'base64'))
    return { certificate, issuer: { name: certificate.subject.der, key: parsePrivateKey(stored.key) } }
  }

  async #make(scope: string): Promise<CertifyingAuthority> {
    const { root } = await makeAuthority(KEY, `kmipd-certify-${scope}`, this.#nowMs())
    const stored: Stored = { certificate: root.certificate.toString('base64'), key: privateKeyPem(root.key) }
    try {
      await this.#records.commit([{ partition: PARTITION, id: scope, expect: 0, body: Buffer.from(JSON.stringify(stored)) }])
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    // Another process may have been faster; what is stored counts.
    const authority = await this.#read(scope)
    if (!authority) throw new StoreError('unavailable', 'the certifying CA of a scope was deleted while it was made')
    return authority
  }
}
