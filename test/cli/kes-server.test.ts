import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { inTurn } from '../../src/cli/in-turn.ts'
import { app, stranger } from '../kes/lab.ts'
import { Pki } from '../server/lab.ts'
import { run } from './run.ts'

const { certificate, key } = await (await Pki.make()).server()
const CONFIG = `
address: 127.0.0.1:0
tls: { key: server.key, cert: server.crt }
policy:
  my-app:
    allow:
    - /v1/key/create/my-*
    - /v1/key/*/old
    deny:
    - /v1/key/create/my-secret*
    identities: [${app.identity}]
keystore: { fs: { path: keys } }
`
const cwd = t.testdir({
  'server.key': key,
  'server.crt': certificate,
  'app.crt': app.pem,
  'stranger.crt': stranger.pem,
  keys: {},
  'config.yml': `admin: { identity: disabled }\n${CONFIG}`,
  'old.yml': CONFIG,
  'aws.yml': `admin: { identity: disabled }\n${CONFIG.replace('fs: { path: keys }', 'aws: { secretsmanager: { region: r } }')}`,
  'native.yml': `admin: { identity: disabled }\n${CONFIG.replace('fs: { path: keys }', 'native: { scope: kes }')}`,
  'toml.toml': `root = "disabled"\naddress = "127.0.0.1:0"\n[tls]\nkey = "${'KEY'}"\ncert = "server.crt"\n[policy.p]\npaths = ["/v1/key/create/a*"]\nidentities = []\n[keystore.fs]\npath = "keys"\n`,
})
// Paths in the file are of the working directory of the process.
const inPlace = (text: string): string =>
  text.replace(/server\.(key|crt)/g, name => join(cwd, name)).replace('path: keys', `path: ${join(cwd, 'keys')}`)
t.before(async () => {
  const { readFileSync, writeFileSync } = await import('node:fs')
  for (const name of ['config.yml', 'old.yml', 'aws.yml', 'native.yml'])
    writeFileSync(join(cwd, name), inPlace(readFileSync(join(cwd, name), 'utf8')))
})

t.test('a server starts and says where', async t => {
  const { code, out, err } = await run(['kes', 'server', '--config', 'config.yml'], { cwd })
  t.equal(code, 0, err)
  t.match(out, /^KMS +Filesystem: .*keys$/m)
  t.match(out, /^API +· https:\/\/127\.0\.0\.1:\d+$/m)
  t.match(out, /^Admin +disabled$/m)
  t.match(out, /=> Server is up and running\.\.\.\n[\s\S]*=> Stopping server\.\.\. Goodbye\.\n$/)
  t.match(err, /warning: policy\.my-app\.allow\.1 \(line 9\): the rule \/v1\/key\/\*\/old never matches/)
})

t.test('flags of older releases', async t => {
  const flags = [
    '--mlock',
    '--root=disabled',
    '--auth=off',
    '--key',
    'other.key',
    '--cert',
    'other.crt',
    '--quiet',
    '--addr',
    '127.0.0.1:0',
  ]
  const { code, out, err } = await run(['kes', 'server', '--config', 'old.yml', ...flags], { cwd })
  t.equal(code, 0, err)
  t.equal(out, '', 'quiet')
  for (const flag of ['mlock', 'root', 'auth', 'key', 'cert', 'quiet'])
    t.match(err, `warning: --${flag} is a flag of older releases of KES`)
})

t.test('for trying out', async t => {
  const { code, out, err } = await run(['kes', 'server', '--dev', '--addr', '127.0.0.1:0'], { cwd })
  t.equal(code, 0, err)
  t.match(out, /^KMS +In Memory$/m)
  t.match(out, /^API Key +kes:v1:[A-Za-z0-9+/]{44}$/m)
})

t.test('what keeps a server from starting', async t => {
  const CASES: [argv: string[], code: number, text: RegExp][] = [
    [[], 2, /kmipd kes server/],
    [['--config', 'none.yml'], 1, /ENOENT.*none\.yml/],
    [['--config', 'old.yml'], 1, /no admin identity/],
    [['--config', 'aws.yml'], 1, /the keystore aws \(AWS Secrets Manager\) in line \d+ is not supported: there are fs, vault/],
    [['--config', 'native.yml'], 1, /the native key store needs the data of a server: name this file under kes\.config in kmipd\.yaml/],
    [['--config', 'toml.toml'], 1, /failed to read TLS certificate/],
    [['--config', 'config.yml', '--addr', 'nowhere'], 1, /missing port in address/],
    [['--config', 'config.yml', '--workers', 'many'], 1, /--workers many: 1 to 64, or auto/],
    [['--config', 'config.yml', '--workers', '0'], 1, /--workers 0: 1 to 64, or auto/],
  ]
  for (const [argv, code, text] of CASES) {
    const outcome = await run(['kes', 'server', ...argv], { cwd })
    t.equal(outcome.code, code, argv.join(' '))
    t.match(outcome.err, text)
  }
})

t.test('a reload begins when the one before is over', async t => {
  const done: number[] = []
  const pauses = [20, 5, 0]
  let begun = 0
  const reload = inTurn(async () => {
    const number = begun++
    await setTimeout(pauses[number])
    if (number === 1) throw new Error('the file is wrong')
    done.push(number)
  })
  const asked = [reload(), reload(), reload()]
  t.same(
    (await Promise.allSettled(asked)).map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  t.same(done, [0, 2])
})

t.test('what policies allow, before anybody asks', async t => {
  const CASES: [identity: string, path: string, code: number, text: RegExp][] = [
    [app.identity, '/v1/key/create/my-1', 0, /^allowed: policy my-app allows \/v1\/key\/create\/my-\* \(line 8\)\n$/],
    ['app.crt', '/v1/key/create/my-1', 0, /^allowed/],
    ['app.crt', '/v1/key/create/my-secret', 1, /denied: policy my-app denies \/v1\/key\/create\/my-secret\* \(line 11\)/],
    ['app.crt', '/v1/key/create/other', 1, /denied: policy my-app has no allow rule for it; add: \/v1\/key\/create\/other/],
    ['stranger.crt', '/v1/key/create/my-1', 1, /denied: no policy names the identity/],
    ['kes:v1:AOlQZJRMYZeOioGk0ubYBMSFt1w6Hh1QZl3zG4PQxK/g', '/version', 1, /identity eb559798/],
  ]
  for (const [identity, path, code, text] of CASES) {
    const outcome = await run(['kes', 'policy', 'test', '--config', 'config.yml', identity, path], { cwd })
    t.equal(outcome.code, code, `${identity} ${path}`)
    t.match(outcome.out + outcome.err.replace(/^warning.*\n/gm, ''), text)
  }
})
