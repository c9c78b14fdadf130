import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { openStore } from '../../src/cli/opened-store.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { connectReader, connectWriter, storeError } from '../../src/store/sqlite-connection.ts'
import { Database } from '../../src/store/sqlite-driver.ts'
import { findAllStatement, findStatement } from '../../src/store/sqlite-find.ts'
import { lockServer } from '../../src/store/sqlite-lock.ts'
import { packChange } from '../../src/store/sqlite-message.ts'
import { MIGRATIONS, migrate, schemaVersion } from '../../src/store/sqlite-schema.ts'
import { HOLDER, UnitWriter } from '../../src/store/sqlite-units.ts'
import { WriterThread } from '../../src/store/sqlite-writer-thread.ts'
import type { Change, Store } from '../../src/store/store.ts'
import { startWriting } from './start-writing.ts'

const file = (t: Test): string => join(t.testdir(), 'folder', 'store.db')
const record = (id: string, over: Partial<Change> = {}): Change => ({
  partition: 's',
  id,
  expect: 0,
  body: Buffer.from(`body of ${id}`),
  ...over,
})
const ids = async (store: Store): Promise<string[]> => (await store.find('s', [], { limit: 100 })).map(({ id }) => id)
const UNAVAILABLE = { name: 'StoreError', code: 'unavailable' }

t.test('what the writer thread wrote is there after reopening', async t => {
  const path = file(t)
  const store = await openSqlite({ path })
  await Promise.all([
    store.commit([record('a')]),
    store.commit([record('b'), record('c')]),
    t.rejects(store.commit([record('a')]), { code: 'conflict' }),
  ])
  await store.close()
  const again = await openSqlite({ path, directWriter: true })
  t.same(await ids(again), ['c', 'b', 'a'])
  t.same((await again.get('s', 'b'))?.body, Buffer.from('body of b'))
  await again.close()
})

t.test('files are for their owner alone', async t => {
  const path = file(t)
  const store = await openSqlite({ path, directWriter: true })
  await store.commit([record('a')])
  for (const suffix of ['', '-wal', '-shm', '-lock']) t.equal(statSync(path + suffix).mode & 0o777, 0o600, `store.db${suffix}`)
  t.equal(statSync(join(path, '..')).mode & 0o777, 0o700)
  await store.close()
})

t.test('what is left of a database that is gone neither gets into another one nor is thrown away', async t => {
  const path = file(t)
  const store = await openSqlite({ path, directWriter: true })
  await store.commit([record('a')])
  const left = readFileSync(`${path}-wal`)
  t.ok(left.length > 0)
  await store.close()
  for (const end of ['-wal', '-journal']) {
    const other = file(t)
    await (await openSqlite({ path: join(other, '../sibling.db'), directWriter: true })).close()
    writeFileSync(`${other}${end}`, left)
    const refusal = { ...UNAVAILABLE, message: new RegExp(`store\\.db is gone, but .*store\\.db${end} is there.* move the second away`) }
    await t.rejects(openSqlite({ path: other, directWriter: true }), refusal)
    await t.rejects(openStore({ store: { kind: 'sqlite', path: other }, dataDir: join(other, '..') }, 'new'), refusal)
    t.notOk(existsSync(other))
    t.same(readFileSync(`${other}${end}`), left)
  }
})

t.test('a store that is made anew is all in the file that gets its name', async t => {
  const path = file(t)
  const opened = await openStore({ store: { kind: 'sqlite', path }, dataDir: join(path, '..') }, 'new')
  await opened.store.commit([record('a')])
  // While somebody else has the file open, SQLite leaves what was written beside it when the store is closed; on a full disk too.
  const guest = connectReader(`${path}.restoring`)
  guest.exec('begin; select count(*) from record')
  await opened.store.commit([record('b')])
  guest.pragma('busy_timeout = 0')
  guest.exec('commit')
  await opened.finish()
  await opened.close()
  guest.close()
  const store = await openSqlite({ path, directWriter: true })
  t.same(await ids(store), ['b', 'a'])
  await store.close()
})

t.test('of two that make a store in one place, one does', async t => {
  const path = file(t)
  const make = () => openStore({ store: { kind: 'sqlite', path }, dataDir: join(path, '..') }, 'new')
  const first = await make()
  await first.store.commit([record('a')])
  await t.rejects(make(), { ...UNAVAILABLE, message: /another command is making .*store\.db/ })
  await first.store.commit([record('b')])
  await first.finish()
  await first.close()
  await t.rejects(make(), /there is data/)
  t.same(readdirSync(join(path, '..')), ['store.db'])
  const store = await openSqlite({ path, directWriter: true })
  t.same(await ids(store), ['b', 'a'])
  await store.close()
})

t.test('every connection is durable, also after its first write', async t => {
  const path = file(t)
  await (await openSqlite({ path, directWriter: true })).close()
  const writer = connectWriter(path)
  new UnitWriter(writer).commit([[packChange(record('a'))]])
  t.equal(writer.pragma('synchronous', { simple: true }), 2)
  t.equal(writer.pragma('secure_delete', { simple: true }), 1)
  writer.close()
  const reader = connectReader(path)
  t.equal(reader.pragma('synchronous', { simple: true }), 2)
  t.throws(() => reader.exec('delete from record'), { code: 'SQLITE_READONLY' })
  reader.close()
})

t.test('find walks indexes, whatever there is', async t => {
  const path = file(t)
  await (await openSqlite({ path, directWriter: true })).close()
  const db = connectReader(path)
  const plans: [name: string, sql: string, parameters: number][] = [
    ['no terms', findAllStatement(0), 3],
    ['no terms, with marks', findAllStatement(3), 9],
    ['one term', findStatement(0, 0), 4],
    ['three terms, with marks', findStatement(2, 3), 14],
    ['forty terms', findStatement(17, 0), 38],
    ['who holds a claim', HOLDER, 2],
  ]
  for (const [name, sql, parameters] of plans) {
    const plan = db
      .prepare<unknown[], { detail: string }>(`explain query plan ${sql}`)
      .all(...Array(parameters).fill(1))
      .map(({ detail }) => detail)
    t.notOk(
      plan.some(line => /^SCAN (?!other)/.test(line) || line.includes('TEMP B-TREE')),
      `${name}: ${plan.join('; ')}`,
    )
  }
  db.close()
})

t.test('an older schema is brought forward, a newer one refused', async t => {
  const path = file(t)
  const store = await openSqlite({ path, directWriter: true })
  await store.commit([record('a')])
  await store.close()
  const newer = [...MIGRATIONS, 'alter table record add column extra text; update record set extra = id']
  const db = connectWriter(path)
  const server = lockServer(path)
  t.throws(() => migrate(db, newer, () => lockServer(path)), UNAVAILABLE, 'not while a server uses the file')
  t.equal(schemaVersion(db), MIGRATIONS.length)
  server.close()
  t.throws(() => migrate(db, [...newer, 'create table record (x)'], () => {}), { code: 'SQLITE_ERROR' })
  t.equal(schemaVersion(db), MIGRATIONS.length, 'a step that fails leaves nothing behind')
  migrate(db, newer, () => lockServer(path).close())
  t.equal(schemaVersion(db), MIGRATIONS.length + 1)
  t.equal(db.prepare('select extra from record').pluck().get(), 'a')
  db.close()
  await t.rejects(openSqlite({ path, directWriter: true }), { ...UNAVAILABLE, message: /written by a newer kmipd/ })
})

t.test('what is not our database is refused and left alone', async t => {
  const path = join(t.testdir({ 'garbage.db': 'x'.repeat(8192), 'folder.db': {} }), 'other.db')
  const other = new Database(path)
  other.exec('create table theirs (x)')
  other.close()
  await t.rejects(openSqlite({ path, directWriter: true }), { code: 'damaged', message: /another program/ })
  await t.rejects(openSqlite({ path: path.replace('other', 'garbage'), directWriter: true }), {
    code: 'damaged',
    message: /not a database/,
  })
  await t.rejects(openSqlite({ path: path.replace('other', 'folder'), directWriter: true }), { ...UNAVAILABLE, message: /EISDIR/ })
})

t.test("trouble is told in the operator's words", async t => {
  const cases: [error: object, message: RegExp][] = [
    [{ code: 'SQLITE_FULL' }, /disk of the store is full/],
    [{ code: 'SQLITE_IOERR_WRITE' }, /disk of the store reports an error/],
    [{ code: 'SQLITE_BUSY_SNAPSHOT' }, /another process/],
    [{ code: 'SQLITE_CORRUPT_INDEX' }, /restore a backup/],
    [{ code: 'ERR_DLOPEN_FAILED' }, /npm rebuild better-sqlite3/],
    [{ message: 'Could not locate the bindings file. Tried: …' }, /npm rebuild better-sqlite3/],
    [{ code: 'SQLITE_ERROR', message: 'near "secret": syntax error' }, /^the store failed$/],
  ]
  for (const [fields, message] of cases)
    t.match(storeError(Object.assign(new Error('x'), fields)), { name: 'StoreError', message }, String(message))
})

t.test('a full disk: nothing of the transaction is stored, and writing goes on when there is space', async t => {
  const path = file(t)
  await (await openSqlite({ path, directWriter: true })).close()
  const db = connectWriter(path)
  const writer = new UnitWriter(db)
  db.pragma(`max_page_count = ${Number(db.pragma('page_count', { simple: true })) + 4}`)
  const unit = (id: string, over?: Partial<Change>) => [packChange(record(id, over))]
  const big = { partition: 'other', body: Buffer.alloc(100_000) }
  t.throws(() => writer.commit([unit('a'), unit('big', big)]), { ...UNAVAILABLE, message: /disk/ })
  t.notOk(db.inTransaction)
  db.pragma('max_page_count = 10000')
  t.same(writer.commit([unit('a'), unit('a'), unit('big', big)]), [
    undefined,
    { code: 'conflict', message: 'record a is at revision 1, not 0' },
    undefined,
  ])
  db.close()
})

t.test('a writer thread that ends takes all commits with it, and says so', async t => {
  const folder = t.testdir({
    'ends.mjs': `import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => process.exit(3))`,
    'throws.mjs': `import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => { throw new Error('broken') })`,
  })
  for (const name of ['ends', 'throws']) {
    const writer = new WriterThread(join(folder, 'none.db'), pathToFileURL(join(folder, `${name}.mjs`)))
    await Promise.all(['a', 'b'].map(id => t.rejects(writer.commit([record(id)]), { ...UNAVAILABLE, message: /restart kmipd/ }, name)))
    await t.rejects(writer.commit([record('c')]), UNAVAILABLE, `${name}, later`)
    await writer.close()
  }
})

t.test('commits of other instances and other processes change the version, and nothing else does', async t => {
  const path = file(t)
  const store = await openSqlite({ path })
  const before = store.version()
  const other = await openSqlite({ path, directWriter: true })
  const opened = store.version()
  await other.commit([record('a')])
  const seen = [before, store.version()]
  t.equal(opened, before, 'opening the file changes nothing')
  await t.rejects(other.commit([record('a')]), { code: 'conflict' })
  t.equal(store.version(), seen[1], 'nor does a commit that failed')
  await other.close()
  await once(startWriting('once', path), 'exit')
  seen.push(store.version())
  t.equal(new Set(seen).size, 3)
  t.same((await store.get('s', 'once'))?.body, Buffer.from('from another process'))
  await store.commit([record('b')])
  t.same(await ids(store), ['b', 'once', 'a'])
  await store.close()
})

t.test('two commands and a server that write at once wait for each other', async t => {
  const path = file(t)
  const stores = await Promise.all([
    openSqlite({ path }),
    openSqlite({ path, directWriter: true }),
    openSqlite({ path, directWriter: true }),
  ])
  await Promise.all(stores.flatMap((store, i) => Array.from({ length: 20 }, (_, j) => store.commit([record(`${i}-${j}`)]))))
  t.equal((await ids(stores[0]!)).length, 60)
  for (const store of stores) await store.close()
})

t.test('a second server on the same file is refused, until the first is gone', async t => {
  const path = file(t)
  const store = await openSqlite({ path })
  await t.rejects(openSqlite({ path }), { ...UNAVAILABLE, message: /another kmipd server uses/ })
  symlinkSync(path, `${path}.link`)
  await t.rejects(openSqlite({ path: `${path}.link` }), { ...UNAVAILABLE, message: /another kmipd server uses/ }, 'by another name')
  await store.close()
  const child = startWriting('load', path)
  await once(createInterface(child.stdout!), 'line')
  await t.rejects(openSqlite({ path }), { ...UNAVAILABLE, message: /another kmipd server uses/ }, 'of another process')
  child.kill('SIGKILL')
  await once(child, 'close')
  await (await openSqlite({ path })).close()
})
