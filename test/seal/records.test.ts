import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { SealError } from '../../src/seal/error.ts'
import { SEAL_PARTITION } from '../../src/seal/header.ts'
import { createLocalKeyFile, localProvider, localProviderFromFile, newLocalKey } from '../../src/seal/local-provider.ts'
import type { KeyProvider } from '../../src/seal/provider.ts'
import { RecordCipher } from '../../src/seal/record-cipher.ts'
import type { RecordChange, Records } from '../../src/seal/records.ts'
import { addProvider, removeProvider, sealedBy } from '../../src/seal/reseal.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import type { Change, Store } from '../../src/store/store.ts'
import { nodeCommand } from '../node-command.ts'

const DAMAGED = { name: 'SealError', code: 'damaged' }
const body = Buffer.from('the secret of a record')
const put = (id: string, over: Partial<RecordChange> = {}): RecordChange => ({ partition: 's', id, expect: 0, body, ...over })

async function sealed(
  provider: KeyProvider = localProvider(newLocalKey()),
): Promise<{ store: Store; records: Records; provider: KeyProvider }> {
  const store = new MemoryStore()
  return { store, records: await openRecords({ store, providers: [provider] }), provider }
}

t.test('records are read, found, changed and deleted as they were written', async t => {
  const { store, records, provider } = await sealed()
  const start = records.version()
  await records.commit([put('a', { terms: ['x', 'y'], claims: ['name'] }), put('b', { terms: ['x'], body: Buffer.alloc(0) })])
  t.not(records.version(), start)
  t.same(await records.get('s', 'a'), { revision: 1, body })
  t.same(await records.get('s', 'b'), { revision: 1, body: Buffer.alloc(0) })
  t.equal(await records.get('s', 'c'), undefined)
  t.same(
    (await records.find('s', ['x'], { limit: 9 })).map(({ id }) => id),
    ['b', 'a'],
  )
  t.same(
    (await records.find('s', ['x', 'y'], { limit: 9 })).map(({ id }) => id),
    ['a'],
  )
  t.same(await records.find('other', ['x'], { limit: 9 }), [])
  await t.rejects(records.commit([put('c', { claims: ['name'] })]), { name: 'StoreError', code: 'conflict' })
  await records.commit([put('c', { claims: ['name'], partition: 'other' }), put('c', { claims: ['x'] })])
  await records.commit([put('a', { expect: 1, body: Buffer.from('new') }), { partition: 's', id: 'b', expect: 1 }])
  t.equal(await records.revision('s', 'a'), 2)
  t.equal(await records.revision('s', 'b'), 0)
  const again = await openRecords({ store, providers: [provider] })
  t.same(await again.get('s', 'a'), { revision: 2, body: Buffer.from('new') })
  t.same(await again.find('s', ['y'], { limit: 9 }), [])
})

t.test('a record opens at its own place alone', async t => {
  const { store, records } = await sealed()
  await records.commit([put('a'), put('b'), put('a', { partition: 'other' })])
  const { body: stolen } = (await store.get('s', 'a'))!
  const places: [partition: string, id: string][] = [
    ['s', 'b'],
    ['other', 'a'],
  ]
  for (const [partition, id] of places) {
    await store.commit([{ partition, id, expect: 1, body: stolen }])
    await t.rejects(records.get(partition, id), DAMAGED, `${partition}/${id}`)
  }
  await store.commit([{ partition: 'as', id: '', expect: 0, body: stolen }])
  await t.rejects(records.get('as', ''), DAMAGED, 'where the borders of the names are others')
})

t.test('a bit that is flipped, and bytes that are cut or added, are noticed wherever they are', async t => {
  const { store, records } = await sealed()
  await records.commit([put('a')])
  const good = (await store.get('s', 'a'))!.body
  t.equal(good.length, body.length + 49)
  const bad: Buffer[] = Array.from(good, (byte, i) => {
    const copy = Buffer.from(good)
    copy[i] = byte ^ (1 << (i % 8))
    return copy
  })
  for (let length = 0; length < good.length; length++) bad.push(good.subarray(0, length))
  bad.push(Buffer.concat([good, Buffer.alloc(1)]))
  let noticed = 0
  let revision = 1
  for (const body of bad) {
    await store.commit([{ partition: 's', id: 'a', expect: revision++, body }])
    await records.get('s', 'a').catch(e => {
      if (e instanceof SealError && e.code === 'damaged') noticed++
    })
  }
  t.equal(noticed, bad.length)
  await store.commit([{ partition: 's', id: 'a', expect: revision, body: good }])
  t.same((await records.get('s', 'a'))?.body, body, 'an older body at its own place opens: that is for the audit log to show')
})

t.test('the same content is never sealed to the same bytes', async t => {
  const { store, records, provider } = await sealed()
  const others = await openRecords({ store, providers: [provider] })
  const heads = new Set<string>()
  for (let i = 0; i < 300; i++) {
    const id = `k${i}`
    await (i % 2 ? records : others).commit([put(id)])
    heads.add((await store.get('s', id))!.body.subarray(1, 33).toString('hex'))
  }
  t.equal(heads.size, 300, 'salt and nonce differ, also between two that have the same key')
})

t.test('a key that seals is changed before its nonces could meet', t => {
  const cipher = new RecordCipher(randomBytes(32))
  const salts = new Map<string, Buffer>()
  const nonces = new Set<string>()
  for (let i = 0; i <= 2 ** 16; i++) {
    const sealed = cipher.seal('s', 'a', body)
    salts.set(sealed.toString('latin1', 0, 21), sealed)
    nonces.add(sealed.toString('latin1', 21, 33))
  }
  t.equal(salts.size, 2)
  t.equal(nonces.size, 2 ** 16 + 1)
  for (const sealed of salts.values()) t.same(cipher.open('s', 'a', sealed), body)
  t.end()
})

t.test('terms and claims show equality within a partition only', async t => {
  const seen: Change[] = []
  class Spy extends MemoryStore {
    override async commit(changes: readonly Change[]): Promise<void> {
      seen.push(...changes)
      await super.commit(changes)
    }
  }
  const store = new Spy()
  const provider = localProvider(newLocalKey())
  const records = await openRecords({ store, providers: [provider] })
  const tags = { terms: ['same', 'other'], claims: ['same'] }
  seen.length = 0
  await records.commit([put('a', tags), put('b', { ...tags, partition: 'other' })])
  await (await openRecords({ store, providers: [provider] })).commit([put('c', { terms: ['same', 'x'.repeat(5000), 'x'.repeat(5000)] })])
  const hex = seen.map(({ terms = [], claims = [] }) => [...terms, ...claims].map(value => value.toString('hex')))
  const [a, b, c] = hex
  t.equal(a!.length, 2, 'a claim is a term, and stands but once')
  t.equal(new Set([...a!, ...b!]).size, 4)
  t.equal(c![0], a![1], 'the same in another process')
  t.equal(c![1], c![2], 'long ones too')
  t.ok(
    [...a!, ...b!, ...c!].every(value => value.length === 32),
    '16 bytes',
  )
})

t.test('nothing in the files of the database can be read', async t => {
  const path = join(t.testdir(), 'store.db')
  const key = newLocalKey()
  const records = await openRecords({ store: await openSqlite({ path, directWriter: true }), providers: [localProvider(key)] })
  const secrets = ['body-plain', 'term-plain', 'claim-plain', 'gone-plain', key.slice(key.lastIndexOf(':') + 1)]
  await records.commit([
    put('a', { body: Buffer.from('body-plain'), terms: ['term-plain'], claims: ['claim-plain'] }),
    put('b', { body: Buffer.from('gone-plain') }),
  ])
  await records.commit([put('a', { expect: 1, body: Buffer.from('body-plain again') }), { partition: 's', id: 'b', expect: 1 }])
  const search = (when: string): void => {
    for (const name of readdirSync(join(path, '..'))) {
      const bytes = readFileSync(join(path, '..', name))
      for (const secret of secrets)
        for (const form of [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')])
          if (bytes.includes(form)) t.fail(`${form} in ${name} ${when}`)
    }
  }
  t.ok(existsSync(`${path}-wal`) && existsSync(`${path}-shm`))
  search('while open')
  await records.close()
  search('after close')
})

t.test('another key is told from damage and from no key', async t => {
  const { store, provider } = await sealed()
  const other = localProvider(newLocalKey())
  const vault: KeyProvider = { ...other, kind: 'transit' }
  const away: KeyProvider = { ...provider, unwrap: () => Promise.reject(new SealError('sealed', 'the transit engine cannot be reached')) }
  const cases: [name: string, providers: KeyProvider[], error: { code: string; message: RegExp }][] = [
    [
      'another key',
      [other],
      { code: 'wrong-key', message: new RegExp(`sealed with local key ${provider.key}, and local key ${other.key} is configured`) },
    ],
    ['another kind', [vault], { code: 'sealed', message: new RegExp(`sealed by local key ${provider.key}; configured: transit key`) }],
    ['no provider', [], { code: 'sealed', message: /configured: nothing/ }],
    ['a provider that is away', [away], { code: 'sealed', message: /cannot be reached/ }],
    ['one that is away, and another key', [away, other], { code: 'sealed', message: /cannot be reached/ }],
  ]
  for (const [name, providers, error] of cases) await t.rejects(openRecords({ store, providers }), { name: 'SealError', ...error }, name)
  await openRecords({ store, providers: [other, away, provider] })
  t.pass('the one right key among others is enough')
  await t.rejects(openRecords({ store: new MemoryStore(), providers: [] }), { code: 'sealed', message: /no key is configured/ })
})

t.test('a header of the seal that was changed does not open', async t => {
  const { store, provider } = await sealed()
  const { store: another } = await sealed(provider)
  const good = (await store.get(SEAL_PARTITION, 'header'))!.body
  const header = JSON.parse(good.toString())
  const [entry] = header.entries
  const stranger = { provider: 'local', key: '00', wrapped: 'AAAA' }
  const cases: [name: string, header: unknown, code?: string][] = [
    ['an entry more', { ...header, entries: [entry, stranger] }],
    ['an entry twice', { ...header, entries: [entry, entry] }],
    ['another store', { ...header, store: 'other' }],
    ['another wrapped key', { ...header, entries: [{ ...entry, wrapped: Buffer.alloc(60).toString('base64') }] }],
    ['no wrapped key', { ...header, entries: [{ ...entry, wrapped: '' }] }],
    ['another MAC', { ...header, mac: Buffer.alloc(32).toString('base64') }],
    ['no MAC', { ...header, mac: '' }],
    [
      'the wrapped key of another store',
      { ...header, entries: JSON.parse((await another.get(SEAL_PARTITION, 'header'))!.body.toString()).entries },
    ],
    ['another form', { ...header, entries: {} }],
    ['nothing', null],
    ['a later format', { ...header, format: 2 }, 'sealed'],
  ]
  let revision = 1
  for (const [name, content, code = 'damaged'] of cases) {
    await store.commit([{ partition: SEAL_PARTITION, id: 'header', expect: revision++, body: Buffer.from(JSON.stringify(content)) }])
    await t.rejects(openRecords({ store, providers: [provider] }), { name: 'SealError', code }, name)
  }
  await store.commit([{ partition: SEAL_PARTITION, id: 'header', expect: revision++, body: randomBytes(50) }])
  await t.rejects(openRecords({ store, providers: [provider] }), DAMAGED, 'no JSON')
  await store.commit([{ partition: SEAL_PARTITION, id: 'header', expect: revision++, body: good }])
  await openRecords({ store, providers: [provider] })
})

t.test('two that seal a new store at once have the same root key', async t => {
  const store = new MemoryStore()
  const providers = [localProvider(newLocalKey())]
  const [a, b] = await Promise.all([openRecords({ store, providers }), openRecords({ store, providers })])
  await a.commit([put('a', { terms: ['x'] })])
  t.same((await b.get('s', 'a'))?.body, body)
  t.equal((await b.find('s', ['x'], { limit: 1 })).length, 1)
})

t.test('providers are added and removed, and the records stay as they are', async t => {
  const { store, records, provider } = await sealed()
  await records.commit([put('a')])
  const second = localProvider(newLocalKey())
  const first = { provider: 'local', key: provider.key }
  await t.rejects(addProvider(store, [second], second), { code: 'wrong-key' }, 'only with one that opens')
  await addProvider(store, [provider], second)
  await addProvider(store, [provider], second)
  t.same(await sealedBy(store), [first, { provider: 'local', key: second.key }])
  const opened = await openRecords({ store, providers: [second] })
  t.same((await opened.get('s', 'a'))?.body, body)
  await t.rejects(removeProvider(store, [provider], first), { name: 'SealError' }, 'not with the one that goes')
  await removeProvider(store, [provider, second], first)
  await removeProvider(store, [second], first)
  t.same(await sealedBy(store), [{ provider: 'local', key: second.key }])
  await t.rejects(openRecords({ store, providers: [provider] }), { code: 'wrong-key' })
  await t.rejects(removeProvider(store, [second], { provider: 'local', key: second.key }), { name: 'SealError' }, 'not the last one')
  t.same(await sealedBy(new MemoryStore()), [])
  await t.rejects(addProvider(new MemoryStore(), [second], provider), { code: 'sealed', message: /never sealed/ })
})

t.test("the seal's own partition is out of reach, and nothing works after close", async t => {
  const { records } = await sealed()
  await t.rejects(records.get(SEAL_PARTITION, 'header'), RangeError)
  await t.rejects(records.find(SEAL_PARTITION, [], { limit: 1 }), RangeError)
  await t.rejects(records.commit([{ partition: SEAL_PARTITION, id: 'header', expect: 1 }]), RangeError)
  await records.close()
  const closed = { name: 'StoreError', code: 'closed' }
  await t.rejects(records.get('s', 'a'), closed)
  await t.rejects(records.revision('s', 'a'), closed)
  await t.rejects(records.find('s', ['x'], { limit: 1 }), closed)
  await t.rejects(records.commit([put('a')]), closed)
  t.throws(() => records.version(), closed)
})

t.test('a local key has one form', async t => {
  const base64 = Buffer.alloc(32, 7).toString('base64')
  const cases: [text: string, message: RegExp][] = [
    ['', /does not begin with hsm:aes256:/],
    [base64, /does not begin with hsm:aes256:/],
    [`hsm:aes128:${base64}`, /does not begin with hsm:aes256:/],
    ['hsm:aes256:', /has 0 bytes and not 32/],
    [`hsm:aes256:${Buffer.alloc(16).toString('base64')}`, /has 16 bytes and not 32/],
    [`hsm:aes256:${base64.slice(0, -1)}`, /not base64/],
    [`hsm:aes256:${base64}!`, /not base64/],
    [`hsm:aes256:${'zz zz'.repeat(9)}`, /not base64/],
  ]
  for (const [text, message] of cases) {
    const refused = (e: unknown): boolean =>
      e instanceof SealError && e.code === 'malformed-key' && message.test(e.message) && !(text.length > 20 && e.message.includes(text))
    try {
      localProvider(text)
      t.fail(`accepted: ${text}`)
    } catch (e) {
      t.ok(refused(e), `${text} is refused, and not repeated`)
    }
  }
  t.equal(localProvider(` hsm:aes256:${base64}\r\n`).key, localProvider(`hsm:aes256:${base64}`).key)
  t.notSame(newLocalKey(), newLocalKey())
})

t.test('a key file is whole or not there', t => {
  const folder = t.testdir()
  const path = join(folder, 'key')
  // The operating system ends a process that writes more than it may: at the first byte here.
  const [command, args] = nodeCommand('dist/cli/main.js', 'seal', 'generate-key', path)
  const { status } = spawnSync('sh', ['-c', 'ulimit -c 0; ulimit -f 0; exec "$@"', 'sh', command, ...args])
  t.not(status, 0)
  t.notOk(existsSync(path))
  createLocalKeyFile(path)
  t.match(readFileSync(path, 'utf8'), /^hsm:aes256:.{44}\n$/)
  t.end()
})

t.test('a key file is for its owner alone', async (t: Test) => {
  const folder = t.testdir({ bad: 'something else' })
  const path = join(folder, 'key')
  createLocalKeyFile(path)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(localProviderFromFile(path).key, localProvider(readFileSync(path, 'utf8')).key)
  t.throws(() => createLocalKeyFile(path), { name: 'SealError', message: /no key is overwritten/ }, 'an existing one is kept')
  for (const mode of [0o640, 0o604]) {
    chmodSync(path, mode)
    t.throws(() => localProviderFromFile(path), { name: 'SealError', code: 'sealed', message: /chmod 600/ }, mode.toString(8))
  }
  chmodSync(join(folder, 'bad'), 0o600)
  t.throws(() => localProviderFromFile(join(folder, 'bad')), { code: 'malformed-key', message: /bad: the key does not begin/ })
  t.throws(() => localProviderFromFile(join(folder, 'none')), { code: 'sealed', message: /ENOENT/ })
})
