import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { EntrustKeyStore } from '../../src/keystore/entrust.ts'
import { writeStoredKey } from '../../src/keystore/stored-key.ts'
import { contract, failsWith, namesOf, newKey } from './contract.ts'
import { FakeEntrust, PASSWORD } from './fake-entrust.ts'

const fakes = new WeakMap<object, FakeEntrust>()

async function storeOn(fake: FakeEntrust, password = PASSWORD): Promise<EntrustKeyStore> {
  const settings = { kind: 'entrust', endpoint: fake.endpoint, vaultId: 'vault-1', boxId: 'box', username: 'kes@x', password } as const
  const store = await EntrustKeyStore.open({ settings, now: () => fake.now, pauseMs: () => 1 })
  fakes.set(store, fake)
  return store
}

contract(t, {
  name: 'entrust',
  open: async t => storeOn(await FakeEntrust.start(t)),
  beside: (_, store) => storeOn(fakes.get(store)!),
})

async function started(t: Test): Promise<{ fake: FakeEntrust; store: EntrustKeyStore }> {
  const fake = await FakeEntrust.start(t)
  const store = await storeOn(fake)
  t.teardown(() => store.close())
  return { fake, store }
}

t.test('keys stand as KES writes them', async t => {
  const { fake, store } = await started(t)
  const key = newKey()
  await store.create('k', key)
  t.equal(Buffer.from(fake.secrets.get('k')!.data, 'base64').toString(), writeStoredKey(key))
  fake.secrets.set('plain', { data: 'not base64!', expired: false })
  fake.secrets.set('other', { data: Buffer.from('a password').toString('base64'), expired: false })
  for (const name of ['plain', 'other']) await t.rejects(store.get(name), failsWith('damaged'))
  fake.secrets.set('old', { data: fake.secrets.get('k')!.data, expired: true })
  t.same(await namesOf(store), ['k', 'other', 'plain'], 'without names that are empty, and secrets that have expired')
})

t.test('the login lasts', async t => {
  const { fake, store } = await started(t)
  await store.create('k', newKey())
  t.equal(fake.count('Login'), 1)

  fake.now += 30_000
  await store.get('k')
  while (fake.count('Renew') === 0) await store.status()
  t.same([fake.count('Login'), fake.count('Renew')], [1, 1], 'renewed at half of its life, once')
  fake.now += 29_999
  await store.get('k')
  t.equal(fake.count('Renew'), 1, 'the new one lasts as long')

  fake.tokens.clear()
  await Promise.all(Array.from({ length: 10 }, () => store.get('k')))
  t.equal(fake.count('Login'), 2, 'one login for all who were refused')

  fake.now += 3_600_000
  await store.get('k')
  t.equal(fake.count('Login'), 3, 'and one after a long silence')

  fake.now += 31_000
  fake.faults = [{ call: 'Renew', status: 500 }]
  await store.get('k')
  fake.tokens.clear()
  fake.faults.push({ call: 'Login', status: 500 })
  await t.rejects(store.get('k'), failsWith('unavailable'), 'renewal and login fail both')
  await store.get('k')
  t.equal(fake.count('Login'), 5, 'and it recovers')

  fake.now += 31_000
  const renewing = fake.count('Renew')
  const logins = fake.count('Login')
  fake.onRenew = () => fake.tokens.clear()
  await Promise.all(Array.from({ length: 5 }, () => store.get('k')))
  while (fake.count('Renew') === renewing) await store.get('k')
  await store.get('k')
  t.equal(fake.count('Login'), logins + 1, 'a renewal that brought a token which is refused at once is followed by a login')
  fake.onRenew = undefined

  fake.lifeMs = undefined
  fake.tokens.clear()
  await store.get('k')
  fake.now += 149_000
  const renewals = fake.count('Renew')
  await store.get('k')
  t.equal(fake.count('Renew'), renewals, 'five minutes where the server says nothing')
  fake.now += 2_000
  while (fake.count('Renew') === renewals) await store.get('k')
})

t.test('what fails is tried again, and what was done is not undone by that', async t => {
  const { fake, store } = await started(t)
  const key = newKey()
  fake.faults = [
    { call: 'CreateSecret', status: 503 },
    { call: 'CreateSecret', status: 0, done: true },
  ]
  await store.create('k', key)
  t.equal(fake.count('CreateSecret'), 3)
  t.same(await store.get('k'), key, 'the answer was lost, the key was not')
  fake.faults = [{ call: 'CreateSecret', status: 503 }]
  await t.rejects(store.create('k', newKey()), failsWith('exists'), 'another key of the name is another key')
  fake.faults = [{ call: 'DeleteSecret', status: 0, done: true }]
  await store.delete('k')
  await t.rejects(store.delete('k'), failsWith('not-found'))

  fake.faults = Array.from({ length: 3 }, () => ({ call: 'CheckoutSecret', status: 502, body: '<html>Bad gateway</html>' }))
  await t.rejects(store.get('k'), failsWith('unavailable'))
  for (const body of ['<html>Not found</html>', '{"error":"Box not found"}', '{}'])
    for (const [call, ask] of [
      ['CheckoutSecret', () => store.get('k')],
      ['DeleteSecret', () => store.delete('k')],
    ] as readonly (readonly [string, () => Promise<unknown>])[]) {
      fake.faults = [{ call, status: 404, body }]
      await t.rejects(ask(), failsWith('unavailable'), `${call}: 404 ${body} says nothing of the key`)
    }
  fake.faults = [
    { call: 'ListSecretIds', status: 200, body: '{"secrets":[],"next_token":"x"}' },
    { call: 'ListSecretIds', status: 200, body: '{"next_token":"x"}' },
  ]
  await t.rejects(store.list('', { limit: 1 }), failsWith('unavailable'), 'a list without end')
  fake.faults = [{ call: 'ListSecretIds', status: 200, body: 'no JSON' }]
  await t.rejects(store.list('', { limit: 1 }), failsWith('unavailable'))
})

t.test('a wrong password is told at once, and not shown', async t => {
  const fake = await FakeEntrust.start(t)
  const wrong = 'wrong-password-of-mine'
  const error: unknown = await storeOn(fake, wrong).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  t.match(error, failsWith('unavailable'))
  t.notMatch(inspect(error, { depth: 9, showHidden: true }), /wrong-password/)
  const settings = { kind: 'entrust', endpoint: 'http://127.0.0.1:1', vaultId: 'v', boxId: 'b', username: 'u', password: 'p' } as const
  const store = await EntrustKeyStore.open({ settings, pauseMs: () => 1 })
  await t.rejects(store.get('k'), failsWith('unreachable'), 'a server that is away does not hinder the start')
  await t.rejects(store.status(), failsWith('unreachable'))
  await store.close()
})
