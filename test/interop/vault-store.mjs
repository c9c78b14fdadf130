// kmipd on a real Vault or OpenBao as its store.
// node test/interop/vault-store.mjs TOOLS BINARY [--long] [--only PART]
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { KmipClient } from '../../dist/client/client.js'
import { create, get } from '../../dist/client/operations.js'
import { Checks, startLab, startProxy } from './vault.mjs'
import { chaos, sleeper } from './vault-chaos.mjs'

const [tools, bin, ...options] = process.argv.slice(2)
const isLong = options.includes('--long')
const only = options.includes('--only') ? options[options.indexOf('--only') + 1] : undefined
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const CONTRACT = fileURLToPath(new URL('vault-contract.mjs', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'kmipd-vault-'))
const checks = new Checks()
const run = promisify(execFile)
const servers = []

/** Run a command of kmipd. @returns its output, and whether it succeeded */
async function kmipd(...args) {
  try {
    const { stdout, stderr } = await run(process.execPath, [MAIN, ...args], { timeout: 120_000 })
    return { isDone: true, text: stdout + stderr, stdout }
  } catch (error) {
    return { isDone: false, text: `${error.stdout}${error.stderr}`, stdout: error.stdout }
  }
}

async function done(...args) {
  const { isDone, text, stdout } = await kmipd(...args)
  if (!isDone) throw new Error(`kmipd ${args.join(' ')}: ${text}`)
  return stdout
}

/** A configuration in a folder of its own. @returns the file */
function configure(name, store, more = {}) {
  const home = join(dir, name)
  mkdirSync(home, { recursive: true })
  const file = join(home, 'kmipd.yaml')
  const config = {
    kmip: { listen: '127.0.0.1:0' },
    metrics: { listen: '127.0.0.1:0' },
    admin: { listen: '127.0.0.1:0' },
    store,
    seal: [{ kind: 'local', keyFile: join(dir, 'root.key') }],
    log: { format: 'json' },
    ...more,
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

const vaultStore = (lab, more = {}) => {
  const { role_id: id, secret_id: secret } = lab.approle.kmipd
  return { kind: 'vault', server: lab.addresses, approle: { id, secret }, prefix: 'kmipd/main', ...more }
}

async function start(file) {
  const home = join(file, '..')
  const log = []
  const child = spawn(process.execPath, [MAIN, 'server', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => log.push(String(chunk)))
  const server = { child, log, ended: new Promise(resolve => child.once('exit', resolve)) }
  servers.push(server)
  const listeners = join(home, 'listeners.json')
  for (let tries = 0; !existsSync(listeners); tries++) {
    if (child.exitCode !== null || tries > 600) throw new Error(`the server does not start: ${log.join('')}`)
    await wait(100)
  }
  const addresses = JSON.parse(readFileSync(listeners, 'utf8'))
  return Object.assign(server, { port: Number(addresses.kmip.split(':').pop()), metrics: addresses.metrics })
}

async function stop(server) {
  server.child.kill('SIGTERM')
  await Promise.race([server.ended, wait(20_000)])
  server.child.kill('SIGKILL')
}

const createKey = (client, name) => create(client, { name })
const getKey = async (client, id) => (await get(client, id)).material

const ready = async ({ metrics }) => {
  const answer = await fetch(`http://${metrics}/readyz`)
  return { status: answer.status, text: await answer.text() }
}

async function contractOn(lab, version) {
  const prefix = version === 1 ? 'kmipd' : `contract-${randomBytes(3).toString('hex')}`
  const argument = JSON.stringify({ servers: lab.addresses, token: lab.root_token, version, prefix })
  let text = ''
  try {
    text = (await run(process.execPath, [CONTRACT, argument], { timeout: 240_000, maxBuffer: 1 << 26 })).stdout
  } catch (error) {
    text = `${error.stdout}\n${error.stderr}`
  }
  const good = text.match(/^ok /gm)?.length ?? 0
  checks.ok(
    good > 10 && !/^not ok/m.test(text),
    `contract on KV v${version}: ${text.match(/^ *not ok.*$/gm)?.join('; ') ?? text.slice(-500)}`,
  )
  checks.passed += good
}

/** Two servers on one Vault, one of several processes: what one does counts on the other at once. */
async function twoServers(lab) {
  const a = configure('a', vaultStore(lab))
  const b = configure('b', vaultStore(lab), { workers: 2 })
  await done('init', '--config', a)
  const [first, second] = [await start(a), await start(b)]
  await done('scope', 'create', 'shop', '--config', a)
  await done('role', 'write', 'shop', 'web', 'operation_all=true', '--config', b)
  const client = JSON.parse(await done('credential', 'generate', 'shop', 'web', '--json', '--config', a))
  const credential = { cert: client.certificate, key: client.private_key, ca: client.ca_chain.join('\n') }
  const open = ({ port }) => KmipClient.connect({ host: '127.0.0.1', port, ...credential })
  const [one, two] = [await open(first), await open(second)]
  let seen = 0
  let last
  const count = isLong ? 1000 : 60
  for (let i = 0; i < count; i++) {
    last = await createKey(i % 2 ? one : two, `key-${i}`)
    if ((await getKey(i % 2 ? two : one, last)).length === 32) seen++
  }
  checks.equal(seen, count, 'keys that were made through one server and got through the other at once')
  await done('credential', 'revoke', 'shop', 'web', client.serial_number, '--config', a)
  const refused = await getKey(two, last).then(
    () => 'answered',
    () => 'cut off',
  )
  checks.equal(refused, 'cut off', 'a revocation through one server, and a request through the other')
  one.close()
  two.close()
  return { a, b, first, second }
}

async function sealedUnderLoad(lab, { first, second }) {
  await lab.seal()
  await wait(500)
  let state = await ready(first)
  for (let tries = 0; tries < 100 && state.status === 200; tries++) {
    await wait(200)
    state = await ready(first)
  }
  checks.equal(state.status, 503, 'readyz while Vault is sealed')
  checks.ok(/Vault/.test(state.text), `readyz says why: ${state.text}`)
  checks.equal(first.child.exitCode, null, 'a server that lives on')
  await lab.unseal()
  for (const server of [first, second]) {
    state = await ready(server)
    for (let tries = 0; tries < 150 && state.status !== 200; tries++) {
      await wait(200)
      state = await ready(server)
    }
    checks.equal(state.status, 200, 'readyz after Vault was unsealed')
  }
}

/** Everything moves: SQLite, Vault, SQLite; and a backup of the one becomes the other. */
async function moves(lab) {
  const sqlite = configure('sqlite', { kind: 'sqlite' })
  await done('init', '--config', sqlite)
  await done('scope', 'create', 'shop', '--config', sqlite)
  await done('role', 'write', 'shop', 'web', 'operation_all=true', '--config', sqlite)
  const server = await start(sqlite)
  const made = JSON.parse(await done('credential', 'generate', 'shop', 'web', '--json', '--config', sqlite))
  const credential = { cert: made.certificate, key: made.private_key, ca: made.ca_chain.join('\n') }
  const connection = await KmipClient.connect({ host: '127.0.0.1', port: server.port, ...credential })
  const keys = new Map()
  for (let i = 0; i < 150; i++) {
    const id = await createKey(connection, `moved-${i}`)
    keys.set(id, (await getKey(connection, id)).toString('hex'))
  }
  connection.close()
  await stop(server)
  const inVault = configure('moved', vaultStore(lab, { prefix: 'kmipd/moved', transit: { key: 'kmipd' } }))
  const back = configure('back', { kind: 'sqlite' })
  console.log((await done('store', 'migrate', '--from', sqlite, '--to', inVault)).trim())
  checks.ok(!(await kmipd('store', 'migrate', '--from', sqlite, '--to', inVault)).isDone, 'a second migration to the same place is refused')
  checks.ok(/ 0 problems/.test(await done('store', 'verify', '--config', inVault)), 'store verify on Vault')
  const backup = join(dir, 'backup')
  await done('backup', backup, '--config', inVault)
  checks.ok(/ 0 with problems/.test(await done('backup', 'verify', backup, '--all', '--config', inVault)), 'backup verify')
  console.log((await done('store', 'migrate', '--from', inVault, '--to', back)).trim())
  const restored = configure('restored', vaultStore(lab, { prefix: 'kmipd/restored' }))
  await done('restore', backup, '--config', restored)
  for (const [name, file] of [
    ['SQLite again', back],
    ['Vault, from the backup', restored],
    ['Vault, wrapped', inVault],
  ]) {
    const other = await start(file)
    const client = await KmipClient.connect({ host: '127.0.0.1', port: other.port, ...credential })
    let same = 0
    for (const [id, key] of keys) if ((await getKey(client, id)).toString('hex') === key) same++
    checks.equal(same, keys.size, `the same client and keys: ${name}`)
    client.close()
    await stop(other)
  }
  return inVault
}

/** The transit key is rotated while a server runs. */
async function transit(lab, file) {
  const server = await start(file)
  await lab.rotate('kmipd')
  checks.ok(/data keys are wrapped/.test(await done('seal', 'rewrap', '--config', file)), 'seal rewrap while the server runs')
  checks.ok(/nothing to do/.test(await done('seal', 'rewrap', '--config', file)), 'and once more')
  await lab.configureKey('kmipd', { min_decryption_version: 2 })
  await stop(server)
  const again = await start(file)
  checks.equal((await ready(again)).status, 200, 'a start after min_decryption_version was raised')
  await stop(again)
  checks.ok(/ 0 problems/.test(await done('store', 'verify', '--config', file)), 'store verify after the rotation')
}

/** Run a command that is killed when it makes this request for the nth time. @returns whether it was */
async function killed(proxy, request, nth, ...args) {
  let left = nth
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' })
  proxy.state.seen = seen => {
    if (request.test(seen) && --left === 0) child.kill('SIGKILL')
  }
  const signal = await new Promise(resolve => child.once('exit', (_code, signal) => resolve(signal)))
  proxy.state.seen = undefined
  return signal === 'SIGKILL'
}

/** Data keys are wrapped anew by commands that are killed on the way; then everything is sealed anew. */
async function killedHalfWay(lab, from) {
  const proxy = await startProxy(lab.addresses[0])
  const place = vaultStore(lab, { prefix: 'kmipd/killed', transit: { key: 'kmipd', dataKeys: 'each' } })
  const file = configure('killed', { ...place, server: [proxy.address] })
  await done('store', 'migrate', '--from', from, '--to', file)
  const server = await start(file)
  await lab.rotate('kmipd')
  for (const [request, nth] of [
    [/transit\/rewrap/, 1],
    [/POST .*kmipd\/killed\/log/, 1],
    [/POST .*kmipd\/killed\/log/, 20],
    [/transit\/rewrap/, 2],
  ])
    checks.ok(await killed(proxy, request, nth, 'seal', 'rewrap', '--config', file), `seal rewrap was killed at ${request} ${nth}`)
  checks.equal((await ready(server)).status, 200, 'the server goes on')
  checks.ok(/data keys are wrapped/.test(await done('seal', 'rewrap', '--config', file)), 'seal rewrap goes on where it was')
  checks.ok(/nothing to do/.test(await done('seal', 'rewrap', '--config', file)), 'and has come to its end')
  await lab.configureKey('kmipd', { min_decryption_version: 3 })
  checks.ok(/ 0 problems/.test(await done('store', 'verify', '--config', file)), 'store verify after rewrap was killed')
  await stop(server)
  // Who was killed seems to be there for half a minute.
  let rotated = await kmipd('seal', 'rotate', '--config', file)
  checks.ok(/this must be done alone/.test(rotated.text), `a rotation of the root key is refused meanwhile: ${rotated.text}`)
  for (let tries = 0; !rotated.isDone && tries < 60; tries++) {
    await wait(1_000)
    rotated = await kmipd('seal', 'rotate', '--config', file)
  }
  checks.ok(/new root key/.test(rotated.text), `seal rotate: ${rotated.text}`)
  checks.ok(/ 0 problems/.test(await done('store', 'verify', '--config', file)), 'store verify after the rotation')
  proxy.close()
}

async function oneNodeOnVersion1(lab) {
  const a = configure('v1-a', vaultStore(lab, { mount: 'kv1', prefix: 'kmipd/single' }))
  const b = configure('v1-b', vaultStore(lab, { mount: 'kv1', prefix: 'kmipd/single' }))
  await done('init', '--config', a)
  const server = await start(a)
  const { isDone, text } = await kmipd('server', '--config', b)
  checks.ok(!isDone && /alone/.test(text), `a second node on KV v1 is refused: ${text}`)
  await done('backup', join(dir, 'v1-backup'), '--config', a)
  await stop(server)
}

/** What an administrator of Vault may set, and what a configuration may say, that would lose data or seem to. */
async function settings(lab) {
  const kvConfig = fields => lab.call('POST', 'kv/config', fields)
  const mortal = configure('mortal', vaultStore(lab, { prefix: 'kmipd/mortal' }))
  const toRun = /vault write kv\/config delete_version_after=0s/
  await kvConfig({ delete_version_after: '1h' })
  checks.ok(toRun.test((await kmipd('init', '--config', mortal)).text), 'no store is made in an engine that deletes what is written')
  await kvConfig({ delete_version_after: '0s' })
  await done('init', '--config', mortal)
  const server = await start(mortal)
  await kvConfig({ delete_version_after: '1h' })
  checks.ok(toRun.test((await kmipd('scope', 'create', 'lost', '--config', mortal)).text), 'and nothing is stored if that is set later')
  await kvConfig({ delete_version_after: '0s' })
  await done('scope', 'create', 'kept', '--config', mortal)
  await stop(server)
  const { metadata } = (await lab.call('GET', 'kv/data/kmipd/mortal/head')).body.data
  checks.equal(metadata.deletion_time, '', 'what is there stays')
  const plain = configure('plain', vaultStore(lab, { prefix: 'kmipd/plain' }))
  const wrapped = configure('wrapped', vaultStore(lab, { prefix: 'kmipd/plain', transit: { key: 'kmipd' } }))
  const nowhere = configure('nowhere', vaultStore(lab, { prefix: 'kmipd/nowhere' }))
  checks.ok(/run: kmipd init/.test((await kmipd('scope', 'list', '--config', nowhere)).text), 'a command makes no store')
  await done('init', '--config', plain)
  checks.ok(/leave out store\.transit/.test((await kmipd('scope', 'list', '--config', wrapped)).text), 'data keys where there are none')
  const { body } = await lab.call('POST', 'auth/approle/role/kmipd/secret-id', {}, { wrap: '10m' })
  const secret = join(dir, 'wrapped-secret')
  writeFileSync(secret, body.wrap_info.token, { mode: 0o600 })
  const { role_id: id } = lab.approle.kmipd
  const once = vaultStore(lab, { prefix: 'kmipd/once', approle: { id, secret: `file:${secret}`, wrapped: true } })
  await done('init', '--config', configure('once', once, { seal: [{ kind: 'local', keyFile: join(dir, 'once.key') }] }))
}

/** One address, and a standby behind it. */
async function throughStandby(raft) {
  const address = await raft.standby()
  const file = configure('standby', vaultStore(raft, { prefix: 'kmipd/standby', server: address }))
  await done('init', '--config', file)
  const server = await start(file)
  checks.equal((await ready(server)).status, 200, 'a server that knows a standby alone')
  await done('scope', 'create', 'through', '--config', file)
  await stop(server)
}

const wants = part => only === undefined || only === part
try {
  const lab = await startLab({ tools, bin })
  console.log(`Vault ${lab.version}`)
  try {
    if (wants('contract')) {
      await checks.section('contract, KV v2 on file', () => contractOn(lab, 2))
      await checks.section('contract, KV v1', () => contractOn(lab, 1))
    }
    if (wants('servers'))
      await checks.section('two servers', async () => {
        const both = await twoServers(lab)
        await sealedUnderLoad(lab, both)
        await stop(both.first)
        await stop(both.second)
      })
    if (wants('moves'))
      await checks.section('moves, backup, transit', async () => {
        const file = await moves(lab)
        await transit(lab, file)
        await killedHalfWay(lab, file)
      })
    if (wants('settings')) await checks.section('settings', () => settings(lab))
    if (wants('v1')) await checks.section('one node on KV v1', () => oneNodeOnVersion1(lab))
    if (wants('chaos')) {
      const [commits, limitMs] = isLong ? [20_000, 1_800_000] : [3_000, 40_000]
      await checks.section('chaos on file', () => chaos({ lab, checks, title: 'file, sleeper', commits, limitMs, trouble: sleeper }))
      const proxy = await startProxy(lab.addresses[0])
      Object.assign(proxy.state, { latencyMs: 200, cut: 0.05 })
      await checks.section('chaos behind a bad line', () =>
        chaos({ lab, checks, title: 'answers late or lost', commits: 1_500, limitMs: 25_000, servers: [proxy.address] }),
      )
      console.log(`${proxy.state.cuts} answers were cut`)
      proxy.close()
    }
  } finally {
    await lab.stop()
  }
  if (wants('raft')) {
    const raft = await startLab({ tools, bin, args: ['--nodes', '3'] })
    try {
      await checks.section('contract, KV v2 on raft', () => contractOn(raft, 2))
      if (/^1\.(?!.*ent)/.test(raft.version)) await checks.section('through a standby', () => throughStandby(raft))
      await checks.section('chaos on raft', () =>
        chaos({
          lab: raft,
          checks,
          title: 'raft, sealed and without its leader',
          commits: 20_000,
          limitMs: isLong ? 300_000 : 60_000,
          trouble: (_crew, signal) => troubles(raft, signal),
        }),
      )
    } finally {
      await raft.stop()
    }
  }
} finally {
  for (const { child } of servers) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
}
checks.end()

/** Seal and unseal a standby, then the leader is killed for good. */
async function troubles(raft, signal) {
  await wait(8_000, undefined, { signal })
  await raft.call('PUT', 'sys/seal', undefined, { address: raft.addresses[0] })
  await wait(4_000, undefined, { signal })
  await raft.call('PUT', 'sys/unseal', { key: raft.unseal_key }, { address: raft.addresses[0] })
  await wait(12_000, undefined, { signal })
  for (const [i, address] of raft.addresses.entries()) {
    const { status } = await raft.call('GET', 'sys/health', undefined, { address })
    if (status !== 200) continue
    process.kill(raft.pids[i], 'SIGKILL')
    raft.addresses = raft.addresses.filter(other => other !== address)
    return
  }
}
