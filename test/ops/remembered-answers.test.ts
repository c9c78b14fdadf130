import t from 'tap'
import { requestMessage } from '../../src/client/message.ts'
import { encode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { enumeration, type Item, structure } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { attribute, group, Message, makeLab, name, revocation, uid } from './harness.ts'

// Answers that are given again without being worked out, and when they are not.

const asks = (operation: 'Get' | 'Locate' | 'GetAttributes', ...payload: Item[]): Buffer =>
  encode(requestMessage([{ operation, payload }], { version: 14 }))

t.test('a Get is worked out once, as long as its object is the same', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.create([name('n')])
  const request = asks('Get', uid(id))
  const recalled = (peer = c.peer) => lab.engine.recall(request, peer)
  await c.raw(request)
  t.ok(recalled(), 'from the first one on')
  await lab.engine.finish()
  t.equal(await lab.records.revision('scope-1', id), 2)
  t.equal(recalled(), undefined, 'the mark was stored')
  const first = await lab.engine.answer(request, c.peer)
  const again = recalled()
  t.same(again?.bytes, first.bytes)
  t.match(again?.entries, [{ operation: 'Get', object: id, status: 'Success' }])
  lab.now += 7n
  t.equal(new Message(recalled()!).results.join(), 'Success')
  t.equal(recalled()!.bytes.readBigInt64BE(64), lab.now, 'with the time that it is now')
  t.not(recalled()!.bytes, first.bytes, 'what may still be on its way is left alone')
  t.equal(first.bytes.readBigInt64BE(64), lab.now - 7n)

  t.equal(recalled({ ...c.peer, may: () => false }), undefined, 'a role that may not')
  t.equal(recalled({ ...c.peer, scope: 'scope-2' }), undefined, 'another scope')
  t.equal((await lab.client({ may: () => false }).raw(request)).reply.result, 'PermissionDenied')
  t.equal((await lab.client({ scope: 'scope-2' }).raw(request)).reply.result, 'ItemNotFound')

  await c.create()
  t.equal(recalled(), undefined, 'something was stored')
  t.equal((await c.raw(request)).reply.result, 'Success', 'but not in this object')
  t.ok(recalled(), 'which is known now')

  const other = lab.client({ engine: lab.anotherEngine() })
  await other.ok('Archive', uid(id))
  t.equal(recalled(), undefined)
  t.equal((await c.raw(request)).reply.result, 'ObjectArchived', 'another process archived it')
  await other.ok('Recover', uid(id))
  t.equal((await c.raw(request)).reply.result, 'Success')
  await other.ok('Destroy', uid(id))
  t.equal(recalled(), undefined)
  t.not((await c.raw(request)).reply.result, 'Success', 'another process destroyed it')
})

t.test('a Locate is worked out once, until anything is stored', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.create([name('n')])
  const request = asks('Locate', attribute(name('n')))
  await c.raw(request)
  t.same(new Message(lab.engine.recall(request, c.peer)!).reply.ids, [id])
  await lab.client({ engine: lab.anotherEngine() }).ok('Destroy', uid(id))
  t.equal(lab.engine.recall(request, c.peer), undefined)
  t.same((await c.raw(request)).reply.ids, [])
})

t.test('what follows from more than the object is worked out each time', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.active([name('n')])
  const grouped = await c.create([group('g')])
  const wrapped = structure(TAG.KeyWrappingSpecification, [
    enumeration(TAG.WrappingMethod, ENUM.WrappingMethod.Encrypt),
    structure(TAG.EncryptionKeyInformation, [uid(await c.active())]),
  ])
  const CASES: [what: string, request: Buffer][] = [
    ['attributes change with the clock', asks('GetAttributes', uid(id))],
    ['a wrapped key', asks('Get', uid(id), wrapped)],
    ['a member of a group', asks('Get', uid(grouped))],
    ['a State', asks('Locate', attribute(enumeration(TAG.State, ENUM.State.Active)))],
    ['a failure', asks('Get', uid('nothing'))],
  ]
  for (const [what, request] of CASES) {
    for (let i = 0; i < 2; i++) {
      await c.raw(request)
      await lab.engine.finish()
    }
    t.equal(lab.engine.recall(request, c.peer), undefined, what)
  }
  await c.ok('Revoke', uid(id), revocation('CessationOfOperation'))
  t.equal((await c.raw(asks('Get', uid(id)))).reply.result, 'Success')
})
