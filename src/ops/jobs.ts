import { KmipError } from '../objects/errors.ts'
import { sizeOf } from '../ttlv/binary.ts'
import { type ResponseItem, responseItem } from './message.ts'

/** Work that was put off: how far it is. Spec: KMIP 2.1 section 11.43 */
export type Stage = 'submitted' | 'running' | 'done'

export interface Job {
  readonly correlation: Buffer
  readonly owner: string
  readonly operation: number
  /** Seconds since 1970. */
  readonly submitted: bigint
  stage: Stage
  outcome: ResponseItem | undefined
  /** Of the request, then of the outcome. */
  bytes: number
  /** @param refusal why there is no room for an outcome; nothing: there is */
  run: (refusal: (outcome: ResponseItem) => KmipError | undefined) => Promise<ResponseItem>
}

/** Outcomes that are shorter are kept, however much there is: those of operations that change something are. */
const ALWAYS_KEPT_BYTES = 4096

/**
 * Operations that clients asked to be done later, by their Asynchronous Correlation Values. Kept by each process for itself, until an
 * hour after they were asked for; what a job changes is stored as durably as ever. Spec: KMIP 1.4 section 4.27, 4.28, 2.1 section 6.1.37
 */
export class Jobs {
  readonly #jobs = new Map<string, Job>()
  readonly #limit: number
  readonly #share: number
  readonly #limitBytes: number
  readonly #shareBytes: number
  readonly #lifeSeconds: bigint

  /** At most `limit` at once with `limitBytes`, and `share` of them with `shareBytes` for one client. */
  constructor({ limit = 10_000, share = 1_000, limitBytes = 2 ** 28, shareBytes = 2 ** 26, lifeSeconds = 3600n } = {}) {
    this.#limit = limit
    this.#share = share
    this.#limitBytes = limitBytes
    this.#shareBytes = shareBytes
    this.#lifeSeconds = lifeSeconds
  }

  /** @throws KmipError Server Limit Exceeded */
  submit(job: Omit<Job, 'stage' | 'outcome'>): Job {
    for (const [key, { submitted }] of this.#jobs) {
      if (submitted + this.#lifeSeconds > job.submitted) break
      this.#jobs.delete(key)
    }
    const own = this.of(job.owner)
    if (this.#jobs.size >= this.#limit || own.length >= this.#share || !this.#hasRoom(own, job.bytes)) throw tooMany()
    const submitted: Job = { ...job, stage: 'submitted', outcome: undefined }
    this.#jobs.set(job.correlation.toString('hex'), submitted)
    return submitted
  }

  /** Do a job, once; asked again it is the same outcome. */
  async run(job: Job): Promise<void> {
    if (job.stage !== 'submitted') return
    job.stage = 'running'
    const outcome = await job.run(outcome => {
      job.bytes = sizeOf(responseItem(outcome))
      return job.bytes <= ALWAYS_KEPT_BYTES || this.#hasRoom(this.of(job.owner), 0) ? undefined : tooMany()
    })
    job.bytes = sizeOf(responseItem(outcome))
    job.outcome = outcome
    job.stage = 'done'
    // The request is not needed any more.
    job.run = async () => outcome
  }

  /** Whether a client with these jobs may have so many bytes more. */
  #hasRoom(own: readonly Job[], more: number): boolean {
    const bytes = (jobs: Iterable<Job>): number => {
      let sum = more
      for (const job of jobs) sum += job.bytes
      return sum
    }
    return bytes(own) <= this.#shareBytes && bytes(this.#jobs.values()) <= this.#limitBytes
  }

  /** @throws KmipError Invalid Asynchronous Correlation Value (Item Not Found in 1.x) */
  find(correlation: Buffer, owner: string): Job {
    const job = this.#jobs.get(correlation.toString('hex'))
    if (job?.owner !== owner)
      throw new KmipError('InvalidAsynchronousCorrelationValue', 'no operation is outstanding under this Asynchronous Correlation Value')
    return job
  }

  /** The jobs of a client, oldest first. */
  of(owner: string): Job[] {
    return [...this.#jobs.values()].filter(job => job.owner === owner)
  }

  forget(job: Job): void {
    this.#jobs.delete(job.correlation.toString('hex'))
  }
}

const tooMany = (): KmipError =>
  new KmipError('ServerLimitExceeded', 'too many asynchronous operations are outstanding, or too large ones; poll for some')
