import { createCipheriv, createHmac } from 'node:crypto'
import t from 'tap'
import { decrypt, encrypt, hmac, randomBytes } from '../../src/kes/cipher.ts'
import { apiKeyOf, identityOf, identityOfApiKey } from '../../src/kes/identity.ts'
import { KeyCache } from '../../src/kes/key-cache.ts'
import { eventJson, eventLine } from '../../src/kes/log-line.ts'
import { readPath } from '../../src/kes/path.ts'
import { type KeyStore, KeyStoreError, type StoredKey } from '../../src/keystore/keystore.ts'
import { MemoryKeyStore } from '../../src/keystore/memory.ts'
import { app } from './lab.ts'

const KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
const NOTHING = Buffer.alloc(0)
const TEXT = Buffer.from('a text')

/** As releases before 2024 wrote what today stands without a header. */
function forms(ciphertext: Buffer, names: readonly string[]): Buffer[] {
  const end = ciphertext.length - 28
  const [sealed, iv, nonce] = [ciphertext.subarray(0, end), ciphertext.subarray(end, end + 16), ciphertext.subarray(end + 16)]
  const id = '00112233445566778899aabbccddeeff'
  const base64 = { iv: iv.toString('base64'), nonce: nonce.toString('base64'), bytes: sealed.toString('base64') }
  const bin = (bytes: Buffer): Buffer => Buffer.concat([Buffer.of(0xc4, bytes.length), bytes])
  const [json = '', ...packed] = names
  return [
    Buffer.from(JSON.stringify({ aead: json, ...base64 })),
    Buffer.from(JSON.stringify({ aead: json, id, ...base64 })),
    ...packed.map(name =>
      Buffer.concat([
        Buffer.of(0x95, 0xa0 | name.length),
        Buffer.from(name),
        Buffer.of(0xd9, 32),
        Buffer.from(id),
        bin(iv),
        bin(nonce),
        bin(sealed),
      ]),
    ),
  ]
}

t.test('ciphertexts of all releases', async t => {
  const NAMES = {
    AES256: ['AES-256-GCM-HMAC-SHA-256', 'AES256-GCM_SHA256', 'AES256'],
    ChaCha20: ['ChaCha20Poly1305', 'XCHACHA20-POLY1305', 'ChaCha20'],
  } as const
  for (const algorithm of ['AES256', 'ChaCha20'] as const)
    for (const context of [NOTHING, Buffer.from('context')]) {
      const key = { algorithm, key: KEY }
      const ciphertext = encrypt(key, TEXT, context)
      t.equal(ciphertext.length, TEXT.length + 44)
      for (const form of [ciphertext, ...forms(ciphertext, NAMES[algorithm])]) {
        t.same(decrypt(key, form, context), TEXT, `${algorithm} ${form.toString('latin1', 0, 30)}`)
        t.equal(decrypt(key, form, Buffer.from('other')), undefined)
        for (let i = 0; i < form.length; i++) t.notOk(decrypt(key, form.subarray(0, i), context), `cut at ${i}`)
        for (let i = 0; i < form.length; i++) {
          const bent = Buffer.from(form)
          bent[i]! ^= 0x80
          const opened = decrypt(key, bent, context)
          // Bytes of the forms that nothing depends on: the identifier of the key, and names that say the same.
          if (opened !== undefined && !opened.equals(TEXT)) t.fail(`bent at ${i}`)
        }
      }
    }
  // Names that every object has are those of no algorithm.
  const own = encrypt({ algorithm: 'AES256', key: KEY }, TEXT, NOTHING)
  for (const name of ['constructor', 'toString', '__proto__']) {
    const [json = NOTHING, , packed = NOTHING] = forms(own, [name, name])
    t.equal(decrypt({ algorithm: 'AES256', key: KEY }, json, NOTHING), undefined)
    t.same(decrypt({ algorithm: 'AES256', key: KEY }, packed, NOTHING), TEXT, 'as an unknown name')
  }
  // A key that was stored without its algorithm is taken for AES; its ciphertexts know better.
  const [old = NOTHING] = forms(encrypt({ algorithm: 'ChaCha20', key: KEY }, TEXT, NOTHING), NAMES.ChaCha20)
  t.same(decrypt({ algorithm: 'AES256', key: KEY }, old, NOTHING), TEXT)
  // What begins like an older form and is none.
  let first: Buffer = NOTHING
  for (const start of [0x95, 0x7b]) {
    while (first[0] !== start) first = encrypt({ algorithm: 'AES256', key: KEY }, TEXT, NOTHING)
    t.same(decrypt({ algorithm: 'AES256', key: KEY }, first, NOTHING), TEXT)
  }
})

t.test('the derivation of v0.1', t => {
  const iv = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
  const nonce = Buffer.alloc(12, 7)
  const block = (i: number): Buffer => {
    const cipher = createCipheriv('aes-256-ecb', KEY, null).setAutoPadding(false)
    return cipher.update(Buffer.concat([Buffer.of(i, 0, 0, 0), i % 2 === 0 ? iv.subarray(0, 12) : iv.subarray(4)]))
  }
  const half = (i: number): Buffer => Buffer.from(block(i).map((byte, at) => byte ^ block(i + 1)[at]!))
  const cipher = createCipheriv('aes-256-gcm', Buffer.concat([half(0), half(2)]), nonce)
  const body = Buffer.concat([cipher.update(TEXT), cipher.final()])
  const fields = { aead: 'AES-256-GCM', iv, nonce, bytes: Buffer.concat([body, cipher.getAuthTag()]) }
  const form = JSON.stringify(fields, (_, value) => (value?.type === 'Buffer' ? Buffer.from(value.data).toString('base64') : value))
  t.same(decrypt({ algorithm: 'AES256', key: KEY }, Buffer.from(form), NOTHING), TEXT)
  t.end()
})

t.test('HMAC of keys with and without a key for it', t => {
  const hmacKey = Buffer.alloc(32, 1)
  t.same(hmac({ algorithm: 'AES256', key: KEY, hmacKey }, TEXT), createHmac('sha256', hmacKey).update(TEXT).digest())
  // MinIO derives its root credentials by it: it must stay what it is for ever.
  t.equal(hmac({ algorithm: 'AES256', key: KEY }, TEXT).toString('hex'), '55b970201e8b535eea57fdc36572d484bcab55bc1fc7ef484e7601b416a6ffd4')
  t.end()
})

t.test('random bytes come once', t => {
  const seen = new Set(Array.from({ length: 2000 }, () => randomBytes(16).toString('hex')))
  t.equal(seen.size, 2000)
  t.end()
})

t.test('API keys and identities', t => {
  // A pair that KES printed, in the documentation of Entrust.
  const apiKey = 'kes:v1:AOlQZJRMYZeOioGk0ubYBMSFt1w6Hh1QZl3zG4PQxK/g'
  const identity = 'eb559798a2fbcc3efbf036bed11108116e63f293324abdfe7574249ef5e56b36'
  t.equal(identityOfApiKey(apiKey), identity)
  t.equal(identityOfApiKey(apiKey.slice(7)), identity, 'without the prefix')
  t.equal(identityOf(app.certificate), app.identity)
  t.match(identityOfApiKey(apiKeyOf(Buffer.alloc(32, 3))), /^[0-9a-f]{64}$/)
  for (const wrong of ['', 'kes:v1:', 'kes:v1:AAAA', `kes:v1:${Buffer.alloc(33, 1).toString('base64')}`, `kes:v2:${apiKey.slice(7)}`])
    t.equal(identityOfApiKey(wrong), undefined, wrong)
  t.end()
})

t.test('lines of logs', t => {
  const path = '/v1/\u001b[2J"\n\u009b\u202e\u{e0041}é'
  const shown = String.raw`/v1/\u001b[2J\"\n\u009b\u202e\udb40\udc41é`
  const event = {
    timeMs: 0,
    method: 'GET',
    path,
    identity: '',
    ip: '::1',
    message: 'served',
    operation: '',
    object: '',
    status: 200,
    latencyMs: 1,
  }
  t.ok(eventLine(event).includes(` req.path="${shown}" `), eventLine(event))
  t.ok(eventJson(event).includes(`"path":"${shown}"`), eventJson(event))
  t.equal(JSON.parse(eventJson(event)).request.path, path)
  t.end()
})

t.test('paths', t => {
  t.same(readPath('/a/b?x#y'), { path: '/a/b' })
  t.same(readPath('/a//b/./c/../d/?q'), { location: '/a/b/d/?q' })
  t.same(readPath('//evil.example/x'), { location: '/evil.example/x' }, 'never to another host')
  t.same(readPath('/..//'), { location: '/' })
  t.same(readPath('/%2F%2Fevil.example'), { location: '/evil.example' })
  t.same(readPath('/a%3Fb/..'), { location: '/' })
  t.equal(readPath('/%'), undefined)
  t.end()
})

class Counting extends MemoryKeyStore {
  reads = 0
  failure: 'unreachable' | 'unavailable' | 'damaged' | undefined
  override async get(name: string): Promise<StoredKey> {
    this.reads++
    await new Promise(resolve => setImmediate(resolve))
    if (this.failure) throw new KeyStoreError(this.failure, 'fails')
    return super.get(name)
  }
}

t.test('the cache', async t => {
  let nowMs = 0
  const make = (offlineMs = 0, store: KeyStore = new Counting()) =>
    new KeyCache(store, { anyMs: 300_000, unusedMs: 30_000, offlineMs }, () => nowMs)
  const store = new Counting()
  await store.create('k', { algorithm: 'AES256', key: KEY })
  const cache = make(0, store)
  t.teardown(() => cache.close())
  await Promise.all([cache.get('k'), cache.get('k'), cache.get('k')])
  t.equal(store.reads, 1, 'one question for all who ask at the same time')
  for (nowMs = 0; nowMs < 299_000; nowMs += 20_000) await cache.get('k')
  t.equal(store.reads, 1)
  nowMs = 300_000
  await cache.get('k')
  t.equal(store.reads, 2, 'any')
  nowMs += 30_000
  await cache.get('k')
  t.equal(store.reads, 3, 'unused')
  store.failure = 'unreachable'
  nowMs += 29_000
  t.ok(await cache.get('k'), 'what is in the cache needs no store')
  nowMs += 31_000
  await t.rejects(Promise.resolve(cache.get('k')), { code: 'unreachable' })
  store.failure = undefined
  for (let i = 0; i < 2; i++) await t.rejects(Promise.resolve(cache.get('none')), { code: 'not-found' })
  t.equal(store.reads, 6, 'a key that is missing is asked for each time')
  await cache.get('k')
  await cache.delete('k')
  await t.rejects(Promise.resolve(cache.get('k')), { code: 'not-found' })

  const patient = new Counting()
  await patient.create('k', { algorithm: 'AES256', key: KEY })
  const offline = make(60_000, patient)
  t.teardown(() => offline.close())
  await offline.get('k')
  nowMs += 31_000
  for (const failure of ['unreachable', 'unavailable'] as const) {
    patient.failure = failure
    t.ok(await offline.get('k'), `${failure}: served although it has expired`)
  }
  nowMs += 59_000
  t.ok(await offline.get('k'))
  nowMs += 31_000
  await t.rejects(Promise.resolve(offline.get('k')), { code: 'unavailable' }, 'but not for ever')
  patient.failure = undefined
  t.ok(await offline.get('k'))
  nowMs += 31_000
  patient.failure = 'damaged'
  await t.rejects(Promise.resolve(offline.get('k')), { code: 'damaged' }, 'a key that is damaged is not served from memory')

  const stuck = new Counting()
  for (const name of ['k', 'l']) await stuck.create(name, { algorithm: 'AES256', key: KEY })
  const waiting = make(60_000, stuck)
  t.teardown(() => waiting.close())
  await Promise.all([waiting.get('k'), waiting.get('l')])
  nowMs += 31_000
  stuck.failure = 'unreachable'
  await waiting.get('k')
  const { reads } = stuck
  let answer: (key: StoredKey) => void = () => undefined
  stuck.get = () => {
    stuck.reads++
    return new Promise(resolve => (answer = resolve))
  }
  for (let i = 0; i < 3; i++)
    for (const name of ['k', 'l']) t.notOk(waiting.get(name) instanceof Promise, 'nobody waits for a store that is known to fail')
  t.equal(stuck.reads, reads + 1, 'one asks whether it answers again')
  answer({ algorithm: 'AES256', key: KEY })
  await new Promise(setImmediate)
  nowMs += 31_000
  t.ok(waiting.get('l') instanceof Promise, 'it does: keys that have expired are asked for')

  let release: () => void = () => undefined
  const slow = new Counting()
  await slow.create('k', { algorithm: 'AES256', key: KEY })
  slow.get = name => new Promise(resolve => (release = () => resolve(MemoryKeyStore.prototype.get.call(slow, name))))
  const deleted = make(0, slow)
  t.teardown(() => deleted.close())
  const reading = deleted.get('k')
  const read = release
  const found = MemoryKeyStore.prototype.get.call(slow, 'k')
  await deleted.delete('k')
  slow.get = () => Promise.reject(new KeyStoreError('not-found', 'gone'))
  read()
  await Promise.resolve(reading).then(undefined, () => undefined)
  await found
  await t.rejects(Promise.resolve(deleted.get('k')), { code: 'not-found' }, 'what was on its way when its key was deleted is not kept')

  const current = Object.assign(new Counting(), { isCurrent: true })
  await current.create('k', { algorithm: 'AES256', key: KEY })
  const none = make(0, current)
  t.teardown(() => none.close())
  await none.get('k')
  await none.get('k')
  t.equal(current.reads, 2, 'no cache above a store that has one')
})
