import t from 'tap'
import type { HttpRequest } from '../../src/http/exchange.ts'
import { settled } from '../../src/server/settled.ts'

const request = {} as HttpRequest
const handler = async () => ({ status: 200 })
const refusal = (message: string) => ({ errors: [message] })

t.test('a door waits for the store to settle, and refuses while nobody knows what was committed', async t => {
  let seen = 0
  const settle = async () => {
    seen++
  }
  t.same(await settled(handler, { settle }, refusal)(request), { status: 200 })
  t.equal(seen, 1)
  t.same(await settled(handler, {}, refusal)(request), { status: 200 }, 'a store that has nothing to wait for')
  const away = async () => {
    throw new Error('away')
  }
  const answer = await settled(handler, { settle: away }, refusal)(request)
  t.match(answer, { status: 503, body: /"errors":\["the store is not reachable"\]/ })
})
