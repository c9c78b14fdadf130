import type { Client, Refusal } from '../../src/scopes/access.ts'
import { Scopes, type ScopesOptions } from '../../src/scopes/scopes.ts'

/** The administration on these records, which has seen what is in them. */
export async function openScopes(options: ScopesOptions): Promise<Scopes> {
  const scopes = new Scopes(options)
  await scopes.refresh()
  return scopes
}

/** What the holder of a certificate (DER) is and may do at this moment. */
export async function clientOf(scopes: Scopes, certificate: Buffer): Promise<Client | Refusal> {
  const identity = await scopes.identify(certificate)
  return 'refused' in identity ? identity : scopes.peerOf(identity)
}
