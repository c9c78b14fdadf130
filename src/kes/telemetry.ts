import { Broadcast } from './broadcast.ts'
import { eventJson, type KesEvent } from './log-line.ts'

/** What the process and the machine are doing. */
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

const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 3, 5, 10] as const

/** Counts and streams of the door, over all reloads of its configuration. */
export class Telemetry {
  readonly audit = new Broadcast()
  readonly errors = new Broadcast()
  active = 0
  #auditEvents = 0
  #errorEvents = 0
  readonly #byCode = new Map<number, number>()
  readonly #buckets = BUCKETS.map(() => 0)
  #seconds = 0
  #count = 0

  /** A request to a key, a policy or an identity was answered. */
  served(status: number, seconds: number): void {
    this.#byCode.set(status, (this.#byCode.get(status) ?? 0) + 1)
    this.#seconds += seconds
    this.#count++
    const bucket = BUCKETS.findIndex(limit => seconds <= limit)
    if (bucket >= 0) this.#buckets[bucket]!++
  }

  event(event: KesEvent): void {
    this.#auditEvents++
    if (this.audit.isHeard) this.audit.tell(`${eventJson(event)}\n`)
  }

  /** @param line as the log has it */
  error(line: string): void {
    this.#errorEvents++
    if (this.errors.isHeard) this.errors.tell(`${JSON.stringify({ message: line.trimEnd() })}\n`)
  }

  /**
   * Prometheus text with KES's families and no others: its Go SDK refuses an answer with any other family of several series.
   * @returns exposition format 0.0.4
   */
  text(system: System): string {
    let sum = 0
    const buckets = BUCKETS.map((limit, i) => {
      sum += this.#buckets[i]!
      return [`_bucket{le="${limit}"}`, sum] as const
    })
    return FAMILIES.map(([name, type, help]) => {
      const series =
        name in CODES
          ? [...this.#byCode].filter(([code]) => CODES[name]!(code)).map(([code, count]) => [`{code="${code}"}`, count] as const)
          : name === 'kes_http_response_time'
            ? [...buckets, ['_bucket{le="+Inf"}', this.#count] as const, ['_sum', this.#seconds] as const, ['_count', this.#count] as const]
            : [['', this.#value(name, system)] as const]
      return series.length === 0
        ? ''
        : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${series.map(([label, value]) => `${name}${label} ${value}\n`).join('')}`
    }).join('')
  }

  #value(name: string, system: System): number {
    const values: { readonly [name: string]: number } = {
      kes_http_request_active: this.active,
      kes_log_audit_events: this.#auditEvents,
      kes_log_error_events: this.#errorEvents,
      kes_system_mem_heap_objects: system.heapObjects,
      kes_system_mem_heap_used: system.heapBytes,
      kes_system_mem_stack_used: system.stackBytes,
      kes_system_num_cpu: system.cpus,
      kes_system_num_cpu_used: system.usableCpus,
      kes_system_num_threads: system.threads,
      kes_system_up_time: system.upTime,
    }
    return values[name] ?? 0
  }
}

const CODES: { readonly [family: string]: (code: number) => boolean } = {
  kes_http_request_success: code => code < 400,
  kes_http_request_error: code => code >= 400 && code < 500,
  kes_http_request_failure: code => code >= 500,
}

/** KES's names; the words are ours. */
const FAMILIES: readonly (readonly [name: string, type: string, help: string])[] = [
  ['kes_http_request_active', 'gauge', 'Requests that are not answered yet.'],
  ['kes_http_request_error', 'counter', 'Requests that failed for a reason on the side of the client (4xx).'],
  ['kes_http_request_failure', 'counter', 'Requests that failed for a reason on the side of the server (5xx).'],
  ['kes_http_request_success', 'counter', 'Requests that were served.'],
  ['kes_http_response_time', 'histogram', 'Seconds from a request to its answer.'],
  ['kes_log_audit_events', 'counter', 'Events of the audit log.'],
  ['kes_log_error_events', 'counter', 'Events of the error log.'],
  ['kes_system_mem_heap_objects', 'gauge', 'Objects on the heap, estimated.'],
  ['kes_system_mem_heap_used', 'gauge', 'Bytes of the heap that are in use.'],
  ['kes_system_mem_stack_used', 'gauge', 'Bytes of stacks.'],
  ['kes_system_num_cpu', 'gauge', 'Processors of the machine.'],
  ['kes_system_num_cpu_used', 'gauge', 'Processors that the server may use.'],
  ['kes_system_num_threads', 'gauge', 'Threads of the process.'],
  ['kes_system_up_time', 'gauge', 'Seconds since the start of the server.'],
]
