import type { Command, Io } from './io.ts'
import { kesPolicyCommand } from './kes-policy.ts'
import { kesServerCommand } from './kes-server.ts'

/** kmipd kes: what KES's own program does. */
export const kesCommand = (io: Io): Command => ({
  command: 'kes',
  describe: 'Run the server that clients of KES know, by their configuration file, and check its policies',
  builder: y => y.command([kesServerCommand(io), kesPolicyCommand(io)]).demandCommand(1, 'say what to do for clients of KES'),
  handler() {},
})
