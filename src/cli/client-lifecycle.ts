import type { Argv } from 'yargs'
import type { KmipClient } from '../client/client.ts'
import { type ConnectionArguments, connectionOptions, withClient } from './client-connection.ts'
import { type Command, type Io, printJson } from './io.ts'
import { named } from './named.ts'

interface LifecycleArguments extends ConnectionArguments {
  readonly id: string
}

const idOptions = <T>(y: Argv<T>) =>
  connectionOptions(y).positional('id', { type: 'string', demandOption: true, describe: 'unique identifier' })

async function change(
  { id, ...argv }: LifecycleArguments,
  io: Io,
  done: string,
  run: (client: KmipClient) => Promise<void>,
): Promise<void> {
  await withClient(argv, io, run)
  argv.json ? printJson(io, { id }) : io.stdout.write(`${id} is ${done}\n`)
}

export const activateCommand = (io: Io): Command => ({
  command: 'activate <id>',
  describe: 'Activate an object',
  builder: y => idOptions(y).example('$0 client activate 6a2e…', ''),
  handler: (argv: LifecycleArguments) =>
    change(argv, io, 'active', async client => (await import('../client/operations.ts')).activate(client, argv.id)),
})

export const revokeCommand = (io: Io): Command => ({
  command: 'revoke <id>',
  describe: 'Revoke an object, so that it is not used any more',
  builder: y =>
    idOptions(y)
      .option('reason', { type: 'string', default: 'CessationOfOperation', describe: 'such as KeyCompromise' })
      .option('message', { type: 'string', requiresArg: true, describe: 'more about the reason' })
      .example('$0 client revoke 6a2e… --reason KeyCompromise', ''),
  async handler(argv: LifecycleArguments & { readonly reason: string; readonly message?: string }) {
    const { revoke } = await import('../client/operations.ts')
    const { ENUM } = await import('../ttlv/enumerations.ts')
    const reason = await named(ENUM.RevocationReasonCode, argv.reason, 'reason')
    await change(argv, io, 'revoked', client => revoke(client, argv.id, reason, argv.message))
  },
})

export const destroyCommand = (io: Io): Command => ({
  command: 'destroy <id>',
  describe: 'Destroy an object; its key material is lost',
  builder: y => idOptions(y).example('$0 client destroy 6a2e…', ''),
  handler: (argv: LifecycleArguments) =>
    change(argv, io, 'destroyed', async client => (await import('../client/operations.ts')).destroy(client, argv.id)),
})
