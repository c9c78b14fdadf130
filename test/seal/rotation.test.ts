import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readHeader, SEAL_PARTITION } from '../../src/seal/header.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { passphraseProvider } from '../../src/seal/passphrase-provider.ts'
import type { KeyProvider } from '../../src/seal/provider.ts'
import { addProvider, removeProvider, sealedBy, sealStatus } from '../../src/seal/reseal.ts'
import { rotateRootKey } from '../../src/seal/rotate.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import type { TermsOf } from '../../src/seal/verify.ts'
import { openLog } from '../../src/store/log-open.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { SqliteContents } from '../../src/store/sqlite-contents.ts'
import { Database } from '../../src/store/sqlite-driver.ts'
import { lockUse } from '../../src/store/sqlite-use-lock.ts'
import type { Change, Store } from '../../src/store/store.ts'
import { SharedSlots } from '../store/memory-slots.ts'

const CHEAP = { n: 2 ** 10, r: 8, p: 1 }
const words = 'correct horse battery staple'
const termsOf: TermsOf = (_partition, _id, body) => ({ terms: [`term ${body}`, 'all'], claims: [`claim ${body}`] })

t.test('a passphrase', async t => {
  const rootKey = randomBytes(32)
  const context = Buffer.from('here')
  const provider = passphraseProvider('main', words, CHEAP)
  const wrapped = await provider.wrap(rootKey, context)
  t.match(wrapped, /^scrypt:1024:8:1:/)
  t.same(await provider.unwrap(wrapped, context), rootKey)
  t.same(await passphraseProvider('main', words).unwrap(wrapped, context), rootKey, 'what was wrapped says its own cost')
  const accent = await passphraseProvider('main', 'caf\u00e9 caf\u00e9 caf\u00e9', CHEAP).wrap(rootKey, context)
  t.same(await passphraseProvider('main', 'cafe\u0301 cafe\u0301 cafe\u0301', CHEAP).unwrap(accent, context), rootKey)
  t.not(await provider.wrap(rootKey, context), wrapped)
  const flipped = Buffer.from(wrapped.split(':')[4]!, 'base64')
  flipped[40]! ^= 1
  const CASES: [what: string, provider: KeyProvider, wrapped: string, context: Buffer, code: string][] = [
    ['another passphrase', passphraseProvider('main', `${words}.`, CHEAP), wrapped, context, 'wrong-key'],
    ['another context', provider, wrapped, Buffer.from('there'), 'damaged'],
    ['a flipped bit', provider, `scrypt:1024:8:1:${flipped.toString('base64')}`, context, 'damaged'],
    ['cut', provider, wrapped.slice(0, -8), context, 'damaged'],
    ['of a cost beyond measure', provider, wrapped.replace('1024', '1073741824'), context, 'damaged'],
    ['with many passes', provider, wrapped.replace(':8:1:', ':8:999:'), context, 'damaged'],
    ['of a size that is no power of two', provider, wrapped.replace('1024', '1000'), context, 'damaged'],
  ]
  for (const [what, provider, wrapped, context, code] of CASES)
    await t.rejects(provider.unwrap(wrapped, context), { name: 'SealError', code }, what)
  await t.rejects(passphraseProvider('main', 'short', CHEAP).wrap(rootKey, context), { code: 'malformed-key' })
  const usual = await passphraseProvider('main', words).wrap(rootKey, context)
  t.match(usual, /^scrypt:131072:8:1:/, '128 MiB unless told')
})

t.test('several providers', async t => {
  const store = new MemoryStore()
  const local = localProvider(newLocalKey())
  const main = passphraseProvider('main', words, CHEAP)
  const wrong = passphraseProvider('main', `${words}.`, CHEAP)
  t.same(await sealStatus(store, [local]), {
    rotating: false,
    providers: [{ provider: 'local', key: local.key, seals: false, configured: true }],
  })
  const records = await openRecords({ store, providers: [local] })
  await records.commit([{ partition: 's', id: 'a', expect: 0, body: Buffer.from('x') }])
  await addProvider(store, [local, main], main)
  t.match((await sealStatus(store, [main])).providers, [
    { provider: 'local', seals: true, configured: false },
    { provider: 'passphrase', key: 'main', seals: true, configured: true, opens: true },
  ])
  t.match((await sealStatus(store, [wrong])).providers[1], { opens: false, problem: /another one/ })
  t.same((await (await openRecords({ store, providers: [wrong, local] })).get('s', 'a'))?.body, Buffer.from('x'), 'one is enough')
  const removed = { provider: 'local', key: local.key }
  for (const providers of [[local], [local, wrong], []])
    await t.rejects(removeProvider(store, providers, removed), { name: 'SealError', code: 'sealed', message: /none of the other/ })
  await removeProvider(store, [local, main], removed)
  t.same(await sealedBy(store), [{ provider: 'passphrase', key: 'main' }])
  await t.rejects(openRecords({ store, providers: [local] }), { code: 'sealed' })
  await t.rejects(openRecords({ store, providers: [wrong] }), { code: 'wrong-key' })
})

/** A store that ends like a process that is killed, after so many commits. */
class Mortal implements Store {
  #left: number
  readonly #store: Store
  constructor(store: Store, commits: number) {
    this.#store = store
    this.#left = commits
  }
  get: Store['get'] = (partition, id) => this.#store.get(partition, id)
  revision: Store['revision'] = (partition, id) => this.#store.revision(partition, id)
  find: Store['find'] = (partition, terms, page) => this.#store.find(partition, terms, page)
  version = () => this.#store.version()
  close = async () => undefined
  async commit(changes: readonly Change[]): Promise<void> {
    if (this.#left-- <= 0) throw new Error('killed')
    await this.#store.commit(changes)
  }
}

/** A store that only its opener uses, and the file with all that is in it. */
const STORES: [name: string, open: (dir: string) => Promise<{ store: Store; file: () => string }>][] = [
  [
    'SQLite',
    async dir => {
      const path = join(dir, 'kmipd.db')
      return { store: await openSqlite({ path, directWriter: true }), file: () => path }
    },
  ],
  [
    'a log',
    async dir => {
      const store = await openLog({ slots: new SharedSlots().open(), dir, expect: 'any', presence: 'alone' })
      return { store, file: () => store.path }
    },
  ],
]

for (const [name, open] of STORES)
  t.test(`rotation on ${name}, killed after each of its commits`, async t => rotation(t, await open(t.testdir({}))))

async function rotation(t: Test, { store, file }: { store: Store; file: () => string }): Promise<void> {
  const COUNT = 1_200
  const local = localProvider(newLocalKey())
  const main = passphraseProvider('main', words, CHEAP)
  const providers = [local, main]
  const records = await openRecords({ store, providers })
  const bodies = Array.from({ length: COUNT }, (_, i) => Buffer.from(`secret ${i}`))
  await records.commit(bodies.map((body, i) => ({ partition: 's', id: `k${i}`, expect: 0, body, ...termsOf('s', `k${i}`, body) })))
  await records.commit([{ partition: 't', id: 'k1', expect: 0, body: bodies[0]!, ...termsOf('t', 'k1', bodies[0]!) }])
  const old = await store.get('s', 'k7')
  const oldHeader = (await readHeader(store))!.header
  const contents = SqliteContents.open(file(), 'current')
  const rotate = (store: Store, given = providers) => rotateRootKey({ store, providers: given, contents, termsOf })

  await t.rejects(rotate(store, [local]), { code: 'sealed', message: /passphrase key main/ }, 'each provider has to wrap the new key')
  await check('before')
  let deaths = 0
  for (let commits = 0; ; commits++) {
    const outcome = await rotate(new Mortal(store, commits % 3)).then(
      counts => counts,
      e => {
        t.equal(e.message, 'killed')
        deaths++
        return undefined
      },
    )
    if (outcome) {
      t.match(outcome, { records: COUNT + 1 })
      break
    }
    if (!(await readHeader(store))!.header.next) continue
    await t.rejects(openRecords({ store, providers }), { code: 'sealed', message: /kmipd seal rotate/ }, 'it opens for nobody meanwhile')
    await t.rejects(addProvider(store, providers, localProvider(newLocalKey())), { code: 'sealed', message: /kmipd seal rotate/ })
    t.match(await sealStatus(store, providers), { rotating: true })
  }
  t.ok(deaths >= 3, `${deaths} deaths`)
  await check('after')
  t.match((await readHeader(store))!.header, { store: oldHeader.store, format: 1, next: undefined })
  t.not((await readHeader(store))!.header.mac, oldHeader.mac)
  t.same(
    await sealedBy(store),
    providers.map(({ kind, key }) => ({ provider: kind, key })),
  )
  await store.commit([{ partition: 's', id: 'k7', expect: (await store.revision('s', 'k7')) as number, body: old!.body }])
  const again = await openRecords({ store, providers: [main] })
  await t.rejects(again.get('s', 'k7'), { code: 'damaged' }, 'what the old key sealed does not open any more')
  await t.rejects(rotate(store), { code: 'damaged', message: /nothing is rotated: record k7/ })
  t.match(await openRecords({ store, providers }), {}, 'and nothing was')
  contents.close()
  await store.close()

  async function check(when: string): Promise<void> {
    const records = await openRecords({ store, providers: [main] })
    for (const i of [0, 7, COUNT - 1]) {
      t.same((await records.get('s', `k${i}`))?.body, bodies[i], when)
      t.match(await records.find('s', [`term secret ${i}`], { limit: 9 }), [{ id: `k${i}` }], `${when}: found by its term`)
    }
    t.equal((await records.find('s', ['all'], { limit: 9_999 })).length, COUNT)
    const other = { partition: 's', id: 'other', expect: 0, body: Buffer.alloc(0), claims: ['claim secret 7'] }
    await t.rejects(records.commit([other]), { code: 'conflict' }, `${when}: its claim is held`)
  }
}

t.test('a damaged file is not rotated half-way', async t => {
  const path = join(t.testdir({}), 'kmipd.db')
  const local = localProvider(newLocalKey())
  const store = await openSqlite({ path, directWriter: true })
  const records = await openRecords({ store, providers: [local] })
  await records.commit([{ partition: 's', id: 'a', expect: 0, body: Buffer.from('x'), ...termsOf('s', 'a', Buffer.from('x')) }])
  const header = await readHeader(store)
  await records.close()
  const db = new Database(path)
  const root = db.prepare<[], number>("select rootpage from sqlite_schema where name = 'term'").pluck().get()!
  const pageBytes = db.pragma('page_size', { simple: true }) as number
  db.pragma('journal_mode = delete')
  db.close()
  const file = readFileSync(path)
  file.fill(0xff, (root - 1) * pageBytes, (root - 1) * pageBytes + 8)
  writeFileSync(path, file)

  const damaged = await openSqlite({ path, directWriter: true })
  const contents = SqliteContents.open(path, 'current')
  t.match(contents.problems(), [/./])
  const rotation = rotateRootKey({ store: damaged, providers: [local], contents, termsOf })
  await t.rejects(rotation, { code: 'damaged', message: /nothing is rotated: .*kmipd store verify/s })
  t.same(await readHeader(damaged), header)
  contents.close()
  await damaged.close()
})

t.test('a header that was changed during a rotation is noticed', async t => {
  const path = join(t.testdir({}), 'kmipd.db')
  const local = localProvider(newLocalKey())
  const store = await openSqlite({ path, directWriter: true })
  const records = await openRecords({ store, providers: [local] })
  await records.commit([{ partition: 's', id: 'a', expect: 0, body: Buffer.from('x') }])
  const contents = SqliteContents.open(path, 'current')
  const options = { providers: [local], contents, termsOf }
  await t.rejects(rotateRootKey({ ...options, store: new Mortal(store, 1) }), /killed/)
  const found = (await store.get(SEAL_PARTITION, 'header'))!
  const header = JSON.parse(found.body.toString())
  const changed = Buffer.from(JSON.stringify({ ...header, next: header.entries }))
  await store.commit([{ partition: SEAL_PARTITION, id: 'header', expect: found.revision, body: changed }])
  await t.rejects(rotateRootKey({ ...options, store }), { code: 'damaged', message: /changed by somebody/ })
  await store.commit([{ partition: SEAL_PARTITION, id: 'header', expect: found.revision + 1, body: found.body }])
  t.match(await rotateRootKey({ ...options, store }), { records: 1 })
  contents.close()
  await store.close()
})

t.test('who rotates is alone', async t => {
  const path = join(t.testdir({ 'kmipd.db': '' }), 'kmipd.db')
  const one = lockUse(path, 'shared')
  const two = lockUse(path, 'shared')
  t.throws(() => lockUse(path, 'alone'), { code: 'unavailable', message: /stop it first/ })
  one.close()
  two.close()
  const alone = lockUse(path, 'alone')
  t.throws(() => lockUse(path, 'shared'), { code: 'unavailable', message: /being rotated/ })
  alone.close()
  lockUse(path, 'shared').close()
})
