import { type Command, type Io, printJson, printLines } from './io.ts'
import { type AdministrationArguments, withScopes } from './open.ts'
import { administrationOptions, jsonOption } from './options.ts'

/** kmipd ca: the certificate authority. */
export const caCommand = (io: Io): Command => ({
  command: 'ca',
  describe: 'Print the certificates that clients know the server by, and which of theirs were revoked',
  builder: y =>
    y
      .command([read(io), crl(io)])
      .demandCommand(1, 'say what to do with the CA')
      .example('$0 ca read > ca.pem', ''),
  handler() {},
})

interface CrlArguments extends AdministrationArguments {
  readonly name?: string
}

const crl = (io: Io): Command => ({
  command: 'crl [name]',
  describe: 'Print the certificate revocation lists of a CA in PEM: of the intermediate, then of the root',
  builder: y =>
    administrationOptions(y)
      .positional('name', { type: 'string', describe: 'a CA with a name, that was generated; default: that of the configuration' })
      .example('$0 ca crl > ca.crl', ''),
  handler: ({ name, ...place }: CrlArguments) =>
    withScopes(place, io, async scopes => printLines(io, [await scopes.revocations.pem(name)])),
})

const read = (io: Io): Command => ({
  command: 'read',
  describe: 'Print the CA chain in PEM: root, then intermediate',
  builder: y => jsonOption(administrationOptions(y)).example('$0 ca read > ca.pem', ''),
  handler: (place: AdministrationArguments) =>
    withScopes(place, io, async scopes => {
      const chain = await scopes.caChain()
      place.json ? printJson(io, { ca_pem: chain.join('\n') }) : printLines(io, [...chain].reverse())
    }),
})
