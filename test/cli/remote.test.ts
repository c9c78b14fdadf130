import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run, start } from './run.ts'

t.test('a server on the network is administered by the same commands', async t => {
  const dir = t.testdir({})
  const server = await start(['dev', '--data-dir', 'data', '--kmip-address', '127.0.0.1:0'], dir)
  t.teardown(() => server.stop())
  const { admin } = JSON.parse(readFileSync(join(dir, 'data', 'listeners.json'), 'utf8'))
  const root = readFileSync(join(dir, 'data', 'root-token'), 'utf8').trim()
  const as = (token: string | undefined, ...argv: string[]) =>
    run(argv, { cwd: dir, env: { KMIPD_ADDR: admin, HOME: dir, ...(token !== undefined && { KMIPD_TOKEN: token }) } })
  const command = (...argv: string[]) => as(root, ...argv)
  const json = async (...argv: string[]) => {
    const { code, out, err } = await command(...argv)
    if (code !== 0) throw new Error(err)
    return JSON.parse(out)
  }

  t.match(await command('scope', 'create', 'finance', '--force'), {
    code: 0,
    out: /^scope finance is made; its certificates have OU=\w{5}\n$/,
  })
  t.match(await command('scope', 'create', 'finance'), { code: 1, err: /scope finance exists already/ })
  t.same(await json('scope', 'list'), ['default', 'finance'])
  t.match(await json('scope', 'read', 'finance'), { name: 'finance', roles: 0, force: true, objects: 0 })
  t.match(await command('role', 'write', 'finance', 'accounting', 'operation_all=true', 'tls_client_ttl=1h'), { code: 0 })
  t.match(await command('role', 'write', 'finance', 'accounting', 'operation_al=true'), {
    code: 2,
    err: /operation_al: no field of a role/,
  })
  t.match(await command('role', 'write', 'finance', 'accounting', 'operation_create_keypair=true'), { code: 0 }, 'the older spelling')
  t.match(await command('role', 'write', 'finance', 'accounting', 'operation_all=true'), { code: 0 })
  t.match(await command('listener', 'write', 'server_hostname=a'), { code: 2, err: /server_hostname: no field of the listener/ })
  t.match(await json('role', 'read', 'finance', 'accounting'), { operation_all: true, tls_client_ttl: 3600 })
  t.same(await json('role', 'list', 'finance'), ['accounting'])
  t.match(await command('role', 'read', 'finance', 'nobody'), { code: 1, err: /there is no role nobody in scope finance/ })

  const made = await json('credential', 'generate', 'finance', 'accounting', '--json')
  t.match(made, { private_key: /BEGIN EC PRIVATE KEY/, ca_chain: { length: 2 } })
  t.match(await command('credential', 'generate', 'finance', 'accounting', '--out', 'client'), { code: 0, out: /client.pem/ })
  t.equal(readFileSync(join(dir, 'client', 'ca.pem'), 'utf8'), `${made.ca_chain.toReversed().join('\n')}\n`, 'the root first')
  const listed = await json('credential', 'list', 'finance', 'accounting')
  t.match(listed, [{ serial_number: made.serial_number, ends: /^20\d\d-/ }, {}])
  t.match(await command('credential', 'lookup', 'finance', 'accounting', made.serial_number), { code: 0, out: /BEGIN CERTIFICATE/ })
  t.match(await command('credential', 'revoke', 'finance', 'accounting', made.serial_number), { code: 0 })
  t.match(await command('credential', 'lookup', 'finance', 'accounting', made.serial_number), { code: 1 })
  t.match(await command('ca', 'read'), { code: 0, out: /^-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\n$/ })
  t.match(await command('ca', 'crl'), { code: 0, out: /^-----BEGIN X509 CRL-----[\s\S]+-----END X509 CRL-----\n$/ })
  t.match(await command('ca', 'crl', 'none'), { code: 1, err: 'kmipd: there is no CA none\n' })
  t.match(await command('listener', 'write', 'server_hostnames=kms.example.com'), { code: 0 })
  t.match(await json('listener', 'read'), { server_hostnames: ['kms.example.com'] })

  writeFileSync(join(dir, 'finance.hcl'), 'path "kmip/scope/finance/role/+" { capabilities = ["read"] }')
  t.match(await command('policy', 'write', 'finance', 'finance.hcl'), { code: 0 })
  t.same(await json('policy', 'list'), ['default', 'finance', 'root'])
  t.match(await command('policy', 'read', 'finance'), { code: 0, out: /capabilities = \["read"\]/ })
  writeFileSync(join(dir, 'wrong.hcl'), 'path "a" { capabilities = ["raed"] }')
  t.match(await command('policy', 'write', 'finance', 'wrong.hcl'), { code: 1, err: /invalid capability "raed" in capabilities on line 1/ })
  const child = await json('token', 'create', '--policy', 'finance', '--ttl', '1h', '--name', 'ci')
  t.match(child, { token: /^hvs\./, policies: ['default', 'finance'], lease_duration: 3600 })
  t.match(await as(child.token, 'role', 'read', 'finance', 'accounting'), { code: 0 })
  t.match(await as(child.token, 'scope', 'list'), { code: 1, err: 'kmipd: permission denied\n' })
  t.same(JSON.parse((await as(child.token, 'token', 'capabilities', 'kmip/scope/finance/role/x')).out), ['read'])
  t.match(JSON.parse((await as(child.token, 'token', 'lookup')).out), { display_name: 'token-ci' })
  t.match(await json('token', 'lookup', '--accessor', child.accessor), { display_name: 'token-ci' })
  t.match(JSON.parse((await as(child.token, 'token', 'renew', '--increment', '30m')).out), { lease_duration: 1800 })
  t.match(await command('token', 'revoke', '--accessor', child.accessor), { code: 0 })
  t.match(await command('token', 'revoke', '--accessor', child.accessor), { code: 1, err: /nothing was revoked/ }, 'it was already')
  t.match(await as(child.token, 'token', 'lookup'), { code: 1, err: /invalid token/ })
  t.match(await command('token', 'revoke'), { code: 2 })
  t.match(await command('policy', 'delete', 'finance'), { code: 0 })
  t.match(await command('policy', 'read', 'finance'), { code: 1, err: /there is no policy finance/ })

  t.match(await as(undefined, 'scope', 'list'), { code: 2, err: /there is no token/ })
  writeFileSync(join(dir, '.vault-token'), `${root}\n`)
  t.match(await as(undefined, 'scope', 'list'), { code: 0 })
  t.match(await command('role', 'delete', 'finance', 'accounting'), { code: 0 })
  t.match(await command('scope', 'delete', 'finance'), { code: 0 })
  t.match(await command('scope', 'delete', 'finance'), { code: 1, err: /there is no scope finance/ })
  t.match(await command('scope', 'list', '--data-dir', 'data'), { code: 0, out: 'default\n' }, 'the data go before the environment')
  t.match(await run(['scope', 'list', '--address', 'nonsense'], { cwd: dir, env: { KMIPD_TOKEN: root } }), {
    code: 2,
    err: /is no address/,
  })
  t.match(await run(['scope', 'list', '--address', admin], { cwd: dir, env: { KMIPD_TOKEN: root, VAULT_SKIP_VERIFY: '1' } }), { code: 2 })
  t.match(await run(['scope', 'list', '--address', 'http://127.0.0.1:1'], { cwd: dir, env: { KMIPD_TOKEN: root } }), {
    code: 1,
    err: /127\.0\.0\.1:1/,
  })

  const verified = await run(['audit', 'verify', '--data-dir', 'data'], { cwd: dir })
  t.match(verified, { code: 0, out: / 0 problems\n$/ }, 'what was asked is on record, and linked')
  t.notMatch(readFileSync(join(dir, 'data', 'audit.log'), 'utf8'), new RegExp(root))
})

t.test('completion', async t => {
  t.match(await run(['completion'], { cwd: t.testdirName }), { code: 0, out: /###-begin-kmipd-completions-###/ })
  const { out } = await run(['--get-yargs-completions', 'kmipd', 'scope', ''], { cwd: t.testdirName })
  for (const word of ['create', 'list', 'read', 'delete']) t.match(out, word)
})
