import { KmipError } from '../objects/errors.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import {
  CancelResponse,
  CorrelationRequest,
  QueryAsynchronousRequestsRequest,
  QueryAsynchronousRequestsResponse,
} from '../ttlv/payloads/asynchronous.ts'
import type { Context } from './context.ts'
import type { Job } from './jobs.ts'
import type { ResponseItem } from './message.ts'
import { operation, relay } from './operation.ts'

const { Operation, ResultStatus, CancellationResult, ProcessingStage } = ENUM

const pending = (job: Job): ResponseItem => ({
  operation: job.operation,
  status: ResultStatus.OperationPending,
  correlation: job.correlation,
})

/** What the client asked for, and may still have: a role can lose an operation while its outcome waits. @throws KmipError Permission Denied */
function outstanding(correlation: Buffer, { environment, owner, peer }: Context): Job {
  const job = environment.jobs.find(correlation, owner)
  const name = environment.operations.find(({ code }) => code === job.operation)?.name
  if (name !== undefined && !peer.may(name)) throw new KmipError('PermissionDenied', `the role may not do ${name}`)
  return job
}

/** Poll: the answer that the operation would have given, once it is there. Spec: KMIP 1.4 section 4.28, 2.1 section 6.1.37 */
export const poll = relay({
  code: Operation.Poll,
  name: 'Poll',
  since: 10,
  request: CorrelationRequest,
  async answer(request, context) {
    const job = outstanding(request.asynchronousCorrelationValue, context)
    if (!job.outcome) return pending(job)
    context.environment.jobs.forget(job)
    return job.outcome
  },
})

/** Cancel: what has not begun never will. Spec: KMIP 1.4 section 4.27, 2.1 section 6.1.5 */
export const cancel = operation({
  code: Operation.Cancel,
  name: 'Cancel',
  since: 10,
  immediate: true,
  request: CorrelationRequest,
  response: CancelResponse,
  async run(request, { environment, owner }) {
    const job = environment.jobs.find(request.asynchronousCorrelationValue, owner)
    const results = {
      submitted: CancellationResult.Canceled,
      running: CancellationResult.UnableToCancel,
      done: CancellationResult.Completed,
    }
    const cancellationResult = results[job.stage]
    if (job.stage === 'submitted') {
      job.stage = 'done'
      environment.jobs.forget(job)
    }
    return { asynchronousCorrelationValue: request.asynchronousCorrelationValue, cancellationResult }
  },
})

/** Process: do an outstanding operation now, and answer with its outcome. Spec: KMIP 2.1 section 6.1.39 */
export const process = relay({
  code: Operation.Process,
  name: 'Process',
  since: 21,
  request: CorrelationRequest,
  async answer(request, context) {
    const { jobs } = context.environment
    const job = outstanding(request.asynchronousCorrelationValue, context)
    if (job.stage === 'running') throw new KmipError('DuplicateProcessRequest', 'the operation is being processed already')
    await jobs.run(job)
    jobs.forget(job)
    return job.outcome ?? pending(job)
  },
})

const STAGES = { submitted: ProcessingStage.Submitted, running: ProcessingStage.InProcess, done: ProcessingStage.Completed } as const
const MICROSECONDS = 1_000_000n

/** Query Asynchronous Requests: what is outstanding for this client. Spec: KMIP 2.1 section 6.1.41 */
export const queryAsynchronousRequests = operation({
  code: Operation.QueryAsynchronousRequests,
  name: 'QueryAsynchronousRequests',
  since: 21,
  immediate: true,
  request: QueryAsynchronousRequestsRequest,
  response: QueryAsynchronousRequestsResponse,
  async run(request, { environment, owner }) {
    const values = request.asynchronousCorrelationValues?.value
    const operations = request.operations?.operation
    const jobs = environment.jobs
      .of(owner)
      .filter(job => !values || values.some(value => value.equals(job.correlation)))
      .filter(job => !operations || operations.includes(job.operation))
    return {
      asynchronousRequest: jobs.map(job => ({
        asynchronousCorrelationValue: job.correlation,
        operation: job.operation,
        submissionDate: job.submitted * MICROSECONDS,
        processingStage: STAGES[job.stage],
      })),
    }
  },
})
