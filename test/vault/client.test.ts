import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import t from 'tap'
import { parseConfig } from '../../src/config/parse.ts'
import type { VaultSeal } from '../../src/config/vault-schema.ts'
import { connectVault, type VaultClient, type VaultOptions } from '../../src/vault/client.ts'
import { vaultOptions } from '../../src/vault/configured.ts'
import { VaultError, type VaultErrorCode } from '../../src/vault/errors.ts'
import type { AppRoleLogin } from '../../src/vault/logins.ts'
import { pathOf } from '../../src/vault/paths.ts'
import type { VaultEvent } from '../../src/vault/session.ts'
import { keyVersionOf } from '../../src/vault/transit.ts'
import { answer, errors } from './fake-answers.ts'
import { FakeVault, type Fault, type Test } from './fake-vault.ts'

const appRole = (vault: FakeVault): AppRoleLogin => ({ kind: 'approle', id: vault.role.id, secret: vault.secret })

interface Lab {
  readonly vault: FakeVault
  readonly server: Awaited<ReturnType<FakeVault['serve']>>
  readonly client: VaultClient
  readonly events: VaultEvent[]
}

async function connect(t: Test, vault: FakeVault, servers: readonly string[], options: Partial<VaultOptions> = {}) {
  const events: VaultEvent[] = []
  const onEvent = (event: VaultEvent): void => void events.push(event)
  const client = await connectVault({ servers, login: appRole(vault), retryMs: 200, deadlineMs: 3000, onEvent, ...options })
  t.teardown(() => client.close())
  return { client, events }
}

async function lab(t: Test, options: Partial<VaultOptions> = {}, prepare: (vault: FakeVault) => void = () => {}): Promise<Lab> {
  const vault = new FakeVault()
  prepare(vault)
  const server = await vault.serve(t)
  return { vault, server, ...(await connect(t, vault, [server.address], options)) }
}

async function failure(promise: Promise<unknown>): Promise<VaultError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof VaultError) return error
    throw error
  }
  throw new Error('it did not fail')
}

const codeOf = async (promise: Promise<unknown>): Promise<VaultErrorCode> => (await failure(promise)).code

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    if (tries > 3000) throw new Error('it does not happen')
    await sleep(10)
  }
}

t.test('KV v2', async t => {
  const { client, vault } = await lab(t)
  const kv = await client.kv('kv')
  t.equal(kv.version, 2)
  t.equal(await kv.read('a/b'), undefined)
  t.equal(await kv.create('a/b', { z: 1, a: 'x' }), 1)
  t.same(await kv.read('a/b'), { data: { a: 'x', z: 1 }, version: 1, destroyed: false })
  t.equal(await codeOf(kv.create('a/b', {})), 'conflict')
  t.equal(await kv.replace('a/b', { a: 'y' }, 1), 2)
  t.equal(await codeOf(kv.replace('a/b', {}, 1)), 'conflict')
  await kv.create('a/c/d', {})
  t.same(await kv.list('a'), ['b', 'c/'])
  t.same(await kv.list('none'), [])
  await client.request({ method: 'DELETE', path: 'kv/data/a/b' })
  t.same(await kv.read('a/b'), { data: undefined, version: 2, destroyed: false }, 'deleted is not missing')
  t.equal(await codeOf(kv.create('a/b', {})), 'conflict', 'and its place is taken')
  await kv.destroy('a/c/d', [1])
  t.match(await kv.read('a/c/d'), { data: undefined, destroyed: true })
  await kv.remove('a/b')
  await kv.remove('a/b')
  t.equal(await kv.read('a/b'), undefined, 'removed is as if it never was')
  vault.kv.createOnly = /^log\//
  await kv.create('log/1', {})
  t.equal(await codeOf(kv.create('log/1', {})), 'conflict', 'a policy that lets nothing be overwritten says 403')
  t.equal(await codeOf(kv.create('b', { text: 'x'.repeat(vault.kv.maxBytes) })), 'too-large')
  vault.kv.casRequired = true
  t.equal(await codeOf(client.request({ method: 'POST', path: 'kv/data/q', json: { data: {} } })), 'cas-required')
})

t.test('KV v1', async t => {
  const { client, vault } = await lab(t)
  const kv = await client.kv('kv1')
  t.equal(kv.version, 1)
  t.equal(await kv.read('a'), undefined)
  t.equal(await kv.create('a', { x: '1' }), 0)
  t.same(await kv.read('a'), { data: { x: '1' }, version: 0, destroyed: false })
  t.equal(await codeOf(kv.create('a', { x: '2' })), 'conflict')
  t.same(await kv.list(''.concat('a')), [])
  t.equal(await codeOf(kv.replace('a', {}, 1)), 'invalid-request')
  t.equal(await codeOf(kv.destroy('a', [1])), 'invalid-request')
  await kv.remove('a')
  t.equal(await kv.read('a'), undefined)
  // Another writer comes between the look and the write.
  vault.kv1.createOnly = /./
  await kv.create('b', { x: '1' })
  vault.faults.push({ path: /^kv1\/b$/, method: 'GET', does: errors(404) })
  t.equal(await codeOf(kv.create('b', { x: '2' })), 'conflict')
})

t.test('engines that are not what they should be', async t => {
  const { client } = await lab(t)
  t.equal(await codeOf(client.kv('transit')), 'configuration')
  t.equal(await codeOf(client.kv('nowhere')), 'configuration')
  t.equal(await codeOf(client.transit('nowhere').encrypt('k', Buffer.from('x'))), 'configuration')
})

t.test('transit', async t => {
  const { client, vault } = await lab(t)
  vault.transit.create('k')
  const transit = client.transit('transit')
  const text = Buffer.from('hello')
  const first = await transit.encrypt('k', text)
  t.same(await transit.decrypt('k', first), text)
  const hmac = await transit.hmac('k', text)
  t.same([keyVersionOf(first), keyVersionOf(hmac)], [1, 1])
  vault.transit.rotate('k')
  t.equal(await transit.newestVersion('k'), 2)
  t.equal(await transit.hmac('k', text, 1), hmac, 'an older version still answers')
  t.not(await transit.hmac('k', text), hmac)
  const second = await transit.rewrap('k', first)
  t.equal(keyVersionOf(second), 2)
  vault.transit.keys.get('k')!.minDecryption = 2
  t.equal(await codeOf(transit.decrypt('k', first)), 'version-refused')
  t.equal(await codeOf(transit.hmac('k', text, 1)), 'version-refused')
  t.equal(await codeOf(transit.decrypt('k', `${second.slice(0, -8)}AAAAAAA=`)), 'damaged')
  t.equal(await codeOf(transit.decrypt('k', 'x')), 'damaged')
  t.equal(await codeOf(transit.encrypt('none', text)), 'permission-denied')
  t.equal(await codeOf(transit.hmac('none', text)), 'key-missing')
  const { plaintext, wrapped } = await transit.dataKey('k')
  t.same(await transit.decrypt('k', wrapped), plaintext)
  const both = await transit.decryptAll('k', [second, first, wrapped])
  t.same([both[0], (both[1] as VaultError).code, both[2]], [text, 'version-refused', plaintext], 'a bad one among good ones')
  const two = [await transit.encrypt('k', text), await transit.encrypt('k', Buffer.alloc(0))]
  t.same(await transit.decryptAll('k', two), [text, Buffer.alloc(0)])
  t.same(
    (await transit.rewrapAll('k', two)).map(result => keyVersionOf(`${result}`)),
    [2, 2],
  )
  t.equal(await codeOf(transit.rewrapAll('none', two)), 'key-missing')
  t.same(await transit.decryptAll('k', []), [])
})

t.test('failures', async t => {
  const CASES: readonly [Fault['does'], reading: VaultErrorCode, writing: VaultErrorCode][] = [
    ['cut', 'unreachable', 'in-doubt'],
    ['silence', 'unreachable', 'in-doubt'],
    [errors(503, 'Vault is sealed'), 'sealed', 'in-doubt'],
    [answer(307, undefined, { location: 'http://127.0.0.1:9/v1/x' }), 'not-active', 'not-active'],
    [errors(400, 'Waiting for the primary to upgrade from non-versioned to versioned data.'), 'not-active', 'not-active'],
    [errors(500, 'local node not active but active cluster node not found'), 'not-active', 'in-doubt'],
    [answer(502, '<html>bad gateway</html>'), 'unreachable', 'in-doubt'],
    [errors(500, 'internal error'), 'unavailable', 'in-doubt'],
    [errors(412, 'required index state not present'), 'not-active', 'not-active'],
    [errors(429, 'request path "kv/data/x": rate limit quota exceeded'), 'quota', 'quota'],
    [errors(413, 'http: request body too large'), 'too-large', 'too-large'],
    [errors(404, 'namespace not found'), 'configuration', 'configuration'],
    [answer(501, { errors: [] }), 'sealed', 'sealed'],
    [answer(200, '<html>hello</html>'), 'malformed', 'in-doubt'],
    [errors(405, 'unsupported operation'), 'invalid-request', 'invalid-request'],
  ]
  await Promise.all(
    CASES.map(async ([does, reading, writing]) => {
      const { client, vault } = await lab(t)
      const kv = await client.kv('kv')
      const name = JSON.stringify(does)
      vault.faults.push({ path: /^kv\/data\/x$/, times: Infinity, does })
      // What is tried again must not run out of time in the middle of a try.
      t.equal(await codeOf(kv.read('x', { deadlineMs: 2000 })), reading, `reading: ${name}`)
      t.equal(await codeOf(kv.create('x', {}, { deadlineMs: 2000 })), writing, `writing: ${name}`)
    }),
  )
  const { client, vault } = await lab(t)
  const kv = await client.kv('kv')
  const path = /^kv\/data\/x$/
  vault.faults.splice(0, Infinity, { path, does: errors(412, 'required index state not present') }, { path, does: 'silence' })
  t.equal(await codeOf(kv.read('x', { deadlineMs: 1000 })), 'not-active', 'not that time ran out over the next try')
  vault.faults.splice(0, Infinity, { path, times: 2, does: 'cut' })
  t.equal(await kv.read('x'), undefined, 'what passes is tried again')
  vault.faults.splice(0, Infinity, { path, does: answer(429, { errors: ['quota'] }, { 'retry-after': '1' }) })
  const beganMs = performance.now()
  await kv.create('x', {})
  t.ok(performance.now() - beganMs > 950, 'as long as the server asked to wait')
  vault.faults.splice(0, Infinity, { path: /^kv\/data\/y$/, does: 'cut after' })
  t.equal(await codeOf(kv.create('y', {})), 'in-doubt')
  t.equal(await codeOf(kv.create('y', {})), 'conflict', 'it was done')
})

t.test('a token that is renewed lives on, and one that cannot be is replaced in time', async t => {
  const renewals = (vault: FakeVault): number => vault.count(/renew-self/)
  type Way = [
    name: string,
    prepare: (vault: FakeVault) => void,
    isOver: (vault: FakeVault) => boolean,
    isGood: (vault: FakeVault) => boolean,
  ]
  const WAYS: readonly Way[] = [
    ['renewed', () => {}, vault => renewals(vault) > 2, vault => vault.logins === 1],
    ['not renewable', vault => Object.assign(vault, { renewable: false }), vault => vault.logins > 2, vault => renewals(vault) === 0],
    [
      'renewal refused',
      vault => vault.faults.push({ path: /renew-self/, times: 100, does: errors(400, 'lease expired') }),
      vault => vault.logins > 2,
      vault => vault.faults[0]!.times! < 99,
    ],
    [
      'renewal fails',
      vault => {
        vault.ttlMs = 4000
        vault.faults.push({ path: /renew-self/, times: 2, does: 'cut' })
      },
      vault => renewals(vault) > 0,
      vault => vault.logins === 1,
    ],
  ]
  await Promise.all(
    WAYS.map(async ([name, prepare, isOver, isGood]) => {
      const { client, vault } = await lab(t, {}, vault => {
        vault.ttlMs = 2000
        prepare(vault)
      })
      const kv = await client.kv('kv')
      while (!isOver(vault)) await kv.read('x', { deadlineMs: 10_000 }).then(() => sleep(2))
      t.ok(isGood(vault), `${name}: ${vault.logins} logins, ${renewals(vault)} renewals`)
      t.equal(vault.requests.filter(({ path }) => path === 'auth/token/lookup-self').length, 0, `${name}: no request was refused`)
    }),
  )
})

t.test('a token that nears the end of its renewals is replaced', async t => {
  const { client, vault } = await lab(t, {}, vault => Object.assign(vault, { ttlMs: 600 }))
  await client.ready()
  vault.ttlMs = 300
  await until(() => vault.logins > 1)
  const steps = vault.requests.map(({ path }) => path).filter(path => /renew-self|login$/.test(path))
  t.same(steps.slice(0, 3), ['auth/approle/login', 'auth/token/renew-self', 'auth/approle/login'])
})

t.test('a revoked token, and a policy that was taken away', async t => {
  const { client, vault } = await lab(t)
  const kv = await client.kv('kv')
  vault.tokens.clear()
  const reads = await Promise.all(Array.from({ length: 20 }, () => kv.read('x')))
  t.equal(reads.length, 20)
  t.equal(vault.logins, 2, 'one login for all of them')
  for (const token of vault.tokens.values()) token.allow = () => false
  const error = await failure(kv.read('x'))
  t.match(error, { code: 'permission-denied', message: /GET kv\/data\/x: permission denied: .* lacks read for this path/ })
  t.match(await failure(kv.list('')), { message: /GET kv\/metadata: .* lacks list for/ })
  t.match(await failure(kv.create('x', {})), { message: /POST kv\/data\/x: .* lacks create or update for/ })
  t.match(await failure(kv.remove('x')), { message: /DELETE kv\/metadata\/x: .* lacks delete for/ })
  t.equal(vault.logins, 2, 'no login, since the token lives')
  for (const token of vault.tokens.values()) delete token.allow
  t.equal(await kv.read('x'), undefined, 'given back')
})

t.test('a credential that is refused', async t => {
  const { client, vault, events } = await lab(t)
  await client.ready()
  const dead = vault.secret
  vault.role.secrets.delete(dead)
  t.ok((await client.kv('kv')).version, 'the token outlives its secret id')
  vault.tokens.clear()
  const kv = await client.kv('kv', { version: 2 })
  const beganMs = performance.now()
  t.equal(await codeOf(kv.read('x', { deadlineMs: 60_000 })), 'login-refused')
  t.ok(performance.now() - beganMs < 30_000, 'said at once')
  const { logins } = vault
  await sleep(500)
  t.equal(await codeOf(kv.read('x')), 'login-refused')
  t.equal(vault.logins, logins, 'and not shown again for minutes')
  t.match(client.status(), { ready: false, code: 'login-refused' })
  t.ok(events.some(({ level, code }) => level === 'error' && code === 'login-refused'))
})

t.test('a secret in a file is read at each login', async t => {
  const vault = new FakeVault()
  const dir = t.testdir({ jwt: 'first\n' })
  const server = await vault.serve(t)
  const login = { kind: 'kubernetes', role: 'kmipd', jwt: { file: join(dir, 'jwt') } } as const
  const { client } = await connect(t, vault, [server.address], { login, retryMs: 100 })
  const kv = await client.kv('kv', { version: 2 })
  t.equal(await codeOf(kv.read('x')), 'login-refused')
  vault.jwts.add('second')
  writeFileSync(join(dir, 'jwt'), 'second')
  await until(() => client.status().ready)
  t.equal(await kv.read('x'), undefined)
  const none = await connect(t, vault, [server.address], { login: { ...login, jwt: { file: join(dir, 'none') } } })
  t.match(await failure(none.client.ready()), { code: 'login-refused', message: /ENOENT/ })
})

t.test('a wrapped secret id opens once', async t => {
  const wrap = (path: string) => (vault: FakeVault) => void vault.wrapped.set('w', { secret: vault.secret, path })
  const vault = new FakeVault()
  wrap('auth/approle/role/kmipd/secret-id')(vault)
  const server = await vault.serve(t)
  const login = { kind: 'approle', id: vault.role.id, secret: 'w', wrapped: true } as const
  const { client } = await connect(t, vault, [server.address], { login })
  await client.ready()
  vault.tokens.clear()
  await client.kv('kv')
  t.equal(vault.logins, 2, 'what was in it serves for further logins')
  const late = await connect(t, vault, [server.address], { login })
  t.match(await failure(late.client.ready()), { code: 'secret-opened', passing: false })
  wrap('cubbyhole/forged')(vault)
  const forged = await connect(t, vault, [server.address], { login })
  t.match(await failure(forged.client.ready()), { code: 'secret-opened', message: /do not trust/ })
  t.equal(vault.logins, 2)
})

t.test('several clients of a process share what was in a wrapping token', async t => {
  const vault = new FakeVault()
  vault.wrapped.set('w', { secret: vault.secret, path: 'auth/approle/role/kmipd/secret-id' })
  const server = await vault.serve(t)
  const login = { kind: 'approle', id: vault.role.id, secret: 'w', wrapped: true, opened: new Map() } as const
  vault.faults.push({ path: /wrapping\/lookup/, does: errors(503, 'Vault is sealed') })
  const both = await Promise.all([1, 2].map(() => connect(t, vault, [server.address], { login })))
  for (const { client } of both) await client.ready()
  const later = await connect(t, vault, [server.address], { login })
  await later.client.ready()
  t.equal(vault.logins, 3)
  t.equal(vault.count(/wrapping\/unwrap/), 1, 'and what failed was tried again')
})

t.test('a static token', async t => {
  const vault = new FakeVault()
  const server = await vault.serve(t)
  vault.ttlMs = 2000
  const token = vault.grant('hvs.static')
  const { client } = await connect(t, vault, [server.address], { login: { kind: 'token', token } })
  const kv = await client.kv('kv')
  await until(() => vault.count(/renew-self/) > 1)
  t.equal(await kv.read('x'), undefined, 'it is renewed')
  vault.tokens.clear()
  t.equal(await codeOf(kv.read('x')), 'login-refused')
  const two = await connect(t, vault, [server.address], { login: { kind: 'token', token: 'hvs.one\nhvs.two' } })
  t.match(await failure(two.client.ready()), { code: 'login-refused', message: /in one line/ })
})

t.test('a token with a number of uses is refused', async t => {
  const { client } = await lab(t, {}, vault => Object.assign(vault, { uses: 5 }))
  t.match(await failure(client.ready()), { code: 'configuration', message: /token_num_uses/ })
})

t.test('namespaces', async t => {
  const ignoring = await lab(t, { namespace: 'ns-1' })
  t.match(await failure(ignoring.client.ready()), { code: 'configuration', message: /ignores namespaces/ })
  t.equal(ignoring.client.status().ready, false)
  const other = await lab(t, { otherNamespaces: ['ns-1'] })
  t.match(await failure(other.client.ready()), { code: 'configuration', message: /ignores namespaces/ }, 'of an engine alone')

  const vault = new FakeVault()
  vault.namespaces = new Set(['ns-1', 'ns-2', 'ns-3'])
  const server = await vault.serve(t)
  const login = { ...appRole(vault), namespace: 'ns-2' }
  const { client } = await connect(t, vault, [server.address], { login, namespace: 'ns-1' })
  await (await client.kv('kv')).read('x')
  vault.transit.create('k')
  await client.transit('transit', { namespace: 'ns-3' }).encrypt('k', Buffer.from('x'))
  const seen = (path: RegExp) =>
    vault.requests.filter(request => path.test(request.path)).map(({ headers }) => headers['x-vault-namespace'])
  t.same(seen(/login$/), ['ns-2'])
  t.same(seen(/^kv\/data/), ['ns-1'])
  t.same(seen(/^transit\//), ['ns-3'])
  t.equal(await codeOf(client.kv('kv', { namespace: 'ns-4' })), 'configuration', 'one that is not there')
  t.equal(server.state, 'active')
  t.equal((await client.ping()).servers[0]?.state, 'active', 'health is asked without one')
})

t.test('namespaces of a configuration', async t => {
  const text = (login: string): string =>
    `seal: [{ kind: vault, server: https://a, namespace: ns-1, approle: { id: a, secret: b${login} }, transit: { key: k, namespace: ns-3 } }]`
  const options = (login: string) =>
    vaultOptions(parseConfig(text(login), '/etc/kmipd/kmipd.yaml', { env: {}, readFile: () => '' }).seal[0] as VaultSeal)
  t.match(options(''), { namespace: 'ns-1', otherNamespaces: ['ns-3'], login: { namespace: undefined } }, 'the login is in that of use')
  t.match(options(', namespace: ns-2'), { login: { namespace: 'ns-2' } })
  t.match(options(', namespace: /'), { login: { namespace: '' } }, 'the root')
})

t.test('Vault is away at the start, or sealed', async t => {
  const vault = new FakeVault()
  const server = await vault.serve(t)
  await server.stop()
  const { client } = await connect(t, vault, [server.address])
  const kv = await client.kv('kv', { version: 2 })
  t.equal(await codeOf(kv.read('x', { deadlineMs: 100 })), 'unreachable')
  t.match(client.status(), { ready: false, code: 'unreachable' })
  server.state = 'sealed'
  await server.start()
  await until(() => client.status().code === 'sealed')
  t.equal(await codeOf(kv.read('x', { deadlineMs: 100 })), 'sealed')
  setTimeout(() => Object.assign(server, { state: 'active' }), 300)
  t.equal(await kv.read('x'), undefined, 'a request waits for it')
  t.match(client.status(), { ready: true })
})

t.test('several servers', async t => {
  const vault = new FakeVault()
  vault.version = '2.6.2'
  const [one, two] = [await vault.serve(t), await vault.serve(t)]
  two.state = 'standby'
  const { client } = await connect(t, vault, [two.address, one.address])
  await client.ping()
  const kv = await client.kv('kv')
  for (let i = 0; i < 5; i++) await kv.read('x', { fresh: true })
  t.equal(two.served.filter(path => path.startsWith('kv')).length, 0, 'the active one answers')
  one.state = 'standby'
  t.equal(await codeOf(kv.read('x', { fresh: true, deadlineMs: 1000 })), 'not-active', 'a standby must not, though it would')
  two.state = 'active'
  t.equal(await kv.read('x', { fresh: true }), undefined)
  t.equal(two.served.filter(path => path.startsWith('kv')).length, 1)
  await two.stop()
  one.state = 'active'
  // Until it is seen that the connection is gone: on a slow machine the timer can come before what the system has to tell.
  await sleep(50)
  await new Promise(resolve => setImmediate(resolve))
  t.equal(await kv.create('x', {}), 1, 'a write that did not leave goes to the next one')
  t.equal(await client.freshness(), undefined)
  const single = await connect(t, vault, [one.address])
  t.match(await single.client.freshness(), /name each server/)
})

t.test('a standby that hands on what it is asked', async t => {
  const vault = new FakeVault()
  const [one, two] = [await vault.serve(t), await vault.serve(t)]
  one.state = two.state = 'standby'
  const { client } = await connect(t, vault, [one.address])
  const kv = await client.kv('kv')
  t.equal(await kv.create('x', {}), 1)
  t.ok(await kv.read('x', { fresh: true }), 'as good as the active server')
  t.equal(await client.freshness(), undefined)
  const both = await connect(t, vault, [one.address, two.address])
  const through = await both.client.kv('kv')
  t.ok(await through.read('x', { fresh: true }), 'where the active one is not named')
  two.state = 'active'
  await both.client.ping()
  const before = one.served.length
  await through.read('x', { fresh: true })
  t.equal(one.served.length, before, 'and not where it is')
  vault.version = '2.6.2'
  const stale = await connect(t, vault, [one.address])
  const late = await stale.client.kv('kv')
  t.equal(await codeOf(late.read('x', { fresh: true, deadlineMs: 200 })), 'not-active', 'one that answers itself')
})

t.test('an engine that deletes what is written', async t => {
  const { client, vault } = await lab(t)
  const kv = await client.kv('kv')
  vault.kv.mortal = true
  t.match(await failure(kv.create('x', {})), { code: 'configuration', message: /vault write kv\/config delete_version_after=0s/ })
  t.equal(await kv.read('x'), undefined, 'nothing is left behind')
  vault.kv.mortal = false
  t.equal(await kv.create('x', {}), 1)
  vault.kv.mortal = true
  t.equal(await codeOf(kv.replace('x', {}, 1)), 'configuration')
})

t.test('one login for all who wait', async t => {
  const { client, vault } = await lab(t)
  const kv = await client.kv('kv', { version: 2 })
  await Promise.all(Array.from({ length: 100 }, () => kv.read('x')))
  t.equal(vault.logins, 1)
})

t.test('capabilities', async t => {
  const { client } = await lab(t, {}, vault => {
    vault.allow = ({ method, path }) => path === 'a' || (path === 'b' && method === 'GET')
  })
  const found = await client.capabilities(['a', 'b', 'c'])
  t.same(Object.fromEntries(found), { a: ['create', 'read', 'update', 'delete', 'list'], b: ['read', 'list'], c: ['deny'] })
})

t.test('giving up, and closing', async t => {
  const { client, vault } = await lab(t)
  const kv = await client.kv('kv')
  vault.faults.push({ path: /^kv\//, times: 2, does: 'silence' })
  const controller = new AbortController()
  const read = codeOf(kv.read('x', { signal: controller.signal }))
  setTimeout(() => controller.abort(), 50)
  t.equal(await read, 'aborted')
  const last = codeOf(kv.read('x'))
  await until(() => vault.faults[0]!.times === 0)
  client.close()
  t.equal(await last, 'closed')
  t.equal(await codeOf(kv.read('x')), 'closed')
})

t.test('paths are of harmless segments', async t => {
  const { client, vault } = await lab(t)
  const kv = await client.kv('kv')
  const before = vault.requests.length
  const NAMES = [
    '..',
    '../x',
    '%2e%2e/x',
    'a#b',
    'a?b',
    'a//b',
    '/a',
    'a/',
    ' a',
    'a b',
    'ä',
    '',
    'x'.repeat(300),
    'a/../b',
    '.',
    'a%2Fb',
    'a\nb',
  ]
  for (const name of NAMES) {
    t.equal(await codeOf(kv.read(name)), 'invalid-request', JSON.stringify(name))
    t.equal(await codeOf(client.transit('transit').encrypt(name, Buffer.from('x'))), 'invalid-request')
  }
  t.equal(await codeOf(client.kv('../sys')), 'configuration')
  t.equal(vault.requests.length, before, 'nothing was sent')
  t.throws(() => pathOf('a', 'b/c'), { code: 'invalid-request' })
  t.equal(await codeOf(connectVault({ servers: ['https://h/v1'], login: appRole(vault) })), 'configuration')
  t.equal(await codeOf(connectVault({ servers: [], login: appRole(vault) })), 'configuration')
})

t.test('no secret is in an error, an event or a status', async t => {
  const SECRET = `hush-${randomUUID()}`
  const vault = new FakeVault()
  vault.role.secrets.clear()
  vault.role.secrets.add(SECRET)
  const server = await vault.serve(t)
  // Somebody debugs node-vault, and left things of it in the environment.
  const { client, events } = await connect(t, vault, [server.address])
  const kv = await client.kv('kv')
  const token = [...vault.tokens.keys()][0]!
  const told: unknown[] = []
  const does: Fault['does'][] = [
    'cut',
    'silence',
    answer(200, SECRET),
    errors(400, `bad value ${SECRET}`),
    errors(500, `${token} is bad`),
    errors(403, SECRET),
  ]
  for (const fault of does) {
    vault.faults.splice(0, Infinity, { path: /^kv\/data\/x$/, times: 100, does: fault })
    told.push(await failure(kv.create('x', { value: SECRET }, { deadlineMs: 100 })))
  }
  vault.role.secrets.clear()
  vault.tokens.clear()
  vault.faults.splice(0, Infinity)
  told.push(await failure(kv.read('x')), events, client.status(), client)
  const text = inspect(told, { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null })
  t.notMatch(text, SECRET)
  t.notMatch(text, token)
})
