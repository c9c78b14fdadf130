/** What a process, or all processes of a server, and the machine are doing. */
export interface System {
  /** Seconds. */
  readonly upTime: number
  readonly cpus: number
  readonly usableCpus: number
  readonly threads: number
  readonly heapBytes: number
  readonly heapObjects: number
  readonly stackBytes: number
}

/** What a door counted, over all reloads of its configuration. */
export interface Counts {
  /** Requests that are not answered yet. */
  readonly active: number
  readonly auditEvents: number
  readonly errorEvents: number
  /** Requests by the status of their answers. */
  readonly byCode: ReadonlyMap<number, number>
  /** Requests by the time that they took: each in the first of `BUCKETS` that it fits into. */
  readonly buckets: readonly number[]
  /** All times together. */
  readonly seconds: number
  readonly count: number
}

export interface Figures {
  readonly counts: Counts
  readonly system: System
}

/** Upper bounds in seconds. */
export const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 3, 5, 10] as const

export const NO_COUNTS: Counts = {
  active: 0,
  auditEvents: 0,
  errorEvents: 0,
  byCode: new Map(),
  buckets: BUCKETS.map(() => 0),
  seconds: 0,
  count: 0,
}

export function sumOfCounts(a: Counts, b: Counts): Counts {
  const byCode = new Map(a.byCode)
  for (const [code, count] of b.byCode) byCode.set(code, (byCode.get(code) ?? 0) + count)
  return {
    active: a.active + b.active,
    auditEvents: a.auditEvents + b.auditEvents,
    errorEvents: a.errorEvents + b.errorEvents,
    byCode,
    buckets: a.buckets.map((count, i) => count + b.buckets[i]!),
    seconds: a.seconds + b.seconds,
    count: a.count + b.count,
  }
}

/** Two processes on one machine; the server is as old as its oldest process. */
export const sumOfSystems = (a: System, b: System): System => ({
  ...a,
  upTime: Math.max(a.upTime, b.upTime),
  threads: a.threads + b.threads,
  heapBytes: a.heapBytes + b.heapBytes,
  heapObjects: a.heapObjects + b.heapObjects,
  stackBytes: a.stackBytes + b.stackBytes,
})

/**
 * Prometheus text with KES's families and no others: its Go SDK refuses an answer with any other family of several series.
 * @returns exposition format 0.0.4
 */
export const metricsText = (figures: Figures): string =>
  FAMILIES.map(([name, type, help, series]) => {
    const lines = series(figures).map(([label, value]) => `${name}${label} ${value}\n`)
    return lines.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
  }).join('')

type Series = readonly (readonly [label: string, value: number])[]

const one =
  (value: (figures: Figures) => number) =>
  (figures: Figures): Series => [['', value(figures)]]

const codes =
  (isMeant: (code: number) => boolean) =>
  ({ counts }: Figures): Series =>
    [...counts.byCode].filter(([code]) => isMeant(code)).map(([code, count]) => [`{code="${code}"}`, count])

function times({ counts: { buckets, seconds, count } }: Figures): Series {
  let sum = 0
  const rows = BUCKETS.map((limit, i) => {
    sum += buckets[i]!
    return [`_bucket{le="${limit}"}`, sum] as const
  })
  return [...rows, ['_bucket{le="+Inf"}', count], ['_sum', seconds], ['_count', count]]
}

/** KES's names; the words are ours. */
const FAMILIES: readonly (readonly [name: string, type: string, help: string, series: (figures: Figures) => Series])[] = [
  ['kes_http_request_active', 'gauge', 'Requests that are not answered yet.', one(({ counts }) => counts.active)],
  [
    'kes_http_request_error',
    'counter',
    'Requests that failed for a reason on the side of the client (4xx).',
    codes(code => code >= 400 && code < 500),
  ],
  ['kes_http_request_failure', 'counter', 'Requests that failed for a reason on the side of the server (5xx).', codes(code => code >= 500)],
  ['kes_http_request_success', 'counter', 'Requests that were served.', codes(code => code < 400)],
  ['kes_http_response_time', 'histogram', 'Seconds from a request to its answer.', times],
  ['kes_log_audit_events', 'counter', 'Events of the audit log.', one(({ counts }) => counts.auditEvents)],
  ['kes_log_error_events', 'counter', 'Events of the error log.', one(({ counts }) => counts.errorEvents)],
  ['kes_system_mem_heap_objects', 'gauge', 'Objects on the heap, estimated.', one(({ system }) => system.heapObjects)],
  ['kes_system_mem_heap_used', 'gauge', 'Bytes of the heap that are in use.', one(({ system }) => system.heapBytes)],
  ['kes_system_mem_stack_used', 'gauge', 'Bytes of stacks.', one(({ system }) => system.stackBytes)],
  ['kes_system_num_cpu', 'gauge', 'Processors of the machine.', one(({ system }) => system.cpus)],
  ['kes_system_num_cpu_used', 'gauge', 'Processors that the server may use.', one(({ system }) => system.usableCpus)],
  ['kes_system_num_threads', 'gauge', 'Threads of the server.', one(({ system }) => system.threads)],
  ['kes_system_up_time', 'gauge', 'Seconds since the start of the server.', one(({ system }) => system.upTime)],
]
