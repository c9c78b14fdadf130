import t from 'tap'
import { KmipError } from '../../src/objects/errors.ts'
import { Jobs } from '../../src/ops/jobs.ts'
import { Applications } from '../../src/ops/pkcs11-applications.ts'
import { Streams } from '../../src/ops/streams.ts'
import { bytes } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'

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
    bytes: 100,
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

t.test('operations in parts: what is held until the end is bounded, for each client and for all', async t => {
  const streams = new Streams({ limitBytes: 1000, shareBytes: 600 })
  for (const [n, owner] of [
    [1, 'a'],
    [2, 'a'],
    [3, 'b'],
    [4, 'c'],
  ] as const)
    streams.open(mark(n), owner, stream, NOW)
  streams.weigh(mark(1), 300)
  streams.weigh(mark(1), 400)
  t.equal(
    refusal(() => streams.weigh(mark(2), 300)),
    'ServerLimitExceeded',
  )
  t.equal(
    refusal(() => streams.continue(mark(2), 'a', 'Hash', NOW)),
    'InvalidCorrelationValue',
    'it is over',
  )
  streams.weigh(mark(3), 600)
  t.equal(
    refusal(() => streams.weigh(mark(4), 1)),
    'ServerLimitExceeded',
    'all of them together',
  )
  streams.close(mark(1))
  streams.weigh(mark(3), 600)
})

t.test('asynchronous operations: requests and outcomes that wait are bounded in bytes', async t => {
  const jobs = new Jobs({ limitBytes: 30_000, shareBytes: 20_000 })
  const submit = (n: number, owner: string, ofRequest: number, ofOutcome: number) =>
    jobs.submit({
      ...{ correlation: mark(n), owner, operation: 1, submitted: NOW, bytes: ofRequest },
      async run(refusal) {
        const outcome = { operation: 1, status: 0, payload: [bytes(TAG.Data, Buffer.alloc(ofOutcome))] }
        const error = refusal(outcome)
        return error ? { operation: 1, status: 1, message: error.message } : outcome
      },
    })
  t.equal(
    refusal(() => submit(1, 'a', 20_001, 0)),
    'ServerLimitExceeded',
  )
  const first = submit(2, 'a', 100, 15_000)
  await jobs.run(first)
  t.equal(first.outcome?.status, 0)
  t.equal(
    refusal(() => submit(3, 'a', 6_000, 0)),
    'ServerLimitExceeded',
    'outcomes count too',
  )
  const second = submit(4, 'a', 100, 15_000)
  await jobs.run(second)
  t.match(second.outcome, { status: 1, message: /poll for some/ }, 'there is no room for its outcome')
  const small = submit(5, 'a', 4_000, 4_000)
  await jobs.run(small)
  t.equal(small.outcome?.status, 0, 'a short one is kept')
  t.equal(
    refusal(() => submit(6, 'b', 15_000, 0)),
    'ServerLimitExceeded',
    'all of them together',
  )
  jobs.forget(first)
  t.equal(submit(7, 'b', 15_000, 0).stage, 'submitted')
})

t.test('PKCS#11: a client that opens its share leaves room for the others', async t => {
  const applications = new Applications({ limit: 3, share: 2, lifeSeconds: 3600n })
  applications.open(mark(1), 'a/role', NOW)
  applications.open(mark(2), 'a/role', NOW)
  t.equal(
    refusal(() => applications.open(mark(3), 'a/role', NOW)),
    'ServerLimitExceeded',
  )
  applications.open(mark(4), 'b/role', NOW)
  t.equal(
    refusal(() => applications.open(mark(5), 'c/role', NOW)),
    'ServerLimitExceeded',
    'all of them together',
  )
})
