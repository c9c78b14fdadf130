import type { Identity as Holder } from '../scopes/access.ts'
import type { Scopes } from '../scopes/scopes.ts'
import type { Records } from '../seal/records.ts'
import type { Identities } from './identities.ts'
import type { Turn } from './turn.ts'

/**
 * The scopes as a listener asks them. Whose a stored certificate is never changes, so that is looked up once; what its holder may is not.
 * @param admits  names of the CAs whose clients the listener lets in now; the same set until they are others
 */
export function identitiesOf(
  { records, scopes }: { readonly records: Records; readonly scopes: Scopes },
  turn: Turn,
  admits: () => ReadonlySet<string>,
): Identities {
  const holders = new WeakMap<Buffer, Holder>()
  async function holderOf(certificate: Buffer): Promise<Holder | undefined> {
    const known = holders.get(certificate)
    // Whose a certificate of an imported CA is can be mapped anew.
    if (known && !known.imported) return known
    const found = await scopes.identify(certificate, admits())
    if ('refused' in found) return undefined
    holders.set(certificate, found)
    return found
  }
  // Counts changes of what is stored and of who is let in: the latter follows the rows a little later.
  let version = 0
  let [stored, admitted] = [Number.NaN, admits()]
  return {
    version() {
      const [nowStored, nowAdmitted] = [turn.version(), admits()]
      if (nowStored !== stored || nowAdmitted !== admitted) version++
      stored = nowStored
      admitted = nowAdmitted
      return version
    },
    settle: () => records.settle?.(),
    async identify(certificate) {
      const holder = await holderOf(certificate)
      if (!holder || !admits().has(holder.ca)) return undefined
      const client = await scopes.peerOf(holder)
      return 'refused' in client ? undefined : client
    },
  }
}
