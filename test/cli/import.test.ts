import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { KmipClient } from '../../src/client/client.ts'
import { activate, destroy, get, getAttributes, locate, nameItem } from '../../src/client/operations.ts'
import { Database } from '../../src/store/sqlite-driver.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { child } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { type Running, run, start } from './run.ts'

const PYKMIP = resolve('fixtures/pykmip/pykmip.db')
const { State } = ENUM

const address = (dir: string): { host: string; port: number } => {
  const { kmip } = JSON.parse(readFileSync(join(dir, 'listeners.json'), 'utf8')) as { kmip: string }
  return { host: '127.0.0.1', port: Number(kmip.split(':').at(-1)) }
}

async function credential(dir: string, scope: string, out: string): Promise<string[]> {
  for (const argv of [
    ['scope', 'create', scope],
    ['role', 'write', scope, 'all', 'operation_all=true'],
    ['credential', 'generate', scope, 'all', '--out', out],
  ])
    t.match(await run([...argv, '-d', dir], { cwd: '/' }), { code: 0 }, argv.join(' '))
  return ['--ca', join(out, 'ca.pem'), '--cert', join(out, 'cert.pem'), '--key', join(out, 'key.pem')]
}

const connect = (server: { host: string; port: number }, folder: string): Promise<KmipClient> => {
  const pem = (name: string): Buffer => readFileSync(join(folder, name))
  return KmipClient.connect({ ...server, ca: pem('ca.pem'), cert: pem('cert.pem'), key: pem('key.pem') })
}

/** What the server told, as text, in its order; all that is told by the clock of the import left out. */
async function told(client: KmipClient, id: string): Promise<string> {
  const { object } = await get(client, id)
  const attributes = await getAttributes(client, id)
  const kept = attributes.filter(({ name }) => !['Last Change Date', 'Fresh'].includes(name))
  return JSON.stringify([object, kept.map(({ name, value }) => [name, value]).sort()], (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
}

t.test('the database of a PyKMIP server, and then over KMIP into another kmipd', async t => {
  const dir = t.testdir({})
  const a = join(dir, 'a')
  const go = (...argv: string[]) => run(argv, { cwd: dir })
  await go('init', '-d', a)
  await credential(a, 'legacy', join(dir, 'client'))
  const database = join(dir, 'pykmip.db')
  writeFileSync(database, readFileSync(PYKMIP))
  const db = new Database(database)
  db.exec('update managed_objects set sensitive = 1 where uid = 12')
  db.close()
  const first = await go('import', 'pykmip', database, '--scope', 'legacy', '-d', a)
  t.match(first, { code: 0, out: /18 objects imported into legacy, 0 were there already, 0 were not imported\n$/ }, first.err)
  t.match(first.out, /^9: another object has its Name, so it has it as Alternative Name: Symmetric Key$/m)
  t.match(first.out, /^1: PyKMIP does not keep its Activation Date/m)
  const second = await go('import', 'pykmip', database, '--scope', 'legacy', '-d', a, '--json')
  t.match(JSON.parse(second.out), { imported: 0, present: 18, left: [] })
  t.match(await go('store', 'verify', '-d', a), { code: 0, out: /0 problems/ })

  const running: Running[] = [await start(['dev', '-d', a, '--kmip-address', '127.0.0.1:0'], dir)]
  const server = address(a)
  const client = await connect(server, join(dir, 'client'))
  const STATES: [id: string, type: number, state: number, material?: string][] = [
    ['1', ENUM.ObjectType.SymmetricKey, State.Active],
    ['2', ENUM.ObjectType.SymmetricKey, State.PreActive],
    ['3', ENUM.ObjectType.SymmetricKey, State.Deactivated],
    ['4', ENUM.ObjectType.SymmetricKey, State.Compromised],
    ['5', ENUM.ObjectType.PublicKey, State.PreActive],
    ['6', ENUM.ObjectType.PrivateKey, State.PreActive],
    ['7', ENUM.ObjectType.SymmetricKey, State.PreActive, '000102030405060708090a0b0c0d0e0f'],
    ['13', ENUM.ObjectType.Certificate, State.PreActive],
    ['14', ENUM.ObjectType.SecretData, State.PreActive, Buffer.from('swordfish').toString('hex')],
    ['15', ENUM.ObjectType.OpaqueObject, State.PreActive, `00ff${Buffer.from('anything').toString('hex')}`],
    ['16', ENUM.ObjectType.SplitKey, State.PreActive],
    ['17', ENUM.ObjectType.SymmetricKey, State.PreActive],
  ]
  for (const [id, type, state, material] of STATES) {
    const found = await get(client, id)
    t.equal(found.objectType, type, id)
    if (material !== undefined) t.equal(found.material?.toString('hex'), material)
    t.equal((await getAttributes(client, id, ['State']))[0]?.value.value, state, `state of ${id}`)
  }
  const wrapped = child((await get(client, '17')).object, TAG.KeyBlock)!
  const method = child(child(wrapped, TAG.KeyWrappingData)!, TAG.WrappingMethod)
  t.equal(method?.value, ENUM.WrappingMethod.Encrypt)
  t.same(await locate(client, [nameItem('created')]), ['1'])
  t.match((await getAttributes(client, '18', ['Object Group']))[0]?.value, { value: 'group' })
  t.same((await getAttributes(client, '18', ['Application Specific Information'])).length, 1)
  await activate(client, '7')
  await destroy(client, '2')

  const b = join(dir, 'b')
  await go('init', '-d', b)
  const target = await credential(b, 'moved', join(dir, 'other'))
  t.ok(target)
  const from = [
    '--host',
    server.host,
    '--port',
    String(server.port),
    ...['ca', 'cert', 'key'].flatMap(name => [`--${name}`, `client/${name}.pem`]),
  ]
  const over = await go('import', 'kmip', ...from, '--scope', 'moved', '-d', b, '--json')
  t.equal(over.code, 1, 'what may not leave the server cannot be had')
  const report = JSON.parse(over.out)
  t.match(report, { imported: 16, present: 0, left: [{ id: '12', text: /Get failed: Sensitive/ }] })
  t.match(over.err, /1 objects were not imported/)
  t.match(JSON.parse((await go('import', 'kmip', ...from, '--scope', 'moved', '-d', b, '--json')).out), { imported: 0, present: 16 })
  t.match(await go('store', 'verify', '-d', b), { code: 0, out: /0 problems/ })
  running.push(await start(['dev', '-d', b, '--kmip-address', '127.0.0.1:0'], dir))
  const there = await connect(address(b), join(dir, 'other'))
  for (let id = 1; id <= 18; id++)
    if (id !== 2 && id !== 12) t.equal(await told(there, String(id)), await told(client, String(id)), `${id} is the same in both`)
  client.close()
  there.close()
  for (const one of running) await one.stop()
})

t.test('what cannot be imported is told', async t => {
  const dir = t.testdir({ empty: '', text: 'no database at all, but long enough to be looked at'.repeat(30) })
  const go = (...argv: string[]) => run(argv, { cwd: dir })
  await go('init', '-d', 'data')
  await go('scope', 'create', 'legacy', '-d', 'data')
  const database = join(dir, 'odd.db')
  writeFileSync(database, readFileSync(PYKMIP))
  const db = new Database(database)
  db.exec(`
    update managed_objects set value = null where uid = 1;
    update managed_objects set object_type = 99 where uid = 2;
    update managed_objects set owner = 'somebody' where uid in (3, 7);
    update managed_objects set value = x'00' where uid = 13;
    drop table object_group_map`)
  db.close()
  const CASES: [argv: string[], code: number, err: RegExp][] = [
    [['pykmip', 'nowhere', '--scope', 'legacy'], 2, /there is no/],
    [['pykmip', 'empty', '--scope', 'legacy'], 1, /no database of a PyKMIP server/],
    [
      ['pykmip', 'text', '--scope', 'legacy'],
      1,
      /kmipd: the file is no database of a PyKMIP server, or of a version that is not known here\n/,
    ],
    [['pykmip', 'data/kmipd.db', '--scope', 'legacy'], 1, /no database of a PyKMIP server/],
    [['pykmip', PYKMIP, '--scope', 'other'], 1, /there is no scope other/],
    [['pykmip', PYKMIP], 2, /scope/],
    [['kmip', '--host', 'localhost', '--scope', 'legacy'], 2, /ca, cert, key/],
    [['kmip', '--host', 'localhost', '--scope', 'legacy', '--ca', 'text', '--cert', 'text', '--key', 'text'], 2, /text is no file in PEM/],
  ]
  for (const [argv, code, err] of CASES) t.match(await go('import', ...argv, '-d', 'data'), { code, err }, argv.join(' '))
  const one = await go('import', 'pykmip', 'odd.db', '--scope', 'legacy', '--owner', 'somebody', '-d', 'data', '--json')
  t.match(JSON.parse(one.out), { imported: 2, present: 0, left: [] }, 'those of one owner')
  const all = await go('import', 'pykmip', 'odd.db', '--scope', 'legacy', '-d', 'data')
  t.match(all, { code: 1, err: /2 objects were not imported/ })
  t.match(all.out, /^1 was not imported: it has no value$/m)
  t.match(all.out, /^2 was not imported: it is of an Object Type that is not known: 99$/m)
  t.match(all.out, /14 objects imported into legacy, 2 were there already/)
})
