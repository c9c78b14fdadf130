#!/usr/bin/env node
// The Vault client and the seal against a real server: node test/interop/vault-sessions.mjs TOOLS BINARY...
// TOOLS is the folder of `vault-lab.mjs` and `k8s-tokenreview-emulator.mjs`; BINARY a `vault` or a `bao`. `--quick`: shorter traffic.
import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { Outgoing } from '../../dist/http/outgoing.js'
import { localProvider, newLocalKey } from '../../dist/seal/local-provider.js'
import { addProvider, removeProvider, rewrapEntries, sealStatus } from '../../dist/seal/reseal.js'
import { openRecords } from '../../dist/seal/sealed-records.js'
import { vaultProvider } from '../../dist/seal/vault-provider.js'
import { MemoryStore } from '../../dist/store/memory.js'
import { connectVault } from '../../dist/vault/client.js'
import { missingPolicy, policyText } from '../../dist/vault/policy.js'
import { keyVersionOf } from '../../dist/vault/transit.js'
import { freePort } from './vault-server.mjs'

const args = process.argv.slice(2)
const quick = args.includes('--quick')
const [tools, ...binaries] = args.filter(arg => !arg.startsWith('--'))
if (!tools || binaries.length === 0) {
  console.error('usage: node test/interop/vault-sessions.mjs TOOLS BINARY... [--quick]')
  process.exit(2)
}

const counts = { passed: 0, failed: 0 }
const work = mkdtempSync(join(tmpdir(), 'vault-client-'))
const running = new Set()
const told = []

function check(name, condition, detail = '') {
  counts[condition ? 'passed' : 'failed']++
  console.log(`${condition ? 'passed' : 'FAILED'}  ${name}${condition ? '' : `  ${inspect(detail, { depth: 3 })}`}`)
}

async function failure(promise) {
  try {
    return { code: `none, but ${inspect(await promise)}` }
  } catch (error) {
    told.push(error)
    return error
  }
}

/** Start a program that prints one line of JSON when it is ready. */
async function launch(script, ...argv) {
  const child = spawn(process.execPath, [join(tools, script), ...argv], { stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    if (text.includes('\n')) break
  }
  if (!text.includes('\n')) throw new Error(`${script} does not start`)
  return { ...JSON.parse(text.split('\n', 1)[0]), stop: () => stop(child) }
}

async function stop(child) {
  running.delete(child)
  if (child.exitCode !== null) return
  const ended = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

const tlsOf = ({ ca, cert, key }) =>
  ca ? { authorities: [readFileSync(ca, 'utf8')], certificate: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') } : {}

/** Requests with the root token. */
function administrator(lab) {
  const outgoing = new Outgoing({ origin: lab.addresses[0], ...tlsOf(lab) })
  return async (method, path, body, headers = {}) => {
    const answer = await outgoing.request({
      ...{ method, target: `/v1/${path}`, headers: { 'x-vault-token': lab.root_token, ...headers } },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`)
    return answer.body.length ? JSON.parse(answer.body) : undefined
  }
}

const clients = new Set()
async function connect(lab, options = {}) {
  const events = []
  const { role_id: id, secret_id: secret } = lab.approle.kmipd
  const client = await connectVault({
    ...{ servers: lab.addresses, login: { kind: 'approle', id, secret }, retryMs: 500, onEvent: event => events.push(event) },
    ...options,
  })
  clients.add(client)
  told.push(events)
  return Object.assign(client, { events })
}

const name = () => `kmipd/t/${Math.random().toString(36).slice(2)}`

async function until(what, condition, seconds = 30) {
  for (let i = 0; i < seconds * 20; i++) {
    if (await condition()) return true
    await sleep(50)
  }
  console.log(`${what} did not happen in ${seconds} s`)
  return false
}

async function engines(lab) {
  const client = await connect(lab)
  const [two, one] = [await client.kv('kv'), await client.kv('kv1')]
  check('the versions of both KV mounts are found', two.version === 2 && one.version === 1)
  check('a mount that is not there', (await failure(client.kv('nowhere'))).code === 'configuration')
  const path = name()
  check('nothing is there', (await two.read(path)) === undefined)
  check('create', (await two.create(path, { a: '1' })) === 1)
  check('create again', (await failure(two.create(path, { a: '2' }))).code === 'conflict')
  check('replace', (await two.replace(path, { a: '3' }, 1)) === 2)
  check('replace what is no longer there', (await failure(two.replace(path, { a: '4' }, 1))).code === 'conflict')
  check('read', (await two.read(path))?.data?.a === '3')
  check('list', (await two.list('kmipd/t')).includes(basename(path)) && (await two.list('kmipd/none')).length === 0)
  await administrator(lab)('DELETE', `kv/data/${path}`)
  const deleted = await two.read(path)
  check('deleted is not missing', deleted?.data === undefined && deleted?.version === 2, deleted)
  await two.remove(path)
  await two.remove(path)
  check('removed', (await two.read(path)) === undefined)
  const raced = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      two.create(`${path}r`, { i }).then(
        () => 'won',
        error => error.code,
      ),
    ),
  )
  check(
    'of twenty who create at once one wins',
    raced.filter(outcome => outcome === 'won').length === 1 && raced.every(o => o === 'won' || o === 'conflict'),
    raced,
  )
  check('KV v1: create', (await one.create(path, { a: '1' })) === 0)
  check('KV v1: create again', (await failure(one.create(path, { a: '2' }))).code === 'conflict')
  await one.remove(path)
  check('KV v1: removed', (await one.read(path)) === undefined)
  check('another prefix is denied', (await failure(two.read('other/x'))).code === 'permission-denied')
  check('a key is not read', (await failure(client.request({ method: 'GET', path: 'transit/keys/kmipd' }))).code === 'permission-denied')
  for (const bad of ['..', '../../sys/health', '%2e%2e/x', 'a#b', 'a?b', 'a b', 'x'.repeat(300)])
    check(`no path ${bad.slice(0, 20)}`, (await failure(two.read(bad))).code === 'invalid-request')
}

async function transit(lab) {
  const client = await connect(lab)
  const admin = administrator(lab)
  const key = client.transit('transit')
  const text = Buffer.from('a secret of thirty-one characters')
  const traffic = (async () => {
    for (let i = 0; i < 200; i++) {
      const made = await key.encrypt('kmipd', text)
      if (!(await key.decrypt('kmipd', made)).equals(text)) return false
    }
    return true
  })()
  const first = await key.encrypt('kmipd', text)
  await admin('POST', 'transit/keys/kmipd/rotate', {})
  check('rotation under traffic', await traffic)
  const version = await key.newestVersion('kmipd')
  check('rewrap takes the newest version', keyVersionOf(first) < version && keyVersionOf(await key.rewrap('kmipd', first)) === version)
  const { plaintext, wrapped } = await key.dataKey('kmipd')
  const mixed = await key.decryptAll('kmipd', [wrapped, `${first.slice(0, -8)}AAAAAAA=`, first])
  check('a batch with a bad one', plaintext.equals(mixed[0]) && mixed[1].code === 'damaged' && text.equals(mixed[2]), mixed)
  await admin('POST', 'transit/keys/kmipd/config', { min_decryption_version: version })
  check('min_decryption_version', (await failure(key.decrypt('kmipd', first))).code === 'version-refused')
  await admin('POST', 'transit/keys/kmipd/config', { min_decryption_version: 1 })
  check('and back', text.equals(await key.decrypt('kmipd', first)))
  check('damaged', (await failure(key.decrypt('kmipd', `${first.slice(0, -8)}AAAAAAA=`))).code === 'damaged')
  check('too short', (await failure(key.decrypt('kmipd', 'vault:v1:AAAA'))).code === 'damaged')
  check('a version that is not there yet', (await failure(key.decrypt('kmipd', first.replace(/v\d+/, 'v99')))).code === 'damaged')
  check('a key without permission', (await failure(key.encrypt('other', text))).code === 'permission-denied')
}

async function seals(lab) {
  const admin = administrator(lab)
  const client = await connect(lab, { deadlineMs: 2000 })
  const provider = vaultProvider({ client, key: 'kmipd-seal', path: 'transit' })
  const store = new MemoryStore()
  const local = localProvider(newLocalKey())
  const body = Buffer.from('a record')
  const opens = async (...providers) => (await (await openRecords({ store, providers })).get('s', 'a'))?.body.equals(body)
  await (await openRecords({ store, providers: [local] })).commit([{ partition: 's', id: 'a', expect: 0, body }])
  await addProvider(store, [local], provider)
  check('Vault opens the store beside the key file', await opens(provider))
  await removeProvider(store, [local, provider], { provider: 'local', key: local.key })
  check('the old key opens nothing', (await failure(opens(local))).code === 'sealed')
  check(
    'the last one stays',
    /not removed/.test((await failure(removeProvider(store, [provider], { provider: 'vault', key: provider.key }))).message),
  )
  await admin('POST', 'transit/keys/kmipd-seal/rotate', {})
  check('after a rotation in Vault', await opens(provider))
  check('rewrap', (await rewrapEntries(store, [provider])).length === 1 && (await rewrapEntries(store, [provider])).length === 0)
  const { providers } = await sealStatus(store, [provider])
  check('status names the key version', providers[0].opens === true && providers[0].keyVersion === 2, providers)
  await admin('POST', 'transit/keys/kmipd-seal/config', { min_decryption_version: 2, min_encryption_version: 2 })
  check('the old version may go after that', await opens(provider))
  await admin('POST', 'transit/keys/kmipd-seal/rotate', {})
  await admin('POST', 'transit/keys/kmipd-seal/config', { min_decryption_version: 3, min_encryption_version: 3 })
  const early = await failure(opens(provider))
  check('raised too early: refused, and nothing is lost', ['refused', 'wrong-key'].includes(early.code), early)
  await admin('POST', 'transit/keys/kmipd-seal/config', { min_decryption_version: 1, min_encryption_version: 0 })
  check('and back again', await opens(provider))
  await admin('POST', 'sys/mounts/transit2', { type: 'transit' })
  await admin('POST', 'transit2/keys/kmipd-seal', {})
  await admin('PUT', 'sys/policies/acl/kmipd-transit2', { policy: 'path "transit2/*" { capabilities = ["update"] }' })
  const token = (await admin('POST', 'auth/token/create', { policies: ['kmipd-transit2'] })).auth.client_token
  const other = await connect(lab, { login: { kind: 'token', token } })
  const elsewhere = { ...vaultProvider({ client: other, key: 'kmipd-seal', path: 'transit2' }), key: provider.key }
  const wrong = await failure(opens(elsewhere))
  check(
    'another key of the same name is told from damage',
    wrong.code === 'wrong-key' && /the server, the namespace or the key/.test(wrong.message),
    wrong,
  )
  await admin('PUT', 'sys/seal')
  const away = await failure(opens(provider))
  check('sealed: away, not damaged', away.code === 'away', away)
  const waiting = opens(vaultProvider({ client: await connect(lab, { deadlineMs: 20_000 }), key: 'kmipd-seal', path: 'transit' }))
  await sleep(500)
  await admin('PUT', 'sys/unseal', { key: lab.unseal_key })
  check('a client that was made while it was sealed opens the store', await waiting)
}

/** A server with its seal in Vault: the data is closed while Vault refuses. */
async function recheck(lab) {
  const admin = administrator(lab)
  const [kmip, metrics] = [await freePort(), await freePort()]
  const dir = join(work, 'server')
  mkdirSync(dir)
  const { role_id, secret_id } = lab.approle.kmipd
  const settings = {
    kmip: { listen: `127.0.0.1:${kmip}` },
    metrics: { listen: `127.0.0.1:${metrics}` },
    admin: { listen: 'off' },
    log: { level: 'warn' },
    seal: [
      {
        ...{ kind: 'vault', server: lab.addresses, transit: { key: 'kmipd-seal' }, recheck: '300ms' },
        approle: { id: role_id, secret: secret_id, retry: '500ms' },
      },
    ],
  }
  // YAML is a superset of JSON.
  writeFileSync(join(dir, 'kmipd.yaml'), JSON.stringify(settings))
  const server = spawn(process.execPath, ['dist/cli/main.js', 'dev', '--data-dir', dir], { stdio: ['ignore', 'ignore', 'pipe'] })
  running.add(server)
  let log = ''
  server.stderr.on('data', chunk => {
    log += chunk
  })
  const health = async () => (await fetch(`http://127.0.0.1:${metrics}/readyz`).catch(() => ({ status: 0 }))).status
  check('a server with its seal in Vault', await until('ready', async () => (await health()) === 200), log)
  await admin('PUT', 'sys/seal')
  await sleep(1500)
  check('serves while Vault is sealed', (await health()) === 200, log)
  await admin('PUT', 'sys/unseal', { key: lab.unseal_key })
  const before = (await admin('GET', 'sys/policies/acl/kmipd-seal')).data.policy
  await admin('PUT', 'sys/policies/acl/kmipd-seal', { policy: 'path "none" { capabilities = ["read"] }' })
  check('closes its data once Vault refuses', await until('closed', async () => (await health()) === 503), log)
  await admin('PUT', 'sys/policies/acl/kmipd-seal', { policy: before })
  check('and opens it again', await until('open', async () => (await health()) === 200, 60), log)
  await stop(server)
  check('and stops', server.exitCode === 0, log)
  check('no secret in its log', !log.includes(secret_id) && !/hvs\./.test(log))
}

async function policies(lab) {
  const admin = administrator(lab)
  const client = await connect(lab)
  const kv = await client.kv('kv')
  const lines = [
    { path: 'kv/data/kmipd/log/*', capabilities: ['create', 'read'], why: 'log' },
    { path: 'transit/encrypt/kmipd-seal', capabilities: ['update'], why: 'seal' },
    { path: 'transit/rotate/kmipd-seal', capabilities: ['update'], why: 'none' },
  ]
  const missing = await missingPolicy(client, lines)
  check(
    'doctor names the one line that is missing',
    missing.length === 1 && policyText(missing).includes('path "transit/rotate/kmipd-seal"'),
    missing,
  )
  const before = (await admin('GET', 'sys/policies/acl/kmipd-kv2')).data.policy
  await admin('PUT', 'sys/policies/acl/kmipd-kv2', { policy: 'path "none" { capabilities = ["read"] }' })
  const denied = await failure(kv.read(name()))
  check('a policy that is taken away', denied.code === 'permission-denied' && denied.message.includes('kv/data/kmipd'), denied)
  await admin('PUT', 'sys/policies/acl/kmipd-kv2', { policy: before })
  check('and given back', (await kv.read(name())) === undefined)
  check('one login in all', client.events.filter(({ message }) => message.startsWith('logged in')).length === 1, client.events)
}

/** Of those that the lab gives for the credential of kmipd. */
const TOKEN_SECONDS = 3

async function tokens(lab) {
  const admin = administrator(lab)
  const client = await connect(lab)
  const kv = await client.kv('kv')
  const path = name()
  await kv.create(path, { a: '1' })
  const seconds = quick ? 10 : 60
  const endMs = Date.now() + seconds * 1000
  let requests = 0
  const failures = []
  const worker = async () => {
    while (Date.now() < endMs) {
      requests++
      await kv.read(path).catch(error => failures.push(error))
      await sleep(10)
    }
  }
  await Promise.all([worker(), worker(), worker(), worker()])
  const logins = client.events.filter(({ message }) => message.startsWith('logged in')).length
  check(
    `tokens of ${TOKEN_SECONDS} s for a while of traffic: ${requests} requests, none failed`,
    failures.length === 0 && requests > 100,
    failures[0],
  )
  // Where the machine stands still for a second, a token may end before it is renewed.
  check(`by renewals: ${logins} logins`, logins <= Math.max(1, seconds / TOKEN_SECONDS / 4), client.events)
  const accessors = (await admin('GET', 'auth/token/accessors?list=true')).data.keys
  for (const accessor of accessors) {
    const { data } = await admin('POST', 'auth/token/lookup-accessor', { accessor }).catch(() => ({ data: undefined }))
    if (data?.meta?.role_name === 'kmipd') await admin('POST', 'auth/token/revoke-accessor', { accessor })
  }
  const reads = await Promise.all(
    Array.from({ length: 10 }, () =>
      kv.read(path).then(
        () => 'ok',
        error => error,
      ),
    ),
  )
  check(
    'a revoked token is replaced, by one login',
    reads.every(read => read === 'ok') && client.events.filter(({ message }) => message.startsWith('logged in')).length === 2,
    reads,
  )

  const { secret_id, secret_id_accessor } = (await admin('POST', 'auth/approle/role/kmipd/secret-id', {})).data
  const doomed = await connect(lab, { login: { kind: 'approle', id: lab.approle.kmipd.role_id, secret: secret_id } })
  await doomed.ready()
  await admin('POST', 'auth/approle/role/kmipd/secret-id-accessor/destroy', { secret_id_accessor })
  check('a destroyed secret id does not end its token', (await (await doomed.kv('kv')).read(path)) !== undefined)
  const late = await connect(lab, { login: { kind: 'approle', id: lab.approle.kmipd.role_id, secret: secret_id } })
  check('but nobody logs in with it', (await failure(late.ready())).code === 'login-refused')
  check(
    'and that is an alarm',
    late.events.some(({ level }) => level === 'error'),
  )

  const wrap = await admin('POST', 'auth/approle/role/kmipd/secret-id', {}, { 'x-vault-wrap-ttl': '60s' })
  const wrapped = { kind: 'approle', id: lab.approle.kmipd.role_id, secret: wrap.wrap_info.token, wrapped: true }
  const first = await connect(lab, { login: wrapped })
  await first.ready()
  check('a wrapped secret id opens', first.status().ready)
  const second = await connect(lab, { login: wrapped })
  check('and only once', (await failure(second.ready())).code === 'secret-opened')
  const foreign = await admin('GET', 'auth/token/lookup-self', undefined, { 'x-vault-wrap-ttl': '60s' })
  const forged = await connect(lab, { login: { ...wrapped, secret: foreign.wrap_info.token } })
  check('one that was made elsewhere is not trusted', /do not trust/.test((await failure(forged.ready())).message))

  await admin('POST', 'auth/approle/role/few', { token_policies: ['kmipd-kv2'], token_num_uses: 3 })
  const few = {
    role_id: (await admin('GET', 'auth/approle/role/few/role-id')).data.role_id,
    secret_id: (await admin('POST', 'auth/approle/role/few/secret-id', {})).data.secret_id,
  }
  const limited = await connect(lab, { login: { kind: 'approle', id: few.role_id, secret: few.secret_id } })
  check('a token with a number of uses is refused', /token_num_uses/.test((await failure(limited.ready())).message))

  const shrinking = await admin('POST', 'auth/approle/role/short', { token_policies: ['kmipd-kv2'], token_ttl: '2s', token_max_ttl: '4s' })
  void shrinking
  const short = {
    role_id: (await admin('GET', 'auth/approle/role/short/role-id')).data.role_id,
    secret_id: (await admin('POST', 'auth/approle/role/short/secret-id', {})).data.secret_id,
  }
  await admin('POST', 'auth/approle/role/batch', { token_policies: ['kmipd-kv2'], token_ttl: '2s', token_type: 'batch' })
  const batch = {
    role_id: (await admin('GET', 'auth/approle/role/batch/role-id')).data.role_id,
    secret_id: (await admin('POST', 'auth/approle/role/batch/secret-id', {})).data.secret_id,
  }
  for (const [what, { role_id, secret_id: secret }] of [
    ['a token that nears its longest life', short],
    ['a batch token', batch],
  ]) {
    const brief = await connect(lab, { login: { kind: 'approle', id: role_id, secret } })
    const entries = await brief.kv('kv')
    const bad = []
    for (const end = Date.now() + 9000; Date.now() < end; await sleep(20)) await entries.read(path).catch(error => bad.push(error))
    check(
      `${what} is replaced in time`,
      bad.length === 0 && brief.events.filter(({ message }) => message.startsWith('logged in')).length > 1,
      bad[0] ?? brief.events,
    )
  }
}

async function namespaces(lab) {
  const client = await connect(lab, { namespace: 'team' })
  if (/^1\./.test(lab.version)) {
    check('a server that ignores namespaces is refused', /ignores namespaces/.test((await failure(client.ready())).message))
    return
  }
  const admin = administrator(lab)
  await admin('POST', 'sys/namespaces/team', {})
  await admin('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } }, { 'x-vault-namespace': 'team' })
  await admin('PUT', 'sys/policies/acl/kmipd-team', {
    policy: 'path "team/*" { capabilities = ["create", "read", "update", "list", "delete"] }',
  })
  await admin('POST', 'auth/approle/role/kmipd', { token_policies: ['kmipd-kv2', 'kmipd-team'] })
  const inside = await connect(lab, {
    namespace: 'team',
    login: { kind: 'approle', id: lab.approle.kmipd.role_id, secret: lab.approle.kmipd.secret_id, namespace: 'root' },
  })
  const kv = await inside.kv('kv', { version: 2 })
  const path = name()
  await kv.create(path, { a: 'team' })
  const outside = await (await connect(lab)).kv('kv')
  check('namespaces are apart', (await outside.read(path)) === undefined && (await kv.read(path)).data.a === 'team')
}

async function kubernetes(lab, emulator) {
  const k8s = new Outgoing({ origin: emulator.kubernetes_host, authorities: [emulator.ca] })
  const mint = async query => (await k8s.request({ method: 'GET', target: `/_emulator/token?${query}` })).body.toString()
  const file = join(work, 'jwt')
  writeFileSync(file, await mint('namespace=default&name=kmipd&ttl=600'))
  const client = await connect(lab, { login: { kind: 'kubernetes', role: 'kmipd', jwt: { file } } })
  const kv = await client.kv('kv')
  const path = name()
  check('a pod logs in by its service account', (await kv.create(path, { a: '1' })) === 1)
  writeFileSync(file, await mint('namespace=default&name=somebody&ttl=600'))
  const stranger = await connect(lab, { login: { kind: 'kubernetes', role: 'kmipd', jwt: { file } } })
  check('another service account is refused', (await failure(stranger.ready())).code === 'login-refused')
  writeFileSync(file, await mint('namespace=default&name=kmipd&ttl=600'))
  check('a JWT that was replaced in its file is read', await until('login', () => stranger.status().ready))
  await k8s.request({ method: 'DELETE', target: '/_emulator/token' })
  const dead = await connect(lab, { login: { kind: 'kubernetes', role: 'kmipd', jwt: { file } } })
  check('a dead JWT is refused', (await failure(dead.ready())).code === 'login-refused')
  k8s.close()
}

async function tls(binary) {
  const lab = await launch('vault-lab.mjs', '--bin', binary, '--mtls')
  const folder = join(work, 'authorities')
  mkdirSync(folder)
  copyFileSync(lab.ca, join(folder, 'lab.pem'))
  const files = { certificate: lab.cert, key: lab.key }
  for (const [what, ca] of [
    ['a file', lab.ca],
    ['a folder', folder],
  ]) {
    const client = await connect(lab, { tls: { ca, ...files } })
    const kv = await client.kv('kv')
    for (let i = 0; i < 50; i++) await kv.read(name())
    const { connectionsMade } = client.status().servers[0]
    check(`TLS with authorities of ${what}: ${connectionsMade} handshakes for more than 50 requests`, connectionsMade <= 2, connectionsMade)
  }
  const untrusting = await connect(lab, { tls: files })
  check('an authority that is not trusted', (await failure(untrusting.ready({ deadlineMs: 1500 }))).code === 'tls')
  const unknown = await connect(lab, { tls: { ca: lab.ca } })
  const refused = await failure(unknown.ready({ deadlineMs: 1500 }))
  check('no client certificate', ['tls', 'unreachable'].includes(refused.code), refused)
  const ssl = (...argv) => execFileSync('openssl', argv, { cwd: work, stdio: ['ignore', 'ignore', 'pipe'] })
  ssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=other',
    '-keyout',
    'o.key',
    '-out',
    'o.crt',
  )
  const other = await connect(lab, { tls: { ca: join(work, 'o.crt'), ...files } })
  check('another authority', (await failure(other.ready({ deadlineMs: 1500 }))).code === 'tls')
  for (const client of clients) client.close()
  clients.clear()
  await lab.stop()
}

/** Nothing that was secret may be in what was told, however deep one looks. */
function secrets(lab) {
  const text = inspect(told, { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null })
  const hidden = [
    lab.root_token,
    lab.approle.kmipd.secret_id,
    lab.approle.kes.secret_id,
    'a secret of thirty-one characters',
    Buffer.from('a secret of thirty-one characters').toString('base64'),
  ]
  check(`no secret in ${told.length} errors and logs`, hidden.every(secret => !text.includes(secret)) && !/hvs\.|hvb\.|eyJhbGci/.test(text))
}

async function suite(binary) {
  console.log(`--- ${basename(binary)}`)
  const emulator = await launch('k8s-tokenreview-emulator.mjs', '--ca-out', join(work, 'k8s-ca.pem'))
  const cluster = ['--kubernetes', emulator.kubernetes_host, '--kubernetes-ca', join(work, 'k8s-ca.pem')]
  const lab = await launch('vault-lab.mjs', '--bin', binary, '--token-period', '3s', ...cluster)
  console.log(`version ${lab.version}`)
  told.length = 0
  for (const part of [engines, transit, seals, recheck, policies, namespaces, lab => kubernetes(lab, emulator), tokens]) {
    await part(lab)
    for (const client of clients) client.close()
    clients.clear()
  }
  secrets(lab)
  await lab.stop()
  await emulator.stop()
  await tls(binary)
  rmSync(work, { recursive: true })
  mkdirSync(work)
}

try {
  for (const binary of binaries) await suite(binary)
} catch (error) {
  check('the suite came to its end', false, error)
} finally {
  for (const child of running) child.kill('SIGTERM')
  rmSync(work, { recursive: true, force: true })
}
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exit(counts.failed > 0 ? 1 : 0)
