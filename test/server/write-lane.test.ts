import t from 'tap'
import { requestMessage } from '../../src/client/message.ts'
import { Turn } from '../../src/server/turn.ts'
import { WriteLane } from '../../src/server/write-lane.ts'
import { encode } from '../../src/ttlv/binary.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))
const get = encode(requestMessage([{ operation: 'Get', payload: [] }]))
const create = encode(requestMessage([{ operation: 'Create', payload: [] }]))

t.test('reads overtake writes, which keep their order and are begun in turns', async t => {
  const lane = new WriteLane(new Turn(() => 0))
  const begun: number[] = []
  for (let n = 0; n < 36; n++) {
    if (lane.mayBegin(create)) begun.push(n)
    else lane.wait(() => begun.push(n))
  }
  t.equal(begun.length, 16, 'as many as one turn begins')
  await turn()
  t.equal(begun.length, 32, 'the next turn')
  t.ok(lane.mayBegin(get), 'a read')
  await turn()
  t.equal(begun.length, 34, 'fewer beside reads')
  t.notOk(lane.mayBegin(create), 'a write behind others')
  lane.wait(() => begun.push(36))
  await turn()
  await turn()
  t.same(
    begun,
    Array.from({ length: 37 }, (_, n) => n),
  )
  await turn()
  t.ok(lane.mayBegin(create), 'a write when none wait')
})

t.test('what overtakes is known by its first operation, wherever that stands', async t => {
  const long = { clientCorrelationValue: 'a'.repeat(300), batchOrder: true }
  const CASES: [name: string, message: Buffer, overtakes: boolean][] = [
    ['Get', get, true],
    ['Create', create, false],
    ['Get behind a longer header', encode(requestMessage([{ operation: 'Get', payload: [] }], long)), true],
    ['Create behind a longer header', encode(requestMessage([{ operation: 'Create', payload: [] }], long)), false],
    ['an operation that nobody knows', encode(requestMessage([{ operation: 0x7fffffff, payload: [] }])), false],
    ['a header alone', get.subarray(0, 8), false],
    ['a message that ends in its operation', get.subarray(0, 88), false],
    ['nothing', Buffer.alloc(0), false],
  ]
  const lane = new WriteLane(new Turn(() => 0))
  while (lane.mayBegin(create));
  for (const [name, message, overtakes] of CASES) t.equal(lane.mayBegin(message), overtakes, name)
})
