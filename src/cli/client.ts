import { decryptCommand, encryptCommand } from './client-cipher.ts'
import { activateCommand, destroyCommand, revokeCommand } from './client-lifecycle.ts'
import { attributesCommand, createCommand, getCommand, locateCommand, queryCommand, registerCommand } from './client-objects.ts'
import type { Command, Io } from './io.ts'

/** kmipd client: a small KMIP client for people and scripts. */
export const clientCommand = (io: Io): Command => ({
  command: 'client',
  describe: 'Talk to a KMIP server: create, get, locate, encrypt and more',
  builder: y =>
    y
      .command(
        [
          queryCommand,
          createCommand,
          registerCommand,
          getCommand,
          locateCommand,
          attributesCommand,
          activateCommand,
          revokeCommand,
          destroyCommand,
          encryptCommand,
          decryptCommand,
        ].map(command => command(io)),
      )
      .demandCommand(1, 'say what to do')
      .example('$0 client create --name backup --activate', ''),
  handler() {},
})
