import type { RevocationLists } from '../../scopes/revocations.ts'
import { type Action, routeFor } from '../route.ts'
import { type Engine, orNothing } from './engine.ts'

const route = routeFor<Engine>()

interface Form {
  readonly contentType: string
  of(lists: RevocationLists): string | Buffer
}
const DER: Form = { contentType: 'application/pkix-crl', of: ({ der }) => der }
const PEM: Form = { contentType: 'application/x-pem-file', of: ({ pem }) => `${pem}\n` }

/** Reads the lists of the CA that the path names, or of that of the configuration. */
const reads = <P extends 'name' = never>({ contentType, of }: Form): Action<Engine, P> => ({
  contentType,
  async run({ params }: { readonly params: { readonly name?: string } }, { mount }) {
    const lists = await orNothing(mount.scopes.revocations.lists(params.name))
    return lists && { raw: { contentType, body: of(lists) } }
  },
})

const params = { name: 'Name of a CA that was generated.' }

/** Open to everybody, as those of Vault's PKI engine: who checks certificates has no token. */
export const REVOCATION_ROUTES = [
  route({
    path: 'crl',
    summary: 'The certificate revocation list of the CA of the configuration, in DER.',
    description: 'It says which client certificates were revoked, or went with their role or scope. Vault has no such thing here.',
    access: 'open',
    actions: { read: reads(DER) },
  }),
  route({
    path: 'crl/pem',
    summary: 'The same in PEM, and after it the list of the root, for those who want one of each CA.',
    access: 'open',
    actions: { read: reads(PEM) },
  }),
  route({
    path: 'ca/:name/crl',
    summary: 'The certificate revocation list of a CA with a name, in DER.',
    access: 'open',
    params,
    actions: { read: reads<'name'>(DER) },
  }),
  route({
    path: 'ca/:name/crl/pem',
    summary: 'The same in PEM, and after it the list of its root.',
    access: 'open',
    params,
    actions: { read: reads<'name'>(PEM) },
  }),
]
