import { createHmac, randomBytes } from 'node:crypto'
import t from 'tap'
import { HmacKey } from '../../src/crypto/hmac.ts'

t.test('as Node’s own, for texts of all lengths', async t => {
  for (const size of [0, 1, 32, 63, 64]) {
    const key = randomBytes(size)
    const hmac = new HmacKey(Buffer.from(key))
    for (const message of ['', 'a', 'ä€𝄞', ...[63, 64, 128, 191, 192, 193, 5000].map(length => 'x'.repeat(length)), '€'.repeat(64)])
      for (const form of [message, Buffer.from(message)])
        t.same(hmac.of(form), createHmac('sha256', key).update(form).digest(), `key of ${size}, message of ${message.length}`)
  }
})

t.test('the key', async t => {
  const key = randomBytes(32)
  const before = new HmacKey(Buffer.from(key))
  const hmac = new HmacKey(key)
  key.fill(0)
  t.same(hmac.of('a'), before.of('a'), 'is copied')
  hmac.close()
  t.notSame(hmac.of('a'), before.of('a'), 'and gone after the end')
  t.throws(() => new HmacKey(randomBytes(65)), /longer than a block/)
})
