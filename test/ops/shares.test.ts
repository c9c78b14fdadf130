import t from 'tap'
import { KmipError } from '../../src/objects/errors.ts'
import { Jobs } from '../../src/ops/jobs.ts'
import { Streams } from '../../src/ops/streams.ts'

/** Reason of the KmipError that this throws. */
function refusal(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof KmipError) return error.reason
    throw error
  }
  return 'none'
}

const NOW = 1_700_000_000n
const stream = { operation: 'Hash', object: undefined, work: {} }
const mark = (n: number): Buffer => Buffer.from([n])

t.test('operations in parts: a client that opens its share leaves room for the others', async t => {
  const streams = new Streams({ limit: 5, share: 3, lifeSeconds: 300n })
  for (const n of [1, 2, 3]) streams.open(mark(n), 'a/role', stream, NOW)
  t.equal(
    refusal(() => streams.open(mark(4), 'a/role', stream, NOW)),
    'ServerLimitExceeded',
  )
  streams.open(mark(5), 'b/role', stream, NOW)
  streams.open(mark(6), 'c/role', stream, NOW)
  t.equal(
    refusal(() => streams.open(mark(7), 'd/role', stream, NOW)),
    'ServerLimitExceeded',
    'all of them together',
  )
  streams.close(mark(1))
  streams.open(mark(8), 'a/role', stream, NOW)
  streams.open(mark(9), 'd/role', stream, NOW + 300n)
  t.equal(
    refusal(() => streams.continue(mark(2), 'a/role', 'Hash', NOW + 300n)),
    'InvalidCorrelationValue',
    'forgotten in time',
  )
})

t.test('asynchronous operations: a client that submits its share leaves room for the others', async t => {
  const jobs = new Jobs({ limit: 3, share: 2, lifeSeconds: 3600n })
  const job = (n: number, owner: string) => ({
    correlation: mark(n),
    owner,
    operation: 1,
    submitted: NOW,
    run: async () => ({ operation: 1, status: 0 }),
  })
  jobs.submit(job(1, 'a/role'))
  jobs.submit(job(2, 'a/role'))
  t.equal(
    refusal(() => jobs.submit(job(3, 'a/role'))),
    'ServerLimitExceeded',
  )
  jobs.submit(job(4, 'b/role'))
  t.equal(
    refusal(() => jobs.submit(job(5, 'b/role'))),
    'ServerLimitExceeded',
    'all of them together',
  )
  jobs.forget(jobs.find(mark(1), 'a/role'))
  t.equal(jobs.submit(job(6, 'a/role')).stage, 'submitted')
})
