import fc from 'fast-check'
import t from 'tap'
import { Framer } from '../../src/server/framer.ts'
import { message } from './lab.ts'

function drain(framer: Framer): Buffer[] {
  const messages: Buffer[] = []
  for (let next = framer.next(); next; next = framer.next()) messages.push(next)
  return messages
}

t.test('any messages in any pieces come out as they went in', async t => {
  const sizes = fc.array(fc.integer({ min: 4, max: 300 }), { minLength: 1, maxLength: 12 })
  const pieces = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 60 })
  const holds = (): void =>
    fc.assert(
      fc.property(sizes, pieces, (sizes, pieces) => {
        const sent = sizes.map((size, i) => message(i, size))
        const stream = Buffer.concat(sent)
        const framer = new Framer(308)
        const got: Buffer[] = []
        for (let offset = 0, i = 0; offset < stream.length; i++) {
          const piece = pieces[i % pieces.length]!
          framer.push(stream.subarray(offset, offset + piece))
          // Not each chunk is looked at before the next comes: the client may be waiting for an answer.
          if (i % 3 !== 1) got.push(...drain(framer))
          offset += piece
        }
        got.push(...drain(framer))
        return framer.buffered === 0 && got.length === sent.length && got.every((one, i) => one.equals(sent[i]!))
      }),
      { numRuns: 300 },
    )
  t.doesNotThrow(holds)
})

t.test('a message in one chunk is a view into it', async t => {
  const framer = new Framer(1000)
  const chunk = Buffer.concat([message(1), message(2)])
  framer.push(chunk)
  for (const [i, one] of drain(framer).entries()) {
    t.equal(one.buffer, chunk.buffer)
    t.equal(one.byteOffset, chunk.byteOffset + 16 * i)
  }
})

t.test('what is refused, and when', async t => {
  const cases: [name: string, bytes: string, reason: string | undefined][] = [
    ['nothing yet', '42', undefined],
    ['a header at the limit', '4200780100000060', undefined],
    ['a header above it', '4200780100000061', 'message_size'],
    ['4 GiB', '42007801ffffffff', 'message_size'],
    ['HTTP', '47', 'not_kmip'],
    ['a TLS record', '16', 'not_kmip'],
    ['another tag', '42007b', 'not_kmip'],
    ['a request message that is no structure', '4200780200000004', 'not_kmip'],
    ['garbage after a message', `4200780100000000${'00'}`, 'not_kmip'],
  ]
  for (const [name, bytes, reason] of cases)
    for (const piece of [1, 64]) {
      const framer = new Framer(104)
      const act = (): void => {
        const all = Buffer.from(bytes, 'hex')
        for (let i = 0; i < all.length; i += piece) {
          framer.push(all.subarray(i, i + piece))
          drain(framer)
        }
      }
      if (reason === undefined) t.doesNotThrow(act, name)
      else t.throws(act, { name: 'FramingError', reason } as Error & { reason: string }, `${name}, in pieces of ${piece}`)
    }
})
