// The commands of KES, as a transcript of KES's own command has them, run by ours against our server: the same output and exit code.
// Usage: node test/interop/kes-cli.mjs TRANSCRIPT
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { main } from '../../dist/cli/main.js'
import { freePort } from './vault-server.mjs'

const [transcript] = process.argv.slice(2)
if (!transcript) throw new Error('usage: node test/interop/kes-cli.mjs TRANSCRIPT')

/** What is otherwise here, and why. The rest has to be the same. */
const OTHERWISE = {
  '--version': 'the version is that of kmipd',
  'tool identity new': 'served here: scripts of 2020 use it',
  'server --mlock': 'accepted here, with a warning',
  'server --root disabled': 'accepted here, with a warning',
  'server --config /nonexistent': 'the system says it in other words',
  server: 'says which flags there are',
  'key hmac cli-1 bXNn': 'there is such a command here',
  'key ls cli-': 'a hyphen may end a pattern here',
  'key ls cli*': 'a pattern may end in a star here',
  'identity of certs/ca.key': 'says in other words that there is no certificate',
  'identity info --json': 'prints JSON here',
  'timeout 1 kes metric': 'followed in the tests of the command line',
  'timeout 2 kes log': 'followed in the tests of the command line',
  'timeout 1 kes log --error': 'followed in the tests of the command line',
}
/** Commands of the transcript that another client gave, or with another environment: which of several with the same words. */
const AS_USER = new Set(['key create forbidden-1', 'identity info/2', 'key ls cli/3'])
const SELF = 'identity info/2'

const dir = mkdtempSync(join(tmpdir(), 'kmipd-kes-cli-'))
const port = await freePort()

async function run(argv, { env = {}, isTTY = false } = {}) {
  let [out, err] = ['', '']
  const code = await main(['kes', ...argv], {
    stdout: { isTTY, write: text => (out += text) },
    stderr: { isTTY, write: text => (err += text) },
    stdin: (async function* () {})(),
    env,
    cwd: dir,
    untilStopped: async () => {},
  })
  return { code, out, err }
}

/** What differs from run to run. */
const normal = text =>
  text
    .replaceAll('kmipd kes', 'kes')
    .replace(/[0-9a-f]{64}/g, 'ID')
    .replace(/kes:v1:[A-Za-z0-9+/=]{44}/g, 'APIKEY')
    .replace(/"[A-Za-z0-9+/]{20,}={0,2}"/g, '"BASE64"')
    .replace(/(plaintext|ciphertext): +[A-Za-z0-9+/]{20,}={0,2}/g, '$1: BASE64')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME')
    .replace(/127\.0\.0\.1:(?!1\b)\d+/g, 'SERVER')
    .replace(/^( {2}(?:Version|Uptime|Latency|OS|CPUs|· Heap|· Stack)) .*$/gm, '$1 VALUE')
    .replace(/"(version|os|arch)":"[^"]*"/g, '"$1":"VALUE"')
    .replace(/"(uptime|num_cpu|num_cpu_used|mem_heap_used|mem_stack_used|keystore_latency)":\d+/g, '"$1":0')
    .replace(/ +$/gm, '')

/** Lists of routes and rules come in any order, and our lists have more routes. */
function inOrder(text, words) {
  if (/^status --api --json/.test(words)) {
    const methods = JSON.parse(text).map(({ method, path }) => `${method} ${path}`)
    return methods
      .filter(line => !/bulk|trace|log\//.test(line))
      .sort()
      .join('\n')
  }
  if (!/^(status --api|policy show|identity ls|ls -i)/.test(words)) return text
  const lines = text.split('\n').filter(line => !/bulk|trace|\/v1\/log\//.test(line))
  return lines
    .map(line => line.replace(/ +/g, ' '))
    .sort()
    .join('\n')
}

function commandsIn(text) {
  const commands = []
  for (const block of text.split(/^(?=\$(?:tty)? )/m).slice(1)) {
    const [first = '', ...lines] = block.split('\n')
    const [, tty, line] = /^\$(tty)? (.*)$/.exec(first) ?? []
    const rc = /^rc=(\d+)$/m.exec(block)
    const body = lines.join('\n').replace(/^rc=\d+\n[\s\S]*$/m, '')
    const err = [...body.matchAll(/^2> (.*\n)/gm)].map(match => match[1]).join('')
    const out = body.replace(/^2> .*\n/gm, '').replace('<no final newline>\n', '')
    commands.push({ words: line.replace(/^kes ?/, ''), isTTY: tty !== undefined, code: rc && Number(rc[1]), out, err })
  }
  return commands
}

const identity = async file => (await run(['identity', 'of', file])).out
mkdirSync(join(dir, 'certs'))
await run(['identity', 'new', '--key', 'certs/admin.key', '--cert', 'certs/admin.crt', '--ip', '127.0.0.1'])
await run(['identity', 'new', '--key', 'certs/app.key', '--cert', 'certs/app.crt'])
await run(['identity', 'new', '--key', 'certs/other.key', '--cert', 'certs/other.crt'])
const commands = commandsIn(readFileSync(transcript, 'utf8'))

// The keys that were there, and the policies as the transcript shows them.
const listed =
  commands
    .find(({ words }) => words === 'key ls')
    ?.out.split('\n')
    .filter(name => name !== '' && name !== 'Key' && !name.startsWith('cli-')) ?? []
mkdirSync(join(dir, 'keys'), { mode: 0o700 })
for (const name of listed) writeFileSync(join(dir, 'keys', name), JSON.stringify({ bytes: Buffer.alloc(32, 7).toString('base64') }))
const app = commands.find(({ words, isTTY }) => words === 'policy show app' && isTTY)?.out ?? ''
const [allowed = '', denied = ''] = app.split('Deny:')
const rules = text => [...text.matchAll(/· (\S+)/g)].map(match => match[1])
const ops = Object.keys(JSON.parse(commands.find(({ words }) => words === 'policy show ops').out).allow)
writeFileSync(
  join(dir, 'config.yml'),
  JSON.stringify({
    address: `127.0.0.1:${port}`,
    admin: { identity: await identity('certs/admin.crt') },
    tls: { key: join(dir, 'certs/admin.key'), cert: join(dir, 'certs/admin.crt') },
    policy: {
      app: { allow: rules(allowed), deny: rules(denied), identities: [await identity('certs/app.crt')] },
      ops: { allow: ops, identities: [await identity('certs/other.crt')] },
    },
    keystore: { fs: { path: join(dir, 'keys') } },
  }),
)
writeFileSync(join(dir, 'certs/ca.key'), readFileSync(join(dir, 'certs/other.key')))

const program = new URL('../../dist/cli/main.js', import.meta.url).pathname
const server = spawn(process.execPath, [program, 'kes', 'server', '--config', join(dir, 'config.yml')], {
  stdio: ['ignore', 'pipe', 'ignore'],
})
let [passed, failed] = [0, 0]
try {
  await new Promise((resolve, reject) => {
    let text = ''
    server.stdout.on('data', chunk => {
      text += chunk
      if (text.includes('running')) resolve()
    })
    server.once('exit', code => reject(new Error(`the server ended with ${code}`)))
  })
  const files = who => ({
    KES_SERVER: `127.0.0.1:${port}`,
    KES_CLIENT_KEY: `certs/${who}.key`,
    KES_CLIENT_CERT: `certs/${who}.crt`,
    SSL_CERT_FILE: 'certs/admin.crt',
  })
  const count = new Map()
  for (const { words, isTTY, code, out, err } of commands) {
    const nth = (count.get(`${words}${isTTY}`) ?? 0) + 1
    count.set(`${words}${isTTY}`, nth)
    const reason = OTHERWISE[words] ?? (SELF === `${words}/${nth}` ? 'everybody with a policy is told of itself here' : undefined)
    if (reason !== undefined) {
      console.log(`otherwise: kes ${words}: ${reason}`)
      continue
    }
    const isUser = AS_USER.has(words) || AS_USER.has(`${words}/${nth}`)
    let env = files(isUser ? 'app' : 'admin')
    if (/no API key specified/.test(err)) env = {}
    if (/invalid API key/.test(err)) env = { KES_API_KEY: 'kes:v1:AAEC' }
    if (/connection refused/.test(err)) env = { ...env, KES_SERVER: '127.0.0.1:1' }
    let argv = words.split(' ').filter(word => word !== '')
    if (/^key encrypt cli-1 Hello/.test(words)) argv = ['key', 'encrypt', 'cli-1', 'Hello World']
    if (/^key decrypt cli-1 [^A]/.test(words)) {
      const { ciphertext } = JSON.parse((await run(['key', 'encrypt', 'cli-1', 'Hello World'], { env })).out)
      argv = ['key', 'decrypt', 'cli-1', ciphertext]
    }
    if (/^identity info [0-9a-f]{64}/.test(words)) argv = ['identity', 'info', await identity('certs/app.crt')]
    const got = await run(argv, { env, isTTY })
    const differences = [
      [code, got.code, 'exit code'],
      [inOrder(normal(out).trimEnd(), words), inOrder(normal(got.out).trimEnd(), words), 'output'],
      [normal(err).trimEnd(), normal(got.err).trimEnd(), 'errors'],
    ].filter(([expected, value]) => expected !== null && expected !== value)
    if (differences.length === 0) passed++
    else {
      failed++
      for (const [expected, value, what] of differences)
        console.log(`FAILED: kes ${words}${isTTY ? ' (terminal)' : ''}: ${what}\n--- expected\n${expected}\n--- got\n${value}`)
    }
  }
} finally {
  server.kill('SIGTERM')
  rmSync(dir, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
