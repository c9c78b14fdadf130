import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'
import { readAuthorities } from '../../src/http/authorities.ts'
import { Outgoing, OutgoingError, type OutgoingErrorCode, type OutgoingOptions } from '../../src/http/outgoing.ts'
import { Pki } from '../server/lab.ts'

const pki = await Pki.make()
const credential = await pki.server()
const client = await pki.client()

type Test = { teardown(stop: () => void): unknown }

async function listen(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function start(t: Test, answer: RequestListener, options: Partial<OutgoingOptions> = {}): Promise<Outgoing> {
  const port = await listen(t, createServer(answer))
  return connect(t, { origin: `http://127.0.0.1:${port}`, ...options })
}

function connect(t: Test, options: OutgoingOptions): Outgoing {
  const outgoing = new Outgoing(options)
  t.teardown(() => outgoing.close())
  return outgoing
}

async function failure(promise: Promise<unknown>): Promise<OutgoingError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof OutgoingError) return error
    throw error
  }
  throw new Error('it did not fail')
}

const SECRET = 'hvs.this-is-secret'
const get = { method: 'GET', target: '/v1/a/b?list=true', headers: { 'x-vault-token': SECRET } }
const post = { ...get, method: 'POST', body: JSON.stringify({ key: SECRET }) }

t.test('requests and answers', async t => {
  const seen: string[] = []
  const outgoing = await start(t, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${request.headers['content-length']} ${Buffer.concat(chunks)}`)
      response.writeHead(201, { 'retry-after': '7' }).end('made')
    })
  })
  const { status, headers, body } = await outgoing.request({ method: 'POST', target: '/x?y=1', body: 'ä' })
  t.same([status, headers['retry-after'], `${body}`], [201, '7', 'made'])
  await outgoing.request({ method: 'GET', target: '/x' })
  t.same(seen, ['POST /x?y=1 2 ä', 'GET /x undefined '])
  t.equal(outgoing.connectionsMade, 1, 'over one connection')
})

t.test('a redirect is an answer, and proxy variables say nothing', async t => {
  const before = { ...process.env }
  t.teardown(() => Object.assign(process.env, { HTTP_PROXY: before.HTTP_PROXY ?? '', http_proxy: before.http_proxy ?? '' }))
  Object.assign(process.env, { HTTP_PROXY: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9' })
  const outgoing = await start(t, (_, response) => response.writeHead(307, { location: 'http://127.0.0.1:9/v1/x' }).end())
  t.equal((await outgoing.request(get)).status, 307)
})

t.test('failures say what happened, and whether the server may have got the request', async t => {
  const dead = createTcpServer()
  const port = await listen(t, dead)
  await new Promise(resolve => dead.close(resolve))
  const CASES: readonly [OutgoingErrorCode, boolean, (t: Test) => Promise<Outgoing>][] = [
    ['refused', false, async t => connect(t, { origin: `http://127.0.0.1:${port}` })],
    ['unreachable', false, async t => connect(t, { origin: 'http://no-such-host.invalid' })],
    ['reset', true, t => start(t, request => request.socket.destroy())],
    ['reset', true, t => start(t, (request, response) => cutOff(request, response))],
    // Time enough to be connected.
    ['timeout', true, t => start(t, () => {}, { deadlineMs: 1000 })],
    ['too-large', true, t => start(t, (_, response) => response.end('x'.repeat(101)), { maxAnswerBytes: 100 })],
    ['malformed', true, async t => connect(t, { origin: `http://127.0.0.1:${await babbler(t)}` })],
  ]
  for (const [code, sent, make] of CASES) {
    const error = await failure((await make(t)).request(post))
    t.match(error, { code, sent }, `${code}: ${error.message}`)
    const told = inspect(error, { depth: Infinity, showHidden: true })
    t.notMatch(told, SECRET, 'no secret in the error')
    t.notMatch(told, 'list=true', 'nor the query')
  }
})

function cutOff(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-length': '1000' })
  response.write(SECRET)
  setTimeout(() => request.socket.destroy(), 20)
}

/** Answers what is no HTTP, and holds a secret. */
const babbler = (t: Test): Promise<number> =>
  listen(
    t,
    createTcpServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(`${SECRET} is no HTTP\r\n\r\n`))
    }),
  )

t.test('giving up', async t => {
  const outgoing = await start(t, (_, response) => setTimeout(() => response.end('late'), 200), { connections: 1, pending: 2 })
  const controller = new AbortController()
  const first = outgoing.request({ ...get, signal: controller.signal })
  const second = failure(outgoing.request({ ...get, deadlineMs: 20 }))
  t.equal((await failure(outgoing.request(get))).code, 'busy', 'one under way, one that waits, none more')
  t.match(await second, { code: 'timeout', sent: false }, 'waiting counts')
  controller.abort()
  t.equal((await failure(first)).code, 'aborted')
  t.match(await failure(outgoing.request({ ...get, signal: controller.signal })), { code: 'aborted', sent: false })
  t.equal(`${(await outgoing.request(get)).body}`, 'late', 'others go on')
  const last = failure(outgoing.request(get))
  outgoing.close()
  t.equal((await last).code, 'closed')
  t.match(await failure(outgoing.request(get)), { code: 'closed', sent: false })
})

t.test('a connection that the server closed meanwhile', async t => {
  let requests = 0
  const outgoing = await start(t, (request, response) => {
    // The second request of a connection is not answered.
    if (++requests % 2 === 0) request.socket.destroy()
    else response.end('ok')
  })
  await outgoing.request(get)
  t.equal(`${(await outgoing.request(get)).body}`, 'ok', 'a read is sent again')
  t.match(await failure(outgoing.request(post)), { code: 'reset', sent: true }, 'a write is in doubt')
})

t.test('TLS', async t => {
  const secure = createSecureServer(
    { cert: credential.certificate, key: credential.key, ca: [...credential.authorities], requestCert: true },
    (request, response) => response.end('authorized' in request.socket ? `${request.socket.authorized}` : ''),
  )
  const port = await listen(t, secure)
  const origin = `https://127.0.0.1:${port}`
  const dir = t.testdir({ 'ca.pem': pki.ca.join('\n'), folder: { '1.pem': pki.ca[0]!, '2.crt': pki.ca[1]!, '.hidden': 'no' }, empty: {} })

  t.match(await failure(connect(t, { origin }).request(get)), { code: 'tls', sent: false }, 'an authority that nobody knows')
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  const despite = failure(connect(t, { origin }).request(get))
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  t.equal((await despite).code, 'tls', 'whatever the environment says')

  for (const name of ['ca.pem', 'folder']) {
    const authorities = readAuthorities(join(dir, name))
    t.equal(authorities.length, 2)
    const outgoing = connect(t, { origin, authorities, certificate: client.cert, key: client.key })
    const answers = [await outgoing.request(get), await outgoing.request(get), await outgoing.request(get)]
    t.same(
      answers.map(answer => `${answer.body}`),
      ['true', 'true', 'true'],
      `the server knows the client; ${name}`,
    )
    t.equal(outgoing.connectionsMade, 1, 'one handshake')
    const named = connect(t, { origin, authorities, serverName: 'other.example' })
    t.match(await failure(named.request(get)), { code: 'tls' }, 'another name')
  }
  t.throws(() => readAuthorities(join(dir, 'empty')), { code: 'authorities' })
  t.throws(() => readAuthorities(join(dir, 'none')), { code: 'authorities', message: /ENOENT/ })
  const plain = await start(t, (_, response) => response.end())
  const wrong = connect(t, { origin: plain.origin.replace('http', 'https') })
  t.match(await failure(wrong.request(get)), { code: 'tls', sent: false }, 'a server without TLS')
})

t.test('addresses', async t => {
  for (const origin of ['', 'host:1', 'ftp://host', 'https://host/v1', 'https://me:pw@host', 'https://host?x'])
    t.throws(() => new Outgoing({ origin }), { name: 'TypeError' }, origin)
})
