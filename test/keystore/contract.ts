import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { KeyStore, StoredKey } from '../../src/keystore/keystore.ts'

/** A key store under test. */
export interface Backend {
  readonly name: string
  /** An empty store; the check that uses it closes it. */
  open(t: Test): Promise<KeyStore>
  /** Another process's view of the same keys; without it, checks of two are left out. */
  readonly beside?: (t: Test, store: KeyStore) => Promise<KeyStore>
  /** Deleting what is not there is said to be done: the backend cannot tell. */
  readonly deletesBlindly?: boolean
}

export const newKey = (over: Partial<StoredKey> = {}): StoredKey => ({
  algorithm: 'AES256',
  key: randomBytes(32),
  hmacKey: randomBytes(32),
  createdAtNs: 1_700_000_000_000_000_005n,
  createdBy: 'c75b08bb0e6cff4e58c1597d0d663ec7608d2b3871a5d2d82fd9f2113a0d766a',
  ...over,
})

/** As KES stored it before 2022: nothing is known of it but its bytes. */
const bareKey = (): StoredKey => ({ algorithm: 'AES256', key: randomBytes(32) })

export const failsWith = (code: string): { readonly name: string; readonly code: string } => ({ name: 'KeyStoreError', code })

export const namesOf = async (store: KeyStore, prefix = '', limit = 1000): Promise<string[]> => {
  const names: string[] = []
  let after: string | undefined
  do {
    const page = await store.list(prefix, { limit, ...(after !== undefined && { after }) })
    if (page.names.length > limit) throw new Error('a page is longer than asked for')
    names.push(...page.names)
    after = page.after
  } while (after !== undefined)
  return names
}

type Check = (t: Test, store: KeyStore, backend: Backend) => Promise<void>

/** What every key store promises. */
const CHECKS: readonly [name: string, check: Check][] = [
  [
    'a key comes back as it was created, whatever is known of it',
    async (t, store) => {
      const keys: readonly [name: string, key: StoredKey][] = [
        ['whole', newKey()],
        ['chacha', newKey({ algorithm: 'ChaCha20' })],
        ['of-text', newKey({ createdBy: 'me, myself' })],
        ['without-hmac', { ...bareKey(), createdAtNs: 1_500_000_000_000_000_000n, createdBy: 'abcd' }],
        ['bare', bareKey()],
        ['bare-chacha', { ...bareKey(), algorithm: 'ChaCha20' }],
        ['before-1970', newKey({ createdAtNs: -1_500_000_001n })],
      ]
      for (const [name, key] of keys) await store.create(name, key)
      for (const [name, key] of keys) t.same(await store.get(name), key, name)
    },
  ],
  [
    'an empty store is empty, and knows no key',
    async (t, store, { deletesBlindly = false }) => {
      t.same(await store.list('', { limit: 10 }), { names: [] })
      t.same(await store.list('a', { limit: 10 }), { names: [] })
      await t.rejects(store.get('nothing'), failsWith('not-found'))
      if (deletesBlindly) await store.delete('nothing')
      else await t.rejects(store.delete('nothing'), failsWith('not-found'))
    },
  ],
  [
    'a key is never overwritten',
    async (t, store) => {
      const key = newKey()
      await store.create('k', key)
      await t.rejects(store.create('k', newKey()), failsWith('exists'))
      await t.rejects(store.create('k', key), failsWith('exists'))
      t.same(await store.get('k'), key)
    },
  ],
  [
    'of many who create one name at once, one succeeds',
    async (t, store, { beside }) => {
      const stores = [store, beside ? await beside(t, store) : store]
      const keys = Array.from({ length: 12 }, () => newKey())
      const results = await Promise.allSettled(keys.map((key, i) => stores[i % 2]!.create('wanted', key)))
      const winners = keys.filter((_, i) => results[i]?.status === 'fulfilled')
      t.equal(winners.length, 1)
      for (const result of results) if (result.status === 'rejected') t.match(result.reason, failsWith('exists'))
      t.same(await store.get('wanted'), winners[0])
      t.same(await stores[1]!.get('wanted'), winners[0])
      if (stores[1] !== store) await stores[1]!.close()
    },
  ],
  [
    'a deleted key is gone, and its name is free',
    async (t, store) => {
      await store.create('k', newKey())
      await store.create('k2', newKey())
      await store.delete('k')
      await t.rejects(store.get('k'), failsWith('not-found'))
      t.same(await namesOf(store), ['k2'])
      const second = newKey()
      await store.create('k', second)
      t.same(await store.get('k'), second)
    },
  ],
  [
    'names are listed by prefix, in the order of their code units, in pages',
    async (t, store) => {
      const names = ['b', 'a-1', 'B', 'a_1', 'a1', 'a-10', 'a-2', '0', 'x'.repeat(80), 'ab', '_a']
      for (const name of names) await store.create(name, newKey())
      t.same(await namesOf(store), [...names].sort())
      const withA = names.filter(name => name.startsWith('a')).sort()
      for (const limit of [1, 2, 3, 5, 6, 7, 100]) t.same(await namesOf(store, 'a', limit), withA, `pages of ${limit}`)
      t.same(await namesOf(store, 'a-1'), ['a-1', 'a-10'])
      t.same(await namesOf(store, 'zz'), [])
      t.same(await store.list('', { after: 'a', limit: 2 }), { names: ['a-1', 'a-10'], after: 'a-10' }, 'after a name that is not there')
      t.same(await store.list('', { after: 'zzz', limit: 2 }), { names: [] })
    },
  ],
  [
    'keys that another process made and deleted are seen at once',
    async (t, store, { beside }) => {
      const other = beside ? await beside(t, store) : store
      const key = newKey()
      await other.create('k', key)
      t.same(await store.get('k'), key)
      t.same(await namesOf(store), ['k'])
      await other.delete('k')
      await t.rejects(store.get('k'), failsWith('not-found'))
      t.same(await namesOf(store), [])
      if (other !== store) await other.close()
    },
  ],
  [
    'it says what it is, and how long it takes to answer',
    async (t, store) => {
      t.ok(store.description.length > 0)
      t.ok((await store.status()) >= 0)
    },
  ],
  [
    'a closed store says so',
    async (t, store) => {
      await store.close()
      await store.close()
      const calls: readonly [name: string, call: () => Promise<unknown>][] = [
        ['create', () => store.create('k', newKey())],
        ['get', () => store.get('k')],
        ['delete', () => store.delete('k')],
        ['list', () => store.list('', { limit: 1 })],
        ['status', () => store.status()],
      ]
      for (const [name, call] of calls) await t.rejects(call(), failsWith('closed'), name)
    },
  ],
]

/** Check what is promised of every key store. */
export function contract(t: Test, backend: Backend): void {
  t.test(backend.name, async t => {
    for (const [name, check] of CHECKS)
      await t.test(name, async t => {
        const store = await backend.open(t)
        try {
          await check(t, store, backend)
        } finally {
          await store.close()
        }
      })
  })
}
