import { type Command, type Io, printJson, printLines } from './io.ts'
import { type AdministrationArguments, withScopes } from './open.ts'
import { administrationOptions, jsonOption } from './options.ts'

/** kmipd ca: the certificate authority. */
export const caCommand = (io: Io): Command => ({
  command: 'ca',
  describe: 'Print the certificates that clients know the server by',
  builder: y => y.command([read(io)]).demandCommand(1, 'say what to do with the CA'),
  handler() {},
})

const read = (io: Io): Command => ({
  command: 'read',
  describe: 'Print the CA chain in PEM: intermediate, then root',
  builder: y => jsonOption(administrationOptions(y)).example('$0 ca read > ca.pem', ''),
  handler: (place: AdministrationArguments) =>
    withScopes(place, io, async scopes => {
      const chain = await scopes.caChain()
      place.json ? printJson(io, { ca_pem: chain.join('\n') }) : printLines(io, chain)
    }),
})
