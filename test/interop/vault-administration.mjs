// The real command line of Vault administers kmipd by tokens: policies, child tokens, AppRole, passwords, wrapping, objects, limits and the
// trace; and `kmipd audit verify` finds that all of it is on record.
// usage: node vault-administration.mjs <vault program>
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServer, tally } from './vault-server.mjs'

const [vault] = process.argv.slice(2)
if (!vault) throw new Error('say where the vault program is')
const MAIN = new URL('../../dist/cli/main.js', import.meta.url).pathname
const { check, end } = tally()
const server = await startServer()
const home = mkdtempSync(join(tmpdir(), 'vault-home-'))

function run(program, args, token) {
  const env = { PATH: process.env.PATH, HOME: home, VAULT_ADDR: server.address, VAULT_TOKEN: token, VAULT_CLI_NO_COLOR: '1' }
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env, cwd: home, timeout: 60_000 })
  return { status, out: stdout.trim(), err: stderr.trim() }
}
const as = (token, line) => run(vault, line.split(' '), token)
const root = line => as(server.token, line)
const kmipd = (...args) => run(process.execPath, [MAIN, ...args], server.token)

/** A command that must end so, and print what fits. */
function expect(name, { status, out, err }, wanted, ...patterns) {
  const lost = patterns.find(pattern => !pattern.test(out) && !pattern.test(err))
  const problem = status !== wanted ? `exit code ${status}: ${err}` : lost && `${lost} is not in ${JSON.stringify(`${out}\n${err}`)}`
  check(name, problem)
}

try {
  writeFileSync(
    join(home, 'reader.hcl'),
    'path "kmip/scope/default/role/+" { capabilities = ["read"] }\npath "kmip/scope/default/role" { capabilities = ["list"] }',
  )
  writeFileSync(join(home, 'wrong.hcl'), 'path "a" {\n  capabilities = ["raed"]\n}')
  expect('a policy is written', root('policy write reader reader.hcl'), 0, /Uploaded policy: reader/)
  expect(
    'a wrong one is refused, with its line',
    root('policy write wrong wrong.hcl'),
    2,
    /invalid capability "raed" in capabilities on line 2/,
  )
  expect('policies are listed', root('policy list'), 0, /default\nreader\nroot/)
  const child = root('token create -policy=reader -ttl=1h -field=token')
  expect('a child token', child, 0, /^hvs\./)
  expect('it may what its policy says', as(child.out, 'list kmip/scope/default/role'), 0, /all/)
  expect('and nothing else', as(child.out, 'list kmip/scope'), 2, /Code: 403/, /permission denied/)
  expect('it can tell what it may', as(child.out, 'token capabilities kmip/scope/default/role/all'), 0, /^read$/)
  expect('it is renewed', as(child.out, 'token renew -increment=2h'), 0, /token_duration\s+2h/)
  expect('it is revoked', root(`token revoke ${child.out}`), 0)
  expect('and good for nothing then', as(child.out, 'token lookup'), 2, /invalid token/)

  expect('AppRole is enabled', root('auth enable approle'), 0)
  expect('a role', root('write auth/approle/role/ci token_policies=reader secret_id_num_uses=1'), 0)
  const roleId = root('read -field=role_id auth/approle/role/ci/role-id').out
  const wrapped = root('write -wrap-ttl=60s -field=wrapping_token -f auth/approle/role/ci/secret-id')
  expect('its secret-id comes wrapped', wrapped, 0, /^hvs\./)
  const secretId = root(`unwrap -field=secret_id ${wrapped.out}`)
  expect('it is unwrapped', secretId, 0, /^[0-9a-f-]{36}$/)
  expect('once', root(`unwrap ${wrapped.out}`), 2, /not valid or does not exist/)
  const login = root(`write -field=token auth/approle/login role_id=${roleId} secret_id=${secretId.out}`)
  expect('a login', login, 0, /^hvs\./)
  expect('its token', as(login.out, 'read kmip/scope/default/role/all'), 0, /operation_all\s+true/)
  expect(
    'no second login with one use',
    root(`write auth/approle/login role_id=${roleId} secret_id=${secretId.out}`),
    2,
    /invalid role or secret ID/,
  )
  expect('ways to log in', root('auth list'), 0, /approle\//, /token\//)
  expect('AppRole is disabled', root('auth disable approle'), 0)
  expect('and its tokens are gone', as(login.out, 'token lookup'), 2, /invalid token/)
  expect('passwords', root('auth enable userpass'), 0)
  expect('a user', root('write auth/userpass/users/ann password=correct-horse-battery policies=reader'), 0)
  expect('logs in', as('', 'login -method=userpass username=ann password=correct-horse-battery'), 0, /now authenticated/)

  const made = kmipd('client', 'create', '--name', 'backup', '--client', join(server.dir, 'clients', 'default'), '--server', server.kmip)
  expect('a client makes a key', made, 0, /^[0-9a-f-]{36}$/)
  const at = `kmip/scope/default/object/${made.out}`
  expect('administrators see it', root('list kmip/scope/default/object'), 0, new RegExp(made.out))
  expect('and its attributes', root(`read ${at}`), 0, /state\s+Pre-Active/, /cryptographic_algorithm:AES/)
  expect('they revoke it', root(`write ${at}/revoke reason=KeyCompromise`), 0)
  expect('not destroy it by mistake', root(`delete ${at}`), 2, /repeat its identifier/)
  expect('but when they say it twice', root(`delete ${at} confirm=${made.out}`), 0)
  expect('what was done is known', root(`read ${at}/history`), 0, /operation:Destroy/, /operation:Revoke/, /operation:Create/)
  expect('refused requests are traced', root('write kmip/scope/default/trace duration=1h'), 0)
  expect('a quota', root('write kmip/scope/default/limits max_objects=1'), 0)
  expect(
    'is kept',
    kmipd('client', 'create', '--client', join(server.dir, 'clients', 'default'), '--server', server.kmip),
    1,
    /may have 1 objects/,
  )
  expect('and told', root('read -format=json kmip/scope/default/trace'), 0, /may have 1 objects/, /Operation \(Enumeration\): Create/)
  expect('all is on record, and linked', kmipd('audit', 'verify', '--data-dir', server.dir), 0, / 0 problems/)
  const log = readFileSync(join(server.dir, 'audit.log'), 'utf8')
  const secrets = [server.token, child.out, login.out, wrapped.out, secretId.out, roleId, 'correct-horse-battery']
  check('and nothing secret', secrets.some(secret => log.includes(secret)) ? 'a secret stands in the audit log' : undefined)
} finally {
  await server.stop()
  rmSync(home, { recursive: true, force: true })
}
end()
