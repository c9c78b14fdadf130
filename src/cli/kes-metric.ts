import { setTimeout as wait } from 'node:timers/promises'
import { type Command, type Io, printLines } from './io.ts'
import { type KesArguments, kesOptions, withKes } from './kes-connection.ts'
import { KesCommandError } from './kes-error.ts'
import { columns, isTerminal } from './kes-print.ts'

interface MetricArguments extends KesArguments {
  readonly rate: string
}

/** kmipd kes metric: the metrics of a server, again and again. */
export const kesMetricCommand = (io: Io): Command => ({
  command: 'metric',
  describe: 'Follow the metrics of a server',
  builder: y =>
    kesOptions(y)
      .option('rate', { type: 'string', requiresArg: true, default: '5s', describe: 'how often to ask, such as 500ms or 5s' })
      .example('$0 kes metric --rate 1s', ''),
  handler: (argv: MetricArguments) =>
    withKes(argv, io, async client => {
      const rateMs = rateOf(argv.rate)
      const end = new AbortController()
      void io.untilStopped().then(() => end.abort())
      while (!end.signal.aborted) {
        const metrics = metricsIn(await client.text('GET', '/v1/metrics'))
        if (isTerminal(io)) printLines(io, [`\u001b[H\u001b[2J${tableOf(metrics).join('\n')}`])
        else io.stdout.write(`${JSON.stringify(metrics)}\n`)
        await wait(rateMs, undefined, { signal: end.signal }).then(
          () => undefined,
          () => undefined,
        )
      }
    }),
})

function rateOf(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? []
  const rateMs = Number(digits) * (unit === 'ms' ? 1 : unit === 's' ? 1000 : 60_000)
  if (!(rateMs > 0)) throw new KesCommandError(`invalid rate '${text}': write it as 500ms, 5s or 1m`)
  return rateMs
}

type Metrics = { readonly [name: string]: number | { readonly [ns: string]: number } }

/** In the order of KES's own client; times in nanoseconds. */
const NAMES = [
  'kes_http_request_success',
  'kes_http_request_error',
  'kes_http_request_failure',
  'kes_http_request_active',
  'kes_log_audit_events',
  'kes_log_error_events',
  'kes_http_response_time',
  'kes_system_up_time',
  'kes_system_num_cpu',
  'kes_system_num_cpu_used',
  'kes_system_num_threads',
  'kes_system_mem_heap_used',
  'kes_system_mem_heap_objects',
  'kes_system_mem_stack_used',
] as const
const UP_TIME = 'kes_system_up_time'
const RESPONSE_TIME = 'kes_http_response_time'
const NS = 1e9

/** The lines of Prometheus's text format that KES has; several of one name are added. */
export function metricsIn(text: string): Metrics {
  const sums = new Map<string, number>()
  const buckets: { [ns: string]: number } = {}
  for (const line of text.split('\n')) {
    const [, name = '', labels = '', number] = /^([a-z_]+)(?:\{([^}]*)\})?\s+(\S+)$/.exec(line) ?? []
    const value = Number(number)
    if (Number.isNaN(value)) continue
    if (name !== `${RESPONSE_TIME}_bucket`) sums.set(name, (sums.get(name) ?? 0) + value)
    else {
      const [, end = ''] = /le="([0-9.e+-]+)"/.exec(labels) ?? []
      if (end !== '' && end !== '+Inf') buckets[String(Math.round(Number(end) * NS))] = value
    }
  }
  const readingOf = (name: string): number => Math.round((sums.get(name) ?? 0) * (name === UP_TIME ? NS : 1))
  return Object.fromEntries(NAMES.map(name => [name, name === RESPONSE_TIME ? buckets : readingOf(name)]))
}

const tableOf = (metrics: Metrics): string[] => {
  const numbers = Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === 'number')
  return columns(
    numbers.map(([name, value]) => [name.replace(/^kes_/, '').replaceAll('_', ' '), String(name === UP_TIME ? value / NS : value)]),
    3,
  )
}
