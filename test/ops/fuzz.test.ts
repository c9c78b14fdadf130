import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { decode, encode } from '../../src/ttlv/binary.ts'
import type { Item } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { MUTATIONS, mutate, VALUES } from '../fuzz/mutations.ts'
import { CAPTURED_CLIENTS, type Client, captured, group, Message, makeLab, name, U, uid, usage, withId, x } from './harness.ts'

// Whatever bytes come, there is one well-formed answer, soon. What an answer must be like, `Message` checks.

const SOON_MS = 1000
// Making an RSA key takes as long as it takes.
const requests = CAPTURED_CLIENTS.flatMap(client =>
  [...captured(client)].filter(([key]) => !key.startsWith('create-key-pair')).map(([, bytes]) => bytes),
)

async function inhabited(): Promise<{ c: Client; ids: string[] }> {
  const c = (await makeLab({ maxIterations: 1000 })).client()
  const ids = [
    await c.active([name('a'), group('g'), x('n', '1'), usage(U.Encrypt | U.Decrypt | U.WrapKey | U.DeriveKey | U.MACGenerate)]),
    await c.create([name('b'), name('c')]),
  ]
  return { c, ids }
}

/** The answer to a message, checked; how long it took. */
async function answered(c: Client, request: Buffer): Promise<Message> {
  const started = performance.now()
  const message = new Message(await c.engine.answer(request, c.peer))
  const took = performance.now() - started
  if (took > SOON_MS) throw new Error(`${took} ms for ${request.toString('hex')}`)
  for (const { cause } of message.entries) if (cause !== undefined && message.results.includes('GeneralFailure')) throw cause
  return message
}

t.test('recorded messages with bytes changed, cut and put in', async t => {
  const { c } = await inhabited()
  const change = fc.record({ at: fc.nat(), to: fc.nat(255), what: fc.constantFrom('set', 'cut', 'insert', 'length', 'type') })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...requests), fc.array(change, { minLength: 1, maxLength: 4 }), async (request, changes) => {
      let bytes = Buffer.from(request)
      for (const { at, to, what } of changes) {
        const place = at % Math.max(1, bytes.length)
        if (what === 'cut') bytes = bytes.subarray(0, place)
        else if (what === 'insert') bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from([to]), bytes.subarray(place)])
        else if (what === 'length' && place + 8 <= bytes.length) bytes.writeUInt32BE(to, place - (place % 8) + 4)
        else if (what === 'type' && place + 8 <= bytes.length) bytes[place - (place % 8) + 3] = to % 12
        else if (place < bytes.length) bytes[place] = to
      }
      await answered(c, bytes)
    }),
    { numRuns: 1500 },
  )
  t.pass()
})

t.test('recorded messages with items moved, repeated, removed and of other values', async t => {
  const { c, ids } = await inhabited()
  const tags = Object.values(TAG)
  const step = fc.record({
    at: fc.nat(),
    value: fc.constantFrom(...VALUES),
    tag: fc.constantFrom(...tags),
    what: fc.constantFrom(...MUTATIONS),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...requests),
      fc.nat(1),
      fc.array(step, { minLength: 1, maxLength: 3 }),
      async (request, which, steps) => {
        let message: Item = decode(withId(request, ids[which]!))
        for (const one of steps) message = mutate(message, one)
        await answered(c, encode(message))
      },
    ),
    { numRuns: 1500 },
  )
  t.pass()
})

t.test('bytes of any kind', async t => {
  const { c } = await inhabited()
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async bytes => {
      const message = await answered(c, Buffer.from(bytes))
      if (message.replies.length !== 1 || message.reply.operation !== undefined) throw new Error('more than a refusal')
    }),
    { numRuns: 300 },
  )
  t.pass()
})

t.test('what a malformed client really sent', async t => {
  const { c, ids } = await inhabited()
  for (const [key, request] of captured('cyphera-kmip')) {
    const reply = (await answered(c, withId(request, ids[1]!))).reply
    t.match(
      reply.result,
      /^(Success|InvalidMessage|InvalidField|ItemNotFound|PermissionDenied|CryptographicFailure)$/,
      `${key}: ${reply.result}`,
    )
  }
  t.equal(await c.state(ids[1]!), 'PreActive', 'a Revoke whose reason cannot be read revokes nothing')
  t.equal(await c.result('Get', uid(ids[0]!)), 'Success', 'and all goes on')
})

t.test('what the fuzzer found', async t => {
  const lines = readFileSync('fixtures/fuzz/engine.txt', 'utf8').split('\n')
  for (const line of lines.filter(line => line !== '' && !line.startsWith('#'))) {
    const [what = '', result, hex = ''] = line.split(' ')
    t.equal((await answered((await inhabited()).c, Buffer.from(hex, 'hex'))).reply.result, result, what)
  }
})
