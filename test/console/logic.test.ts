import t from 'tap'
import { Api, ApiError, path, sentenceOf } from '../../src/console/api.ts'
import { area, line, nearest, ticks } from '../../src/console/chart-shape.ts'
import { bundleOf, credentialFile } from '../../src/console/credential-file.ts'
import { amount, bytes, count, counted, duration, latency, relative, urgency } from '../../src/console/format.ts'
import { eventsOf } from '../../src/console/object-history.ts'
import { ratesOf } from '../../src/console/rates.ts'
import { changeOf, type Flags, flagsOf, GROUPS, titleOf, USUAL, ungrouped } from '../../src/console/role-flags.ts'
import { hrefOf, placeOf } from '../../src/console/router.ts'
import { mergeGrants, NO_GRANTS, readGrants, FLAGS as SERVER_FLAGS } from '../../src/scopes/permissions.ts'

const HOSTILE = [
  `<img src=x onerror=alert(1)>`,
  `"'><script>alert(1)</script>`,
  'javascript:alert(1)',
  '../../x',
  'a/b?c#d&e=f',
  '%00',
  '%',
  '\u202eevil',
  '🔑',
]

t.test('addresses', async t => {
  t.match(placeOf(''), { page: 'overview' })
  t.match(placeOf('#/'), { page: 'overview' })
  t.match(placeOf('#/scopes'), { page: 'scopes' })
  t.match(placeOf('#/scopes/a/objects?state=Active&after=1'), {
    page: 'objects',
    names: { scope: 'a' },
    query: { state: 'Active', after: '1' },
  })
  for (const hash of ['#/nothing', '#/scopes/a/b', '#/scopes/%E0%A4%A', '#/scopes/a/roles/b/c']) t.equal(placeOf(hash), undefined, hash)
  for (const name of HOSTILE) {
    const href = hrefOf('role', { scope: name, role: name }, { name })
    t.match(href, /^#\/scopes\/[^<>"/]+\/roles\/[^<>"/]+\?/, href)
    t.same(placeOf(href), { page: 'role', names: { scope: name, role: name }, query: { name } })
  }
  for (const [hash, page] of [
    ['#/access', 'access'],
    ['#/access/policies/a', 'policy'],
    ['#/scopes/a/refused', 'trace'],
  ] as const)
    t.match(placeOf(hash), { page })
  t.equal(hrefOf('audit', {}, { scope: '', role: 'x' }), '#/audit?role=x')
})

t.test('numbers, times and sizes for people', async t => {
  const rows: readonly (readonly [written: string, wanted: string])[] = [
    [duration(0), '0 s'],
    [duration(0.2), '<1 s'],
    [duration(59.9), '59 s'],
    [duration(336 * 3600), '14 d'],
    [duration(336 * 3600 - 1), '13 d 23 h'],
    [duration(86_400 * 366), '1 y 1 d'],
    [relative(1000, 1000), 'now'],
    [relative(61_000, 0), 'in 1 minute'],
    [relative(0, 7_200_000), '2 hours ago'],
    [count(1234567), '1\u202f234\u202f567'],
    [count(999), '999'],
    [amount(0), '0'],
    [amount(0.0421), '0.042'],
    [amount(4.21), '4.2'],
    [amount(421.4), '421'],
    [amount(4210), '4\u202f210'],
    [amount(42_100), '42 k'],
    [amount(1_200_000), '1.2 M'],
    [latency(0), '0 µs'],
    [latency(0.00005), '50 µs'],
    [latency(0.00042), '0.42 ms'],
    [latency(0.042), '42 ms'],
    [latency(1.25), '1.3 s'],
    [bytes(999), '999 B'],
    [bytes(1200), '1.2 kB'],
    [bytes(999_900), '1 MB'],
    [counted(1, 'role'), '1 role'],
    [counted(0, 'role'), '0 roles'],
  ]
  for (const [written, wanted] of rows) t.equal(written, wanted)
  const day = 86_400_000
  t.same([urgency(0, 0), urgency(day, 0), urgency(30 * day, 0)], ['over', 'soon', 'fine'])
})

t.test('the flags of a role', async t => {
  const grid = GROUPS.flatMap(group => group.flags)
  t.same(
    grid.map(flag => `operation_${flag}`).sort(),
    SERVER_FLAGS.filter(flag => !/_(all|none)$/.test(flag)).sort(),
    'the grid has each once',
  )
  t.ok(USUAL.every(flag => grid.includes(flag)))
  t.same(
    [titleOf('create_key_pair'), titleOf('mac_verify'), titleOf('rng_seed'), titleOf('pkcs_11')],
    ['Create key pair', 'MAC verify', 'RNG seed', 'PKCS#11'],
  )
  t.same(ungrouped(flagsOf({ operation_get: true, operation_future: true })), ['future'])
  t.equal(flagsOf({}).grant, 'none')
  t.equal(flagsOf({ operation_none: true }).grant, 'none')
  t.equal(flagsOf({ operation_all: true }).grant, 'all')

  // Whatever was and whatever is wanted, what is sent brings the one to the other by the server's own rules.
  const some: Flags[] = [
    { grant: 'all', chosen: new Set() },
    { grant: 'none', chosen: new Set() },
    ...[['get'], ['get', 'create'], ['create', 'locate'], [...USUAL]].map((flags): Flags => ({ grant: 'chosen', chosen: new Set(flags) })),
  ]
  for (const before of some)
    for (const after of [...some, { grant: 'chosen', chosen: new Set<string>() } as const]) {
      const stored = mergeGrants(NO_GRANTS, new Map(Object.entries(changeOf({ grant: 'none', chosen: new Set() }, before))))
      const written = mergeGrants(stored, new Map(Object.entries(changeOf(before, after))))
      const wanted: Flags = after.chosen.size === 0 && after.grant === 'chosen' ? { grant: 'none', chosen: after.chosen } : after
      t.same(flagsOf(readGrants(written)), wanted, `${before.grant} ${[...before.chosen]} to ${after.grant} ${[...after.chosen]}`)
    }
  t.same(changeOf(some[3]!, some[3]!), {}, 'nothing to send when nothing changes')
})

t.test('plots', async t => {
  t.same(ticks(0), [0, 1])
  t.same(ticks(10), [0, 2.5, 5, 7.5, 10])
  t.same(ticks(0.0009), [0, 0.00025, 0.0005, 0.00075, 0.001])
  for (const most of [1e-7, 0.3, 7, 99, 101, 123_456]) {
    const steps = ticks(most)
    t.ok(steps.at(-1)! >= most && steps.length >= 2 && steps.length <= 7, `${most}: ${steps}`)
  }
  const box = { width: 100, height: 10 }
  t.equal(line([0, 5, undefined, 10, 20], 10, box), 'M0 10L25 5M75 0L100 0')
  t.equal(area([undefined, 5, 10], 10, box), 'M50 10L50 5L100 0L100 10Z')
  t.equal(line([], 1, box), '')
  t.same([nearest(-1, 5), nearest(0.5, 5), nearest(2, 5)], [0, 2, 4])
})

t.test('rates come of counts', async t => {
  const sample = (time: number, requests: number, p99: number | null) => ({
    time,
    requests,
    failed: 0,
    refused: 0,
    connections: 3,
    median: null,
    p99,
    commit: null,
  })
  t.same(ratesOf([]).times, [])
  const { times, requests, p99, connections, median } = ratesOf([
    sample(10, 100, null),
    sample(15, 150, 0.2),
    sample(20, 0, null),
    sample(20, 0, null),
  ])
  t.same(times, [15_000, 20_000, 20_000])
  t.same(requests, [10, 0, undefined])
  t.same(p99, [0.2, undefined, undefined])
  t.same(median, [undefined, undefined, undefined])
  t.same(connections, [3, 3, 3])
})

t.test('the life of an object', async t => {
  const dates = {
    initial_date: 100,
    activation_date: '1970-01-01T00:01:50Z',
    deactivation_date: 300,
    original_creation_date: 100,
    last_change_date: 110,
    name: 'x',
    destroy_date: 'never',
  }
  t.same(eventsOf(dates, 200_000), [
    { title: 'Made', atMs: 100_000, isPast: true },
    { title: 'Activated', atMs: 110_000, isPast: true },
    { title: 'Will be deactivated', atMs: 300_000, isPast: false },
  ])
  t.same(
    eventsOf({ initial_date: 100, last_change_date: 150 }, 200_000).map(event => event.title),
    ['Made', 'Last changed'],
  )
})

t.test('files of credentials', async t => {
  const answer = { serial_number: '123456789012', certificate: 'CERT', ca_chain: ['MIDDLE', 'ROOT\n'], private_key: 'KEY' }
  t.equal(bundleOf(answer), 'KEY\nCERT\nMIDDLE\nROOT\n')
  t.equal(credentialFile('finance', 'accounting', answer).name, 'finance-accounting-12345678.pem')
  t.equal(credentialFile('../..', '<b>', answer).name, '__..-_b_-12345678.pem')
  const file = credentialFile('a', 'b', { ...answer, pkcs12: Buffer.from([0, 255, 1]).toString('base64') })
  t.match(file, { name: 'a-b-12345678.p12', type: 'application/x-pkcs12' })
  t.same([...(file.contents as Uint8Array)], [0, 255, 1])
})

t.test('the API', async t => {
  const sent: { url: string; init: RequestInit }[] = []
  let answer = new Response(null, { status: 204 })
  const api = new Api('secret', async (url, init) => {
    sent.push({ url: String(url), init: init! })
    return answer.clone()
  })
  await api.write(path('kmip', 'scope', 'a b'), { force: true })
  t.match(sent[0], {
    url: '/v1/kmip/scope/a%20b',
    init: { method: 'POST', body: '{"force":true}', headers: { 'X-Vault-Token': 'secret' } },
  })
  t.notMatch(sent[0]!.url, 'secret')
  answer = Response.json({ errors: [] }, { status: 404 })
  t.same(await api.list('x', { after: 'y', state: '' }), { keys: [] })
  t.equal(sent[1]!.url, '/v1/x?list=true&after=y')
  await t.rejects(api.read('x'), new ApiError(404, []))
  answer = Response.json({ errors: ['1 error occurred:\n\t* no such scope\n\n'] }, { status: 400 })
  const refusal = await api.read('x').catch((err: unknown) => err)
  t.equal(sentenceOf(refusal), 'no such scope')
  for (const [response, wanted] of [
    [Response.json({ errors: ['permission denied'] }, { status: 403 }), /policies/],
    [new Response('<html>', { status: 502 }), /something between/],
    [Response.json({ errors: 'odd' }, { status: 500 }), /status 500/],
    [Response.json({}, { status: 503 }), /cannot serve/],
  ] as const) {
    answer = response
    t.match(sentenceOf(await api.read('x').catch((err: unknown) => err)), wanted)
  }
  answer = Response.json({ auth: { client_token: 'hvs.new' } })
  t.equal(await api.makeToken({ ttl: '1h' }), 'hvs.new')
  t.match(sent.at(-1), { url: '/v1/auth/token/create', init: { method: 'POST', body: '{"ttl":"1h"}' } })
  const cut = new Api('secret', async () => Promise.reject(new TypeError('fetch failed')))
  await t.rejects(cut.remove('x'), new ApiError(0, ['The server does not answer.']))
  t.match(sentenceOf(new Error('x')), /console itself/)
})
