import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { NativeKeyStore } from '../../src/keystore/native.ts'
import { createEngine } from '../../src/ops/create-engine.ts'
import type { Scopes } from '../../src/scopes/scopes.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import type { KeyProvider } from '../../src/seal/provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { openMemory } from '../../src/store/memory.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { dateTime } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  algorithm,
  bits,
  type Client,
  Lab,
  name,
  named,
  revocation,
  secretData,
  symmetricKey,
  U,
  uid,
  usage,
  usageLimits,
} from '../ops/harness.ts'
import { openScopes } from '../scopes/opened.ts'
import { contract, failsWith, namesOf, newKey } from './contract.ts'

const SCOPE = 'kes'

async function processOn(store: Store, provider: KeyProvider): Promise<{ keys: NativeKeyStore; lab: Lab; scopes: Scopes }> {
  const records = await openRecords({ store, providers: [provider] })
  const scopes = await openScopes({ records, now: Date.now })
  const lab = new Lab(records, {})
  const engine = createEngine({ records, now: () => lab.now, randomBytes, newId: randomUUID })
  const keys = await NativeKeyStore.open({ records, scopes, engine, scope: SCOPE, now: () => lab.now, newId: randomUUID })
  return { keys, lab, scopes }
}

const places = new WeakMap<object, { path: string; provider: KeyProvider }>()
async function openAt(t: Test, path: string, provider: KeyProvider): Promise<NativeKeyStore> {
  const { keys, lab } = await processOn(await openSqlite({ path, directWriter: true }), provider)
  t.teardown(() => lab.records.close())
  places.set(keys, { path, provider })
  return keys
}

contract(t, {
  name: 'native',
  open: t => openAt(t, join(t.testdir(), 'store.db'), localProvider(newLocalKey())),
  beside: (t, store) => openAt(t, places.get(store)!.path, places.get(store)!.provider),
})

async function withClient(): Promise<{ keys: NativeKeyStore; lab: Lab; client: Client; scopes: Scopes }> {
  const { keys, lab, scopes } = await processOn(await openMemory(), localProvider(newLocalKey()))
  const { id } = await scopes.readScope(SCOPE)
  return { keys, lab, scopes, client: lab.client({ scope: id }) }
}

t.test('a KMIP client finds, reads and ends the keys of KES', async t => {
  const { keys, client } = await withClient()
  const key = newKey()
  await keys.create('minio', key)
  await keys.create('cha', newKey({ algorithm: 'ChaCha20' }))

  const [id = ''] = await client.locate([name('minio')])
  t.same((await client.ok('Get', uid(id))).at(TAG.SymmetricKey, TAG.KeyBlock, TAG.KeyValue, TAG.KeyMaterial), key.key)
  t.equal(await client.state(id), 'Active')
  t.equal(await client.value(id, 'Cryptographic Length'), 256)
  t.equal(await client.value(id, 'Original Creation Date'), 1_700_000_000n)
  t.equal(await client.value(id, 'y-kes-created-by'), key.createdBy)
  t.equal(await client.value(id, 'y-kes-created-at'), '2023-11-14T22:13:20.000000005Z')
  const covered = (await client.value(id, 'y-kes-hmac-key')) as Buffer
  t.notOk(covered.includes(key.hmacKey!), 'the HMAC key stands there under a key made of the key')
  t.equal((await client.locate([algorithm('ChaCha20')])).length, 1)

  for (const version of [10, 14, 21]) {
    t.not(await client.in(version).result('ReKey', uid(id)), 'Success', 'ciphertexts do not say which key made them: it stays the same')
  }
  for (const own of ['y-kes-hmac-key', 'y-kes-created-by', 'y-kes-version'])
    t.equal(await client.result('DeleteAttribute', uid(id), named(own)), 'PermissionDenied')
  t.same(await keys.get('minio'), key)
  t.equal(await keys.get('minio'), await keys.get('minio'), 'and it is the same object')

  await client.ok('Revoke', uid(id), revocation('CessationOfOperation'))
  await t.rejects(keys.get('minio'), { ...failsWith('not-found'), message: /Deactivated/ })
  await t.rejects(keys.delete('minio'), failsWith('not-found'))
  await t.rejects(keys.create('minio', newKey()), failsWith('exists'))
  t.same(await namesOf(keys), ['cha'])
  await client.ok('Destroy', uid(id))
  await t.rejects(keys.get('minio'), failsWith('not-found'))
  const second = newKey()
  await keys.create('minio', second)
  t.same(await keys.get('minio'), second)
})

t.test('what KES deletes is destroyed, and its metadata stays', async t => {
  const { keys, client } = await withClient()
  await keys.create('k', newKey())
  const [id = ''] = await client.locate([name('k')])
  await keys.delete('k')
  t.equal(await client.state(id), 'Destroyed')
  t.not(await client.result('Get', uid(id)), 'Success')
  await t.rejects(keys.delete('k'), failsWith('not-found'))
  await Promise.allSettled([1, 2, 3].map(() => keys.create('race', newKey())))
  const deletions = await Promise.allSettled([1, 2, 3].map(() => keys.delete('race')))
  t.equal(deletions.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const one of deletions) if (one.status === 'rejected') t.match(one.reason, failsWith('not-found'))
})

t.test('KES sees keys of KMIP clients that are fit for it', async t => {
  const { keys, lab, client } = await withClient()
  const active = dateTime(TAG.ActivationDate, lab.now)
  const material = randomBytes(32)
  await client.register('SymmetricKey', symmetricKey(material), [name('registered'), usage(U.Encrypt | U.Decrypt), active])
  await client.active([name('made')])
  t.same(await keys.get('registered'), { algorithm: 'AES256', key: material, createdAtNs: lab.now * 1_000_000_000n })
  t.equal((await keys.get('made')).hmacKey, undefined)

  const hidden: readonly [name: string, make: () => Promise<unknown>][] = [
    ['pre-active', () => client.create([name('pre-active')])],
    ['short', () => client.create([name('short'), active], 128)],
    ['encrypt-only', () => client.create([name('encrypt-only'), usage(U.Encrypt), active])],
    ['counted', () => client.create([name('counted'), usageLimits(5), active])],
    ['ended', () => client.create([name('ended'), active, dateTime(TAG.ProtectStopDate, lab.now)])],
    ['not-yet', () => client.create([name('not-yet'), active, dateTime(TAG.ProcessStartDate, lab.now + 5n)])],
    ['camellia', () => client.create([name('camellia'), algorithm('Camellia'), bits(256), active])],
    ['secret', () => client.register('SecretData', secretData(Buffer.alloc(32)), [name('secret'), active])],
    ['archived', async () => client.ok('Archive', uid(await client.create([name('archived'), active])))],
    ['of.a.name', () => client.create([name('of.a.name'), active])],
  ]
  for (const [name, make] of hidden) {
    await make()
    await t.rejects(keys.get(name), failsWith('not-found'), name)
  }
  t.same(await namesOf(keys), ['made', 'registered'])
  await t.rejects(keys.create('pre-active', newKey()), failsWith('exists'))

  const later = await client.create([
    name('later'),
    dateTime(TAG.ActivationDate, lab.now + 10n),
    dateTime(TAG.DeactivationDate, lab.now + 20n),
  ])
  t.ok(later)
  await t.rejects(keys.get('later'), failsWith('not-found'))
  lab.now += 10n
  t.ok(await keys.get('later'), 'its time has come')
  t.ok((await namesOf(keys)).includes('later'))
  lab.now += 10n
  await t.rejects(keys.get('later'), failsWith('not-found'), 'its time is over')
  t.notOk((await namesOf(keys)).includes('later'))
})

t.test('a store that fails is no missing key', async t => {
  const { keys, lab, scopes } = await withClient()
  const key = newKey()
  await keys.create('k', key)
  await scopes.deleteScope(SCOPE, { force: true })
  await t.rejects(keys.get('k'), failsWith('unreachable'))
  await t.rejects(keys.create('l', key), failsWith('unreachable'))
  await t.rejects(keys.list('', { limit: 1 }), failsWith('unreachable'))
  await t.rejects(keys.status(), failsWith('unreachable'))
  await lab.records.close()
  await t.rejects(keys.get('k'), failsWith('closed'))
})
