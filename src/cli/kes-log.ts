import type { Json } from '../client/kes-client.ts'
import { type Command, type Io, printLines } from './io.ts'
import { jsonFlag, type KesArguments, kesOptions, withKes } from './kes-connection.ts'
import { KesCommandError } from './kes-error.ts'
import { isTerminal } from './kes-print.ts'

interface LogArguments extends KesArguments {
  readonly audit?: boolean
  readonly error?: boolean
  readonly json?: boolean
}

/** kmipd kes log: what a server logs from now on. */
export const kesLogCommand = (io: Io): Command => ({
  command: 'log',
  describe: 'Follow the log of a server',
  builder: y => y.command([follow(io, '$0'), ...['trace [kind]'].map(command => follow(io, command))]),
  handler() {},
})

const follow = (io: Io, command: string): Command => ({
  command,
  describe: command === '$0' ? 'Follow the log of a server' : 'The same, as it was called before 2022',
  builder: y =>
    jsonFlag(kesOptions(y))
      .positional('kind', { type: 'string', choices: ['audit', 'error'], hidden: true })
      .option('audit', { type: 'boolean', describe: 'who asked for what; the default' })
      .option('error', { type: 'boolean', describe: 'what went wrong' })
      .example('$0 kes log --error', ''),
  handler: (argv: LogArguments & { readonly kind?: string }) =>
    withKes(argv, io, async client => {
      const { json = false, kind } = argv
      const error = argv.error === true || kind === 'error'
      if (error && argv.audit) throw new KesCommandError("'--audit' and '--error' must not be used at the same time")
      const end = new AbortController()
      void io.untilStopped().then(() => end.abort())
      const { withoutControls } = await import('../kes/log-line.ts')
      const isTable = !json && isTerminal(io)
      if (isTable && !error) printLines(io, [HEADER])
      for await (const line of client.lines(error ? '/v1/log/error' : '/v1/log/audit', end.signal)) {
        if (!isTable) io.stdout.write(`${line}\n`)
        else printLines(io, [withoutControls(error ? messageOf(JSON.parse(line) as Json) : rowOf(JSON.parse(line) as Json))])
      }
    }),
})

const WIDTHS = [10, 7, 66, 17, 40] as const
const rowText = (cells: readonly string[]): string =>
  cells
    .map((cell, at) => cell.padEnd(WIDTHS[at] ?? 0))
    .join('')
    .trimEnd()
const HEADER = rowText(['Time', 'Status', 'Identity', 'IP', 'API', 'Latency'])

const messageOf = ({ message }: Json): string => String(message ?? '').trimEnd()

/** Times of the answer are read as nanoseconds where they are that long, and as milliseconds otherwise: releases differ. */
function rowOf({ time, request, response }: Json): string {
  const { ip, path, identity } = (request ?? {}) as Json
  const { code, time: took } = (response ?? {}) as Json
  const latency = typeof took === 'number' ? (took >= 10_000 ? `${(took / 1e6).toFixed(2)}ms` : `${took}ms`) : ''
  return rowText([
    String(time ?? '').slice(11, 19),
    String(code ?? ''),
    String(identity ?? ''),
    String(ip ?? ''),
    String(path ?? ''),
    latency,
  ])
}
