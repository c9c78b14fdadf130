import { randomBytes } from 'node:crypto'
import t from 'tap'
import { attributeTerms, claimsOf } from '../../src/objects/index-terms.ts'
import { ManagedObject } from '../../src/objects/managed-object.ts'
import { createEngine } from '../../src/ops/create-engine.ts'
import type { Records } from '../../src/seal/records.ts'
import { ENUM, MASK } from '../../src/ttlv/enumerations.ts'
import { boolean, bytes, dateTime, enumeration, type Item, integer, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  algorithm,
  attribute,
  bits,
  custom,
  group,
  keyBlock,
  makeLab,
  name,
  objectType,
  opaque,
  parameters,
  revocation,
  secretData,
  symmetricKey,
  U,
  uid,
  usage,
  usageLimits,
  x,
} from './harness.ts'

// Locate: what matches, in which order, and how much of it.

const KEY = Buffer.alloc(16, 1)
const link = (type: keyof typeof ENUM.LinkType | undefined, id?: string): Item =>
  structure(TAG.Link, [
    ...(type ? [enumeration(TAG.LinkType, ENUM.LinkType[type])] : []),
    ...(id === undefined ? [] : [text(TAG.LinkedObjectIdentifier, id)]),
  ])
const nameValue = (value: string): Item => structure(TAG.Name, [text(TAG.NameValue, value)])
const application = (namespace: string, value?: string): Item =>
  structure(TAG.ApplicationSpecificInformation, [
    text(TAG.ApplicationNamespace, namespace),
    ...(value === undefined ? [] : [text(TAG.ApplicationData, value)]),
  ])

t.test('trap 110: which objects match', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const ids = {
    aes: await c.create([name('a'), name('a2'), group('g'), x('tag', '1'), usage(U.Encrypt | U.Decrypt | U.WrapKey)], 128),
    des: await c.create([name('b'), group('g'), group('h'), algorithm('DES3'), application('ns', 'one'), usageLimits(10)], 168),
    secret: await c.register('SecretData', secretData(KEY), [name('c'), link('ParentLink', 'p'), text(TAG.ContactInformation, 'me')]),
    opaque: await c.register('OpaqueObject', opaque(KEY), [name('ünï'), link('ChildLink', 'p'), application('ns', 'two')]),
  }
  type Id = keyof typeof ids
  await c.ok('Activate', uid(ids.aes))
  const CASES: [what: string, filters: Item[], found: Id[]][] = [
    ['nothing asked for', [], ['opaque', 'secret', 'des', 'aes']],
    ['a Name', [name('a')], ['aes']],
    ['another of its Names', [name('a2')], ['aes']],
    ['both of its Names', [name('a'), name('a2')], ['aes']],
    ['a Name that is not ASCII', [name('ünï')], ['opaque']],
    ['trap 112: a Name by its value alone', [nameValue('a')], ['aes']],
    ['a Name of another type', [structure(TAG.Name, [text(TAG.NameValue, 'a'), enumeration(TAG.NameType, 2)])], []],
    ['part of a Name', [name('ün')], []],
    ['another case', [name('A')], []],
    ['Object Type', [objectType('SymmetricKey')], ['des', 'aes']],
    ['all must match', [objectType('SymmetricKey'), name('c')], []],
    ['Object Group', [group('g')], ['des', 'aes']],
    ['two groups at once', [group('g'), group('h')], ['des']],
    ['algorithm', [algorithm('AES')], ['aes']],
    ['length', [bits(168)], ['des']],
    ['State', [enumeration(TAG.State, ENUM.State.Active)], ['aes']],
    ['State, the others', [enumeration(TAG.State, ENUM.State.PreActive)], ['opaque', 'secret', 'des']],
    ['trap 112: a usage mask as superset', [usage(U.Encrypt)], ['des', 'aes']],
    ['a usage mask of which not all is there', [usage(U.Encrypt | U.WrapKey)], ['aes']],
    ['an empty usage mask', [usage(0), objectType('SymmetricKey')], ['des', 'aes']],
    ['trap 112: Usage Limits of at least so much', [usageLimits(5)], ['des']],
    ['Usage Limits of more', [usageLimits(11)], []],
    ['Usage Limits in another unit', [usageLimits(5, 'Byte')], []],
    ['Unique Identifier', [uid(ids.secret)], ['secret']],
    ['trap 112: a Link by its target alone', [link(undefined, 'p')], ['opaque', 'secret']],
    ['a Link by its type alone', [link('ParentLink')], ['secret']],
    ['a whole Link', [link('ChildLink', 'p')], ['opaque']],
    ['a namespace', [application('ns')], ['opaque', 'des']],
    ['a namespace with data', [application('ns', 'two')], ['opaque']],
    ['Contact Information', [text(TAG.ContactInformation, 'me')], ['secret']],
    ['a custom attribute', [x('tag', '1')], ['aes']],
    ['a custom attribute with another value', [x('tag', '2')], []],
    ['a custom attribute that nobody has', [x('nobody', '1')], []],
    ['Fresh', [boolean(TAG.Fresh, true), objectType('SymmetricKey')], ['des', 'aes']],
    ['an attribute that no object has', [text(TAG.Description, 'd')], []],
  ]
  for (const [what, filters, found] of CASES)
    t.same(
      await c.locate(filters),
      found.map(id => ids[id]),
      what,
    )
  const v2 = c.in(21)
  for (const [what, filters, found] of CASES.filter(([, filters]) => filters.every(item => item.tag !== TAG.Attribute)))
    t.same(
      await v2.locate(filters),
      found.map(id => ids[id]),
      `${what}, in 2.1`,
    )
  for (const id of Object.values(ids)) {
    const { body, revision } = (await lab.records.get('scope-1', id))!
    const object = ManagedObject.fromBody(id, body, revision)
    const change = { partition: 'scope-1', id, expect: revision, body, terms: attributeTerms(object), claims: claimsOf(object) }
    await lab.records.commit([change])
  }
  for (const [what, filters, found] of CASES)
    t.same(
      await c.locate(filters),
      found.map(id => ids[id]),
      `${what}, of objects that an older kmipd stored`,
    )
  t.equal(await c.result('Locate', custom('Nothing Known', text(0, 'a'))), 'InvalidField', 'trap 117')
  t.same((await c.ok('Locate', attribute(name('nobody')))).ids, [], 'nothing found is a success')
})

t.test('the index alone decides where it can', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const online = await c.create([name('n'), group('g'), x('tag', '1')])
  const archived = await c.create([name('m'), group('g')])
  await c.ok('Archive', uid(archived))
  const destroyed = await c.create([name('o'), group('g')])
  await c.ok('Destroy', uid(destroyed))
  const uri = structure(TAG.Name, [text(TAG.NameValue, 'u'), enumeration(TAG.NameType, ENUM.NameType.URI)])
  const special = await c.create([uri, group('g')])
  const pgp = await c.register('PGPKey', structure(TAG.PGPKey, [integer(TAG.PGPKeyVersion, 4), keyBlock(KEY, { format: 'Opaque' })]), [
    group('g'),
  ])
  const opened: string[] = []
  const records: Records = {
    get: (partition, id) => {
      opened.push(id)
      return lab.records.get(partition, id)
    },
    revision: (partition, id) => lab.records.revision(partition, id),
    find: (partition, terms, page) => lab.records.find(partition, terms, page),
    commit: changes => lab.records.commit(changes),
    version: () => lab.records.version(),
    close: async () => undefined,
  }
  const { OnLineStorage, ArchivalStorage, DestroyedStorage } = MASK.StorageStatusMask
  const all = integer(TAG.StorageStatusMask, OnLineStorage | ArchivalStorage | DestroyedStorage)
  const CASES: [what: string, filters: Item[], found: string[], opened: string[], mask?: Item][] = [
    ['a name', [name('n')], [online], []],
    ['a name by its value', [nameValue('n')], [online], []],
    ['an attribute of a vendor', [x('tag', '1')], [online], []],
    ['a group', [group('g'), objectType('SymmetricKey')], [special, online], [special]],
    ['archived ones too', [group('g')], [pgp, special, destroyed, archived, online], [pgp, special], all],
    ['a name of a type', [uri], [special], [special]],
    ['another type', [structure(TAG.Name, [text(TAG.NameValue, 'n'), enumeration(TAG.NameType, ENUM.NameType.URI)])], [], [online]],
    ['a mask', [usage(U.Encrypt), name('n')], [online], [online]],
  ]
  for (const [what, filters, found, looked, mask] of CASES) {
    opened.length = 0
    const fresh = createEngine({ records, now: () => lab.now, randomBytes, newId: () => lab.newId() })
    t.same(await lab.client({ engine: fresh }).locate(filters, ...(mask ? [mask] : [])), found, what)
    t.same(opened, looked, `${what}: opened`)
  }
  t.same(await c.in(11).locate([group('g')]), [special, online], 'a type that came with 1.2 is not seen in 1.1')
})

t.test('trap 111: dates are exact, or a range in either order', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const ids: string[] = []
  for (let n = 0; n < 4; n++) {
    ids.push(await c.create([...(n % 2 ? [dateTime(TAG.ActivationDate, lab.now + 1000n)] : [])]))
    lab.now += 10n
  }
  const created = (offset: number): Item => dateTime(TAG.InitialDate, 1_700_000_000n + BigInt(offset))
  const CASES: [what: string, filters: Item[], found: number[]][] = [
    ['one date', [created(10)], [1]],
    ['no such date', [created(11)], []],
    ['a range', [created(5), created(20)], [2, 1]],
    ['a range the other way round', [created(20), created(5)], [2, 1]],
    ['its ends belong to it', [created(0), created(30)], [3, 2, 1, 0]],
    ['two attributes', [created(0), created(15), dateTime(TAG.ActivationDate, 1_700_001_010n)], [1]],
    ['trap 10: the largest date means that there is none', [dateTime(TAG.ActivationDate, (1n << 63n) - 1n)], [2, 0]],
  ]
  for (const [what, filters, found] of CASES)
    t.same(
      await c.locate(filters),
      found.map(n => ids[n]),
      what,
    )
})

t.test('trap 113 and 115: newest first, in pages', async t => {
  const lab = await makeLab({ locatePage: 7 })
  const c = lab.client()
  const ids: string[] = []
  for (let n = 0; n < 10; n++) ids.unshift(await c.create([group('all'), group(n < 5 ? 'low' : 'high')]))
  const page = (maximum: number | undefined, offset?: number, filters: Item[] = []) =>
    c.ok(
      'Locate',
      ...(maximum === undefined ? [] : [integer(TAG.MaximumItems, maximum)]),
      ...(offset === undefined ? [] : [integer(TAG.OffsetItems, offset)]),
      ...filters.map(attribute),
    )
  const CASES: [
    what: string,
    maximum: number | undefined,
    offset: number | undefined,
    filters: Item[],
    from: number,
    to: number,
    of: number,
  ][] = [
    ['the server’s own limit', undefined, undefined, [], 0, 7, 10],
    ['a limit', 3, undefined, [], 0, 3, 10],
    ['an offset', 3, 8, [], 8, 10, 10],
    ['past the end', 3, 10, [], 10, 10, 10],
    ['none at all', 0, 0, [], 0, 0, 10],
    ['filtered', 3, 2, [group('high')], 2, 5, 5],
  ]
  for (const [what, maximum, offset, filters, from, to, of] of CASES) {
    const reply = await page(maximum, offset, filters)
    t.same(reply.ids, ids.slice(from, to), what)
    t.equal(reply.at(TAG.LocatedItems), of, `${what}: Located Items`)
  }
  t.equal(await c.result('Locate', integer(TAG.OffsetItems, -1)), 'InvalidField')
  t.equal(await c.result('Locate', integer(TAG.MaximumItems, -1)), 'InvalidField')
  for (const version of [10, 12]) t.equal((await c.in(version).ok('Locate')).at(TAG.LocatedItems), undefined)
})

t.test('trap 114: Storage Status Mask', async t => {
  const c = (await makeLab()).client()
  const online = await c.create()
  const archived = await c.create()
  const destroyed = await c.create()
  await c.ok('Archive', uid(archived))
  await c.ok('Destroy', uid(destroyed))
  const { OnLineStorage, ArchivalStorage, DestroyedStorage } = MASK.StorageStatusMask
  const CASES: [version: number, mask: number | undefined, found: string[]][] = [
    [14, undefined, [online]],
    [14, OnLineStorage, [online]],
    [14, ArchivalStorage, [archived]],
    [14, OnLineStorage | ArchivalStorage, [archived, online]],
    [21, undefined, [online]],
    [21, OnLineStorage, [online]],
    [21, ArchivalStorage, [archived]],
    [21, DestroyedStorage, [destroyed]],
    [21, OnLineStorage | ArchivalStorage | DestroyedStorage, [destroyed, archived, online]],
  ]
  for (const [version, mask, found] of CASES) {
    const fields = mask === undefined ? [] : [integer(TAG.StorageStatusMask, mask)]
    t.same(await c.in(version).locate([], ...fields), found, `mask ${mask} in ${version}`)
  }
})

t.test('trap 116: members of a group', async t => {
  const lab = await makeLab({ freshGroups: ['pool'] })
  const c = lab.client()
  const fresh = enumeration(TAG.ObjectGroupMember, ENUM.ObjectGroupMember.GroupMemberFresh)
  const usual = enumeration(TAG.ObjectGroupMember, ENUM.ObjectGroupMember.GroupMemberDefault)
  const first = await c.create([group('g')])
  const second = await c.create([group('g')])
  t.same(await c.locate([group('g')], fresh), [second, first])
  await c.ok('Get', uid(second))
  t.same(await c.locate([group('g')], fresh), [first], 'what was served is not fresh')
  await c.ok('Get', uid(first))
  t.same(await c.locate([group('g')], fresh), [], 'and this group is not filled up')
  t.equal((await c.locate([group('g')], usual)).length, 1, 'one is the default')
  t.same(await c.locate([group('none')], usual), [])
  const made = await c.locate([group('pool')], fresh)
  t.equal(made.length, 1, 'a group that the server keeps filled gets a key')
  t.same(await c.locate([group('pool')], fresh), made, 'until it is served')
  await c.ok('Get', uid(made[0]!))
  t.notSame(await c.locate([group('pool')], fresh), made)
})

t.test('what changed is found by what it is now', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.create([name('old'), group('g')])
  await c.ok('ModifyAttribute', uid(id), attribute(name('new')))
  await c.ok('DeleteAttribute', uid(id), text(TAG.AttributeName, 'Object Group'))
  t.same(await Promise.all([[name('old')], [name('new')], [group('g')]].map(filters => c.locate(filters))), [[], [id], []])
  const inBatch = await c.send(
    [
      ['AddAttribute', uid(id), x('tag', '1')],
      ['Locate', x('tag', '1')],
      ['ModifyAttribute', uid(id), attribute(name('newer'))],
      ['Locate', attribute(name('newer'))],
      ['Locate', attribute(name('new'))],
      ['Create', objectType('SymmetricKey'), c.template([algorithm('AES'), bits(128), usage(12), name('made')])],
      ['Locate', attribute(name('made'))],
    ],
    { errorContinuation: 'Undo' },
  )
  t.same(
    inBatch.replies.filter(reply => reply.operation === 'Locate').map(reply => reply.ids),
    [[id], [id], [], [inBatch.replies[5]!.id]],
    'within a batch that is one unit too',
  )
})

t.test('lessons: a filter that is not understood is never skipped', async t => {
  const c = (await makeLab()).client()
  const ids = [await c.create(), await c.create([parameters({ mode: 'CBC' })])]
  const CASES: [what: string, filter: Item, found: number[]][] = [
    ['Cryptographic Parameters in part', parameters({ mode: 'CBC' }), [1]],
    ['Cryptographic Parameters that nobody has', parameters({ mode: 'GCM' }), []],
    ['Digest', structure(TAG.Digest, [bytes(TAG.DigestValue, KEY)]), []],
    ['Lease Time', { tag: TAG.LeaseTime, type: 10, value: 5 }, []],
    ['Revocation Reason', revocation('KeyCompromise'), []],
    ['Initial Date', dateTime(TAG.InitialDate, 5n), []],
    ['Key Value Present', boolean(TAG.KeyValuePresent, true), []],
    ['Certificate Length', integer(TAG.CertificateLength, 5), []],
  ]
  for (const [what, filter, found] of CASES)
    t.same(
      await c.locate([filter]),
      found.map(n => ids[n]),
      what,
    )
  await c.register('SymmetricKey', symmetricKey(KEY), [usage(12)])
  t.equal(await c.result('Locate', attribute(name('a')), integer(0x540001, 1)), 'InvalidField')
})
