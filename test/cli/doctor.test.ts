import { chmodSync, copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { FakeVault } from '../vault/fake-vault.ts'
import { run, start } from './run.ts'

t.test('a directory that was not used yet, and one that was', async t => {
  const cwd = t.testdir({ data: {} })
  const doctor = () => run(['doctor', '--data-dir', 'data'], { cwd })
  chmodSync(join(cwd, 'data'), 0o700)
  t.match(await doctor(), { code: 0, out: /note {5}the key file .*root\.key is not there yet[\s\S]*kmipd\.db is not there yet/ })
  t.match(await run(['init', '--data-dir', 'data'], { cwd }), { code: 0 })
  t.match(await doctor(), { code: 0, out: /ok {7}the key file .*[\s\S]*ok {7}the seal: local [0-9a-f]+ opens the store/ })
  chmodSync(join(cwd, 'data', 'root.key'), 0o644)
  t.match(await doctor(), { code: 1, out: /PROBLEM {2}the key files: others can read the key file/, err: /1 problem was found/ })
})

t.test('Vault: health, the policy, and what opens the store', async t => {
  const vault = new FakeVault()
  vault.transit.create('k')
  vault.allow = ({ method, path }) => method === 'POST' && /^transit\/(encrypt|decrypt|hmac|rewrap)\/k$/.test(path)
  const server = await vault.serve(t)
  const yaml = `seal:
  - kind: vault
    server: ${server.address}
    approle: { id: ${vault.role.id}, secret: ${vault.secret} }
    transit: { key: k }
`
  const cwd = t.testdir({ data: { 'kmipd.yaml': yaml } })
  const doctor = (...more: string[]) => run(['doctor', '--data-dir', 'data', ...more], { cwd })
  t.match(await run(['init', '--data-dir', 'data'], { cwd }), { code: 0 })
  const good = await doctor()
  t.match(good, {
    code: 0,
    out: /is active, version 1\.13\.1[\s\S]*the policy allows all that is needed[\s\S]*vault transit\/k opens the store; oldest key version in use: 1/,
  })
  vault.allow = ({ method, path }) => method === 'POST' && /^transit\/(encrypt|decrypt|hmac)\/k$/.test(path)
  const enough =
    /note {5}Vault for the seal: the policy .* lacks transit\/rewrap\/k \(kmipd seal rewrap\); add:\n {4}path "transit\/rewrap\/k"/
  t.match(await doctor(), { code: 0, out: enough }, 'what MinIO KMS asks for is enough to serve')
  vault.allow = ({ method, path }) => method === 'POST' && /^transit\/(encrypt|decrypt)\/k$/.test(path)
  const denied = await doctor()
  t.match(denied, { code: 1, out: /lacks transit\/hmac\/k \(tell a wrong key from a damaged record\)/ })
  t.match(denied.out, /^ {4}path "transit\/hmac\/k" \{ capabilities = \["update"\] \}$/m)
  t.match(denied.out, /^ {4}path "transit\/rewrap\/k"/m)
  t.notMatch(denied.out, /path "transit\/encrypt/)
  t.match(JSON.parse((await doctor('--json')).out), [{ state: 'good' }])
  vault.allow = undefined
  vault.transit.keys.delete('k')
  t.match(await doctor(), { code: 1, out: /PROBLEM {2}Vault for the seal: POST transit\/hmac\/k: there is no such transit key/ })
  vault.transit.create('k')
  server.state = 'sealed'
  t.match(await doctor(), { code: 1, out: /is sealed/ })
  await server.stop()
  t.match(await doctor(), { code: 1, out: /is away[\s\S]*the seal: vault transit\/k does not open the store: .*cannot be asked now/ })
})

const inVault = (vault: FakeVault, address: string, more = ''): string => `store:
  kind: vault
  server: ${address}
  approle: { id: ${vault.role.id}, secret: ${vault.secret}${more} }
`

t.test('a store in Vault that was not made yet', async t => {
  const vault = new FakeVault()
  const server = await vault.serve(t)
  const cwd = t.testdir({ data: { 'kmipd.yaml': inVault(vault, server.address) } })
  const kmipd = (...argv: string[]) => run([...argv, '--data-dir', 'data'], { cwd })
  const unmade = /note {5}the key file .* not there yet[\s\S]*note {5}the store kv\/kmipd in http.* not there yet/
  t.match(await kmipd('doctor'), { code: 0, out: unmade })
  await run(['seal', 'generate-key', 'data/root.key'], { cwd })
  t.match(await kmipd('doctor'), { code: 0, out: /is right\nok {7}the key file .*\nnote {5}the store/ })
  for (const argv of [
    ['scope', 'list'],
    ['seal', 'status'],
    ['seal', 'rotate'],
    ['store', 'verify'],
    ['backup', 'b'],
  ])
    t.match(await kmipd(...argv), { code: 1, err: /there is no store in that place of Vault; run: kmipd init/ }, argv.join(' '))
  t.same(vault.kv.paths, [], 'and none of them makes one')
  t.match(await kmipd('init'), { code: 0 })
  t.match(await kmipd('doctor'), { code: 0, out: /the seal: local [0-9a-f]+ opens the store/ })
  vault.kv.mortal = true
  const refused = { code: 1, err: /vault write kv\/config delete_version_after=0s/ }
  t.match(await kmipd('scope', 'create', 'one'), refused, 'an engine that deletes what is written')
  vault.kv.mortal = false
  t.match(await kmipd('scope', 'create', 'one'), { code: 0 })
})

t.test('a store is not made in an engine that deletes what is written', async t => {
  const vault = new FakeVault()
  const server = await vault.serve(t)
  const cwd = t.testdir({ data: { 'kmipd.yaml': inVault(vault, server.address) } })
  const init = () => run(['init', '--data-dir', 'data'], { cwd })
  vault.kv.mortal = true
  for (let i = 0; i < 2; i++) t.match(await init(), { code: 1, err: /vault write kv\/config delete_version_after=0s/ })
  vault.kv.mortal = false
  t.match(await init(), { code: 0 })
  const endless = vault.kv.paths.every(path => !vault.kv.isMortal(path))
  t.ok(endless, 'what was written before is written anew')
})

t.test('an engine of KV version 1 serves one node, and the next one hears what to do', async t => {
  const vault = new FakeVault()
  const server = await vault.serve(t)
  const cwd = t.testdir({ data: { 'kmipd.yaml': `${inVault(vault, server.address)}  mount: kv1\n` } })
  const listener = "kmip: { listen: '127.0.0.1:0' }\nadmin: { listen: off }\nmetrics: { listen: off }\nlog: { level: silent }\n"
  writeFileSync(join(cwd, 'data', 'kmipd.yaml'), listener + readFileSync(join(cwd, 'data', 'kmipd.yaml'), 'utf8'))
  t.match(await run(['init', '--data-dir', 'data'], { cwd }), { code: 0 })
  const first = await start(['dev', '--data-dir', 'data'], cwd)
  const refused = { code: 1, err: /has the store for itself alone \(an engine of KV version 1 serves one node; .* version 2\)/ }
  t.match(await run(['server', '--data-dir', 'data'], { cwd }), refused)
  t.equal(await first.stop(), 0)
})

t.test('a store is moved to Vault, and not one that is not there', async t => {
  const vault = new FakeVault()
  const server = await vault.serve(t)
  const cwd = t.testdir({ old: {}, data: { 'kmipd.yaml': inVault(vault, server.address) } })
  const old = join(cwd, 'old', 'kmipd.yaml')
  writeFileSync(old, 'dataDir: .\n')
  const migrate = () => run(['store', 'migrate', '--from', old, '--to', join(cwd, 'data', 'kmipd.yaml')], { cwd })
  t.match(await migrate(), { code: 2, err: /there is no data in .*kmipd\.db; run: kmipd init/ })
  t.same([readdirSync(join(cwd, 'old')), vault.kv.paths], [['kmipd.yaml'], []], 'and nothing is made')
  t.match(await run(['init', '--config', old], { cwd }), { code: 0 })
  copyFileSync(join(cwd, 'old', 'root.key'), join(cwd, 'data', 'root.key'))
  t.match(await migrate(), { code: 0, out: /^\d+ records were copied to kv\/kmipd in http/ })
  t.match(await run(['store', 'verify', '--data-dir', 'data'], { cwd }), { code: 0, out: / 0 problems/ })
})

t.test('a configuration with data keys of transit, and a store without, or the other way round', async t => {
  for (const made of ['', '  transit: { key: k }\n', '  transit: { key: k, dataKeys: each }\n']) {
    const vault = new FakeVault()
    vault.transit.create('k')
    const server = await vault.serve(t)
    const cwd = t.testdir({ data: {} })
    const configure = (more: string): void => writeFileSync(join(cwd, 'data', 'kmipd.yaml'), inVault(vault, server.address) + more)
    const kmipd = (...argv: string[]) => run([...argv, '--data-dir', 'data'], { cwd })
    configure(made)
    t.match(await kmipd('init'), { code: 0 })
    configure(made === '' ? '  transit: { key: k }\n' : '')
    const why = made === '' ? /leave out store\.transit/ : /write store\.transit/
    t.match(await kmipd('doctor'), { code: 1, out: why })
    for (const argv of [['scope', 'list'], ['backup', join(cwd, 'backup')], ['seal', 'rotate'], ['store', 'verify'], ['init']])
      t.match(await kmipd(...argv), { code: 1, err: why }, argv[0]!)
    configure(made)
    t.match(await kmipd('store', 'verify'), { code: 0, out: / 0 problems/ })
    if (made === '') continue
    vault.transit.rotate('k')
    t.match(await kmipd('doctor'), { code: 0, out: /the data keys: \d+; oldest key version in use: 1\n/ })
    t.match(await kmipd('seal', 'rewrap'), { code: 0 })
    t.match(await kmipd('doctor'), { code: 0, out: /the data keys: \d+; oldest key version in use: 2\n/ })
  }
})

t.test('a wrapped secret id opens once, and serves all that a command asks of Vault', async t => {
  const vault = new FakeVault()
  const server = await vault.serve(t)
  const cwd = t.testdir({ data: { 'kmipd.yaml': inVault(vault, server.address, ', wrapped: true').replace(vault.secret, 'file:wrapped') } })
  for (const command of ['doctor', 'init', 'doctor']) {
    vault.wrapped.set('w', { secret: vault.secret, path: 'auth/approle/role/kmipd/secret-id' })
    writeFileSync(join(cwd, 'data', 'wrapped'), `w\n`)
    t.match(await run([command, '--data-dir', 'data'], { cwd }), { code: 0 }, command)
  }
})
