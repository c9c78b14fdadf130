import type { Test } from 'tap'
import type { Change, Store } from '../../src/store/store.ts'

/** A backend under test. */
export interface Backend {
  readonly name: string
  /** An empty store; closed by the check that uses it. */
  open(t: Test): Promise<Store>
}

type Check = (t: Test, store: Store) => Promise<void>

const bytes = (text: string): Buffer => Buffer.from(text)
const change = (over: Partial<Change> = {}): Change => ({ partition: 's', id: 'k1', expect: 0, body: bytes('body'), ...over })
const CONFLICT = { name: 'StoreError', code: 'conflict' }
const CLOSED = { name: 'StoreError', code: 'closed' }
const everything = { limit: 100 }

const idsOf = async (store: Store, partition: string, ...terms: string[]): Promise<string> =>
  (await store.find(partition, terms.map(bytes), everything)).map(({ id }) => id).join(' ')

/** What every backend promises. */
const CHECKS: [name: string, check: Check][] = [
  [
    'a record has revision 1, and one more at each commit',
    async (t, store) => {
      t.equal(await store.get('s', 'k1'), undefined)
      t.equal(await store.revision('s', 'k1'), 0)
      await store.commit([change()])
      t.same(await store.get('s', 'k1'), { revision: 1, body: bytes('body') })
      await store.commit([change({ expect: 1, body: bytes('other') })])
      t.same(await store.get('s', 'k1'), { revision: 2, body: bytes('other') })
      t.equal(await store.revision('s', 'k1'), 2)
      await store.commit([{ partition: 's', id: 'k1', expect: 2 }])
      t.equal(await store.get('s', 'k1'), undefined)
      t.equal(await store.revision('s', 'k1'), 0)
      await store.commit([change()])
      t.equal(await store.revision('s', 'k1'), 1, 'it begins anew after its deletion')
    },
  ],
  [
    'a commit with one stale change does nothing',
    async (t, store) => {
      const stale: [name: string, change: Change][] = [
        ['there is one already', change()],
        ['a later revision', change({ expect: 2 })],
        ['a record that is not there', change({ id: 'k9', expect: 1 })],
        ['a partition that is not there', change({ partition: 'other', expect: 1 })],
        ['deletion at another revision', { partition: 's', id: 'k1', expect: 3 }],
        ['deletion of what should not be there', { partition: 's', id: 'k1', expect: 0 }],
      ]
      await store.commit([change({ terms: [bytes('t')], claims: [bytes('c')] })])
      for (const [name, bad] of stale) {
        const good = change({ id: 'k2', terms: [bytes('t')], claims: [bytes('free')] })
        await t.rejects(store.commit([good, bad]), CONFLICT, name)
        await t.rejects(store.commit([bad, good]), CONFLICT, `${name}, the other way round`)
      }
      await t.rejects(store.commit([change({ id: 'k2' }), change({ id: 'k2', expect: 1 })]), CONFLICT, 'a record twice')
      t.equal(await idsOf(store, 's'), 'k1')
      t.equal(await idsOf(store, 's', 't'), 'k1')
      t.same(await store.get('s', 'k1'), { revision: 1, body: bytes('body') })
      await store.commit([change({ id: 'k3', claims: [bytes('free')] })])
    },
  ],
  [
    'commits that come at once: one of those with the same revision wins, the others are told',
    async (t, store) => {
      await store.commit([change()])
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => store.commit([change({ expect: 1, body: bytes(`${i}`) })])),
      )
      t.same(results.map(({ status }) => status).sort(), ['fulfilled', ...Array(19).fill('rejected')].sort())
      t.equal(await store.revision('s', 'k1'), 2)
      const winner = results.findIndex(({ status }) => status === 'fulfilled')
      t.same((await store.get('s', 'k1'))?.body, bytes(`${winner}`))
      await Promise.all(Array.from({ length: 50 }, (_, i) => store.commit([change({ id: `n${i}` })])))
      t.equal((await store.find('s', [], everything)).length, 51)
    },
  ],
  [
    'the absence of a record can be a condition',
    async (t, store) => {
      await store.commit([{ partition: 's', id: 'k1', expect: 0 }, change({ id: 'k2' })])
      t.equal(await idsOf(store, 's'), 'k2')
    },
  ],
  [
    'a claim is held by one record of a partition',
    async (t, store) => {
      const named = (id: string, expect: number, ...claims: string[]): Change => change({ id, expect, claims: claims.map(bytes) })
      await store.commit([named('k1', 0, 'a', 'b', 'a')])
      await t.rejects(store.commit([named('k2', 0, 'x', 'b')]), CONFLICT, 'taken')
      t.equal(await store.revision('s', 'k2'), 0)
      await store.commit([{ ...named('k2', 0, 'b'), partition: 'other' }])
      await store.commit([named('k1', 1, 'a', 'b')])
      t.pass('kept by its holder')
      await store.commit([named('k1', 2, 'a')])
      await store.commit([named('k2', 0, 'x', 'b')])
      t.pass('free when its holder lets go')
      await t.rejects(store.commit([named('k3', 0, 'n'), named('k4', 0, 'n')]), CONFLICT, 'two of one commit')
      await t.rejects(store.commit([named('k1', 3, 'b')]), CONFLICT, 'taken over by another that exists')
      await store.commit([named('k1', 3, 'b'), named('k2', 1, 'a', 'x')])
      t.pass('exchanged within a commit')
      await store.commit([{ partition: 's', id: 'k1', expect: 4 }, named('k5', 0, 'b')])
      t.pass('free when its holder is deleted, in the same commit too')
      await store.commit([change({ id: 'k5', expect: 1 })])
      await store.commit([named('k6', 0, 'b')])
      t.pass('a change without claims has none')
    },
  ],
  [
    'a claim is a term of its record; that others carry it as a term does not matter',
    async (t, store) => {
      const tagged = (id: string, expect: number, terms: string[], claims: string[]): Change =>
        change({ id, expect, terms: terms.map(bytes), claims: claims.map(bytes) })
      await store.commit([tagged('k1', 0, ['n'], []), tagged('k2', 0, ['a', 'n'], ['n']), tagged('k3', 0, ['n', 'b'], [])])
      t.equal(await idsOf(store, 's', 'n'), 'k3 k2 k1')
      t.equal(await idsOf(store, 's', 'a', 'n'), 'k2')
      await t.rejects(store.commit([tagged('k3', 1, ['b'], ['n'])]), CONFLICT)
      await store.commit([tagged('k2', 1, ['n'], [])])
      await store.commit([tagged('k3', 1, ['b'], ['n'])])
      t.equal(await idsOf(store, 's', 'n'), 'k3 k2 k1', 'a term that becomes a claim, and a claim that becomes a term')
      await t.rejects(store.commit([tagged('k1', 1, [], ['n'])]), CONFLICT)
      await store.commit([tagged('k3', 2, [], []), tagged('k1', 1, [], ['m', 'n', 'm'])])
      t.equal(await idsOf(store, 's', 'n'), 'k2 k1')
      t.equal(await idsOf(store, 's', 'm'), 'k1')
      t.equal(await idsOf(store, 's', 'b'), '')
      const many = Array.from({ length: 50 }, (_, i) => `t${i}`)
      await store.commit([tagged('k1', 2, many, many.slice(0, 20))])
      t.equal(await idsOf(store, 's', ...many), 'k1', 'fifty terms')
      await store.commit([tagged('k1', 3, many.slice(30), [])])
      await store.commit([tagged('k4', 0, many, many)])
      t.equal(await idsOf(store, 's', 't30'), 'k4 k1')
      t.equal(await idsOf(store, 's', 't29'), 'k4')
    },
  ],
  [
    'terms find records that carry all of them, and are replaced at each commit',
    async (t, store) => {
      const tagged = (id: string, expect: number, ...terms: string[]): Change => change({ id, expect, terms: terms.map(bytes) })
      await store.commit([tagged('k1', 0, 'a', 'b', 'a'), tagged('k2', 0, 'a', 'c')])
      await store.commit([tagged('k3', 0, 'a', 'b', 'c')])
      const cases: [terms: string[], ids: string][] = [
        [['a'], 'k3 k2 k1'],
        [['b'], 'k3 k1'],
        [['a', 'b'], 'k3 k1'],
        [['b', 'a', 'b'], 'k3 k1'],
        [['c', 'b'], 'k3'],
        [['c', 'none'], ''],
        [['none', 'c'], ''],
        [Array(40).fill('b'), 'k3 k1'],
        [[...Array(40).fill('b'), 'c'], 'k3'],
        [[...Array(40).fill('b'), 'none'], ''],
      ]
      for (const [terms, ids] of cases) t.equal(await idsOf(store, 's', ...terms), ids, `${terms.slice(-3)} of ${terms.length}`)
      await store.commit([tagged('k1', 1, 'b', 'd')])
      t.equal(await idsOf(store, 's', 'a'), 'k3 k2')
      t.equal(await idsOf(store, 's', 'd', 'b'), 'k1')
      await store.commit([change({ id: 'k1', expect: 2 })])
      t.equal(await idsOf(store, 's', 'b'), 'k3', 'a change without terms has none')
      await store.commit([{ partition: 's', id: 'k3', expect: 1 }])
      t.equal(await idsOf(store, 's', 'b'), '')
      t.equal(await idsOf(store, 's', 'a'), 'k2')
    },
  ],
  [
    'a change may leave terms and claims as they are',
    async (t, store) => {
      const tags = { terms: [bytes('a')], claims: [bytes('c')] }
      const kept = (id: string, expect: number): Change => change({ id, expect, body: bytes(`${id} ${expect}`), keepsTerms: true })
      await store.commit([change(tags), change({ id: 'k2', terms: [bytes('a')] })])
      await store.commit([kept('k1', 1)])
      t.same(await store.get('s', 'k1'), { revision: 2, body: bytes('k1 1') })
      await store.commit([kept('k1', 2), kept('k2', 1)])
      t.equal(await idsOf(store, 's', 'a'), 'k2 k1')
      t.equal(await idsOf(store, 's', 'c', 'a'), 'k1')
      await t.rejects(store.commit([kept('k1', 1)]), CONFLICT)
      await t.rejects(store.commit([kept('k3', 1)]), CONFLICT, 'one that is not there')
      await t.rejects(store.commit([change({ id: 'k3', claims: [bytes('c')] })]), CONFLICT, 'the claim still holds')
      for (const unit of [
        [kept('k1', 3), change({ id: 'k3', claims: [bytes('c')] })],
        [change({ id: 'k3', claims: [bytes('c')] }), kept('k1', 3)],
      ])
        await t.rejects(store.commit(unit), CONFLICT, 'within a commit too')
      await store.commit([kept('k1', 3), change({ id: 'k2', expect: 2 }), change({ id: 'k3', terms: [bytes('a')] })])
      t.equal(await idsOf(store, 's', 'a'), 'k3 k1', 'others of the commit have what they say')
      await store.commit([kept('new', 0)])
      t.same(await store.get('s', 'new'), { revision: 1, body: bytes('new 0') }, 'a new record has none to keep')
      await store.commit([change({ expect: 4 })])
      t.equal(await idsOf(store, 's', 'c'), '')
      await store.commit([change({ id: 'k4', claims: [bytes('c')] })])
    },
  ],
  [
    'newest first, in pages; a record keeps its sequence',
    async (t, store) => {
      for (let i = 0; i < 7; i++) await store.commit([change({ id: `k${i}`, terms: [bytes('a')] })])
      await store.commit([change({ id: 'k2', expect: 1, terms: [bytes('a')] })])
      for (const terms of [[], [bytes('a')]]) {
        const seen: string[] = []
        let before: number | undefined
        for (let pages = 0; pages < 10; pages++) {
          const page = await store.find('s', terms, before === undefined ? { limit: 3 } : { before, limit: 3 })
          seen.push(...page.map(({ id }) => id))
          if (page.length < 3) break
          before = page.at(-1)!.sequence
        }
        t.equal(seen.join(' '), 'k6 k5 k4 k3 k2 k1 k0')
      }
      for (const [id, expect] of [
        ['k4', 1],
        ['k0', 1],
        ['k5', 1],
      ] as const)
        await store.commit([change({ id, expect, terms: [bytes('late')] })])
      t.equal(await idsOf(store, 's', 'late'), 'k5 k4 k0', 'whenever it got the term')
      t.equal(await idsOf(store, 's', 'a'), 'k6 k3 k2 k1')
      const [newest] = await store.find('s', [], { limit: 1 })
      await store.commit([{ partition: 's', id: 'k6', expect: 1 }])
      await store.commit([change({ id: 'k7' })])
      const [later] = await store.find('s', [], { limit: 1 })
      t.ok(later!.sequence > newest!.sequence, 'the sequence of a deleted record is not given again')
      t.same(await store.find('s', [], { limit: 0 }), [])
    },
  ],
  [
    'marks: which of some terms a record carries, the first of them',
    async (t, store) => {
      const records = { k1: ['a', 'm1'], k2: ['a', 'm2'], k3: ['a', 'm2', 'm1'], k4: ['a'] }
      for (const [id, terms] of Object.entries(records)) await store.commit([change({ id, terms: terms.map(bytes) })])
      await store.commit([change({ id: 'k5', partition: 'other', terms: [bytes('a'), bytes('m1')] })])
      const marks = ['m0', 'm1', 'm2'].map(bytes)
      for (const terms of [[], [bytes('a')], [bytes('a'), bytes('a')]]) {
        const found = await store.find('s', terms, { limit: 9, marks })
        t.same(
          found.map(({ id, mark }) => `${id} ${mark ?? '-'}`),
          ['k4 -', 'k3 1', 'k2 2', 'k1 1'],
        )
        const [last] = await store.find('s', terms, { limit: 1, before: found[2]!.sequence, marks: marks.toReversed() })
        t.match(last, { id: 'k1', mark: 1 }, 'by their place among those that are given')
        t.equal((await store.find('s', terms, { limit: 1, marks: [] }))[0]!.id, 'k4')
      }
    },
  ],
  [
    'partitions do not see each other',
    async (t, store) => {
      const tags = { terms: [bytes('a')], claims: [bytes('c')] }
      await store.commit([change({ body: bytes('one'), ...tags }), change({ partition: 'other', body: bytes('two'), ...tags })])
      await store.commit([change({ partition: 'other', id: 'k2', terms: [bytes('a')] })])
      t.same((await store.get('s', 'k1'))?.body, bytes('one'))
      t.same((await store.get('other', 'k1'))?.body, bytes('two'))
      t.equal(await idsOf(store, 's', 'a'), 'k1')
      t.equal(await idsOf(store, 'other', 'a'), 'k2 k1')
      t.equal(await idsOf(store, 's'), 'k1')
      t.equal(await idsOf(store, 'none'), '')
      await store.commit([{ partition: 'other', id: 'k1', expect: 1 }])
      t.equal(await idsOf(store, 's', 'a'), 'k1')
    },
  ],
  [
    'any bytes and any texts survive',
    async (t, store) => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
      const bodies = [Buffer.alloc(0), all, Buffer.alloc(300_000, all)]
      for (const [i, body] of bodies.entries()) {
        const given = Buffer.from(body)
        const stored = store.commit([
          change({ id: `k${i}`, body: given, terms: [all, Buffer.alloc(0)], claims: [Buffer.from([i, 0, 255])] }),
        ])
        await stored
        given.fill(1)
        t.ok((await store.get('s', `k${i}`))?.body.equals(body), `${body.length} bytes`)
      }
      t.equal((await store.find('s', [all, Buffer.alloc(0)], everything)).length, 3)
      const odd = 'a/b\'"\n%_ ü 😀'
      await store.commit([change({ partition: odd, id: odd })])
      t.same(await store.find(odd, [], everything).then(found => found.map(({ id }) => id)), [odd])
    },
  ],
  [
    'the version is another one after each commit, and the same while nothing happens',
    async (t, store) => {
      const seen = [store.version(), store.version()]
      t.equal(seen[0], seen[1])
      await store.commit([change()])
      seen.push(store.version())
      await store.commit([change({ expect: 1 })])
      seen.push(store.version())
      await store.commit([{ partition: 's', id: 'k1', expect: 2 }])
      seen.push(store.version())
      t.equal(store.version(), seen.at(-1))
      t.equal(new Set(seen).size, 4)
    },
  ],
  [
    'what was committed before close is done, and nothing works after it',
    async (t, store) => {
      const late = store.commit([change()])
      const closed = store.close()
      await late
      await closed
      await store.close()
      await t.rejects(store.get('s', 'k1'), CLOSED)
      await t.rejects(store.revision('s', 'k1'), CLOSED)
      await t.rejects(store.find('s', [], everything), CLOSED)
      await t.rejects(store.commit([change()]), CLOSED)
      t.throws(() => store.version(), CLOSED)
    },
  ],
]

/** Run all checks, each on a store of its own. */
export function contract(t: Test, { name, open }: Backend): void {
  for (const [what, check] of CHECKS)
    t.test(`${name}: ${what}`, async t => {
      const store = await open(t)
      t.teardown(() => store.close())
      await check(t, store)
    })
}
