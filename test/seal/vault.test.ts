import t from 'tap'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import type { KeyProvider } from '../../src/seal/provider.ts'
import { addProvider, removeProvider, rewrapEntries, sealedBy, sealStatus } from '../../src/seal/reseal.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { vaultProvider } from '../../src/seal/vault-provider.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { connectVault } from '../../src/vault/client.ts'
import { errors } from '../vault/fake-answers.ts'
import { FakeVault, type Test } from '../vault/fake-vault.ts'

const body = Buffer.from('the secret of a record')
const KEY = 'kmipd-seal'
const PLACE = { provider: 'vault', key: `transit/${KEY}` }

/** A Vault whose token may do what MinIO KMS documents, and no more. */
async function startVault(t: Test) {
  const vault = new FakeVault()
  vault.transit.create(KEY)
  vault.allow = ({ method, path }) => method === 'POST' && /^transit\/(encrypt|decrypt|hmac|rewrap)\/kmipd-seal$/.test(path)
  return { vault, server: await vault.serve(t) }
}

async function providerAt(t: Test, vault: FakeVault, address: string, key = KEY): Promise<KeyProvider> {
  const login = { kind: 'approle', id: vault.role.id, secret: vault.secret } as const
  const client = await connectVault({ servers: [address], login, deadlineMs: 1000, retryMs: 200 })
  t.teardown(() => client.close())
  return vaultProvider({ client, key, path: 'transit' })
}

async function sealed(t: Test) {
  const { vault, server } = await startVault(t)
  const provider = await providerAt(t, vault, server.address)
  const store = new MemoryStore()
  const records = await openRecords({ store, providers: [provider] })
  await records.commit([{ partition: 's', id: 'a', expect: 0, body }])
  return { vault, server, provider, store }
}

const opens = async (store: MemoryStore, ...providers: KeyProvider[]): Promise<Buffer | undefined> =>
  (await (await openRecords({ store, providers })).get('s', 'a'))?.body

t.test('a store is sealed and opened by Vault, with three permissions', async t => {
  const { vault, server, provider, store } = await sealed(t)
  t.same(await sealedBy(store), [PLACE])
  t.same(await opens(store, await providerAt(t, vault, server.address)), body)
  const verbs = new Set(vault.requests.map(({ path }) => path).filter(path => path.startsWith('transit')))
  t.same([...verbs].sort(), ['transit/decrypt/kmipd-seal', 'transit/encrypt/kmipd-seal', 'transit/hmac/kmipd-seal'])
  t.match((await sealStatus(store, [provider])).providers, [{ ...PLACE, seals: true, opens: true, keyVersion: 1 }])
})

t.test('a wrong key is told from a damaged record, before anything is decrypted', async t => {
  const { vault, provider, store } = await sealed(t)
  const other = await startVault(t)
  const decrypts = () => other.vault.count(/decrypt/)
  const elsewhere = await providerAt(t, other.vault, other.server.address)
  await t.rejects(opens(store, elsewhere), { code: 'wrong-key', message: /server, the namespace or the key/ })
  t.equal(decrypts(), 0)
  other.vault.transit.keys.clear()
  await t.rejects(opens(store, elsewhere), { code: 'refused', message: /no such transit key/ })

  const header = (await store.get('kmipd.seal', 'header'))!
  const changed = (change: (entry: { wrapped: string }) => void): Buffer => {
    const value = JSON.parse(`${header.body}`)
    const wrapped = JSON.parse(value.entries[0].wrapped)
    change(wrapped)
    value.entries[0].wrapped = JSON.stringify(wrapped)
    return Buffer.from(JSON.stringify(value))
  }
  const foreign = await vault.transit.handle(
    { method: 'POST', path: '', headers: {}, isList: false, body: { plaintext: body.toString('base64') } },
    `encrypt/${KEY}`,
  )
  const foreignText = (foreign.body as { data: { ciphertext: string } }).data.ciphertext
  const CHANGES: readonly [string, (entry: { wrapped: string }) => void][] = [
    ['a bit', entry => Object.assign(entry, { wrapped: entry.wrapped.replace(/.{6}$/, 'AAAAA=') })],
    ['another text of the same key', entry => Object.assign(entry, { wrapped: foreignText })],
    ['no ciphertext', entry => Object.assign(entry, { wrapped: 'x' })],
    ['no check', entry => Object.assign(entry, { check: undefined })],
  ]
  let revision = header.revision
  for (const [name, change] of CHANGES) {
    await store.commit([{ partition: 'kmipd.seal', id: 'header', expect: revision++, body: changed(change) }])
    await t.rejects(opens(store, provider), { code: 'damaged' }, name)
  }
})

t.test('a root key that was wrapped for another store does not open here', async t => {
  const { provider } = await sealed(t)
  const rootKey = Buffer.alloc(32, 7)
  const wrapped = await provider.wrap(rootKey, Buffer.from('one'))
  t.same(await provider.unwrap(wrapped, Buffer.from('one')), rootKey)
  await t.rejects(provider.unwrap(wrapped, Buffer.from('two')), { code: 'wrong-key' })
})

t.test('rotation of the key in Vault', async t => {
  const { vault, provider, store } = await sealed(t)
  t.same(await rewrapEntries(store, [provider]), [], 'nothing to do')
  const before = await sealedBy(store)
  vault.transit.rotate(KEY)
  t.same(await opens(store, provider), body, 'an older version still opens')
  t.same(await rewrapEntries(store, [provider]), before)
  t.same(await rewrapEntries(store, [provider]), [], 'and again: nothing to do')
  t.match((await sealStatus(store, [provider])).providers, [{ opens: true, keyVersion: 2 }])
  vault.transit.keys.get(KEY)!.minDecryption = 2
  t.same(await opens(store, provider), body)
  vault.transit.rotate(KEY)
  vault.transit.keys.get(KEY)!.minDecryption = 3
  await t.rejects(opens(store, provider), { code: 'refused', message: /min_decryption_version/ })
})

t.test('a rewrapped key that does not open is not written', async t => {
  const { vault, provider, store } = await sealed(t)
  vault.transit.rotate(KEY)
  const other = new FakeVault()
  other.transit.create(KEY)
  other.transit.rotate(KEY)
  const answered = other.transit.handle(
    { method: 'POST', path: '', headers: {}, isList: false, body: { plaintext: 'AAAA' } },
    `encrypt/${KEY}`,
  )
  vault.faults.push({ path: /rewrap/, does: answered })
  await t.rejects(rewrapEntries(store, [provider]), { code: 'damaged' })
  t.same(await opens(store, provider), body)
})

t.test('from a key file to Vault, and the old key opens nothing', async t => {
  const { vault, server } = await startVault(t)
  const local = localProvider(newLocalKey())
  const store = new MemoryStore()
  await (await openRecords({ store, providers: [local] })).commit([{ partition: 's', id: 'a', expect: 0, body }])
  const provider = await providerAt(t, vault, server.address)
  await addProvider(store, [local], provider)
  server.state = 'sealed'
  await t.rejects(
    removeProvider(store, [local, provider], { provider: 'local', key: local.key }),
    { message: /not removed/ },
    'not proved now',
  )
  t.same(await opens(store, local, provider), body, 'the other one opens meanwhile')
  server.state = 'active'
  await removeProvider(store, [local, provider], { provider: 'local', key: local.key })
  t.same(await opens(store, provider), body)
  await t.rejects(opens(store, local), { code: 'sealed' })
  await t.rejects(removeProvider(store, [provider], PLACE), { message: /not removed/ }, 'the last one stays')
})

t.test('why Vault does not open', async t => {
  const { vault, server, provider, store } = await sealed(t)
  const CASES: readonly [code: string, name: string, () => void, back: () => void][] = [
    ['away', 'sealed', () => Object.assign(server, { state: 'sealed' }), () => Object.assign(server, { state: 'active' })],
    [
      'away',
      'an internal error',
      () => void vault.faults.push({ path: /hmac/, times: 9, does: errors(500, 'oops') }),
      () => void vault.faults.splice(0),
    ],
    ['refused', 'no permission', () => setAllow(vault, () => false), () => setAllow(vault, () => true)],
    ['refused', 'the key is gone', () => vault.transit.keys.clear(), () => {}],
  ]
  for (const [code, name, go, back] of CASES) {
    go()
    await t.rejects(opens(store, provider), { name: 'SealError', code }, name)
    back()
  }
})

function setAllow(vault: FakeVault, allow: () => boolean): void {
  for (const token of vault.tokens.values()) token.allow = allow
}
