import t from 'tap'
import { LIVE_ROUTES, type Live } from '../../src/admin/live.ts'
import { bound } from '../../src/admin/route.ts'
import { type KeyStore, KeyStoreError, type StoredKey } from '../../src/keystore/keystore.ts'
import { doorLab } from './lab.ts'

const KEY: StoredKey = { algorithm: 'AES256', key: Buffer.alloc(32, 7), createdAtNs: 1_000_000_000_123_456n, createdBy: 'ab12' }

/** A store of these names; `damaged` is damaged, and `gone` goes between the list and the look. */
const storeOf = (names: readonly string[]): KeyStore => ({
  description: 'Filesystem: keys',
  create: async () => {},
  async get(name) {
    if (name === 'damaged') throw new KeyStoreError('damaged', 'a secret detail')
    if (name === 'gone') throw new KeyStoreError('not-found', 'gone')
    if (name === 'cut') throw new KeyStoreError('unreachable', 'a secret detail')
    return name === 'old' ? { algorithm: 'ChaCha20', key: KEY.key } : KEY
  },
  delete: async () => {},
  async list(prefix, { after = '', limit }) {
    return { names: names.filter(name => name.startsWith(prefix) && name > after).slice(0, limit) }
  },
  status: async () => 1,
  close: async () => {},
})

function labOf(names?: readonly string[]) {
  const policies = [{ name: 'minio', allow: ['/v1/key/create/*'], deny: [], identities: ['cd34'] }]
  const live: Live = {
    overview: async () => Promise.reject(new Error('not asked here')),
    kes: () => (names ? { store: storeOf(names), policies } : undefined),
  }
  return doorLab(() => [{ path: 'sys/kmipd/', type: 'system', routes: bound(LIVE_ROUTES, live) }])
}

t.test('without a KES door there is nothing', async t => {
  const lab = labOf()
  for (const target of ['/v1/sys/kmipd/kes', '/v1/sys/kmipd/kes/key?list=true'])
    t.match(await lab.ask('GET', target), { status: 404, body: { errors: [] } })
})

t.test('keys and policies of the KES door, and nothing of what the keys are', async t => {
  const lab = labOf(['a', 'damaged', 'gone', 'old'])
  t.match((await lab.ask('GET', '/v1/sys/kmipd/kes')).body.data, {
    store: 'Filesystem: keys',
    policies: [{ name: 'minio', allow: ['/v1/key/create/*'], identities: ['cd34'] }],
  })
  const { body } = await lab.ask('GET', '/v1/sys/kmipd/kes/key?list=true')
  t.same(body.data, {
    keys: ['a', 'damaged', 'gone', 'old'],
    key_info: {
      a: { algorithm: 'AES256', created: '1970-01-12T13:46:40.000Z', created_by: 'ab12' },
      damaged: { trouble: 'damaged' },
      gone: { trouble: 'not-found' },
      old: { algorithm: 'ChaCha20' },
    },
  })
  t.same((await lab.ask('LIST', '/v1/sys/kmipd/kes/key?prefix=o')).body.data.keys, ['old'])
  t.equal((await lab.ask('LIST', '/v1/sys/kmipd/kes/key?prefix=x')).status, 404)
  t.equal((await lab.ask('LIST', '/v1/sys/kmipd/kes/key?limit=0')).status, 404)
  t.equal((await lab.ask('LIST', '/v1/sys/kmipd/kes/key', undefined, { 'x-vault-token': 'reader' })).status, 403)
})

t.test('pages of at most fifty', async t => {
  const names = Array.from({ length: 60 }, (_, i) => `key-${String(i).padStart(2, '0')}`)
  const lab = labOf(names)
  const first = (await lab.ask('LIST', '/v1/sys/kmipd/kes/key?limit=1000')).body.data.keys as string[]
  t.same(first, names.slice(0, 50))
  t.same((await lab.ask('LIST', `/v1/sys/kmipd/kes/key?after=${first.at(-1)}`)).body.data.keys, names.slice(50))
})

t.test('a key store that cannot be asked is trouble, and says nothing of itself', async t => {
  const { status, body } = await labOf(['cut']).ask('LIST', '/v1/sys/kmipd/kes/key')
  t.equal(status >= 500, true)
  t.notMatch(JSON.stringify(body), 'secret')
})
