import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import type { VaultSettings } from '../../src/keystore/settings.ts'
import { readStoredKey, writeStoredKey } from '../../src/keystore/stored-key.ts'
import { VaultKeyStore } from '../../src/keystore/vault.ts'
import { errors } from '../vault/fake-answers.ts'
import { type FakeServer, FakeVault } from '../vault/fake-vault.ts'
import { type Backend, contract, failsWith, namesOf, newKey } from './contract.ts'

interface Lab {
  readonly vault: FakeVault
  readonly server: FakeServer
  open(over?: Partial<VaultSettings>): Promise<VaultKeyStore>
}

async function makeLab(t: Test, always: Partial<VaultSettings> = {}): Promise<Lab> {
  const vault = new FakeVault()
  const server = await vault.serve(t)
  vault.transit.create('kes')
  return {
    vault,
    server,
    async open(over = {}) {
      const { id } = vault.role
      const settings: VaultSettings = {
        ...{ kind: 'vault', endpoint: server.address, engine: 'kv', version: 'v2', pingMs: 60_000 },
        approle: { engine: 'approle', id, secret: vault.secret },
        ...always,
        ...over,
      }
      const store = await VaultKeyStore.open({ settings, deadlineMs: 2000, startMs: 1000 })
      t.teardown(() => store.close())
      return store
    },
  }
}

const labs = new WeakMap<object, Lab>()
const backend = (name: string, over: Partial<VaultSettings>, more: Partial<Backend> = {}): Backend => ({
  name,
  deletesBlindly: true,
  ...more,
  async open(t) {
    const lab = await makeLab(t, over)
    const store = await lab.open()
    labs.set(store, lab)
    return store
  },
})
const beside: Backend['beside'] = (_, store) => labs.get(store)!.open()
const V1 = { engine: 'kv1', version: 'v1' } as const
const transit = { engine: 'transit', key: 'kes' }

// Two processes that create one name at the same moment can both succeed on KV v1: there, the check of two is left out.
contract(t, backend('vault, KV v1', V1))
contract(t, backend('vault, KV v2, prefix', { prefix: 'tenant.one/minio' }, { beside }))
contract(t, backend('vault, KV v2, transit', { transit }, { beside }))

t.test('entries stand where and how KES puts them', async t => {
  const key = newKey()
  for (const [over, place, path] of [
    [V1, 'kv1', 'k'],
    [{ ...V1, prefix: 'minio' }, 'kv1', 'minio/k'],
    [{}, 'kv', 'k'],
    [{ prefix: '/a/b/' }, 'kv', 'a/b/k'],
  ] as const) {
    const { vault, open } = await makeLab(t, over)
    const store = await open()
    await store.create('k', key)
    t.same((place === 'kv' ? vault.kv : vault.kv1).paths, [path])
    const write = vault.requests.find(({ method, path }) => method === 'POST' && path.endsWith('/k'))
    const data = { k: writeStoredKey(key) }
    t.same(write?.body, place === 'kv' ? { options: { cas: 0 }, data } : data)
  }
})

t.test('transit encrypts the value, and its key may be rotated', async t => {
  const { vault, open } = await makeLab(t)
  const plain = await open()
  const store = await open({ transit })
  const keys = [newKey(), newKey(), newKey()] as const
  await plain.create('plain', keys[0])
  await store.create('first', keys[1])
  vault.transit.rotate('kes')
  await store.create('second', keys[2])
  const values = vault.requests.filter(({ body }) => 'options' in body).map(({ body }) => Object.values(body.data as object)[0] as string)
  t.match(values, [/^[A-Za-z0-9+/=]+$/, /^vault:v1:/, /^vault:v2:/])
  t.same(readStoredKey(values[0]!, 'x'), keys[0])
  for (const [at, name] of ['plain', 'first', 'second'].entries()) t.same(await store.get(name), keys[at], name)
  await t.rejects(plain.get('first'), { ...failsWith('unavailable'), message: /configure transit/ })
  vault.transit.keys.get('kes')!.minDecryption = 2
  await t.rejects(store.get('first'), failsWith('unavailable'))
  vault.transit.keys.delete('kes')
  await t.rejects(store.create('third', newKey()), failsWith('unavailable'))
  await t.rejects(store.get('second'), failsWith('unavailable'))
})

t.test('what Vault refuses is no missing key', async t => {
  const { vault, open } = await makeLab(t)
  const store = await open()
  const key = newKey()
  await store.create('k', key)
  vault.faults.push({ path: /^kv\/data\/k$/, does: errors(403, '1 error occurred:\n\t* permission denied\n\n') })
  await t.rejects(store.get('k'), failsWith('unavailable'))
  vault.faults.push({ path: /^kv\//, does: errors(404, 'no handler for route "kv/data/k". route entry not found.') })
  await t.rejects(store.get('k'), failsWith('unavailable'))
  vault.faults.push({ path: /^kv\/data\/k$/, does: { status: 200, body: { data: { data: { other: 'x' }, metadata: { version: 1 } } } } })
  await t.rejects(store.get('k'), failsWith('damaged'))

  vault.faults.push({ path: /^kv\/data\/l$/, method: 'POST', does: 'cut after' })
  const other = newKey()
  await store.create('l', other)
  t.same(await store.get('l'), other, 'the answer was lost, the key was not')
  vault.faults.push({ path: /^kv\/data\/m$/, method: 'POST', does: 'cut' })
  await t.rejects(store.create('m', newKey()), failsWith('unavailable'))
  await t.rejects(store.get('m'), failsWith('not-found'))
  t.same(await namesOf(store), ['k', 'l'])
})

t.test('it starts while Vault is away or sealed, and recovers', async t => {
  const { vault, server, open } = await makeLab(t)
  server.state = 'sealed'
  const store = await open()
  await t.rejects(store.status(), failsWith('unreachable'))
  await t.rejects(store.get('k'), failsWith('unreachable'))
  server.state = 'active'
  const key = newKey()
  await store.create('k', key)
  t.ok((await store.status()) >= 0)

  await server.stop()
  await t.rejects(store.get('k'), failsWith('unreachable'))
  await t.rejects(store.status(), failsWith('unreachable'))
  const late = await open()
  await server.start()
  t.same(await late.get('k'), key)
  t.same(await store.get('k'), key)
  vault.tokens.clear()
  t.same(await store.get('k'), key, 'a lost token is replaced')
})

t.test('what time does not cure is told at the start', async t => {
  const { vault, open } = await makeLab(t)
  const secret = 'no-such-secret-id'
  const failure: unknown = await open({ approle: { engine: 'approle', id: vault.role.id, secret } }).catch((error: unknown) => error)
  t.match(failure, failsWith('unavailable'))
  t.notMatch(inspect(failure, { depth: 9, showHidden: true }), secret)
  await t.rejects(open({ engine: 'kv1' }), { ...failsWith('unavailable'), message: /of version v1, and the configuration says v2/ })
  await t.rejects(open({ engine: 'nothing' }), failsWith('unavailable'))
  await t.rejects(open({ endpoint: 'vault:8200' }), failsWith('unavailable'))
  await t.rejects(open({ tls: { ca: '/nowhere' } }), failsWith('unavailable'))
})

t.test('namespaces, and the login of Kubernetes', async t => {
  const { vault, server, open } = await makeLab(t, { namespace: 'ns1' })
  vault.namespaces = new Set(['ns1', 'ns2'])
  vault.jwts.add('a.b.c')
  const namespaceOf = (path: RegExp): unknown => vault.requests.findLast(request => path.test(request.path))?.headers['x-vault-namespace']
  const kubernetes = { engine: 'kubernetes', role: 'kes', jwt: 'a.b.c' }
  await (await open()).create('k', newKey())
  t.same([namespaceOf(/login$/), namespaceOf(/data\/k$/)], ['ns1', 'ns1'])
  const store = await VaultKeyStore.open({
    settings: {
      ...{ kind: 'vault', endpoint: server.address, engine: 'kv', version: 'v2', pingMs: 60_000 },
      ...{ namespace: 'ns1', kubernetes: { ...kubernetes, namespace: '/' } },
    },
  })
  t.teardown(() => store.close())
  t.ok(await store.get('k'))
  t.same([namespaceOf(/login$/), namespaceOf(/data\/k$/)], [undefined, 'ns1'])
})
