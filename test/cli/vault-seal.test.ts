import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePort } from '../free-port.ts'
import { FakeVault } from '../vault/fake-vault.ts'
import { run, start } from './run.ts'

/** How a connection to the KMIP listener begins: it is cut off, or it waits for a handshake. */
async function greeting(port: number): Promise<'cut' | 'open' | 'refused'> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const timer = setTimeout(() => end('open'), 1500)
    const end = (outcome: 'cut' | 'open' | 'refused'): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(outcome)
    }
    socket.once('error', () => end('refused'))
    socket.once('close', () => end('cut'))
  })
}

async function lab(t: Test) {
  const vault = new FakeVault()
  vault.transit.create('k')
  vault.allow = ({ method, path }) => method === 'POST' && /^transit\/(encrypt|decrypt|hmac|rewrap)\/k$/.test(path)
  const server = await vault.serve(t)
  const [kmip, metrics] = [await freePort(), await freePort()]
  const cwd = t.testdir({
    data: {
      'secret-id': `${vault.secret}\n`,
      'kmipd.yaml': `kmip:
  listen: 127.0.0.1:${kmip}
metrics:
  listen: 127.0.0.1:${metrics}
admin:
  listen: off
log:
  level: silent
seal:
  - kind: vault
    server: ${server.address}
    approle: { id: ${vault.role.id}, secret: 'file:secret-id', retry: 200ms }
    transit: { key: k }
`,
    },
  })
  const health = async (path: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${metrics}${path}`)
    return `${response.status} ${(await response.text()).trim()}`
  }
  const until = async (path: string, expected: RegExp): Promise<void> => {
    for (let tries = 0; ; tries++) {
      const answer = await health(path).catch((error: Error) => error.message)
      if (expected.test(answer)) return
      if (tries > 1200) throw new Error(`${path} answers ${answer}`)
      await sleep(50)
    }
  }
  return { vault, server, cwd, kmip, health, until, config: join(cwd, 'data', 'kmipd.yaml') }
}

const DEV = ['dev', '--data-dir', 'data'] as const

t.test('a server whose Vault is away at the start, and later', async t => {
  const { server, cwd, kmip, health, until } = await lab(t)
  await server.stop()
  const starting = start(DEV, cwd)
  await Promise.race([until('/readyz', /^503 sealed: transit key transit\/k of Vault cannot be asked now/), starting])
  t.equal(await greeting(kmip), 'cut')
  await server.start()
  const running = await starting
  t.equal(await health('/readyz'), '200 ok', 'it opens when it can')
  t.equal(await health('/healthz'), '200 ok')
  t.equal(await greeting(kmip), 'open')
  await server.stop()
  t.equal(await health('/readyz'), '200 ok', 'away later: it keeps serving')
  t.equal(await running.stop(), 0)
})

t.test('told to reload while it is sealed, it does that when it runs', async t => {
  const { server, cwd, kmip, until, config } = await lab(t)
  await server.stop()
  let reload = (): void => {
    t.fail('it does not hear')
  }
  const starting = start(DEV, cwd, heard => {
    reload = heard
  })
  await Promise.race([until('/readyz', /^503 sealed/), starting])
  const later = await freePort()
  writeFileSync(config, readFileSync(config, 'utf8').replace(`listen: 127.0.0.1:${kmip}`, `listen: 127.0.0.1:${later}`))
  reload()
  await server.start()
  const running = await starting
  for (let tries = 0; (await greeting(later)) !== 'open'; tries++) {
    if (tries > 600) throw new Error('it does not listen where the configuration says now')
    await sleep(50)
  }
  t.equal(await running.stop(), 0)
})

t.test('from a key file to Vault by commands, and rewrap while serving', async t => {
  const { vault, cwd, config } = await lab(t)
  const vaultOnly = readFileSync(config, 'utf8')
  const local = '  - kind: local\n    keyFile: root.key\n'
  const both = vaultOnly.replace('seal:\n', `seal:\n${local}`)
  const localOnly = vaultOnly.replace(/seal:[\s\S]*/, `seal:\n${local}`)
  const seal = async (...argv: string[]) => run(['seal', ...argv, '--data-dir', 'data'], { cwd })

  writeFileSync(config, localOnly)
  t.match(await run(['init', '--data-dir', 'data'], { cwd }), { code: 0 })
  writeFileSync(config, both)
  t.match(await seal('status'), { code: 0, out: /vault transit\/k {2}configured; does not seal the store yet/ })
  t.match(await seal('add'), { code: 0, out: /vault transit\/k opens the store from now on/ })
  const key = /local ([0-9a-f]+)/.exec((await seal('status')).out)?.[1] ?? ''
  t.match(await seal('remove', 'local', key), { code: 0 })
  writeFileSync(config, localOnly)
  t.match(await seal('status'), { out: /seals the store; not configured/ })
  const refused = await run(['scope', 'list', '--data-dir', 'data'], { cwd })
  t.match(refused, { code: 1, err: /sealed by vault key transit\/k/ }, 'the old key opens nothing')
  writeFileSync(config, vaultOnly)
  t.match(await seal('remove', 'vault', 'transit/k'), { code: 1, err: /not removed/ }, 'the last one stays')

  const running = await start(DEV, cwd)
  vault.transit.rotate('k')
  t.match(await seal('rewrap'), { code: 0, out: /vault transit\/k: the root key is wrapped with the newest version/ })
  t.match(await seal('rewrap'), { code: 0, out: /nothing to do/ })
  t.match(await seal('status'), { out: /opens it \(key version 2\)/ })
  t.match(await run(['scope', 'list', '--data-dir', 'data'], { cwd }), { code: 0 })
  t.equal(await running.stop(), 0)
  t.match(await seal('rotate'), { code: 0, out: /new root key/ })
  t.match(await seal('status'), { out: /opens it/ })
})

t.test('what a command says when Vault does not open', async t => {
  const { vault, server, cwd } = await lab(t)
  t.match(await run(['init', '--data-dir', 'data'], { cwd }), { code: 0 })
  const list = () => run(['scope', 'list', '--data-dir', 'data'], { cwd })
  vault.allow = () => false
  t.match(await list(), { code: 1, err: /refuses: .*transit\/hmac\/k/ })
  vault.allow = undefined
  vault.transit.create('k')
  t.match(await list(), { code: 1, err: /the server, the namespace or the key is another one/ })
  vault.role.secrets.clear()
  t.match(await list(), { code: 1, err: /refuses the approle login/ })
  t.equal(server.state, 'active')
})

t.test('a server whose log in Vault somebody deleted says so', async t => {
  const { vault, server, cwd, until, config } = await lab(t)
  vault.allow = undefined
  const store = { kind: 'vault', server: server.address, approle: { id: vault.role.id, secret: vault.secret } }
  writeFileSync(config, `${readFileSync(config, 'utf8')}store: ${JSON.stringify(store)}\n`)
  const running = await start(DEV, cwd)
  await until('/readyz', /^200 ok$/)
  vault.kv.handle({ method: 'DELETE', path: '', headers: {}, body: {}, isList: false }, 'data/kmipd/head')
  await until('/readyz', /^503 the store in Vault was changed: kmipd\/head was deleted in Vault/)
  t.equal(await running.stop(), 0)
})
