// Says again what Vault's clients said to a server, and compares the answers: 45 commands of the command line, a whole configuration of
// Terraform, its 14 steps, and what a real Vault answered to generic requests (with an ssh engine, in whose place stands one of ours).
// usage: node vault-replay.mjs <directory of the recordings>; prints a table
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { difference, learn, translated } from './vault-compare.mjs'
import { freePort, startServer, tally } from './vault-server.mjs'

const [folder] = process.argv.slice(2)
if (!folder) throw new Error('say where the recordings are')
const read = name => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))
const { check, end } = tally()

/** Exchanges that differ and shall: set, what, why. Each must differ, or it is no exception any more. */
const EXCEPTIONS = new Map([
  ['cli 3 GET /v1/sys/mounts', 'there is no cubbyhole and no identity engine, and kmip/ is there from the start'],
  ['cli 4 GET /v1/kmip/config', 'kmip/ is there from the start: not written, instead of not mounted'],
  ['cli 39 GET /v1/kmip/config?help=1', 'the recorded stand-in gave the configuration; the help is that of a real Vault, see generic'],
  ['cli 42 POST /v1/sys/remount', 'the recorded stand-in did not warn, as a real Vault does'],
  ['cli 42 GET /v1/sys/remount/status/', 'the recorded stand-in did not say from where to where'],
  ['cli 43 GET /v1/sys/mounts', 'there is no cubbyhole and no identity engine'],
  ['terraform 7 GET /v1/sys/mounts/kmip', 'the recorded stand-in forgot the empty options that a real Vault keeps'],
  ['terraform generic-endpoint 9 GET /v1/kmipg/ca', 'Vault documents an error while the configuration was never written'],
  ['generic enable-kmip', 'the recorded Vault has no KMIP engine'],
  ['generic license', 'the recorded Vault has no KMIP engine, so it has no licence for one'],
  ['generic write-bad-json', 'broken JSON is the fault of the client: 400, as OpenBao says'],
  ['generic write-null-body', 'a scope needs no fields, an ssh role does'],
  ['generic write-bad-int', 'the field of a scope is true or false, that of an ssh role a number'],
  ['generic creds-unknown-param', 'there is no such path in an engine of ours'],
  ['generic unsupported-op', 'asked of a path that takes writes here'],
  ['generic unsupported-op-get', 'there is no such path in an engine of ours'],
  ['generic list', 'scopes have no key_info'],
  ['generic list-verb', 'scopes have no key_info'],
  ['generic read', 'a scope says other things than an ssh role'],
  ['generic bearer', 'a scope says other things than an ssh role'],
  ['generic outside', 'the console is shown the way to, not a page of its own'],
  ['generic help', 'the help is of another path'],
])
const used = new Set()
const rows = []

/** One exchange, compared. @returns what was answered */
async function exchange(server, key, request, recorded, known, withHeaders = true) {
  const { method, target } = request
  const headers = { ...translated(request.headers ?? {}, known) }
  delete headers['Content-Length']
  const answer = await server.ask({
    ...{ method, target: translated(target, known), headers },
    ...(request.raw !== undefined ? { body: request.raw } : 'body' in request && { body: translated(request.body, known) }),
  })
  let problem
  if (answer.status !== recorded.status) problem = `status ${answer.status}, recorded ${recorded.status}: ${JSON.stringify(answer.body)}`
  else if (recorded.body !== undefined && method !== 'HEAD') problem = difference(translated(recorded.body, known), answer.body)
  if (problem === undefined && withHeaders) problem = headersOf(answer)
  learn(recorded.body, answer.body, known)
  const exception = [...EXCEPTIONS.keys()].find(name => key === name || (name.endsWith('/') && key.startsWith(name)))
  if (exception !== undefined) used.add(exception)
  const reason = EXCEPTIONS.get(exception)
  rows.push([key, String(answer.status), problem === undefined ? 'same' : (reason ?? problem)])
  if (reason !== undefined) check(key, problem === undefined ? `differs no more, so it is no exception: ${reason}` : undefined)
  else check(key, problem)
  return answer
}

function headersOf({ status, headers }) {
  if (headers['cache-control'] !== 'no-store') return `Cache-Control is ${headers['cache-control']}`
  if (!headers['strict-transport-security']) return 'there is no Strict-Transport-Security'
  return status === 204 || headers['content-type'] === 'application/json' ? undefined : `Content-Type is ${headers['content-type']}`
}

/** Ports and tokens of the recording, and those of this server. */
async function translation({ token }, tokens = ['root']) {
  const known = new Map(tokens.map(text => [text, token]))
  for (const port of ['5696', '5697', '5698', '5699']) known.set(`:${port}`, `:${await freePort()}`)
  return known
}

/** Example certificates and requests of the recording are none: real ones instead. */
function realPem({ dir }, known) {
  const pem = readFileSync(join(dir, 'clients', 'default', 'ca.pem'), 'utf8').trim()
  known.set('-----BEGIN CERTIFICATE-----\nMIIB(example)\n-----END CERTIFICATE-----\n', `${pem}\n`)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', '/dev/null', '-nodes', '-subj', '/CN=x']
  const csr = execFileSync('openssl', ['req', '-new', ...key], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  known.set('-----BEGIN CERTIFICATE REQUEST-----\nMIIB(example)\n-----END CERTIFICATE REQUEST-----\n', csr)
}

/** Only the answer's body is what was recorded; a token in a header is not looked for elsewhere. */
const withToken = (request, known) => {
  const token = request.headers?.['X-Vault-Token']
  return token === undefined ? request : { ...request, headers: { ...request.headers, 'X-Vault-Token': known.get(token) ?? token } }
}

async function commandLine() {
  const server = await startServer()
  try {
    const known = await translation(server, [])
    known.set('"root"', `"${server.token}"`)
    realPem(server, known)
    const tokens = new Map([['root', server.token]])
    // The scope of the client that `dev` makes is not in the recording.
    await server.ask({ method: 'DELETE', target: '/v1/kmip/scope/default?force=true', headers: { 'X-Vault-Token': server.token } })
    for (const [index, { wire }] of read('cli-bao').commands.entries()) {
      for (const { request, response } of wire) {
        // Without CAs by these names the listener would be refused.
        if (request.target === '/v1/kmip/listener/l1' && request.method === 'PUT') await cas(server, ['a', 'b'])
        await exchange(server, `cli ${index + 1} ${request.method} ${request.target}`, withToken(request, tokens), response, known)
      }
    }
  } finally {
    await server.stop()
  }
}

async function cas({ ask, token }, names) {
  for (const name of names) {
    const target = `/v1/kmip/ca/${name}/generate`
    await ask({ method: 'PUT', target, headers: { 'X-Vault-Token': token }, body: { key_type: 'ec', key_bits: 256 } })
  }
}

async function terraform() {
  const { full_example, sequences } = read('terraform')
  const server = await startServer()
  try {
    const known = await translation(server, [])
    const tokens = new Map([['root', server.token]])
    realPem(server, known)
    await server.ask({ method: 'DELETE', target: '/v1/kmip/scope/default?force=true', headers: { 'X-Vault-Token': server.token } })
    for (const [index, { request, response }] of full_example.entries()) {
      const key = `terraform ${index + 1} ${request.method} ${request.target}`
      const { body } = await exchange(server, key, withToken(request, tokens), response, known)
      if (body?.auth) tokens.set(response.body.auth.client_token, body.auth.client_token)
    }
  } finally {
    await server.stop()
  }
  const other = await startServer()
  try {
    const known = await translation(other, [])
    realPem(other, known)
    let token = other.token
    await other.ask({ method: 'DELETE', target: '/v1/kmip/scope/default?force=true', headers: { 'X-Vault-Token': token } })
    for (const { step, wire } of sequences)
      for (const [index, { m: method, t: target, s: status, b: body, ns }] of wire.entries()) {
        // Each run begins with the token that it was given, and goes on with a child of it.
        if (target === '/v1/auth/token/lookup-self') token = other.token
        const headers = { 'X-Vault-Token': token, 'X-Vault-Request': 'true', ...(ns && { 'X-Vault-Namespace': ns }) }
        const request = { method, target, headers, ...(body !== undefined && { body }) }
        const answer = await exchange(other, `terraform ${step} ${index + 1} ${method} ${target}`, request, { status }, known)
        if (answer.body?.auth) token = answer.body.auth.client_token
        learn({ id: target.split('/status/')[1] ?? '' }, {}, known)
        if (target === '/v1/sys/remount') known.set(nextMigration(wire, index), answer.body.data.migration_id)
      }
  } finally {
    await other.stop()
  }
}

const nextMigration = (wire, index) =>
  wire
    .slice(index)
    .find(({ t }) => t.includes('/remount/status/'))
    ?.t.split('/')
    .at(-1) ?? 'none'

/** The recorded server had an ssh engine: ours stands in its place, scopes stand where its roles were. */
const asOurs = text => text.replaceAll('ssh/roles', 'ssh/scope').replaceAll('"type":"ssh"', '"type":"kmip"').replaceAll('ssh_', 'kmip_')

async function generic() {
  const server = await startServer()
  try {
    const known = new Map([['v1.21.4+builtin.vault', 'v2.0.0+builtin.kmipd']])
    for (const { name, request, status, response } of read('generic-vault').calls) {
      const { headers = {}, method } = request
      const target = asOurs(request.target)
      const own = { ...headers, ...tokenOf(name, server.token) }
      const sent = {
        method,
        target,
        headers: own,
        ...('raw' in request ? { raw: request.raw } : 'body' in request && { body: JSON.parse(asOurs(JSON.stringify(request.body))) }),
      }
      const recorded = { status, body: response === undefined ? undefined : JSON.parse(asOurs(JSON.stringify(response))) }
      await exchange(server, `generic ${name}`, sent, recorded, known, name !== 'outside')
    }
  } finally {
    await server.stop()
  }
}

/** What the recording leaves out of its requests: how each one said who asks. */
function tokenOf(name, token) {
  if (name === 'no-token' || name === 'outside') return {}
  if (name === 'bearer') return { Authorization: `Bearer ${token}` }
  if (name.includes('bad-token') || name.includes('badtoken')) return { 'X-Vault-Token': 'wrong' }
  return {
    'X-Vault-Token': token,
    ...(name === 'namespace' && { 'X-Vault-Namespace': 'admin' }),
    ...(name === 'wrap' && { 'X-Vault-Wrap-TTL': '60s' }),
  }
}

await commandLine()
await terraform()
await generic()
const width = Math.max(...rows.map(([key]) => key.length))
for (const [key, status, result] of rows) console.log(`${key.padEnd(width)}  ${status}  ${result}`)
for (const name of EXCEPTIONS.keys()) if (!used.has(name)) check(name, 'an exception that nothing needs')
end()
