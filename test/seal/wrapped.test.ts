import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import t from 'tap'
import { type DataKeySource, DataKeys, type KeepOptions } from '../../src/seal/data-keys.ts'
import { rewrapKeys, WrappedStore } from '../../src/seal/wrapped-store.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { type Change, type Store, StoreError } from '../../src/store/store.ts'
import type { StoredRecord } from '../../src/store/stored-record.ts'
import { contract } from '../store/contract.ts'

/** A transit engine of one key with versions. */
class Engine implements DataKeySource {
  readonly #versions = [randomBytes(32)]
  least = 1
  unwrapped = 0
  requests = 0
  made = 0
  refuses = false
  rotate(): void {
    this.#versions.push(randomBytes(32))
  }
  async make(): Promise<{ plaintext: Buffer; wrapped: string }> {
    this.#check()
    this.made++
    const plaintext = randomBytes(32)
    return { plaintext, wrapped: this.#wrap(plaintext) }
  }
  async unwrap(wrapped: readonly string[]): Promise<(Buffer | StoreError)[]> {
    this.#check()
    this.requests++
    return wrapped.map(text => this.#open(text))
  }
  async rewrap(wrapped: readonly string[]): Promise<(string | StoreError)[]> {
    this.#check()
    return wrapped.map(text => {
      const key = this.#open(text)
      return Buffer.isBuffer(key) ? this.#wrap(key) : key
    })
  }
  async isOld(wrapped: string): Promise<boolean> {
    return Number(wrapped.split(':')[0]) < this.#versions.length
  }
  #check(): void {
    if (this.refuses) throw new StoreError('unavailable', 'the engine refuses')
  }
  #wrap(key: Buffer): string {
    const iv = randomBytes(16)
    const cipher = createCipheriv('aes-256-ctr', this.#versions.at(-1)!, iv)
    return `${this.#versions.length}:${Buffer.concat([iv, cipher.update(key)]).toString('base64')}`
  }
  #open(text: string): Buffer | StoreError {
    const [version, bytes] = text.split(':') as [string, string]
    if (Number(version) < this.least) return new StoreError('unavailable', 'too old')
    this.unwrapped++
    const all = Buffer.from(bytes, 'base64')
    return createDecipheriv('aes-256-ctr', this.#versions[Number(version) - 1]!, all.subarray(0, 16)).update(all.subarray(16))
  }
}

const wrap = (store: Store, engine: Engine, by: 'epoch' | 'each', nowMs: () => number = Date.now): WrappedStore =>
  new WrappedStore(store, { keys: new DataKeys(engine), by, nowMs })
const change = (id: string, over: Partial<Change> = {}): Change => ({
  partition: 's',
  id,
  expect: 0,
  body: Buffer.from(`body of ${id}`),
  ...over,
})

for (const by of ['epoch', 'each'] as const)
  contract(t, { name: `wrapped, ${by}`, open: async () => wrap(new MemoryStore(), new Engine(), by) })

/** All records of a memory store, as contents of a store give them. */
async function contentsOf(store: MemoryStore): Promise<StoredRecord[]> {
  const records: StoredRecord[] = []
  for (const partition of ['s', 'kmipd.seal', 'kmipd.transit'])
    for (const { id } of (await store.find(partition, [], { limit: 1000 })).reverse())
      records.push({ partition, id, ...(await store.get(partition, id))!, terms: [], claims: [] })
  return records
}

t.test('what is below tells nothing without the engine, and what was moved does not open', async t => {
  for (const by of ['epoch', 'each'] as const) {
    const [below, engine] = [new MemoryStore(), new Engine()]
    const store = wrap(below, engine, by)
    await store.commit([change('a'), change('b'), { partition: 'kmipd.seal', id: 'header', expect: 0, body: Buffer.from('header') }])
    for (const { partition, body } of await contentsOf(below)) t.equal(body.includes('body of'), false, `${by}: a body of ${partition}`)
    t.same((await below.get('kmipd.seal', 'header'))?.body, Buffer.from('header'), 'the header of the seal stands as it is')
    const again = wrap(below, engine, by)
    t.same((await again.get('s', 'a'))?.body, Buffer.from('body of a'))
    const moved = (await below.get('s', 'a'))!.body
    await below.commit([change('b', { expect: 1, body: moved })])
    await t.rejects(again.get('s', 'b'), { code: 'damaged' }, `${by}: moved`)
    await below.commit([change('c', { body: Buffer.from([9, 9]) })])
    await t.rejects(again.get('s', 'c'), { code: 'damaged' }, `${by}: not wrapped`)
    engine.refuses = true
    await t.rejects(wrap(below, engine, by).get('s', 'a'), { code: 'unavailable', message: 'the engine refuses' })
  }
})

t.test('an epoch has one key for all, and ends after a day; each has one for each, unwrapped together', async t => {
  let nowMs = 0
  const [engine, each] = [new Engine(), new Engine()]
  const below = new MemoryStore()
  const store = wrap(below, engine, 'epoch', () => nowMs)
  await Promise.all(Array.from({ length: 20 }, (_, i) => store.commit([change(`${i}`)])))
  t.equal(engine.made, 1)
  nowMs = 86_400_001
  await store.commit([change('tomorrow')])
  t.equal(engine.made, 2)
  const reader = wrap(below, engine, 'epoch')
  for (const id of ['0', '7', 'tomorrow']) t.same((await reader.get('s', id))?.body, Buffer.from(`body of ${id}`))
  t.equal(engine.unwrapped, 2)
  const other = new MemoryStore()
  await wrap(other, each, 'each').commit(Array.from({ length: 20 }, (_, i) => change(`${i}`)))
  t.equal(each.made, 20)
  const second = wrap(other, each, 'each')
  await Promise.all(Array.from({ length: 20 }, (_, i) => second.get('s', `${i}`)))
  t.equal(each.requests, 1)
  await second.get('s', '3')
  t.equal(each.unwrapped, 20, 'kept for a while')
})

t.test('keys are forgotten after their time', async t => {
  const LONG = { idleMs: 60_000, lifeMs: 60_000, capacity: 10 }
  const CASES: readonly [name: string, keep: KeepOptions, isKept: boolean][] = [
    ['used and young', LONG, true],
    ['not used', { ...LONG, idleMs: 5 }, false],
    ['old', { ...LONG, lifeMs: 5 }, false],
  ]
  for (const [name, keep, isKept] of CASES) {
    const engine = new Engine()
    const keys = new DataKeys(engine, keep)
    const { wrapped } = await keys.make()
    await new Promise(resolve => setTimeout(resolve, 10))
    t.equal(keys.peek(wrapped) !== undefined, isKept, name)
    await keys.open(wrapped)
    t.equal(engine.unwrapped, isKept ? 0 : 1, `${name}: asked for again`)
  }
})

/** A store that ends like a process that is killed, after so many commits. */
class Mortal extends MemoryStore {
  left = Number.POSITIVE_INFINITY
  override async commit(changes: readonly Change[]): Promise<void> {
    if (this.left-- <= 0) throw new Error('killed')
    await super.commit(changes)
  }
}

t.test('wrapping anew, killed after each of its commits, goes on where it was while clients write', async t => {
  for (const [by, count] of [
    ['epoch', 5],
    ['each', 250],
  ] as const) {
    let nowMs = 0
    const [below, engine] = [new Mortal(), new Engine()]
    const store = wrap(below, engine, by, () => nowMs)
    for (let i = 0; i < count; i++) {
      nowMs += 100_000_000
      await store.commit([change(`${i}`)])
    }
    engine.rotate()
    let [deaths, rewrapped] = [0, 0]
    for (let commits = 0; ; commits += by === 'each' ? 60 : 1) {
      below.left = commits
      const outcome = await rewrapKeys(below, await contentsOf(below), engine).catch(
        error => t.match(error, { message: 'killed' }) && undefined,
      )
      below.left = Number.POSITIVE_INFINITY
      for (const id of ['0', `${count - 1}`])
        t.same((await wrap(below, engine, by).get('s', id))?.body, Buffer.from(`body of ${id}`), `${by}: opens after ${commits} commits`)
      if (outcome) {
        rewrapped += outcome.rewrapped
        t.ok(outcome.rewrapped < count, 'what was done before is not done again')
        break
      }
      deaths++
      rewrapped += commits
      nowMs += 100_000_000
      await store.commit([change(`new-${commits}`)])
    }
    t.ok(deaths >= 3, `${deaths} deaths`)
    t.equal(rewrapped, count)
    t.match(await rewrapKeys(below, await contentsOf(below), engine), { rewrapped: 0 })
    engine.least = 2
    for (let i = 0; i < count; i++)
      t.same((await wrap(below, engine, by).get('s', `${i}`))?.body, Buffer.from(`body of ${i}`), 'and the old version can be given up')
  }
})

t.test('after a rotation all keys are wrapped anew, a second run finds nothing, and old versions can be given up', async t => {
  for (const by of ['epoch', 'each'] as const) {
    const [below, engine] = [new MemoryStore(), new Engine()]
    const store = wrap(below, engine, by)
    for (let i = 0; i < 5; i++) await store.commit([change(`${i}`)])
    await store.commit([change('0', { expect: 1 })])
    engine.rotate()
    const count = by === 'epoch' ? 1 : 5
    t.same(await rewrapKeys(below, await contentsOf(below), engine), { keys: count, rewrapped: count }, by)
    t.same(await rewrapKeys(below, await contentsOf(below), engine), { keys: count, rewrapped: 0 }, `${by}, again`)
    engine.least = 2
    const again = wrap(below, engine, by)
    t.same((await again.get('s', '0'))?.body, Buffer.from('body of 0'))
    const all: StoredRecord[] = []
    for await (const record of again.unwrapAll(await contentsOf(below))) all.push(record)
    t.same(
      all.map(({ body }) => body.toString()),
      [0, 1, 2, 3, 4].map(i => `body of ${i}`),
    )
    engine.least = 3
    await t.rejects(wrap(below, engine, by).get('s', '0'), { code: 'unavailable', message: 'too old' })
  }
})
