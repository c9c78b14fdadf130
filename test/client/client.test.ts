import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { ClientError, KmipClient } from '../../src/client/client.ts'
import { Framer } from '../../src/client/framer.ts'
import { KmipFailure, passwordCredential, payloadOf, requestMessage, responseItems } from '../../src/client/message.ts'
import * as operations from '../../src/client/operations.ts'
import { decode, encode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bytes, child, dateTime, enumeration, type Item, integer, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { decodeXml, encodeXml } from '../../src/ttlv/xml.ts'
import { FakeServer } from './fake-server.ts'

/** The smallest messages: structures, as their length is that of the frame. */
const item = (number: number): Item => structure(TAG.RequestMessage, [integer(TAG.BatchCount, number)])
const long = structure(TAG.RequestMessage, [text(TAG.NameValue, 'x'.repeat(100))])
const id = (value: string): Item => text(TAG.UniqueIdentifier, value)

/** A response message with one batch item. */
function response(operation: keyof typeof ENUM.Operation, payload: readonly Item[]): Item {
  return structure(TAG.ResponseMessage, [
    structure(TAG.ResponseHeader, [
      structure(TAG.ProtocolVersion, [integer(TAG.ProtocolVersionMajor, 1), integer(TAG.ProtocolVersionMinor, 4)]),
      dateTime(TAG.TimeStamp, 1_700_000_000),
      integer(TAG.BatchCount, 1),
    ]),
    structure(TAG.BatchItem, [
      enumeration(TAG.Operation, ENUM.Operation[operation]),
      enumeration(TAG.ResultStatus, ENUM.ResultStatus.Success),
      structure(TAG.ResponsePayload, payload),
    ]),
  ])
}

function failed(reason: keyof typeof ENUM.ResultReason, message: string): Item {
  return structure(TAG.ResponseMessage, [
    structure(TAG.BatchItem, [
      enumeration(TAG.Operation, ENUM.Operation.Get),
      enumeration(TAG.ResultStatus, ENUM.ResultStatus.OperationFailed),
      enumeration(TAG.ResultReason, ENUM.ResultReason[reason]),
      text(TAG.ResultMessage, message),
    ]),
  ])
}

t.test('a framer cuts messages out of any pieces', async t => {
  const stream = Buffer.concat([encode(item(1)), encode(long), encode(item(2))])
  for (const size of [1, 7, 8, 9, 16, 50, stream.length]) {
    const framer = new Framer(1000)
    const messages: Buffer[] = []
    for (let at = 0; at < stream.length; at += size) messages.push(...framer.push(stream.subarray(at, at + size)))
    t.same(messages.map(decode), [item(1), long, item(2)], `pieces of ${size}`)
    t.equal(framer.pending, 0)
  }
  const framer = new Framer(100)
  t.throws(() => framer.push(Buffer.from('420078017fffffff', 'hex')), RangeError, 'refused before anything is buffered')
})

t.test('requests and answers over TLS', async t => {
  let script: (chunk: Buffer, socket: TLSSocket) => void = () => undefined
  const server = await FakeServer.start((chunk, socket) => script(chunk, socket))
  t.teardown(() => server.stop())
  const connect = (options = {}): Promise<KmipClient> => KmipClient.connect({ ...server.options, ...options })

  await t.test('an answer for a request', async t => {
    script = (chunk, socket) => socket.write(chunk)
    const client = await connect()
    t.same(await client.request(item(7)), item(7))
    t.same(await client.send(encode(item(8))), encode(item(8)))
    client.close()
    t.equal(client.closed, true)
    await t.rejects(client.request(item(9)), { name: 'ClientError', code: 'closed' })
  })

  await t.test('the name to look for in the certificate may be another than the host', async t => {
    const client = await connect({ serverName: 'kmip.test' })
    client.close()
    await t.rejects(connect({ serverName: 'other.test' }), { name: 'ClientError', code: 'connect' })
  })

  await t.test('pipelined requests are answered in their order, however the answers arrive', async t => {
    const framer = new Framer(1000)
    let held = Buffer.alloc(0)
    let count = 0
    script = (chunk, socket) => {
      for (const message of framer.push(chunk)) {
        held = Buffer.concat([held, message])
        count++
      }
      if (count < 20) return
      socket.write(held.subarray(0, 25))
      socket.write(held.subarray(25))
    }
    const client = await connect()
    const answers = await Promise.all(Array.from({ length: 20 }, (_, number) => client.request(item(number))))
    t.same(
      answers,
      Array.from({ length: 20 }, (_, number) => item(number)),
    )
    client.close()
  })

  const FAILURES: readonly (readonly [string, (chunk: Buffer, socket: TLSSocket) => void, ClientError['code']])[] = [
    ['silence', () => undefined, 'timeout'],
    ['a closed connection', (_, socket) => socket.end(), 'closed'],
    ['half an answer and a closed connection', (_, socket) => socket.end(encode(item(1)).subarray(0, 12)), 'closed'],
    ['a broken connection', (_, socket) => socket.destroy(), 'closed'],
    ['an answer over the limit', (_, socket) => socket.write(Buffer.from('4200780100100000', 'hex')), 'malformed'],
    ['an answer that is no TTLV', (_, socket) => socket.write(Buffer.from('HTTP/1.1\0\0\0\x08 400 bad')), 'malformed'],
    [
      'an answer that is malformed inside',
      (_, socket) => socket.write(Buffer.from('42007801000000084200690200000100', 'hex')),
      'malformed',
    ],
  ]
  for (const [name, act, code] of FAILURES) {
    await t.test(`${name} fails every open request with ${code}`, async t => {
      script = act
      const client = await connect({ responseTimeoutMs: 100, maxResponseBytes: 100_000 })
      await t.rejects(client.request(item(1)), { name: 'ClientError', code })
      client.close()
    })
  }

  await t.test('a message that nobody asked for ends the connection', async t => {
    script = (chunk, socket) => socket.write(Buffer.concat([chunk, chunk]))
    const client = await connect()
    await client.request(item(1))
    await t.rejects(client.request(item(2)), { name: 'ClientError' })
    t.equal(client.closed, true)
  })

  await t.test('what keeps a client from connecting', async t => {
    const { ca: _, ...noCa } = server.options
    await t.rejects(KmipClient.connect(noCa), { name: 'ClientError', code: 'connect' }, 'an unknown CA')
    await t.rejects(connect({ port: 1 }), { name: 'ClientError', code: 'connect', message: /127\.0\.0\.1:1/ }, 'nobody listens')
    const { cert: _cert, key: _key, ...anonymous } = server.options
    const client = await KmipClient.connect(anonymous)
    await t.rejects(client.request(item(1)), { name: 'ClientError', code: 'closed' }, 'a refused certificate shows at the first request')
  })
})

t.test('request messages have their fields in order', async t => {
  const message = requestMessage(
    [
      { operation: 'Create', payload: [] },
      { operation: 0x12, payload: [id('a')], id: Buffer.from('zz') },
    ],
    {
      version: 13,
      maximumResponseSize: 2048,
      clientCorrelationValue: 'c',
      credentials: [passwordCredential('fred', 'pw')],
      errorContinuation: 'Undo',
      batchOrder: true,
      timeStamp: 0n,
    },
  )
  const header = child(message, TAG.RequestHeader)!
  t.same(
    (header.value as Item[]).map(field => field.tag),
    [
      TAG.ProtocolVersion,
      TAG.MaximumResponseSize,
      TAG.ClientCorrelationValue,
      TAG.Authentication,
      TAG.BatchErrorContinuationOption,
      TAG.BatchOrderOption,
      TAG.TimeStamp,
      TAG.BatchCount,
    ],
  )
  t.match(encodeXml(message), '<ProtocolVersionMinor type="Integer" value="3"/>')
  t.match(
    encodeXml(message),
    '<Operation type="Enumeration" value="Create"/><UniqueBatchItemID type="ByteString" value="01"/><RequestPayload/>',
  )
  t.match(encodeXml(message), '<Operation type="Enumeration" value="Activate"/><UniqueBatchItemID type="ByteString" value="7a7a"/>')
  t.notMatch(encodeXml(requestMessage([{ operation: 'Query', payload: [] }])), 'UniqueBatchItemID', 'one item needs no identifier')
})

t.test('response messages', async t => {
  const [found] = responseItems(response('Get', [id('a')]))
  t.same(payloadOf(found!).value, [id('a')])
  const [gone] = responseItems(failed('ItemNotFound', 'no such object'))
  t.throws(() => payloadOf(gone!), {
    name: 'KmipFailure',
    reason: 'ItemNotFound',
    status: 'OperationFailed',
    message: 'Get failed: ItemNotFound: no such object',
  })
  t.throws(() => responseItems(requestMessage([])), { name: 'ClientError', code: 'malformed' })
  t.throws(() => responseItems(structure(TAG.ResponseMessage, [structure(TAG.BatchItem, [])])), { name: 'ClientError', code: 'malformed' })
})

const block = (format: number, material: Buffer): Item =>
  structure(TAG.KeyBlock, [enumeration(TAG.KeyFormatType, format), structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, material)])])
const key = Buffer.alloc(16, 7)

// what is called, what it asks for (as XML), what the server says, what comes out
type Call = (client: KmipClient) => Promise<unknown>
const CALLS: readonly (readonly [string, Call, readonly string[], Item, unknown])[] = [
  [
    'query',
    client => operations.query(client, ['QueryObjects']),
    ['<RequestPayload><QueryFunction type="Enumeration" value="QueryObjects"/></RequestPayload>'],
    response('Query', [enumeration(TAG.ObjectType, 2)]),
    structure(TAG.ResponsePayload, [enumeration(TAG.ObjectType, 2)]),
  ],
  [
    'create',
    client => operations.create(client, { name: 'k', length: 128, attributes: [text(TAG.ContactInformation, 'joe')] }),
    [
      '<ObjectType type="Enumeration" value="SymmetricKey"/><TemplateAttribute>',
      '<AttributeName type="TextString" value="Cryptographic Length"/><AttributeValue type="Integer" value="128"/>',
      '<AttributeName type="TextString" value="Cryptographic Usage Mask"/><AttributeValue type="Integer" value="Encrypt Decrypt"/>',
      '<AttributeName type="TextString" value="Name"/><AttributeValue><NameValue type="TextString" value="k"/>',
      '<AttributeName type="TextString" value="Contact Information"/>',
    ],
    response('Create', [enumeration(TAG.ObjectType, 2), id('new')]),
    'new',
  ],
  [
    'register a key',
    client => operations.registerSymmetricKey(client, key),
    [
      '<KeyMaterial type="ByteString" value="07070707070707070707070707070707"/>',
      '<CryptographicLength type="Integer" value="128"/></KeyBlock>',
    ],
    response('Register', [id('new')]),
    'new',
  ],
  [
    'register a password',
    client => operations.registerSecretData(client, Buffer.from('pw')),
    ['<SecretData><SecretDataType type="Enumeration" value="Password"/><KeyBlock><KeyFormatType type="Enumeration" value="Opaque"/>'],
    response('Register', [id('new')]),
    'new',
  ],
  [
    'get',
    client => operations.get(client, 'a').then(({ material, objectType }) => ({ material, objectType })),
    ['<RequestPayload><UniqueIdentifier type="TextString" value="a"/></RequestPayload>'],
    response('Get', [enumeration(TAG.ObjectType, 2), id('a'), structure(TAG.SymmetricKey, [block(1, key)])]),
    { material: key, objectType: 2 },
  ],
  [
    'locate',
    client => operations.locate(client, [operations.nameItem('k')], { maximumItems: 5, offsetItems: 1 }),
    [
      '<MaximumItems type="Integer" value="5"/><OffsetItems type="Integer" value="1"/><Attribute><AttributeName type="TextString" value="Name"/>',
    ],
    response('Locate', [integer(TAG.LocatedItems, 2), id('a'), id('b')]),
    ['a', 'b'],
  ],
  [
    'get attributes',
    client => operations.getAttributes(client, 'a', ['State']),
    ['<AttributeName type="TextString" value="State"/></RequestPayload>'],
    response('GetAttributes', [
      id('a'),
      structure(TAG.Attribute, [text(TAG.AttributeName, 'State'), integer(TAG.AttributeIndex, 3), enumeration(TAG.AttributeValue, 2)]),
    ]),
    [{ name: 'State', index: 3, value: enumeration(TAG.AttributeValue, 2) }],
  ],
  ['activate', client => operations.activate(client, 'a'), ['value="Activate"'], response('Activate', [id('a')]), undefined],
  [
    'revoke',
    client => operations.revoke(client, 'a', 'KeyCompromise', 'lost'),
    ['<RevocationReasonCode type="Enumeration" value="KeyCompromise"/><RevocationMessage type="TextString" value="lost"/>'],
    response('Revoke', [id('a')]),
    undefined,
  ],
  ['destroy', client => operations.destroy(client, 'a'), ['value="Destroy"'], response('Destroy', [id('a')]), undefined],
  [
    'encrypt',
    client => operations.encrypt(client, 'a', Buffer.from('x'), { mode: 'GCM', tagLength: 16, additionalData: Buffer.from('y') }),
    [
      '<BlockCipherMode type="Enumeration" value="GCM"/><RandomIV type="Boolean" value="true"/><TagLength type="Integer" value="16"/>',
      '<Data type="ByteString" value="78"/><AuthenticatedEncryptionAdditionalData type="ByteString" value="79"/>',
    ],
    response('Encrypt', [
      id('a'),
      bytes(TAG.Data, Buffer.from('c')),
      bytes(TAG.IVCounterNonce, Buffer.from('i')),
      bytes(TAG.AuthenticatedEncryptionTag, Buffer.from('t')),
    ]),
    { data: Buffer.from('c'), iv: Buffer.from('i'), tag: Buffer.from('t') },
  ],
  [
    'decrypt',
    client => operations.decrypt(client, 'a', Buffer.from('c'), { iv: Buffer.from('i'), tag: Buffer.from('t') }),
    [
      '<Data type="ByteString" value="63"/><IVCounterNonce type="ByteString" value="69"/><AuthenticatedEncryptionTag type="ByteString" value="74"/>',
    ],
    response('Decrypt', [id('a'), bytes(TAG.Data, Buffer.from('x'))]),
    Buffer.from('x'),
  ],
]

t.test('the operations that people do by hand', async t => {
  let asked = ''
  let answer: Item = item(0)
  const server = await FakeServer.start((chunk, socket) => {
    asked = encodeXml(decode(chunk))
    socket.write(encode(answer))
  })
  t.teardown(() => server.stop())
  const client = await KmipClient.connect(server.options)
  t.teardown(() => client.close())
  for (const [name, call, parts, says, result] of CALLS) {
    answer = says
    t.same(await call(client), result, name)
    for (const part of parts) t.ok(asked.includes(part), `${name} asks with ${part}`)
    t.same(decodeXml(asked).tag, TAG.RequestMessage)
  }
  answer = failed('PermissionDenied', 'no')
  for (const [name, call] of CALLS) await t.rejects(call(client), KmipFailure, `${name} refused`)
  answer = structure(TAG.ResponseMessage, [])
  for (const [name, call] of CALLS) await t.rejects(call(client), ClientError, `${name} without an answer`)
})
