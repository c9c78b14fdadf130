import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { metricsIn } from '../../src/cli/kes-metric.ts'
import { main } from '../../src/cli/main.ts'
import { FsKeyStore } from '../../src/keystore/fs.ts'
import { freePort } from '../free-port.ts'
import { namesOf, newKey } from '../keystore/contract.ts'
import { type Outcome, run, start } from './run.ts'

const API_KEY = 'kes:v1:ACQpoGqx3rHHjT938Hfu5hVVQJHZWSqVI2Xp1KlYxFVw'
const IDENTITY = '0426fa9a04bc2756b92fbe8a97e1a1e07b53ecf04ed33da22c33e5c9faeb8cbb'
const cwd = t.testdir()

const failed = (err: string): Outcome => ({ code: 1, out: '', err: `Error: ${err}\n` })
const printed = (out: string): Outcome => ({ code: 0, out, err: '' })

t.test('identities are made and told without a server', async t => {
  t.same(await run(['kes', 'identity', 'of', API_KEY], { cwd }), printed(IDENTITY))
  t.same(await run(['kes', 'identity', API_KEY], { cwd }), printed(IDENTITY))
  t.match((await run(['kes', 'identity'], { cwd })).out, /^kes:v1:[A-Za-z0-9+/]{44}$/)
  t.match(
    (await run(['kes', 'identity', 'new'], { cwd })).out,
    /^Your API key:\n\n {3}kes:v1:.*\n\nThis is the only time.*\n\nYour Identity:\n\n {3}[0-9a-f]{64}\n/s,
  )

  const files = ['--key', 'x.key', '--cert', 'x.crt']
  const made = await run(['kes', 'identity', 'new', ...files, '--ip', '127.0.0.1', '--dns', 'localhost,kms.example', 'my-name'], { cwd })
  t.equal(made.code, 0)
  t.match(made.out, /stored at: x\.key\n.*stored at: x\.crt\n/)
  const [, apiKey] = /(kes:v1:\S+)/.exec(made.out) ?? []
  const [, identity] = /Your Identity:\n\n {3}(\S+)/.exec(made.out) ?? []
  t.same(await run(['kes', 'identity', 'of', 'x.crt'], { cwd }), printed(identity!))
  t.same(await run(['kes', 'identity', 'x.key'], { cwd }), printed(apiKey!))
  t.equal(statSync(join(cwd, 'x.key')).mode & 0o777, 0o600)
  t.same(await run(['kes', 'identity', 'new', ...files], { cwd }), failed('private key already exists. Use --force to overwrite it'))
  t.equal((await run(['kes', 'tool', 'identity', 'new', '--key=y.key', '--cert=y.crt', '--time=365.5h30m', 'app', '-f'], { cwd })).code, 0)
  t.ok(existsSync(join(cwd, 'y.crt')))

  const out: string[] = []
  const asked: string[] = []
  const askPassword = async (prompt: string): Promise<string> => {
    asked.push(prompt)
    return 'a password'
  }
  const silent = { stderr: { write: () => {} }, stdin: (async function* () {})(), env: {}, cwd, untilStopped: async () => undefined }
  const io = { ...silent, askPassword, stdout: { write: (text: string | Uint8Array) => out.push(String(text)) } }
  t.equal(await main(['kes', 'identity', 'new', '--key', 'z.key', '--cert', 'z.crt', '--encrypt'], io), 0)
  t.match(readFileSync(join(cwd, 'z.key'), 'utf8'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
  const [, locked] = /(kes:v1:\S+)/.exec(out.splice(0).join('')) ?? []
  t.equal(await main(['kes', 'identity', 'z.key'], io), 0)
  t.equal(out.join(''), locked)
  t.equal(asked.length, 3, 'twice to set it, once to open it')

  t.same(
    await run(['kes', 'identity', 'new', '--ip', '127.0.0.1'], { cwd }),
    failed("'--ip' requires a private key and certificate file. Set the '--cert' and '--key' flag"),
  )
  t.match(await run(['kes', 'identity', 'of', 'x.key'], { cwd }), { code: 1, err: /^Error: failed to parse certificate in 'x\.key'/ })
  for (const wrong of ['kes:v1:AA==', 'kes:v1:AAEC', 'nothing'])
    t.equal((await run(['kes', 'identity', 'of', wrong], { cwd })).code, 1, wrong)
})

t.test('wrong usage has the status that KES gives it', async t => {
  const help = await run(['kes'], { cwd })
  t.match(help, { code: 2, out: '', err: /kmipd kes key/ })
  t.match(await run(['kes', 'key'], { cwd }), { code: 2, out: '', err: /kmipd kes key create/ })
  t.match(await run(['kes', 'key', 'create', '--help'], { cwd }), { code: 2, out: '' })
  for (const argv of [
    ['kes', '--version'],
    ['kes', '-v'],
  ])
    t.match(await run(argv, { cwd }), { code: 0, out: /^\d+\.\d+\.\d+\n$/, err: '' }, argv.join(' '))
  t.same(await run(['kes', 'server', '--config'], { cwd }), failed("Not enough arguments following: config. See 'kmipd kes server --help'"))
  t.same(
    await run(['kes', 'identity', 'new', '--key', 'n.key', '--cert', 'n.crt', '--ip', '127.0.0.1,nope'], { cwd }),
    failed("'nope' is no IP address. See 'kmipd kes identity new --help'"),
  )
  for (const life of ['soon', '0s', '-1h', '9999999999999h'])
    t.same(
      await run(['kes', 'identity', 'new', '--key', 'n.key', '--cert', 'n.crt', `--expiry=${life}`], { cwd }),
      failed(`invalid duration '${life}': write hours, such as 720h`),
    )
  t.notOk(existsSync(join(cwd, 'n.key')))
  t.same(await run(['kes', 'nonsense'], { cwd }), failed(`"nonsense" is not a kes command. See 'kmipd kes --help'`))
  t.same(await run(['kes', 'key', 'ls'], { cwd }), failed('no API key specified. Consider setting MINIO_KES_API_KEY'))
  const env = { KES_API_KEY: 'kes:v1:AAEC' }
  t.same(await run(['kes', 'key', 'ls'], { cwd, env }), failed('parsing API key: kes: invalid API key: invalid length'))
  t.match(await run(['kes', 'key', 'ls'], { cwd, env: { KES_CLIENT_KEY: 'x.key' } }), { code: 1, err: /no TLS client certificate/ })
  t.match(await run(['kes', 'key', 'ls'], { cwd, env: { ...env, KES_CLIENT_KEY: 'x.key' } }), { code: 1, err: /set one of them/ })
  for (const former of ['update', 'init', 'enclave create x', 'secret ls', 'policy add x y', 'identity assign x y'])
    t.match(await run(['kes', ...former.split(' ')], { cwd }), { code: 1, out: '', err: /^Error: / }, former)
})

t.test('keys, policies and identities of a server', async t => {
  const port = await freePort()
  await run(['kes', 'identity', 'new', '--key', 's.key', '--cert', 's.crt', '--ip', '127.0.0.1'], { cwd })
  const config = [
    `address: 127.0.0.1:${port}`,
    `admin: { identity: ${IDENTITY} }`,
    'tls: { key: s.key, cert: s.crt }',
    'policy: { app: { allow: [/v1/key/create/*], deny: [/v1/key/create/no*], identities: [abcd] } }',
    `keystore: { fs: { path: ${join(cwd, 'keys')} } }`,
  ].join('\n')
  writeFileSync(join(cwd, 'config.yml'), config.replace('s.key', join(cwd, 's.key')).replace('s.crt', join(cwd, 's.crt')))
  const server = await start(['kes', 'server', '--config', 'config.yml'], cwd)
  t.teardown(() => server.stop())
  const env = { MINIO_KES_SERVER: `127.0.0.1:1,127.0.0.1:${port}`, MINIO_KMS_KES_API_KEY: API_KEY }
  const kes = (...argv: string[]): Promise<Outcome> => run(['kes', ...argv, '-k'], { cwd, env })

  t.same(await kes('key', 'create', 'k1', 'k2'), printed(''), 'the first of the servers is not there, the second is')
  t.same(await kes('key', 'create', 'k1'), failed('failed to create key "k1": key already exists'))
  t.match(await kes('key', 'create', 'bad.name'), {
    code: 1,
    err: /^Error: failed to create key "bad\.name": key name 'bad\.name' is empty, too long/,
  })
  t.same(await kes('key', 'import', 'k3', Buffer.alloc(32, 7).toString('base64')), printed(''))
  t.same(await kes('key', 'import', 'k4', 'AAEC'), failed(`failed to import "k4": invalid key size for 'AES256'`))
  t.match(await kes('key', 'import', 'k4'), { code: 1, err: /^Error: no crypto key specified/ })
  t.match(await kes('key', 'info', 'k1'), {
    code: 0,
    out: new RegExp(`^Name {8}k1\nAlgorithm {3}AES256\nDate {8}\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\nOwner {7}${IDENTITY}$`),
  })
  t.match(JSON.parse((await kes('key', 'info', 'k1', '--json')).out), { name: 'k1', created_by: IDENTITY })
  t.same(await kes('key', 'info', 'nope'), failed('failed to describe keys: key does not exist'))
  t.same(await kes('key', 'ls'), printed('Key\nk1\nk2\nk3\n'))
  t.same(await kes('key', 'list', 'k', '--json'), printed('["k1","k2","k3"]\nKey\nk1\nk2\nk3\n'))
  t.same(await kes('ls', 'k3'), printed('Key\nk3\n'))
  t.same(await kes('ls', '--json'), printed('["k1","k2","k3"]\n'))
  t.same(await kes('ls', 'zz'), printed(''))
  t.same(await kes('ls', '-i', '-p'), failed("'-p / --policy' and '-i / --identity' must not be used at the same time"))
  t.same(await kes('ls', '-p'), printed('Policy\napp\n'))
  t.same(await kes('ls', '-i'), printed(`Identity\n${[IDENTITY, 'abcd'].sort().join('\n')}\n`))

  const dek = JSON.parse((await kes('key', 'derive', 'k1', 'Y3R4')).out)
  t.same(await kes('key', 'decrypt', 'k1', dek.ciphertext, 'Y3R4'), printed(JSON.stringify({ plaintext: dek.plaintext })))
  const notAuthentic = failed('failed to decrypt ciphertext: decryption failed: ciphertext is not authentic')
  t.same(await kes('key', 'decrypt', 'k1', dek.ciphertext), notAuthentic)
  const { ciphertext } = JSON.parse((await kes('key', 'encrypt', 'k1', 'Hello', 'World')).out)
  t.same(await kes('key', 'decrypt', 'k1', ciphertext), printed('{"plaintext":"SGVsbG8gV29ybGQ="}'))
  t.match((await kes('key', 'hmac', 'k1', 'msg')).out, /^\{"hmac":"[A-Za-z0-9+/]{43}="\}$/)
  t.same(await kes('key', 'rm', 'k2'), printed(''))
  t.same(await kes('key', 'delete', 'k2'), failed('failed to remove key "k2": key does not exist'))

  t.match(await kes('policy', 'info', 'app'), { out: new RegExp(`^Name {8}app\nDate {8}.{19}\nCreated by {2}${IDENTITY}\n$`) })
  t.match(JSON.parse((await kes('policy', 'show', 'app')).out), { allow: { '/v1/key/create/*': {} }, deny: { '/v1/key/create/no*': {} } })
  t.same(await kes('policy', 'show', 'nope'), failed("failed to show policy 'nope': policy does not exist"))
  t.match(await kes('identity', 'info'), { out: new RegExp(`^Identity {4}${IDENTITY}\nCreated At {2}.{19}\nRole {8}Admin\n$`) })
  t.match(await kes('identity', 'info', 'abcd'), { out: /^Identity {4}abcd\nPolicy {6}app\nCreated At {2}.{19}\nRole {8}User\n/ })

  t.match(await kes('status'), {
    out: /^● \S+\n {2}Version {2}\S+\n {2}Uptime {3}\d+ seconds\n {2}Latency {2}\d+ms\n {2}OS {7}\S+\n {2}CPUs {5}\d+ \S+\n {2}Memory {2}\n {2}· Heap {3}[\d.]+MB\n/,
  })
  t.same(await kes('status', '-s'), printed(`● 127.0.0.1:${port}\n`))
  t.match(JSON.parse((await kes('status', '--json')).out), { os: String, uptime: Number })
  t.match((await kes('status', '--api')).out, /\n {2}Method {2}API +Timeout\n(.*\n)* {2}PUT {5}\/v1\/key\/create\/ +15s\n/)
  t.match(JSON.parse((await kes('status', '--api', '--json')).out), [{ method: String, path: String }])
  t.match(JSON.parse((await kes('metric')).out.split('\n')[0]!), {
    kes_http_request_success: Number,
    kes_http_response_time: { 10000000: Number },
  })

  const trusted = { ...env, MINIO_KES_SERVER: `127.0.0.1:${port}` }
  t.match(await run(['kes', 'ls'], { cwd, env: trusted }), { code: 1, err: /kes: connection error: .*self-signed certificate/ })
  t.equal((await run(['kes', 'ls', '--ca', 's.crt'], { cwd, env: trusted })).code, 0)

  /** What is shown of the log, until a key of this name was asked for. */
  const followed = async (name: string, shown: string, isTTY: boolean): Promise<string> => {
    let lines = ''
    let seen = (): void => {}
    const enough = new Promise<void>(resolve => {
      seen = resolve
    })
    const following = main(['kes', 'log', '-k'], {
      stdout: {
        isTTY,
        write(text) {
          lines += String(text)
          if (lines.includes(shown)) seen()
        },
      },
      stderr: { write: () => {} },
      stdin: (async function* () {})(),
      ...{ env, cwd, untilStopped: () => enough },
    })
    // Until the log is followed, nobody hears of it.
    while (!lines.includes(shown)) await kes('key', 'create', name)
    t.equal(await following, 0)
    return lines
  }
  const lines = await followed('logged', '/v1/key/create/logged', false)
  t.match(JSON.parse(lines.split('\n').find(line => line.includes('logged'))!), {
    request: { path: '/v1/key/create/logged', identity: IDENTITY },
  })
  const hostile = '\u001b[2Ja\r\nb\u009b\u202ec\u{e0041}é'
  const table = await followed(hostile, String.raw`/v1/key/create/\u001b[2Ja\u000d\u000ab\u009b\u202ec\udb40\udc41é`, true)
  t.notMatch(table, /[\u001b\r\u009b\u202e]/, 'what strangers put into a path does not reach the terminal')
})

t.test('people get tables', async t => {
  const out: string[] = []
  const io = { stdout: { isTTY: true, write: (text: string | Uint8Array) => out.push(String(text)) }, stderr: { write: () => {} } }
  const rest = { stdin: (async function* () {})(), env: {}, cwd, untilStopped: async () => undefined }
  await main(['kes', 'identity', 'of', API_KEY], { ...io, ...rest })
  t.equal(out.splice(0).join(''), `Identity:\n\n   ${IDENTITY}\n`)
  await main(['kes', 'identity'], { ...io, ...rest })
  t.match(out.splice(0).join(''), /\n Your API key: +\n +\n {4}kes:v1:\S+ +\n/)
})

t.test('keys move between key stores', async t => {
  const at = (name: string): string => join(cwd, 'move', name)
  mkdirSync(at(''), { recursive: true })
  for (const name of ['a', 'b']) writeFileSync(at(`${name}.yml`), `keystore: { fs: { path: ${at(name)} } }\n`)
  const source = await FsKeyStore.open(at('a'))
  const keys = new Map([1, 2, 3].map(i => [`my-${i}`, newKey()] as const))
  for (const [name, key] of keys) await source.create(name, key)
  await source.create('other', { algorithm: 'ChaCha20', key: Buffer.alloc(32, 3) })
  const migrate = (...argv: string[]): Promise<Outcome> => run(['kes', 'migrate', ...argv], { cwd: at('') })

  t.same(
    await migrate('--from', 'a.yml', '--to', 'b.yml', 'my-*'),
    printed('Starting key migration:\n\nMigrated      3 keys successfully!\n'),
  )
  t.same(await migrate('--from', 'a.yml', '--to', 'b.yml', '-q'), printed('There already 3 keys\nMigrated      1 keys successfully!\n'))
  writeFileSync(at('b/my-1'), readFileSync(at('a/my-2')))
  const conflict = await migrate('--from', 'a.yml', '--to', 'b.yml', '--json')
  t.match(conflict, { code: 1, err: 'Error: 1 keys were not migrated\n' })
  t.match(JSON.parse(conflict.out), { migrated: 0, present: 3, failed: [{ name: 'my-1' }] })
  t.match(await migrate('--from', 'a.yml', '--to', 'b.yml', '--merge'), { code: 0, out: /other keys: my-1\n/ })
  t.equal((await migrate('--from', 'a.yml', '--to', 'b.yml', '-f')).code, 0)
  t.equal(readFileSync(at('b/my-1'), 'utf8'), readFileSync(at('a/my-1'), 'utf8'))

  t.match(await migrate('--from', 'a.yml', '--to', 'kmipd.yaml'), { code: 1 })
  const data = at('data')
  t.equal((await run(['init', '--data-dir', data], { cwd })).code, 0)
  writeFileSync(at('kmipd.yaml'), `dataDir: ${data}\n`)
  writeFileSync(at('c.yml'), `keystore: { fs: { path: ${at('c')} } }\n`)
  t.same(await migrate('--from', 'a.yml', '--to', 'kmipd.yaml', '-q'), printed('Migrated      4 keys successfully!\n'))
  t.same(await migrate('--from', 'kmipd.yaml', '--to', 'c.yml', '-q'), printed('Migrated      4 keys successfully!\n'), 'and back')
  const back = await FsKeyStore.open(at('c'))
  t.same(await namesOf(back), await namesOf(source))
  for (const [name, key] of keys) t.same(await back.get(name), key)
  for (const argv of [
    ['--from', 'a.yml'],
    ['--to', 'a.yml'],
    ['--from', 'a.yml', '--to', 'b.yml', '-f', '--merge'],
    ['--from', 'no.yml', '--to', 'b.yml'],
  ])
    t.equal((await migrate(...argv)).code, 1, argv.join(' '))
  rmSync(data, { recursive: true })
})

t.test('metrics of several series are added', async t => {
  const metrics = metricsIn(
    'kes_http_request_success{code="200"} 2\nkes_http_request_success{code="204"} 3\nkes_system_up_time 1.5\nkes_http_response_time_bucket{le="0.05"} 4\nkes_http_response_time_bucket{le="+Inf"} 9\n',
  )
  t.match(metrics, { kes_http_request_success: 5, kes_system_up_time: 1_500_000_000, kes_http_response_time: { 50000000: 4 } })
})
