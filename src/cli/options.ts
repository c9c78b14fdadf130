import type { Argv } from 'yargs'
import { remoteOptions } from './admin-client.ts'

/** Where the configuration and the data of a command are. */
export interface PlaceArguments {
  readonly config?: string
  readonly dataDir?: string
}

/** `--config` and `--data-dir`, for commands that work on a server's data. */
export const placeOptions = <T>(y: Argv<T>) =>
  y
    .option('config', { type: 'string', alias: 'c', requiresArg: true, describe: 'configuration file' })
    .option('data-dir', {
      type: 'string',
      alias: 'd',
      requiresArg: true,
      describe: 'data directory; its kmipd.yaml counts, if there is one',
    })
    .conflicts('config', 'data-dir')

/** The same, or a server on the network. */
export const administrationOptions = <T>(y: Argv<T>) => remoteOptions(placeOptions(y)).conflicts('address', ['config', 'data-dir'])

export const jsonOption = <T>(y: Argv<T>) => y.option('json', { type: 'boolean', describe: 'print JSON' })
