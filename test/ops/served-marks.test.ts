import t from 'tap'
import { StoreError } from '../../src/store/store.ts'
import { attribute, group, makeLab, name, uid } from './harness.ts'

// Fresh ends with the first Get; where nothing hangs on it, that is stored after the answer.

t.test('a Get that ends Fresh does not wait for the disk, and tells so at once', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const other = lab.client({ engine: lab.anotherEngine() })
  const id = await c.create()
  await c.ok('Get', uid(id))
  t.equal(await c.value(id, 'Fresh'), false, 'here it is over')
  t.equal(await lab.records.revision('scope-1', id), 1, 'nothing is stored yet')
  await lab.engine.finish()
  t.equal(await lab.records.revision('scope-1', id), 2)
  t.equal(await other.value(id, 'Fresh'), false, 'in another process too')
  await c.ok('Get', uid(id))
  await lab.engine.finish()
  t.equal(await lab.records.revision('scope-1', id), 2, 'a second Get changes nothing')
})

t.test('members of a group are stored as served before they are', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.create([group('g')])
  await c.ok('Get', uid(id))
  t.equal(await lab.client({ engine: lab.anotherEngine() }).value(id, 'Fresh'), false)
  t.equal(await lab.records.revision('scope-1', id), 2)
})

t.test('what changes an object before its mark is stored', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const other = lab.client({ engine: lab.anotherEngine() })
  const [here, elsewhere, gone] = [await c.create(), await c.create(), await c.create()]
  for (const id of [here, elsewhere, gone]) await c.ok('Get', uid(id))
  await c.ok('Activate', uid(here))
  t.equal(await lab.records.revision('scope-1', here), 2, 'a change here takes the mark along')
  await other.ok('Activate', uid(elsewhere))
  await other.ok('Destroy', uid(gone))
  await lab.engine.finish()
  t.equal(await lab.records.revision('scope-1', here), 2)
  const another = lab.client({ engine: lab.anotherEngine() })
  for (const id of [here, elsewhere, gone]) t.equal(await another.value(id, 'Fresh'), false)
  t.equal(await another.state(elsewhere), 'Active', 'and a change elsewhere is kept')
  t.equal(await another.state(gone), 'Destroyed')
})

t.test('in a batch that is one unit, and where the answer does not fit', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.create([name('a')])
  const tooLarge = await c.send([['Get', uid(id)]], { maximumResponseSize: 200 })
  t.equal(tooLarge.reply.result, 'ResponseTooLarge')
  await lab.engine.finish()
  t.equal(await c.value(id, 'Fresh'), true, 'what did not leave is fresh')
  await c.send([['Get', uid(id)], ['Activate', uid(id)]], { errorContinuation: 'Undo' }) // biome-ignore format: a pair
  t.equal(await lab.records.revision('scope-1', id), 2)
  t.equal(await lab.client({ engine: lab.anotherEngine() }).value(id, 'Fresh'), false)
  await lab.engine.finish()
  t.equal(await lab.records.revision('scope-1', id), 2, 'one change for both')
})

t.test('the answer of the first Get is given again, before and after its mark is stored', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const [id, other] = [await c.create([name('a')]), await c.create()]
  await c.ok('Get', uid(id))
  let opened = 0
  const { get } = lab.records
  lab.records.get = (...place) => {
    opened++
    return get.call(lab.records, ...place)
  }
  await c.ok('Get', uid(id))
  await lab.engine.finish()
  await c.ok('Get', uid(id))
  t.equal(opened, 0)
  t.equal(await lab.records.revision('scope-1', id), 2, 'one mark')
  t.equal((await c.send([['Locate', attribute(name('a'))]])).reply.ids.join(), id, 'the index is as before') // biome-ignore format: a pair

  const { commit } = lab.records
  lab.records.commit = () => Promise.reject(new StoreError('unavailable', 'no disk'))
  await c.ok('Get', uid(other))
  await lab.engine.finish()
  lab.records.commit = commit
  t.equal(await lab.records.revision('scope-1', other), 1, 'a mark that could not be stored')
  await c.ok('Get', uid(other))
  await lab.engine.finish()
  t.equal(await lab.records.revision('scope-1', other), 2, 'is made again by the next Get')
})

t.test('of two first Gets at once neither answer is given again when the mark cannot be stored', async t => {
  const lab = await makeLab()
  const clients = [lab.client(), lab.client({ version: 12 })]
  const fine = await clients[0]!.create()
  const getTwice = (id: string): Promise<unknown> => Promise.all(clients.map(c => c.ok('Get', uid(id))))
  await getTwice(fine)
  await lab.engine.finish()
  t.equal(await lab.records.revision('scope-1', fine), 2, 'one mark for both')
  for (const c of clients) {
    const id = await c.create()
    const { commit } = lab.records
    lab.records.commit = () => Promise.reject(new StoreError('unavailable', 'no disk'))
    await getTwice(id)
    await lab.engine.finish()
    lab.records.commit = commit
    await c.ok('Get', uid(id))
    await lab.engine.finish()
    t.equal(await lab.records.revision('scope-1', id), 2, `the next Get of ${c.version} makes it again`)
  }
})
