import { createHash } from 'node:crypto'
import t from 'tap'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { boolean, bytes, child, dateTime, enumeration, type Item, integer, interval, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  AES,
  algorithm,
  attribute,
  bits,
  type Client,
  custom,
  group,
  indexed,
  keyBlock,
  makeLab,
  name,
  named,
  objectType,
  opaque,
  parameters,
  symmetricKey,
  U,
  uid,
  usage,
  usageLimits,
  x,
} from './harness.ts'

// Traps of attributes in 1.x, each under the number that the project gives it.

const KEY = Buffer.alloc(32, 9)
const date = (tag: number, seconds: bigint): Item => dateTime(tag, seconds)
const application = (namespace: string, data?: string): Item =>
  structure(TAG.ApplicationSpecificInformation, [
    text(TAG.ApplicationNamespace, namespace),
    ...(data === undefined ? [] : [text(TAG.ApplicationData, data)]),
  ])
const link = (id: string): Item =>
  structure(TAG.Link, [enumeration(TAG.LinkType, ENUM.LinkType.ParentLink), text(TAG.LinkedObjectIdentifier, id)])
const alternative = (value: string): Item =>
  structure(TAG.AlternativeName, [text(TAG.AlternativeNameValue, value), enumeration(TAG.AlternativeNameType, 1)])
const location = (value: string): Item =>
  structure(TAG.KeyValueLocation, [text(TAG.KeyValueLocationValue, value), enumeration(TAG.KeyValueLocationType, 1)])

const attributeTitle = (item: Item): unknown => child(item, TAG.AttributeName)?.value
// What a client may do with each attribute of 1.4: c when it makes the object, a later as a first or (m) a further value, w change, d delete.
// Dates may be changed as the state allows; that is another test.
const RULES: [rights: string, ...values: [Item, Item]][] = [
  ['camwd', name('n1'), name('n2')],
  ['camwd', group('g1'), group('g2')],
  ['camwd', link('l1'), link('l2')],
  ['camwd', application('app', '1'), application('app', '2')],
  ['camwd', alternative('a1'), alternative('a2')],
  ['camwd', location('k1'), location('k2')],
  ['camwd', parameters({ mode: 'CBC' }), parameters({ mode: 'ECB' })],
  ['cawd', usageLimits(5), usageLimits(6)],
  ['cawd', text(TAG.ContactInformation, 'c1'), text(TAG.ContactInformation, 'c2')],
  ['cawd', text(TAG.Description, 'd1'), text(TAG.Description, 'd2')],
  ['cawd', text(TAG.Comment, 'c1'), text(TAG.Comment, 'c2')],
  ['cawd', text(TAG.PKCS_12FriendlyName, 'f1'), text(TAG.PKCS_12FriendlyName, 'f2')],
  ['ca', text(TAG.OperationPolicyName, 'p1'), text(TAG.OperationPolicyName, 'p2')],
  ['ca', date(TAG.OriginalCreationDate, 1n), date(TAG.OriginalCreationDate, 2n)],
  ['', date(TAG.InitialDate, 1n), date(TAG.InitialDate, 2n)],
  ['', date(TAG.DestroyDate, 1n), date(TAG.DestroyDate, 2n)],
  ['', date(TAG.CompromiseDate, 1n), date(TAG.CompromiseDate, 2n)],
  ['', date(TAG.CompromiseOccurrenceDate, 1n), date(TAG.CompromiseOccurrenceDate, 2n)],
  ['', date(TAG.ArchiveDate, 1n), date(TAG.ArchiveDate, 2n)],
  ['', date(TAG.LastChangeDate, 1n), date(TAG.LastChangeDate, 2n)],
  ['', enumeration(TAG.State, ENUM.State.Active), enumeration(TAG.State, ENUM.State.Deactivated)],
  ['', uid('mine'), uid('yours')],
  ['', enumeration(TAG.ObjectType, 2), enumeration(TAG.ObjectType, 3)],
  ['', interval(TAG.LeaseTime, 1), interval(TAG.LeaseTime, 2)],
  ['', boolean(TAG.AlwaysSensitive, true), boolean(TAG.AlwaysSensitive, false)],
  ['', boolean(TAG.NeverExtractable, true), boolean(TAG.NeverExtractable, false)],
  ['', boolean(TAG.KeyValuePresent, true), boolean(TAG.KeyValuePresent, false)],
  ['', structure(TAG.Digest, []), structure(TAG.Digest, [])],
  ['', structure(TAG.RevocationReason, []), structure(TAG.RevocationReason, [])],
  ['', integer(TAG.CertificateLength, 1), integer(TAG.CertificateLength, 2)],
]

t.test('attribute rules: what a client may set, add, change and delete', async t => {
  const lab = await makeLab()
  const c = lab.client()
  for (const [rights, first, second] of RULES) {
    const title = String(attributeTitle(attribute(first)))
    const made = await c.try('Register', objectType('SymmetricKey'), c.template([usage(12), first]), symmetricKey(KEY))
    if (made.result === 'Success') await c.ok('Destroy', uid(made.id))
    const id = await c.register('SymmetricKey', symmetricKey(KEY), [usage(12)])
    const results = {
      c: made.result,
      a: await c.result('AddAttribute', uid(id), attribute(first)),
      m: await c.result('AddAttribute', uid(id), attribute(second)),
      w: await c.result('ModifyAttribute', uid(id), attribute(first)),
      d: await c.result('DeleteAttribute', uid(id), named(title)),
    }
    const allowed = Object.entries(results).filter(([, result]) => result === 'Success')
    t.equal(allowed.map(([letter]) => letter).join(''), rights, title)
    await c.ok('Destroy', uid(id))
  }
})

t.test('trap 48: read-only is Permission Denied up to 2.0 and Attribute Read Only from 2.1 on', async t => {
  const c = (await makeLab()).client()
  const id = await c.create()
  for (const version of [10, 14]) {
    t.equal(await c.in(version).result('ModifyAttribute', uid(id), custom('State', enumeration(0, 2))), 'PermissionDenied')
    t.equal(await c.in(version).result('DeleteAttribute', uid(id), named('Initial Date')), 'PermissionDenied')
  }
  for (const [version, reason] of [[20, 'PermissionDenied'], [21, 'AttributeReadOnly']] as const) // biome-ignore format: a list
    t.equal(await c.in(version).result('ModifyAttribute', uid(id), structure(TAG.NewAttribute, [enumeration(TAG.State, 2)])), reason)
})

t.test('trap 64: an attribute’s name counts to the letter', async t => {
  const c = (await makeLab()).client()
  for (const wrong of ['cryptographic length', 'Cryptographic  Length', 'CryptographicLength', 'X-foo', ''])
    t.equal(await c.result('Create', objectType('SymmetricKey'), c.template([...AES, custom(wrong, bits(128))])), 'InvalidField', wrong)
  const id = await c.create([x('Foo', '1')])
  t.same(await c.values(id, 'x-foo'), [])
  t.same(await c.values(id, 'x-Foo'), ['1'])
})

t.test('trap 65: an index stays with its value', async t => {
  const c = (await makeLab()).client()
  const id = await c.create([name('a'), name('b'), name('c')])
  const names = async (): Promise<Item[]> => (await c.ok('GetAttributes', uid(id), named('Name'))).all(TAG.Attribute)
  t.same(await names(), [custom('Name', name('a')), indexed(name('b'), 1), indexed(name('c'), 2)], 'index 0 is left out')
  await c.ok('DeleteAttribute', uid(id), named('Name'), integer(TAG.AttributeIndex, 0))
  await c.ok('DeleteAttribute', uid(id), named('Name'), integer(TAG.AttributeIndex, 1))
  t.same(await names(), [indexed(name('c'), 2)])
  const added = (await c.ok('AddAttribute', uid(id), custom('Name', name('d')))).all(TAG.Attribute)
  t.same(added, [indexed(name('d'), 3)], 'the answer tells the new index')
  await c.ok('ModifyAttribute', uid(id), indexed(name('e'), 2))
  t.same(await names(), [indexed(name('e'), 2), indexed(name('d'), 3)])
  await c.ok('DeleteAttribute', uid(id), named('Name'), integer(TAG.AttributeIndex, 3))
  await c.ok('AddAttribute', uid(id), custom('Name', name('f')))
  t.same(await names(), [indexed(name('e'), 2), indexed(name('f'), 4)], 'not even the highest is given again')
})

t.test('trap 65: index 0 is answered to those who sent it', async t => {
  const c = (await makeLab()).client()
  const id = await c.create([name('a'), text(TAG.Description, 'd')])
  const answer = async (operation: 'ModifyAttribute' | 'DeleteAttribute', ...fields: Item[]): Promise<Item[]> =>
    (await c.ok(operation, uid(id), ...fields)).all(TAG.Attribute)
  t.same(await answer('ModifyAttribute', attribute(name('b'))), [attribute(name('b'))])
  t.same(await answer('ModifyAttribute', indexed(name('c'), 0)), [indexed(name('c'), 0)])
  t.same(await answer('ModifyAttribute', indexed(text(TAG.Description, 'e'), 0)), [indexed(text(TAG.Description, 'e'), 0)])
  t.same(await answer('DeleteAttribute', named('Name'), integer(TAG.AttributeIndex, 0)), [indexed(name('c'), 0)])
  t.same(await answer('DeleteAttribute', named('Description')), [attribute(text(TAG.Description, 'e'))])
})

t.test('trap 66: an index that is not there', async t => {
  const c = (await makeLab()).client()
  const id = await c.create([name('a')])
  t.equal(await c.result('AddAttribute', uid(id), indexed(name('b'), 1)), 'InvalidField', 'Add with an index')
  t.equal(await c.result('ModifyAttribute', uid(id), indexed(name('b'), 1)), 'ItemNotFound', 'Modify of a missing instance')
  t.equal(await c.result('DeleteAttribute', uid(id), named('Name'), integer(TAG.AttributeIndex, 1)), 'ItemNotFound')
  t.equal(await c.result('ModifyAttribute', uid(id), attribute(group('g'))), 'InvalidField', 'Modify of what was never set')
  t.equal(await c.result('DeleteAttribute', uid(id), named('Object Group')), 'ItemNotFound')
  t.equal(await c.result('DeleteAttribute', uid(id), named('Name')), 'Success', 'no index means 0')
})

t.test('trap 67: Add Attribute of a single value that is set', async t => {
  const c = (await makeLab()).client()
  const id = await c.create([text(TAG.Description, 'a')])
  t.equal(await c.result('AddAttribute', uid(id), custom('Description', text(0, 'b'))), 'IllegalOperation')
  const v2 = c.in(21)
  t.equal(await v2.result('AddAttribute', uid(id), structure(TAG.NewAttribute, [text(TAG.Description, 'b')])), 'AttributeSingleValued')
  t.equal(await c.value(id, 'Description'), 'a')
})

t.test('trap 68: Get Attributes', async t => {
  const c = (await makeLab()).client()
  const id = await c.create([name('a')])
  t.equal(await c.result('GetAttributes', uid(id), named('Name'), named('Name')), 'InvalidMessage')
  const reply = await c.ok('GetAttributes', uid(id), named('Nothing Known'), named('Object Group'), named('x-a'), named('Name'))
  t.same(reply.all(TAG.Attribute), [custom('Name', name('a'))])
  const all = (await c.ok('GetAttributes', uid(id))).all(TAG.Attribute).map(item => String(attributeTitle(item)))
  const list = (await c.ok('GetAttributeList', uid(id))).all(TAG.AttributeName).map(item => String(item.value))
  t.same(list, [...new Set(all)], 'Get Attribute List names what Get Attributes answers')
  for (const must of ['Unique Identifier', 'Object Type', 'State', 'Initial Date', 'Last Change Date', 'Digest', 'Name'])
    t.ok(list.includes(must), must)
  for (const [
    attributeName,
    since,
  ] of [['Fresh', 11], ['Original Creation Date', 12], ['Sensitive', 14], ['Cryptographic Algorithm', 10]] as const) // biome-ignore format: a list
    for (const version of [10, 11, 12, 13, 14]) {
      const names = (await c.in(version).ok('GetAttributeList', uid(id))).all(TAG.AttributeName).map(item => item.value)
      t.equal(names.includes(attributeName), version >= since, `${attributeName} in ${version}`)
    }
})

t.test('trap 69: attributes that begin with y- are the server’s', async t => {
  const c = (await makeLab()).client()
  const y = custom('y-Foo', text(0, 'v'))
  t.equal(await c.result('Create', objectType('SymmetricKey'), c.template([...AES, bits(128), y])), 'InvalidField')
  const id = await c.create()
  for (const operation of ['AddAttribute', 'ModifyAttribute'] as const) t.equal(await c.result(operation, uid(id), y), 'PermissionDenied')
  t.equal(await c.result('DeleteAttribute', uid(id), named('y-Foo')), 'PermissionDenied')
})

t.test('trap 70: Locate ignores Attribute Index', async t => {
  const c = (await makeLab()).client()
  const id = await c.create([name('a'), name('b')])
  t.same(await c.locate([indexed(name('a'), 7)]), [id])
  t.same(await c.locate([indexed(name('b'), 0)]), [id])
})

const template = (c: Client, own: string, items: readonly Item[]): Promise<string> =>
  c.register('Template', structure(TAG.Template, items.map(attribute)), [name(own)])

t.test('trap 71: templates', async t => {
  const c = (await makeLab()).client({ version: 13 })
  await template(c, 't1', [algorithm('AES'), bits(128), usage(4), group('g1'), text(TAG.ContactInformation, 'one')])
  await template(c, 't2', [bits(192), group('g2'), text(TAG.ContactInformation, 'two')])
  const create = (...content: Item[]) => c.try('Create', objectType('SymmetricKey'), structure(TAG.TemplateAttribute, content))
  const { id } = await create(name('t1'), name('t2'), attribute(usage(12)), attribute(group('g3')), attribute(name('k')))
  t.same(await c.values(id, 'Cryptographic Usage Mask'), [12], 'explicit ones win')
  t.same(await c.values(id, 'Cryptographic Length'), [192], 'later templates beat earlier ones')
  t.same(await c.values(id, 'Contact Information'), ['two'])
  t.same((await c.values(id, 'Object Group')).sort(), ['g1', 'g2', 'g3'], 'several values are united')
  t.same(await c.values(id, 'Name'), [['k', 1]], 'the template’s name stays its own')
  t.equal((await create(name('none'), ...AES.map(attribute))).result, 'ItemNotFound')
  t.equal((await create(name('k'), ...AES.map(attribute))).result, 'ItemNotFound', 'a key is no template')
})

t.test('trap 72: which attributes of a key pair win', async t => {
  const c = (await makeLab()).client({ version: 13 })
  await template(c, 'of-private', [group('template-private'), text(TAG.ContactInformation, 'template-private')])
  const common = structure(TAG.CommonTemplateAttribute, [
    name('of-private'),
    ...[algorithm('EC'), bits(256), text(TAG.ContactInformation, 'common'), group('common'), usage(3)].map(attribute),
  ])
  const own = (tag: number, ...items: Item[]): Item => c.template(items, tag)
  const reply = await c.ok(
    'CreateKeyPair',
    common,
    own(TAG.PrivateKeyTemplateAttribute, name('prv'), usage(U.Sign), text(TAG.ContactInformation, 'private')),
    own(TAG.PublicKeyTemplateAttribute, name('pub'), usage(U.Verify)),
  )
  const prv = reply.at(TAG.PrivateKeyUniqueIdentifier) as string
  const pub = reply.at(TAG.PublicKeyUniqueIdentifier) as string
  t.same(await c.values(prv, 'Cryptographic Usage Mask'), [U.Sign])
  t.same(await c.values(pub, 'Cryptographic Usage Mask'), [U.Verify])
  t.same(await c.values(prv, 'Contact Information'), ['private'])
  t.same(await c.values(pub, 'Contact Information'), ['common'], 'explicit common beats a template')
  t.same((await c.values(pub, 'Object Group')).sort(), ['common', 'template-private'])
  for (const attributeName of ['Cryptographic Algorithm', 'Cryptographic Length', 'Cryptographic Domain Parameters'])
    t.same(await c.values(prv, attributeName), await c.values(pub, attributeName), attributeName)
  t.same(await c.values(prv, 'Link'), [[ENUM.LinkType.PublicKeyLink, pub]])
  t.same(await c.values(pub, 'Link'), [[ENUM.LinkType.PrivateKeyLink, prv]])
  const differing = await c.result(
    'CreateKeyPair',
    own(TAG.PrivateKeyTemplateAttribute, algorithm('RSA'), bits(2048)),
    own(TAG.PublicKeyTemplateAttribute, algorithm('RSA'), bits(1024)),
  )
  t.equal(differing, 'InvalidField')
})

t.test('trap 73: answers hold no Template-Attribute', async t => {
  const c = (await makeLab()).client()
  t.same((await c.ok('Create', objectType('SymmetricKey'), c.template([...AES, bits(128)]))).fields, ['ObjectType', 'UniqueIdentifier'])
  t.same((await c.ok('Register', objectType('SymmetricKey'), c.template([usage(4)]), symmetricKey(KEY))).fields, ['UniqueIdentifier'])
})

t.test('trap 83: Digest over the key material', async t => {
  const c = (await makeLab()).client()
  const sha256 = (content: Buffer): Buffer => createHash('sha256').update(content).digest()
  const id = await c.register('SymmetricKey', symmetricKey(KEY), [usage(4)])
  t.same(await c.values(id, 'Digest'), [[ENUM.HashingAlgorithm.SHA_256, sha256(KEY), ENUM.KeyFormatType.Raw]])
  const inTen = (await c.in(10).ok('GetAttributes', uid(id), named('Digest'))).at(TAG.Attribute, TAG.AttributeValue) as readonly Item[]
  t.same(
    inTen.map(item => item.tag),
    [TAG.HashingAlgorithm, TAG.DigestValue],
    'without the format in 1.0',
  )
  const content = await c.register('OpaqueObject', opaque(KEY))
  t.match(await c.values(content, 'Digest'), [[ENUM.HashingAlgorithm.SHA_256, sha256(KEY)]])
})

t.test('trap 85: Sensitive, Extractable and their histories', async t => {
  const c = (await makeLab()).client()
  const flags = async (id: string): Promise<unknown[]> =>
    Promise.all(['Sensitive', 'Always Sensitive', 'Extractable', 'Never Extractable'].map(title => c.value(id, title)))
  const set = (id: string, title: string, value: boolean) => c.ok('ModifyAttribute', uid(id), custom(title, boolean(0, value)))
  const plain = await c.create()
  t.same(await flags(plain), [false, false, true, false])
  const guarded = await c.create([boolean(TAG.Sensitive, true), boolean(TAG.Extractable, false)])
  t.same(await flags(guarded), [true, true, false, true])
  await set(guarded, 'Sensitive', false)
  await set(guarded, 'Extractable', true)
  t.same(await flags(guarded), [false, false, true, false])
  await set(guarded, 'Sensitive', true)
  await set(guarded, 'Extractable', false)
  t.same(await flags(guarded), [true, false, false, false], 'the histories stay false')
  const registered = await c.register('SymmetricKey', symmetricKey(KEY), [usage(4), boolean(TAG.Sensitive, true)])
  t.equal((await flags(registered))[1], true, 'a history begins with the object, registered ones too: BL-M-12 of 2.1')
})

t.test('trap 86: Fresh ends with Get, not with Get Attributes', async t => {
  const c = (await makeLab()).client()
  const id = await c.create()
  t.equal(await c.value(id, 'Fresh'), true)
  await c.ok('GetAttributes', uid(id))
  t.equal(await c.value(id, 'Fresh'), true)
  await c.ok('Get', uid(id))
  t.equal(await c.value(id, 'Fresh'), false)
})

t.test('trap 87: Last Change Date follows each change, and Obtain Lease tells it', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.create([name('a'), usageLimits(9)])
  const changes: [what: string, work: () => Promise<unknown>][] = [
    ['Add Attribute', () => c.ok('AddAttribute', uid(id), attribute(group('g')))],
    ['Modify Attribute', () => c.ok('ModifyAttribute', uid(id), attribute(group('h')))],
    ['Delete Attribute', () => c.ok('DeleteAttribute', uid(id), named('Object Group'))],
    ['Activate', () => c.ok('Activate', uid(id))],
    ['Get Usage Allocation', () => c.ok('GetUsageAllocation', uid(id), { tag: TAG.UsageLimitsCount, type: 3, value: 1n })],
  ]
  for (const [what, work] of changes) {
    lab.now += 10n
    await work()
    t.equal(await c.value(id, 'Last Change Date'), lab.now, what)
  }
  lab.now += 10n
  await c.result('AddAttribute', uid(id), attribute(bits(1)))
  await c.ok('GetAttributes', uid(id))
  const lease = await c.ok('ObtainLease', uid(id))
  t.equal(lease.at(TAG.LastChangeDate), lab.now - 10n, 'neither reading nor a failure is a change')
})

t.test('trap 88: Original Creation Date', async t => {
  const lab = await makeLab()
  const c = lab.client()
  t.equal(await c.value(await c.create(), 'Original Creation Date'), lab.now)
  const id = await c.register('SymmetricKey', symmetricKey(KEY), [usage(4)])
  t.same(await c.values(id, 'Original Creation Date'), [])
  t.equal(await c.result('AddAttribute', uid(id), custom('Original Creation Date', date(0, 5n))), 'Success')
  t.equal(await c.result('AddAttribute', uid(id), custom('Original Creation Date', date(0, 6n))), 'IllegalOperation')
  t.equal(await c.result('ModifyAttribute', uid(id), custom('Original Creation Date', date(0, 6n))), 'PermissionDenied')
  t.equal(await c.value(id, 'Initial Date'), lab.now)
})

t.test('trap 89: Cryptographic Length is that of the clear key', async t => {
  const c = (await makeLab()).client()
  const lengths: [what: string, items: Item[], length: number][] = [
    ['3DES', [algorithm('DES3'), bits(168)], 168],
    ['AES', [algorithm('AES'), bits(192)], 192],
    ['HMAC', [algorithm('HMAC_SHA256'), bits(256)], 256],
  ]
  for (const [what, items, length] of lengths) t.equal(await c.value(await c.create(items), 'Cryptographic Length'), length, what)
  const pair = await c.ok('CreateKeyPair', c.template([algorithm('EC'), bits(384)], TAG.CommonTemplateAttribute))
  for (const tag of [TAG.PrivateKeyUniqueIdentifier, TAG.PublicKeyUniqueIdentifier])
    t.equal(await c.value(pair.at(tag) as string, 'Cryptographic Length'), 384)
  const unsaid = structure(TAG.SymmetricKey, [keyBlock(KEY)])
  const id = await c.register('SymmetricKey', unsaid, [usage(4), algorithm('AES'), bits(256)])
  t.equal(await c.value(id, 'Cryptographic Length'), 256, 'said by the attributes alone')
})

t.test('trap 90: Lease Time is the longest lease, and 0 stands for no end', async t => {
  const unlimited = (await makeLab()).client()
  const id = await unlimited.create()
  t.equal((await unlimited.ok('ObtainLease', uid(id))).at(TAG.LeaseTime), 0)
  const c = (await makeLab({ leaseTime: 3600 })).client()
  const leased = await c.create()
  t.equal(await c.value(leased, 'Lease Time'), 3600)
  t.equal((await c.ok('ObtainLease', uid(leased))).at(TAG.LeaseTime), 3600)
  t.equal(await c.result('Check', uid(leased), interval(TAG.LeaseTime, 3601)), 'PermissionDenied')
  t.equal(await c.result('Check', uid(leased), interval(TAG.LeaseTime, 3600)), 'Success')
})

t.test('trap 108: a Name is unique among all objects of a scope', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.create([name('taken')])
  const other = await c.create([name('free')])
  t.equal(await c.result('Create', objectType('SymmetricKey'), c.template([...AES, bits(128), name('taken')])), 'InvalidField')
  t.equal(await c.result('Register', objectType('OpaqueObject'), c.template([name('taken')]), opaque(KEY)), 'InvalidField')
  t.equal(await c.result('AddAttribute', uid(other), attribute(name('taken'))), 'IllegalOperation')
  t.equal(await c.result('ModifyAttribute', uid(other), attribute(name('taken'))), 'IllegalOperation')
  const v2 = c.in(21)
  t.equal(await v2.result('Create', objectType('SymmetricKey'), v2.template([...AES, bits(128), name('taken')])), 'NonUniqueNameAttribute')
  t.equal(await v2.result('AddAttribute', uid(other), structure(TAG.NewAttribute, [name('taken')])), 'NonUniqueNameAttribute')
  t.equal(
    await lab.client({ scope: 'scope-2' }).result('Create', objectType('SymmetricKey'), c.template([...AES, bits(128), name('taken')])),
    'Success',
  )
  t.equal(await c.result('ModifyAttribute', uid(id), attribute(name('taken'))), 'Success', 'its own name may be written again')
  await c.ok('Destroy', uid(id))
  t.equal(await c.result('AddAttribute', uid(other), attribute(name('taken'))), 'Success', 'a destroyed object lets its name go')
})

t.test('trap 109: Application Data left out', async t => {
  const c = (await makeLab()).client()
  const [namespace] = (await c.ok('Query', enumeration(TAG.QueryFunction, ENUM.QueryFunction.QueryApplicationNamespaces))).all(
    TAG.ApplicationNamespace,
  )
  const id = await c.create([application(String(namespace!.value)), application('LIBRARY-LTO4', 'volume')])
  const [made, given] = (await c.values(id, 'Application Specific Information')) as [string, string][]
  t.ok(made![1].length > 8, 'made up for a namespace that Query announces')
  t.same(given, ['LIBRARY-LTO4', 'volume'])
  for (const [operation, ...payload] of [
    ['Create', objectType('SymmetricKey'), c.template([...AES, bits(128), application('LIBRARY-LTO4')])],
    ['AddAttribute', uid(id), attribute(application('LIBRARY-LTO4'))],
  ] as ['Create' | 'AddAttribute', ...Item[]][])
    t.equal(await c.result(operation, ...payload), 'ApplicationNamespaceNotSupported', operation)
})

t.test('trap 166: thirty custom attributes of 256 characters, thirty-two items in a batch', async t => {
  const c = (await makeLab()).client({ version: 10 })
  const id = await c.create(Array.from({ length: 30 }, (_, n) => x(`a${n}`, 'v'.repeat(256))))
  t.equal(
    (await c.ok('GetAttributes', uid(id))).all(TAG.Attribute).filter(item => String(attributeTitle(item)).startsWith('x-a')).length,
    30,
  )
  const batch = await c.send(Array.from({ length: 32 }, () => ['GetAttributes', uid(id), named('x-a1')] as const))
  t.same(batch.results, Array(32).fill('Success'))
})

t.test('attribute values of the wrong type or form', async t => {
  const c = (await makeLab()).client()
  const CASES: [string, Item][] = [
    ['Cryptographic Length', text(0, '128')],
    ['Name', text(0, 'plain')],
    ['Name', structure(0, [text(TAG.NameValue, 'n')])],
    ['Name', structure(0, [text(TAG.NameValue, 'n'), enumeration(TAG.NameType, 1), integer(TAG.BatchCount, 1)])],
    ['Activation Date', integer(0, 1)],
    ['Usage Limits', structure(0, [])],
    ['Link', structure(0, [bytes(TAG.LinkedObjectIdentifier, KEY)])],
  ]
  for (const [title, value] of CASES)
    t.match(
      await c.result('Create', objectType('SymmetricKey'), c.template([...AES, custom(title, value)])),
      /^Invalid(Field|Message)$/,
      title,
    )
})
