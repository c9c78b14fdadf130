// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a configuration refers to the environment
import { randomBytes, randomUUID } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openData } from '../../src/cli/data.ts'
import { type Operation, payloadOf, requestMessage, responseItems } from '../../src/client/message.ts'
import { attribute, nameItem } from '../../src/client/operations.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { createEngine } from '../../src/ops/create-engine.ts'
import { decode, encode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { child, enumeration, integer, structure } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { freePort } from '../free-port.ts'
import { until } from '../server/lab.ts'
import { FakeVault } from '../vault/fake-vault.ts'
import { run, start } from './run.ts'

const KEY = /local ([0-9a-f]{16})/
const configIn = (dir: string) => {
  const file = join(dir, 'kmipd.yaml')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return parseConfig(text, file, { env: {}, readFile: path => readFileSync(join(dir, path), 'utf8') })
}

/** Let an administrator of a scope do an operation on data that no server serves. */
async function perform(dir: string, scope: string, operation: Operation) {
  const data = await openData(configIn(dir), 'command')
  try {
    const { id } = await (await data.mounts.scopesAt('kmip/')).readScope(scope)
    const engine = createEngine({ records: data.records, now: () => BigInt(Math.floor(Date.now() / 1000)), randomBytes, newId: randomUUID })
    const peer = { scope: id, scopeName: scope, role: 'test', serial: '1', may: () => true }
    const { bytes } = await engine.answer(encode(requestMessage([operation])), peer)
    return payloadOf(responseItems(decode(bytes))[0]!)
  } finally {
    await data.close()
  }
}

async function createKey(dir: string, name: string): Promise<string> {
  const payload = await perform(dir, 'finance', {
    operation: 'Create',
    payload: [
      enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey),
      structure(TAG.TemplateAttribute, [
        attribute(enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm.AES)),
        attribute(integer(TAG.CryptographicLength, 256)),
        attribute(integer(TAG.CryptographicUsageMask, 12)),
        attribute(nameItem(name)),
      ]),
    ],
  })
  return String(child(payload, TAG.UniqueIdentifier)?.value)
}

const locate = async (dir: string, name: string): Promise<unknown> =>
  child(await perform(dir, 'finance', { operation: 'Locate', payload: [attribute(nameItem(name))] }), TAG.UniqueIdentifier)?.value

/** The store of a configuration, as its file says it. */
const STORES: [name: string, make: (t: Test) => Promise<string>][] = [
  ['SQLite', async () => ''],
  ['Vault', t => inVault(t, '')],
  ['Vault with transit', t => inVault(t, '  transit: { key: k }\n')],
]

async function inVault(t: Test, more: string): Promise<string> {
  const vault = new FakeVault()
  vault.transit.create('k')
  const { address } = await vault.serve(t)
  return `store:\n  kind: vault\n  server: ${address}\n  approle: { id: ${vault.role.id}, secret: ${vault.secret} }\n${more}`
}

for (const [name, make] of STORES)
  t.test(`seal on ${name}: a second key, the first one removed, and a new root key`, async t => sealed(t, await make(t)))

async function sealed(t: Test, store: string): Promise<void> {
  const dir = t.testdir({ data: { 'kmipd.yaml': store } })
  const configure = (text: string): void => writeFileSync(join(dir, 'data/kmipd.yaml'), `${store}${text}`)
  const env = { PHRASE: 'correct horse battery staple' }
  const seal = (...argv: string[]) => run(['seal', ...argv, '--data-dir', 'data'], { cwd: dir, env })
  await run(['init', '--data-dir', 'data'], { cwd: dir })
  await run(['scope', 'create', 'finance', '-d', 'data'], { cwd: dir })
  const id = await createKey(join(dir, 'data'), 'first')

  const status = await seal('status')
  t.match(status, { code: 0, out: /^local [0-9a-f]{16} {2}seals the store, and opens it\n$/ })
  const first = KEY.exec(status.out)![1]!
  t.match(await seal('remove', 'local', first), { code: 1, err: /not removed: none of the other configured providers/ })
  t.match(await seal('remove', 'local', '00'), { code: 2, err: /does not seal/ })
  t.match(await run(['seal', 'generate-key'], { cwd: dir }), { code: 0, out: /^hsm:aes256:.{44}\n$/ })
  t.match(await run(['seal', 'generate-key', 'data/second.key'], { cwd: dir }), { code: 0, out: /is made/ })
  t.equal(statSync(join(dir, 'data/second.key')).mode & 0o777, 0o600)
  t.match(await run(['seal', 'generate-key', 'data/second.key'], { cwd: dir }), { code: 1, err: /no key is overwritten/ })

  const BOTH = 'seal:\n  - { kind: local, keyFile: root.key }\n  - { kind: local, keyFile: second.key }\n'
  configure(BOTH)
  t.match(await seal('status'), { out: /does not seal the store yet, see: kmipd seal add/ })
  t.match(await seal('add'), { code: 0, out: /^local [0-9a-f]{16} opens the store from now on\n$/ })
  t.match(await seal('add'), { code: 0, out: /nothing to add/ })
  t.match(await seal('remove', 'local', first), { code: 0, out: /opens the store no more/ })
  t.match(await seal('status', '--json'), { code: 0, out: /"rotating": false/ })
  const before = readFileSync(join(dir, 'data/root.key'))
  t.match(await run(['scope', 'list', '-d', 'data'], { cwd: dir }), { code: 0, out: 'finance\n' })
  configure('')
  t.match(await run(['scope', 'list', '-d', 'data'], { cwd: dir }), { code: 1, err: /sealed with local key/ }, 'the old key opens nothing')
  t.same(readFileSync(join(dir, 'data/root.key')), before)

  configure('seal:\n  - { kind: local, keyFile: second.key }\n  - { kind: passphrase, name: paper, passphrase: "${PHRASE}" }\n')
  t.match(await seal('add'), { code: 0, out: 'passphrase paper opens' })
  t.match(await seal('rotate'), { code: 0, out: /new root key: \d+ records were sealed anew\n/ })
  configure('seal: [{ kind: passphrase, name: paper, passphrase: "${PHRASE}" }]\n')
  t.match(await run(['store', 'verify', '-d', 'data'], { cwd: dir, env }), { code: 0, out: /^\d+ records, 0 problems\n$/ })
  t.match(await seal('rotate'), { code: 1, err: /local key [0-9a-f]{16} too.*kmipd seal remove local/ })
  const wrong = { PHRASE: 'incorrect horse battery staple' }
  t.match(await run(['store', 'verify', '-d', 'data'], { cwd: dir, env: wrong }), { code: 1, err: /passphrase paper is another one/ })
  configure('seal: [{ kind: local, keyFile: second.key }]\n')
  t.equal(await locate(join(dir, 'data'), 'first'), id, 'found by its name under the new key')

  const server = await start(['dev', '-d', 'data', '--kmip-address', '127.0.0.1:0'], dir)
  t.match(await seal('rotate'), { code: 1, err: /(a server or a command|process \d+ on .*) uses .*: stop it first/ })
  t.match(await seal('status'), { code: 0 })
  await server.stop()
}

t.test('listeners.json follows a listener that is configured while the server runs', async t => {
  const dir = t.testdir({})
  const listen = async () => {
    const address = `127.0.0.1:${await freePort()}`
    t.match(await run(['listener', 'write', `listen_addrs=${address}`, '-d', 'data'], { cwd: dir }), { code: 0 })
    return address
  }
  const named = () => JSON.parse(readFileSync(join(dir, 'data', 'listeners.json'), 'utf8')).kmip
  await run(['init', '-d', 'data'], { cwd: dir })
  const before = await listen()
  const server = await start(['dev', '-d', 'data', '--metrics-address', 'off', '--admin-address', 'off'], dir)
  t.equal(named(), before)
  const after = await listen()
  await until(() => named() === after)
  const client = join('data', 'clients', 'default')
  t.match(await run(['client', 'create', '--client', client], { cwd: dir }), { code: 0 }, 'clients find it there')
  t.equal(await server.stop(), 0)
  t.notOk(existsSync(join(dir, 'data', 'listeners.json')))
})

t.test('backup, verify and restore', async t => {
  const dir = t.testdir({})
  const go = (...argv: string[]) => run(argv, { cwd: dir })
  await go('init', '-d', 'data')
  await go('scope', 'create', 'finance', '-d', 'data')
  const id = await createKey(join(dir, 'data'), 'saved')
  const server = await start(['dev', '-d', 'data', '--kmip-address', '127.0.0.1:0'], dir)
  t.match(await go('backup', 'monday', '-d', 'data'), { code: 0, out: /monday: \d+ records, \d+ bytes/ }, 'while a server runs')
  await server.stop()
  t.equal(statSync(join(dir, 'monday')).mode & 0o777, 0o600)
  t.match(await go('backup', 'monday', '-d', 'data'), { code: 2, err: /does not overwrite/ })
  t.match(await go('backup', 'verify', 'monday', '-d', 'data'), {
    code: 0,
    out: /made 20.* by kmipd .*, sealed by local .*\n\d+ records, \d+ opened, 0 with/,
  })
  t.match(await go('backup', 'verify', 'monday', '-d', 'data', '--all', '--json'), { code: 0, out: /"problems": \[\]/ })
  t.match(await go('backup', 'verify', 'data/root.key', '-d', 'data'), { code: 1, err: /no backup of kmipd/ })
  t.match(await go('backup', 'tuesday', '-d', 'nowhere'), { code: 2, err: /run: kmipd init/ })

  t.match(await go('restore', 'monday', '-d', 'data'), { code: 2, err: /there is data/ })
  t.match(await go('restore', 'monday', '-d', 'new'), { code: 1, err: /root\.key cannot be read/ }, 'who cannot open it restores nothing')
  mkdirSync(join(dir, 'new'))
  cpSync(join(dir, 'data/root.key'), join(dir, 'new/root.key'))
  writeFileSync(join(dir, 'cut'), readFileSync(join(dir, 'monday')).subarray(0, -40))
  t.match(await go('restore', 'cut', '-d', 'new'), { code: 1, err: /the backup is damaged/ })
  t.same(readdirSync(join(dir, 'new')), ['root.key'], 'a backup that is not whole leaves nothing behind')
  t.match(await go('restore', 'monday', '-d', 'new'), { code: 0, out: /0 with problems\nrestored to/ })
  t.match(await go('store', 'verify', '-d', 'new', '--json'), { code: 0, out: /"file": \[\],\n {2}"problems": \[\]/ })
  t.equal(await locate(join(dir, 'new'), 'saved'), id)
  t.match(await go('ca', 'read', '-d', 'new'), { out: (await go('ca', 'read', '-d', 'data')).out }, 'with the same CA')
  t.notOk(existsSync(join(dir, 'new/kmipd.db.restoring')))
})
