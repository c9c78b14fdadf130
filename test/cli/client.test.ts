import { join } from 'node:path'
import t from 'tap'
import { run, start } from './run.ts'

t.test('each command of the client prints JSON where it is asked to', async t => {
  const dir = t.testdir({})
  const off = ['--metrics-address', 'off', '--admin-address', 'off']
  const server = await start(['dev', '--ephemeral', '-d', 'data', '--kmip-address', '127.0.0.1:0', ...off], dir)
  t.teardown(() => server.stop())
  const command = async (words: readonly string[], stdin?: string) => {
    const argv = ['client', ...words, '--client', join('data', 'clients', 'default')]
    const { code, out, err } = await run(argv, { cwd: dir, ...(stdin !== undefined && { stdin }) })
    t.equal(code, 0, `${words[0]} ${err}`)
    return out
  }
  const json = async (words: readonly string[], stdin?: string) => JSON.parse(await command([...words, '--json'], stdin))

  const { id } = await json(['create', '--name', 'a'])
  t.same(await json(['activate', id]), { id })
  t.match(await json(['query']), { tag: 'ResponsePayload' })
  t.match(await json(['get', id]), { id, objectType: 'SymmetricKey', material: /^[0-9a-f]{64}$/ })
  t.same(await json(['locate', '--name', 'a']), [id])
  t.same(await json(['attributes', id, 'State']), [{ name: 'State', index: 0, value: 'Active' }])
  const sealed = await command(['encrypt', id, '--json'], 'hello')
  t.match(JSON.parse(sealed), { mode: 'GCM' })
  t.same(await json(['decrypt', id], sealed), { data: Buffer.from('hello').toString('base64') })
  t.equal(await command(['decrypt', id], sealed), 'hello')
  t.match(await json(['register', '--secret'], 'password'), { id: /./ })
  t.same(await json(['revoke', id]), { id })
  t.equal(await command(['destroy', id]), `${id} is destroyed\n`)
})
