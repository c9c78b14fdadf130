import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import type { ClientError } from '../../src/client/client.ts'
import { type EncodingName, HttpsClient } from '../../src/client/https-client.ts'
import { requestMessage } from '../../src/client/message.ts'
import { httpSessions } from '../../src/server/http-session.ts'
import type { Refusal } from '../../src/server/metrics.ts'
import { decode, encode, sizeOf } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { child, enumeration, enumName, type Item, structure, text } from '../../src/ttlv/item.ts'
import { decodeJson, encodeJson } from '../../src/ttlv/json.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { decodeXml, encodeXml } from '../../src/ttlv/xml.ts'
import { makeLab } from '../ops/harness.ts'
import { closed, type Lab, type LabOptions, message, Pki, portOf, startLab, until } from './lab.ts'

const pki = await Pki.make()
const client = await pki.client()
const credential = await pki.server()
const engine = async () => (await makeLab()).engine
const base = { pki, client, credential, open: httpSessions() }
type Teardown = { teardown(stop: () => Promise<void>): unknown }
const start = (t: Teardown, more: Partial<LabOptions> = {}): Promise<Lab> => startLab(t, { ...base, ...more })

const TTLV = 'application/octet-stream'
const JSON_TYPE = 'application/json'
const XML = 'text/xml'
const FORMS = [
  { name: 'ttlv', type: TTLV, encode, decode },
  { name: 'json', type: JSON_TYPE, encode: (item: Item) => Buffer.from(encodeJson(item)), decode: (body: Buffer) => decodeJson(`${body}`) },
  { name: 'xml', type: XML, encode: (item: Item) => Buffer.from(encodeXml(item)), decode: (body: Buffer) => decodeXml(`${body}`) },
] as const
const query = (version = 14, maximumResponseSize?: number): Item =>
  requestMessage([{ operation: 'Query', payload: [enumeration(TAG.QueryFunction, ENUM.QueryFunction.QueryOperations)] }], {
    version,
    ...(maximumResponseSize !== undefined && { maximumResponseSize }),
  })

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Cuts what a connection receives into HTTP answers. */
class Http {
  readonly socket: TLSSocket
  #bytes = Buffer.alloc(0)
  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      socket.emit('more')
    })
    socket.on('close', () => socket.emit('more'))
  }
  /** The next answer, or nothing when the connection ends first. */
  async reply(): Promise<Reply | undefined> {
    for (;;) {
      const end = this.#bytes.indexOf('\r\n\r\n')
      if (end >= 0) {
        const [first = '', ...lines] = this.#bytes.toString('latin1', 0, end).split('\r\n')
        const headers = Object.fromEntries(
          lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
        )
        const status = Number(first.split(' ')[1])
        const from = end + 4
        const to = from + (status === 100 ? 0 : Number(headers['content-length']))
        if (this.#bytes.length >= to) {
          const body = Buffer.from(this.#bytes.subarray(from, to))
          this.#bytes = this.#bytes.subarray(to)
          return { status, headers, body }
        }
      }
      if (this.socket.closed) return undefined
      await once(this.socket, 'more')
    }
  }
}

const dial = async (lab: Lab, who = client): Promise<Http> => new Http(await lab.connect(who))
const post = (body: Buffer | string, type = TTLV, more: readonly string[] = [], version = '1.1'): Buffer =>
  Buffer.concat([
    Buffer.from(
      [
        `POST /kmip HTTP/${version}`,
        'Host: localhost',
        `Content-Type: ${type}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        ...more,
        '',
        '',
      ].join('\r\n'),
    ),
    Buffer.from(body),
  ])
const send = async (lab: Lab, bytes: Buffer | string): Promise<Reply | undefined> => {
  const http = await dial(lab)
  http.socket.write(bytes)
  const reply = await http.reply()
  http.socket.destroy()
  return reply
}
const itemOf = (answer: Item): Item => child(answer, TAG.BatchItem)!
const reasonOf = (answer: Item): string => {
  const reason = child(itemOf(answer), TAG.ResultReason)?.value
  return typeof reason === 'number' ? enumName('ResultReason', reason) : 'Success'
}
const versionOf = (answer: Item): string => {
  const version = child(child(answer, TAG.ResponseHeader)!, TAG.ProtocolVersion)!
  return `${child(version, TAG.ProtocolVersionMajor)?.value}.${child(version, TAG.ProtocolVersionMinor)?.value}`
}

t.test('a message is answered in the encoding that it came in, many on one connection', async t => {
  const lab = await start(t, { engine: await engine() })
  const http = await dial(lab)
  const answers: Item[] = []
  const ask = async (type: string, body: Buffer): Promise<Reply> => {
    http.socket.write(post(body, type))
    return (await http.reply())!
  }
  for (const { type, encode, decode } of FORMS)
    for (const version of [10, 14, 21]) {
      const { status, headers, body } = await ask(type, encode(query(version)))
      t.equal(status, 200)
      t.match(headers, { 'content-type': type, 'cache-control': 'no-cache', 'content-length': String(body.length) })
      t.not(headers.connection, 'close')
      answers.push(decode(body))
      t.equal(reasonOf(answers.at(-1)!), 'Success', `${type} ${version}`)
    }
  t.same(itemOf(answers[3]!), itemOf(answers[0]!))
  t.same(itemOf(answers[6]!), itemOf(answers[0]!))
  for (const [spelling, answered] of [
    ['Application/Octet-Stream', TTLV],
    ['application/json; charset=utf-8', JSON_TYPE],
    ['text/xml;charset="UTF-8"', XML],
    ['application/xml', XML],
  ] as const) {
    const { encode } = FORMS.find(({ type }) => type === answered)!
    t.match(await ask(spelling, encode(query())), { status: 200, headers: { 'content-type': answered } }, spelling)
  }
  t.equal(lab.audited.length, 13, 'one record for each')
  t.match(JSON.parse(lab.audited[0]!), { type: 'audit', operation: 'Query', status: 'Success', role: 'r', address: /^127\.0\.0\.1:\d+$/ })
  t.equal(lab.metrics.connectionsTotal, 1)
  http.socket.destroy()
  await closed(http.socket)
  await until(() => lab.metrics.connectionsOpen === 0)
  t.ok(lab.metrics.receivedBytes > 4000 && lab.metrics.sentBytes > 4000, 'bytes are counted')
})

t.test('a client of each encoding', async t => {
  const lab = await start(t, { engine: await engine() })
  const options = { host: '127.0.0.1', port: portOf(lab), ca: pki.ca.join('\n'), ...client }
  for (const encoding of ['ttlv', 'json', 'xml'] satisfies EncodingName[]) {
    const https = new HttpsClient({ ...options, encoding })
    const [first, second] = [await https.request(query(12)), await https.request(query(21))]
    t.same([reasonOf(first), versionOf(first), versionOf(second)], ['Success', '1.2', '2.1'], encoding)
    https.close()
  }
  t.equal(lab.metrics.connectionsTotal, 3, 'a connection is kept')
  const failure = async (more: object): Promise<Partial<ClientError>> => {
    const https = new HttpsClient({ ...options, ...more })
    try {
      await https.request(query())
      return {}
    } catch (error) {
      return error as ClientError
    } finally {
      https.close()
    }
  }
  t.match(await failure({ path: '/elsewhere' }), { code: 'http', message: /status 404: KMIP is at \/kmip$/ })
  t.match(await failure({ serverName: 'example.com' }), { code: 'connect' })
  t.match(await failure({ maxResponseBytes: 10 }), { code: 'malformed' })
  lab.identities.revoke(lab.identities.seen[0]!)
  t.match(await failure({}), { code: 'closed' })
})

t.test('HTTP/1.0, as old clients speak it', async t => {
  const lab = await start(t, { engine: await engine() })
  const http = await dial(lab)
  const body = encode(query(10))
  const old = (...more: readonly string[]): Buffer =>
    Buffer.concat([
      Buffer.from(
        `POST /kmip HTTP/1.0\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n${more.join('')}Content-Type: ${TTLV}\r\nContent-Length: ${body.length}       \r\n\r\n`,
      ),
      body,
    ])
  for (let round = 1; round <= 2; round++) {
    http.socket.write(old('Connection: keep-alive\r\n'))
    const reply = (await http.reply())!
    t.equal(reply.status, 200)
    t.equal(reply.headers.connection, 'keep-alive', `request ${round}`)
    t.equal(reasonOf(decode(reply.body)), 'Success')
  }
  http.socket.write(old())
  t.equal((await http.reply())?.headers.connection, 'close')
  await closed(http.socket)
})

const HEAD = 'POST /kmip HTTP/1.1\r\nHost: localhost\r\n'
const OCTETS = `Content-Type: ${TTLV}\r\n`

t.test('what is no KMIP request has its status, and ends the connection', async t => {
  const lab = await start(t, { limits: { messageBytes: 4096 } })
  const hello = 'Content-Length: 5\r\n\r\nhello'
  const rows: readonly [string, string | Buffer, number, Record<string, string>?, Refusal?][] = [
    ['another path', `POST / HTTP/1.1\r\nHost: x\r\n${OCTETS}${hello}`, 404],
    ['a longer path', `POST /kmip/x HTTP/1.1\r\nHost: x\r\n${OCTETS}${hello}`, 404],
    ['GET', 'GET /kmip HTTP/1.1\r\nHost: x\r\n\r\n', 405, { allow: 'POST' }],
    ['PUT', `PUT /kmip HTTP/1.1\r\nHost: x\r\n${OCTETS}${hello}`, 405, { allow: 'POST' }],
    ['OPTIONS', 'OPTIONS /kmip HTTP/1.1\r\nHost: x\r\n\r\n', 405, { allow: 'POST' }],
    ['a method that is none', 'LIST /kmip HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['no content type', `${HEAD}${hello}`, 415],
    [
      'another content type',
      `${HEAD}Content-Type: text/plain\r\n${hello}`,
      415,
      { accept: [TTLV, JSON_TYPE, XML, 'application/xml'].join(', ') },
    ],
    ['another character set', `${HEAD}Content-Type: text/xml; charset=iso-8859-1\r\n${hello}`, 415],
    ['a compressed body', `${HEAD}${OCTETS}Content-Encoding: gzip\r\n${hello}`, 415, { 'accept-encoding': 'identity' }],
    ['no length', `${HEAD}${OCTETS}\r\n`, 411],
    ['a body that is announced too large', `${HEAD}${OCTETS}Content-Length: 4097\r\n\r\n`, 413, {}, 'message_size'],
    [
      'one that turns out to be',
      `${HEAD}${OCTETS}Transfer-Encoding: chunked\r\n\r\n1001\r\n${'x'.repeat(4097)}\r\n`,
      413,
      {},
      'message_size',
    ],
    ['text that is too large in TTLV', post(encodeJson(text(TAG.RequestMessage, 'x'.repeat(4090))), JSON_TYPE), 413, {}, 'message_size'],
    ['an expectation', `${HEAD}${OCTETS}Expect: tea\r\n${hello}`, 417],
    ['too many headers', `${HEAD}X-A: ${'x'.repeat(9000)}\r\n\r\n`, 431],
    ['HTTP/0.9', 'POST /kmip\r\n\r\n', 505],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['TTLV without HTTP', message(1), 400],
  ]
  for (const [name, bytes, status, headers = {}, kind = 'http'] of rows) {
    const before = lab.metrics.refused(kind)
    const http = await dial(lab)
    http.socket.write(bytes)
    const reply = await http.reply()
    t.equal(reply?.status, status, name)
    t.match(reply?.headers, { connection: 'close', ...headers }, name)
    t.equal(lab.metrics.refused(kind), before + 1, name)
    http.socket.destroy()
  }
  t.same(lab.audited, [], 'none of it reached the engine')
  t.equal((await send(lab, post(message(1, 4088))))?.status, 200, 'a message may be as large as the limit')
})

t.test('a request whose length is in doubt is refused', async t => {
  const lab = await start(t)
  const head = `${HEAD}${OCTETS}`
  const smuggled = `GET /kmip HTTP/1.1\r\nHost: x\r\n\r\n`
  const rows: readonly [string, string][] = [
    ['length and transfer coding', `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['the other way round', `${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${smuggled}`],
    ['two lengths', `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`],
    ['the same length twice', `${head}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`],
    ['a list of lengths', `${head}Content-Length: 5, 5\r\n\r\nhello`],
    ['a signed length', `${head}Content-Length: +5\r\n\r\nhello`],
    ['a negative length', `${head}Content-Length: -5\r\n\r\nhello`],
    ['a length in hex', `${head}Content-Length: 0x5\r\n\r\nhello`],
    ['a length beyond all numbers', `${head}Content-Length: 99999999999999999999999\r\n\r\nhello`],
    ['an empty length', `${head}Content-Length: \r\n\r\nhello`],
    ['space before the colon', `${head}Content-Length : 5\r\n\r\nhello`],
    ['a folded header', `${head}X-A: a\r\n b\r\nContent-Length: 5\r\n\r\nhello`],
    ['a folded length', `${head}Content-Length:\r\n 5\r\n\r\nhello`],
    ['a folded transfer coding', `${head}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
    ['two transfer codings', `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['identity', `${head}Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello`],
    ['a transfer coding in HTTP/1.0', `POST /kmip HTTP/1.0\r\n${OCTETS}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['lines that end in LF', `POST /kmip HTTP/1.1\nHost: x\nContent-Type: ${TTLV}\nContent-Length: 5\n\nhello`],
    ['a CR inside a header', `${head}X-A: a\rContent-Length: 9\r\nContent-Length: 5\r\n\r\nhello`],
    ['a NUL inside a header', `${head}X-A: a\0b\r\nContent-Length: 5\r\n\r\nhello`],
    ['a bad chunk size', `${head}Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n`],
    ['bytes after a chunk', `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n`],
    ['chunks that end in LF', `${head}Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n`],
    ['LF in a chunk extension', `${head}Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n`],
    ['two hosts', `${head}Host: y\r\nContent-Length: 5\r\n\r\nhello`],
    ['no host', `POST /kmip HTTP/1.1\r\n${OCTETS}Content-Length: 5\r\n\r\nhello`],
    ['two content types', `${head}Content-Type: ${XML}\r\nContent-Length: 5\r\n\r\nhello`],
    ['HTTP/1.2', `POST /kmip HTTP/1.2\r\nHost: x\r\n${OCTETS}Content-Length: 5\r\n\r\nhello`],
  ]
  for (const [name, bytes] of rows) {
    const http = await dial(lab)
    http.socket.write(bytes)
    const reply = await http.reply()
    t.equal(reply?.status, 400, name)
    t.equal(reply?.headers.connection, 'close', name)
    t.equal(await http.reply(), undefined, `${name}: and what follows is not looked at`)
  }
  for (const coding of ['gzip, chunked', 'xchunked'])
    t.equal((await send(lab, `${head}Transfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`))?.status, 501, coding)
  t.same(lab.audited, [])
  t.equal(lab.metrics.refused('http'), rows.length + 2)
})

t.test('a body may come in chunks, in pieces, and after 100 Continue; the target with scheme and host', async t => {
  const lab = await start(t)
  const body = message(1, 24)
  const chunks = [body.subarray(0, 5), body.subarray(5)].map(part => `${part.length.toString(16)}\r\n${part.toString('latin1')}\r\n`)
  const chunked = Buffer.from(`${HEAD}${OCTETS}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`, 'latin1')
  t.same((await send(lab, chunked))?.body, body)
  const slow = await dial(lab)
  for (const byte of post(body)) {
    slow.socket.write(Buffer.of(byte))
    await new Promise(resolve => setImmediate(resolve))
  }
  t.same((await slow.reply())?.body, body)
  slow.socket.destroy()
  const polite = await dial(lab)
  polite.socket.write(`${HEAD}${OCTETS}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`)
  t.equal((await polite.reply())?.status, 100)
  polite.socket.write(body)
  t.same((await polite.reply())?.body, body)
  polite.socket.destroy()
  t.equal((await send(lab, `${HEAD}Content-Type: text/plain\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n`))?.status, 415)
  const absolute = post(body).toString('latin1').replace('/kmip', 'https://localhost:1/kmip?x=y')
  t.equal((await send(lab, Buffer.from(absolute, 'latin1')))?.status, 200)
})

t.test('a client that sends too much gets its answer all the same', async t => {
  const lab = await start(t, { limits: { messageBytes: 1024 } })
  t.equal((await send(lab, post(Buffer.alloc(3_000_000))))?.status, 413)
  const endless = new Http(await lab.connect())
  endless.socket.write(`${HEAD}${OCTETS}Transfer-Encoding: chunked\r\n\r\n`)
  const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`
  const timer = setInterval(() => endless.socket.write(chunk), 1)
  t.equal((await endless.reply())?.status, 413)
  clearInterval(timer)
  endless.socket.destroy()
})

t.test('invalid messages get a KMIP answer in their encoding', async t => {
  const lab = await start(t, { engine: await engine() })
  const xml = (inside: string, minor = 4): string =>
    `<RequestMessage><RequestHeader><ProtocolVersion><ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="${minor}"/></ProtocolVersion><BatchCount type="Integer" value="1"/></RequestHeader>${inside}</RequestMessage>`
  const json = (minor: string, rest: string): string =>
    `{"tag": "RequestMessage", "value": [{"tag": "RequestHeader", "value": [{"tag": "ProtocolVersion", "value": [{"tag": "ProtocolVersionMajor", "type": "Integer", "value": "0x00000002"}, {"tag":"ProtocolVersionMinor","type":"Integer","value":${minor}}]}]}${rest}`
  const item = (operation: string): string => `<BatchItem><Operation type="Enumeration" value="${operation}"/><RequestPayload/></BatchItem>`
  const rows: readonly [string, string, string | Buffer, string, string][] = [
    ['an unknown tag', XML, xml('<Nonsense/>'), 'InvalidMessage', '1.4'],
    ['an unknown value', XML, xml(item('Dance'), 2), 'InvalidMessage', '1.2'],
    ['an operation without a name', XML, xml(item('0x00000fff')), 'OperationNotSupported', '1.4'],
    ['no end', XML, xml('').slice(0, -4), 'InvalidMessage', '1.4'],
    ['an attribute twice', XML, xml('<A a="1" a="2"/>'), 'InvalidMessage', '1.4'],
    ['an entity', XML, `<!DOCTYPE a [<!ENTITY b "c">]>${xml('')}`, 'InvalidMessage', '1.4'],
    ['depth', XML, xml('<BatchItem>'.repeat(100)), 'InvalidMessage', '1.4'],
    ['no XML', XML, 'hello', 'CodecError', '2.1'],
    ['nothing', XML, '', 'CodecError', '2.1'],
    ['JSON in XML', XML, encodeJson(query()), 'InvalidMessage', '1.4'],
    ['another encoding', XML, `<?xml version="1.0" encoding="ISO-8859-1"?>${xml(item('Query'))}`, 'InvalidMessage', '1.4'],
    ['no UTF-8', XML, Buffer.from([...Buffer.from(xml('<')), 0xff]), 'InvalidMessage', '1.4'],
    ['an item for a message', XML, encodeXml(text(TAG.Name, 'x')), 'InvalidMessage', '2.1'],
    ['no end of JSON', JSON_TYPE, json('0', ''), 'CodecError', '2.0'],
    ['a number in hex', JSON_TYPE, json('"0x00000001"', ', {}]}'), 'CodecError', '2.1'],
    ['a key twice', JSON_TYPE, '{"tag":"RequestMessage","tag":"RequestMessage"}', 'CodecError', '2.1'],
    ['depth of JSON', JSON_TYPE, '['.repeat(100_000), 'CodecError', '2.1'],
    ['no UTF-8 in JSON', JSON_TYPE, Buffer.from([0xfe, 0xff]), 'CodecError', '2.1'],
    ['a version that is not spoken', JSON_TYPE, encodeJson(query(97)), 'UnsupportedProtocolVersion', '9.7'],
    ['bytes', TTLV, Buffer.from('hello'), 'CodecError', '2.1'],
  ]
  const http = await dial(lab)
  for (const [name, type, body, reason, version] of rows) {
    http.socket.write(post(body, type))
    const reply = await http.reply()
    t.match(reply, { status: 200, headers: { 'content-type': type } }, name)
    const answer = FORMS.find(form => form.type === type)!.decode(reply!.body)
    t.same([reasonOf(answer), versionOf(answer)], [reason, version], name)
  }
  t.equal(lab.audited.length, rows.length, 'each is on record')
  http.socket.destroy()
})

t.test('Maximum Response Size counts TTLV', async t => {
  const lab = await start(t, { engine: await engine() })
  const http = await dial(lab)
  const ask = async (form: (typeof FORMS)[number], size?: number): Promise<Item> => {
    http.socket.write(post(form.encode(query(14, size)), form.type))
    return form.decode((await http.reply())!.body)
  }
  const size = sizeOf(await ask(FORMS[0]))
  for (const form of FORMS) {
    t.equal(reasonOf(await ask(form, size)), 'Success', form.name)
    t.equal(reasonOf(await ask(form, size - 1)), 'ResponseTooLarge', form.name)
  }
  http.socket.destroy()
})

t.test('an answer that XML cannot carry says so', async t => {
  const lab = await start(t, { engine: await engine() })
  const http = await dial(lab)
  const ask = async (
    form: (typeof FORMS)[number],
    operation: 'Locate' | 'GetAttributes' | 'Register',
    ...payload: Item[]
  ): Promise<Item> => {
    http.socket.write(post(form.encode(requestMessage([{ operation, payload }], { version: 20 })), form.type))
    return form.decode((await http.reply())!.body)
  }
  const [ttlv, json, xml] = FORMS
  const attributes = structure(TAG.Attributes, [text(TAG.Comment, 'bell \x07')])
  const registered = await ask(
    ttlv,
    'Register',
    enumeration(TAG.ObjectType, ENUM.ObjectType.OpaqueObject),
    attributes,
    structure(TAG.OpaqueObject, [
      enumeration(TAG.OpaqueDataType, 0x80000001),
      { tag: TAG.OpaqueDataValue, type: 8, value: Buffer.from('opaque') },
    ]),
  )
  const id = child(child(itemOf(registered), TAG.ResponsePayload)!, TAG.UniqueIdentifier)!
  t.equal(reasonOf(await ask(json, 'GetAttributes', id)), 'Success')
  const answer = await ask(xml, 'GetAttributes', id)
  t.equal(reasonOf(answer), 'CodecError')
  t.match(child(itemOf(answer), TAG.ResultMessage)?.value, /cannot be written in XML/)
  http.socket.destroy()
})

t.test('requests sent ahead are answered in order, up to a number', async t => {
  const order: number[] = []
  const lab = await start(t, {
    answer: async request => {
      const number = request.readUInt32BE(8)
      if (number % 3 === 0) await new Promise(resolve => setImmediate(resolve))
      order.push(number)
      return request
    },
  })
  const http = await dial(lab)
  http.socket.write(Buffer.concat(Array.from({ length: 12 }, (_, i) => post(message(i)))))
  for (let i = 0; i < 12; i++) t.equal((await http.reply())?.body.readUInt32BE(8), i)
  http.socket.destroy()
  const flood = await dial(lab)
  flood.socket.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => post(message(i)))))
  let answers = 0
  let last: Reply | undefined
  for (let reply = await flood.reply(); reply !== undefined; reply = await flood.reply()) {
    answers++
    last = reply
  }
  t.equal(answers, 17, 'one and those that may wait')
  t.equal(last?.headers.connection, 'close')
  t.equal(lab.metrics.refused('http'), 1)
})

t.test('limits of time', async t => {
  const rows: readonly [string, Refusal, (http: Http) => NodeJS.Timeout | undefined][] = [
    ['nothing at all', 'idle', () => undefined],
    ['part of the headers', 'partial_message', ({ socket }) => void socket.write('POST /kmip HT') as undefined],
    ['a body that does not come', 'partial_message', ({ socket }) => void socket.write(post(message(1)).subarray(0, -4)) as undefined],
    [
      'headers that trickle',
      'partial_message',
      ({ socket }) => {
        const bytes = post(message(1), TTLV, [`X-A: ${'x'.repeat(4000)}`])
        let sent = 0
        return setInterval(() => socket.write(bytes.subarray(sent, ++sent)), 10)
      },
    ],
  ]
  for (const [name, kind, begin] of rows) {
    const lab = await start(t, { limits: { idleMs: kind === 'idle' ? 80 : 60_000, partialMs: 80, lingerMs: 40 } })
    const http = await dial(lab)
    const timer = begin(http)
    await closed(http.socket)
    clearInterval(timer)
    t.equal(lab.metrics.refused(kind), 1, name)
  }
  // Long enough that the request is sent before, however slow the machine is.
  const lab = await start(t, { limits: { idleMs: 1000, partialMs: 60_000, lingerMs: 40 } })
  const http = await dial(lab)
  http.socket.write(post(message(1)))
  t.equal((await http.reply())?.status, 200)
  await closed(http.socket)
  t.equal(lab.metrics.refused('idle'), 1, 'silence after an answer')
})

t.test('revocation', async t => {
  const lab = await start(t)
  const [idle, other, reading] = [await dial(lab), await dial(lab, await pki.client()), await dial(lab)]
  for (const http of [idle, other]) {
    http.socket.write(post(message(1)))
    t.equal((await http.reply())?.status, 200)
  }
  reading.socket.write(post(message(1)).subarray(0, -4))
  lab.identities.revoke(lab.identities.seen[0]!)
  await Promise.all([closed(idle.socket), closed(reading.socket)])
  t.equal(lab.metrics.refused('revoked'), 2, 'connections are cut, whatever they do')
  other.socket.write(post(message(2)))
  t.equal((await other.reply())?.status, 200, 'another stays')
  lab.identities.revoke(lab.identities.seen[1]!)
  other.socket.write(post(message(3)))
  t.equal(await other.reply(), undefined, 'the very next message of a revoked client is not answered')
  t.equal(lab.audited.length, 3)
  const again = await dial(lab)
  again.socket.write(post(message(4)))
  t.equal(await again.reply(), undefined, 'nor is a new connection')
  t.equal(lab.metrics.refused('unknown_identity'), 1)
})

t.test('who has no certificate of ours is not let in, and nobody has more connections than the limit', async t => {
  const lab = await start(t, { limits: { connectionsPerIdentity: 2 } })
  const stranger = await lab.connect({ cert: '', key: '' }).catch(() => undefined)
  if (stranger !== undefined) await closed(stranger)
  await until(() => lab.metrics.refused('certificate') === 1)
  const sockets = [await dial(lab), await dial(lab)]
  for (const http of sockets) {
    http.socket.write(post(message(1)))
    t.equal((await http.reply())?.status, 200)
  }
  const third = await dial(lab)
  third.socket.write(post(message(1)))
  t.equal(await third.reply(), undefined)
  t.equal(lab.metrics.refused('connections_per_identity'), 1)
  for (const http of sockets) http.socket.destroy()
})

t.test('what cannot be audited is not answered', async t => {
  let broken = true
  const lab = await start(t, {
    limits: { lingerMs: 40 },
    audit: {
      write() {
        if (broken) throw new Error('disk full')
      },
      reopen() {},
      close() {},
    },
  })
  t.equal(await send(lab, post(message(1))), undefined)
  t.equal(lab.metrics.auditFailures, 1)
  t.equal((await send(lab, post(message(2))))?.status, 503, 'and the next is not even begun')
  t.equal(lab.metrics.refused('audit'), 1)
  broken = false
  await until(() => !lab.listener.outbox.blocked)
  t.equal((await send(lab, post(message(3))))?.status, 200, 'until it can be written again')
})

t.test('stopping answers what is in flight', async t => {
  let release = (): void => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  let asked = (): void => {}
  const busy = new Promise<void>(resolve => {
    asked = resolve
  })
  const lab = await start(t, {
    async answer(request) {
      asked()
      await held
      return request
    },
  })
  const [idle, working] = [await dial(lab), await dial(lab)]
  working.socket.write(Buffer.concat([post(message(7)), post(message(8))]))
  await busy
  const stopped = lab.listener.stop(5000)
  await closed(idle.socket)
  release()
  const reply = await working.reply()
  t.equal(reply?.body.readUInt32BE(8), 7)
  t.equal(reply?.headers.connection, 'close')
  t.equal(await working.reply(), undefined, 'what waited is not begun')
  await stopped
})

t.test('a client that goes away before its answer harms nobody', async t => {
  let release = (): void => {}
  let asked = (): void => {}
  const busy = new Promise<void>(resolve => {
    asked = resolve
  })
  const lab = await start(t, {
    async answer(request) {
      asked()
      await new Promise<void>(resolve => {
        release = resolve
      })
      return request
    },
  })
  const gone = await dial(lab)
  gone.socket.write(post(message(1)))
  await busy
  gone.socket.destroy()
  await until(() => lab.metrics.connectionsOpen === 0)
  release()
  await until(() => lab.audited.length === 1)
  t.equal(lab.audited.length, 1, 'what was done is on record')
})
