import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { admin, app } from '../kes/lab.ts'
import { nodeCommand } from '../node-command.ts'
import { ask, listen } from './kes-lab.ts'
import { Pki } from './lab.ts'
import { portOf, startDev, until } from './process.ts'

// The KES door of several processes, from outside.

const { certificate, key } = await (await Pki.make()).server()
const CONNECTIONS = 4

/** A configuration in a directory. */
function configure(dir: string, more: object): void {
  const config = {
    address: '127.0.0.1:0',
    admin: { identity: admin.identity },
    tls: { key: join(dir, 'server.key'), cert: join(dir, 'server.crt') },
    cache: { expiry: { any: '1h', unused: '1h' } },
    ...more,
  }
  writeFileSync(join(dir, 'kes.yml'), JSON.stringify(config))
}

/** Connections to different processes: they take turns. */
const connectionsTo = (t: Test): Agent[] =>
  Array.from({ length: CONNECTIONS }, () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.teardown(() => agent.destroy())
    return agent
  })

/** What holds for each door of several processes. */
async function asOne(t: Test, port: number): Promise<void> {
  const agents = connectionsTo(t)
  const [one, two] = agents as [Agent, Agent]
  const all = (method: string, path: string) => Promise.all(agents.map(async agent => (await ask(port, method, path, { agent })).status))
  const audit = await listen(t, port, '/v1/log/audit')
  t.equal((await ask(port, 'PUT', '/v1/key/create/k', { agent: one })).status, 200)
  t.same(await all('PUT', '/v1/key/generate/k'), [200, 200, 200, 200])
  t.equal((await ask(port, 'DELETE', '/v1/key/delete/k', { agent: two })).status, 200)
  t.same(await all('PUT', '/v1/key/generate/k'), [404, 404, 404, 404], 'gone in every process at once')
  t.same((await all('PUT', '/v1/key/create/l')).sort(), [200, 400, 400, 400], 'made once')
  const codes: number[] = []
  while (codes.length < 14) {
    const { request, response } = (await audit()) as { request: { path: string }; response: { code: number } }
    if (/^\/v1\/key/.test(request.path)) codes.push(response.code)
  }
  t.same(codes.sort(), [200, 200, 200, 200, 200, 200, 200, 400, 400, 400, 404, 404, 404, 404], 'one stream has the requests of all')
  for (const agent of agents) {
    const { body } = await ask(port, 'GET', '/v1/metrics', { agent })
    t.match(body, 'kes_http_request_success{code="200"} 7\n')
    t.match(body, 'kes_http_request_error{code="404"} 4\n')
    t.match(body, 'kes_http_response_time_count 14\n')
    t.equal((await ask(port, 'GET', '/v1/ready', { agent })).status, 200)
  }
}

t.test('beside the doors of a server, keys as KMIP objects', async t => {
  const dir = t.testdir({ 'server.key': key, 'server.crt': certificate })
  writeFileSync(join(dir, 'kmipd.yaml'), `workers: 2\nkes: { config: '${join(dir, 'kes.yml')}' }\n`)
  configure(dir, { keystore: { native: {} }, keys: [{ name: 'made' }] })
  const server = await startDev(dir)
  t.teardown(() => server.process.kill('SIGKILL'))
  const port = server.kes
  await asOne(t, port)
  const records = readFileSync(join(dir, 'audit.log'), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { door?: string; chain?: string })
  t.equal(records.filter(({ door }) => door === 'kes').length, 23, 'audit lines of all, each whole')
  t.ok(new Set(records.flatMap(({ chain }) => (chain ? [chain.split('.')[0]] : []))).size >= 2, 'of two processes')

  const agents = connectionsTo(t)
  const generate = () =>
    Promise.all(agents.map(async agent => (await ask(port, 'PUT', '/v1/key/generate/made', { agent, client: app })).status))
  t.same(await generate(), [403, 403, 403, 403])
  configure(dir, { keystore: { native: {} }, policy: { app: { allow: ['/v1/key/generate/*'], identities: [app.identity] } } })
  process.kill(server.process.pid!, 'SIGHUP')
  await until('the reload', () => server.logged.some(line => line.includes('reloaded')) || undefined)
  t.same(await generate(), [200, 200, 200, 200], 'the new policy counts in every process')

  const [worker] = readFileSync(`/proc/${server.process.pid}/task/${server.process.pid}/children`, 'utf8').split(' ')
  process.kill(Number(worker), 'SIGKILL')
  await until('another worker', async () => {
    const response = await fetch(`http://${server.metrics}/readyz`)
    return response.status === 200 && server.logged.some(line => line.includes('is replaced')) ? true : undefined
  })
  for (const agent of connectionsTo(t)) t.equal((await ask(port, 'PUT', '/v1/key/generate/made', { agent })).status, 200)
  server.process.kill('SIGTERM')
  t.same(await once(server.process, 'exit'), [0, null])
})

t.test('alone, keys in files', async t => {
  const dir = t.testdir({ 'server.key': key, 'server.crt': certificate })
  configure(dir, { keystore: { fs: { path: join(dir, 'keys') } }, keys: [{ name: 'made' }] })
  const child = spawn(...nodeCommand('dist/cli/main.js', 'kes', 'server', '--config', join(dir, 'kes.yml'), '--workers', '2'), {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [out, err]: [string[], string[]] = [[], []]
  createInterface(child.stdout).on('line', line => out.push(line))
  createInterface(child.stderr).on('line', line => err.push(line))
  const api = await until('the address', () => {
    if (child.exitCode !== null) throw new Error(err.join('\n'))
    return out.find(line => line.startsWith('API '))
  })
  await asOne(t, portOf(api))
  await until('all lines', () => out.filter(line => line.startsWith('time=')).length === 23 || undefined)
  t.ok(
    out.filter(line => line.startsWith('time=')).every(line => / res\.code=\d+ res\.time=[\d.]+(?:µs|ms|s)$/.test(line)),
    'each line whole',
  )
  t.equal(out.filter(line => line.startsWith('KMS ')).length, 1)
  child.kill('SIGTERM')
  t.same(await once(child, 'exit'), [0, null])
  t.same(err, [])
})
