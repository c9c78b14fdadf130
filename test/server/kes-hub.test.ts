import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import t, { type Test } from 'tap'
import { readKesConfig } from '../../src/kes/config.ts'
import { openKeyStore } from '../../src/keystore/open.ts'
import { KesServer } from '../../src/server/kes-door.ts'
import { KesHub } from '../../src/server/kes-hub.ts'
import { Siblings } from '../../src/server/kes-siblings.ts'
import { admin, app, stranger } from '../kes/lab.ts'
import { ask, listen } from './kes-lab.ts'
import { Pki } from './lab.ts'

const { certificate, key } = await (await Pki.make()).server()

/** What it is at the other end of the channel between processes. */
const sent = <T>(value: T): T => deserialize(serialize(value))

/** Two doors that one hub holds together, as if each were a process of its own. */
async function start(t: Test, more: object = {}) {
  const dir = t.testdir({ keys: {}, 'server.key': key, 'server.crt': certificate })
  const members = new Map<number, Siblings>()
  const opened: string[] = []
  const write = (more: object): void => {
    const config = {
      address: '127.0.0.1:0',
      admin: { identity: admin.identity },
      tls: { key: join(dir, 'server.key'), cert: join(dir, 'server.crt') },
      policy: { app: { allow: ['/v1/key/generate/*', '/v1/key/decrypt/*'], identities: [app.identity] } },
      cache: { expiry: { any: '1h', unused: '1h' } },
      keystore: { fs: { path: join(dir, 'keys') } },
      ...more,
    }
    writeFileSync(join(dir, 'config.yml'), JSON.stringify(config))
  }
  write(more)
  const hub = await KesHub.open({
    read: async () => readKesConfig(readFileSync(join(dir, 'config.yml'), 'utf8'), {}),
    openKeyStore: settings => {
      opened.push(settings.kind)
      return openKeyStore(settings)
    },
    members: {
      async askKes(question) {
        return new Map([...members].map(([id, member]) => [id, sent(member.answer(sent(question)))]))
      },
      async askOneOfKes(id, question) {
        return sent(members.get(id)?.answer(sent(question)))
      },
    },
  })
  t.teardown(() => hub.stop())
  const servers: KesServer[] = []
  for (const id of [1, 2]) {
    const call = async (call: Parameters<KesHub['answer']>[0]) => sent(await hub.answer(sent(call), id))
    const siblings = new Siblings({ ticketKeys: Buffer.alloc(48, 1), count: 2, call })
    members.set(id, siblings)
    const server = await KesServer.start({
      read: () => siblings.settings(),
      readCredential: () => siblings.credential(),
      openKeyStore: async () => siblings.keyStore(),
      siblings,
      sinks: { audit: () => undefined, log: () => undefined },
      version: 'test',
    })
    t.teardown(() => server.stop())
    servers.push(server)
  }
  const [one, two] = servers.map(({ address }) => Number(address.split(':').at(-1))) as [number, number]
  return { dir, hub, servers, members, opened, write, one, two }
}

const metric = (text: string, name: string): number =>
  Number(
    text
      .split('\n')
      .find(line => line.startsWith(`${name} `))
      ?.split(' ')[1],
  )

for (const keystore of [{ fs: {} }, { memory: {} }])
  t.test(`a key is the same for all: ${Object.keys(keystore)}`, async t => {
    const { one, two, opened } = await start(
      t,
      'memory' in keystore ? { keystore, keys: [{ name: 'made' }] } : { keys: [{ name: 'made' }] },
    )
    t.same(opened, [Object.keys(keystore)[0]], 'the store is opened once')
    for (const port of [one, two]) t.equal((await ask(port, 'PUT', '/v1/key/generate/made')).status, 200, 'made before')
    t.equal((await ask(one, 'PUT', '/v1/key/create/k')).status, 200)
    t.match(await ask(two, 'PUT', '/v1/key/create/k'), { status: 400, body: /already exists/ })
    const old = JSON.parse((await ask(two, 'PUT', '/v1/key/generate/k')).body)
    const decrypt = (port: number) => ask(port, 'PUT', '/v1/key/decrypt/k', { body: JSON.stringify({ ciphertext: old.ciphertext }) })
    t.equal((await decrypt(one)).body, `{"plaintext":"${old.plaintext}"}\n`)
    t.equal((await ask(one, 'DELETE', '/v1/key/delete/k')).status, 200)
    for (const port of [one, two]) t.equal((await ask(port, 'PUT', '/v1/key/generate/k')).status, 404, 'gone at once, cache or not')
    t.equal((await ask(two, 'PUT', '/v1/key/create/k')).status, 200)
    for (const port of [one, two]) t.match(await decrypt(port), { status: 400, body: /not authentic/ }, 'another key of the name')
    t.match((await ask(two, 'GET', '/v1/key/list/')).body, /"names":\["k","made"\]/)
    t.match(JSON.parse((await ask(one, 'GET', '/v1/key/describe/k')).body), { name: 'k', created_by: admin.identity })
  })

t.test('what all count', async t => {
  const { one, two, hub, members } = await start(t)
  await ask(one, 'PUT', '/v1/key/create/k')
  for (const port of [one, two, two]) await ask(port, 'PUT', '/v1/key/generate/k')
  for (const port of [one, two]) await ask(port, 'PUT', '/v1/key/generate/none')
  const of = async (port: number) => (await ask(port, 'GET', '/v1/metrics')).body
  for (const port of [one, two]) {
    const text = await of(port)
    t.equal(metric(text, 'kes_http_request_success{code="200"}'), 4)
    t.equal(metric(text, 'kes_http_request_error{code="404"}'), 2)
    t.equal(metric(text, 'kes_http_response_time_count'), 6)
    t.equal(metric(text, 'kes_http_response_time_bucket{le="+Inf"}'), 6)
    t.equal(metric(text, 'kes_http_request_active'), 1)
  }
  t.equal(metric(await of(one), 'kes_log_audit_events'), 8, 'the two that asked for metrics too')
  const { system } = (await hub.answer({ do: 'figures' }, 1)) as { system: { threads: number } }
  t.equal(system.threads, 15, 'two doors and the hub')
  t.equal(JSON.parse((await ask(two, 'GET', '/v1/status')).body).num_cpu, metric(await of(one), 'kes_system_num_cpu'))
  members.delete(2)
  hub.left(2)
  t.equal(metric(await of(one), 'kes_http_request_success{code="200"}'), 4, 'what a process counted that is no more, is not forgotten')
})

t.test('streams tell what happens in all', async t => {
  const { one, two, servers } = await start(t)
  const audit = await listen(t, one, '/v1/log/audit')
  const errors = await listen(t, two, '/v1/log/error')
  await ask(two, 'PUT', '/v1/key/create/k', { client: stranger })
  const refused = { request: { path: '/v1/key/create/k', identity: stranger.identity }, response: { code: 403 } }
  t.match(await audit(), { request: { path: '/v1/log/audit' } })
  t.match(await audit(), { request: { path: '/v1/log/error' } }, 'of the other door')
  t.match(await audit(), refused)
  t.match(await errors(), { message: /level=WARN msg="not authorized.*req.path=\/v1\/key\/create\/k/ }, 'its own')
  await ask(one, 'PUT', '/v1/key/create/l', { client: stranger })
  t.match(await audit(), { request: { path: '/v1/key/create/l' } })
  t.match(await errors(), { message: /req.path=\/v1\/key\/create\/l/ })
  t.ok(servers.every(({ telemetry }) => telemetry.audit.isHeard))
})

t.test('who listens no more costs nothing', async t => {
  const { servers, hub } = await start(t)
  const abort = new AbortController()
  const lines = await servers[0]!.telemetry.errors.listen(abort.signal)
  t.ok(servers[1]!.telemetry.errors.isHeard)
  t.notOk(servers[1]!.telemetry.audit.isHeard)
  servers[1]!.telemetry.errors.tell('a line\n')
  for await (const line of lines) {
    t.equal(line, 'a line\n')
    abort.abort()
  }
  t.notOk(servers[0]!.telemetry.errors.isHeard)
  await servers[1]!.telemetry.errors.listen(new AbortController().signal)
  hub.left(2)
  await hub.answer({ do: 'listen', stream: 'audit', isHeard: false }, 1)
  t.notOk(servers[0]!.telemetry.errors.isHeard, 'nor a process that is no more')
})

t.test('another configuration, for all', async t => {
  const { dir, one, two, hub, servers, opened, write } = await start(t)
  await ask(one, 'PUT', '/v1/key/create/k')
  const generate = (port: number) => ask(port, 'PUT', '/v1/key/generate/k', { client: app })
  for (const port of [one, two]) t.equal((await generate(port)).status, 200)
  write({ keystore: { fs: { path: '/dev/null/x' } }, policy: {} })
  await t.rejects(hub.reload())
  for (const server of servers) await server.reload()
  for (const port of [one, two]) t.equal((await generate(port)).status, 200, 'what is wrong changes nothing')
  write({ policy: {}, keystore: { fs: { path: join(dir, 'other') } }, keys: [{ name: 'of-other' }] })
  await hub.reload()
  for (const server of servers) await server.reload()
  for (const port of [one, two]) {
    t.equal((await generate(port)).status, 403)
    t.equal((await ask(port, 'PUT', '/v1/key/generate/k')).status, 404, 'another store')
    t.equal((await ask(port, 'PUT', '/v1/key/generate/of-other')).status, 200)
  }
  t.equal(opened.length, 3)
})

t.test('a key store that fails', async t => {
  const { dir, one, two } = await start(t, { cache: { expiry: { any: '1h', offline: '1h' } } })
  await ask(one, 'PUT', '/v1/key/create/k')
  await ask(two, 'PUT', '/v1/key/generate/k')
  renameSync(join(dir, 'keys'), join(dir, 'away'))
  for (const port of [one, two]) {
    t.equal((await ask(port, 'GET', '/v1/ready')).status, 504)
    t.match(JSON.parse((await ask(port, 'GET', '/v1/status')).body), { keystore_unavailable: true, keystore_unreachable: true })
  }
  t.match(await ask(one, 'PUT', '/v1/key/create/k'), { status: 502 })
  t.equal((await ask(one, 'PUT', '/v1/key/generate/k')).status, 502, 'never as a missing key')
  t.equal((await ask(two, 'PUT', '/v1/key/generate/k')).status, 200, 'who has it in memory goes on')
})
