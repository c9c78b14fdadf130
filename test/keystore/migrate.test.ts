import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { FsKeyStore } from '../../src/keystore/fs.ts'
import { KeyStoreError, type StoredKey } from '../../src/keystore/keystore.ts'
import { MemoryKeyStore } from '../../src/keystore/memory.ts'
import { migrateKeys } from '../../src/keystore/migrate.ts'
import { failsWith, namesOf, newKey } from './contract.ts'

const DONE = { migrated: 0, present: 0, kept: [], failed: [] }

async function filled(count: number): Promise<{ store: MemoryKeyStore; keys: Map<string, StoredKey> }> {
  const store = new MemoryKeyStore()
  const keys = new Map(Array.from({ length: count }, (_, i) => [`many-${i}`, newKey()] as const))
  for (const [name, key] of keys) await store.create(name, key)
  return { store, keys }
}

t.test('all keys are copied, however many', async t => {
  const { store, keys } = await filled(2500)
  await store.create('bare', { algorithm: 'ChaCha20', key: Buffer.alloc(32, 1) })
  const target = new MemoryKeyStore()
  let told = 0
  const report = await migrateKeys(store, target, { existing: 'refuse', onProgress: () => void told++ })
  t.same(report, { ...DONE, migrated: 2501 })
  t.equal(told, 2501)
  t.same(await namesOf(target), await namesOf(store))
  for (const [name, key] of keys) if (!Object.is(await target.get(name), key)) t.same(await target.get(name), key)
  t.same(await migrateKeys(store, target, { existing: 'refuse' }), { ...DONE, present: 2501 }, 'and not twice')
})

t.test('a migration that was cut short is begun anew', async t => {
  const { store } = await filled(300)
  const target = new MemoryKeyStore()
  const create = target.create.bind(target)
  let left = 100
  target.create = async (name, key) => {
    if (left-- === 0) throw new KeyStoreError('unreachable', 'the network is gone')
    return create(name, key)
  }
  await t.rejects(migrateKeys(store, target, { existing: 'refuse' }), failsWith('unreachable'))
  const between = (await namesOf(target)).length
  t.ok(between >= 100 && between < 300)
  t.same(await migrateKeys(store, target, { existing: 'refuse' }), { ...DONE, migrated: 300 - between, present: between })
})

t.test('a key that is another one is not overwritten unless that is told', async t => {
  const { store, keys } = await filled(3)
  const other = newKey()
  const target = new MemoryKeyStore()
  await target.create('many-1', other)
  const refused = await migrateKeys(store, target, { existing: 'refuse' })
  t.match(refused, { migrated: 2, failed: [{ name: 'many-1', reason: /another key/ }] })
  t.same(await target.get('many-1'), other)
  t.match(await migrateKeys(store, target, { existing: 'keep' }), { migrated: 0, present: 2, kept: ['many-1'], failed: [] })
  t.same(await target.get('many-1'), other)

  const create = target.create.bind(target)
  target.create = async (name, key) => {
    if (key === other || name !== 'many-1') return create(name, key)
    if ((await namesOf(target)).includes(name)) throw new KeyStoreError('exists', 'it is there')
    target.create = create
    throw new KeyStoreError('unavailable', 'no space left')
  }
  t.match(await migrateKeys(store, target, { existing: 'overwrite' }), { present: 2, failed: [{ name: 'many-1', reason: /no space/ }] })
  t.same(await target.get('many-1'), other, 'what was there is put back')
  t.match(await migrateKeys(store, target, { existing: 'overwrite' }), { migrated: 1, present: 2, failed: [] })
  t.same(await target.get('many-1'), keys.get('many-1'))
})

t.test('patterns, and keys that cannot be read', async t => {
  const dir = t.testdir()
  const store = await FsKeyStore.open(dir)
  for (const name of ['my-1', 'my-2', 'your-1', 'my']) await store.create(name, newKey())
  const migrated = async (pattern: string): Promise<string[]> => {
    const target = new MemoryKeyStore()
    await migrateKeys(store, target, { existing: 'refuse', pattern })
    return namesOf(target)
  }
  t.same(await migrated('my-*'), ['my-1', 'my-2'])
  t.same(await migrated('*-1'), ['my-1', 'your-1'])
  t.same(await migrated('my'), ['my'])
  t.same(await migrated('my-?'), ['my-1', 'my-2'])
  t.same(await migrated('m.*'), [])

  writeFileSync(join(dir, 'broken'), 'garbage')
  const target = new MemoryKeyStore()
  t.match(await migrateKeys(store, target, { existing: 'refuse' }), { migrated: 4, failed: [{ name: 'broken' }] })
  t.notOk((await namesOf(target)).includes('broken'))
  const lying = new MemoryKeyStore()
  lying.get = async () => newKey()
  t.match(await migrateKeys(store, lying, { existing: 'refuse', pattern: 'my' }), { migrated: 0, failed: [{ reason: /another key/ }] })
})
