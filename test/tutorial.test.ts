import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import t from 'tap'
import { run, start } from './cli/run.ts'
import { freePort } from './free-port.ts'

// The steps of the tutorial of Vault's KMIP engine, each by a kmipd command, on a server that runs.

const QUIET = 'log:\n  level: silent\n'

const cwd = t.testdir({ 'kmipd-data': { 'kmipd.yaml': QUIET } })
const data = join(cwd, 'kmipd-data')
const server = await start(['dev', '--kmip-address', '127.0.0.1:0'], cwd)
t.teardown(() => server.stop())

const listeners = (dir = data): { kmip: string; metrics?: string } => JSON.parse(readFileSync(join(dir, 'listeners.json'), 'utf8'))

/** Run a command that shall succeed, and return what it printed. */
async function kmipd(...argv: string[]): Promise<string> {
  const { code, out, err } = await run(argv, { cwd })
  t.equal(code, 0, `kmipd ${argv.join(' ')} ${err}`)
  return out
}

async function fails(argv: string[], err: RegExp, code = 1): Promise<void> {
  t.match(await run(argv, { cwd }), { code, err, out: '' }, `kmipd ${argv.join(' ')} fails`)
}

const json = async (...argv: string[]): Promise<Record<string, unknown>> => JSON.parse(await kmipd(...argv, '--json'))
const client = (name: string, ...argv: string[]): string[] => ['client', ...argv, '--client', name, '--server', listeners().kmip]

t.test('what dev makes and says', async t => {
  for (const name of ['ca.pem', 'cert.pem', 'key.pem', 'client.pem', 'okvclient.ora', 'pykmip.conf', 'ssl/CA.pem', 'ssl/key.pem'])
    t.ok(existsSync(join(data, 'clients/default', name)), name)
  for (const name of ['root.key', 'kmipd.db', 'clients/default/key.pem', 'clients/default/client.pem'])
    t.equal(statSync(join(data, name)).mode & 0o777, 0o600, `${name} is for its owner alone`)
  const { kmip, metrics } = listeners()
  const [host, port] = kmip.split(':')
  t.match(server.out, `--kmipServerName ${host} --kmipPort ${port}`)
  t.match(server.out, join(data, 'clients/default/client.pem'))
  t.match(readFileSync(join(data, 'clients/default/okvclient.ora'), 'utf8'), `SERVER=${kmip}\n`)
  t.match(readFileSync(join(data, 'clients/default/pykmip.conf'), 'utf8'), `port=${port}\n`)
  t.equal((await fetch(`http://${metrics}/readyz`)).status, 200)
  t.match(await kmipd('client', 'create', '--name', 'first'), /^[0-9a-f-]{36}\n$/, 'the printed line works, with no option at all')
})

t.test('configure and show the listener', async t => {
  const address = `127.0.0.1:${await freePort()}`
  await kmipd('listener', 'write', `listen_addrs=${address}`, 'server_hostnames=kms.example.com,localhost')
  t.match(await json('listener', 'read'), {
    listen_addrs: [address],
    server_hostnames: ['kms.example.com', 'localhost'],
    tls_ca_key_type: 'ec',
    tls_ca_key_bits: 256,
    tls_min_version: 'tls12',
    default_tls_client_ttl: 1_209_600,
  })
  t.match(await kmipd('listener', 'read'), /^server_hostnames +kms\.example\.com, localhost$/m)
  await fails(['listener', 'write', 'listen_adrs=x:1'], /listen_adrs/)
  await fails(['listener', 'write', 'tls_ca_key_bits=300'], /256/)
})

t.test('retrieve the CA', async t => {
  const chain = await kmipd('ca', 'read')
  const certificates = chain.match(/-----BEGIN[\s\S]+?END CERTIFICATE-----/g)!.map(pem => new X509Certificate(pem))
  t.match(
    certificates.map(certificate => certificate.subject),
    [/^CN=(?!.*intermediate)/, /intermediate/],
    'the root first, for clients that read one certificate and need the root',
  )
  t.ok(certificates[1]!.verify(certificates[0]!.publicKey))
  t.equal(chain, readFileSync(join(data, 'clients/default/ca.pem'), 'utf8'))
})

t.test('scopes', async t => {
  await kmipd('scope', 'create', 'finance')
  await fails(['scope', 'create', 'finance'], /exists already/)
  t.equal(await kmipd('scope', 'list'), 'default\nfinance\n')
  t.same(await json('scope', 'list'), ['default', 'finance'])
  t.match(await json('scope', 'read', 'finance'), { name: 'finance', roles: 0, id: /^[0-9A-Za-z]{5}$/ })
})

t.test('roles', async t => {
  await fails(['role', 'write', 'finances', 'accounting', 'operation_all=true'], /no scope finances/)
  await kmipd('role', 'write', 'finance', 'accounting', 'operation_all=true')
  t.equal(await kmipd('role', 'list', 'finance'), 'accounting\n')
  t.same(await json('role', 'read', 'finance', 'accounting'), {
    operation_all: true,
    tls_client_key_bits: 0,
    tls_client_key_type: '',
    tls_client_ttl: 0,
  })
})

let serial = ''

t.test('credentials', async t => {
  await fails(['credential', 'generate', 'finance', 'accountin'], /no role accountin/)
  const made = await json('credential', 'generate', 'finance', 'accounting', '--format', 'pem')
  t.match(made, { ca_chain: [/BEGIN/, /BEGIN/], certificate: /^-----BEGIN CERT/, private_key: /BEGIN/, serial_number: /^\d+$/ })
  serial = String(made.serial_number)
  const certificate = new X509Certificate(String(made.certificate))
  const { id } = await json('scope', 'read', 'finance')
  t.match(certificate.subject, new RegExp(`^OU=${id}\nCN=[0-9A-Za-z]{5}$`))
  t.equal(BigInt(`0x${certificate.serialNumber}`).toString(), serial)
  t.equal(Math.round((Date.parse(certificate.validTo) - Date.now()) / 3_600_000), 336)

  t.match(await kmipd('credential', 'list', 'finance', 'accounting'), `${serial}  ends 2`)
  t.match(await json('credential', 'lookup', 'finance', 'accounting', serial), { serial_number: serial, certificate: made.certificate })

  const bundle = await kmipd('credential', 'generate', 'finance', 'accounting', '--format', 'pem_bundle')
  t.match(bundle.match(/BEGIN [A-Z ]+/g), [/PRIVATE KEY/, 'BEGIN CERTIFICATE', 'BEGIN CERTIFICATE', 'BEGIN CERTIFICATE'], 'one text')
  const der = await json('credential', 'generate', 'finance', 'accounting', '--format', 'der')
  t.ok(new X509Certificate(Buffer.from(String(der.certificate), 'base64')))
  await fails(['credential', 'generate', 'finance', 'accounting', '--format', 'der'], /--json/, 2)

  t.match(await kmipd('credential', 'generate', 'finance', 'accounting', '--out', 'accounting'), /client\.pem/)
  t.match(await kmipd(...client('accounting', 'create', '--name', 'ledger')), /^[0-9a-f-]{36}\n$/)
})

t.test('a request that the client made', async t => {
  const key = join(cwd, 'own-key.pem')
  execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key], { stdio: 'ignore' })
  execFileSync('openssl', ['req', '-new', '-key', key, '-subj', '/CN=whoever', '-out', join(cwd, 'own.csr')], { stdio: 'ignore' })
  const signed = await json('credential', 'sign', 'finance', 'accounting', '--csr', 'own.csr')
  t.notOk('private_key' in signed)
  t.notMatch(new X509Certificate(String(signed.certificate)).subject, 'whoever')
  await kmipd('credential', 'sign', 'finance', 'accounting', '--csr', 'own.csr', '--out', 'own')
  copyFileSync(key, join(cwd, 'own/key.pem'))
  t.match(await kmipd(...client('own', 'locate', '--name', 'ledger')), /^[0-9a-f-]{36}\n$/, 'it shares the objects of its scope')
  writeFileSync(join(cwd, 'no.csr'), 'nonsense')
  await fails(['credential', 'sign', 'finance', 'accounting', '--csr', 'no.csr'], /./)
})

t.test('a scope does not see the objects of another', async t => {
  t.equal(await kmipd(...client('kmipd-data/clients/default', 'locate', '--name', 'ledger')), '')
  const id = (await kmipd(...client('accounting', 'locate', '--name', 'ledger'))).trim()
  const other = await run(client('kmipd-data/clients/default', 'get', id), { cwd })
  const nowhere = await run(client('kmipd-data/clients/default', 'get', '00000000-0000-4000-8000-000000000000'), { cwd })
  t.match(other, { code: 1, err: /ItemNotFound/ })
  t.equal(other.err.replace(id, ''), nowhere.err.replace('00000000-0000-4000-8000-000000000000', ''), 'and cannot tell')
})

t.test('least privilege: a role is written while its clients are connected', async t => {
  const id = (await kmipd(...client('accounting', 'locate', '--name', 'ledger'))).trim()
  await kmipd('role', 'write', 'finance', 'accounting', 'operation_activate=true', 'operation_create=true', 'operation_get=true')
  t.match(await json('role', 'read', 'finance', 'accounting'), { operation_activate: true, operation_create: true, operation_get: true })
  t.notOk('operation_all' in (await json('role', 'read', 'finance', 'accounting')))
  await kmipd(...client('accounting', 'get', id))
  await kmipd(...client('accounting', 'activate', id))
  await fails(client('accounting', 'locate'), /PermissionDenied/)
  await fails(client('accounting', 'destroy', id), /PermissionDenied/)

  await fails(['role', 'write', 'finance', 'accounting', 'operation_all=true', 'operation_get=true'], /operation_all cannot be combined/)
  await fails(['role', 'write', 'finance', 'accounting', 'operation_gat=true'], /operation_gat/)
  await kmipd('role', 'update', 'finance', 'accounting', 'operation_get=false', 'operation_locate=true')
  await fails(client('accounting', 'get', id), /PermissionDenied/)
  await kmipd(...client('accounting', 'locate'))
})

/** A connection of a client, and when it was closed. */
async function open(dir: string): Promise<{ socket: TLSSocket; closed: Promise<number> }> {
  const [host, port] = listeners().kmip.split(':')
  const file = (name: string): Buffer => readFileSync(join(cwd, dir, name))
  const socket = connect({ host: host!, port: Number(port), ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') })
  socket.on('error', () => undefined)
  const closed = once(socket.resume(), 'close').then(() => Date.now())
  await once(socket, 'secureConnect')
  return { socket, closed }
}

t.test('revoke: by serial number and by certificate; open connections are cut within a second', async t => {
  await kmipd('credential', 'revoke', 'finance', 'accounting', serial)
  await fails(['credential', 'lookup', 'finance', 'accounting', serial], /no credential|there is no|not/)
  t.notMatch(await kmipd('credential', 'list', 'finance', 'accounting'), serial)

  await kmipd(...client('accounting', 'locate'))
  const { socket, closed } = await open('accounting')
  const before = await run(client('accounting', 'locate'), { cwd })
  t.equal(before.code, 0)
  t.equal(socket.destroyed, false)
  await kmipd('credential', 'revoke', 'finance', 'accounting', '--certificate', 'accounting/cert.pem')
  const revoked = Date.now()
  t.ok((await closed) - revoked < 1000, 'the open connection is closed')
  await fails(client('accounting', 'locate'), /closed/)
  await kmipd(...client('own', 'locate'))
})

t.test('delete the role, and the scope only by force while it holds objects', async t => {
  const { closed } = await open('own')
  await kmipd('role', 'delete', 'finance', 'accounting')
  await closed
  await fails(client('own', 'locate'), /closed/)
  t.equal(await kmipd('role', 'list', 'finance'), '')
  await fails(['scope', 'delete', 'finance'], /managed objects/)
  await kmipd('scope', 'delete', 'finance', '--force')
  t.equal(await kmipd('scope', 'list'), 'default\n')
  await fails(['role', 'list', 'finance'], /no scope finance/)
  await kmipd('scope', 'create', 'empty')
  await kmipd('scope', 'delete', 'empty')
})

t.test('a small client: every command of it', async t => {
  const me = (...argv: string[]): string[] => client('kmipd-data/clients/default', ...argv)
  t.match(await kmipd(...me('query')), /Operation \(Enumeration\): Create\n/)
  const { id } = await json(...me('create', '--name', 'k1', '--activate'))
  const key = String(id)
  const { material } = await json(...me('get', key))
  t.match(material, /^[0-9a-f]{64}$/)
  t.match(await kmipd(...me('get', key)), String(material))
  t.match(await kmipd(...me('attributes', key, 'State')), /AttributeValue \(Enumeration\): Active/)
  t.match(await json(...me('attributes', key, 'State', 'Name')), [
    { name: 'State', index: 0, value: 'Active' },
    { name: 'Name', index: 0 },
  ])
  writeFileSync(join(cwd, 'note.txt'), 'a note')
  for (const mode of ['GCM', 'CBC', 'CTR', 'ECB']) {
    writeFileSync(join(cwd, 'note.json'), await kmipd(...me('encrypt', key, 'note.txt', '--mode', mode)))
    t.equal(await kmipd(...me('decrypt', key, 'note.json')), 'a note', mode)
  }
  const secret = await run(me('register', '--secret', '--name', 'db'), { cwd, stdin: 'hunter2' })
  t.equal(await kmipd(...me('get', secret.out.trim(), '--raw')), 'hunter2')
  writeFileSync(join(cwd, 'key.bin'), Buffer.alloc(16, 7))
  const registered = (await kmipd(...me('register', 'key.bin', '--usage', 'Sign'))).trim()
  t.equal((await kmipd(...me('get', registered, '--raw'))).length, 16)
  t.equal((await kmipd(...me('locate', '--type', 'SymmetricKey', '--name', 'k1', '--state', 'Active'))).trim(), key)
  await fails(me('locate', '--state', 'Activ'), /nearest is Active/, 2)
  await fails(me('create', '--algorithm', 'AEZ'), /nearest is/, 2)
  await kmipd(...me('revoke', key, '--reason', 'KeyCompromise'))
  await kmipd(...me('destroy', key))
  await fails(me('get', key), /./)
})

t.test('reload: a wrong configuration does not end the server, a right one counts', async t => {
  writeFileSync(join(data, 'kmipd.yaml'), `${QUIET}kmip:\n  idel: 1h\n`)
  server.reload()
  writeFileSync(join(data, 'kmipd.yaml'), `${QUIET}kmip:\n  serverHostnames: [reloaded.example.com]\n`)
  server.reload()
  const shown = await t.resolves(untilServed('reloaded.example.com'))
  t.ok(shown !== false)
  t.equal((await run(client('kmipd-data/clients/default', 'locate'), { cwd })).code, 0)
  await fails(['listener', 'write', 'server_hostnames=x'], /configuration file sets server_hostnames/, 2)

  /** Connect until the certificate has the name: a reload says nothing when it is done. */
  async function untilServed(name: string): Promise<void> {
    for (;;) {
      const { socket, closed } = await open('kmipd-data/clients/default')
      const { subjectaltname = '' } = socket.getPeerCertificate()
      socket.end()
      await closed
      if (subjectaltname.includes(name)) return
      await sleep(20)
    }
  }
})

t.test('a second start keeps what the first one made; --ephemeral keeps nothing', async t => {
  const before = readFileSync(join(data, 'clients/default/cert.pem'), 'utf8')
  const first = (await kmipd('client', 'locate', '--name', 'first')).trim()
  t.equal(await server.stop(), 0, 'it stops with 0')
  const second = await start(['dev', '--kmip-address', '127.0.0.1:0'], cwd)
  t.equal(readFileSync(join(data, 'clients/default/cert.pem'), 'utf8'), before)
  t.equal((await kmipd('client', 'locate', '--name', 'first')).trim(), first)
  await second.stop()

  await kmipd('credential', 'revoke', 'default', 'all', '--certificate', 'kmipd-data/clients/default/cert.pem')
  const third = await start(['dev', '--kmip-address', '127.0.0.1:0'], cwd)
  t.not(readFileSync(join(data, 'clients/default/cert.pem'), 'utf8'), before, 'a credential that is no good is replaced')
  await kmipd('client', 'locate')
  await third.stop()

  const dir = join(cwd, 'gone')
  const ephemeral = await start(['dev', '--ephemeral', '--kmip-address', '127.0.0.1:0', '--data-dir', dir], cwd)
  await kmipd('client', 'create', '--client', 'gone/clients/default')
  await ephemeral.stop()
  t.notOk(existsSync(join(dir, 'kmipd.db')))
  t.notOk(existsSync(join(dir, 'root.key')))
  await fails(['scope', 'list', '--data-dir', dir], /kmipd init/, 2)
})
