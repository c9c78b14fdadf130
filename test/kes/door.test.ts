import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import type { KeyStore, KeyStoreErrorCode } from '../../src/keystore/keystore.ts'
import { KeyStoreError } from '../../src/keystore/keystore.ts'
import { MemoryKeyStore } from '../../src/keystore/memory.ts'
import { keyUsage } from '../../src/pki/extensions.ts'
import { type Asking, admin, app, base64, Lab, makeClient, message, stranger } from './lab.ts'

const KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
const asApp: Asking = { client: app }

t.test('a key from its making to its end', async t => {
  const lab = new Lab()
  t.same(await lab.ask('PUT', '/v1/key/create/app-1'), { status: 200, headers: {}, body: '' })
  t.match(await lab.ask('POST', '/v1/key/create/app-1'), { status: 400, body: message('key already exists') })
  const described = JSON.parse((await lab.ask('GET', '/v1/key/describe/app-1')).body)
  t.match(described, { name: 'app-1', algorithm: 'AES256', created_at: '2023-11-14T22:13:20Z', created_by: admin.identity })
  for (const context of [undefined, base64('bucket/object')]) {
    const dek = JSON.parse((await lab.ask('PUT', '/v1/key/generate/app-1', { context })).body)
    t.equal(Buffer.from(dek.plaintext, 'base64').length, 32)
    t.equal(Buffer.from(dek.ciphertext, 'base64').length, 76)
    const opened = await lab.ask('POST', '/v1/key/decrypt/app-1', { ciphertext: dek.ciphertext, context })
    t.same(opened, { status: 200, headers: { 'Content-Type': 'application/json' }, body: `{"plaintext":"${dek.plaintext}"}\n` })
    const other = await lab.ask('POST', '/v1/key/decrypt/app-1', { ciphertext: dek.ciphertext, context: base64('else') })
    t.match(other, { status: 400, body: message('decryption failed: ciphertext is not authentic') })
  }
  for (const plaintext of ['', 'text']) {
    const { ciphertext } = JSON.parse((await lab.ask('PUT', '/v1/key/encrypt/app-1', { plaintext: base64(plaintext) })).body)
    t.equal((await lab.ask('PUT', '/v1/key/decrypt/app-1', { ciphertext })).body, `{"plaintext":"${base64(plaintext)}"}\n`)
  }
  t.match(await lab.ask('DELETE', '/v1/key/delete/app-1'), { status: 200, body: '' })
  t.match(await lab.ask('DELETE', '/v1/key/delete/app-1'), { status: 404, body: message('key does not exist') })
  t.match(await lab.ask('PUT', '/v1/key/generate/app-1'), { status: 404, body: message('key does not exist') })
  t.match(
    lab.events.map(({ message }) => message).filter(text => /secret key/.test(text)),
    ["secret key 'app-1' created", "secret key 'app-1' deleted"],
  )
  t.equal(lab.events.length, 16, 'every request is audited')
})

t.test('imported keys', async t => {
  const lab = new Lab()
  const CASES: [name: string, body: unknown, status: number, text: string][] = [
    ['a', { key: KEY.toString('base64'), cipher: 'AES256' }, 200, ''],
    ['b', { key: KEY.toString('base64'), cipher: 'ChaCha20' }, 200, ''],
    ['c', { key: KEY.toString('base64'), cipher: 'AES256-GCM_SHA256' }, 200, ''],
    ['d', { key: KEY.toString('base64'), cipher: 'XCHACHA20-POLY1305' }, 200, ''],
    ['e', { bytes: KEY.toString('base64') }, 200, ''],
    ['f', { key: KEY.toString('base64'), cipher: 'constructor' }, 406, message("algorithm 'constructor' is not supported")],
    ['f', { key: KEY.toString('base64') }, 406, message("algorithm '' is not supported")],
    ['f', { key: base64('short'), cipher: 'AES256' }, 406, message("invalid key size for 'AES256'")],
    ['f', '', 400, message('invalid import key request body')],
    ['a', { key: KEY.toString('base64'), cipher: 'AES256' }, 400, message('key already exists')],
  ]
  for (const [name, body, status, text] of CASES)
    t.match(await lab.ask('PUT', `/v1/key/import/${name}`, body), { status, body: text }, JSON.stringify(body))
  const algorithms = await Promise.all(
    ['a', 'b', 'c', 'd', 'e'].map(async name => JSON.parse((await lab.ask('GET', `/v1/key/describe/${name}`)).body).algorithm),
  )
  t.same(algorithms, ['AES256', 'ChaCha20', 'AES256', 'ChaCha20', 'AES256'])
})

t.test('bodies as Go reads them', async t => {
  const lab = new Lab()
  await lab.ask('PUT', '/v1/key/create/k')
  const invalid = message('invalid request body')
  const CASES: [body: string, status: number][] = [
    ['{"PlainText":"eA==","x":1,"version":"v1"}', 200],
    ['{"plaintext":"eA=="}xyz', 200],
    ['{"plaintext":"eA\\n=="}', 200],
    ['{"plaintext":null}', 200],
    ['null', 200],
    ['', 400],
    ['{', 400],
    ['[]', 400],
    ['"x"', 400],
    ['{"plaintext":1}', 400],
    ['{"plaintext":"eA"}', 400],
    ['{"plaintext":"-_-_"}', 400],
    ['{"plaintext":"eA=="', 400],
  ]
  for (const [body, status] of CASES) {
    const answer = await lab.ask('PUT', '/v1/key/encrypt/k', body)
    t.equal(answer.status, status, body)
    if (status === 400) t.equal(answer.body, invalid)
  }
  t.match(await lab.ask('PUT', '/v1/key/generate/k', 'x'), { status: 400, body: invalid })
  for (const path of ['generate', 'encrypt', 'decrypt', 'hmac', 'bulk/decrypt'])
    t.match(await lab.ask('PUT', `/v1/key/${path}/none`, 'x'), { status: 400, body: invalid }, `${path}: before the key is looked for`)
  const plaintext = Buffer.alloc(740_000).toString('base64')
  t.equal((await lab.ask('PUT', '/v1/key/encrypt/k', { plaintext })).status, 200, 'almost too long')
  t.match(await lab.ask('PUT', '/v1/key/encrypt/k', { plaintext: plaintext + plaintext }), { status: 400, body: invalid })
  t.equal((await lab.ask('PUT', '/v1/key/encrypt/k', '{"plaintext":"eA=="}'.padEnd(1_000_100))).status, 200, 'whole before it is too long')
  t.equal((await lab.ask('PUT', '/v1/key/create/l', 'a body that nobody reads')).status, 200)
})

t.test('paths and methods', async t => {
  const lab = new Lab()
  const nowhere = {
    status: 404,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' },
    body: '404 page not found\n',
  }
  for (const path of ['/', '/v1/nope', '/v1/status/', '/V1/STATUS', '/v1/key/', '/v1/key/unknown/x', '/v1/identity/self/describe/'])
    t.same(await lab.ask('GET', path, undefined, { client: stranger }), nowhere, path)
  t.match(await lab.ask('GET', '/v1/key/create/x'), {
    status: 405,
    headers: { Accept: 'PUT' },
    body: message("received method 'GET' expected 'PUT'"),
  })
  t.match(await lab.ask('HEAD', '/v1/status'), { status: 405, headers: { Accept: 'GET' } })
  t.match(await lab.ask('POST', '/v1/key/list/'), { status: 405 })
  t.match(await lab.ask('PUT', '/v1//key/create/x'), { status: 307, headers: { Location: '/v1/key/create/x' } })
  t.match(await lab.ask('PUT', '/v1/key/create/../x?a=b'), { status: 307, headers: { Location: '/v1/key/x?a=b' } })
  t.match(await lab.ask('GET', '/v1/%2e%2e/%3cx%3e'), { status: 307, headers: { Location: '/%3Cx%3E' } })
  t.match(await lab.ask('GET', '/v1/%zz'), { status: 400, body: '400 Bad Request' })
  t.match(await lab.ask('GET', '/version?x=1#y'), { status: 200 })
  t.match(await lab.ask('GET', '/version#y'), { status: 404 })
  const invalid = (name: string): string => message(`key name '${name}' is empty, too long or contains invalid characters`)
  const NAMES: [sent: string, shown: string][] = [
    ['', ''],
    ['a.b', 'a.b'],
    ['a/b', 'a/b'],
    ['a%2Fb', 'a/b'],
    ['a#b', 'a#b'],
    ['_', '_'],
    ['-a', '-a'],
    ['a-', 'a-'],
    ['%C3%A4', 'ä'],
    ['%ff', '\ufffd'],
    ['%00', '\0'],
    ['a~b', 'a~b'],
    ['k'.repeat(81), 'k'.repeat(81)],
  ]
  for (const [sent, shown] of NAMES) t.match(await lab.ask('PUT', `/v1/key/create/${sent}`), { status: 400, body: invalid(shown) }, sent)
  t.equal(
    (await lab.ask('PUT', '/v1/key/create/%3Ca%26b%3E')).body,
    invalid('<a&b>').replace(/[<>&]/g, char => `\\u00${char.charCodeAt(0).toString(16)}`),
  )
  t.match(await lab.ask('PUT', `/v1/key/create/${'k'.repeat(80)}`), { status: 200 })
})

t.test('ciphertexts cut or bent at every byte', async t => {
  const lab = new Lab()
  await lab.ask('PUT', '/v1/key/create/k')
  await lab.ask('PUT', '/v1/key/create/l')
  const { ciphertext } = JSON.parse((await lab.ask('PUT', '/v1/key/generate/k')).body)
  const bytes = Buffer.from(ciphertext, 'base64')
  const refused = message('decryption failed: ciphertext is not authentic')
  const wrong = [
    ...Array.from(bytes, (_, i) => bytes.subarray(0, i)),
    ...Array.from(bytes, (_, i) => bytes.subarray(i + 1)),
    ...Array.from(bytes, (byte, i) => Buffer.concat([bytes.subarray(0, i), Buffer.of(byte ^ 1), bytes.subarray(i + 1)])),
    Buffer.concat([bytes, Buffer.of(0)]),
  ]
  const answers = await Promise.all(wrong.map(each => lab.ask('PUT', '/v1/key/decrypt/k', { ciphertext: each.toString('base64') })))
  t.same([...new Set(answers.map(({ status, body }) => `${status} ${body}`))], [`400 ${refused}`])
  t.match(await lab.ask('PUT', '/v1/key/decrypt/l', { ciphertext }), { status: 400, body: refused }, 'the wrong key')
  t.match(await lab.ask('PUT', '/v1/key/decrypt/k', {}), { status: 400, body: refused }, 'none')
})

t.test('listings', async t => {
  const lab = new Lab()
  const names = Array.from({ length: 2500 }, (_, i) => `app-${String(i).padStart(4, '0')}`)
  for (const name of [...names, 'other']) await lab.store.create(name, { algorithm: 'AES256', key: KEY })
  const all: string[] = []
  let pages = 0
  // As the SDK does it: what comes as continue_at is asked for as the prefix.
  for (let pattern: string | undefined = 'app-'; pattern !== undefined; pages++) {
    const page = JSON.parse((await lab.ask('GET', `/v1/key/list/${encodeURIComponent(pattern)}`, undefined, asApp)).body)
    all.push(...page.names)
    pattern = page.continue_at
  }
  t.same([all, pages], [names, 3])
  t.equal(JSON.parse((await lab.ask('GET', '/v1/key/list')).body).names.length, 1024, 'without a slash at the end')
  const CASES: [pattern: string, names: string[]][] = [
    ['o', ['other']],
    ['other', ['other']],
    ['oth*', ['other']],
    ['app-000%2A', names.slice(0, 10)],
    ['app-2-', []],
    ['z', []],
  ]
  for (const [pattern, names] of CASES) t.same(JSON.parse((await lab.ask('GET', `/v1/key/list/${pattern}`)).body), { names }, pattern)
  for (const pattern of ['a*b', '_', 'a.b', '-a', 'a~', 'a~b~c', '*~*', 'x'.repeat(81)])
    t.match(await lab.ask('GET', `/v1/key/list/${pattern}`), {
      status: 400,
      body: message(`listing pattern '${pattern}' is empty, too long or is invalid`),
    })
  t.match(await lab.ask('GET', '/v1/key/list/o', undefined, asApp), { status: 403 })
  t.match(await lab.ask('GET', '/v1/key/list/o~app-1', undefined, asApp), { status: 403 }, 'a policy counts for what is listed')
})

t.test('who may', async t => {
  const authority = await makeClient('ca', true)
  const lab = new Lab()
  const denied = message('not authorized: insufficient permissions')
  const ask = (client: Asking['client'] & object, path: string) => lab.ask('PUT', path, undefined, { client })
  t.match(await ask(app, '/v1/key/create/app-1'), { status: 200 })
  t.match(await ask(app, '/v1/key/create/other'), { status: 403, body: denied })
  t.match(lab.logged.at(-1), /^WARN .*policy app has no allow rule for it; add: \/v1\/key\/create\/other$/)
  t.match(await ask(app, '/v1/key/generate/app-secret-1'), { status: 403, body: denied })
  t.match(lab.logged.at(-1), /policy app denies \/v1\/key\/generate\/app-secret\* \(line 9\)$/)
  t.match(await ask(stranger, '/v1/key/create/app-2'), { status: 403, body: denied })
  t.match(lab.logged.at(-1), /no policy names the identity [0-9a-f]{64}/)
  t.match(await ask([app, authority], '/v1/key/create/app-2'), { status: 200 }, 'the CA of the client is sent too')
  const odd = await makeClient('odd', true, [keyUsage('digitalSignature')])
  t.match(await ask([app, odd], '/v1/key/create/app-21'), { status: 200 }, 'of a CA whose key usage does not say so')
  t.match(await ask([], '/v1/key/create/app-3'), { status: 400, body: message('tls: client certificate is required') })
  t.match(await ask([authority], '/v1/key/create/app-3'), { status: 400, body: message('tls: client certificate is required') })
  t.match(
    await ask([authority, app], '/v1/key/create/app-3'),
    { status: 400, body: message('tls: client certificate is required') },
    'the handshake proves the key of the first certificate alone',
  )
  t.match(await ask([app, stranger], '/v1/key/create/app-3'), {
    status: 400,
    body: message('tls: received more than one client certificate'),
  })
  t.same(
    lab.events.filter(({ status }) => status === 403).map(({ identity, path }) => [identity, path]),
    [
      [app.identity, '/v1/key/create/other'],
      [app.identity, '/v1/key/generate/app-secret-1'],
      [stranger.identity, '/v1/key/create/app-2'],
    ],
    'what is refused is audited',
  )
  const open = new Lab({ door: { api: { '/v1/key/create/': { skipAuth: true } } }, access: { admin: 'disabled' } })
  t.match(await open.ask('PUT', '/v1/key/create/x', undefined, { client: [] }), { status: 200 })
  t.notOk('created_by' in JSON.parse((await open.ask('GET', '/v1/key/describe/app-x')).body))
  t.equal((await open.store.get('x')).createdBy, undefined)
  t.match(await open.ask('GET', '/v1/status', undefined, { client: [] }), { status: 400 })
  t.match(await open.ask('PUT', '/v1/key/create/y', undefined, { client: app }), { status: 200 })
  t.equal((await open.store.get('y')).createdBy, app.identity, 'who shows a certificate is known')
  t.match(await open.ask('GET', '/v1/status', undefined, { client: admin }), { status: 403 }, 'there is no admin')
})

t.test('what is denied is denied by the names of older releases too', async t => {
  const allow = [{ pattern: '/v1/key/*' }, { pattern: '/v1/log/*' }]
  const deny = [{ pattern: '/v1/key/decrypt/app-2', line: 5 }, { pattern: '/v1/log/audit' }]
  const lab = new Lab({ access: { policies: [{ name: 'app', allow, deny, identities: [app.identity] }] } })
  for (const name of ['app-1', 'app-2']) await lab.ask('PUT', `/v1/key/create/${name}`)
  for (const path of ['decrypt', 'bulk/decrypt']) {
    t.match(await lab.ask('PUT', `/v1/key/${path}/app-2`, [], asApp), { status: 403 }, path)
    t.match(lab.logged.at(-1), /policy app denies \/v1\/key\/decrypt\/app-2 \(line 5\)$/)
  }
  t.match(await lab.ask('PUT', '/v1/key/bulk/decrypt/app-1', [], asApp), { status: 200 })
  t.match(await lab.ask('GET', '/v1/log/audit/trace', undefined, asApp), { status: 403 })
})

t.test('long paths are short in logs', async t => {
  const lab = new Lab()
  const name = 'x'.repeat(100_000)
  for (const client of [stranger, admin])
    t.match(await lab.ask('PUT', `/v1/key/create/${name}`, undefined, { client }), { status: client === admin ? 400 : 403 })
  await lab.ask('X'.repeat(100_000), '/version')
  t.equal(lab.events.length, 3)
  for (const line of [...lab.events.map(event => JSON.stringify(event)), ...lab.logged]) t.ok(line.length < 5000, line.slice(0, 100))
})

t.test('long paths are not remembered', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const lab = new Lab()
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 200; i++) {
    // A copy of its own, as what comes off a socket is.
    const target = Buffer.from(`/v1/key/describe/${i}${'x'.repeat(100_000)}`).toString('latin1')
    t.equal((await lab.ask('GET', target, undefined, { client: stranger })).status, 403)
    lab.events.length = 0
    lab.logged.length = 0
  }
  collect()
  t.ok(process.memoryUsage().heapUsed - before < 10_000_000)
})

t.test('the body of somebody who may not is not read', async t => {
  const { door } = new Lab()
  const allowed = (client: typeof app, target: string): number =>
    door.allow({ method: 'PUT', target, headers: {}, remoteAddress: '', certificates: [client.certificate] }).bodyBytes
  t.equal(allowed(app, '/v1/key/encrypt/app-1'), 1_000_000)
  t.equal(allowed(app, '/v1/key/encrypt/other'), 0)
  t.equal(allowed(stranger, '/v1/key/encrypt/app-1'), 0)
  t.equal(allowed(app, '/v1/key/create/app-1'), 0)
  t.equal(allowed(app, '/v1/none'), 0)
})

t.test('behind a TLS proxy', async t => {
  const header = 'x-tls-client-cert'
  const lab = new Lab({ access: { proxy: { identities: [stranger.identity], header } } })
  const der = app.certificate.raw.toString('base64')
  const FORMS = [encodeURIComponent(app.pem), app.pem.replace(/\n/g, ' '), app.pem, der, `:${der}:`, encodeURIComponent(der)]
  for (const [i, form] of FORMS.entries()) {
    const headers = { [header]: form, 'x-forwarded-for': '10.0.0.1, 10.0.0.2' }
    t.match(await lab.ask('PUT', `/v1/key/create/app-${i}`, undefined, { client: stranger, headers }), { status: 200 }, form.slice(0, 40))
    t.match(lab.events.at(-1), { identity: app.identity, ip: '10.0.0.1' })
  }
  const CASES: [value: string | undefined, text: string][] = [
    [undefined, 'no client certificate is present'],
    ['', 'no client certificate is present'],
    ['x', 'invalid client certificate'],
    [app.pem + app.pem, 'too many client certificates are present'],
  ]
  for (const [value, text] of CASES)
    t.match(await lab.ask('PUT', '/v1/key/create/app-x', undefined, { client: stranger, headers: { [header]: value } }), {
      status: 400,
      body: message(text),
    })
  t.match(
    await lab.ask('PUT', '/v1/key/create/x', undefined, { client: app, headers: { [header]: admin.pem } }),
    { status: 403 },
    'nobody else forwards',
  )
  const authority = await makeClient('ca', true)
  const verified = new Lab({ access: { proxy: { identities: [stranger.identity], header, authorities: [authority.certificate] } } })
  t.match(await verified.ask('PUT', '/v1/key/create/app-1', undefined, { client: stranger, headers: { [header]: app.pem } }), {
    status: 400,
    body: message('invalid client certificate'),
  })
})

t.test('policies and identities', async t => {
  const lab = new Lab()
  const read = async (path: string, asking: Asking = {}) => JSON.parse((await lab.ask('GET', path, undefined, asking)).body)
  t.same(await read('/v1/policy/describe/app'), { name: 'app', created_at: '2026-01-01T00:00:00Z', created_by: admin.identity })
  t.match(await read('/v1/policy/read/app'), { allow: { '/v1/key/create/app-*': {} }, deny: { '/v1/key/generate/app-secret*': {} } })
  t.same(await read('/v1/policy/list/a*'), { names: ['app'], continue_at: '' })
  t.same(await read('/v1/policy/list/b'), { names: [], continue_at: '' })
  t.match(await lab.ask('GET', '/v1/policy/read/b'), { status: 404, body: message('policy does not exist') })
  t.match(await lab.ask('GET', '/v1/policy/read/a.b'), { status: 400 })
  t.match(await read(`/v1/identity/describe/${app.identity}`), { policy: 'app' })
  t.match(await read(`/v1/identity/describe/${admin.identity}`), { admin: true })
  t.match(await lab.ask('GET', '/v1/identity/describe/x'), { status: 404, body: message('identity does not exist') })
  t.same(await read('/v1/identity/list/'), { identities: [admin.identity, app.identity].sort(), continue_at: '' })
  t.match(await read('/v1/identity/self/describe'), { identity: admin.identity, admin: true })
  t.match(await read('/v1/identity/self/describe', asApp), { identity: app.identity, policy: 'app', allow: { '/v1/key/create/app-*': {} } })
  t.match(await lab.ask('GET', '/v1/identity/self/describe', undefined, { client: stranger }), { status: 404 })
  t.match(await lab.ask('GET', '/v1/identity/self/describe', undefined, { client: [] }), { status: 404 })
  t.match(await lab.ask('PUT', '/v1/policy/write/x', { allow: [] }), { status: 501, body: /configuration file/ })
})

t.test('listings as older releases gave them', async t => {
  const lab = new Lab({ door: { oldListings: true } })
  for (let i = 0; i < 1030; i++) await lab.store.create(`app-${`${i}`.padStart(4, '0')}`, { algorithm: 'AES256', key: KEY })
  await lab.store.create('other', { algorithm: 'AES256', key: KEY })
  const list = async (path: string) => {
    const { status, headers, body } = await lab.ask('GET', path)
    t.match({ status, headers }, { status: 200, headers: { 'Content-Type': 'application/x-ndjson' } }, path)
    return body
      .split('\n')
      .slice(0, -1)
      .map((line: string) => JSON.parse(line))
  }
  const keys = await list('/v1/key/list/app-*')
  t.equal(keys.length, 1030, 'all, and not a page')
  t.same([keys[0], keys.at(-1)], [{ name: 'app-0000' }, { name: 'app-1029' }])
  t.equal((await list('/v1/key/list/*')).length, 1031)
  t.same(await list('/v1/key/list/none'), [])
  t.match(await list('/v1/policy/list/*'), [{ name: 'app', created_by: admin.identity }])
  t.match(await list(`/v1/identity/list/${app.identity}`), [{ identity: app.identity, admin: false, policy: 'app' }])
  t.match(await list(`/v1/identity/list/${admin.identity}`), [{ identity: admin.identity, admin: true }])
  lab.store.list = () => Promise.reject(new KeyStoreError('unavailable', 'away'))
  t.match(await lab.ask('GET', '/v1/key/list/*'), { status: 502, body: message('failed to list keys') })
})

t.test('older releases', async t => {
  const lab = new Lab({ door: { oldTexts: true } })
  const CASES: [method: string, path: string, status: number, text: string][] = [
    ['POST', '/v1/key/create/k', 200, ''],
    ['POST', '/v1/key/create/k', 400, '{"message":"key does already exist"}'],
    ['POST', '/v1/key/create/a.b', 400, '{"message":"invalid key name"}'],
    ['POST', '/v1/key/decrypt/k', 400, '{"message":"invalid json"}'],
    ['GET', '/v1/key/create/k', 405, '{"message":"Method Not Allowed"}'],
    ['POST', '/v1/key/generate/none', 404, '{"message":"key does not exist"}'],
  ]
  for (const [method, path, status, text] of CASES) t.match(await lab.ask(method, path), { status, body: text }, path)
  const made = await Promise.all([1, 2].map(async () => JSON.parse((await lab.ask('POST', '/v1/key/generate/k', {})).body)))
  const list = made.map(({ ciphertext }) => ({ ciphertext }))
  t.same(
    JSON.parse((await lab.ask('POST', '/v1/key/bulk/decrypt/k', list)).body),
    made.map(({ plaintext }) => ({ plaintext })),
  )
  t.match(await lab.ask('POST', '/v1/key/bulk/decrypt/k', [...list, { ciphertext: base64('x') }]), {
    status: 400,
    body: '{"message":"ciphertext is not authentic"}',
  })
  t.match(await lab.ask('POST', '/v1/key/bulk/decrypt/k', Array(1001).fill({})), { status: 400 })
  t.match(await lab.ask('POST', '/v1/key/bulk/decrypt/k', {}), { status: 400 })
})

t.test('a key store that fails is never a key that is missing', async t => {
  const fail = async (): Promise<never> => {
    throw new KeyStoreError(code, 'with the name of the store')
  }
  let code: KeyStoreErrorCode = 'unreachable'
  const store: KeyStore = {
    description: 'broken',
    create: fail,
    get: fail,
    delete: fail,
    list: fail,
    status: fail,
    close: async () => undefined,
  }
  const lab = new Lab({ store })
  const CASES: [method: string, path: string, text: string][] = [
    ['PUT', '/v1/key/create/k', 'failed to create key'],
    ['GET', '/v1/key/describe/k', 'failed to read key'],
    ['PUT', '/v1/key/generate/k', 'failed to read key'],
    ['GET', '/v1/key/list/', 'failed to list keys'],
    ['DELETE', '/v1/key/delete/k', 'failed to delete key'],
  ]
  for (code of ['unreachable', 'unavailable', 'damaged', 'closed'] as const) {
    for (const [method, path, text] of CASES) t.match(await lab.ask(method, path), { status: 502, body: message(text) }, `${code}: ${path}`)
    t.match(lab.logged.at(-1), /^ERROR with the name of the store$/)
    const unreachable = code === 'unreachable'
    t.match(await lab.ask('GET', '/v1/ready'), {
      status: unreachable ? 504 : 502,
      body: message(`key store is ${unreachable ? 'not reachable' : 'unavailable'}`),
    })
    const status = JSON.parse((await lab.ask('GET', '/v1/status')).body)
    t.match(status, { keystore_unavailable: true, ...(unreachable && { keystore_unreachable: true }) })
  }
})

t.test('what the server tells of itself', async t => {
  const lab = new Lab()
  t.match(JSON.parse((await lab.ask('GET', '/version', undefined, { client: stranger })).body), { version: 'test' })
  t.same((await lab.ask('GET', '/v1/ready')).status, 200)
  t.match(JSON.parse((await lab.ask('GET', '/v1/status')).body), { version: 'test', uptime: 1, num_cpu: 2, keystore_latency: 1 })
  const api = JSON.parse((await lab.ask('GET', '/v1/api')).body)
  t.equal(api.length, 22)
  t.match(
    api.find(({ path }: { path: string }) => path === '/v1/key/import/'),
    { method: 'PUT', max_body: 1_000_000, timeout: 15 },
  )
  await lab.ask('PUT', '/v1/key/create/k')
  await lab.ask('PUT', '/v1/key/create/k')
  const { body, headers } = await lab.ask('GET', '/v1/metrics')
  t.equal(headers['Content-Type'], 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores')
  for (const line of [
    'kes_http_request_success{code="200"} 1',
    'kes_http_request_error{code="400"} 1',
    'kes_http_response_time_bucket{le="+Inf"} 2',
    'kes_log_audit_events 6',
  ])
    t.match(body, line)
})

t.test('logs stream', async t => {
  const lab = new Lab()
  const abort = new AbortController()
  const asking = { signal: abort.signal }
  const open = async (path: string) => {
    const { body } = await lab.respond('GET', path, undefined, asking)
    t.ok(typeof body === 'object' && Symbol.asyncIterator in body)
    return (body as AsyncIterable<string>)[Symbol.asyncIterator]()
  }
  const [audit, errors] = [await open('/v1/log/audit'), await open('/v1/log/error')]
  await lab.ask('PUT', '/v1/key/create/app-1', undefined, asApp)
  // The opening of the second stream was heard by the first.
  const heard = String((await audit.next()).value)
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  t.match(heard.at(-1), { request: { ip: '127.0.0.1', path: '/v1/key/create/app-1', identity: app.identity }, response: { code: 200 } })
  t.type(heard.at(-1).response.time, 'number')
  lab.telemetry.error('time=x level=ERROR msg="it failed"\n')
  t.equal((await errors.next()).value, '{"message":"time=x level=ERROR msg=\\"it failed\\""}\n')
  for (let i = 0; i < 3000; i++) lab.telemetry.error(`${i}`)
  t.match((await errors.next()).value, /^\{"message":"2000"\}\n/, 'who is slow loses the oldest')
  abort.abort()
  t.equal((await audit.next()).done, true)
  t.equal((await errors.next()).done, true)
  t.notOk(lab.telemetry.audit.isHeard)
})

t.test('an answer leaves after its audit', async t => {
  let written: (error?: Error) => void = () => undefined
  const audit = () => new Promise<void>((resolve, reject) => (written = error => (error ? reject(error) : resolve())))
  const lab = new Lab({ store: new MemoryKeyStore(), door: { audit } })
  const answer = lab.ask('PUT', '/v1/key/create/k')
  const first = await Promise.race([answer, new Promise(resolve => setImmediate(() => resolve('waits')))])
  t.equal(first, 'waits')
  written()
  t.match(await answer, { status: 200 })
  const lost = lab.ask('GET', '/version')
  written(new Error('the disk is full'))
  await t.rejects(lost, /the disk is full/)
})
