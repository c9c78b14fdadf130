import type { Command, Io } from './io.ts'
import { kesFormerCommands } from './kes-former.ts'
import { kesIdentityCommand, kesToolCommand } from './kes-identity.ts'
import { kesKeyCommand } from './kes-key.ts'
import { kesListCommand } from './kes-list.ts'
import { kesLogCommand } from './kes-log.ts'
import { kesMetricCommand } from './kes-metric.ts'
import { kesMigrateCommand } from './kes-migrate.ts'
import { kesPolicyCommand } from './kes-policy.ts'
import { kesServerCommand } from './kes-server.ts'
import { kesStatusCommand } from './kes-status.ts'

/** kmipd kes: the commands of KES, with their flags, environment, output and exit status. In the order of the help. */
export const kesCommand = (io: Io): Command => ({
  command: 'kes',
  describe: 'The commands of KES: use, run and migrate a KES server',
  builder: y =>
    y
      .command([
        kesServerCommand(io),
        kesKeyCommand(io),
        kesPolicyCommand(io),
        kesIdentityCommand(io),
        kesListCommand(io),
        kesLogCommand(io),
        kesStatusCommand(io),
        kesMetricCommand(io),
        kesMigrateCommand(io),
        kesToolCommand(io),
        ...kesFormerCommands(),
      ])
      .alias('version', 'v')
      .demandCommand(1, 'say which command of KES')
      .example('$0 kes key create my-key', ''),
  handler() {},
})
