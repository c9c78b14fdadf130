import { createHash } from 'node:crypto'
import t from 'tap'
import { requestMessage } from '../../src/client/message.ts'
import { encode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { boolean, bytes, child, enumeration, type Item, integer, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import {
  algorithm,
  attribute,
  bits,
  type Client,
  custom,
  data,
  type Message,
  makeLab,
  name,
  named,
  objectType,
  parameters,
  rewrite,
  U,
  uid,
  usage,
} from './harness.ts'

// Traps of TTLV, messages, batches, Discover Versions and Query, each under the number that the project gives it.

const query = (...names: (keyof typeof ENUM.QueryFunction)[]): Item[] =>
  names.map(one => enumeration(TAG.QueryFunction, ENUM.QueryFunction[one]))
const message = (payload: readonly Item[], operation: keyof typeof ENUM.Operation = 'Query', version = 14): Item =>
  requestMessage([{ operation, payload }], { version })
/** Put fields at the end of every structure with this tag. */
const extend = (item: Item, tag: number, ...more: Item[]): Item =>
  rewrite(item, one => (one.tag === tag && one.type === 1 ? structure(tag, [...one.value, ...more]) : undefined))
/** A message whose header has other fields in front of Batch Count. */
const withHeader = (item: Item, ...more: Item[]): Buffer =>
  encode(
    rewrite(item, one =>
      one.tag === TAG.RequestHeader && one.type === 1 ? structure(one.tag, [one.value[0]!, ...more, ...one.value.slice(1)]) : undefined,
    ),
  )
const refusal = (t: Tap, answer: Message, reason: string, version: number): void => {
  t.same(answer.results, [reason])
  t.equal(answer.reply.operation, undefined, 'no Operation')
  t.equal(answer.version, version, 'the version of the request')
  t.equal(answer.close, false)
}
type Tap = { same: typeof t.same; equal: typeof t.equal }

t.test('trap 14: a field that stands twice is Invalid Message', async t => {
  const c = (await makeLab()).client()
  const id = await c.create()
  t.equal(await c.result('Get', uid(id), uid(id)), 'InvalidMessage')
  const twice = integer(TAG.MaximumResponseSize, 9999)
  t.same((await c.raw(withHeader(message([]), twice, twice))).results, ['InvalidMessage'])
  const format = enumeration(TAG.KeyFormatType, 1)
  t.equal(await c.result('Get', uid(id), format, format), 'InvalidMessage')
})

t.test('trap 15: an unknown field is Invalid Field', async t => {
  const c = (await makeLab()).client()
  const id = await c.create()
  t.equal(await c.result('Get', uid(id), integer(0x540001, 1)), 'InvalidField')
  t.equal(await c.result('Get', uid(id), integer(TAG.MaximumItems, 1)), 'InvalidField')
  const attributes = structure(TAG.Attributes, [
    enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm.AES),
    integer(TAG.CryptographicLength, 128),
    integer(TAG.CryptographicUsageMask, 12),
  ])
  const type = enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey)
  t.equal(await c.in(14).result('Create', type, attributes), 'InvalidField', 'a field of 2.x in 1.x')
  t.equal(await c.in(21).result('Create', type, attributes), 'Success')
  t.same((await c.raw(withHeader(message([]), integer(0x540001, 1)))).results, ['InvalidField'])
})

t.test('trap 11: fields may come in any order', async t => {
  const c = (await makeLab()).client()
  const create = c.template([algorithm('AES'), bits(128), usage(12)])
  t.equal(await c.result('Create', create, objectType('SymmetricKey')), 'Success')
})

t.test('trap 16: what is nested, claimed or batched beyond measure is refused', async t => {
  const c = (await makeLab({ maxBatch: 3 })).client()
  let deep: Item = structure(TAG.Attributes, [])
  for (let n = 0; n < 40; n++) deep = structure(TAG.Attributes, [deep])
  refusal(t, await c.raw(encode(message([deep]))), 'InvalidMessage', 14)
  const long = encode(message([]))
  long.writeUInt32BE(0xfffffff8, 4)
  t.same((await c.raw(long)).results, ['InvalidMessage'])
  const many = await c.send(Array.from({ length: 4 }, () => ['Query'] as const))
  refusal(t, many, 'InvalidMessage', 14)
  t.equal((await c.send(Array.from({ length: 3 }, () => ['Query'] as const))).results.length, 3)
})

t.test('trap 26: a version that is not spoken is refused in that version', async t => {
  const c = (await makeLab()).client()
  for (const [version, reason] of [
    [15, 'InvalidMessage'],
    [22, 'UnsupportedProtocolVersion'],
    [30, 'UnsupportedProtocolVersion'],
    [70, 'UnsupportedProtocolVersion'],
  ] as const)
    refusal(t, await c.raw(encode(message([], 'Query', version))), reason, version)
})

t.test('trap 27: a message that cannot be parsed is answered without a header of its own', async t => {
  const c = (await makeLab()).client()
  const broken = encode(message([uid('a')], 'Get', 12))
  broken.writeUInt8(0x7f, broken.length - 16 + 3 - 8 + 8)
  const CASES: [what: string, request: Buffer, version: number][] = [
    ['an item type that does not exist', broken, 12],
    ['cut off', encode(message([])).subarray(0, -8), 14],
    ['bytes after the end', Buffer.concat([encode(message([], 'Query', 11)), Buffer.alloc(8)]), 11],
    ['no request message', encode(structure(TAG.ResponseMessage, [])), 21],
    ['no header', encode(structure(TAG.RequestMessage, [])), 21],
    ['no item', encode(structure(TAG.RequestMessage, [child(message([]), TAG.RequestHeader)!])), 14],
    ['empty', Buffer.alloc(0), 21],
  ]
  for (const [what, request, version] of CASES) {
    const answer = await c.raw(request)
    t.match(answer.results, [/^(InvalidMessage|CodecError)$/], what)
    t.equal(answer.version, version, what)
    t.equal(answer.reply.operation, undefined)
  }
})

t.test('trap 29: Batch Count is required and must be right', async t => {
  const c = (await makeLab()).client()
  const count = (value: Item[]): Buffer =>
    encode(
      rewrite(message([]), one =>
        one.tag === TAG.RequestHeader && one.type === 1 ? structure(one.tag, [one.value[0]!, ...value]) : undefined,
      ),
    )
  refusal(t, await c.raw(count([])), 'InvalidMessage', 14)
  refusal(t, await c.raw(count([integer(TAG.BatchCount, 2)])), 'InvalidMessage', 14)
  refusal(t, await c.raw(count([integer(TAG.BatchCount, 0)])), 'InvalidMessage', 14)
  t.same((await c.raw(count([integer(TAG.BatchCount, 1)]))).results, ['Success'])
})

t.test('trap 30: a Unique Batch Item ID in each of several items', async t => {
  const c = (await makeLab()).client()
  const two = requestMessage([
    { operation: 'Query', payload: [] },
    { operation: 'Query', payload: [] },
  ])
  const without = rewrite(two, one =>
    one.tag === TAG.BatchItem && one.type === 1
      ? structure(
          one.tag,
          one.value.filter(field => field.tag !== TAG.UniqueBatchItemID),
        )
      : undefined,
  )
  refusal(t, await c.raw(encode(without)), 'InvalidMessage', 14)
  const answer = await c.raw(encode(two))
  t.same(
    answer.replies.map(reply => reply.batchId),
    [Buffer.from([1]), Buffer.from([2])],
  )
})

const SOME = [algorithm('AES'), bits(128), usage(12)]
const step = (c: Client, ...more: Item[]) => ['Create', objectType('SymmetricKey'), c.template([...SOME, ...more])] as const
const count = async (c: Client): Promise<number> => (await c.in(14).locate([])).length

t.test('trap 34: Stop leaves the rest out of the answer', async t => {
  const c = (await makeLab()).client()
  for (const errorContinuation of [undefined, 'Stop'] as const) {
    const before = await count(c)
    const answer = await c.send([step(c), ['Get', uid('none')], step(c)], errorContinuation ? { errorContinuation } : {})
    t.same(answer.results, ['Success', 'ItemNotFound'], `trap 38: the default is ${errorContinuation ?? 'Stop'}`)
    t.equal(await count(c), before + 1)
  }
})

t.test('trap 34: Continue answers every item', async t => {
  const c = (await makeLab()).client()
  const answer = await c.send([step(c), ['Get', uid('none')], step(c)], { errorContinuation: 'Continue' })
  t.same(answer.results, ['Success', 'ItemNotFound', 'Success'])
  t.equal(await count(c), 2)
})

t.test('trap 36: Undo takes everything back and answers Operation Undone, with payloads', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const id = await c.create([name('before')])
  const limited = await c.active([usageLimited(5)])
  const undo = (...steps: Parameters<Client['send']>[0]): Promise<Message> => c.send(steps, { errorContinuation: 'Undo' })
  const answer = await undo(
    ['Activate', uid(id)],
    ['ModifyAttribute', uid(id), custom('Name', name('after'))],
    ['GetUsageAllocation', uid(limited), long(TAG.UsageLimitsCount, 3)],
    step(c),
    ['Get', uid('none')],
    step(c),
  )
  t.same(answer.results, [...Array(4).fill('OperationUndone'), 'ItemNotFound'])
  t.ok(answer.replies.slice(0, 4).every(reply => reply.fields.includes('UniqueIdentifier')))
  t.equal(await c.state(id), 'PreActive')
  t.same(await c.value(id, 'Name'), ['before', 1])
  t.equal(((await c.value(limited, 'Usage Limits')) as bigint[])[1], 5n)
  t.equal(await count(c), 2)
  t.equal((await c.try('Get', uid(answer.replies[3]!.id))).result, 'ItemNotFound')
  const good = await undo(['Activate', uid(id)], ['GetAttributes', uid(id), named('State')], step(c, name('made')), [
    'Locate',
    attribute(name('made')),
  ])
  t.same(good.results, Array(4).fill('Success'))
  t.equal(good.replies[1]!.at(TAG.Attribute, TAG.AttributeValue), ENUM.State.Active, 'later items see what earlier ones did')
  t.same(good.replies[3]!.ids, [good.replies[2]!.id])
  t.equal(await c.state(id), 'Active')
})
const long = (tag: number, value: number): Item => ({ tag, type: 3, value: BigInt(value) })
const usageLimited = (total: number): Item =>
  structure(TAG.UsageLimits, [long(TAG.UsageLimitsTotal, total), enumeration(TAG.UsageLimitsUnit, ENUM.UsageLimitsUnit.Object)])

t.test('trap 37: Query announces Undo, Continue and streaming from the version on that can say so', async t => {
  const c = (await makeLab()).client()
  const capability = async (version: number): Promise<string[]> => {
    const [item] = (await c.in(version).ok('Query', ...query('QueryCapabilities'))).all(TAG.CapabilityInformation)
    return item?.type === 1 ? item.value.filter(one => one.value === true).map(one => one.tag.toString(16)) : []
  }
  const tags = (...values: number[]): string[] => values.map(tag => tag.toString(16))
  t.same(await capability(12), [])
  t.same(await capability(13), tags(TAG.StreamingCapability, TAG.AsynchronousCapability))
  t.same(
    await capability(14),
    tags(TAG.StreamingCapability, TAG.AsynchronousCapability, TAG.BatchUndoCapability, TAG.BatchContinueCapability),
  )
})

t.test('trap 39: what sets the ID Placeholder', async t => {
  const c = (await makeLab()).client()
  const source = await c.active([usage(U.DeriveKey | U.Encrypt)])
  const pair = (await c.ok('CreateKeyPair', c.template([algorithm('EC'), bits(256)], TAG.CommonTemplateAttribute))).at(
    TAG.PrivateKeyUniqueIdentifier,
  ) as string
  const archived = await c.create()
  await c.ok('Archive', uid(archived))
  const derivation = structure(TAG.DerivationParameters, [parameters({ hash: 'SHA_256' }), bytes(TAG.DerivationData, Buffer.from('d'))])
  const CASES: Parameters<Client['send']>[0][number][] = [
    step(c),
    ['CreateKeyPair', c.template([algorithm('EC'), bits(256)], TAG.CommonTemplateAttribute)],
    ['Register', objectType('SymmetricKey'), c.template([usage(12)]), symmetric()],
    ['ReKey', uid(await c.create())],
    ['ReKeyKeyPair', text(TAG.PrivateKeyUniqueIdentifier, pair)],
    ['DeriveKey', objectType('SymmetricKey'), uid(source), enumeration(TAG.DerivationMethod, ENUM.DerivationMethod.HMAC), derivation, c.template(SOME)],
    ['Recover', uid(archived)],
    ['Import', uid('imported'), symmetric()],
    ['Export', uid(source)],
    ['Locate', custom('Unique Identifier', text(0, source))],
  ] // biome-ignore format: one case a line
  for (const one of CASES) {
    const answer = await c.send([one, ['GetAttributes', named('Object Type')]], { batchOrder: true })
    t.same(answer.results, ['Success', 'Success'], `${one[0]}`)
    const made = answer.replies[0]!
    const id = made.at(TAG.UniqueIdentifier) ?? made.at(TAG.PrivateKeyUniqueIdentifier)
    t.equal(answer.replies[1]!.id, id, `${one[0]} sets it to ${id}`)
  }
  t.equal(await c.result('Get'), 'InvalidMessage', 'it is empty at the start of a batch')
  await c.send([step(c)])
  t.equal(await c.result('Get'), 'InvalidMessage', 'and does not outlive one')
})
const symmetric = (): Item =>
  structure(TAG.SymmetricKey, [
    structure(TAG.KeyBlock, [
      enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw),
      structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, Buffer.alloc(16, 3))]),
      algorithm('AES'),
      bits(128),
    ]),
  ])

t.test('trap 40: a Locate with several matches, or none, and a failed Check empty the placeholder', async t => {
  const c = (await makeLab()).client()
  const id = await c.create()
  await c.create()
  const after = async (...steps: Parameters<Client['send']>[0]): Promise<string | undefined> =>
    (
      await c.send([['GetAttributes', uid(id), named('State')], step(c), ...steps, ['Get']], {
        errorContinuation: 'Continue',
        batchOrder: true,
      })
    ).results.at(-1)
  t.equal(await after(), 'Success')
  t.equal(await after(['Locate']), 'InvalidMessage', 'several')
  t.equal(await after(['Locate', integer(TAG.MaximumItems, 2)]), 'InvalidMessage', 'two of several')
  t.equal(await after(['Locate', integer(TAG.MaximumItems, 1)]), 'Success', 'one, as asked for')
  t.equal(await after(['Locate', attribute(name('nobody'))]), 'InvalidMessage', 'none')
  t.equal(await after(['Check', integer(TAG.CryptographicUsageMask, U.Sign)]), 'InvalidMessage', 'a failed Check')
  t.equal(await after(['Check', integer(TAG.CryptographicUsageMask, U.Encrypt)]), 'Success', 'a passed Check')
  t.equal(await after(['Get', uid('none')]), 'Success', 'another failure leaves it')
})

t.test('trap 41: 2.x refers to earlier answers', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const by = (value: keyof typeof ENUM.UniqueIdentifier | number): Item =>
    typeof value === 'number' ? integer(TAG.UniqueIdentifier, value) : enumeration(TAG.UniqueIdentifier, ENUM.UniqueIdentifier[value])
  const answer = await c.send([step(c), step(c), ['Get', by('Create')], ['Get', by(0)], ['Get', by(-1)], ['Get', by('IDPlaceholder')]])
  t.same(answer.results, Array(6).fill('Success'))
  const [first, second] = answer.replies.map(reply => reply.id)
  t.same(
    answer.replies.slice(2).map(reply => reply.id),
    [second, first, first, second],
  )
  t.equal(await c.result('Get', by('IDPlaceholder')), 'InvalidField')
  t.equal(await c.result('Get', by(3)), 'InvalidField')
})

t.test('trap 20: Data may be what an earlier operation gave', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const id = await c.active([usage(U.Encrypt | U.Decrypt | U.MACGenerate)])
  const plain = Buffer.from('sixteen bytes ..')
  const ecb = parameters({ mode: 'ECB' })
  const by = (value: keyof typeof ENUM.Data | number): Item =>
    typeof value === 'number' ? integer(TAG.Data, value) : enumeration(TAG.Data, ENUM.Data[value])
  const answer = await c.send([
    ['Encrypt', uid(id), ecb, data(plain)],
    ['Decrypt', uid(id), ecb, by('Encrypt')],
    ['Hash', parameters({ hash: 'SHA_256' }), by(1)],
    ['Decrypt', uid(id), ecb, by(0)],
    ['MAC', uid(id), parameters({ mode: 'CMAC' }), by(-1)],
    ['Hash', parameters({ hash: 'SHA_256' }), by('MACMACData')],
  ])
  t.same(answer.results, Array(6).fill('Success'))
  const [, decrypted, hash, again, mac, last] = answer.replies
  t.same([decrypted!.at(TAG.Data), again!.at(TAG.Data)], [plain, plain])
  const sha256 = (of: unknown): Buffer =>
    createHash('sha256')
      .update(of as Buffer)
      .digest()
  t.same(hash!.at(TAG.Data), sha256(plain))
  t.same(last!.at(TAG.Data), sha256(mac!.at(TAG.MACData)))
  for (const nothing of [by('Decrypt'), by(0)])
    t.equal(await c.result('Hash', parameters({ hash: 'SHA_256' }), nothing), 'InvalidField', 'what is not there')
})

t.test('trap 42: Response Too Large leaves nothing behind', async t => {
  const lab = await makeLab()
  const c = lab.client()
  const whole = (await c.send([step(c), step(c), ['Query']])).bytes.length
  for (const errorContinuation of ['Stop', 'Continue', 'Undo'] as const)
    for (let maximumResponseSize = 1; maximumResponseSize < whole + 32; maximumResponseSize += 16) {
      const client = lab.client({ scope: `${errorContinuation} ${maximumResponseSize}` })
      const answer = await client.send([step(c), step(c), ['Query']], { maximumResponseSize, errorContinuation })
      const told = answer.replies.filter(reply => reply.operation === 'Create' && reply.status === 'Success').map(reply => reply.id)
      const made = await client.locate([])
      const what = `${errorContinuation}, ${maximumResponseSize} bytes: ${answer.bytes.length} bytes of ${answer.results}`
      if (made.sort().join() !== told.sort().join()) t.fail(`${what}: made ${made.length}, told ${told.length}`)
      if (answer.bytes.length > maximumResponseSize && answer.results.join() !== 'ResponseTooLarge') t.fail(what)
    }
  const encrypting = await c.active([usageLimited(3)])
  const ecb = parameters({ mode: 'ECB' })
  const refused = await c.send([['Encrypt', uid(encrypting), ecb, data(Buffer.alloc(1600))]], { maximumResponseSize: 512 })
  t.same(refused.results, ['ResponseTooLarge'])
  t.equal(((await c.value(encrypting, 'Usage Limits')) as bigint[])[1], 3n, 'no use is charged for what was not given out')
})

t.test('trap 43: Query fits in 2048 bytes and not in 256', async t => {
  const c = (await makeLab()).client()
  for (const version of [10, 12, 14, 21])
    for (const [maximumResponseSize, result] of [
      [256, 'ResponseTooLarge'],
      [2048, 'Success'],
    ] as const) {
      const answer = await c.in(version).send([['Query', ...query('QueryOperations', 'QueryObjects')]], { maximumResponseSize })
      t.same(answer.results, [result], `${maximumResponseSize} in ${version}`)
      t.ok(answer.bytes.length <= maximumResponseSize)
    }
})

t.test('trap 44: a critical Message Extension that is not known rejects the entire message', async t => {
  const c = (await makeLab()).client()
  const extension = (critical: boolean): Item =>
    structure(TAG.MessageExtension, [
      text(TAG.VendorIdentification, 'acme'),
      boolean(TAG.CriticalityIndicator, critical),
      structure(TAG.VendorExtension, []),
    ])
  const [operation, ...payload] = step(c)
  const request = (critical: boolean): Buffer =>
    encode(
      requestMessage([
        { operation, payload },
        { operation: 'Query', payload: [], extension: extension(critical) },
      ]),
    )
  t.match((await c.raw(request(true))).results, ['FeatureNotSupported'])
  t.equal(await count(c), 0, 'nothing was done')
  t.same((await c.raw(request(false))).results, ['Success', 'Success'])
})

t.test('trap 46: a payload with success, none with failure', async t => {
  const c = (await makeLab()).client()
  t.same((await c.ok('Query')).fields, [], 'an empty one')
  t.equal((await c.try('Get', uid('none'))).payload, undefined)
})

t.test('trap 51: a credential in the header does no harm', async t => {
  const c = (await makeLab()).client()
  const credential = structure(TAG.Credential, [
    enumeration(TAG.CredentialType, ENUM.CredentialType.Device),
    structure(TAG.CredentialValue, [text(TAG.DeviceIdentifier, 'd')]),
  ])
  t.same((await c.raw(withHeader(message([]), structure(TAG.Authentication, [credential, credential])))).results, ['Success'])
})

t.test('trap 57: Discover Versions does not exist in 1.0', async t => {
  const c = (await makeLab()).client({ version: 10 })
  t.equal(await c.result('DiscoverVersions'), 'OperationNotSupported')
})

t.test('trap 58: Query answers only what was asked', async t => {
  const c = (await makeLab()).client()
  t.same((await c.ok('Query', ...query('QueryServerInformation'))).fields, ['VendorIdentification', 'ServerInformation'])
  t.same(new Set((await c.ok('Query', ...query('QueryObjects'))).fields), new Set(['ObjectType']))
  t.same((await c.ok('Query', ...query('QueryExtensionList', 'QueryExtensionMap'))).fields, [])
  t.same((await c.ok('Query', ...query('QueryAttestationTypes'))).fields, [])
  t.same((await c.ok('Query', ...query('QueryRNGs'))).fields, ['RNGParameters'], 'trap 60')
})

t.test('trap 62: Query lists exactly what is done, and what the role allows', async t => {
  const lab = await makeLab()
  for (const version of [10, 12, 14, 21]) {
    const c = lab.client({ version })
    const listed = (await c.ok('Query', ...query('QueryOperations'))).all(TAG.Operation).map(item => Number(item.value))
    t.same(listed, [...new Set(listed)])
    for (const [operation, code] of Object.entries(ENUM.Operation)) {
      const { result } = await c.try(code)
      if (listed.includes(code) === (result === 'OperationNotSupported')) t.fail(`${operation} in ${version}: ${result}`)
    }
  }
  const reader = lab.client({ may: operation => ['Get', 'Query'].includes(operation) })
  const listed = (await reader.ok('Query', ...query('QueryOperations'))).all(TAG.Operation)
  t.same(
    listed.map(item => item.value),
    [ENUM.Operation.Get, ENUM.Operation.Query],
  )
})

t.test('trap 150: an operation that is not there, and one of a later version, is Operation Not Supported', async t => {
  const c = (await makeLab()).client()
  for (const [operation, version] of [['Log', 14], ['Import', 13], ['Encrypt', 11], ['ReKeyKeyPair', 10]] as const) // biome-ignore format: a list
    t.equal(await c.in(version).result(operation), 'OperationNotSupported', `${operation} in ${version}`)
  t.equal((await c.try(0x7fffffff)).result, 'OperationNotSupported')
})

t.test('an extension of a structure that is deep inside is found too', async t => {
  const c = (await makeLab()).client()
  const wrapping = structure(TAG.KeyWrappingSpecification, [enumeration(TAG.WrappingMethod, 1)])
  t.same(
    (
      await c.raw(
        encode(extend(message([uid(await c.create()), wrapping], 'Get'), TAG.KeyWrappingSpecification, integer(TAG.BatchCount, 1))),
      )
    ).results,
    ['InvalidField'],
  )
})
