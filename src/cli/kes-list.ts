import { type Command, type Io, printLines } from './io.ts'
import { jsonFlag, type KesArguments, kesOptions, withKes } from './kes-connection.ts'
import { KesCommandError } from './kes-error.ts'
import { listLines } from './kes-print.ts'

interface ListArguments extends KesArguments {
  readonly prefix?: string
  readonly identity?: boolean
  readonly policy?: boolean
  readonly json?: boolean
}

/** kmipd kes ls: names of keys, identities or policies. */
export const kesListCommand = (io: Io): Command => ({
  command: 'ls [prefix]',
  describe: 'List keys, identities or policies',
  builder: y =>
    jsonFlag(kesOptions(y, { server: 's', apiKey: 'a' }))
      .positional('prefix', { type: 'string', describe: 'what they begin with' })
      .option('identity', { type: 'boolean', alias: 'i', describe: 'identities' })
      .option('policy', { type: 'boolean', alias: 'p', describe: 'policies' })
      .example('$0 kes ls my-', ''),
  async handler(argv: ListArguments) {
    const { prefix = '', identity = false, policy = false, json = false } = argv
    if (identity && policy) throw new KesCommandError("'-p / --policy' and '-i / --identity' must not be used at the same time")
    const [kind, header] = identity
      ? (['identity', 'Identity'] as const)
      : policy
        ? (['policy', 'Policy'] as const)
        : (['key', 'Key'] as const)
    await withKes(argv, io, async client => {
      const names = await client.list(kind, prefix)
      if (json) io.stdout.write(`${JSON.stringify(names)}\n`)
      else printLines(io, listLines(header, names))
    })
  },
})
