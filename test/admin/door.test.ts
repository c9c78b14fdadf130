import t from 'tap'
import { expressionOf } from '../../src/admin/match.ts'
import { openApiOf } from '../../src/admin/openapi.ts'
import { bound, type Mounted, routeFor } from '../../src/admin/route.ts'
import { doorLab } from './lab.ts'

type Shelf = Map<string, Record<string, unknown>>
const route = routeFor<Shelf>()
const ROUTES = [
  route({
    path: 'thing',
    summary: 'Things.',
    actions: { list: { run: async (_, shelf) => (shelf.size === 0 ? undefined : { data: { keys: [...shelf.keys()] } }) } },
  }),
  route({
    path: 'thing/:thing',
    summary: 'One thing.',
    params: { thing: 'Its name.' },
    fields: {
      port: { type: 'integer', description: 'A port.', default: 22 },
      names: { type: 'list', description: 'Names.' },
      on: { type: 'boolean', description: 'Whether.' },
      ttl: { type: 'duration', description: 'How long.' },
      tags: { type: 'pairs', description: 'Tags.' },
    },
    exists: async ({ params }, shelf) => shelf.has(params.thing),
    actions: {
      write: {
        run: async ({ params, fields }, shelf) => {
          shelf.set(params.thing, { ...fields })
          return fields.port === 0 ? undefined : { data: { ...fields } }
        },
      },
      read: {
        run: async ({ params }, shelf) => {
          if (params.thing === 'broken') throw new Error('a secret detail')
          const data = shelf.get(params.thing)
          return data && { data }
        },
      },
      delete: {
        run: async ({ params }, shelf) => {
          shelf.delete(params.thing)
          return undefined
        },
      },
    },
  }),
  route({ path: 'tree/:path+/leaf', summary: 'A leaf.', actions: { read: { run: async ({ params }) => ({ data: { ...params } }) } } }),
  route({ path: 'open', summary: 'For all.', access: 'open', actions: { read: { run: async () => ({ bare: { up: true } }) } } }),
  route({
    path: 'top',
    summary: 'For some.',
    access: 'sudo',
    actions: { read: { run: async () => ({ data: { a: 1 }, repeated: true }) } },
  }),
]

function shelfLab() {
  const shelf: Shelf = new Map()
  const routes = bound(ROUTES, shelf)
  const mounts: readonly Mounted[] = [
    { path: 'shelf/', type: 'shelf', routes },
    { path: 'shelf/inner/', type: 'other', routes },
  ]
  return { shelf, mounts, ...{ lab: doorLab(() => mounts) } }
}

t.test('a request is read, routed and answered in the envelope', async t => {
  const { lab } = shelfLab()
  const made = await lab.ask('PUT', '/v1/shelf/thing/x', {
    port: '2222',
    names: 'a, b',
    on: 'true',
    ttl: '1h30m',
    tags: 'a=b',
    other: null,
  })
  t.match(made, {
    status: 200,
    headers: { 'Cache-Control': 'no-store', 'Content-Type': 'application/json' },
    body: { lease_id: '', renewable: false, lease_duration: 0, wrap_info: null, auth: null, mount_type: 'shelf' },
  })
  t.match(made.body.request_id, /^[0-9a-f-]{36}$/)
  t.same(made.body.data, { port: 2222, names: ['a', 'b'], on: true, ttl: 5400, tags: { a: 'b' } })
  t.same(made.body.warnings, ['Endpoint ignored these unrecognized parameters: [other]'])
  const again = await lab.ask('POST', '/v1/shelf/thing/x', { port: 1, thing: 'y', zz: 1, aa: 2 })
  t.same(again.body.warnings, [
    'Endpoint ignored these unrecognized parameters: [aa zz]',
    "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [thing]",
  ])
  t.match(await lab.ask('PUT', '/v1/shelf/thing/y', { port: 0, zz: 1 }), { status: 204, body: { text: '' } })
  t.same((await lab.ask('GET', '/v1/shelf/tree/a/b/leaf')).body.data, { path: 'a/b' })
  t.match(await lab.ask('GET', '/v1/shelf/inner/thing?list=true'), { status: 200, body: { mount_type: 'other' } }, 'the longest mount')
  t.match(await lab.ask('GET', '/v1/shelf/top'), { status: 200, body: { a: 1, data: { a: 1 } } })
  t.match(await lab.ask('GET', '/v1/shelf/thing/x', undefined, { 'x-vault-namespace': 'admin' }), {
    headers: { 'X-Vault-Namespace': 'admin' },
  })
})

t.test('all ways to list are one', async t => {
  const { lab, shelf } = shelfLab()
  const ways = [
    ['GET', '?list=true'],
    ['GET', '/?list=1'],
    ['LIST', ''],
    ['LIST', '/'],
  ] as const
  for (const [method, rest] of ways) t.match(await lab.ask(method, `/v1/shelf/thing${rest}`), { status: 404, body: { errors: [] } })
  shelf.set('a', {})
  for (const [method, rest] of ways) t.same((await lab.ask(method, `/v1/shelf/thing${rest}`)).body.data, { keys: ['a'] }, method + rest)
  t.match(await lab.ask('GET', '/v1/shelf/thing?list=maybe'), { status: 400, body: { errors: [] } })
})

// method, target below /v1/, body, headers; status and errors that are wanted
const CASES: readonly [string, string, unknown, Record<string, string>, number, RegExp | undefined][] = [
  ['GET', 'nowhere/x', undefined, {}, 404, /^no handler for route "nowhere\/x"\. route entry not found\.$/],
  ['GET', '', undefined, {}, 404, /^no handler for route ""/],
  ['GET', 'shelf/nothing', undefined, {}, 404, /^1 error occurred:\n\t\* unsupported path\n\n$/],
  ['GET', 'shelf/thing/a%20b', undefined, {}, 404, /unsupported path/],
  ['GET', 'shelf/thing', undefined, {}, 405, /^unsupported operation$/],
  ['OPTIONS', 'shelf/thing', undefined, {}, 405, /^1 error occurred:\n\t\* unsupported operation\n\n$/],
  ['GET', 'shelf/thing/x', undefined, {}, 404, undefined],
  ['GET', 'shelf/thing/x', undefined, { 'x-vault-token': '' }, 403, /^permission denied$/],
  ['GET', 'nowhere/x', undefined, { 'x-vault-token': '' }, 403, /^permission denied$/],
  [
    'GET',
    'shelf/thing/x',
    undefined,
    { 'x-vault-token': 'q' },
    403,
    /^2 errors occurred:\n\t\* permission denied\n\t\* invalid token\n\n$/,
  ],
  ['GET', 'shelf/top', undefined, { 'x-vault-token': 'reader' }, 403, /^permission denied$/],
  [
    'PUT',
    'shelf/thing/x',
    { port: 'abc' },
    {},
    400,
    /^Field validation failed: error converting input for field "port": cannot parse '' as int: strconv\.ParseInt: parsing "abc": invalid syntax$/,
  ],
  ['PUT', 'shelf/thing/x', { on: 'maybe' }, {}, 400, /strconv\.ParseBool: parsing "maybe"/],
  ['PUT', 'shelf/thing/x', { ttl: 'soon' }, {}, 400, /time: invalid duration "soon"/],
  ['PUT', 'shelf/thing/x', { names: [{}] }, {}, 400, /field "names"/],
  ['PUT', 'shelf/thing/x', '{bad secret', {}, 400, /^failed to parse JSON input: it is not JSON$/],
  ['PUT', 'shelf/thing/x', '[1]', {}, 400, /cannot unmarshal array into Go value/],
  ['PUT', 'shelf/thing/x', `{"names":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, {}, 400, /nested in more than 200 levels$/],
  ['PATCH', 'shelf/thing/x', {}, {}, 415, /provided application\/x-www-form-urlencoded$/],
  ['PATCH', 'shelf/thing/x', {}, { 'content-type': 'application/merge-patch+json' }, 405, /^unsupported operation$/],
  ['GET', 'shelf/../sys/x', undefined, {}, 400, /^relative paths/],
  ['GET', 'shelf/%2e%2e/x', undefined, {}, 400, /^relative paths/],
  ['GET', 'shelf/%ff', undefined, {}, 400, /percent-encoded/],
  ['GET', 'shelf//thing', undefined, {}, 400, /empty part/],
  ['GET', 'shelf/a%00', undefined, {}, 400, /control/],
  ['GET', 'shelf/thing/x', undefined, { 'x-vault-wrap-ttl': 'x' }, 400, /wrap ttl/],
  ['PUT', 'shelf/thing/x', `{"port":${' '.repeat(70_000)}1}`, {}, 413, /too large/],
]
t.test('what is refused is refused with the texts of Vault', async t => {
  const { lab } = shelfLab()
  for (const [method, target, body, headers, status, text] of CASES) {
    const reply = await lab.ask(method, `/v1/${target}`, body, headers)
    t.equal(reply.status, status, `${method} ${target}`)
    if (text) t.match(reply.body.errors.join('; '), text)
    else t.same(reply.body, { errors: [] })
  }
  t.match(await lab.ask('GET', '/elsewhere'), { status: 404 })
})

t.test('tokens come in either header, and forms as curl sends them', async t => {
  const { lab } = shelfLab()
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  t.match(await lab.ask('PUT', '/v1/shelf/thing/x', '{"port":5}', form), { body: { data: { port: 5 } } })
  t.match(await lab.ask('PUT', '/v1/shelf/thing/x', 'port=6&names=a&names=b', form), { body: { data: { port: 6, names: ['a', 'b'] } } })
  t.match(await lab.ask('PUT', '/v1/shelf/thing/x', 'null'), { status: 200 })
  t.match(await lab.ask('PUT', '/v1/shelf/thing/x', ''), { status: 200 })
  t.match(await lab.ask('GET', '/v1/shelf/thing/x', undefined, { 'x-vault-token': '', authorization: 'Bearer root' }), { status: 200 })
  t.match(await lab.ask('GET', '/v1/shelf/open', undefined, { 'x-vault-token': '' }), { status: 200, body: { up: true } })
})

t.test('guards see create where nothing was, and the trail sees everything before it happens', async t => {
  const { lab, shelf } = shelfLab()
  await lab.ask('PUT', '/v1/shelf/thing/x', {})
  await lab.ask('PUT', '/v1/shelf/thing/x', {})
  await lab.ask('PUT', '/v1/shelf/thing/x', {}, { 'x-vault-token': 'reader' })
  t.same(
    lab.trail.map(({ request, refusal, outcome }) => [request.operation, refusal, outcome?.status]),
    [
      ['create', undefined, undefined],
      ['create', undefined, 200],
      ['update', undefined, undefined],
      ['update', undefined, 200],
      ['update', 'permission denied', undefined],
      ['update', undefined, 403],
    ],
  )
  lab.broken = true
  t.match(await lab.ask('PUT', '/v1/shelf/thing/untold', {}), { status: 500, body: { errors: ['internal error'] } })
  t.notOk(shelf.has('untold'), 'nothing is done that cannot be recorded')
})

t.test('an answer can be wrapped, and errors that nobody foresaw say nothing', async t => {
  const { lab, shelf } = shelfLab()
  shelf.set('x', { a: 1 })
  const wrapped = await lab.ask('GET', '/v1/shelf/thing/x', undefined, { 'x-vault-wrap-ttl': '60s' })
  t.match(wrapped.body, { request_id: '', data: null, wrap_info: { ttl: 60, creation_path: 'shelf/thing/x' }, mount_type: '' })
  t.same((await lab.ask('GET', '/v1/shelf/open', undefined, { 'x-vault-token': '', 'x-vault-wrap-ttl': '60s' })).body, { up: true })
  t.match(await lab.ask('GET', '/v1/shelf/thing/broken'), { status: 500, body: { errors: ['internal error'] } })
  t.match(lab.errors, [{ message: 'a secret detail' }])
})

t.test('help and the OpenAPI document come from the rows', async t => {
  const { lab, mounts } = shelfLab()
  const { body } = await lab.ask('GET', '/v1/shelf/thing/x?help=1')
  t.match(body.help, /^Request: +thing\/x\nMatching Route: \^thing\/\(\?<thing>/)
  t.match(body.help, / {4}port \(int\)\n\n {8}A port\./)
  t.match(Object.keys(body.openapi.paths), ['/shelf/thing/{thing}'])
  t.match((await lab.ask('GET', '/v1/shelf/?help=1')).body.help, /\^tree\/\(\?<path>/)
  t.match(await lab.ask('GET', '/v1/shelf/none/x?help=1'), { status: 404 })
  const [mount] = mounts
  const { paths } = openApiOf([{ mount: mount!, routes: mount!.routes }], '1') as { paths: Record<string, Record<string, unknown>> }
  t.match(paths['/shelf/thing/{thing}'], { get: {}, post: { requestBody: {} }, delete: {}, parameters: [{ name: 'thing', in: 'path' }] })
  t.match(paths['/shelf/thing'], { get: { parameters: [{ name: 'list' }] } })
  t.equal(expressionOf('a/:b+'), '^a/(?<b>.+?)$')
})
