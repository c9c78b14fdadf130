import { validity } from '../pki/authority.ts'
import { parseCertificatePem } from '../pki/certificate.ts'
import { parsePrivateKey } from '../pki/keys.ts'
import { issueRevocationList, type Revoked, revocationListPem } from '../pki/revocation-list.ts'
import { removeAll } from './deletion.ts'
import { ScopeError } from './error.ts'
import type { Registry } from './registry.ts'
import { type AuthoritySecret, PLACE, type RevocationRow } from './rows.ts'

/** From one list to the next, at the latest. */
const LIFE_MS = 72 * 3_600_000
/** How long a list is given again while nothing changes. */
const SERVED_MS = 3_600_000

/** The revocation lists of a CA. */
export interface RevocationLists {
  /** DER, of the intermediate: it signs all client certificates. */
  readonly der: Buffer
  /** The same, and the empty one of the root after it, for those who want a list of each CA in the chain. No line end after the last. */
  readonly pem: string
}

interface Made {
  readonly generation: number
  readonly atMs: number
  readonly number: number
  readonly lists: RevocationLists
}

/** What our CAs say of the credentials that were revoked. Lists are made when they are asked for, and again after any change. */
export class Revocations {
  readonly #registry: Registry
  readonly #now: () => number
  readonly #made = new Map<string, Made>()

  constructor(registry: Registry, now: () => number) {
    this.#registry = registry
    this.#now = now
  }

  /**
   * @param ca  name of one that was made here; empty: that of the configuration
   * @throws ScopeError `not-found`; `invalid` for a CA that was imported
   */
  async lists(ca = ''): Promise<RevocationLists> {
    const registry = this.#registry
    await registry.refresh()
    const named = registry.row('named-authority', PLACE.namedAuthority(ca))
    if (named && !named.made) throw new ScopeError('invalid', `CA ${ca} was imported; whoever has its key signs its revocation list`)
    const [{ generation }, nowMs, made] = [registry, this.#now(), this.#made.get(ca)]
    if (made?.generation === generation && nowMs >= made.atMs && nowMs - made.atMs < SERVED_MS) return made.lists
    const secret = await registry.secret<AuthoritySecret>(PLACE.authoritySecret(ca))
    if (!secret) throw new ScopeError('not-found', ca === '' ? 'there is no CA yet' : `there is no CA ${ca}`)
    const number = Math.max(nowMs, (made?.number ?? 0) + 1)
    const lists = signed(secret, revokedBy(registry, ca, nowMs), number, nowMs)
    this.#made.set(ca, { generation, atMs: nowMs, number, lists })
    return lists
  }

  /** @see lists */
  pem = async (ca?: string): Promise<string> => (await this.lists(ca)).pem

  /** Forget what no list says any more. To be called now and then. */
  async drop(): Promise<void> {
    await this.#registry.refresh()
    const over = () => this.#registry.rows('revocation').filter(row => isOver(row, this.#now()))
    await removeAll(this.#registry, () => over().map(({ serial }) => [{ place: PLACE.revocation(serial) }]))
  }
}

// Who has the list before still needs the one that was made after the end. Spec: RFC 5280 section 3.3
const isOver = ({ notAfterMs }: RevocationRow, nowMs: number): boolean => nowMs > notAfterMs + LIFE_MS

const revokedBy = (registry: Registry, name: string, nowMs: number): Revoked[] =>
  registry
    .rows('revocation')
    .filter(row => (row.ca ?? '') === name && !isOver(row, nowMs))
    .map(({ serial, revokedMs }) => ({ serial, atMs: revokedMs }))

function signed(secret: AuthoritySecret, revoked: readonly Revoked[], number: number, nowMs: number): RevocationLists {
  const { notBefore: thisUpdate, notAfter: nextUpdate } = validity(nowMs, LIFE_MS)
  const list = (pem: string, key: string, revoked: readonly Revoked[]): Buffer =>
    issueRevocationList(
      { number, thisUpdate, nextUpdate, revoked },
      { name: parseCertificatePem(pem).subject.der, key: parsePrivateKey(key) },
    )
  const der = list(secret.intermediate, secret.intermediateKey, revoked)
  return { der, pem: [der, list(secret.root, secret.rootKey, [])].map(revocationListPem).join('\n') }
}
