import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { namesIn } from '../../src/admin/auth/certificate-check.ts'
import { issueClient, makeAuthority } from '../../src/pki/authority.ts'
import { generateKey, spkiOf } from '../../src/pki/keys.ts'
import { encodeName } from '../../src/pki/name.ts'
import { authOf, identityLab, START, tokenOf, wrapOf } from './identity-lab.ts'

const DAY_MS = 86_400_000

t.test('ways to log in come and go', async t => {
  const { ask, as } = await identityLab()
  t.match((await ask('GET', 'sys/auth')).body, { data: { 'token/': { type: 'token' } }, 'token/': { type: 'token' } })
  t.match(await ask('POST', 'sys/auth/apps/ci', { type: 'approle', description: 'CI', config: { max_lease_ttl: '1h' } }), { status: 204 })
  t.match((await ask('GET', 'sys/auth')).body.data, { 'apps/ci/': { type: 'approle', description: 'CI', config: { max_lease_ttl: 3600 } } })
  t.match(await ask('POST', 'sys/auth/apps', { type: 'cert' }), { status: 400, body: { errors: ['path is already in use at apps/ci/'] } })
  t.match(await ask('POST', 'sys/auth/apps/ci/x', { type: 'cert' }), {
    status: 400,
    body: { errors: ['path is already in use at apps/ci/'] },
  })
  t.match((await ask('POST', 'sys/auth/x', { type: 'ldap' })).body.errors, ['plugin not found in the catalog: ldap'])
  t.match(await ask('POST', 'sys/auth/apps/ci/tune', { default_lease_ttl: '30m' }), { status: 204 })
  t.match((await ask('GET', 'sys/mounts/auth/apps/ci/tune')).body.data, { default_lease_ttl: 1800, max_lease_ttl: 3600, description: 'CI' })
  await ask('POST', 'auth/apps/ci/role/long', {
    bind_secret_id: false,
    token_bound_cidrs: '127.0.0.1',
    token_ttl: '5h',
    token_max_ttl: '9h',
  })
  const long = (await ask('GET', 'auth/apps/ci/role/long/role-id')).body.data.role_id
  const logIn = () => as('', 'POST', 'auth/apps/ci/login', { role_id: long })
  t.match(authOf(await logIn()), { lease_duration: 3600 }, 'a role lifts no bound of the way to log in')
  await ask('POST', 'auth/apps/ci/role/long', { token_period: '5h' })
  const periodic = await logIn()
  t.match(authOf(periodic), { lease_duration: 3600 }, 'nor does a period')
  t.match(authOf(await as(tokenOf(periodic), 'POST', 'auth/token/renew-self')), { lease_duration: 3600 })
  await ask('POST', 'sys/mounts/auth/apps/ci/tune', { max_lease_ttl: '9000h' })
  await ask('POST', 'auth/apps/ci/role/long', { token_period: 0, token_ttl: '1000h', token_max_ttl: 0 })
  const year = await logIn()
  t.match(authOf(year), { lease_duration: 3_600_000 }, 'which may lift that of the system')
  t.match(authOf(await as(tokenOf(year), 'POST', 'auth/token/renew-self', { increment: '8000h' })), { lease_duration: 28_800_000 })
  await ask('POST', 'sys/mounts/auth/apps/ci/tune', { max_lease_ttl: '1h' })
  await ask('DELETE', 'auth/apps/ci/role/long')
  t.match(await ask('POST', 'sys/mounts/auth/apps/ci/tune', { default_lease_ttl: '', max_lease_ttl: '', description: 'CI' }), {
    status: 204,
  })
  t.match(
    (await ask('GET', 'sys/auth/apps/ci/tune')).body.data,
    { default_lease_ttl: 1800, max_lease_ttl: 3600 },
    'an empty text leaves alone',
  )
  t.match(await ask('POST', 'sys/auth/apps/ci/tune', { max_lease_ttl: 'system' }), { status: 204 })
  t.match((await ask('GET', 'sys/auth/apps/ci/tune')).body.data, { default_lease_ttl: 1800, max_lease_ttl: 2_764_800 })
  t.match(await ask('POST', 'sys/auth/apps/ci/tune', { max_lease_ttl: '-5' }), { status: 400 })
  t.match(await ask('POST', 'sys/auth/apps/ci/tune', { max_lease_ttl: '1h' }), { status: 204 })
  await ask('PUT', 'sys/policies/acl/tuner', { policy: 'path "sys/auth/*" { capabilities = ["read", "update"] }' })
  const tuner = tokenOf(await ask('POST', 'auth/token/create', { policies: 'tuner' }))
  t.match(await as(tuner, 'POST', 'sys/auth/apps/ci/tune', { max_lease_ttl: '2h' }), { status: 403 }, 'that needs sudo')
  t.match(await ask('POST', 'sys/auth/nope/tune', { default_lease_ttl: '30m' }), { status: 400 })

  await ask('POST', 'auth/apps/ci/role/r', { bind_secret_id: false, token_bound_cidrs: '127.0.0.1' })
  const { role_id } = (await ask('GET', 'auth/apps/ci/role/r/role-id')).body.data
  const login = await as('', 'POST', 'auth/apps/ci/login', { role_id })
  t.match(authOf(login), { lease_duration: 1800, policies: ['default'], orphan: true })
  t.match(await as(tokenOf(login), 'GET', 'auth/token/lookup-self'), { status: 200, body: { data: { display_name: 'apps-ci' } } })
  t.match(await ask('DELETE', 'sys/auth/apps/ci'), { status: 204 })
  t.match(await as(tokenOf(login), 'GET', 'auth/token/lookup-self'), { status: 403 }, 'with the tokens that it gave')
  t.match(await as('', 'POST', 'auth/apps/ci/login', { role_id }), { status: 403 })
  await ask('POST', 'sys/auth/apps/ci', { type: 'approle' })
  t.match(await ask('GET', 'auth/apps/ci/role/r'), { status: 404 }, 'and with all that it kept')
  t.match(await ask('DELETE', 'sys/auth/token'), { status: 400 })
})

t.test('AppRole', async t => {
  const { ask, as, clock } = await identityLab()
  await ask('POST', 'sys/auth/approle', { type: 'approle' })
  const role = { token_policies: 'app', secret_id_num_uses: 2, secret_id_ttl: '1h', token_ttl: '10m', token_max_ttl: '20m' }
  t.match(await ask('POST', 'auth/approle/role/App', role), { status: 204 })
  t.match((await ask('GET', 'auth/approle/role/app')).body.data, {
    ...{ token_policies: ['app'], secret_id_num_uses: 2, secret_id_ttl: 3600, token_ttl: 600, bind_secret_id: true, token_type: 'default' },
  })
  t.same((await ask('LIST', 'auth/approle/role')).body.data, { keys: ['app'] })
  const { role_id } = (await ask('GET', 'auth/approle/role/app/role-id')).body.data
  const secret = await ask('POST', 'auth/approle/role/app/secret-id', { metadata: { build: '7' } })
  t.match(secret.body.data, { secret_id_num_uses: 2, secret_id_ttl: 3600 })
  const { secret_id, secret_id_accessor } = secret.body.data
  const login = (body: unknown, more = {}) => as('', 'POST', 'auth/approle/login', body, more)
  const first = await login({ role_id, secret_id })
  t.match(authOf(first), {
    ...{ policies: ['app', 'default'], lease_duration: 600, renewable: true, orphan: true },
    metadata: { role_name: 'app', build: '7' },
  })
  t.match((await ask('POST', 'auth/approle/role/app/secret-id/lookup', { secret_id })).body.data, {
    secret_id_num_uses: 1,
    secret_id_accessor,
  })
  t.same((await ask('LIST', 'auth/approle/role/app/secret-id')).body.data, { keys: [secret_id_accessor] })
  const together = await Promise.all(Array.from({ length: 5 }, () => login({ role_id, secret_id })))
  t.equal(together.filter(({ status }) => status === 200).length, 1, 'one use was left')
  clock.ms += 61_000
  t.match(await login({ role_id, secret_id: 'nonsense' }), { status: 400, body: { errors: ['invalid role or secret ID'] } })
  t.match(await login({ role_id: 'nonsense', secret_id }), { status: 400, body: { errors: ['invalid role or secret ID'] } })
  t.match(await login({ role_id }), { status: 400, body: { errors: ['missing secret_id'] } })

  const late = (await ask('POST', 'auth/approle/role/app/secret-id', {})).body.data.secret_id
  clock.ms += 3_600_000
  t.match(await login({ role_id, secret_id: late }), { status: 400 })
  const bound = (await ask('POST', 'auth/approle/role/app/secret-id', { cidr_list: '10.0.0.0/8', token_bound_cidrs: '10.1.0.0/16' })).body
    .data
  t.match(await login({ role_id, secret_id: bound.secret_id }), { status: 400 })
  const inside = await login({ role_id, secret_id: bound.secret_id }, { remoteAddress: '10.9.9.9' })
  t.match((await as(tokenOf(inside), 'GET', 'auth/token/lookup-self', undefined, { remoteAddress: '10.9.9.9' })).status, 403)
  t.match((await as(tokenOf(inside), 'GET', 'auth/token/lookup-self', undefined, { remoteAddress: '10.1.9.9' })).status, 200)

  const own = { secret_id: 'a-secret-of-our-own' }
  t.match((await ask('POST', 'auth/approle/role/app/custom-secret-id', { ...own, num_uses: 2 })).body.data, {
    ...own,
    secret_id_num_uses: 2,
  })
  t.match(await login({ role_id, ...own }), { status: 200 })
  t.match(await ask('POST', 'auth/approle/role/app/secret-id/destroy', own), { status: 204 })
  t.match(await login({ role_id, ...own }), { status: 400 })
  t.match(await ask('POST', 'auth/approle/role/app/secret-id-accessor/destroy', { secret_id_accessor: bound.secret_id_accessor }), {
    status: 204,
  })
  t.match(await ask('POST', 'auth/approle/role/app/secret-id-accessor/lookup', { secret_id_accessor: bound.secret_id_accessor }), {
    status: 404,
  })

  const wrapped = wrapOf(await ask('POST', 'auth/approle/role/app/secret-id', {}, { wrap: '60s' }))
  const unwrapped = (await as('', 'POST', 'sys/wrapping/unwrap', { token: wrapped.token })).body.data
  t.match(await login({ role_id, secret_id: unwrapped.secret_id }), { status: 200 }, 'the secret-id comes wrapped')
  await ask('POST', 'auth/approle/role/app/role-id', { role_id: 'app-role-id' })
  const again = (await ask('POST', 'auth/approle/role/app/secret-id', {})).body.data.secret_id
  t.match(
    [await login({ role_id, secret_id: again }), await login({ role_id: 'app-role-id', secret_id: again })],
    [{ status: 400 }, { status: 200 }],
  )
  await ask('DELETE', 'auth/approle/role/app')
  t.match(await login({ role_id: 'app-role-id', secret_id: again }), { status: 400 })

  const WRONG: readonly (readonly [body: unknown, message: RegExp])[] = [
    [{ token_policies: 'root' }, /cannot be given by a login/],
    [{ bind_secret_id: false }, /at least one constraint/],
    [{ token_ttl: '2h', token_max_ttl: '1h' }, /should not be greater/],
    [{ token_type: 'batch' }, /only service tokens/],
    [{ secret_id_bound_cidrs: 'x' }, /neither an address nor a block/],
  ]
  for (const [body, message] of WRONG) t.match(await ask('POST', 'auth/approle/role/w', body), { status: 400, body: { errors: [message] } })
})

t.test('a secret-id is bound by what its role says', async t => {
  const { ask, as } = await identityLab()
  await ask('POST', 'sys/auth/approle', { type: 'approle' })
  const bounds = { secret_id_num_uses: 2, secret_id_ttl: '1h', bound_cidr_list: '10.0.0.0/8', token_bound_cidrs: '10.1.0.0/16' }
  t.match(await ask('POST', 'auth/approle/role/app', bounds), { status: 204 })
  t.match((await ask('GET', 'auth/approle/role/app')).body.data, { secret_id_bound_cidrs: ['10.0.0.0/8'] }, 'by its older name')
  const CASES: readonly (readonly [body: unknown, status: number])[] = [
    [{ num_uses: 3 }, 400],
    [{ num_uses: 0 }, 400],
    [{ num_uses: 1 }, 200],
    [{ ttl: '2h' }, 400],
    [{ ttl: 0 }, 400],
    [{ ttl: '1h' }, 200],
    [{ cidr_list: '0.0.0.0/0' }, 400],
    [{ cidr_list: '10.0.0.0/7' }, 400],
    [{ cidr_list: '10.2.3.4' }, 200],
    [{ token_bound_cidrs: '10.0.0.0/8' }, 400],
    [{ token_bound_cidrs: '10.1.2.0/24,11.0.0.1' }, 400],
    [{ token_bound_cidrs: '::/0' }, 400],
    [{ token_bound_cidrs: '10.1.2.0/24' }, 200],
  ]
  for (const [body, status] of CASES) t.match(await ask('POST', 'auth/approle/role/app/secret-id', body), { status }, JSON.stringify(body))

  const { role_id } = (await ask('GET', 'auth/approle/role/app/role-id')).body.data
  const { secret_id } = (await ask('POST', 'auth/approle/role/app/secret-id', { token_bound_cidrs: '10.1.2.0/24' })).body.data
  await ask('POST', 'auth/approle/role/app', { token_bound_cidrs: '10.1.3.0/24' })
  const near = { remoteAddress: '10.1.3.3' }
  const token = tokenOf(await as('', 'POST', 'auth/approle/login', { role_id, secret_id }, near))
  t.match(await as(token, 'GET', 'auth/token/lookup-self', undefined, near), { status: 200 })
  t.match(
    await as(token, 'GET', 'auth/token/lookup-self', undefined, { remoteAddress: '10.1.2.2' }),
    { status: 403 },
    'the role is tighter now',
  )
})

t.test('a login is renewed as its user or role says today', async t => {
  const { ask, as, clock } = await identityLab()
  await ask('POST', 'sys/auth/approle', { type: 'approle' })
  await ask('POST', 'sys/auth/userpass', { type: 'userpass' })
  const renew = (token: string, increment?: string) => as(token, 'POST', 'auth/token/renew-self', { increment })
  await ask('POST', 'auth/approle/role/app', { token_ttl: '10m', token_max_ttl: '20m' })
  const { role_id } = (await ask('GET', 'auth/approle/role/app/role-id')).body.data
  const secret = async () => (await ask('POST', 'auth/approle/role/app/secret-id', {})).body.data.secret_id
  const logIn = async () => tokenOf(await as('', 'POST', 'auth/approle/login', { role_id, secret_id: await secret() }))
  const app = await logIn()
  const longer = await renew(app, '10h')
  t.match([authOf(longer).lease_duration, longer.body.warnings], [1200, [/exceeded the effective max_ttl/]])
  clock.ms += 900_000
  t.match(authOf(await renew(app)), { lease_duration: 300 }, 'from its making on')
  await ask('POST', 'auth/approle/role/app', { token_max_ttl: '10m' })
  t.match(await renew(app), { status: 400, body: { errors: ['past the max TTL, cannot renew'] } })
  await ask('POST', 'auth/approle/role/app', { token_period: '5m' })
  const periodic = await logIn()
  t.match(authOf(await renew(periodic, '10h')), { lease_duration: 300 })
  await ask('DELETE', 'auth/approle/role/app')
  t.match(await renew(periodic), { status: 400, body: { errors: [/role "app" does not exist during renewal/] } })

  const password = 'correct horse battery'
  await ask('POST', 'auth/userpass/users/ann', { password, policies: 'a,b', ttl: '10m', max_ttl: '1h', bound_cidrs: '127.0.0.1' })
  t.match((await ask('GET', 'auth/userpass/users/ann')).body.data, {
    ...{ token_policies: ['a', 'b'], token_ttl: 600, token_max_ttl: 3600, token_bound_cidrs: ['127.0.0.1'] },
  })
  const ann = tokenOf(await as('', 'POST', 'auth/userpass/login/ANN', { password }))
  t.match(authOf(await renew(ann)), { lease_duration: 600 })
  t.match(await ask('POST', 'auth/userpass/users/ann/policies', { token_policies: 'a' }), { status: 204 })
  t.match(await renew(ann), { status: 400, body: { errors: [/policies have changed, not renewing/] } })
  t.match(await ask('POST', 'auth/userpass/users/nobody/policies', { token_policies: 'a' }), { status: 400 })
  await ask('DELETE', 'auth/userpass/users/ann')
  t.match(await renew(ann), { status: 400, body: { errors: [/user "ann" does not exist/] } })
})

t.test('passwords, and too many wrong ones', async t => {
  const { ask, as, clock } = await identityLab()
  await ask('POST', 'sys/auth/userpass', { type: 'userpass' })
  t.match(await ask('POST', 'auth/userpass/users/Ann', { password: 'short' }), { status: 400 })
  t.match(await ask('POST', 'auth/userpass/users/Ann', { token_policies: 'a' }), { status: 400, body: { errors: ['missing password'] } })
  t.match(await ask('POST', 'auth/userpass/users/Ann', { password: 'correct horse battery', policies: 'a' }), { status: 204 })
  t.match((await ask('GET', 'auth/userpass/users/ann')).body.data, { token_policies: ['a'] })
  t.notMatch((await ask('GET', 'auth/userpass/users/ann')).body.data, { hash: /./ })
  const login = (user: string, password: string, remoteAddress = '10.0.0.1') =>
    as('', 'PUT', `auth/userpass/login/${user}`, { password }, { remoteAddress })
  t.match(authOf(await login('ANN', 'correct horse battery')), { policies: ['a', 'default'], metadata: { username: 'ann' } })
  t.match(await login('bob', 'correct horse battery'), { status: 400, body: { errors: ['invalid username or password'] } })
  for (let i = 0; i < 10; i++) await login('ann', 'wrong', `10.0.1.${i}`)
  t.match(await login('ann', 'correct horse battery'), { status: 429 }, 'not even the right one now')
  clock.ms += 60_000
  t.match(await login('ann', 'correct horse battery'), { status: 200 })
  await ask('POST', 'auth/userpass/users/ann/password', { password: 'another long password' })
  t.match([await login('ann', 'correct horse battery'), await login('ann', 'another long password')], [{ status: 400 }, { status: 200 }])
  await ask('DELETE', 'auth/userpass/users/ann')
  t.match(await login('ann', 'another long password'), { status: 400 })
})

t.test('what a policy says of a name holds for every spelling of it', async t => {
  const { ask, as } = await identityLab()
  await ask('POST', 'sys/auth/approle', { type: 'approle' })
  await ask('POST', 'auth/approle/role/admin', {})
  await ask('POST', 'auth/approle/role/App', {})
  const policy = `path "auth/approle/role/+/secret-id" { capabilities = ["update"] }
    path "auth/approle/role/admin/secret-id" { capabilities = ["deny"] }
    path "auth/approle/role/app/secret-id" { capabilities = ["update"] allowed_parameters = { ttl = ["60"] } }
    path "sys/policies/acl/*" { capabilities = ["update", "read"] }
    path "sys/policies/acl/maker" { capabilities = ["read"] }`
  await ask('PUT', 'sys/policies/acl/maker', { policy })
  const maker = tokenOf(await ask('POST', 'auth/token/create', { policies: 'maker' }))
  const CASES: readonly (readonly [path: string, body: unknown, status: number])[] = [
    ['auth/approle/role/admin/secret-id', {}, 403],
    ['auth/approle/role/ADMIN/secret-id', {}, 403],
    ['auth/approle/role/APP/secret-id', { ttl: '61' }, 403],
    ['auth/approle/role/APP/secret-id', { ttl: '60' }, 200],
    ['sys/policies/acl/Maker', { policy: 'path "*" { capabilities = ["sudo", "update"] }' }, 403],
    ['sys/policies/acl/maker%20', { policy: 'path "*" { capabilities = ["sudo", "update"] }' }, 400],
    ['sys/policies/acl/Other', { policy: 'path "x" { capabilities = ["read"] }' }, 204],
  ]
  for (const [path, body, status] of CASES) t.match(await as(maker, 'PUT', path, body), { status }, path)
})

t.test('client certificates', async t => {
  const { ask, as, clock } = await identityLab()
  const [ours, theirs] = [
    await makeAuthority({ type: 'ec', bits: 256 }, 'ours', START),
    await makeAuthority({ type: 'ec', bits: 256 }, 'theirs', START),
  ]
  const client = async (authority: typeof ours, ou: string, cn: string, lifeMs = DAY_MS): Promise<X509Certificate> => {
    const key = await generateKey({ type: 'ec', bits: 256 })
    const name = encodeName([['CN', `${authority === ours ? 'ours' : 'theirs'}-intermediate`]])
    const issuer = { name, key: authority.intermediate.key }
    return new X509Certificate(issueClient(issuer, { scope: ou, role: cn }, { spki: spkiOf(key), nowMs: START, lifeMs }))
  }
  const [intermediate, root] = [new X509Certificate(ours.intermediate.certificate), new X509Certificate(ours.root.certificate)]
  await ask('POST', 'sys/auth/cert', { type: 'cert' })
  const entry = { certificate: root.toString(), allowed_common_names: 'ci-*', token_policies: 'ci', display_name: 'ci' }
  t.match(await ask('POST', 'auth/cert/certs/ci', entry), { status: 204 })
  t.match((await ask('GET', 'auth/cert/certs/ci')).body.data, {
    display_name: 'ci',
    allowed_common_names: ['ci-*'],
    token_policies: ['ci'],
  })
  const login = (certificates: readonly X509Certificate[], body: unknown = {}) => as('', 'POST', 'auth/cert/login', body, { certificates })
  const good = await client(ours, 'build', 'ci-1')
  t.match(authOf(await login([good, intermediate])), {
    ...{ policies: ['ci', 'default'], metadata: { cert_name: 'ci', common_name: 'ci-1' }, orphan: true },
  })
  t.match(authOf(await login([good, intermediate], { name: 'ci' })), { policies: ['ci', 'default'] })
  const WRONG: readonly (readonly [name: string, shown: readonly X509Certificate[], body?: unknown])[] = [
    ['none', []],
    ['without its intermediate', [good]],
    ['another common name', [await client(ours, 'build', 'cd-1'), intermediate]],
    ['another CA', [await client(theirs, 'build', 'ci-1'), new X509Certificate(theirs.intermediate.certificate)]],
    ['another CA beside ours', [await client(theirs, 'build', 'ci-1'), intermediate, root]],
    ['another entry', [good, intermediate], { name: 'other' }],
    ['expired', [await client(ours, 'build', 'ci-1', 1000), intermediate]],
  ]
  clock.ms += 5000
  for (const [name, shown, body] of WRONG) t.match(await login(shown, body), { status: 400 }, name)

  const pinned = await client(theirs, 'a', 'b')
  await ask('POST', 'auth/cert/certs/pinned', { certificate: pinned.toString(), token_policies: 'p' })
  clock.ms += 60_000
  t.match(authOf(await login([pinned])), { policies: ['default', 'p'] }, 'one certificate by itself')
  t.match(await login([await client(theirs, 'a', 'b')]), { status: 400 }, 'not its twin')
  t.match(await ask('POST', 'auth/cert/certs/bad', { certificate: 'x' }), {
    status: 400,
    body: { errors: ['failed to parse certificate'] },
  })
  t.same((await ask('LIST', 'auth/cert/certs')).body.data, { keys: ['ci', 'pinned'] })
  await ask('POST', 'auth/cert/certs/ci', { allowed_names: 'other,cd-*' })
  t.match(await login([good, intermediate]), { status: 400 }, 'allowed_names restrict as well')
  await ask('POST', 'auth/cert/certs/ci', { allowed_names: 'other,ci-*' })
  t.match(await login([good, intermediate]), { status: 200 })
  for (const restriction of [{ required_extensions: '1.2.3:x' }, { ocsp_enabled: true }])
    t.match(await ask('POST', 'auth/cert/certs/ci', restriction), { status: 400 }, 'a restriction that is not understood is not left out')
  await ask('DELETE', 'auth/cert/certs/pinned')
  t.match(await login([pinned]), { status: 400 })
  t.same(
    [...namesIn(good)],
    [
      ['OU', ['build']],
      ['CN', ['ci-1']],
    ],
  )
})
