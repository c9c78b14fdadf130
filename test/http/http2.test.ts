import { once } from 'node:events'
import { connect as connectHttp2, constants, type IncomingHttpHeaders } from 'node:http2'
import { connect, type TLSSocket } from 'node:tls'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { HttpHandler, HttpRequest } from '../../src/http/exchange.ts'
import { HpackDecoder, HpackError } from '../../src/http/hpack.ts'
import { HttpListener, type HttpListenerOptions } from '../../src/http/listener.ts'
import { Pki } from '../server/lab.ts'

const { certificate, key } = await (await Pki.make()).server()
const LIMIT = 1000
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const [DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
]
const [END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY] = [1, 4, 8, 0x20]
/** GET https /, in the static table. */
const GET = '828784'
const PUT = `4203505554${'8784'}`

interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

function frame(type: number, flags: number, stream: number, payload: string | Buffer = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'hex') : payload
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}
const number = (value: number): string => value.toString(16).padStart(8, '0')
/** Without a table, and without Huffman's code. */
const literal = (name: string, value: string): string =>
  `00${[name, value].map(text => Buffer.from(text.length < 127 ? `${String.fromCharCode(text.length)}${text}` : '', 'latin1').toString('hex')).join('')}`

const echo: HttpHandler = ({ method, target, body, truncated, headers }) => ({
  status: 200,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ method, target, size: body.length, truncated, headers }),
})

async function start(
  t: Test,
  options: Partial<HttpListenerOptions> = {},
  bodyBytes = LIMIT,
): Promise<{ port: number; listener: HttpListener }> {
  const listener = await HttpListener.listen({
    ...{ host: '127.0.0.1', port: 0, handler: echo, onError: () => undefined },
    tls: { credential: { certificate, key }, clientCertificates: 'none' },
    allow: () => ({ bodyBytes, timeoutMs: 10_000 }),
    ...options,
  })
  t.teardown(() => listener.stop(0))
  return { listener, port: Number(listener.address.split(':').at(-1)) }
}

/** A client that sends what it is told, and reads frames. */
class Client {
  readonly socket: TLSSocket
  readonly #frames: Frame[] = []
  #rest = Buffer.alloc(0)
  #wake = (): void => undefined
  #isClosed = false

  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#isClosed = true
      this.#wake()
    })
    socket.on('data', (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk])
      while (this.#rest.length >= 9 && this.#rest.length >= 9 + this.#rest.readUIntBE(0, 3)) {
        const end = 9 + this.#rest.readUIntBE(0, 3)
        const [type, flags] = [this.#rest[3]!, this.#rest[4]!]
        this.#frames.push({ type, flags, stream: this.#rest.readUInt32BE(5), payload: this.#rest.subarray(9, end) })
        this.#rest = this.#rest.subarray(end)
      }
      this.#wake()
    })
  }

  static async open(t: Test, port: number, settings = ''): Promise<Client> {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
    t.teardown(() => socket.destroy())
    const client = new Client(socket)
    await once(socket, 'secureConnect')
    client.send(PREFACE, frame(SETTINGS, 0, 0, settings))
    return client
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  /** The next frame of one of these types; nothing: the connection is closed. */
  async next(...types: number[]): Promise<Frame | undefined> {
    for (;;) {
      const found = this.#frames.shift()
      if (found !== undefined && types.includes(found.type)) return found
      if (found !== undefined) continue
      if (this.#isClosed) return undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** Status line's byte and the whole body of an answer. */
  async answer(stream: number): Promise<{ status: number; body: string } | { reset: number } | undefined> {
    let status = 0
    let body = ''
    for (;;) {
      const found = await this.next(HEADERS, DATA, RST_STREAM, GOAWAY)
      if (found === undefined || found.type === GOAWAY) return undefined
      if (found.stream !== stream) continue
      if (found.type === RST_STREAM) return { reset: found.payload.readUInt32BE() }
      if (found.type === HEADERS) status = found.payload[0]!
      else body += found.payload.toString('latin1')
      if ((found.flags & END_STREAM) !== 0) return { status, body }
    }
  }
}

/** What a connection ends by. */
async function ending(client: Client): Promise<number | undefined> {
  const goAway = await client.next(GOAWAY)
  return goAway?.payload.readUInt32BE(4)
}

t.test('header blocks of the specification', t => {
  const CASES: readonly [block: string, fields: readonly string[]][][] = [
    // Spec: RFC 7541 appendix C.3, C.4
    [
      ['828684410f7777772e6578616d706c652e636f6d', [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com']],
      [
        '828684be58086e6f2d6361636865',
        [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
      ],
      [
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
        [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
      ],
    ],
    [
      ['828684418cf1e3c2e5f23a6ba0ab90f4ff', [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com']],
      ['828684be5886a8eb10649cbf', [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache']],
      [
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
        [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
      ],
    ],
    // C.2.3 never indexed, C.2.2 without indexing
    [
      ['100870617373776f726406736563726574', ['password: secret']],
      ['040c2f73616d706c652f70617468', [':path: /sample/path']],
    ],
  ]
  for (const blocks of CASES) {
    const decoder = new HpackDecoder()
    for (const [block, fields] of blocks)
      t.same(
        decoder.decode(Buffer.from(block, 'hex'), 10_000)?.map(field => field.join(': ')),
        fields,
      )
  }
  const BROKEN = [
    '80',
    'c5',
    'ff',
    'ffffffffffffff',
    '00',
    '0003616263',
    '000161',
    '41',
    '418a',
    '3fe21f',
    '823f',
    '418100',
    '4184ffffffff',
    '41821fff',
  ]
  for (const block of BROKEN) t.throws(() => new HpackDecoder().decode(Buffer.from(block, 'hex'), 10_000), HpackError, block)
  const bomb = new HpackDecoder()
  bomb.decode(
    Buffer.concat([
      Buffer.from('40017f9c1e', 'hex').subarray(0, 2),
      Buffer.from('78', 'hex'),
      Buffer.from('7fa11e', 'hex'),
      Buffer.alloc(4000, 'x'),
    ]),
    1e6,
  )
  t.equal(bomb.decode(Buffer.alloc(5000, 0xbe), 100_000), undefined, 'a bomb is not blown up')
  t.match(
    bomb.decode(Buffer.from('82be', 'hex'), 10_000),
    [
      [':method', 'GET'],
      ['x', /^x{4000}$/],
    ],
    'and the table is as it was',
  )
  t.end()
})

t.test('whatever headers a client of another make sends', async t => {
  let seen: HttpRequest['headers'] = {}
  const handler: HttpHandler = request => {
    seen = request.headers
    return { status: 204 }
  }
  const { port } = await start(t, { handler })
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  t.teardown(() => session.destroy())
  const values = fc.string({
    unit: fc
      .integer({ min: 0x21, max: 0xff })
      .filter(code => code !== 0x7f)
      .map(code => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 300,
  })
  const names = fc.stringMatching(/^x-[a-z0-9_.!-]{1,30}$/)
  await fc.assert(
    fc.asyncProperty(fc.dictionary(names, values, { maxKeys: 20 }), async headers => {
      const stream = session.request({ ':path': '/', ...headers })
      stream.resume()
      await once(stream, 'close')
      for (const [name, value] of Object.entries(headers)) if (seen[name] !== value) throw new Error(`${name}: ${seen[name]} for ${value}`)
    }),
    { numRuns: 100 },
  )
  t.equal(seen.host, `127.0.0.1:${port}`)
})

t.test('answers, as a client of another make reads them', async t => {
  const headers = { 'Content-Type': 'text/plain', 'X-Long': 'y'.repeat(5000), Location: '/ä'.normalize() }
  const { port } = await start(t, { handler: ({ target }) => ({ status: Number(target.slice(1)), headers, body: target }) })
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  t.teardown(() => session.destroy())
  for (const status of [200, 204, 206, 304, 400, 404, 431, 500, 501, 503]) {
    const stream = session.request({ ':path': `/${status}` })
    const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders]
    let body = ''
    for await (const piece of stream) body += piece
    t.match(answer, { ':status': status, 'content-type': 'text/plain', 'x-long': headers['X-Long'], date: /GMT$/ })
    t.equal(body, status === 204 || status === 304 ? '' : `/${status}`)
    t.equal(answer['content-length'], status === 204 || status === 304 ? undefined : '4')
  }
})

/** So many frames that there are too many on one side of a check, should one fall among them. */
const FLOOD = 6000

t.test('what ends a connection, and by which reason', async t => {
  const { port } = await start(t, { limits: { headerBytes: 16_384 } })
  const { NGHTTP2_PROTOCOL_ERROR: PROTOCOL, NGHTTP2_FRAME_SIZE_ERROR: SIZE, NGHTTP2_FLOW_CONTROL_ERROR: FLOW } = constants
  const { NGHTTP2_COMPRESSION_ERROR: COMPRESSION, NGHTTP2_ENHANCE_YOUR_CALM: CALM, NGHTTP2_STREAM_CLOSED: CLOSED } = constants
  const big = Buffer.alloc(16_384)
  const CASES: readonly [name: string, frames: readonly Buffer[], reason: number][] = [
    ['a frame that is too long', [frame(DATA, 0, 1, Buffer.alloc(16_385))], SIZE],
    ['headers on an even stream', [frame(HEADERS, 5, 2, GET)], PROTOCOL],
    ['headers on no stream', [frame(HEADERS, 5, 0, GET)], PROTOCOL],
    ['data on no stream', [frame(DATA, 0, 0, '00')], PROTOCOL],
    ['data before its headers', [frame(DATA, 0, 1, '00')], PROTOCOL],
    ['a reset before its headers', [frame(RST_STREAM, 0, 1, number(8))], PROTOCOL],
    ['another frame inside a header block', [frame(HEADERS, 1, 1, GET), frame(PING, 0, 0, '0000000000000000')], PROTOCOL],
    ['a continuation of another stream', [frame(HEADERS, 1, 1, GET), frame(CONTINUATION, END_HEADERS, 3, '')], PROTOCOL],
    ['a continuation of nothing', [frame(CONTINUATION, END_HEADERS, 1, '')], PROTOCOL],
    ['a promise', [frame(PUSH_PROMISE, 4, 1, `00000002${GET}`)], PROTOCOL],
    ['padding beyond the end', [frame(HEADERS, 5 | PADDED, 1, `09${GET}`)], PROTOCOL],
    ['a block that is none', [frame(HEADERS, 5, 1, 'ffffffffff')], COMPRESSION],
    ['a ping of another length', [frame(PING, 0, 0, '00')], SIZE],
    ['settings of another length', [frame(SETTINGS, 0, 0, '00')], SIZE],
    ['a first window that is too large', [frame(SETTINGS, 0, 0, '0004ffffffff')], FLOW],
    ['frames shorter than all must take', [frame(SETTINGS, 0, 0, '000500000001')], PROTOCOL],
    ['a window that overflows', [frame(WINDOW_UPDATE, 0, 0, '7fffffff')], FLOW],
    ['a window that grows by nothing', [frame(WINDOW_UPDATE, 0, 0, '00000000')], PROTOCOL],
    ['a window of no request', [frame(WINDOW_UPDATE, 0, 1, '00000001')], PROTOCOL],
    ['a priority of no request', [frame(PRIORITY, 0, 0, '0000000000')], PROTOCOL],
    ['a priority of another length', [frame(PRIORITY, 0, 1, '00')], SIZE],
    ['a farewell on a stream', [frame(GOAWAY, 0, 1, `${number(0)}${number(0)}`)], PROTOCOL],
    ['a request twice', [frame(HEADERS, 5, 1, GET), frame(HEADERS, 5, 1, GET)], CLOSED],
    ['data after an answer', [frame(HEADERS, 5, 1, GET), frame(DATA, 0, 1, '00')], CLOSED],
    ['data after a reset', [frame(HEADERS, 4, 1, PUT), frame(RST_STREAM, 0, 1, number(8)), frame(DATA, 0, 1, '00')], CLOSED],
    ['headers after the end', [frame(HEADERS, END_HEADERS, 1, PUT), frame(HEADERS, END_HEADERS, 1, GET)], PROTOCOL],
    ['a header block without end', [frame(HEADERS, 1, 1, big), frame(CONTINUATION, 0, 1, big), frame(CONTINUATION, 0, 1, big)], CALM],
    ['empty continuations', [frame(HEADERS, 1, 1, ''), ...Array.from({ length: 2000 }, () => frame(CONTINUATION, 0, 1, ''))], CALM],
    ['a flood of pings', Array.from({ length: FLOOD }, () => frame(PING, 0, 0, '0000000000000000')), CALM],
    ['a flood of settings', Array.from({ length: FLOOD }, () => frame(SETTINGS, 0, 0, '')), CALM],
    ['a flood of priorities', Array.from({ length: FLOOD }, () => frame(PRIORITY, 0, 1, '0000000000')), CALM],
    ['a flood of empty data', [frame(HEADERS, END_HEADERS, 1, PUT), ...Array.from({ length: FLOOD }, () => frame(DATA, 0, 1, ''))], CALM],
  ]
  for (const [name, frames, reason] of CASES) {
    const client = await Client.open(t, port)
    client.send(...frames)
    t.equal(await ending(client), reason, name)
    t.equal(await client.next(), undefined, 'and is closed')
  }
  const { port: hasty } = await start(t, { limits: { headerMs: 300 } })
  const none = connect({ host: '127.0.0.1', port: hasty, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  none.on('error', () => undefined).resume()
  await once(none, 'secureConnect')
  none.write('GET / HTTP/1.1\r\n\r\n')
  await once(none, 'end')
  const slow = await Client.open(t, hasty)
  slow.send(frame(HEADERS, 1, 1, GET))
  t.equal(await ending(slow), undefined, 'a header block that takes too long is cut off')
})

t.test('what ends a request alone', async t => {
  const { port } = await start(t)
  const { NGHTTP2_PROTOCOL_ERROR: PROTOCOL } = constants
  const client = await Client.open(t, port)
  const HEADS: readonly [name: string, block: string][] = [
    ['no path', '8287'],
    ['no scheme', '8284'],
    ['two paths', `${GET}84`],
    ['an unknown pseudo field', `${GET}${literal(':x', 'y')}`],
    ['a pseudo field behind others', `8287${literal('a', 'b')}84`],
    ['a name in upper case', `${GET}${literal('A', 'b')}`],
    ['a name that is none', `${GET}${literal('a b', 'c')}`],
    ['a line end in a value', `${GET}${literal('a', 'b\r\nc: d')}`],
    ['a header of connections', `${GET}${literal('connection', 'close')}`],
    ['another coding', `${GET}${literal('transfer-encoding', 'chunked')}`],
    ['two lengths', `${GET}${literal('content-length', '1')}${literal('content-length', '2')}`],
    ['a length that is none', `${GET}${literal('content-length', '-1')}`],
    ['a length and no body', `${GET}${literal('content-length', '1')}`],
  ]
  let id = -1
  for (const [name, block] of HEADS) {
    id += 2
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, id, block))
    t.same(await client.answer(id), { reset: PROTOCOL }, name)
  }
  for (const body of [frame(DATA, END_STREAM, id + 2, '00'), frame(DATA, 0, id + 2, '000000')]) {
    id += 2
    client.send(frame(HEADERS, END_HEADERS, id, `${PUT}${literal('content-length', '2')}`), frame(DATA, body[4]!, id, body.subarray(9)))
    t.same(await client.answer(id), { reset: PROTOCOL }, 'not as long as was said')
  }
  id += 2
  client.send(frame(HEADERS, END_HEADERS, id, `${PUT}${literal('content-length', '2')}`), frame(HEADERS, 5, id, literal('a', 'b')))
  t.same(await client.answer(id), { reset: PROTOCOL }, 'a trailer in the place of what was said')
  client.send(frame(HEADERS, END_HEADERS | END_STREAM, id + 2, GET))
  t.match(await client.answer(id + 2), { status: 0x88 }, 'the connection goes on')
})

t.test('requests in every form', async t => {
  const { port } = await start(t)
  const client = await Client.open(t, port)
  const body = async (id: number) => JSON.parse(((await client.answer(id)) as { body: string }).body)
  client.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED | WITH_PRIORITY, 1, `020000000010${GET}0000`))
  t.match(await body(1), { method: 'GET', target: '/', size: 0 }, 'padded, with a priority')
  client.send(
    frame(HEADERS, 0, 3, PUT.slice(0, 4)),
    frame(CONTINUATION, 0, 3, PUT.slice(4, 8)),
    frame(CONTINUATION, END_HEADERS, 3, PUT.slice(8)),
  )
  client.send(frame(DATA, PADDED, 3, '0261620000'), frame(DATA, 0, 3, '63'), frame(HEADERS, END_HEADERS | END_STREAM, 3, literal('a', 'b')))
  t.match(await body(3), { method: 'PUT', size: 3 }, 'in pieces, with a trailer')
  const all = Buffer.concat([frame(HEADERS, END_HEADERS, 5, PUT), frame(DATA, END_STREAM, 5, '6162')])
  for (const byte of all) client.send(Buffer.of(byte))
  t.match(await body(5), { size: 2 }, 'byte by byte')
  client.send(
    frame(
      HEADERS,
      END_HEADERS | END_STREAM,
      7,
      `${GET}${literal('cookie', 'a')}${literal('cookie', 'b')}${literal('x', '1')}${literal('x', '2')}${literal('user-agent', 'u')}${literal('user-agent', 'v')}`,
    ),
  )
  t.same((await body(7)).headers, { cookie: 'a; b', x: '1, 2', 'user-agent': 'u' })
  client.send(frame(PING, 0, 0, '0102030405060708'))
  t.match(await client.next(PING), { flags: 1, payload: Buffer.from('0102030405060708', 'hex') })
  client.send(frame(HEADERS, END_HEADERS | END_STREAM, 9, `8487${literal(':method', 'HEAD')}`))
  t.match(await client.answer(9), { body: '' })
})

t.test('an answer waits for the windows', async t => {
  const { port } = await start(t, { handler: () => ({ status: 200, body: 'x'.repeat(100) }) })
  const client = await Client.open(t, port, `0004${number(10)}`)
  client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, GET))
  t.equal((await client.next(DATA))?.payload.length, 10)
  client.send(frame(WINDOW_UPDATE, 0, 1, number(20)))
  t.equal((await client.next(DATA))?.payload.length, 20)
  client.send(frame(SETTINGS, 0, 0, `0004${number(40)}`))
  t.equal((await client.next(DATA))?.payload.length, 30, 'the first window counts afterwards too')
  client.send(frame(WINDOW_UPDATE, 0, 1, number(1000)))
  const last = await client.next(DATA)
  t.same([last?.flags, last?.payload.length], [END_STREAM, 40])
  const other = await start(t, { handler: () => ({ status: 200, body: Buffer.alloc(200_000) }) })
  const large = await Client.open(t, other.port, `0004${number(1 << 20)}`)
  large.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, GET))
  let size = 0
  for (let piece = await large.next(DATA); piece; piece = size < 65_535 ? await large.next(DATA) : undefined) {
    size += piece.payload.length
    t.ok(piece.payload.length <= 16_384)
  }
  t.equal(size, 65_535, 'all that the connection takes')
  large.send(frame(WINDOW_UPDATE, 0, 0, number(1 << 20)))
  for (let piece = await large.next(DATA); piece; piece = (piece.flags & END_STREAM) === 0 ? await large.next(DATA) : undefined)
    size += piece.payload.length
  t.equal(size, 200_000)
})

t.test('a stream goes no faster than it is read', async t => {
  let made = 0
  const handler: HttpHandler = ({ signal }) => ({
    status: 200,
    body: (async function* () {
      while (!signal.aborted && made < 300) {
        made++
        yield Buffer.alloc(65_536)
      }
    })(),
  })
  const { port } = await start(t, { handler })
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  t.teardown(() => session.destroy())
  const stream = session.request({ ':path': '/' })
  await once(stream, 'response')
  const still = session.request({ ':path': '/' })
  await once(still, 'response')
  t.ok(made < 20, `${made} pieces were made`)
  still.close()
  let size = 0
  for await (const piece of stream) size += (piece as Buffer).length
  t.equal(made, 300)
  t.ok(size > 200 * 65_536)
})

t.test('no more requests at a time than was said', async t => {
  const waiting: (() => void)[] = []
  const handler: HttpHandler = () => new Promise(resolve => waiting.push(() => resolve({ status: 200 })))
  const { port, listener } = await start(t, { handler, limits: { concurrent: 3 } })
  const client = await Client.open(t, port)
  for (const id of [1, 3, 5, 7]) client.send(frame(HEADERS, END_HEADERS | END_STREAM, id, GET))
  t.same(await client.answer(7), { reset: constants.NGHTTP2_REFUSED_STREAM })
  const bad = await Client.open(t, port)
  bad.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, GET), frame(DATA, 0, 1, '00'))
  t.equal(await ending(bad), constants.NGHTTP2_STREAM_CLOSED, 'data behind the end of a request')
  const stopped = listener.stop(5000)
  t.match(await client.next(GOAWAY), { payload: Buffer.from(`${number(7)}${number(0)}`, 'hex') })
  client.send(frame(HEADERS, END_HEADERS, 9, PUT), frame(DATA, END_STREAM, 9, '00'))
  client.send(frame(PING, 0, 0, '0000000000000000'))
  await client.next(PING)
  t.equal(waiting.length, 4, 'what is asked after the farewell is not heard')
  for (const answer of waiting) answer()
  for (const id of [1, 3, 5]) t.match(await client.answer(id), { status: 0x88 })
  await stopped
})

t.test('a body that goes on after the answer', async t => {
  const { port } = await start(t, {}, 0)
  const client = await Client.open(t, port)
  client.send(frame(HEADERS, END_HEADERS, 1, PUT))
  t.match(await client.answer(1), { status: 0x88 }, 'a body that nobody wants is not waited for')
  client.send(frame(DATA, 0, 1, '00'), frame(DATA, END_STREAM, 1, '00'))
  client.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, GET))
  t.match(await client.answer(3), { status: 0x88 })
  const limited = await start(t)
  const long = await Client.open(t, limited.port)
  long.send(frame(HEADERS, END_HEADERS, 1, PUT), frame(DATA, 0, 1, Buffer.alloc(LIMIT + 1)))
  t.match(await long.answer(1), { status: 0x88, body: /"truncated":true/ })
  t.equal((await long.next(RST_STREAM))?.payload.readUInt32BE(), constants.NGHTTP2_NO_ERROR, 'and the client is told to stop')
})

t.test('bodies that do not end take no more memory than was meant for them', async t => {
  const { port } = await start(t, {}, 1_000_000)
  const client = await Client.open(t, port)
  const piece = Buffer.alloc(16_384)
  let ended: number | undefined | 'not' = 'not'
  const reason = ending(client).then(code => (ended = code))
  for (let id = 1; ended === 'not' && id < 200; id += 2) {
    client.send(frame(HEADERS, END_HEADERS, id, PUT), ...Array.from({ length: 50 }, () => frame(DATA, 0, id, piece)))
    await new Promise(resolve => client.socket.write('', resolve))
  }
  t.equal(await reason, constants.NGHTTP2_ENHANCE_YOUR_CALM)
})

t.test('nor do heads of requests that wait for their bodies', async t => {
  const { port } = await start(t, {}, 1_000_000)
  const client = await Client.open(t, port)
  let ended: number | undefined | 'not' = 'not'
  const reason = ending(client).then(code => (ended = code))
  const length = (value: number): Buffer => {
    const bytes = [0x7f]
    let left = value - 127
    for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128)
    return Buffer.from([...bytes, left])
  }
  // `n: xxx…` without a table.
  const field = Buffer.concat([Buffer.from('00016e', 'hex'), length(950_000), Buffer.alloc(950_000, 'x')])
  for (let id = 1; ended === 'not' && id < 60; id += 2) {
    client.send(frame(HEADERS, 0, id, PUT))
    for (let at = 0; at < field.length; at += 16_384)
      client.send(frame(CONTINUATION, at + 16_384 >= field.length ? END_HEADERS : 0, id, field.subarray(at, at + 16_384)))
    await new Promise(resolve => client.socket.write('', resolve))
  }
  client.socket.destroy()
  t.equal(await reason, constants.NGHTTP2_ENHANCE_YOUR_CALM)
})

t.test('bytes without sense', async t => {
  const errors: unknown[] = []
  const { port } = await start(t, { onError: error => errors.push(error), limits: { headerMs: 200 } })
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.integer({ min: 0, max: 11 }),
          fc.integer({ min: 0, max: 255 }),
          fc.integer({ min: 0, max: 9 }),
          fc.uint8Array({ maxLength: 40 }),
        ),
        { maxLength: 12 },
      ),
      async parts => {
        const client = await Client.open(t, port)
        client.send(...parts.map(([type, flags, stream, payload]) => frame(type, flags, stream, Buffer.from(payload))))
        client.socket.end()
        await client.next()
      },
    ),
    { numRuns: 150 },
  )
  t.same(errors, [])
})
