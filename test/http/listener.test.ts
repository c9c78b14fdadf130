import { type EventEmitter, once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2'
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https'
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import t from 'tap'
import type { Allowance, HttpHandler } from '../../src/http/exchange.ts'
import { type ClientCertificates, HttpListener, type HttpListenerOptions } from '../../src/http/listener.ts'
import { Pki } from '../server/lab.ts'

const pki = await Pki.make()
const stranger = await (await Pki.make()).client()
const client = await pki.client()
const { certificate, key, authorities } = await pki.server()
const credential = { certificate, key, authorities }
const LIMIT = 1000

interface Teardown {
  teardown(stop: () => Promise<void>): unknown
}
interface LabOptions extends Partial<Omit<HttpListenerOptions, 'tls'>> {
  readonly certificates?: ClientCertificates
  readonly prefer?: 'h2' | 'http/1.1'
  readonly allowance?: Partial<Allowance>
  readonly plain?: boolean
}

const echo: HttpHandler = ({ method, target, body, truncated, certificates }) => ({
  status: 200,
  headers: { 'Content-Type': 'text/plain' },
  body: JSON.stringify({ method, target, size: body.length, truncated, certificates: certificates.length }),
})

async function start(t: Teardown, { certificates = 'optional', prefer, allowance, plain, ...options }: LabOptions = {}) {
  const errors: unknown[] = []
  const refused: string[] = []
  const listener = await HttpListener.listen({
    host: '127.0.0.1',
    port: 0,
    ...(!plain && { tls: { credential, clientCertificates: certificates, ...(prefer && { prefer }) } }),
    handler: echo,
    allow: () => ({ bodyBytes: LIMIT, timeoutMs: 10_000, ...allowance }),
    onError: error => errors.push(error),
    onRefused: cause => refused.push(cause),
    ...options,
  })
  t.teardown(() => listener.stop(0))
  const port = Number(listener.address.split(':').at(-1))
  return { listener, port, errors, refused }
}

// Without our authorities: a client that has them sends them along.
const tls = { host: '127.0.0.1', rejectUnauthorized: false }

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

const get = (port: number, options: RequestOptions & { readonly body?: string; readonly plain?: boolean } = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const send = options.plain ? httpRequest : httpsRequest
    const request = send({ ...tls, port, agent: false, path: '/x?y=1', ...options }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        body += piece
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(options.body)
  })

const get2 = (session: ClientHttp2Session, fields: Record<string, string> = {}, body?: string | Buffer): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/x', ...fields }, { endStream: body === undefined })
    let headers: Record<string, unknown> = {}
    let text = ''
    stream.on('response', fields => {
      headers = fields
    })
    stream.setEncoding('utf8').on('data', piece => {
      text += piece
    })
    stream.on('error', reject)
    stream.on('close', () =>
      ':status' in headers ? resolve({ status: Number(headers[':status']), headers, body: text }) : reject(new Error('no answer')),
    )
    if (body !== undefined) stream.end(body)
  })

async function session2(t: Teardown, port: number, options: ConnectionOptions = client): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ...tls, ...options })
  session.on('error', () => undefined)
  t.teardown(async () => session.destroy())
  await once(session, 'connect')
  return session
}

async function raw(port: number, text: string, options: ConnectionOptions = client): Promise<string> {
  const socket: TLSSocket = connectTls({ ...tls, port, ...options })
  let received = ''
  socket.setEncoding('latin1').on('data', (piece: string) => {
    received += piece
  })
  socket.on('error', error => {
    received += error.message
  })
  socket.on('secureConnect', () => socket.write(text))
  await ends(socket)
  return received
}

t.test('both versions on one port', async t => {
  for (const [certificates, prefer, chosen] of [
    ['required', 'h2', 'h2'],
    ['optional', 'http/1.1', 'http/1.1'],
    ['verified', undefined, 'h2'],
  ] as const) {
    const { port, errors } = await start(t, { certificates, ...(prefer && { prefer }) })
    const socket = connectTls({ ...tls, ...client, port, ALPNProtocols: ['h2', 'http/1.1'] })
    await once(socket, 'secureConnect')
    t.equal(socket.alpnProtocol, chosen, `${certificates}: ${chosen} is chosen`)
    socket.destroy()
    const seen = { method: 'PUT', size: 3, truncated: false, certificates: 1 }
    const answer = await get(port, { ...client, method: 'PUT', body: 'abc' })
    t.match(JSON.parse(answer.body), { ...seen, target: '/x?y=1' }, 'HTTP/1.1')
    t.match(answer.headers, { 'content-type': 'text/plain', 'content-length': String(answer.body.length) })
    const session = await session2(t, port)
    for (const body of ['abc', 'def']) {
      const answer = await get2(session, { ':method': 'PUT' }, body)
      t.match(JSON.parse(answer.body), { ...seen, target: '/x' }, 'HTTP/2')
      t.match(answer.headers, { 'content-type': 'text/plain', 'content-length': String(answer.body.length) })
    }
    t.equal((await get2(session, { ':method': 'HEAD' })).body, '', 'HEAD has no body')
    t.equal((await get2(session, { ':method': 'LIST' })).status, 200, 'methods of others')
    t.same(errors, [])
  }
})

t.test('client certificates', async t => {
  const CASES: [certificates: ClientCertificates, shown: ConnectionOptions, seen: number | undefined][] = [
    ['none', client, 0],
    ['optional', {}, 0],
    ['optional', client, 1],
    ['optional', stranger, 1],
    ['required', {}, undefined],
    ['required', client, 1],
    ['required', stranger, 1],
    ['verified', {}, undefined],
    ['verified', stranger, undefined],
    ['verified', client, 1],
    ['optional-verified', {}, 0],
    ['optional-verified', stranger, undefined],
    ['optional-verified', client, 1],
  ]
  for (const [certificates, shown, seen] of CASES) {
    const { port, refused } = await start(t, { certificates })
    const name = `${certificates}, ${shown === client ? 'ours' : shown === stranger ? 'a stranger' : 'none'}`
    if (seen === undefined) {
      await t.rejects(get(port, shown), name)
      t.equal(refused.length, 1, 'and it is told')
    } else t.match(JSON.parse((await get(port, shown)).body), { certificates: seen }, name)
  }
  const { port } = await start(t, { certificates: 'required' })
  const two = { key: client.key, cert: `${client.cert}\n${stranger.cert}` }
  t.match(JSON.parse((await get(port, two)).body), { certificates: 2 }, 'the chain as it was sent')
  t.match(await raw(port, 'x', {}), /alert certificate required/)
  const verified = await start(t, { certificates: 'verified' })
  t.ok(
    (await told(port)) < (await told(verified.port)),
    'no authorities are told where any certificate will do: many clients would show none',
  )
})

t.test('bodies', async t => {
  const { port } = await start(t)
  const session = await session2(t, port)
  const over = 'x'.repeat(LIMIT + 1)
  for (const length of [0, 1, LIMIT]) {
    const body = 'x'.repeat(length)
    const expected = { size: length, truncated: false }
    t.match(JSON.parse((await get(port, { method: 'PUT', body })).body), expected)
    t.match(JSON.parse((await get(port, { method: 'PUT', body, headers: { 'transfer-encoding': 'chunked' } })).body), expected)
    t.match(JSON.parse((await get2(session, { ':method': 'PUT' }, body)).body), expected)
  }
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
    const answer = await get(port, { method: 'PUT', body: over, headers })
    t.match(JSON.parse(answer.body), { size: LIMIT, truncated: true }, 'the beginning of what is too long')
    t.equal(answer.headers.connection, 'close')
  }
  t.match(JSON.parse((await get2(session, { ':method': 'PUT' }, Buffer.alloc(5_000_000))).body), { size: LIMIT, truncated: true })
  t.equal((await get2(session)).status, 200, 'the session goes on')
  const none = await start(t, { allowance: { bodyBytes: 0 } })
  t.match(JSON.parse((await get(none.port, { method: 'PUT', body: over })).body), { size: 0, truncated: false }, 'a body nobody wants')
})

t.test('what is no request', async t => {
  const { port } = await start(t, { certificates: 'required', limits: { headerBytes: 16_384 } })
  const CASES: [name: string, sent: string, answer: RegExp][] = [
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', /^HTTP\/1.1 400 Bad Request\r\n[\s\S]*400 Bad Request$/],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1.1 400/],
    [
      'a bomb of headers',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1.1 431 Request Header Fields Too Large/,
    ],
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1.1 400 Bad Request/],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', /^HTTP\/1.1 200 OK/],
    ['an absolute target', 'GET https://host/a HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n', /"target":"\/a"/],
  ]
  for (const [name, sent, answer] of CASES) t.match(await raw(port, sent), answer, name)

  const socket = connectTcp(port, '127.0.0.1')
  socket.write('GET /version HTTP/1.1\r\nHost: a\r\n\r\n')
  let text = ''
  for await (const piece of socket) text += piece
  t.equal(text, 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n')
})

t.test('who speaks without TLS and does not hang up is cut off', async t => {
  const { port, listener } = await start(t, { limits: { headerMs: 200 } })
  const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  socket.write('GET /version HTTP/1.1\r\nHost: a\r\n\r\n')
  socket.resume()
  await once(socket, 'end')
  const until = Date.now() + 5_000
  while (listener.connections > 0 && Date.now() < until) await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(listener.connections, 0)
  socket.destroy()
})

t.test('times', async t => {
  const limits = { headerMs: 200, idleMs: 300 }
  const stuck: HttpHandler = ({ signal }) => new Promise(resolve => signal.addEventListener('abort', () => resolve({ status: 200 })))
  const { port, errors } = await start(t, { limits, handler: stuck, allowance: { timeoutMs: 300 } })
  const ended = async (socket: Socket, text?: string): Promise<void> => {
    socket.on('error', () => undefined)
    if (text !== undefined) socket.write(text)
    await ends(socket.resume())
  }
  await Promise.all([
    ended(connectTcp(port, '127.0.0.1')),
    ended(connectTcp(port, '127.0.0.1'), '\x16\x03'),
    ended(connectTls({ ...tls, port })),
    ended(connectTls({ ...tls, port }), 'GET / HT'),
    ended(connectTls({ ...tls, port }), 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab'),
    t.rejects(get(port), 'an answer that takes too long'),
    (async () => t.rejects(get2(await session2(t, port)), 'in HTTP/2 too'))(),
  ])
  const session = await session2(t, port)
  await ends(session)
  t.same(errors, [])
})

t.test('times go on where the time of day is set back', async t => {
  const now = Date.now
  t.teardown(() => {
    Date.now = now
  })
  const { port } = await start(t, { limits: { headerMs: 200, idleMs: 300 } })
  const [idle, partial] = [connectTls({ ...tls, port }), connectTls({ ...tls, port })]
  partial.write('GET / HT')
  await Promise.all(
    [idle, partial].map(socket =>
      once(
        socket.on('error', () => undefined),
        'secureConnect',
      ),
    ),
  )
  Date.now = () => now() - 3_600_000
  await Promise.all([idle, partial].map(socket => ends(socket.resume())))
})

t.test('streams go out as they come, until the client is gone', async t => {
  const gone: (() => void)[] = []
  let more: () => void = () => undefined
  const handler: HttpHandler = ({ signal }) => ({
    status: 200,
    body: (async function* () {
      yield 'one\n'
      await new Promise<void>(next => {
        more = next
      })
      yield 'two\n'
      await once(signal, 'abort')
      for (const tell of gone.splice(0)) tell()
    })(),
  })
  const { port } = await start(t, { handler, allowance: { timeoutMs: 0 } })
  const first = httpsRequest({ ...tls, port, agent: false }).end()
  first.on('error', () => undefined)
  const [response] = await once(first, 'response')
  t.equal(String((await once(response, 'data'))[0]), 'one\n')
  more()
  t.equal(String((await once(response, 'data'))[0]), 'two\n')
  const seen = new Promise<void>(resolve => gone.push(resolve))
  first.destroy()
  await seen
  const stream = (await session2(t, port)).request({ ':path': '/' })
  t.equal(String((await once(stream, 'data'))[0]), 'one\n', 'HTTP/2')
  more()
  await once(stream, 'data')
  const seen2 = new Promise<void>(resolve => gone.push(resolve))
  stream.close(constants.NGHTTP2_CANCEL)
  await seen2
})

t.test('a client that does not read holds its stream back', async t => {
  let made = 0
  const piece = Buffer.alloc(65_536)
  const handler: HttpHandler = ({ signal }) => ({
    status: 200,
    body: (async function* () {
      while (!signal.aborted && made < 600) {
        made++
        yield piece
      }
    })(),
  })
  const { port } = await start(t, { handler, plain: true })
  const socket = connectTcp(port, '127.0.0.1')
  socket.pause().write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let before = -1
  while (made === 0 || made !== before) {
    before = made
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  t.ok(made < 600, `${made} pieces were made`)
  let size = 0
  for await (const part of socket) size += (part as Buffer).length
  t.equal(made, 600)
  t.ok(size > 600 * piece.length)
})

t.test('floods', async t => {
  let calls = 0
  const handler: HttpHandler = () => new Promise(() => calls++)
  const { port } = await start(t, { handler, limits: { concurrent: 20, connections: 5 } })
  const socket = connectTls({ ...tls, port, ALPNProtocols: ['h2'] })
  socket.on('error', () => undefined).resume()
  await once(socket, 'secureConnect')
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, '')]))
  let id = 1
  const flood = setInterval(() => {
    const pairs: Buffer[] = []
    for (let i = 0; i < 1000; i++, id += 2) pairs.push(frame(1, 5, id, '828784'), frame(3, 0, id, '00000008'))
    socket.write(Buffer.concat(pairs))
  }, 5)
  await ends(socket)
  clearInterval(flood)
  t.ok(calls < 5000, `${calls} requests were begun`)
  t.match(await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(30)), '', 'pipelined without end')
  const sockets = Array.from({ length: 6 }, () => connectTls({ ...tls, port }))
  for (const socket of sockets) socket.on('error', () => undefined)
  await Promise.race(sockets.map(socket => ends(socket)))
  for (const socket of sockets) socket.destroy()
})

t.test('a handler that fails', async t => {
  const error = new Error('with a secret')
  for (const handler of [
    () => Promise.reject(error),
    () => {
      throw error
    },
  ] as HttpHandler[]) {
    const { port, errors } = await start(t, { handler, plain: true })
    t.match(await get(port, { plain: true }), { status: 500, body: 'internal error\n' })
    t.same(errors, [error])
  }
})

t.test('a request whose allowance cannot be told', async t => {
  const error = new Error('unforeseen')
  const allow = (): never => {
    throw error
  }
  const { port, errors } = await start(t, { plain: true, allow })
  t.match(JSON.parse((await get(port, { plain: true, method: 'PUT', body: 'abc' })).body), { size: 0 })
  t.same(errors, [error])
})

t.test('another certificate, and nobody notices', async t => {
  const { port, listener } = await start(t, { certificates: 'required' })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(async () => agent.destroy())
  const session = await session2(t, port)
  await get(port, { ...client, agent })
  const next = await pki.server()
  listener.renew(next)
  t.throws(() => listener.renew({ certificate: 'x', key: 'y' }))
  await get(port, { ...client, agent })
  t.equal((await get2(session)).status, 200)
  const socket = connectTls({ ...tls, ...client, port })
  await once(socket, 'secureConnect')
  t.ok(next.certificate.startsWith(socket.getPeerX509Certificate()!.toString().trim()), 'who comes now sees it')
  socket.destroy()
})

t.test('stop answers what is in flight', async t => {
  const waiting: (() => void)[] = []
  const handler: HttpHandler = () => new Promise(resolve => waiting.push(() => resolve({ status: 200, body: 'done' })))
  const { port, listener } = await start(t, { handler })
  const idle = connectTls({ ...tls, port })
  await once(idle, 'secureConnect')
  const session = await session2(t, port)
  const answers = [get(port), get2(session)]
  while (waiting.length < 2) await new Promise(resolve => setTimeout(resolve, 5))
  const stopped = listener.stop(5000)
  for (const answer of waiting) answer()
  t.same(
    (await Promise.all(answers)).map(({ body }) => body),
    ['done', 'done'],
  )
  await stopped
  await t.rejects(get(port), { code: 'ECONNREFUSED' })
})

/** Unlike `once`, whatever it ends by. */
const ends = (emitter: EventEmitter): Promise<void> => new Promise(resolve => emitter.once('close', () => resolve()))

/** A frame of HTTP/2. Spec: RFC 9113 section 4.1 */
function frame(type: number, flags: number, stream: number, payload: string): Buffer {
  const body = Buffer.from(payload, 'hex')
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

t.test('the verb LIST is served, however its bytes come', async t => {
  const { port } = await start(t, { plain: true })
  const head = 'LIST /v1/kmip/scope HTTP/1.1\r\nHost: a\r\nX-Vault-Token: root\r\n\r\n'
  async function ask(pieces: readonly string[]): Promise<string> {
    const socket = connectTcp(port, '127.0.0.1')
    socket.setNoDelay(true)
    const closed = once(socket, 'close')
    let answer = ''
    socket.on('data', chunk => {
      answer += chunk
    })
    for (const piece of pieces) {
      socket.write(piece)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    await closed
    return answer
  }
  const splits = [[head], ...[1, 2, 4, 5, 20, 40].map(at => [head.slice(0, at), head.slice(at)])]
  for (const pieces of splits) {
    const answer = await ask(pieces)
    t.match(answer, /^HTTP\/1\.1 200 OK\r\n/, JSON.stringify(pieces))
    t.match(answer, /Connection: close\r\n/)
    t.match(JSON.parse(answer.split('\r\n\r\n')[1]!), { method: 'LIST', target: '/v1/kmip/scope', size: 0 })
  }
  for (const bad of [
    'LIST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n',
    'LIST /a HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n',
    'LIST /a b HTTP/1.1\r\nHost: a\r\n\r\n',
    'LIST /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    'LIST /a HTTP/1.1\r\nno header\r\n\r\n',
    'LOST /a HTTP/1.1\r\nHost: a\r\n\r\n',
  ])
    t.match(await ask([bad]), /^HTTP\/1\.1 400 Bad Request\r\n/, JSON.stringify(bad))
})

/** How often the name of our authority stands in what the server says in a handshake of TLS 1.2, which is in clear. */
async function told(port: number): Promise<number> {
  let said = ''
  const between = createServer(client => {
    const server = connectTcp(port, '127.0.0.1')
    server.on('data', piece => {
      said += piece.toString('latin1')
    })
    for (const socket of [client, server]) socket.on('error', () => undefined)
    client.pipe(server).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(between, 'listening')
  const socket = connectTls({ ...tls, ...client, port: (between.address() as AddressInfo).port, maxVersion: 'TLSv1.2' })
  await once(socket, 'secureConnect')
  socket.destroy()
  between.close()
  return said.split('test-intermediate').length - 1
}
