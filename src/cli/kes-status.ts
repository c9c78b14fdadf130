import type { Json } from '../client/kes-client.ts'
import { type Command, type Io, printLines } from './io.ts'
import { jsonFlag, type KesArguments, kesOptions, withKes } from './kes-connection.ts'
import { columns } from './kes-print.ts'

interface StatusArguments extends KesArguments {
  readonly short?: boolean
  readonly api?: boolean
  readonly json?: boolean
}

interface Route {
  readonly method: string
  readonly path: string
  /** Seconds; none: it has no end. */
  readonly timeout?: number
}

/** kmipd kes status: what a server says of itself. */
export const kesStatusCommand = (io: Io): Command => ({
  command: 'status',
  describe: 'Print the version, load and key store of a server',
  builder: y =>
    jsonFlag(kesOptions(y))
      .option('short', { type: 'boolean', alias: 's', describe: 'only that it answers' })
      .option('api', { type: 'boolean', describe: 'list its API too' })
      .example('$0 kes status --short', ''),
  handler: (argv: StatusArguments) =>
    withKes(argv, io, async client => {
      const { short = false, api = false, json = false } = argv
      const began = performance.now()
      const status = await client.json('GET', '/v1/status')
      const latencyMs = performance.now() - began
      const routes = api ? ((await client.json('GET', '/v1/api')) as unknown as readonly Route[]) : []
      if (json) io.stdout.write(`${JSON.stringify(api ? routes : status)}\n`)
      else
        printLines(io, [
          `● ${client.answeredBy?.replace(/^https:\/\//, '')}`,
          ...(short ? [] : statusLines(status, latencyMs)),
          ...(api ? ['', ...routeLines(routes)] : []),
        ])
    }),
})

function statusLines(status: Json, latencyMs: number): string[] {
  const { version, uptime, os, arch, num_cpu, mem_heap_used, mem_stack_used, keystore_unreachable } = status
  const rows: (readonly [string, string])[] = [
    ['Version', String(version ?? '')],
    ['Uptime', uptimeOf(Number(uptime ?? 0))],
    ['Latency', `${Math.ceil(latencyMs)}ms`],
    ['OS', String(os ?? '')],
    ['CPUs', `${String(num_cpu ?? '')} ${String(arch ?? '')}`],
    ['Memory', ''],
    ['· Heap', sizeOf(Number(mem_heap_used ?? 0))],
    ['· Stack', sizeOf(Number(mem_stack_used ?? 0))],
    ...(keystore_unreachable === true ? ([['Keystore', 'unreachable']] as const) : []),
  ]
  return rows.map(([name, value]) => `  ${value === '' ? `${name}  ` : name.padEnd(9) + value}`)
}

const HOUR = 3600
function uptimeOf(seconds: number): string {
  if (seconds > 24 * HOUR) return `${Math.floor(seconds / (24 * HOUR))} days ${Math.floor((seconds % (24 * HOUR)) / HOUR)} hours`
  if (seconds > HOUR) return `${Math.floor(seconds / HOUR)} hours`
  return seconds > 60 ? `${Math.floor(seconds / 60)} minutes` : `${seconds} seconds`
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const
function sizeOf(bytes: number): string {
  let at = 0
  let value = bytes
  for (; value >= 1000 && at < UNITS.length - 1; at++) value /= 1000
  return `${value.toFixed(1)}${UNITS[at]}`
}

function routeLines(routes: readonly Route[]): string[] {
  const rows = [['API', 'Timeout'] as const, ...routes.map(({ path, timeout }) => [path, timeout ? `${timeout}s` : 'Inf'] as const)]
  const methods = ['Method', ...routes.map(({ method }) => method)]
  return columns(rows, 3).map((line, at) => `  ${(methods[at] ?? '').padEnd(8)}${line}`)
}
