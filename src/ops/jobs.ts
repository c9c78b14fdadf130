import { KmipError } from '../objects/errors.ts'
import type { ResponseItem } from './message.ts'

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
  readonly run: () => Promise<ResponseItem>
}

/**
 * Operations that clients asked to be done later, by their Asynchronous Correlation Values. Kept by each process for itself, until an
 * hour after they were asked for; what a job changes is stored as durably as ever. Spec: KMIP 1.4 section 4.27, 4.28, 2.1 section 6.1.37
 */
export class Jobs {
  readonly #jobs = new Map<string, Job>()
  readonly #limit: number
  readonly #share: number
  readonly #lifeSeconds: bigint

  /** At most `limit` at once, and `share` of them for one client. */
  constructor({ limit = 10_000, share = 1_000, lifeSeconds = 3600n } = {}) {
    this.#limit = limit
    this.#share = share
    this.#lifeSeconds = lifeSeconds
  }

  /** @throws KmipError Server Limit Exceeded */
  submit(job: Omit<Job, 'stage' | 'outcome'>): Job {
    for (const [key, { submitted }] of this.#jobs) {
      if (submitted + this.#lifeSeconds > job.submitted) break
      this.#jobs.delete(key)
    }
    if (this.#jobs.size >= this.#limit || this.of(job.owner).length >= this.#share)
      throw new KmipError('ServerLimitExceeded', 'too many asynchronous operations are outstanding; poll for some')
    const submitted: Job = { ...job, stage: 'submitted', outcome: undefined }
    this.#jobs.set(job.correlation.toString('hex'), submitted)
    return submitted
  }

  /** Do a job, once; asked again it is the same outcome. */
  async run(job: Job): Promise<void> {
    if (job.stage !== 'submitted') return
    job.stage = 'running'
    job.outcome = await job.run()
    job.stage = 'done'
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
