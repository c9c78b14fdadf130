import t from 'tap'
import { Identity } from '../../src/server/identities.ts'
import { identitiesOf } from '../../src/server/identities-of.ts'
import { Turn } from '../../src/server/turn.ts'

const nextTurn = () => new Promise(resolve => setImmediate(resolve))

t.test('what comes in one turn is judged together, by a version that is read after all of it', async t => {
  let stored = 1
  let looks = 0
  const turn = new Turn(() => {
    looks++
    return stored
  })
  const done: string[] = []
  const judge = (what: string) => (): void => {
    done.push(`${what} at ${turn.version()}`)
    turn.atEnd(() => done.push(`${what} leaves`))
    void Promise.resolve().then(() => done.push(`${what} later at ${turn.version()}`))
  }
  turn.take(judge('a'))
  stored = 2
  turn.take(judge('b'))
  t.equal(turn.version(), 2, 'outside of a judgement it is as it is now')
  t.same(done, [], 'nothing is judged before all is there')
  await nextTurn()
  t.same(done, ['a at 2', 'b at 2', 'a later at 2', 'b later at 2', 'a leaves', 'b leaves'])
  t.equal(looks, 2, 'one look for all of them')
  stored = 3
  turn.take(() => {
    turn.version()
    stored = 4
    turn.forget()
    done.push(`own at ${turn.version()}`)
  })
  await nextTurn()
  t.equal(done.at(-1), 'own at 4', 'what was stored here is seen in the same turn')
  turn.atEnd(() => done.push('alone'))
  await nextTurn()
  t.equal(done.at(-1), 'alone', 'what is done between turns does not wait for one')
})

t.test('whom a listener lets in counts for those who are in already, though nothing was stored since', async t => {
  let admits = new Set(['one', 'other'])
  const scopes = { identify: async () => ({ ca: 'one' }), peerOf: async () => ({ role: 'r' }) }
  const identities = identitiesOf({ records: {}, scopes } as unknown as Parameters<typeof identitiesOf>[0], new Turn(() => 7), () => admits)
  const client = new Identity(Buffer.alloc(1), Number.POSITIVE_INFINITY)
  t.ok(await client.check(identities))
  t.equal(client.version, identities.version(), 'nothing is asked for again')
  admits = new Set(['other'])
  t.not(client.version, identities.version())
  t.equal(await client.check(identities), undefined)
})
