import { join } from 'node:path'
import t from 'tap'
import { backupOf, restoreBackup, verifyBackup } from '../../src/seal/backup.ts'
import { checkStore } from '../../src/seal/check.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import type { KeyProvider } from '../../src/seal/provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import type { TermsOf } from '../../src/seal/verify.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { SqliteContents } from '../../src/store/sqlite-contents.ts'

const MADE = { program: 'kmipd test', created: '2026-01-02T03:04:05.000Z' }
const termsOf: TermsOf = (partition, _id, body) =>
  partition === 's' ? { terms: [`term ${body}`, 'all'], claims: [`claim ${body}`] } : { terms: [], claims: [] }

async function* chunks(bytes: Buffer, size = 1_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function collect(parts: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all)
}

/** A store in a file, with records that follow `termsOf`. */
async function filled(path: string, provider: KeyProvider, count: number) {
  const store = await openSqlite({ path, directWriter: true })
  const records = await openRecords({ store, providers: [provider] })
  const bodies = Array.from({ length: count }, (_, i) => Buffer.from(`secret ${i} ${'x'.repeat(1_000)}`))
  await records.commit(bodies.map((body, i) => ({ partition: 's', id: `k${i}`, expect: 0, body, ...termsOf('s', `k${i}`, body) })))
  await records.commit([{ partition: 'administration', id: 'a', expect: 0, body: Buffer.alloc(0) }])
  return { store, records, bodies }
}

t.test('a backup is verified and restored', async t => {
  const path = join(t.testdir({}), 'kmipd.db')
  const provider = localProvider(newLocalKey())
  const { store, records, bodies } = await filled(path, provider, 700)
  const contents = SqliteContents.open(path, 'moment')
  const COUNT = contents.count
  t.equal(COUNT, 702)
  await records.commit([{ partition: 's', id: 'later', expect: 0, body: Buffer.from('later'), ...termsOf('s', '', Buffer.from('later')) }])
  const backup = await collect(backupOf(contents, [provider], MADE))
  contents.close()
  for (const clear of ['secret', 'xxxx', 'term', 'claim', newLocalKey().slice(0, 10)]) t.notOk(backup.includes(clear), `no ${clear} in it`)

  const all = await verifyBackup(chunks(backup), { providers: [provider], termsOf, all: true })
  t.match(all, { records: COUNT, opened: COUNT, problems: [] }, 'as it was when it began')
  t.match(all.manifest, { ...MADE, records: COUNT, sealedBy: [{ provider: 'local', key: provider.key }] })
  t.match(await verifyBackup(chunks(backup, 7), { providers: [provider], termsOf, all: false }), { records: COUNT, opened: 88 })
  await t.rejects(verifyBackup(chunks(backup), { providers: [localProvider(newLocalKey())], termsOf, all: true }), { code: 'wrong-key' })

  const target = new MemoryStore()
  t.match(await restoreBackup(chunks(backup), { store: target, providers: [provider], termsOf }), { records: COUNT, problems: [] })
  const restored = await openRecords({ store: target, providers: [provider] })
  for (const i of [0, 1, 699]) {
    t.same((await restored.get('s', `k${i}`))?.body, bodies[i])
    t.match(await restored.find('s', [`term ${bodies[i]}`, 'all'], { limit: 2 }), [{ id: `k${i}` }])
  }
  const order = async (from: typeof restored): Promise<string[]> => (await from.find('s', ['all'], { limit: 9_999 })).map(({ id }) => id)
  t.same(
    await order(restored),
    (await order(records)).filter(id => id !== 'later'),
    'in their order',
  )
  await t.rejects(restored.commit([{ partition: 's', id: 'x', expect: 0, body: Buffer.alloc(0), claims: [`claim ${bodies[0]}`] }]), {
    code: 'conflict',
  })
  await store.close()
})

t.test('what is wrong with a backup is noticed', async t => {
  const dir = t.testdir({})
  const provider = localProvider(newLocalKey())
  const { store } = await filled(join(dir, 'kmipd.db'), provider, 300)
  const contents = SqliteContents.open(join(dir, 'kmipd.db'), 'moment')
  const backup = await collect(backupOf(contents, [provider], MADE))
  const options = { providers: [provider], termsOf, all: false }
  const forged = { count: 2, records: () => [...contents.records()].slice(0, 2) }
  const flipped = (at: number): Buffer => {
    const copy = Buffer.from(backup)
    copy[at]! ^= 1
    return copy
  }
  const CASES: [what: string, bytes: Buffer, message: RegExp][] = [
    ['nothing', Buffer.alloc(0), /no backup of kmipd/],
    ['something else', Buffer.from('SQLite format 3\0'.repeat(99)), /no backup of kmipd/],
    ['of a newer kmipd', Buffer.from(backup.toString('latin1').replace('backup 1', 'backup 2'), 'latin1'), /or of a newer one/],
    ['more at its end', Buffer.concat([backup, Buffer.alloc(1)]), /follows its end/],
    ...[15, 16, 100, 400, 5_000, 290_000, backup.length - 100, backup.length - 1].map(
      at => [`a bit at ${at}`, flipped(at), /backup is damaged/] as [string, Buffer, RegExp],
    ),
    ...[20, 30, 1_000, 290_000, backup.length - 33, backup.length - 1].map(
      at => [`cut at ${at}`, backup.subarray(0, at), /backup is damaged/] as [string, Buffer, RegExp],
    ),
  ]
  for (const [what, bytes, message] of CASES)
    await t.rejects(verifyBackup(chunks(bytes), options), { name: 'SealError', code: 'damaged', message }, what)

  const short = await collect(backupOf(forged, [provider], MADE))
  t.match(await verifyBackup(chunks(short), options), { records: 2 })
  const text = short.toString('latin1')
  t.ok(text.includes('"mac":"'), 'an end that somebody without the key wrote')
  const { BackupWriter, readParts } = await import('../../src/seal/backup-format.ts')
  const writer = new BackupWriter()
  const parts: Buffer[] = []
  for await (const part of readParts(chunks(backup))) {
    if ('manifest' in part) parts.push(writer.begin(part.manifest))
    else if ('record' in part && part.record.id !== 'k5') parts.push(writer.records([part.record]))
    else if ('end' in part) parts.push(writer.end({ ...part.end, records: part.end.records - 1 }))
  }
  await t.rejects(verifyBackup(chunks(Buffer.concat(parts)), options), { code: 'damaged', message: /who has not its key/ })
  const headless = { count: 2, records: () => [...contents.records()].slice(1) }
  await t.rejects(collect(backupOf(headless, [provider], MADE)), { code: 'damaged', message: /not the first record/ })
  const torn = { count: contents.count, records: () => [...contents.records()].slice(0, -1) }
  await t.rejects(collect(backupOf(torn, [provider], MADE)), { code: 'damaged', message: /store is damaged: \d+ of \d+ records/ })
  await t.rejects(collect(backupOf({ count: 0, records: () => [] }, [provider], MADE)), { code: 'sealed' })
  contents.close()
  await store.close()
})

t.test('a check of the store names what is wrong', async t => {
  const path = join(t.testdir({}), 'kmipd.db')
  const provider = localProvider(newLocalKey())
  const { store, records } = await filled(path, provider, 10)
  const contents = SqliteContents.open(path, 'current')
  const check = (of: TermsOf = termsOf) => checkStore({ store, contents, providers: [provider], termsOf: of })
  t.same(await check(), { records: 12, problems: [] })
  t.same(contents.problems(), [])

  const stored = (await store.get('s', 'k1'))!
  await store.commit([{ partition: 's', id: 'k2', expect: 1, body: stored.body }])
  const again = (await records.get('s', 'k3'))!
  const right = termsOf('s', 'k3', again.body)
  await records.commit([{ partition: 's', id: 'k3', expect: 1, body: again.body, terms: right.terms, claims: [] }])
  const other = (await records.get('s', 'k4'))!
  await records.commit([{ partition: 's', id: 'k4', expect: 1, body: other.body, terms: ['all'], claims: right.claims }])
  const last = (await records.get('s', 'k5'))!
  await records.commit([
    { partition: 's', id: 'k5', expect: 1, body: last.body, terms: ['other'], claims: termsOf('s', '', last.body).claims },
  ])
  const { problems } = await check()
  t.same(
    problems.map(({ id }) => id),
    ['k2', 'k3', 'k4', 'k5'],
  )
  t.match(problems, [{ problem: /does not open/ }, { problem: /claims/ }, { problem: /claims/ }, { problem: /index terms/ }])
  t.same(contents.problems(), [], 'the file itself is right')
  const unreadable = await check((partition, id) => {
    if (id === 'k9') throw new Error('no object')
    return termsOf(partition, id, Buffer.alloc(0))
  })
  t.match(unreadable.problems.at(-1), { id: 'k9', problem: /none that this version/ })
  const { Database } = await import('../../src/store/sqlite-driver.ts')
  const db = new Database(path)
  db.exec("delete from term where sequence = (select sequence from record where id = 'k6')")
  db.exec("insert into term values (1, x'00', 99999, 0), (1, x'01', 99999, 0), (1, x'02', 99999, 0), (1, x'03', 99999, 0)")
  db.close()
  t.match(contents.problems(), [/record k6 of s: 3 of its index entries/, /the index has 1 entries/])
  contents.close()
  await store.close()
})
