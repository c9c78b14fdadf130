import t from 'tap'
import { LIVE_ROUTES } from '../../src/admin/live.ts'
import { bound } from '../../src/admin/route.ts'
import type { Overview as Shown } from '../../src/console/answers.ts'
import { LATENCY_BUCKETS } from '../../src/server/latencies.ts'
import { Metrics } from '../../src/server/metrics.ts'
import { RecentActivity } from '../../src/server/overview.ts'
import { quantile } from '../../src/server/quantile.ts'
import { doorLab } from '../admin/lab.ts'

t.test('quantiles of buckets', async t => {
  const counts = (...pairs: [bucket: number, n: number][]): number[] => {
    const all = new Array<number>(LATENCY_BUCKETS.length + 1).fill(0)
    for (const [bucket, n] of pairs) all[bucket] = n
    return all
  }
  t.equal(quantile([], 0.5), null)
  t.equal(quantile(counts(), 0.5), null)
  t.equal(quantile(counts([0, 4]), 0.5), LATENCY_BUCKETS[0]! / 2)
  t.equal(quantile(counts([1, 10]), 1), LATENCY_BUCKETS[1])
  t.equal(quantile(counts([0, 99], [9, 1]), 0.5)! < LATENCY_BUCKETS[0]!, true)
  t.equal(quantile(counts([0, 98], [9, 2]), 0.99), (LATENCY_BUCKETS[8]! + LATENCY_BUCKETS[9]!) / 2)
  t.equal(quantile(counts([LATENCY_BUCKETS.length, 1]), 0.5), LATENCY_BUCKETS.at(-1))
})

t.test('the overview tells what was counted, and what lately', async t => {
  const metrics = new Metrics({ version: 'test' })
  let nowMs = 1_000_000
  let unready: string | undefined
  const ending = (name: string, expiration: string) => ({ kind: 'server', name, expiration }) as const
  const activity = new RecentActivity({
    metrics,
    version: '1.2.3',
    now: () => nowMs,
    unready: () => unready,
    store: () => ({ healthy: true, description: 'in memory' }),
    seal: () => ({ healthy: true, description: 'local' }),
    kes: () => undefined,
    certificates: async () => [ending('late', '2030-01-01T00:00:00.000Z'), ending('soon', '2029-01-01T00:00:00.000Z')],
  })
  metrics.request('Get', 'Success', 0.2)
  metrics.request('Get', 'OperationFailed', 0.2)
  metrics.request('Create', 'Success', 30)
  metrics.refuse('idle')
  metrics.commit(0.002)
  metrics.connectionsOpen = 2
  nowMs += 5000
  activity.sample()
  nowMs += 5000
  activity.sample()
  const lab = doorLab(() => [{ path: 'sys/kmipd/', type: 'system', routes: bound(LIVE_ROUTES, activity) }])
  const { status, body } = await lab.ask('GET', '/v1/sys/kmipd/overview')
  t.equal(status, 200)
  t.match(body.data, {
    version: '1.2.3',
    started: '1970-01-01T00:16:40.000Z',
    now: '1970-01-01T00:16:50.000Z',
    requests: { total: 3, failed: 1 },
    connections: { open: 2, total: 0 },
    refusals: { idle: 1, revoked: 0 },
    store: { healthy: true },
    certificates: [{ name: 'soon' }, { name: 'late' }],
    operations: [
      { operation: 'Get', requests: 2, failed: 1 },
      { operation: 'Create', requests: 1, failed: 0 },
    ],
  })
  t.notOk('unready' in body.data)
  const samples = body.data.samples as readonly Record<string, number | null>[]
  t.match(samples, [
    { time: 1000, requests: 0, median: null },
    { time: 1005, requests: 3, failed: 1, refused: 1, connections: 2 },
    { time: 1010, requests: 3, median: null, p99: null, commit: null },
  ])
  t.ok(samples[1]!.p99! > 0.025 && samples[1]!.p99! <= 0.05, 'near the slowest')
  t.ok(samples[1]!.commit! > 0.001 && samples[1]!.commit! <= 0.0025)
  unready = 'the server is stopping'
  t.equal((await lab.ask('GET', '/v1/sys/kmipd/overview')).body.data.unready, unready)

  for (let i = 0; i < 500; i++) activity.sample()
  // The console has shapes of its own for what it reads: these types say that the server's fit.
  const shown: Shown = await activity.overview()
  t.equal(shown.samples.length, 180, 'a quarter of an hour is kept')
  t.equal((await lab.ask('GET', '/v1/sys/kmipd/overview', undefined, { 'x-vault-token': 'nobody' })).status, 403)
})
