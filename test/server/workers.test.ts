import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { KmipClient } from '../../src/client/client.ts'
import { requestMessage } from '../../src/client/message.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { child, enumeration, type Item, integer, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { nodeCommand } from '../node-command.ts'
import { FakeVault } from '../vault/fake-vault.ts'
import { startDev, until } from './process.ts'

// A server of several processes, from outside.

/** Another command beside the server. */
async function kmipd(argv: readonly string[]): Promise<{ code: number | null; err: string }> {
  const child = spawn(...nodeCommand('dist/cli/main.js', ...argv), { stdio: ['ignore', 'ignore', 'pipe'] })
  let err = ''
  child.stderr.on('data', chunk => (err += chunk))
  const [code] = await once(child, 'close')
  return { code, err }
}

const connect = (dir: string, port: number, name = 'default'): Promise<KmipClient> => {
  const pem = (file: string): string => readFileSync(join(dir, 'clients', name, file), 'utf8')
  return KmipClient.connect({ host: '127.0.0.1', port, ca: pem('ca.pem'), cert: pem('cert.pem'), key: pem('key.pem') })
}

const batchItem = (answer: Item): Item => child(answer, TAG.BatchItem)!
const statusOf = (answer: Item): unknown => child(batchItem(answer), TAG.ResultStatus)?.value
const idOf = (answer: Item): string => String(child(child(batchItem(answer), TAG.ResponsePayload)!, TAG.UniqueIdentifier)?.value ?? 'none')
const { Success } = ENUM.ResultStatus

const attribute = (name: string, value: Item): Item => structure(TAG.Attribute, [text(TAG.AttributeName, name), value])
const CREATE = requestMessage([
  {
    operation: 'Create',
    payload: [
      enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey),
      structure(TAG.TemplateAttribute, [
        attribute('Cryptographic Algorithm', enumeration(TAG.AttributeValue, ENUM.CryptographicAlgorithm.AES)),
        attribute('Cryptographic Length', integer(TAG.AttributeValue, 256)),
      ]),
    ],
  },
])
const on = (operation: 'Get' | 'Destroy', id: string): Item => requestMessage([{ operation, payload: [text(TAG.UniqueIdentifier, id)] }])

/** The store of a configuration, and who else serves it. */
const STORES: [name: string, make: (t: Test) => Promise<string>][] = [
  ['SQLite', async () => ''],
  ['Vault', inVault],
]

async function inVault(t: Test): Promise<string> {
  const vault = new FakeVault()
  vault.transit.create('k')
  const { address } = await vault.serve(t)
  return `store:\n  kind: vault\n  server: ${address}\n  approle: { id: ${vault.role.id}, secret: ${vault.secret} }\n  transit: { key: k }\n`
}

for (const [name, make] of STORES) t.test(`a server of two workers on ${name}`, async t => twoWorkers(t, await make(t)))

async function twoWorkers(t: Test, store: string): Promise<void> {
  const dir = t.testdir({ 'kmipd.yaml': `workers: 2\n${store}` })
  const server = await startDev(dir)
  t.teardown(() => server.process.kill('SIGKILL'))
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(dir, server.port)))
  const [one, two] = clients as [KmipClient, KmipClient]
  t.teardown(() => {
    for (const client of clients) client.close()
  })

  const ids = await Promise.all(clients.map(async client => idOf(await client.request(CREATE))))
  for (const client of clients)
    for (const id of ids) t.equal(statusOf(await client.request(on('Get', id))), Success, 'what one worker stored, each serves')
  t.equal(statusOf(await one.request(on('Destroy', ids[0]!))), Success)
  for (const client of clients) t.not(statusOf(await client.request(on('Get', ids[0]!))), Success, 'and what one destroyed, none serves')

  const text = async (path: string): Promise<string> => (await fetch(`http://${server.metrics}${path}`)).text()
  t.equal(await text('/readyz'), 'ok\n')
  const metrics = await text('/metrics')
  t.match(metrics, 'kmipd_requests_total{operation="Create",status="Success"} 4', 'summed')
  t.match(metrics, 'kmipd_connections 4')
  t.match(metrics, 'kmipd_build_info{')
  const lines = readFileSync(join(dir, 'audit.log'), 'utf8').trimEnd().split('\n')
  const records = lines.map(line => JSON.parse(line) as { operation: string; chain?: string })
  t.equal(records.filter(({ operation }) => operation === 'Create').length, 4, 'audit lines of all, each whole')
  t.equal(new Set(records.flatMap(({ chain }) => (chain ? [chain.split('.')[0]] : []))).size, 2, 'of two processes')

  const other = await kmipd(['credential', 'generate', 'default', 'all', '--data-dir', dir, '--out', join(dir, 'clients', 'other')])
  t.equal(other.code, 0, other.err)
  const revoked = await Promise.all(Array.from({ length: 4 }, () => connect(dir, server.port, 'other')))
  for (const client of revoked) t.equal(statusOf(await client.request(on('Get', ids[1]!))), Success)
  const certificate = join(dir, 'clients', 'other', 'cert.pem')
  t.equal((await kmipd(['credential', 'revoke', 'default', 'all', '--certificate', certificate, '--data-dir', dir])).code, 0)
  for (const client of revoked) await t.rejects(client.request(on('Get', ids[1]!)), 'revoked in every process at once')

  process.kill(server.process.pid!, 'SIGHUP')
  await until('the reload', () => server.logged.some(line => line.includes('reloaded')) || undefined)
  t.equal(statusOf(await two.request(on('Get', ids[1]!))), Success)

  const { pid } = server.process
  const [worker] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
  process.kill(Number(worker), 'SIGKILL')
  await until('the log of it', () => server.logged.find(line => line.includes('a worker has ended; it is replaced')))
  await until('another worker', async () => ((await text('/readyz')) === 'ok\n' ? true : undefined))
  const again = await connect(dir, server.port)
  t.equal(statusOf(await again.request(on('Get', ids[1]!))), Success)
  again.close()

  server.process.kill('SIGTERM')
  t.same(await once(server.process, 'exit'), [0, null])
  t.notOk(existsSync(join(dir, 'listeners.json')))
}

t.test('a worker that is starting keeps nobody waiting, and does what was said meanwhile', async t => {
  const dir = t.testdir({ 'kmipd.yaml': 'workers: 2\n' })
  const server = await startDev(dir)
  t.teardown(() => server.process.kill('SIGKILL'))
  const { pid } = server.process
  const workers = (): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  /** End a worker. @returns once there is another one, which hears nothing yet */
  async function replaceOne(): Promise<void> {
    const before = workers()
    process.kill(before[0]!, 'SIGKILL')
    await until('another worker', () => workers().find(worker => !before.includes(worker)))
  }
  const took = async (act: () => Promise<unknown>): Promise<number> => {
    const began = performance.now()
    await act()
    return performance.now() - began
  }

  await replaceOne()
  t.ok((await took(async () => (await fetch(`http://${server.metrics}/metrics`)).text())) < 1500, 'metrics are those of the others')
  await until('another worker', async () => ((await fetch(`http://${server.metrics}/readyz`)).ok ? true : undefined))
  await replaceOne()
  process.kill(pid!, 'SIGHUP')
  await until('the reload', () => server.logged.find(line => line.includes('reloaded')))
  t.notOk(
    server.logged.some(line => line.includes('a worker did not say')),
    'it reloads once it serves',
  )
  await replaceOne()
  server.process.kill('SIGTERM')
  t.ok((await took(() => once(server.process, 'exit'))) < 8000, 'it stops as soon as it hears')
})

t.test('what cannot be done by several processes is refused', async t => {
  const dir = t.testdir({})
  const wrapped = 'server: http://127.0.0.1:1, approle: { id: a, secret: b, wrapped: true }, transit: { key: k }'
  for (const [config, need] of [
    ['store: { kind: memory }', /the store sqlite or vault/],
    [`store: { kind: vault, ${wrapped} }`, /a secret id that is not wrapped/],
    [`seal: [{ kind: vault, ${wrapped} }]`, /a secret id that is not wrapped/],
  ] as const) {
    writeFileSync(join(dir, 'kmipd.yaml'), `workers: 2\n${config}\n`)
    for (const command of [['server'], ['config', 'check']]) {
      const { code, err } = await kmipd([...command, '--data-dir', dir])
      t.equal(code, 1)
      t.match(err, /kmipd\.yaml:1:10: workers: 2 needs /)
      t.match(err, need)
    }
  }
})
