import t from 'tap'
import { requestMessage } from '../../src/client/message.ts'
import { encode } from '../../src/ttlv/binary.ts'
import { ENUM, ENUM_VERSIONS, MASK } from '../../src/ttlv/enumerations.ts'
import { boolean, bytes, child, dateTime, enumeration, enumName, type Item, integer, structure, TYPE, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  AES,
  algorithm,
  bits,
  captured,
  custom,
  data,
  group,
  indexed,
  keyBlock,
  makeLab,
  name,
  named,
  objectType,
  opaque,
  parameters,
  revocation,
  secretData,
  symmetricKey,
  U,
  uid,
  usage,
  withId,
  x,
} from './harness.ts'

// What breaks real clients of KMIP, each point under the number that the project gives it.

const KEY = Buffer.alloc(32, 7)
const functions = (...names: (keyof typeof ENUM.QueryFunction)[]): Item[] =>
  names.map(one => enumeration(TAG.QueryFunction, ENUM.QueryFunction[one]))

t.test('client 2: Time Stamp in every response header, also of what cannot be read', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const stamps: [what: string, request: Buffer][] = [
    ['a success', encode(requestMessage([{ operation: 'Query', payload: functions('QueryOperations') }]))],
    ['a failure', encode(requestMessage([{ operation: 'Get', payload: [uid('none')] }]))],
    ['a version that is not spoken', encode(requestMessage([{ operation: 'Query', payload: [] }], { version: 93 }))],
    ['rubbish', Buffer.from('rubbish')],
    ['nothing', Buffer.alloc(0)],
  ]
  for (const [what, request] of stamps) {
    const message = await c.raw(request)
    t.same(message.headerFields.slice(0, 2), ['ProtocolVersion', 'TimeStamp'], what)
    t.equal(child(message.header, TAG.TimeStamp)?.value, lab.now)
  }
})

t.test('client 3: a correlation value only to requests of 1.4 and later', async t => {
  const c = (await makeLab()).client()
  for (const version of [10, 12, 13, 14, 21]) {
    const request = requestMessage([{ operation: 'Query', payload: [] }], { version, clientCorrelationValue: 'a1' })
    const message = await c.raw(encode(request))
    t.equal(message.reply.result, 'Success', `${version} may carry one`)
    const value = child(message.header, TAG.ClientCorrelationValue)?.value
    t.equal(value, version < 14 ? undefined : 'a1', `${version} gets ${version < 14 ? 'none' : 'its own'}`)
  }
})

t.test('client 4: reasons and enumerations of the version that was asked', async t => {
  const c = (await makeLab()).client()
  for (const version of [10, 11, 12, 13, 14])
    for (const operation of ['Get', 'GetAttributes', 'Activate', 'Destroy', 'GetAttributeList'] as const)
      t.equal(await c.in(version).result(operation, uid('unknown')), 'ItemNotFound', `${operation} of what is not there in ${version}`)
  for (const version of [20, 21]) t.equal(await c.in(version).result('Get', uid('unknown')), 'ObjectNotFound')
  for (const version of [10, 11, 12, 13, 14, 20, 21]) {
    const reply = await c.in(version).ok('Query', ...functions('QueryOperations', 'QueryObjects'))
    for (const [tag, kind] of [
      [TAG.Operation, 'Operation'],
      [TAG.ObjectType, 'ObjectType'],
    ] as const)
      for (const item of reply.all(tag)) {
        const [since, until] = ENUM_VERSIONS[kind]?.[enumName(kind, Number(item.value))] ?? [10, 30]
        if (version < since || version > until) t.fail(`${version} is offered ${enumName(kind, Number(item.value))}`)
      }
  }
  const offered = async (version: number): Promise<string[]> =>
    (await c.in(version).ok('Query', ...functions('QueryOperations')))
      .all(TAG.Operation)
      .map(one => enumName('Operation', Number(one.value)))
  t.notOk((await offered(12)).includes('Import'))
  t.ok((await offered(14)).includes('Import'))
  t.notOk((await offered(10)).includes('DiscoverVersions'))
})

t.test('client 5: a Result Message on every failure', async t => {
  // That the message is there is checked for every answer of these tests; here, that it tells something.
  const c = (await makeLab()).client()
  for (const operation of ['Get', 'Create', 'Revoke', 'Encrypt', 'Poll', 0x7fff] as const)
    t.ok((await c.try(operation)).message!.length > 10, `${operation}`)
})

t.test('client 6: Key Value holds the Key Material alone, and Get answers nothing besides', async t => {
  const c = (await makeLab()).client()
  const pair = await c.ok('CreateKeyPair', c.template([algorithm('RSA'), bits(2048)], TAG.CommonTemplateAttribute))
  const ids = [
    await c.create([name('k'), group('g'), x('foo', 'bar')]),
    await c.register('SymmetricKey', symmetricKey(KEY), [usage(12), name('r')]),
    await c.register('SecretData', secretData(KEY), [usage(0)]),
    pair.at(TAG.PrivateKeyUniqueIdentifier) as string,
    pair.at(TAG.PublicKeyUniqueIdentifier) as string,
  ]
  for (const id of ids)
    for (const version of [10, 14, 21]) {
      const reply = await c.in(version).ok('Get', uid(id))
      t.equal(reply.fields.length, 3)
      t.same(reply.fields.slice(0, 2), ['ObjectType', 'UniqueIdentifier'])
      const object = reply.payload!.type === TYPE.Structure ? reply.payload!.value[2]! : undefined
      const value = child(child(object!, TAG.KeyBlock)!, TAG.KeyValue)!
      t.same(value.type === TYPE.Structure && value.value.map(item => item.tag), [TAG.KeyMaterial], `${reply.fields[2]} in ${version}`)
    }
})

t.test('client 7: Unique Batch Item ID is echoed for one item too', async t => {
  const c = (await makeLab()).client()
  for (const length of [1, 4, 8, 12, 16]) {
    const id = Buffer.alloc(length, length)
    for (const payload of [functions('QueryObjects'), [uid('unknown')]]) {
      const message = requestMessage([{ operation: payload.length > 1 ? 'Query' : 'Get', payload, id }])
      t.same((await c.raw(encode(message))).reply.batchId, id)
    }
  }
  t.equal((await c.try('Query')).batchId, undefined, 'none is made up')
})

t.test('client 8: Discover Versions answers what both speak', async t => {
  const c = (await makeLab()).client()
  const version = (major: number, minor: number): Item =>
    structure(TAG.ProtocolVersion, [integer(TAG.ProtocolVersionMajor, major), integer(TAG.ProtocolVersionMinor, minor)])
  const CASES: [asked: [number, number][], answered: string[]][] = [
    [[[1, 4]], ['1.4']],
    [[[1, 4], [1, 3], [1, 2], [1, 1], [1, 0]], ['1.4', '1.3', '1.2', '1.1', '1.0']],
    [[[1, 0], [9, 9]], ['1.0']],
    [[[9, 9]], []],
    [[], ['2.1', '2.0', '1.4', '1.3', '1.2', '1.1', '1.0']],
  ] // biome-ignore format: one case a line
  for (const [asked, answered] of CASES)
    for (const spoken of [11, 14, 21]) {
      const reply = await c.in(spoken).ok('DiscoverVersions', ...asked.map(([major, minor]) => version(major, minor)))
      const got = reply
        .all(TAG.ProtocolVersion)
        .map(one => `${child(one, TAG.ProtocolVersionMajor)?.value}.${child(one, TAG.ProtocolVersionMinor)?.value}`)
      t.same(got, answered, `${JSON.stringify(asked)} in ${spoken}`)
    }
  const recorded = await c.raw(captured('kmip-go').get('discover-versions-1.4')!)
  t.equal(recorded.reply.all(TAG.ProtocolVersion).length, 1, 'as kmip-go, Rook and ceph-csi ask')
})

t.test('client 9: fields of later versions are honoured and not sent', async t => {
  const c = (await makeLab()).client()
  for (let n = 0; n < 5; n++) await c.create([name(`k${n}`)])
  const page = (offset: number): Promise<string[]> =>
    c.in(10).locate([objectType('SymmetricKey')], integer(TAG.MaximumItems, 2), integer(TAG.OffsetItems, offset))
  const pages = [await page(0), await page(2), await page(4), await page(6)]
  t.same(
    pages.map(one => one.length),
    [2, 2, 1, 0],
    'Offset Items in 1.0 ends',
  )
  t.equal(new Set(pages.flat()).size, 5)
  t.same(
    (await c.in(10).ok('Locate', custom('Object Type', objectType('SymmetricKey')))).fields.includes('LocatedItems'),
    false,
    'no Located Items to 1.0',
  )
  const message = await c.raw(captured('kmippp').get('locate-1.0-2')!)
  t.equal(message.reply.result, 'Success', 'the request as kmippp sends it')

  const mongo = captured('pymongocrypt')
  const id = (await c.raw(mongo.get('create-1.2')!)).reply.id
  await c.ok('Activate', uid(id))
  const encrypted = (await c.raw(withId(mongo.get('encrypt-1.2')!, id))).reply
  t.equal(encrypted.result, 'Success', 'Random IV in 1.2')
  t.same(encrypted.fields, ['UniqueIdentifier', 'Data', 'IVCounterNonce'])
  const [clear] = [encrypted.at(TAG.Data), encrypted.at(TAG.IVCounterNonce)] as [Buffer, Buffer]
  const again = await c.in(12).ok('Decrypt', uid(id), parameters({ mode: 'CBC', padding: 'PKCS5', algorithm: 'AES' }), data(clear), {
    tag: TAG.IVCounterNonce,
    type: TYPE.ByteString,
    value: encrypted.at(TAG.IVCounterNonce) as Buffer,
  })
  t.equal((again.at(TAG.Data) as Buffer).length, 96)
})

t.test('client 10: custom attributes of any primitive type', async t => {
  const c = (await makeLab()).client()
  const VALUES: Item[] = [
    text(TAG.AttributeValue, 'text'),
    integer(TAG.AttributeValue, 5),
    bytes(TAG.AttributeValue, Buffer.from([1, 2])),
    boolean(TAG.AttributeValue, true),
    dateTime(TAG.AttributeValue, 12),
    enumeration(TAG.AttributeValue, 3),
    { tag: TAG.AttributeValue, type: TYPE.LongInteger, value: 1n << 40n },
    { tag: TAG.AttributeValue, type: TYPE.Interval, value: 9 },
  ]
  for (const version of [10, 14])
    for (const value of VALUES) {
      const client = c.in(version)
      const id = await client.create([custom('x-Made', value)])
      const registered = await client.register('SymmetricKey', symmetricKey(KEY), [usage(12), custom('x-Made', value)])
      await client.ok('AddAttribute', uid(id), custom('x-Added', value))
      for (const attributeName of ['x-Made', 'x-Added']) {
        const got = (await client.ok('GetAttributes', uid(id), named(attributeName))).all(TAG.Attribute)
        t.same(got, [custom(attributeName, value)], `${attributeName} of type ${value.type} in ${version}`)
      }
      t.same(await client.locate([custom('x-Made', value)]), [registered, id])
      t.same(await client.locate([custom('x-Added', value)]), [id])
      t.same(await client.locate([custom('x-Added', value), custom('x-Made', text(0, 'other'))]), [])
      for (const one of [id, registered]) await client.ok('Destroy', uid(one))
    }
  const id = await c.in(11).create()
  const absent = await c.in(11).ok('GetAttributes', uid(id), named('x-Product_Version'))
  t.same(absent.fields, ['UniqueIdentifier'], 'an absent one is an empty success, as vSphere expects')
  t.equal(await c.result('AddAttribute', uid(id), custom('x-Big', text(0, 'a'.repeat(1000)))), 'Success')
})

t.test('client 11: Operation Policy Name is kept as it is given', async t => {
  const c = (await makeLab()).client({ version: 12 })
  const policy = text(TAG.OperationPolicyName, 'default')
  const created = await c.create([policy])
  const registered = await c.register('SecretData', secretData(KEY), [usage(2), policy])
  const added = await c.create()
  await c.ok('AddAttribute', uid(added), custom('Operation Policy Name', text(0, 'any text')))
  t.same(await c.values(created, 'Operation Policy Name'), ['default'])
  t.same(await c.values(registered, 'Operation Policy Name'), ['default'])
  t.same(await c.values(added, 'Operation Policy Name'), ['any text'])
  t.same(await c.values(await c.create(), 'Operation Policy Name'), [], 'none is made up')
})

t.test('client 12: filters of a Locate inside a Template-Attribute', async t => {
  const c = (await makeLab()).client({ version: 10 })
  const id = await c.create([name('fortigate-1')])
  await c.create([name('fortigate-2')])
  const find = async (value: string): Promise<string[]> =>
    (await c.ok('Locate', integer(TAG.MaximumItems, 1), c.template([name(value)]))).ids
  t.same(await find('fortigate-1'), [id])
  t.same(await find('fortigate-3'), [])
})

t.test('client 13: the ID Placeholder through ordered batches, and Continue', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 10 })
  const id = await c.create([name('array'), x('ResourceID', 'r1')])
  await c.create([name('other')])
  const array = await c.send(
    [
      ['Query', ...functions('QueryServerInformation')],
      ['Locate', x('ResourceID', 'r1')],
      ['Get', enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Opaque)],
      ['GetAttributes', named('Name')],
    ],
    { batchOrder: true, errorContinuation: 'Continue' },
  )
  t.same(array.results, ['Success', 'Success', 'Success', 'Success'])
  t.equal(array.replies[2]!.id, id)
  t.equal(array.replies[3]!.id, id)

  const fortigate = await c.send(
    ['a', 'array', 'b', 'other'].map(one => ['Locate', integer(TAG.MaximumItems, 1), c.template([name(one)])]),
    { batchOrder: true, errorContinuation: 'Continue' },
  )
  t.same(
    fortigate.replies.map(one => one.ids.length),
    [0, 1, 0, 1],
  )

  const scylla = await c.send(
    [
      ['Get', uid(id), enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw)],
      ['GetAttributes', uid(id)],
    ],
    {
      batchOrder: true,
    },
  )
  t.same(scylla.results, ['Success', 'Success'])
  t.equal(scylla.replies[0]!.at(TAG.SymmetricKey, TAG.KeyBlock, TAG.CryptographicAlgorithm), ENUM.CryptographicAlgorithm.AES)
  t.ok(scylla.replies[1]!.all(TAG.Attribute).length > 8)

  const vsphere = await c.in(11).send([
    ['AddAttribute', uid(id), x('Product_Version', '7')],
    ['AddAttribute', uid(id), x('Vendor', 'v')],
    ['AddAttribute', uid(id), x('Product', 'p')],
  ])
  t.same(vsphere.results, ['Success', 'Success', 'Success'], 'without Batch Order')

  const credential = structure(TAG.Credential, [
    enumeration(TAG.CredentialType, ENUM.CredentialType.UsernameAndPassword),
    structure(TAG.CredentialValue, [text(TAG.Username, 'fgt'), text(TAG.Password, 'secret')]),
  ])
  const header = { version: 10, credentials: [credential], maximumResponseSize: 65536 }
  t.equal((await c.raw(encode(requestMessage([{ operation: 'Get', payload: [uid(id)] }], header)))).reply.result, 'Success')
})

t.test('client 14: Modify and Delete Attribute of 1.x answer the attribute', async t => {
  const c = (await makeLab()).client({ version: 12 })
  const id = await c.create([name('first'), name('second')])
  const answered = async (operation: 'ModifyAttribute' | 'DeleteAttribute', ...payload: Item[]) =>
    (await c.ok(operation, uid(id), ...payload)).all(TAG.Attribute)
  t.same(await answered('ModifyAttribute', custom('Name', name('third'))), [custom('Name', name('third'))], 'no index means 0')
  t.same(await c.values(id, 'Name'), [
    ['third', 1],
    ['second', 1],
  ])
  t.same(await answered('ModifyAttribute', custom('Name', name('fourth'), 1)), [custom('Name', name('fourth'), 1)])
  t.same(await answered('DeleteAttribute', named('Name'), integer(TAG.AttributeIndex, 1)), [custom('Name', name('fourth'), 1)])
  t.same(await answered('DeleteAttribute', named('Name')), [custom('Name', name('third'))])
  t.same(await c.values(id, 'Name'), [])
  const added = (await c.ok('AddAttribute', uid(id), custom('Name', name('fifth')))).all(TAG.Attribute)
  t.same(added, [custom('Name', name('fifth'), 2)], 'and so does Add Attribute')
})

t.test('client 15: the client’s Time Stamp is not policed', async t => {
  const lab = await makeLab()
  const c = lab.client()
  for (const timeStamp of [0n, lab.now - 86_400n * 365n, lab.now + 1n, lab.now + 86_400n, (1n << 63n) - 1n, -5n])
    t.equal(
      (await c.raw(encode(requestMessage([{ operation: 'Query', payload: [] }], { timeStamp })))).reply.result,
      'Success',
      `${timeStamp}`,
    )
})

t.test('client 19: Maximum Response Size turns a long answer into Response Too Large', async t => {
  const c = (await makeLab()).client({ version: 10 })
  const ids: string[] = []
  for (let n = 0; n < 200; n++) ids.push(await c.create())
  const small = await c.send([['Locate', custom('Object Type', objectType('SymmetricKey'))]], { maximumResponseSize: 8192 })
  t.same(small.results, ['ResponseTooLarge'])
  t.ok(small.bytes.length <= 8192)
  const page = await c.send([['Locate', integer(TAG.MaximumItems, 100), custom('Object Type', objectType('SymmetricKey'))]], {
    maximumResponseSize: 8192,
  })
  t.same(page.reply.ids, ids.slice(100).reverse())
  for (const size of [8192, 256]) {
    const attributes = await c.send([['GetAttributes', uid(ids[0]!)]], { maximumResponseSize: size })
    t.equal(attributes.reply.result, size > 256 ? 'Success' : 'ResponseTooLarge')
    t.ok(attributes.bytes.length <= size)
  }
})

t.test('client 20: leniencies that clients count on', async t => {
  const c = (await makeLab()).client({ version: 11 })
  const ok = async (what: string, work: Promise<unknown>): Promise<void> => {
    await t.resolves(work, what)
  }
  const indexedAttributes = [...AES, bits(256), name('mysql')].map(item => indexed(item, 0))
  await ok(
    'Attribute Index 0 on every attribute',
    c.ok('Create', objectType('SymmetricKey'), structure(TAG.TemplateAttribute, indexedAttributes)),
  )
  await ok('Add Attribute with index 0', c.ok('AddAttribute', uid(await c.create()), custom('x-Key', text(0, 'v'), 0)))
  await ok('an empty Object Group', c.register('SymmetricKey', symmetricKey(KEY), [usage(12), group('')]))
  await ok(
    'Key Compression Type on an AES key',
    c.register('SymmetricKey', symmetricKey(KEY, { compression: 1 }), [usage(12), name('tde')]),
  )
  await ok('usage mask 0 on Secret Data', c.register('SecretData', secretData(KEY, 'Seed'), [usage(0)]))
  await ok('Secret Data without a usage mask', c.register('SecretData', secretData(KEY)))
  await ok('an opaque object of a vendor’s type', c.register('OpaqueObject', opaque(KEY, 0x80000000)))
  const rsa = [algorithm('RSA'), bits(2048)]
  await ok('a key pair without a usage mask', c.ok('CreateKeyPair', c.template(rsa, TAG.CommonTemplateAttribute)))
  const asOpaque = structure(TAG.SymmetricKey, [keyBlock(KEY, { format: 'Opaque', algorithm: 'AES', length: 256 })])
  const id = await c.register('SymmetricKey', asOpaque, [usage(12)])
  t.same((await c.ok('Get', uid(id))).all(TAG.SymmetricKey), [asOpaque], 'a key in Key Format Opaque')
  await ok('Destroy of what was never activated', c.ok('Destroy', uid(id)))
  await ok('Revoke and Destroy of what was never activated', (async () => {
    const never = await c.create()
    await c.ok('Revoke', uid(never), revocation('CessationOfOperation'))
    await c.ok('Destroy', uid(never))
  })()) // biome-ignore format: one leniency, one statement
  const mask = custom('Storage Status Mask', integer(0, MASK.StorageStatusMask.OnLineStorage))
  const found = await c.ok('Locate', mask, custom('Name', name('mysql')))
  t.equal(found.ids.length, 1, 'Storage Status Mask as if it were an attribute')
})

t.test('client 21: identifiers are short, and come back as they were given', async t => {
  const c = (await makeLab()).client()
  const id = await c.create()
  t.ok(id.length <= 127)
  t.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  const long = 'k'.repeat(127)
  const imported = (identifier: string): Promise<string> =>
    c.result('Import', uid(identifier), custom('Cryptographic Usage Mask', usage(12)), symmetricKey(KEY))
  t.equal(await imported(long), 'Success')
  t.equal(await imported(`${long}k`), 'InvalidField')
  t.equal((await c.ok('Get', uid(long))).id, long)
})

// Whole exchanges as they were recorded, the identifiers being ours.
const EXCHANGES: [client: string, steps: string[]][] = [
  ['libkmip', ['query-1.0', 'create-1.0', 'get-1.0', 'destroy-1.0']],
  [
    'kmippp',
    ['register-1.4', 'activate-1.0', 'locate-1.0', 'get-1.0', 'get-attributes-1.4', 'revoke-1.0', 'destroy-1.0', 'register-1.4-2', 'locate-1.0-4', 'create-1.0'],
  ],
  ['pymongocrypt', ['register-1.0', 'activate-1.0', 'get-1.0', 'create-1.2', 'activate-1.0', 'encrypt-1.2']],
  ['kmip-go', ['register-1.4', 'get-1.4', 'destroy-1.4', 'create-1.4', 'activate-1.4', 'encrypt-1.4', 'decrypt-1.4', 'revoke-1.4', 'destroy-1.4']],
] // biome-ignore format: one client, one row
for (const [client, steps] of EXCHANGES)
  t.test(`what ${client} sends is answered as it expects`, async t => {
    const recorded = captured(client)
    const c = (await makeLab()).client()
    let id = 'none'
    for (const step of steps) {
      const request = recorded.get(step)!
      const message = await c.raw(/^(create|register|query|locate|discover)/.test(step) ? request : withId(request, id))
      const { reply } = message
      // The ciphertext of the recording is another key's.
      t.match(reply.result, step.startsWith('decrypt') ? /^(CryptographicFailure|Success)$/ : /^Success$/, step)
      if (/^(create|register)/.test(step)) id = reply.id
      if (/^(activate|revoke|destroy|get)/.test(step)) t.equal(reply.id, id, `${step} repeats the identifier`)
      t.equal(`${Math.floor(message.version / 10)}.${message.version % 10}`, /-(\d\.\d)/.exec(step)![1])
    }
  })

for (const [client, refused] of [
  ['pykmip', {}],
  [
    'pykmip-2.0',
    {
      'delete-attribute': 'AttributeInstanceNotFound',
      sign: 'IncompatibleCryptographicUsageMask',
      'signature-verify': 'IncompatibleCryptographicUsageMask',
    },
  ],
] as const)
  t.test(`every message that ${client} was recorded with is answered`, async t => {
    const c = (await makeLab()).client()
    const mask = U.Encrypt | U.Decrypt | U.DeriveKey | U.MACGenerate | U.WrapKey
    const id = await c.register('SymmetricKey', symmetricKey(KEY), [usage(mask)])
    await c.ok('Activate', uid(id))
    const failed: Record<string, string> = {}
    for (const [key, request] of captured(client)) {
      let message = request
      if (/^(activate|destroy|revoke|modify|delete|set-attr)/.test(key))
        message = withId(request, await c.create([name(`a ${key}`), name(`b ${key}`)]))
      else if (!/^(create|register|locate)/.test(key)) message = withId(request, id)
      const { result } = (await c.raw(message)).reply
      if (result !== 'Success') failed[key.replace(/-\d\.\d/, '')] = result
    }
    t.same(failed, {
      // Recorded ciphertexts and names are of other keys, and our key cannot sign.
      decrypt: 'CryptographicFailure',
      'decrypt-3': 'CryptographicFailure',
      'decrypt-4': 'CryptographicFailure',
      sign: 'PermissionDenied',
      'signature-verify': 'PermissionDenied',
      ...refused,
    })
  })

t.test('a program that uses PyKMIP and says no names registers more than one object', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const key = (): Item => symmetricKey(KEY)
  const called = (value: string): Item[] => [usage(U.Encrypt), name(value)]
  const first = await c.register('SymmetricKey', key(), called('Symmetric Key'))
  const second = await c.register('SymmetricKey', key(), called('Symmetric Key'))
  const third = await lab.client({ engine: lab.anotherEngine(), version: 20 }).register('SymmetricKey', key(), called('Symmetric Key'))
  const names = async (id: string): Promise<unknown[]> => [
    (await c.values(id, 'Name')).length,
    (await c.values(id, 'Alternative Name')).length,
  ]
  t.same(await names(first), [1, 0])
  t.same(await names(second), [0, 1], 'further ones have it as Alternative Name')
  t.same(await names(third), [0, 1])
  t.same(await c.locate([name('Symmetric Key')]), [first])
  await c.register('SecretData', secretData(KEY), called('Secret Data'))
  await c.register('SecretData', secretData(KEY), called('Secret Data'))
  const undone = await c.send(
    [
      ['Register', objectType('SecretData'), c.template(called('Secret Data')), secretData(KEY)],
      ['Register', objectType('SecretData'), c.template(called('Secret Data')), secretData(KEY)],
    ],
    { errorContinuation: 'Undo' },
  )
  t.same(undone.results, ['Success', 'Success'], 'also where a batch is one unit')
  await c.ok('Destroy', uid(first))
  t.same(await names(await c.register('SymmetricKey', key(), called('Symmetric Key'))), [1, 0], 'a name that became free is given again')
  const registered = async (type: 'SymmetricKey' | 'SecretData', object: Item, value: string): Promise<string> =>
    await c.result('Register', objectType(type), c.template(called(value)), object)
  t.equal(await registered('SecretData', secretData(KEY), 'Symmetric Key'), 'InvalidField', 'it is the name of keys')
  await c.register('SymmetricKey', key(), called('mine'))
  t.equal(await registered('SymmetricKey', key(), 'mine'), 'InvalidField', 'and no other name is given twice')
})
