// Replays exchanges that were recorded from a real KES, one by one, against `kmipd kes server`, and compares status, the headers that matter
// and the body. Times, versions and random bytes are left out; identities are ours in the place of the recorded ones.
// Then ciphertexts of all releases are decrypted, and configuration files of tutorials are read as they are printed.
// node test/interop/kes-replay.mjs FOLDER-OF-RECORDINGS FOLDER-OF-TUTORIALS [PROCESSES]
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { readKesConfig } from '../../dist/kes/config.js'
import { identityOfKey } from '../../dist/kes/identity.js'
import { certificatePem } from '../../dist/pki/certificate.js'
import { authorityConstraints, extendedKeyUsage, keyUsage, subjectAlternativeNames } from '../../dist/pki/extensions.js'
import { issueCertificate } from '../../dist/pki/issue.js'
import { generateKey, privateKeyPem, spkiOf } from '../../dist/pki/keys.js'
import { encodeName } from '../../dist/pki/name.js'

const [, , recordings, tutorials, workers = '1'] = process.argv
const dir = mkdtempSync(join(tmpdir(), 'kmipd-kes-'))
const HEADERS = ['content-type', 'content-length', 'accept', 'location', 'x-content-type-options', 'connection']

/** What is not as recorded, and why: by the file and the beginning of the title. */
const EXCEPTIONS = [
  ['02', 'metrics', 'the families and their order are the same, the words of HELP are ours', sameFamilies],
  ['02', 'metrics, Accept: protobuf', 'text is what every client reads too', actual => actual.status === 200],
  ['02', 'status', 'figures of the process', sameFields],
  ['01', 'Expired self-signed', 'figures of the process', sameFields],
  [
    '14',
    'status',
    'keystore_unavailable is there as well, without which the SDK refuses the answer',
    actual => actual.body.includes('"keystore_unavailable":true,"keystore_unreachable":true'),
  ],
  [
    '03',
    'create, path without trailing slash',
    'served as it is, without a redirect',
    actual => actual.status === 400 && actual.body.includes("key name ''"),
  ],
  ['05', 'list, no trailing slash', 'served as it is, without a redirect', actual => actual.status === 200],
  ['03', 'import, pre-2023 field name', 'imports of releases before 2023 are taken', actual => actual.status === 200],
  ['03', 'describe imported ChaCha20', 'the same in another moment', sameFields],
  [
    '04',
    'bulk endpoints are gone',
    'bulk decryption is there, for MinIO of 2022 to 2024',
    actual => actual.status === 200 && actual.body === '[]\n',
  ],
  [
    '04',
    'encrypt, body just under',
    'the length is told, not chunked',
    actual => actual.status === 200 && actual.body.length === Number(actual.fields['content-length']) && actual.body.length > 999_900,
  ],
  ['05', 'list, prefix with hyphen at the end', 'a hyphen may end a prefix', actual => actual.status === 200],
  [
    '05',
    'list, prefix with asterisk',
    'an asterisk ends a prefix, as it does for policies',
    actual => actual.status === 200 && actual.body.includes('"app-10","app-11","app-12"'),
  ],
  ['06', 'write/assign/delete', 'says that the file is to be changed', actual => actual.status === 501],
  ['06', 'assign', 'says that the file is to be changed', actual => actual.status === 501],
  ['07', 'delete (older releases)', 'says that the file is to be changed', actual => actual.status === 501],
  [
    '07',
    'self describe: identity with a policy',
    'answers who one is, in the form that the SDK reads',
    actual => actual.status === 200 && JSON.parse(actual.body).policy === 'app',
  ],
  ['09', 'X-Tls-Client-Cert', 'answers who one is', actual => actual.status === 200],
  ['08', 'pre-2023 path', 'the old path of the stream is there too, for whom a policy allows it', actual => actual.status === 403],
  ['09', 'two Host headers', 'the length is told', actual => actual.status === 400 && actual.body === '400 Bad Request'],
  [
    '01',
    'Plain HTTP',
    'the recording does not tell the last line feed',
    actual => actual.status === 400 && actual.body === 'Client sent an HTTP request to an HTTPS server.\n',
  ],
  [
    '09',
    'HTTP/1.0',
    'Node answers HTTP/1.0 with HTTP/1.1 and closes',
    (actual, expected) =>
      actual.status === 200 && actual.fields['content-length'] === String(actual.body.length) && expected.status === 200,
  ],
  [
    '14',
    'describe, key not cached',
    'it is still in the cache here; a directory that is gone is never taken for a key that is gone',
    actual => actual.status === 200 || (actual.status === 502 && actual.body.includes('failed to read key')),
  ],
  [
    '14',
    'delete',
    'a directory that is gone is not a key that is gone',
    actual => actual.status === 502 && actual.body.includes('failed to delete key'),
  ],
  ['14', 'ready, right after the directory is back', 'ready at once', actual => actual.status === 200],
  ['18', 'tls.auth: on with a CA file; client certificate: app', 'the connection is closed without an alert', actual => actual.refused],
  ['18', 'tls.auth: on with a CA file; client certificate: expired', 'the connection is closed without an alert', actual => actual.refused],
  ['10', 'api list', 'the same routes in another order', sameRoutes],
  ['02', 'api list', 'the same routes in another order', sameRoutes],
]

let passed = 0
let failed = 0
let excepted = 0
const clients = await makeClients()
const recorded = {}
/** Random values of the recording, and ours in their place. */
const replaced = new Map()

try {
  await withServer('main', {}, async port => {
    await decryptAll(port)
    for (const number of ['01', '02', '03', '04', '05', '06', '07', '08', '09']) await replay(number, port)
    await replay('14', port, title => {
      if (title === 'ready') renameSync(join(dir, 'main-keys'), join(dir, 'gone'))
      if (title.startsWith('ready, right after')) renameSync(join(dir, 'gone'), join(dir, 'main-keys'))
    })
  })
  const api = {
    '/v1/ready': { skip_auth: true, timeout: '5s' },
    '/v1/metrics': { skip_auth: true },
    '/v1/key/create/': { skip_auth: true },
  }
  await withServer('open', { api }, port => replay('10', port))
  await withServer('verified', { auth: true }, port => replay('18', port))
  for (const file of readdirSync(tutorials).sort()) readTutorial(file)
} finally {
  rmSync(dir, { recursive: true })
}
process.stdout.write(`${excepted} of them by exception\n${passed} passed, ${failed} failed\n`)
process.exitCode = failed > 0 ? 1 : 0

function check(name, isRight, what = '') {
  if (isRight) passed++
  else failed++
  process.stdout.write(`${name.padEnd(82)} ${isRight ? 'ok' : `FAILED ${what}`}\n`)
}

/** Ciphertexts of every form, made by KES and accepted by it, all with one key. */
async function decryptAll(port) {
  const { key_hex, vectors } = JSON.parse(readFileSync(join(recordings, 'vectors.json'), 'utf8'))
  const put = (path, body) =>
    exchange(port, 'admin', `PUT /v1/key/${path} HTTP/1.1\r\nHost: kes\r\nContent-Length: ${body.length}\r\n\r\n${body}`, '')
  for (const cipher of ['AES256', 'ChaCha20'])
    await put(`import/vectors-${cipher}`, JSON.stringify({ key: Buffer.from(key_hex, 'hex').toString('base64'), cipher }))
  for (const { made_by, format, type, context, plaintext, ciphertext_base64 } of vectors) {
    const body = JSON.stringify({ ciphertext: ciphertext_base64, context: Buffer.from(context).toString('base64') })
    const answer = await put(`decrypt/vectors-${type}`, body)
    check(
      `${format} ${type} '${context}' (${made_by})`,
      answer.status === 200 && answer.body === `{"plaintext":"${Buffer.from(plaintext).toString('base64')}"}\n`,
      show(answer),
    )
  }
  for (const type of ['AES256', 'ChaCha20']) await remove(`vectors-${type}`, port)
}

/** The configuration in a tutorial, with something in the place of what the reader has to fill in. */
function readTutorial(file) {
  const lines = readFileSync(join(tutorials, file), 'utf8').split('\n')
  const start = lines.findIndex(line => /^\s*address: 0\.0\.0\.0:7373/.test(line))
  if (start < 0) return
  const margin = lines[start].search(/\S/)
  const rest = lines.slice(start)
  const end = rest.findIndex(line => (line.trim() !== '' && line.search(/\S/) < margin) || /^\s*(Please|Start|\d+\. )/.test(line))
  const text = rest
    .slice(0, end)
    .map(line => line.slice(margin))
    .join('\n')
    .replace(/: +""/g, ': "filled-in"')
  try {
    const { keystore } = readKesConfig(text, {}, { root: 'disabled', auth: 'off' })
    check(`the configuration in ${file}: ${keystore.kind}`, keystore.endpoint.startsWith('https://'))
  } catch (error) {
    check(`the configuration in ${file}`, false, error.message)
  }
}

async function replay(number, port, before = () => undefined) {
  const file = readdirSync(recordings).find(name => name.startsWith(number))
  for (const exchange of exchangesOf(readFileSync(join(recordings, file), 'latin1'))) {
    before(exchange.title)
    if (exchange.sent === undefined || exchange.expected === undefined) continue
    const actual = await send(port, exchange)
    learn(exchange.expected, actual)
    const exception = EXCEPTIONS.filter(([file, title]) => file === number && exchange.title.startsWith(title)).sort(
      (a, b) => b[1].length - a[1].length,
    )[0]
    const differences = exception
      ? exception[3](actual, exchange.expected)
        ? []
        : [`not even the exception: ${show(actual)}`]
      : compare(exchange.expected, actual)
    if (number === '03' && exchange.title.startsWith('import, pre-2023')) await remove('app-24', port)
    if (differences.length === 0) passed++
    else failed++
    if (exception) excepted++
    const verdict = differences.length > 0 ? 'FAILED' : exception ? `ok, but: ${exception[2]}` : 'ok'
    process.stdout.write(`${number} ${String(actual.status ?? 'refused').padEnd(8)} ${exchange.title.slice(0, 70).padEnd(70)} ${verdict}\n`)
    for (const difference of differences) process.stdout.write(`     ${difference}\n`)
  }
}

/** What only our server took must not be there for the exchanges that follow. */
function remove(name, port) {
  return exchange(port, 'admin', `DELETE /v1/key/delete/${name} HTTP/1.1\r\nHost: kes\r\n\r\n`, '')
}

/** Cut a recording into exchanges. */
function exchangesOf(text) {
  for (const line of text.split('\n').slice(0, 6))
    for (const [, name, hex] of line.matchAll(/\b(app|ops|admin|stranger)=([0-9a-f]{64})/g)) recorded[name] = hex
  return text
    .split('\n### ')
    .slice(1)
    .map(part => {
      const [title, ...lines] = part.split('\n')
      const client = lines.find(line => line.startsWith('# client certificate: '))?.slice(22) ?? 'admin'
      const sent = lines.filter(line => /^>/.test(line)).map(line => line.slice(2))
      const received = lines.filter(line => /^</.test(line)).map(line => line.slice(2))
      if (sent.length === 0 || received.length === 0) return { title }
      if (received[0].startsWith('TLS/connection error')) return { title, client: client.split(' ')[0], sent, expected: { refused: true } }
      const blank = received.indexOf('')
      const head = blank < 0 ? received : received.slice(0, blank)
      const isTerminated = lines.some(line => line.endsWith('ends with newline: True'))
      const body = blank < 0 ? '' : received.slice(blank + 1).join('\n') + (isTerminated ? '\n' : '')
      return { title, client: client.split(' ')[0], sent, expected: { ...headOf(head), body } }
    })
}

function headOf([statusLine, ...lines]) {
  const fields = Object.fromEntries(
    lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { status: Number(statusLine.split(' ')[1]), fields }
}

function send(port, { title, client, sent }) {
  const blank = sent.indexOf('')
  const head = blank < 0 ? sent : sent.slice(0, blank)
  let body = blank < 0 ? '' : sent.slice(blank + 1).join('\n')
  const size = /^<(\d+) bytes: (\{.*?)\.\.\.>$/.exec(body)
  if (size) body = bigBody(Number(size[1]), size[2])
  for (const [theirs, own] of replaced) body = body.replaceAll(theirs, own)
  let text = `${head.join('\r\n')}\r\n\r\n`
  for (const [name, hex] of Object.entries(recorded))
    text = text
      .replaceAll(hex, clients[name].identity)
      .replaceAll(`/list/${hex.slice(0, 4)}`, `/list/${clients[name].identity.slice(0, 4)}`)
  if (title.startsWith('header block')) text = text.replace(/X-A: .*\r\n/, `X-A: ${'a'.repeat(1_100_000)}\r\n`)
  if (/^Transfer-Encoding: chunked/im.test(text)) body = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  else text = text.replace(/^Content-Length: .*$/m, `Content-Length: ${body.length}`)
  return exchange(port, client, text + body, title)
}

/** What the recording only tells the size of. */
function bigBody(length, start) {
  if (start.startsWith('{"plaintext":"eA=="}')) return '{"plaintext":"eA=="}'.padEnd(length)
  return `{"plaintext":"${'A'.repeat(length - 16)}"}`
}

function exchange(port, client, bytes, title) {
  return new Promise(resolve => {
    const isPlain = title.startsWith('Plain HTTP')
    const { key, cert } = clients[client] ?? {}
    const socket = isPlain
      ? connectPlain(port, '127.0.0.1')
      : connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(key && { key, cert }) })
    let received = Buffer.alloc(0)
    const finish = () => {
      socket.destroy()
      resolve(received.length === 0 ? { refused: true } : answerOf(received))
    }
    const isStream = /^GET \/v1\/log\//.test(bytes)
    let timer = setTimeout(finish, 20_000)
    socket.on('data', chunk => {
      // A stream has no end; what is told at its beginning comes with its head.
      if (isStream && received.length === 0) {
        clearTimeout(timer)
        timer = setTimeout(finish, 500)
      }
      received = Buffer.concat([received, chunk])
      if (isWhole(received, bytes)) finish()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      finish()
    })
    socket.on(isPlain ? 'connect' : 'secureConnect', () => socket.write(Buffer.from(bytes, 'latin1')))
  })
}

function isWhole(bytes, request) {
  const text = bytes.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  const length = /^content-length: (\d+)/im.exec(text.slice(0, end))?.[1]
  if (end < 0 || length === undefined) return false
  return text.length - end - 4 >= (request.startsWith('HEAD') ? 0 : Number(length))
}

function answerOf(bytes) {
  const text = bytes.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  return { ...headOf(text.slice(0, end).split('\r\n')), body: text.slice(end + 4) }
}

/** Remember which random value of ours stands for a recorded one. */
function learn(expected, actual) {
  for (const field of ['ciphertext', 'plaintext']) {
    const find = ({ body = '' }) => new RegExp(`"${field}":"([^"]{20,})"`).exec(body)?.[1]
    if (find(expected) && find(actual)) replaced.set(find(expected), find(actual))
  }
}

function compare(expected, actual) {
  if (expected.refused || actual.refused)
    return expected.refused === actual.refused ? [] : [`expected ${show(expected)}, not ${show(actual)}`]
  const differences = []
  if (expected.status !== actual.status) differences.push(`status ${actual.status} instead of ${expected.status}`)
  const isSized = !/"(?:created_at|version)"/.test(expected.body)
  for (const name of HEADERS)
    if (
      (isSized || name !== 'content-length') &&
      expected.fields[name] !== actual.fields[name] &&
      expected.fields['transfer-encoding'] !== 'chunked'
    )
      differences.push(`${name}: ${actual.fields[name]} instead of ${expected.fields[name]}`)
  const [wanted, got] = [normal(expected.body, name => recorded[name]), normal(actual.body, name => clients[name].identity)]
  if (expected.fields['transfer-encoding'] !== 'chunked' && wanted !== got)
    differences.push(`body ${JSON.stringify(got.slice(0, 300))}`, `instead of ${JSON.stringify(wanted.slice(0, 300))}`)
  return differences
}

/** A body without what differs from run to run. */
function normal(body, identity) {
  let text = body.replace(/"created_at":"2[^"]*"/g, '"created_at":"T"').replace(/"version":"[^"]*","commit":"[^"]*"/, '"version":"V"')
  text = text.replace(/"(ciphertext|plaintext|hmac)":"([A-Za-z0-9+/=]{30,})"/g, (_, name, value) => `"${name}":"${value.length}"`)
  for (const name of Object.keys(recorded)) text = text.replaceAll(identity(name), name)
  return text.replace(/"identities":\[([^\]]*)\]/, (_, list) => `"identities":[${list.split(',').sort()}]`)
}

function show({ refused, status, body = '' }) {
  return refused ? 'a refused connection' : `${status} ${JSON.stringify(body.slice(0, 200))}`
}

function sameFamilies(actual, expected) {
  const families = text =>
    [...text.matchAll(/^# TYPE (.*)$/gm)]
      .map(([, type]) => type)
      .filter(type => !/request_(success|error|failure)/.test(type))
      .join()
  return (
    actual.status === 200 &&
    actual.fields['content-type'] === expected.fields['content-type'] &&
    families(actual.body) === families(expected.body)
  )
}

function sameFields(actual, expected) {
  return actual.status === expected.status && Object.keys(JSON.parse(actual.body)).join() === Object.keys(JSON.parse(expected.body)).join()
}

function sameRoutes(actual, expected) {
  const routes = ({ body }) =>
    JSON.parse(body)
      .map(route => JSON.stringify(route))
      .sort()
      .join()
  return actual.status === 200 && routes(actual) === routes(expected)
}

async function withServer(name, { api, auth }, use) {
  const file = join(dir, `${name}.yml`)
  mkdirSync(join(dir, `${name}-keys`))
  const on = (verb, path) => `/v1/key/${verb}/${path}`
  const verbs = ['create', 'import', 'describe', 'generate', 'encrypt', 'decrypt', 'delete', 'hmac']
  const config = {
    version: 'v1',
    address: '127.0.0.1:0',
    admin: { identity: clients.admin.identity },
    tls: { key: join(dir, 'server.key'), cert: join(dir, 'server.crt'), ...(auth && { auth: 'on', ca: join(dir, 'ca.crt') }) },
    policy: {
      app: {
        allow: [...verbs.map(verb => on(verb, 'app-*')), on('list', '*'), '/v1/status', '/v1/metrics', '/v1/ready', '/v1/api'],
        deny: [on('generate', 'app-internal*')],
        identities: [clients.app.identity, ...(clients.expired.identity === clients.app.identity ? [] : [clients.expired.identity])],
      },
      ops: {
        allow: [
          'policy/describe/*',
          'policy/read/*',
          'policy/list/*',
          'identity/describe/*',
          'identity/list/*',
          'log/audit',
          'log/error',
        ].map(path => `/v1/${path}`),
        identities: [clients.ops.identity],
      },
    },
    ...(api && { api }),
    keystore: { fs: { path: join(dir, `${name}-keys`) } },
  }
  writeFileSync(file, JSON.stringify(config))
  const server = spawn(process.execPath, ['dist/cli/main.js', 'kes', 'server', '--config', file, '--workers', workers], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    const banner = await new Promise(resolve => {
      let text = ''
      server.stdout.on('data', chunk => {
        text += chunk
        if (text.includes('up and running')) resolve(text)
      })
      server.once('exit', () => resolve(text))
    })
    const port = /https:\/\/127\.0\.0\.1:(\d+)/.exec(banner)?.[1]
    if (port === undefined) throw new Error(`the server does not start: ${banner}`)
    await use(Number(port))
  } finally {
    server.kill('SIGTERM')
    await new Promise(resolve => server.once('exit', resolve))
  }
}

async function makeClients() {
  const day = 86_400_000
  const key = () => generateKey({ type: 'ec', bits: 256 })
  const issue = (
    name,
    own,
    { isAuthority = false, issuer = { name: encodeName([['CN', name]]), key: own }, notAfter = new Date(Date.now() + day) } = {},
  ) =>
    certificatePem(
      issueCertificate(
        {
          subject: encodeName([['CN', name]]),
          spki: spkiOf(own),
          notBefore: new Date(Date.now() - 3 * day),
          notAfter,
          extensions: isAuthority
            ? [authorityConstraints(1), keyUsage('keyCertSign', 'digitalSignature')]
            : [
                keyUsage('digitalSignature'),
                extendedKeyUsage('clientAuth', 'serverAuth'),
                subjectAlternativeNames(['localhost'], ['127.0.0.1']),
              ],
        },
        issuer,
      ),
    )
  const made = {}
  for (const name of ['server', 'app', 'ops', 'admin', 'stranger']) {
    const own = await key()
    made[name] = { own, key: privateKeyPem(own), cert: issue(name, own), identity: identityOfKey(spkiOf(own)) }
  }
  const { app, stranger } = made
  made.expired = { ...app, cert: issue('app', app.own, { notAfter: new Date(Date.now() - day) }) }
  const [authority, leaf] = [await key(), await key()]
  const authorityCert = issue('ca', authority, { isAuthority: true })
  const leafCert = issue('leaf', leaf, { issuer: { name: encodeName([['CN', 'ca']]), key: authority } })
  made.leaf = { key: privateKeyPem(leaf), cert: `${leafCert}\n${authorityCert}`, identity: identityOfKey(spkiOf(leaf)) }
  made.twoleaf = { ...app, cert: `${app.cert}\n${stranger.cert}` }
  made.caonly = { key: privateKeyPem(authority), cert: authorityCert, identity: '' }
  writeFileSync(join(dir, 'server.key'), made.server.key)
  writeFileSync(join(dir, 'server.crt'), made.server.cert)
  writeFileSync(join(dir, 'ca.crt'), authorityCert)
  return made
}
