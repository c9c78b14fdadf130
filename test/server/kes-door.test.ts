import { createPrivateKey, randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { readKesConfig } from '../../src/kes/config.ts'
import { openKeyStore } from '../../src/keystore/open.ts'
import { createEngine } from '../../src/ops/create-engine.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { readKesCredential } from '../../src/server/kes-credential.ts'
import { KesServer } from '../../src/server/kes-door.ts'
import { liveKes, openKesDoor } from '../../src/server/kes-in-daemon.ts'
import { createLog } from '../../src/server/log.ts'
import { openMemory } from '../../src/store/memory.ts'
import { admin, app, stranger } from '../kes/lab.ts'
import { openScopes } from '../scopes/opened.ts'
import { ask, of } from './kes-lab.ts'
import { Pki } from './lab.ts'

const pki = await Pki.make()
const KEYS = { '/v1/key/create/*': {}, '/v1/key/generate/*': {} }

/** A server by a file in a directory of its own, and ways to change it. */
async function start(t: Test, more: object = {}) {
  const dir = t.testdir({ keys: {} })
  const lines: string[] = []
  const errors: string[] = []
  await certify()
  write(more)
  const server = await KesServer.start({
    read: async () => read(),
    openKeyStore: settings => openKeyStore(settings),
    sinks: {
      audit: (_, line) => void (line !== undefined && lines.push(line)),
      log: (_level, _message, _asked, line) => void errors.push(line),
    },
    version: 'test',
  })
  t.teardown(() => server.stop())
  const port = Number(server.address.split(':').at(-1))
  return { server, dir, lines, errors, port, write, certify }

  function read() {
    return readKesConfig(readFileSync(join(dir, 'config.yml'), 'utf8'), {})
  }
  function write(more: object): void {
    const config = {
      address: '127.0.0.1:0',
      admin: { identity: admin.identity },
      tls: { key: join(dir, 'server.key'), cert: join(dir, 'server.crt') },
      policy: { app: { allow: Object.keys(KEYS), identities: [app.identity] } },
      keystore: { fs: { path: join(dir, 'keys') } },
      ...more,
    }
    writeFileSync(join(dir, 'config.yml'), JSON.stringify(config))
  }
  async function certify(): Promise<string> {
    const { certificate, key } = await pki.server()
    writeFileSync(join(dir, 'server.crt'), certificate)
    writeFileSync(join(dir, 'server.key'), key)
    return certificate
  }
}

t.test('requests over both versions of HTTP', async t => {
  const { port, lines, errors, dir } = await start(t, { keys: [{ name: 'made-before' }], log: { audit: 'on' } })
  t.equal((await ask(port, 'GET', '/v1/key/describe/made-before')).status, 200)
  t.equal((await ask(port, 'PUT', '/v1/key/create/k', { client: app })).status, 200)
  t.match(
    lines.at(-1),
    new RegExp(
      `^time=\\S+ level=INFO msg="secret key 'k' created" req.method=PUT req.path=/v1/key/create/k req.ip=127.0.0.1 req.identity=${app.identity} res.code=200 res.time=`,
    ),
  )
  t.equal((await ask(port, 'PUT', '/v1/key/create/k', { client: stranger })).status, 403)
  t.match(lines.at(-1), /res.code=403/)
  t.match(errors.at(-1), /level=WARN msg="not authorized: insufficient permissions: no policy names/)
  t.ok(readFileSync(join(dir, 'keys', 'k')))
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ...of(app) })
  const stream = session.request({ ':method': 'POST', ':path': '/v1/key/generate/k' })
  stream.end('{}')
  let text = ''
  for await (const piece of stream) text += piece
  t.match(JSON.parse(text), { plaintext: String, ciphertext: String })
  session.destroy()
  const none = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  const [error] = await once(none, 'error')
  t.match(error, /certificate required/)
})

t.test('another configuration, and no request is lost', async t => {
  const { server, port, write, certify, dir } = await start(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  t.teardown(() => agent.destroy())
  await ask(port, 'PUT', '/v1/key/create/k')
  const statuses: number[] = []
  let going = true
  const load = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (going) statuses.push((await ask(port, 'PUT', '/v1/key/generate/k', { agent })).status)
    }),
  )
  const certificate = await certify()
  write({ api: { '/v1/ready': { skip_auth: true } }, policy: {} })
  await server.reload()
  t.equal((await ask(port, 'GET', '/v1/ready', { client: undefined })).status, 200, 'open to everybody now')
  t.equal((await ask(port, 'PUT', '/v1/key/create/l', { client: app })).status, 403, 'the policy is gone')
  const shown = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(shown, 'secureConnect')
  t.ok(certificate.startsWith(shown.getPeerX509Certificate()!.toString().trim()), 'the new certificate')
  shown.destroy()
  for (const broken of [
    { keystore: {} },
    { tls: { key: join(dir, 'none'), cert: join(dir, 'server.crt') } },
    { keys: [{ name: 'x' }], keystore: { fs: { path: '/dev/null/x' } } },
  ]) {
    write(broken)
    await t.rejects(server.reload())
  }
  t.equal((await ask(port, 'GET', '/v1/ready', { client: undefined })).status, 200, 'what is wrong changes nothing')
  going = false
  await load
  t.same([...new Set(statuses)], [200], `${statuses.length} requests meanwhile`)
})

t.test('a key store that counts no more is closed when the requests that it serves have had their time', async t => {
  const { server, write } = await start(t, { api: { '/v1/key/create/': { timeout: '50s' }, '/v1/key/list/': { timeout: '1000h' } } })
  const { setTimeout: usual } = globalThis
  const closings: number[] = []
  globalThis.setTimeout = ((work: () => void, ms = 0) => {
    if (ms >= 15_000) closings.push(ms)
    return usual(work, ms)
  }) as typeof usual
  t.teardown(() => {
    globalThis.setTimeout = usual
  })
  write({ api: { '/v1/key/create/': { timeout: '50s' } } })
  await server.reload()
  write({})
  await server.reload()
  await server.reload()
  t.same(closings, [2 ** 31 - 1, 50_000, 15_000])
})

t.test('the files of TLS', async t => {
  const { dir, server } = await start(t)
  const key = createPrivateKey(readFileSync(join(dir, 'server.key')))
  const cert = join(dir, 'server.crt')
  const files = {
    'pkcs8.key': { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'p' },
    'legacy.key': { type: 'sec1', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'p' },
  } as const
  for (const [name, form] of Object.entries(files)) {
    writeFileSync(join(dir, name), String(key.export(form as never)))
    const tls = { key: join(dir, name), cert, auth: false }
    t.ok(readKesCredential({ ...tls, password: 'p' }), name)
    t.throws(() => readKesCredential({ ...tls, password: 'q' }), /cannot be opened/)
    t.throws(() => readKesCredential(tls), /cannot be opened/)
  }
  writeFileSync(join(dir, 'both.pem'), readFileSync(cert, 'utf8') + readFileSync(join(dir, 'server.key'), 'utf8'))
  t.ok(readKesCredential({ key: join(dir, 'both.pem'), cert, auth: false, password: 'for nothing' }))
  writeFileSync(join(dir, 'app.crt'), app.pem)
  writeFileSync(join(dir, 'app.key'), app.key)
  t.throws(
    () => readKesCredential({ key: join(dir, 'app.key'), cert: join(dir, 'app.crt'), auth: false }),
    /does not contain any DNS or IP address as SAN/,
  )
  t.throws(() => readKesCredential({ key: join(dir, 'app.key'), cert, auth: false }), /is not that of the certificate/)
  t.throws(() => readKesCredential({ key: join(dir, 'server.key'), cert, auth: true, ca: dir }), /there is no certificate in/)
  t.throws(() => readKesCredential({ key: join(dir, 'none'), cert, auth: false }), /failed to read TLS private key/)
  t.equal(readKesCredential({ key: join(dir, 'server.key'), cert, auth: true, ca: cert }).trusted.length, 2)
  t.match(liveKes(server).policies, [{ name: 'app', identities: [app.identity] }])
})

t.test('keys as KMIP objects, beside the other doors', async t => {
  const records = await openRecords({ store: await openMemory(), providers: [localProvider(newLocalKey())] })
  t.teardown(() => records.close())
  const scopes = await openScopes({ records, now: Date.now })
  const engine = createEngine({ records, now: () => BigInt(Math.floor(Date.now() / 1000)), randomBytes, newId: randomUUID })
  const written: string[] = []
  const { certificate, key } = await pki.server()
  const settings = readKesConfig(
    JSON.stringify({
      address: '127.0.0.1:0',
      admin: { identity: admin.identity },
      tls: { key: 'x', cert: 'x' },
      keystore: { native: {} },
      policy: { p: { allow: ['/v1/key/*/x'] } },
    }),
    {},
  )
  const logged: string[] = []
  let isFull = false
  const server = await openKesDoor({
    source: { read: async () => settings, ownCertificate: true },
    data: { records, scopes },
    engine,
    audit: {
      write(lines) {
        if (isFull) throw new Error('the disk is full')
        written.push(...lines.trim().split('\n'))
      },
      reopen: () => undefined,
      close: () => undefined,
    },
    log: createLog({ destination: { write: line => void logged.push(line) } }),
    version: 'test',
    credential: () => ({ certificate, key }),
    newId: randomUUID,
  })
  t.teardown(() => server.stop())
  t.match(logged[0], /never matches/, 'warnings stand in the log')
  const port = Number(server.address.split(':').at(-1))
  t.equal((await ask(port, 'PUT', '/v1/key/create/k')).status, 200)
  const dek = JSON.parse((await ask(port, 'PUT', '/v1/key/generate/k')).body)
  t.equal(
    (await ask(port, 'PUT', '/v1/key/decrypt/k', { body: JSON.stringify({ ciphertext: dek.ciphertext }) })).body,
    `{"plaintext":"${dek.plaintext}"}\n`,
  )
  t.equal((await ask(port, 'PUT', '/v1/key/create/k', { client: stranger })).status, 403)
  t.match(
    written.map(line => JSON.parse(line)),
    [
      { type: 'audit', door: 'kes', operation: 'key/create', object: 'k', identity: admin.identity, status: 'Success', code: 200 },
      { operation: 'key/generate' },
      { operation: 'key/decrypt' },
      {
        operation: 'key/create',
        identity: stranger.identity,
        status: 'Failure',
        code: 403,
        reason: 'not authorized: insufficient permissions',
      },
    ],
  )
  isFull = true
  t.match(await ask(port, 'GET', '/version'), { status: 500, body: 'internal error\n' }, 'no answer without its audit')
})
