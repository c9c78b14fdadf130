import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LocalCopy } from '../../src/store/local-copy.ts'
import { USUAL_COMPACTION } from '../../src/store/log-compaction.ts'
import { type LogOptions, openLog } from '../../src/store/log-open.ts'
import type { LogStore } from '../../src/store/log-store.ts'
import { SlotsError } from '../../src/store/slots.ts'
import { type Change, type Store, StoreError } from '../../src/store/store.ts'
import { copyOf } from './copy-of.ts'
import { type Fault, SharedSlots } from './memory-slots.ts'

const HOUR = 3_600_000
const UNAVAILABLE = { name: 'StoreError', code: 'unavailable' }
const DAMAGED = { name: 'StoreError', code: 'damaged', message: /not the one that this node has followed/ }
const CONFLICT = { name: 'StoreError', code: 'conflict' }
/** A snapshot after every few entries, at once. */
const EAGER = { ...USUAL_COMPACTION, entries: 5, jitterMs: 0 }

const record = (id: string, over: Partial<Change> = {}): Change => ({ partition: 's', id, expect: 0, body: Buffer.from(id), ...over })
const idsOf = async (store: Store): Promise<string> => (await store.find('s', [], { limit: 1000 })).map(({ id }) => id).join(' ')

/** A folder for the nodes of a test. tap removes it in one attempt, and what a system under load has not let go by then would be a failure. */
function folder(t: Test, content = {}): string {
  t.saveFixture = true
  const dir = t.testdir(content)
  t.teardown(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }))
  return dir
}

async function node(t: Test, shared: SharedSlots, options: Partial<LogOptions> = {}): Promise<LogStore> {
  const store = await openLog({ slots: shared.open(), dir: t.testdirName, expect: 'any', deadlineMs: 20_000, ...options })
  t.teardown(() => store.close())
  return store
}

/** Wait until it is so; the test's own time limit ends it. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 5))
}

t.test('what one node commits, another one sees once it has settled, and both have one order', async t => {
  folder(t)
  const shared = new SharedSlots()
  const [a, b] = [await node(t, shared), await node(t, shared)]
  const before = b.version()
  await a.commit([record('k1', { claims: [Buffer.from('name')] })])
  t.equal(b.version(), before)
  await b.settle()
  t.not(b.version(), before)
  t.same((await b.get('s', 'k1'))?.body, Buffer.from('k1'))
  await t.rejects(b.commit([record('k2', { claims: [Buffer.from('name')] })]), CONFLICT)
  await b.commit([{ partition: 's', id: 'k1', expect: 1 }])
  await a.commit([record('k2', { claims: [Buffer.from('name')] })])
  t.pass('a conflict with what is not true any more is none: who lost looks first')
  await Promise.all(
    [a, b].flatMap((store, of) => Array.from({ length: 30 }, (_, i) => store.commit([record(`${of}-${i}`), record(`${of}-${i}-twin`)]))),
  )
  await Promise.all([a.settle(), b.settle()])
  t.equal(await idsOf(a), await idsOf(b))
  t.equal((await idsOf(a)).split(' ').length, 121)
  t.ok(shared.paths(/^log\//).length < 30, 'commits share entries')
})

t.test('a disk that is full under the copy of a node is no other log', async t => {
  folder(t)
  const shared = new SharedSlots()
  const [a, b] = [await node(t, shared), await node(t, shared)]
  const { keep } = LocalCopy.prototype
  t.teardown(() => {
    LocalCopy.prototype.keep = keep
  })
  const failOnce = (): void => {
    LocalCopy.prototype.keep = () => {
      LocalCopy.prototype.keep = keep
      throw new StoreError('unavailable', 'the disk is full')
    }
  }
  await a.commit([record('k1')])
  failOnce()
  await t.rejects(b.settle()!, UNAVAILABLE)
  await b.settle()
  t.equal(await idsOf(b), 'k1')
  failOnce()
  await t.rejects(b.commit([record('k2')]), UNAVAILABLE, 'it is in the log, but nobody knows here')
  await b.commit([record('k3')])
  await a.settle()
  t.equal(await idsOf(a), 'k3 k2 k1')
  t.equal(await idsOf(b), 'k3 k2 k1')
})

t.test('of nodes that change one record at once, one wins each time', async t => {
  folder(t)
  const shared = new SharedSlots()
  const nodes = await Promise.all([1, 2, 3].map(() => node(t, shared)))
  await nodes[0]!.commit([record('counter', { body: Buffer.from('0') })])
  const add = async (store: Store): Promise<void> => {
    for (let done = false; !done; ) {
      await store.settle?.()
      const { revision, body } = (await store.get('s', 'counter'))!
      await store.commit([record('counter', { expect: revision, body: Buffer.from(`${Number(body) + 1}`) })]).then(
        () => (done = true),
        error => t.match(error, CONFLICT),
      )
    }
  }
  await Promise.all(nodes.flatMap(store => Array.from({ length: 5 }, () => add(store))))
  await nodes[1]!.settle()
  t.same((await nodes[1]!.get('s', 'counter'))?.body, Buffer.from('15'))
})

t.test('an answer that is lost is no failure, and no second commit', async t => {
  folder(t)
  const cases: [name: string, faults: Fault[]][] = [
    ['the entry was stored', [{ call: 'create', path: /^log/, after: true, code: 'in-doubt' }]],
    ['it was not', [{ call: 'create', path: /^log/, code: 'in-doubt' }]],
    ['nobody there for a moment', [{ call: 'create', path: /^log/, code: 'unreachable', times: 2 }]],
    [
      'and the look at it fails too',
      [
        { call: 'create', path: /^log/, after: true, code: 'in-doubt' },
        { call: 'read', path: /^log/, code: 'unreachable', times: 2 },
      ],
    ],
    ['a blob', [{ call: 'create', path: /^blob/, after: true, code: 'in-doubt' }]],
  ]
  for (const [name, faults] of cases) {
    const shared = new SharedSlots()
    const store = await node(t, shared, { deadlineMs: 5_000 })
    shared.faults.push(...faults)
    await store.commit([record('k1', { body: Buffer.alloc(name === 'a blob' ? 500_000 : 10) })])
    t.equal(await idsOf(store), 'k1', name)
    t.equal(shared.paths(/^log/).length, 1, name)
    t.ok(
      faults.every(({ times }) => times === 0),
      'the faults happened',
    )
  }
})

t.test('while nobody answers, writes and reads fail within their time, and say why; later they go on', async t => {
  folder(t)
  const shared = new SharedSlots()
  const [store, other] = [await node(t, shared, { deadlineMs: 1000 }), await node(t, shared)]
  await store.commit([record('k1')])
  shared.before = () => {
    throw new SlotsError('unreachable', 'nobody answers')
  }
  const begin = performance.now()
  await Promise.all([
    t.rejects(store.commit([record('k2')]), { ...UNAVAILABLE, message: /not reachable: nobody answers/ }),
    t.rejects(store.settle()!, UNAVAILABLE),
  ])
  t.equal(store.problem(), 'the store in Vault is not reachable: nobody answers')
  await t.rejects(store.settle()!, UNAVAILABLE)
  shared.before = () => {
    throw new SlotsError('refused', 'the policy lacks read')
  }
  await t.rejects(store.settle()!, { ...UNAVAILABLE, message: 'the store in Vault refuses: the policy lacks read' })
  t.equal(store.problem(), 'the store in Vault refuses: the policy lacks read')
  t.ok(performance.now() - begin < 10_000, 'and the next ones need not wait')
  shared.before = undefined
  await store.settle()
  t.equal(store.problem(), undefined)
  await store.commit([record('k2')])
  await other.settle()
  t.equal(await idsOf(other), 'k2 k1')
})

t.test('an entry whose answer came too late for its writer counts all the same, once', async t => {
  folder(t)
  const shared = new SharedSlots()
  const store = await node(t, shared, { deadlineMs: 1000 })
  shared.faults.push(
    { call: 'create', path: /^log/, after: true, code: 'in-doubt' },
    { call: 'read', path: /^log/, code: 'unreachable', times: 99 },
  )
  shared.faults.push({ call: 'create', path: /^log/, code: 'unreachable', times: 99 })
  await t.rejects(store.commit([record('k1')]), { ...UNAVAILABLE, message: /whether the change was stored is not known/ })
  shared.faults.length = 0
  await store.commit([record('k2')])
  t.equal(await idsOf(store), 'k2 k1')
  await t.rejects(store.commit([record('k1')]), CONFLICT)
})

t.test('reads that come together share a look that began after them', async t => {
  folder(t)
  const shared = new SharedSlots()
  const [a, b] = [await node(t, shared), await node(t, shared)]
  await a.settle()
  shared.calls.length = 0
  await Promise.all(Array.from({ length: 100 }, () => a.settle()))
  t.ok(shared.calls.filter(call => call.startsWith('read log')).length <= 3)
  for (let i = 0; i < 50; i++) {
    const early = a.settle()
    await b.commit([record(`k${i}`)])
    await a.settle()
    t.equal(await a.revision('s', `k${i}`), 1)
    await early
  }
})

t.test('what a worker reads is no older than what its owner would', async t => {
  folder(t)
  const shared = new SharedSlots()
  const other = await node(t, shared)
  const strict = copyOf(await node(t, shared))
  const late = copyOf(await node(t, shared, { stalenessMs: 1000, follow: true, deadlineMs: 1000 }), 1000)
  t.teardown(() => Promise.all([strict.close(), late.close()]))
  await late.settle()
  for (let i = 0; i < 20; i++) {
    const version = strict.version()
    await other.commit([record(`k${i}`)])
    shared.calls.length = 0
    await Promise.all(Array.from({ length: 50 }, () => strict.settle()))
    t.ok(shared.calls.filter(call => call.startsWith('read log')).length < 30, 'one look for all')
    t.not(strict.version(), version)
    t.equal(await strict.revision('s', `k${i}`), 1)
  }
  await until(async () => {
    await late.settle()
    return (await late.revision('s', 'k19')) === 1
  })
  await late.settle()
  t.equal(late.settle(), undefined, 'for a while there is nothing to wait for')
  shared.before = () => {
    throw new SlotsError('unreachable', 'nobody answers')
  }
  await until(
    () =>
      late.settle()?.then(
        () => false,
        error => t.match(error, UNAVAILABLE),
      ) ?? false,
  )
  await t.rejects(late.commit([record('k20')]), UNAVAILABLE)
  shared.before = undefined
  await late.settle()
  t.equal(late.problem(), undefined)
})

t.test('with a staleness reads wait for nothing, and for no longer than that', async t => {
  folder(t)
  const shared = new SharedSlots()
  const a = await node(t, shared)
  const b = await node(t, shared, { stalenessMs: 1000, follow: true, deadlineMs: 1000 })
  await a.commit([record('k1')])
  t.equal(b.settle(), undefined)
  await until(async () => {
    await b.settle()
    return (await b.revision('s', 'k1')) === 1
  })
  shared.before = () => {
    throw new SlotsError('unreachable', 'nobody answers')
  }
  await until(
    () =>
      b.settle()?.then(
        () => false,
        () => true,
      ) ?? false,
  )
  t.pass('a node that is cut off stops to answer')
})

t.test('snapshots: a node begins with the last one, and the log is cut behind the retention', async t => {
  const dir = folder(t)
  const shared = new SharedSlots()
  const a = await node(t, shared, { compaction: EAGER })
  for (let i = 0; i < 12; i++)
    await a.commit([record(`k${i}`, { terms: [Buffer.from('t')], body: Buffer.alloc(i === 3 ? 300_000 : 9, i) })])
  await until(() => headOf(shared).snapshot.at >= 5)
  await a.commit([record('k3', { expect: 1 }), record('gone')])
  await a.commit([{ partition: 's', id: 'gone', expect: 1 }])
  const b = await node(t, shared)
  t.equal(await idsOf(b), await idsOf(a))
  t.equal((await b.find('s', [Buffer.from('t')], { limit: 100 })).length, 11)
  t.equal(await b.revision('s', 'k3'), 2)
  t.ok(shared.paths(/^log/).length >= 14, 'nothing is removed before its time')
  t.ok(shared.paths(/^blob/).length > 0)
  for (let round = 0; round < 3; round++) {
    shared.nowMs += 26 * HOUR
    const { at } = headOf(shared).snapshot
    for (let i = 0; i < 6; i++) await a.commit([record(`later-${round}-${i}`)])
    await until(() => headOf(shared).snapshot.at > at && headOf(shared).removing === headOf(shared).first)
  }
  await until(() => headOf(shared).first > 14)
  const isCut = (): boolean => shared.paths(/^log/).length === Number(shared.paths(/^log/).at(-1)!.split('/')[2]) - headOf(shared).first + 1
  await until(isCut)
  t.same(shared.paths(/^blob/), [])
  // The last one, those that others may be reading, and one that is perhaps on its way.
  t.ok(new Set(shared.paths(/^snap/).map(path => path.split('/')[1])).size <= 4)
  const c = await node(t, shared)
  t.equal(await idsOf(c), await idsOf(a))
  const inDir = (begin: string): string[] => readdirSync(dir).filter(name => name.startsWith(begin))
  t.equal(inDir('log-copy').length, 3, 'a folder for each copy')
  await until(() => inDir('').length === 4)
  t.equal(inDir('log-snapshot').length, 1, 'and the last snapshot')
})

t.test('what Vault is going to delete of itself is refused, and is soon needed by nobody', async t => {
  folder(t)
  const shared = new SharedSlots()
  const a = await node(t, shared, { compaction: { ...USUAL_COMPACTION, jitterMs: 0 } })
  await a.commit([record('k1')])
  shared.areMortal = true
  await t.rejects(a.commit([record('k2')]), { ...UNAVAILABLE, message: /deletes after a time/ })
  const refused = { ...UNAVAILABLE, message: /deletes after a time/ }
  await t.rejects(
    openLog({ slots: shared.open(), dir: t.testdirName, expect: 'any', presence: 'shared' }),
    refused,
    'nor does a node begin',
  )
  shared.areMortal = false
  await a.settle()
  await until(() => headOf(shared).snapshot.at >= 2)
  for (const [path, { ends }] of shared.texts) if (ends) shared.texts.delete(path)
  const b = await node(t, shared)
  t.equal(await idsOf(b), await idsOf(a))
  await b.commit([record('k3')])
  t.equal(await idsOf(b), 'k3 k2 k1')
})

t.test('a snapshot that was read or written here is not read again, unless it was changed', async t => {
  const dir = folder(t, { other: {} })
  const shared = new SharedSlots()
  const a = await node(t, shared, { compaction: EAGER })
  for (let i = 0; i < 7; i++) await a.commit([record(`k${i}`)])
  const kept = (): string[] => readdirSync(dir).filter(name => name.startsWith('log-snapshot'))
  const chunksRead = async (options: Partial<LogOptions> = {}): Promise<number> => {
    shared.calls.length = 0
    const b = await node(t, shared, options)
    t.equal(await idsOf(b), await idsOf(a))
    return shared.calls.filter(call => call.startsWith('read snap')).length
  }
  await until(() => headOf(shared).snapshot.at >= 5 && kept().length === 1)
  t.equal(await chunksRead(), 0, 'who wrote it has it')
  t.equal(statSync(join(dir, kept()[0]!)).mode & 0o777, 0o600)
  t.equal(await chunksRead({ dir: join(dir, 'other') }), 1, 'another machine has not')
  t.equal(await chunksRead({ dir: join(dir, 'other') }), 0, 'and has it then')
  const [first] = kept()
  const file = join(dir, first!)
  const bytes = readFileSync(file)
  bytes[bytes.length - 3]! ^= 1
  for (const changed of [bytes, bytes.subarray(0, 100), Buffer.alloc(0)]) {
    writeFileSync(file, changed)
    t.equal(await chunksRead(), 1, 'changed')
    t.equal(await chunksRead(), 0, 'put right')
  }
  const noticed: string[] = []
  mkdirSync(join(dir, 'full', first!), { recursive: true })
  t.equal(await chunksRead({ dir: join(dir, 'full'), notice: message => noticed.push(message) }), 1, 'where none can be kept')
  t.match(noticed, [/could not be taken/, /could not be kept/])
  const { at } = headOf(shared).snapshot
  for (let i = 0; i < 6; i++) await a.commit([record(`later${i}`)])
  // The one before goes.
  await until(() => headOf(shared).snapshot.at > at && kept().length === 1 && kept()[0] !== first)
  t.equal(await chunksRead(), 0)
})

t.test('who slept longer than the retention neither answers from the past nor writes into it', async t => {
  folder(t)
  const shared = new SharedSlots()
  const a = await node(t, shared, { compaction: EAGER })
  const sleepers = await Promise.all(['reads', 'writes'].map(() => node(t, shared)))
  const workers = sleepers.map(sleeper => copyOf(sleeper))
  t.teardown(() => Promise.all(workers.map(worker => worker.close())))
  for (const sleeper of [...sleepers, ...workers]) await sleeper.settle()
  const versions = workers.map(worker => worker.version())
  for (let round = 0; round < 4; round++) {
    const { at } = headOf(shared).snapshot
    for (let i = 0; i < 6; i++) await a.commit([record(`${round}-${i}`)])
    await until(() => headOf(shared).snapshot.at > at && headOf(shared).removing === headOf(shared).first)
    shared.nowMs += 26 * HOUR
  }
  t.notOk(
    shared.paths(/^log/).some(path => path.endsWith('/1')),
    'the slot after theirs is free again',
  )
  await sleepers[0]!.settle()
  t.equal(await idsOf(sleepers[0]!), await idsOf(a))
  await workers[1]!.commit([record('new')])
  t.equal(await workers[1]!.revision('s', 'new'), 1, 'in the file that the copy is in now')
  await a.settle()
  t.equal(await a.revision('s', 'new'), 1)
  for (const store of [sleepers[1]!, workers[1]!]) t.equal(await idsOf(store), await idsOf(a))
  await sleepers[0]!.settle()
  t.equal(await idsOf(workers[0]!), await idsOf(a))
  for (const [i, worker] of workers.entries()) t.ok(worker.version() > versions[i]!)
  const third = await node(t, shared)
  t.equal(await idsOf(third), await idsOf(a))
})

t.test('a log that is not the one that was followed is refused, and nothing is served from it', async t => {
  folder(t)
  const store = (shared: SharedSlots): string => headOf(shared).store
  const cases: [name: string, harm: (shared: SharedSlots, before: Map<string, never>) => void][] = [
    ['restored from an older backup', (shared, before) => restore(shared, before)],
    [
      'an entry is another one',
      shared => void shared.texts.set(`log/${store(shared)}/3`, { ...shared.texts.get(`log/${store(shared)}/2`)! }),
    ],
    ['the last entry is gone', shared => void shared.texts.delete(`log/${store(shared)}/3`)],
    ['a hole', shared => void shared.texts.set(`log/${store(shared)}/5`, { ...shared.texts.get(`log/${store(shared)}/3`)! })],
    ['a fork', shared => void shared.texts.set(`log/${store(shared)}/4`, { ...shared.texts.get(`log/${store(shared)}/3`)! })],
    ['everything is gone', shared => shared.texts.clear()],
  ]
  for (const [name, harm] of cases) {
    const shared = new SharedSlots()
    const a = await node(t, shared)
    const worker = copyOf(a)
    t.teardown(() => worker.close())
    await a.commit([record('k1')])
    const before = new Map(shared.texts) as Map<string, never>
    await a.commit([record('k2')])
    await a.commit([record('k3')])
    await worker.settle()
    harm(shared, before)
    // What one sees by itself within a second, trouble on the line makes it look for at once.
    shared.faults.push({ call: 'read', path: /^log/, code: 'unreachable' })
    await t.rejects(name === 'a hole' ? settleTwice(a, shared) : a.settle()!, DAMAGED, name)
    await t.rejects(a.get('s', 'k1'), DAMAGED, `${name}: nothing is read`)
    t.throws(() => a.version(), DAMAGED)
    await t.rejects(a.commit([record('k4')]), DAMAGED, `${name}: nothing is written`)
    t.match(a.problem(), /older backup/)
    await t.rejects(worker.settle()!, DAMAGED, `${name}: nor through a worker`)
    t.equal(worker.settle(), undefined)
    await t.rejects(worker.get('s', 'k1'), DAMAGED)
    t.match(worker.problem(), /older backup/)
  }
})

/** A hole is seen by who reads ahead: a node that has just written into it. */
async function settleTwice(store: LogStore, shared: SharedSlots): Promise<void> {
  await store.commit([record('into the hole')])
  t.ok(shared.paths(/^log/).length > 4)
  await store.settle()
}

function restore(shared: SharedSlots, before: Map<string, never>): void {
  shared.texts.clear()
  for (const [path, slot] of before) shared.texts.set(path, slot)
}

t.test('after a restore of Vault the nodes that are started anew go on from it', async t => {
  folder(t)
  const shared = new SharedSlots()
  const a = await node(t, shared)
  await a.commit([record('k1')])
  const before = new Map(shared.texts) as Map<string, never>
  await a.commit([record('k2')])
  restore(shared, before)
  const b = await node(t, shared)
  t.equal(await idsOf(b), 'k1')
  await b.commit([record('other')])
  let seen: unknown
  await until(async () => {
    seen = await a.settle()?.then(
      () => undefined,
      (error: unknown) => error,
    )
    return seen !== undefined
  })
  t.match(seen, DAMAGED, 'within a second')
  t.equal(await idsOf(b), 'other k1')
})

t.test('opening: what is not there, what is there already, and what cannot be reached', async t => {
  const dir = folder(t)
  const shared = new SharedSlots()
  const open = (expect: LogOptions['expect']) => openLog({ slots: shared.open(), dir, expect })
  await t.rejects(open('there'), { ...UNAVAILABLE, message: /kmipd init/ })
  await (await open('new')).close()
  await t.rejects(open('any'), { ...UNAVAILABLE, message: /cut short/ })
  const filled = await open('new')
  await filled.commit([record('k1')])
  await filled.finish()
  await filled.close()
  await t.rejects(open('new'), { ...UNAVAILABLE, message: /already/ })
  await (await open('there')).close()
  shared.faults.push({ code: 'unreachable' })
  await t.rejects(open('there'), UNAVAILABLE)
  shared.texts.set('head', { ...shared.texts.get('head')!, text: JSON.stringify({ ...headOf(shared), format: 2 }) })
  await t.rejects(open('there'), { ...UNAVAILABLE, message: /newer/ })
  shared.texts.set('head', { ...shared.texts.get('head')!, text: '{' })
  await t.rejects(open('there'), { name: 'StoreError', code: 'damaged' })
  t.same(readdirSync(dir), [], 'no copy is left behind')
  const racing = new SharedSlots()
  const stores = await Promise.all([1, 2, 3].map(() => openLog({ slots: racing.open(), dir, expect: 'any' })))
  await stores[0]!.commit([record('k1')])
  await stores[2]!.settle()
  t.equal(await idsOf(stores[2]!), 'k1')
  for (const store of stores) await store.close()
})

const headOf = (shared: SharedSlots): { store: string; first: number; removing: number; snapshot: { at: number } } =>
  JSON.parse(shared.texts.get('head')!.text)
