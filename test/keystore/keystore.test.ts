import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import t, { type Test } from 'tap'
import { FsKeyStore } from '../../src/keystore/fs.ts'
import type { KeyStore } from '../../src/keystore/keystore.ts'
import { MemoryKeyStore } from '../../src/keystore/memory.ts'
import { answerStoreCall, RemoteKeyStore } from '../../src/keystore/remote.ts'
import { contract, failsWith, namesOf, newKey } from './contract.ts'

const places = new WeakMap<object, string>()
async function openFs(t: Test): Promise<FsKeyStore> {
  const dir = join(t.testdir(), 'deep', 'keys')
  const store = await FsKeyStore.open(dir)
  places.set(store, dir)
  return store
}

contract(t, { name: 'memory', open: async () => new MemoryKeyStore() })
contract(t, { name: 'fs', open: openFs, beside: async (_, store) => FsKeyStore.open(places.get(store)!) })

/** As another process has it. */
const remote = (store: KeyStore): KeyStore => {
  const sent = <T>(value: T): T => deserialize(serialize(value))
  return new RemoteKeyStore(store.description, async call => sent(await answerStoreCall(store, sent(call))))
}
const opened = new WeakMap<object, KeyStore>()
contract(t, {
  name: 'in another process',
  async open() {
    const store = new MemoryKeyStore()
    const far = remote(store)
    opened.set(far, store)
    return far
  },
  beside: async (_, far) => remote(opened.get(far)!),
})

t.test('a directory of keys', async t => {
  const dir = join(t.testdir(), 'keys')
  const store = await FsKeyStore.open(dir)
  t.equal(store.description, `Filesystem: ${dir}`)
  const key = newKey()
  await store.create('mine', key)

  t.equal(statSync(join(dir, 'mine')).mode & 0o777, 0o600)
  t.equal(statSync(dir).mode & 0o077, 0, 'nobody else sees the names')
  t.same(readdirSync(dir), ['mine'], 'and no draft is left')
  t.match(readFileSync(join(dir, 'mine'), 'latin1'), /^[A-Za-z0-9+/=]{204}$/, 'as KES writes it')

  const json = `{"bytes":"${key.key.toString('base64')}"}\n`
  writeFileSync(join(dir, 'older'), json)
  symlinkSync('older', join(dir, 'linked'))
  t.same(await store.get('older'), { algorithm: 'AES256', key: key.key })
  t.same(await store.get('linked'), { algorithm: 'AES256', key: key.key })
  mkdirSync(join(dir, 'folder'))
  writeFileSync(join(dir, '.new-1234'), 'a draft of a crashed process')
  t.same(await namesOf(store), ['linked', 'mine', 'older'])

  writeFileSync(join(dir, 'broken'), 'garbage')
  writeFileSync(join(dir, 'empty'), '')
  writeFileSync(join(dir, 'huge'), Buffer.alloc((1 << 20) + 1, ' '))
  for (const name of ['broken', 'empty', 'huge']) await t.rejects(store.get(name), failsWith('damaged'), name)
  await t.rejects(store.get('folder'), failsWith('unavailable'))
  for (const name of ['../keys/mine', '.', '..', 'a/b', 'mine\0', '']) await t.rejects(store.get(name), failsWith('not-found'), name)
  t.same(readFileSync(join(dir, 'older'), 'latin1'), json, 'what is read is left as it is')

  renameSync(dir, `${dir}-away`)
  const calls: readonly [name: string, call: () => Promise<unknown>][] = [
    ['get', () => store.get('mine')],
    ['delete', () => store.delete('mine')],
    ['create', () => store.create('mine', key)],
    ['list', () => store.list('', { limit: 1 })],
    ['status', () => store.status()],
  ]
  for (const [name, call] of calls)
    await t.rejects(call, failsWith('unreachable'), `${name} without the directory says nothing of the keys`)
  t.notOk(existsSync(dir), 'nor is it made anew')
  renameSync(`${dir}-away`, dir)
  t.same(await store.get('mine'), key)

  const drafts = ['.new-0123456789abcdef', '.new-0123456789abcdee'].map(name => join(dir, name))
  const [old = '', fresh = ''] = drafts
  const leave = (): void => {
    for (const draft of drafts) writeFileSync(draft, 'a key')
    utimesSync(old, 0, 0)
  }
  leave()
  await FsKeyStore.open(dir)
  t.same(drafts.map(existsSync), [false, true], 'what a killed process left is removed at the start; what another one makes is not')
  leave()
  await store.delete('mine')
  t.same(drafts.map(existsSync), [false, true], 'nor does a deleted key go on to live in it')
  rmSync(fresh)
  await store.create('mine', key)

  writeFileSync(`${dir}-file`, '')
  await t.rejects(FsKeyStore.open(`${dir}-file`), failsWith('exists'))
  if (process.getuid?.() !== 0) {
    chmodSync(dir, 0)
    await t.rejects(store.get('mine'), failsWith('unavailable'))
    chmodSync(dir, 0o700)
  }
})
