import type { Json } from '../client/kes-client.ts'
import { type Command, type Io, printLines } from './io.ts'
import { jsonFlag, type KesArguments, kesOptions, withKes } from './kes-connection.ts'
import { KesCommandError } from './kes-error.ts'
import { columns, isTerminal, listLines, momentOf } from './kes-print.ts'

interface PolicyArguments extends KesArguments {
  readonly name?: string
  readonly json?: boolean
}

/** The commands of kmipd kes policy that ask a server. */
export const kesPolicyCommands = (io: Io): Command[] => [list(io), info(io), show(io)]

const list = (io: Io): Command => ({
  command: 'ls [name]',
  aliases: ['list'],
  describe: 'List the names of policies',
  builder: y =>
    jsonFlag(kesOptions(y)).positional('name', { type: 'string', describe: 'what they begin with' }).example('$0 kes policy ls', ''),
  handler: (argv: PolicyArguments) =>
    withKes(argv, io, async client => {
      const names = await client.list('policy', argv.name ?? '')
      if (argv.json) io.stdout.write(`${JSON.stringify(names)}\n`)
      printLines(io, listLines('Key', names))
    }),
})

const info = (io: Io): Command => ({
  command: 'info [name]',
  describe: 'Print when and by whom a policy was made',
  builder: y =>
    jsonFlag(kesOptions(y)).positional('name', { type: 'string', describe: 'of the policy' }).example('$0 kes policy info my-app', ''),
  handler: (argv: PolicyArguments) =>
    withKes(argv, io, async client => {
      const found = await client.json('GET', `/v1/policy/describe/${nameOf(argv, 'info')}`)
      if (argv.json) io.stdout.write(`${JSON.stringify(found)}\n`)
      else
        printLines(
          io,
          columns(
            [
              ['Name', argv.name ?? ''],
              ['Date', momentOf(found.created_at)],
              ['Created by', String(found.created_by ?? '')],
            ],
            2,
          ),
        )
    }),
})

const show = (io: Io): Command => ({
  command: 'show [name]',
  describe: 'Print the rules of a policy',
  builder: y =>
    jsonFlag(kesOptions(y)).positional('name', { type: 'string', describe: 'of the policy' }).example('$0 kes policy show my-app', ''),
  handler: (argv: PolicyArguments) =>
    withKes(argv, io, async client => {
      const path = `/v1/policy/read/${nameOf(argv, 'show')}`
      const { name: _, ...policy } = await client.json('GET', path).then(
        found => found,
        (error: Error) => {
          throw new KesCommandError(`failed to show policy '${argv.name}': ${error.message}`, { cause: error })
        },
      )
      if (argv.json || !isTerminal(io)) io.stdout.write(`${JSON.stringify(policy)}\n`)
      else printLines(io, ruleLines(policy))
    }),
})

const ruleLines = ({ allow, deny, created_at, created_by }: Json): string[] => [
  ...section('Allow', allow),
  ...section('Deny', deny),
  '',
  `Created at: ${momentOf(created_at)}`,
  `Created by: ${String(created_by ?? '')}`,
]

const section = (title: string, rules: unknown): string[] => {
  const paths = typeof rules === 'object' && rules !== null ? Object.keys(rules).sort() : []
  return paths.length === 0 ? [] : [`${title}:`, ...paths.map(path => `  · ${path}`), '']
}

function nameOf({ name }: PolicyArguments, command: string): string {
  if (name === undefined) throw new KesCommandError(`no policy name specified. See 'kmipd kes policy ${command} --help'`)
  return encodeURIComponent(name)
}
