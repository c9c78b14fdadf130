// The same requests to a real KES and to `kmipd kes server`, hundreds of them: names, methods, paths, bodies and certificates. Status, headers
// that matter and body have to be the same, or one of the reasons below has to say why not.
// node test/interop/kes-compare.mjs KES-BINARY
// The binary is KES v0.23.0, the last release that Go's module proxy has. In a module that requires it:
// go build -o kes github.com/minio/kes/cmd/kes
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import { identityOfKey } from '../../dist/kes/identity.js'
import { certificatePem } from '../../dist/pki/certificate.js'
import { authorityConstraints, subjectAlternativeNames } from '../../dist/pki/extensions.js'
import { issueCertificate } from '../../dist/pki/issue.js'
import { generateKey, privateKeyPem, spkiOf } from '../../dist/pki/keys.js'
import { encodeName } from '../../dist/pki/name.js'
import { freePort } from './vault-server.mjs'

const [, , binary] = process.argv
if (!binary) throw new Error('usage: node test/interop/kes-compare.mjs KES-BINARY')
const HEADERS = ['content-type', 'accept', 'location', 'x-content-type-options']
const NAMES =
  `a _ __ - -a a- a-b a.b a/b a%2Fb a%00b a%20b %61b a% a%zz a%c3%a9 %ff a+b .. . %2e%2e %2e%2e%2fx a%5cb a* * a*b a?b a#b a;b a:b a%3Fb
  a"b a'b a<b a%3Cb%3E%26 %F0%9F%98%80 %E2%80%A8 a%0Ab a// a/../b ~ a~b a@b [a] {a} ${'a'.repeat(80)} ${'a'.repeat(81)} ${'%61'.repeat(80)}`
    .split(/\s+/)
    .concat('')
const VERBS = [
  ['GET', 'key/describe'],
  ['PUT', 'key/create'],
  ['POST', 'key/generate'],
  ['PUT', 'key/decrypt'],
  ['GET', 'key/list'],
  ['GET', 'policy/describe'],
  ['GET', 'policy/read'],
  ['GET', 'policy/list'],
  ['GET', 'identity/describe'],
  ['GET', 'identity/list'],
  ['DELETE', 'key/delete'],
]
const METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']
const PATHS =
  `/ /version /version/ /version? /version?x=1 /version# /version%3Fx /%76ersion /v1 /v1/ /v1/ready /v1/ready/ /v1/api/x /v1%2Fready /v1/key
  /v1/key/ /v1/key/create /v1/key/list /v1/policy/list /v1/identity/list /v1/identity/self /v1/identity/self/ /v1/identity/self/describe/ /v1/log
  /v1/log/error/ /v1/secret/create/x /v1/sys/health /VERSION /v1/Key/create/x //version /./version /v1/../version https://host/version`.split(
    /\s+/,
  )
const BODIES =
  `|{|}|{}|[]|null|true|1|"x"|{"plaintext":"eA=="}|{"plaintext":"eA"}|{"plaintext":"eB=="}|{"plaintext":"e\\nA=="}|{"plaintext":"-_-_"}
  |{"plaintext":"===="}|{"plaintext":{}}|{"plaintext":null}|{"PLAINTEXT":"eA=="}|{"plaintext":"eA=="}}|{"plaintext":"eA=="} x|{"plaintext":"eA==",}
  |{"a":01}|{"a":NaN}|{"x":{"y":[1,{"z":"}"}]},"plaintext":"eA=="}tail|{"plaintext":"\\u0065A=="}|{"plaintext":"eA==","context":1}|{"context":"!"}
  |{"ciphertext":""}|{"ciphertext":"eA=="}|{"key":"eA==","cipher":"AES256"}|{"cipher":"<&>"}|{"key":1}|\ufeff{}`
    .split('|')
    .map(text => text.trim())
    .concat('{"plaintext":"eA=="}'.padEnd(1_000_100), `{"plaintext":"${'A'.repeat(1_000_000)}"}`)
const ASKED = [
  ['GET', '/v1/ready'],
  ['GET', '/v1/identity/self/describe'],
  ['PUT', '/v1/key/create/app-1'],
  ['PUT', '/v1/key/create/other'],
  ['PUT', '/v1/key/generate/app-secret'],
  ['GET', '/v1/key/list/app'],
  ['GET', '/v1/policy/read/app'],
  ['GET', '/nope'],
  ['POST', '/version'],
]

/** What is otherwise, and why. */
const OTHERWISE = [
  [
    'the version is that of kmipd',
    ({ path, ours }) => /^(\/v1\/\.\.)?\/+(\.\/)?(version|%76ersion)(\?|$)|host\/version/.test(path) && ours.status === 200,
  ],
  [
    'a hyphen, or the place where a listing goes on, may end a pattern',
    ({ path, ours }) => /\/list\/.*[-~]/.test(path) && ours.status === 200,
  ],
  ['an asterisk ends a prefix of keys too', ({ path, ours }) => /\/key\/list\/.+\*$/.test(path) && ours.status === 200],
  [
    'a path without the slash at its end is served',
    ({ theirs }) => /\/(create|list|describe|generate|decrypt|delete|read)\/$/.test(theirs.location ?? ''),
  ],
  ['everybody with a policy is told of himself', ({ path, ours }) => path === '/v1/identity/self/describe' && ours.status !== 404],
  ['a certificate is wanted in the handshake, as in later releases', ({ client, ours }) => client === 'none' && ours.status === 'refused'],
  ['the first certificate has to be the client’s own', ({ client, ours }) => client === 'forged' && ours.status === 400],
]

const dir = mkdtempSync(join(tmpdir(), 'kmipd-kes-'))
const clients = await makeClients()
const servers = []
let same = 0
let failed = 0
const explained = new Map()
try {
  const kes = await start('kes', binary, [])
  const kmipd = await start('kmipd', process.execPath, [join(import.meta.dirname, '../../dist/cli/main.js'), 'kes'])
  const compare = async (method, path, body, client = 'admin') => {
    const [theirs, ours] = [await send(kes, method, path, body, client), await send(kmipd, method, path, body, client)]
    const [a, b] = [theirs, ours].map(answer => JSON.stringify({ ...answer, status: answer.status === 301 ? 307 : answer.status }))
    if (a.replaceAll('Moved Permanently', 'Temporary Redirect') === b) same++
    else {
      const [reason] = OTHERWISE.find(([, is]) => is({ path, client, theirs, ours })) ?? []
      if (reason !== undefined) explained.set(reason, (explained.get(reason) ?? 0) + 1)
      else {
        failed++
        process.stdout.write(
          `${method} ${path.slice(0, 100)} ${String(body ?? '').slice(0, 60)} [${client}]\n  KES   ${a.slice(0, 300)}\n  kmipd ${b.slice(0, 300)}\n`,
        )
      }
    }
  }
  for (const name of ['app-1', 'k']) await compare('PUT', `/v1/key/create/${name}`)
  for (const name of NAMES) for (const [method, verb] of VERBS) await compare(method, `/v1/${verb}/${name}`)
  for (const path of PATHS) for (const method of METHODS) await compare(method, path)
  for (const body of BODIES)
    for (const verb of ['encrypt', 'generate', 'decrypt', 'import']) await compare('PUT', `/v1/key/${verb}/k`, body)
  for (const client of Object.keys(clients)) for (const [method, path] of ASKED) await compare(method, path, undefined, client)
} finally {
  for (const server of servers) server.kill()
  rmSync(dir, { recursive: true, force: true })
}
for (const [reason, count] of explained) process.stdout.write(`otherwise: ${String(count).padStart(3)}  ${reason}\n`)
process.stdout.write(`${same} the same, ${failed} failed\n`)
process.exitCode = failed > 0 ? 1 : 0

async function makeClients() {
  const made = {}
  for (const name of ['server', 'admin', 'app', 'stranger', 'authority']) {
    const key = await generateKey({ type: 'ec', bits: 256 })
    const subject = encodeName([['CN', name]])
    const der = issueCertificate(
      {
        ...{ subject, spki: spkiOf(key), notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 3_600_000) },
        extensions: [name === 'authority' ? authorityConstraints(0) : subjectAlternativeNames(['localhost'], ['127.0.0.1'])],
      },
      { name: subject, key },
    )
    made[name] = { cert: certificatePem(der), key: privateKeyPem(key), identity: identityOfKey(spkiOf(key)) }
  }
  for (const part of ['cert', 'key']) writeFileSync(join(dir, `server.${part}`), made.server[part])
  const { admin, app, stranger, authority } = made
  const chain = (...parts) => ({ ...parts[0], cert: parts.map(({ cert }) => cert).join('\n') })
  return {
    admin,
    app,
    stranger,
    authority,
    none: {},
    both: chain(app, stranger),
    chained: chain(app, authority),
    forged: chain(authority, app),
  }
}

async function start(name, command, argv) {
  const port = await freePort()
  mkdirSync(join(dir, name))
  const config = {
    address: `127.0.0.1:${port}`,
    admin: { identity: clients.admin.identity },
    tls: { key: join(dir, 'server.key'), cert: join(dir, 'server.cert') },
    policy: {
      app: {
        allow: ['/v1/ready', '/v1/key/create/app-*', '/v1/key/generate/app-*', '/v1/key/list/app*', '/v1/policy/*'],
        deny: ['/v1/key/generate/app-secret'],
        identities: [clients.app.identity],
      },
    },
    keystore: { fs: { path: join(dir, name, 'keys') } },
  }
  writeFileSync(join(dir, `${name}.yml`), JSON.stringify(config))
  const server = spawn(command, [...argv, 'server', '--config', join(dir, `${name}.yml`)], { stdio: ['ignore', 'pipe', 'inherit'] })
  servers.push(server)
  await new Promise((resolve, reject) => {
    server.stdout.on('data', text => /up and running/.test(text) && resolve())
    server.on('exit', code => reject(new Error(`${name} ended with ${code}`)))
  })
  return port
}

/** Written as it is: clients of HTTP would change paths. */
function send(port, method, path, body, client) {
  const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
  const request = `${method} ${path} HTTP/1.1\r\nHost: kes\r\nConnection: close\r\n${length}\r\n${body ?? ''}`
  const { cert, key } = clients[client]
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port, cert, key, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
    let raw = ''
    let failure
    socket.setEncoding('utf8').on('data', text => (raw += text))
    socket.on('secureConnect', () => socket.write(request)).on('error', error => (failure = error.code))
    socket.on('close', () => resolve(raw === '' ? { status: 'refused', failure } : read(raw)))
    pause(10_000, undefined, { ref: false }).then(() => socket.destroy())
  })
}

function read(raw) {
  const [head, ...rest] = raw.split('\r\n\r\n')
  const [line, ...fields] = head.split('\r\n')
  const headers = Object.fromEntries(
    fields.map(field => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 2)]),
  )
  const body = rest
    .join('\r\n\r\n')
    .replaceAll('\\ufffd', '\ufffd')
    .replace(/"(plaintext|ciphertext|created_at)":"[^"]+"/g, '"$1"')
  return {
    status: Number(line.split(' ')[1]),
    ...Object.fromEntries(HEADERS.flatMap(name => (name in headers ? [[name, headers[name]]] : []))),
    body: headers['transfer-encoding'] === undefined ? body : 'in pieces',
  }
}
