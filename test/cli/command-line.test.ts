// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a configuration refers to the environment

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { nodeCommand } from '../node-command.ts'
import { run } from './run.ts'

const here = { cwd: t.testdir({}) }

t.test('usage: exit codes and what is said', async t => {
  const CASES: [argv: string[], code: number, err: RegExp][] = [
    [[], 2, /say which command/],
    [['scop'], 2, /Did you mean scope\?/],
    [['scope'], 2, /say what to do with scopes/],
    [['scope', 'creat', 'x'], 2, /Did you mean create\?/],
    [['scope', 'create'], 2, /Not enough non-option arguments/],
    [['scope', 'list', '--jsn'], 2, /Unknown argument: jsn/],
    [['scope', 'list', '--config', 'a', '--data-dir', 'b'], 2, /mutually exclusive/],
    [['scope', 'list'], 2, /--config FILE or --data-dir DIR/],
    [['scope', 'list', '--data-dir', '/nonexistent'], 2, /run: kmipd init/],
    [['config', 'check', '--config', '/nonexistent.yaml'], 1, /\/nonexistent\.yaml: there is no such file/],
    [['config', 'check', '--config', '/'], 1, /\/: it is a folder/],
    [['scope', 'list', '--data-dir', 'a', '--data-dir', 'b'], 2, /--data-dir is given more than once/],
    [['scope', 'list', '--data-dir', ''], 2, /--data-dir is empty/],
    [['dev', '--data-dir', ''], 2, /--data-dir is empty/],
    [['token', 'create', '--uses', 'many'], 2, /--uses: write a number/],
    [['role', 'write', 's', 'r', 'operation_all', '--data-dir', '/nonexistent'], 2, /./],
    [['credential', 'revoke', 's', 'r'], 2, /serial number or --certificate/],
    [['credential', 'generate', 's', 'r', '--format', 'txt'], 2, /Choices/],
    [['client', 'query'], 2, /no cert\.pem/],
    [['server', '--config'], 2, /Not enough arguments following: config\n/],
    [['dev', '--kmip-address', '5696'], 2, /--kmip-address 5696: write host:port/],
    [['dev', '--kmip-address', 'off'], 2, /--kmip-address off: write host:port/],
    [['dev', '--kes-address', 'off'], 2, /--kes-address off: write host:port/],
    [['decode', '--hex', '420069'], 1, /^kmipd: an item is cut off at byte 0\n$/],
    [['decode', '--hex', 'xyz'], 2, /not hex/],
  ]
  for (const [argv, code, err] of CASES) {
    const outcome = await run(argv, here)
    t.match(outcome, { code, err, out: '' }, argv.join(' '))
    t.equal(outcome.err.split('\n')[0]?.startsWith('kmipd: '), true)
  }
  t.same(readdirSync(here.cwd), [], 'and nothing is made')
})

t.test('each command has help with an example', async t => {
  const pages: string[] = []
  await visit([])
  t.ok(pages.length > 30, `${pages.length} commands`)
  t.match((await run(['--version'], here)).out, /^\d+\.\d+\.\d+/)

  async function visit(words: string[]): Promise<void> {
    const { code, ...texts } = await run([...words, '--help'], here)
    // KES's own command sends its help to standard error, with exit code 2.
    const isKes = words[0] === 'kes'
    const [out, err] = isKes ? [texts.err, texts.out] : [texts.out, texts.err]
    t.same([code, err], [isKes ? 2 : 0, ''], words.join(' '))
    pages.push(out)
    const path = ['kmipd', ...words].join(' ')
    const below = [...out.split('\n\nExamples:')[0]!.matchAll(/^ {2}(kmipd [a-z -]+?)(?: [<[]| {2}|$)/gm)]
      .map(match => match[1]!)
      .filter(name => name.startsWith(`${path} `) && name.split(' ').length === words.length + 2)
      // It prints a script, whatever else is asked.
      .filter(name => name !== 'kmipd completion')
    const examples = out.split(/\n\nExamples:\n/)[1]?.split('\n\n')[0] ?? ''
    // KES's own groups have none.
    if (below.length === 0 || !isKes) t.match(examples, /^ {2}(\(.*\)|printf .*|kmipd )/m, `${path} has an example`)
    for (const line of examples.split('\n')) t.match(line, /^($| {2}(# |\(|printf |kmipd |source ))/, 'an example is on one line')
    for (const name of new Set(below)) await visit(name.split(' ').slice(1))
  }
})

t.test('help loads yargs alone: what commands need comes when they run', async t => {
  const external = new Set<string>()
  const seen = new Set<string>()
  follow(resolve('src/cli/main.ts'))
  t.same(
    [...external].filter(name => !name.startsWith('node:')),
    ['yargs'],
  )
  const OURS = /src\/(cli|client|config)\//
  t.same(
    [...seen].filter(file => !OURS.test(file)),
    [],
    'no layer below is loaded',
  )

  function follow(file: string): void {
    if (seen.has(file)) return
    seen.add(file)
    // Imports of types alone are gone when the program runs.
    for (const [, names, name] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) ([^'"`;]*?) from '([^']+)'/gm)) {
      const onlyTypes = names!.startsWith('type ') || /^\{( *type [^,]+,?)+ *\}$/.test(names!.replace(/\s+/g, ' '))
      if (onlyTypes) continue
      if (name!.startsWith('.')) follow(resolve(dirname(file), name!))
      else external.add(name!)
    }
  }
})

t.test('decode', async t => {
  const query =
    '420078010000009042007701000000384200690100000020' +
    '42006a0200000004000000010000000042006b02000000040000000200000000' +
    '42000d0200000004000000010000000042000f0100000048' +
    '42005c0500000004000000180000000042007901000000304200740500000004000000010000000042007405000000040000000200000000' +
    '42007405000000040000000300000000'
  const dir = t.testdir({ 'q.hex': `${query.slice(0, 32)}\n  ${query.slice(32)}\n` })
  const binary = Buffer.from(query, 'hex')
  writeFileSync(join(dir, 'q.bin'), binary)
  const plain = await run(['decode', '--hex', query], { cwd: dir })
  t.equal(plain.code, 0, plain.err)
  t.match(plain.out, /^RequestMessage\n {2}RequestHeader\n/)
  t.match(plain.out, 'Operation (Enumeration): Query')
  const WAYS: [argv: string[], stdin?: string | Buffer][] = [
    [['q.bin']],
    [['q.hex']],
    [['-'], binary],
    [[], query],
    [['--hex'], query],
    [['--base64'], binary.toString('base64')],
    [['--base64', binary.toString('base64')]],
    [[], binary.toString('base64')],
  ]
  for (const [argv, stdin] of WAYS)
    t.equal((await run(['decode', ...argv], { cwd: dir, ...(stdin !== undefined && { stdin }) })).out, plain.out, argv.join(' '))
  for (const form of ['--json', '--xml']) {
    const { out } = await run(['decode', 'q.bin', form], { cwd: dir })
    t.equal((await run(['decode'], { cwd: dir, stdin: out })).out, plain.out, `${form} is read back`)
  }
  t.equal((await run(['decode', '--hex', query + query], { cwd: dir })).out, plain.out + plain.out, 'several messages')

  const key = '4200450100000018 4200430800000010 000102030405060708090a0b0c0d0e0f'
  t.match((await run(['decode', '--hex', key], here)).out, /hidden/)
  t.match((await run(['decode', '--hex', key, '--secrets'], here)).out, /000102/)
  t.match(await run(['decode', '--hex', query.slice(0, -2)], here), { code: 1, err: /kmipd: .* at byte/ })
  t.match(await run(['decode', 'nowhere'], { cwd: dir }), { code: 1, err: /ENOENT/ })
  t.match(await run(['decode', '--hex', query, 'q.bin'], { cwd: dir }), { code: 2, err: /a text or a file, not both/ })
})

t.test('config', async t => {
  const dir = t.testdir({ 'kmipd.yaml': 'kmip:\n  idle: 1h\nseal:\n  - kind: local\n    key: ${KEY}\n', 'bad.yaml': 'kmip:\n  idel: 1h\n' })
  const env = { KEY: 'hsm:aes256:AAAA' }
  t.match(await run(['config', 'check', '--data-dir', dir], { cwd: '/', env }), { code: 0, out: /is right/ })
  t.match(await run(['config', 'check', '-c', 'bad.yaml'], { cwd: dir }), { code: 1, err: /bad\.yaml:2:3: kmip\.idel: .*kmip\.idle/ })
  t.match(await run(['config', 'check', '-d', '.'], { cwd: dir }), { code: 1, err: /KEY is not set/ })
  writeFileSync(join(dir, 'several.yaml'), 'workers: 2\nstore: { kind: memory }\n')
  t.match(await run(['config', 'check', '-c', 'several.yaml'], { cwd: dir }), {
    code: 1,
    err: /several\.yaml:1:10: workers: 2 needs the store sqlite or vault: write 1/,
  })
  const shown = await run(['config', 'show', '-d', '.', '--json'], { cwd: dir, env })
  t.match(JSON.parse(shown.out), {
    kmip: { idle: '1h', partial: '30s' },
    seal: [{ key: '(hidden)' }],
    metrics: { listen: '127.0.0.1:9696' },
  })
  t.notMatch(shown.out, 'AAAA')
  t.match((await run(['config', 'show'], { cwd: dir, env: { ...env, KMIPD_CONFIG: 'kmipd.yaml' } })).out, /^kmip:\n(.|\n)*idle: 1h/m)
  t.match(JSON.parse((await run(['config', 'schema'], here)).out), { properties: { kmip: {} } })
})

t.test('init makes what is missing, and nothing twice', async t => {
  const dir = t.testdir({})
  const first = await run(['init', '--data-dir', 'data'], { cwd: dir })
  t.match(first, { code: 0, out: /root\.key: keep a copy(.|\n)*kmipd\.db(.|\n)*ready/ }, first.err)
  t.match(await run(['init', '--data-dir', 'data'], { cwd: dir }), { code: 0, out: /^database/ })
  const ca = await run(['ca', 'read', '--data-dir', 'data'], { cwd: dir })
  t.equal(ca.out.match(/BEGIN CERTIFICATE/g)?.length, 2)
  t.match(JSON.parse((await run(['ca', 'read', '-d', 'data', '--json'], { cwd: dir })).out), { ca_pem: /BEGIN/ })

  mkdirSync(join(dir, 'kmipd-data'))
  t.match(await run(['scope', 'list'], { cwd: dir }), { code: 2, err: /kmipd-data.*kmipd init/ }, 'kmipd-data is found by itself')
})

t.test('the program is a process with an exit code and streams', async t => {
  const program = spawnSync(...nodeCommand('dist/cli/main.js', 'nonsense'), { encoding: 'utf8' })
  t.match(program, { status: 2, stdout: '', stderr: /kmipd: Unknown command: nonsense\nTry: kmipd --help/ })
})

t.test('who reads the output may stop to read', async t => {
  const program = spawn(...nodeCommand('dist/cli/main.js', 'config', 'schema'), { stdio: ['ignore', 'pipe', 'pipe'] })
  program.stdout.destroy()
  let err = ''
  program.stderr.on('data', part => {
    err += part
  })
  t.same(await once(program, 'close'), [0, null])
  t.equal(err, '')
})

t.test('a directory without a configuration is not called right', async t => {
  const { code, out } = await run(['config', 'check', '--data-dir', 'none'], here)
  t.match({ code, out }, { code: 0, out: /^there is no .*kmipd\.yaml: everything is at its default\n$/ })
})

t.test('an address that is taken is said to be', async t => {
  const other = createServer()
  await once(other.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const { code, err } = await run(
    ['dev', '--ephemeral', '--kmip-address', `127.0.0.1:${port}`, '--metrics-address', 'off', '--admin-address', 'off'],
    here,
  )
  t.match({ code, err }, { code: 1, err: new RegExp(`127\\.0\\.0\\.1:${port}: another program listens there`) })
})

t.test('the lines that dev prints can be pasted, whatever its directory is called', async t => {
  const dir = t.testdir({})
  const name = `it's $HOME, a "b"`
  const free = [
    '--kmip-address',
    '127.0.0.1:0',
    '--admin-address',
    '127.0.0.1:0',
    '--kes-address',
    '127.0.0.1:0',
    '--metrics-address',
    'off',
  ]
  const { code, out, err } = await run(['dev', '--ephemeral', '--data-dir', name, ...free], { cwd: dir })
  t.match({ code, err }, { code: 0 })
  const [, client = ''] = /^Try it: kmipd (.*)$/m.exec(out) ?? []
  const words = spawnSync('sh', ['-c', `printf '%s\\n' ${client}`], { encoding: 'utf8' })
  t.equal(words.stdout.trim().split('\n').at(-1), join(dir, name, 'clients', 'default'))
  t.equal(out.match(/^ {2}export /gm)?.length, 3)
  for (const [, variables = ''] of out.matchAll(/^ {2}export (.*)$/gm))
    t.match(
      spawnSync('sh', ['-c', `printf '%s\\n' ${variables}`], { encoding: 'utf8' }),
      { stderr: '', stdout: /(TOKEN=hvs\.|KEY=kes:v1:|CAPATH=\/.*\/ca\.pem\nMINIO_KMS_KES_KEY_NAME=)/ },
      variables,
    )
})

t.test('a server goes on without who read its output, and SIGHUP does not cut its end short', async t => {
  const free = ['--kmip-address', '127.0.0.1:0', '--data-dir', t.testdir({})]
  const program = spawn(...nodeCommand('dist/cli/main.js', 'dev', '--ephemeral', ...free), { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(program, 'exit')
  program.stdout.destroy()
  const said: string[] = []
  // While a request is under way the server cannot come to its end, so that the last signal comes before it.
  let request: Socket | undefined
  for await (const line of createInterface(program.stderr)) {
    const { msg, admin = '' } = JSON.parse(line) as { msg: string; admin?: string }
    said.push(msg)
    if (msg === 'ready') {
      request = connectTcp(Number(new URL(admin).port), '127.0.0.1')
      request.resume().write('PUT /v1/kmip/config HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{')
      await once(request, 'connect')
      program.kill('SIGHUP')
    }
    if (msg === 'reloaded') program.kill('SIGTERM')
    if (msg === 'stopping') {
      program.kill('SIGHUP')
      request?.end('}')
    }
  }
  t.same(said, ['ready', 'reloaded', 'stopping'])
  t.same(await ended, [0, null])
})

t.test('a variable that is set to nothing names no server', async t => {
  const outcome = await run(['scope', 'list'], { cwd: t.testdir({}), env: { KMIPD_ADDR: '', VAULT_ADDR: '' } })
  t.match(outcome, { code: 2, err: /--config FILE or --data-dir DIR/ })
})
