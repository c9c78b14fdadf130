import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { openSqlite } from '../../src/store/sqlite.ts'
import { authOf, identityLab, START, tokenOf, wrapOf } from './identity-lab.ts'

const DENIED = { status: 403, body: { errors: ['permission denied'] } }
const UNKNOWN = { status: 403, body: { errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'] } }

t.test('a root token, and a child as Terraform makes it', async t => {
  const { ask, as, root, clock } = await identityLab()
  t.match(root, /^hvs\.[0-9A-Za-z]{24}$/)
  const self = await ask('GET', 'auth/token/lookup-self')
  t.match(self, {
    status: 200,
    body: {
      data: {
        ...{
          creation_ttl: 0,
          display_name: 'root',
          entity_id: '',
          expire_time: null,
          explicit_max_ttl: 0,
          id: root,
          meta: null,
          num_uses: 0,
        },
        ...{ orphan: true, path: 'auth/token/root', policies: ['root'], renewable: false, ttl: 0, type: 'service' },
        ...{ creation_time: START / 1000, issue_time: '2026-01-01T00:00:00.000Z' },
      },
      auth: null,
      mount_type: 'token',
    },
  })
  t.same((await ask('POST', 'auth/token/renew-self', {})).body.errors, ['lease is not renewable'])
  const wish = {
    ttl: '1200s',
    explicit_max_ttl: '1200s',
    display_name: 'terraform',
    num_uses: 0,
    renewable: false,
    type: '',
    entity_alias: '',
  }
  const made = await ask('POST', 'auth/token/create', wish)
  t.match(made.body, { data: null, warnings: null, mount_type: 'token' })
  const { client_token: child, accessor, ...auth } = authOf(made)
  t.match(String(accessor), /^[0-9A-Za-z]{24}$/)
  t.strictSame(auth, {
    ...{ policies: ['root'], token_policies: ['root'], metadata: null, lease_duration: 1200, renewable: false, entity_id: '' },
    ...{ token_type: 'service', orphan: false, mfa_requirement: null, num_uses: 0 },
  })
  t.match((await as(String(child), 'GET', 'auth/token/lookup-self')).body.data, {
    display_name: 'token-terraform',
    ttl: 1200,
    orphan: false,
  })
  clock.ms += 1_200_000
  t.match(await as(String(child), 'GET', 'auth/token/lookup-self'), UNKNOWN)
})

t.test('without a token, and with one that is none', async t => {
  const { as, root, clock } = await identityLab()
  t.match(await as('', 'GET', 'kv/a'), DENIED)
  t.match(await as('hvs.nonsense', 'GET', 'kv/a'), UNKNOWN)
  for (let i = 0; i < 9; i++) await as('hvs.nonsense', 'GET', 'kv/a')
  t.match(await as('hvs.nonsense', 'GET', 'kv/a'), { status: 429, body: { errors: [/too many failed attempts; try again in 60 seconds/] } })
  t.match(await as(root, 'GET', 'kv/a'), { status: 200 }, 'a good token is not kept out by others')
  t.match(await as('hvs.nonsense', 'GET', 'kv/a', undefined, { remoteAddress: '127.0.0.2' }), UNKNOWN)
  t.match(await as('', 'GET', 'kv/a', undefined, { headers: { authorization: `Bearer ${root}` } }), { status: 200 })
  clock.ms -= 3_600_000
  t.match(await as('hvs.nonsense', 'GET', 'kv/a'), UNKNOWN, 'a clock that was set back keeps nobody out for as long')
})

t.test('life: TTL, renewal, period, bounds', async t => {
  const { ask, as, clock, child } = await identityLab()
  const token = await child({ ttl: '1h', policies: ['a'], meta: { team: 'red' } })
  t.match((await as(token, 'GET', 'auth/token/lookup-self')).body.data, { policies: ['a', 'default'], meta: { team: 'red' }, ttl: 3600 })
  clock.ms += 1_800_000
  t.match(authOf(await as(token, 'PUT', 'auth/token/renew-self', { increment: '2h' })), { lease_duration: 7200, client_token: token })
  t.match((await as(token, 'GET', 'auth/token/lookup-self')).body.data, { last_renewal_time: clock.ms / 1000, ttl: 7200 })
  t.match(authOf(await as(token, 'PUT', 'auth/token/renew-self')), { lease_duration: 3600 }, 'as long as when it was made')
  const bounded = await child({ ttl: 3600, explicit_max_ttl: 5400, policies: 'a' })
  clock.ms += 3_000_000
  t.match(authOf(await ask('POST', 'auth/token/renew', { token: bounded, increment: 7200 })), { lease_duration: 2400 })
  const periodic = await ask('POST', 'auth/token/create', { period: '10m', policies: ['a'] })
  t.match(authOf(periodic), { lease_duration: 600 })
  for (let i = 0; i < 3; i++) {
    clock.ms += 500_000
    t.match(authOf(await as(tokenOf(periodic), 'POST', 'auth/token/renew-self', { increment: 5 })), { lease_duration: 600 })
  }
  t.match((await ask('POST', 'auth/token/lookup', { token: tokenOf(periodic) })).body.data, { period: 600 })
  const long = await ask('POST', 'auth/token/create', { ttl: '9000h', policies: ['a'] })
  t.match([authOf(long).lease_duration, long.body.warnings?.[0]], [2_764_800, /exceeded the effective max_ttl/])
  t.same((await as(await child({ renewable: false, policies: 'a' }), 'POST', 'auth/token/renew-self')).body.errors, [
    'lease is not renewable',
  ])
})

t.test('what was made by a token ends with it, unless it is an orphan', async t => {
  const { ask, as, clock, child, identities, records } = await identityLab()
  await ask('PUT', 'sys/policies/acl/maker', { policy: 'path "auth/token/create*" { capabilities = ["update"] }' })
  const make = async (parent: string, path = 'auth/token/create', body: unknown = {}) => tokenOf(await as(parent, 'POST', path, body))
  const parent = await child({ policies: ['maker'] })
  const first = await make(parent)
  const second = await make(first)
  const orphan = await make(parent, 'auth/token/create-orphan')
  const isGood = async (...tokens: string[]) =>
    Promise.all(tokens.map(async token => (await as(token, 'GET', 'auth/token/lookup-self')).status === 200))
  t.same(await isGood(parent, first, second, orphan), [true, true, true, true])
  t.match((await ask('LIST', 'auth/token/accessors')).body.data, { keys: { length: 5 } })
  t.match(await ask('POST', 'auth/token/revoke', { token: first }), { status: 204 })
  t.same(await isGood(parent, first, second, orphan), [true, false, false, true])
  const third = await make(parent)
  const fourth = await make(third)
  t.match(await ask('POST', 'auth/token/revoke-orphan', { token: third }), { status: 204 })
  t.same(await isGood(parent, third, fourth), [true, false, true])
  const accessor = (await as(parent, 'GET', 'auth/token/lookup-self')).body.data.accessor
  t.match((await ask('POST', 'auth/token/lookup-accessor', { accessor })).body.data, { accessor, id: '' })
  const short = await make(parent, 'auth/token/create', { ttl: 60 })
  const below = await make(short, 'auth/token/create', { ttl: 3600 })
  clock.ms += 61_000
  t.same(await isGood(short, below), [false, false], 'expired with its parent')
  t.match(await ask('POST', 'auth/token/revoke-accessor', { accessor }), { status: 204 })
  t.match(await ask('POST', 'auth/token/revoke-accessor', { accessor }), { status: 200, body: { warnings: [/No token found/] } })
  t.match(await as(orphan, 'POST', 'auth/token/revoke-self'), { status: 204 })
  t.same(await isGood(parent, orphan, fourth), [false, false, true])
  const before = (await records.find('identities', ['kind/token'], { limit: 100 })).length
  const swept = await identities.tokens.tidy()
  t.ok(swept >= 2)
  t.equal((await records.find('identities', ['kind/token'], { limit: 100 })).length, before - swept)
  t.equal(await identities.tokens.tidy(), 0)
  t.same(await isGood(fourth), [true])
})

t.test('a number of uses', async t => {
  const { as, child } = await identityLab()
  const token = await child({ num_uses: 2, policies: ['root'] })
  t.match((await as(token, 'GET', 'auth/token/lookup-self')).body.data, { num_uses: 2 })
  t.match((await as(token, 'POST', 'auth/token/create')).body.errors, ['restricted use token cannot generate child tokens'])
  t.match(await as(token, 'GET', 'kv/a'), UNKNOWN)
  const once = await child({ num_uses: 1, policies: ['root'] })
  const together = await Promise.all(Array.from({ length: 8 }, () => as(once, 'GET', 'kv/a')))
  t.equal(together.filter(({ status }) => status === 200).length, 1, 'one of many at once')
})

t.test('nobody makes a token that may more than he', async t => {
  const { ask, as, child } = await identityLab()
  await ask('PUT', 'sys/policies/acl/maker', { policy: 'path "auth/token/create*" { capabilities = ["update"] }' })
  await ask('PUT', 'sys/policies/acl/boss', { policy: 'path "auth/token/create" { capabilities = ["update", "sudo"] }' })
  const maker = await child({ policies: ['maker', 'other'] })
  const REFUSED: readonly (readonly [body: unknown, message: RegExp])[] = [
    [{ policies: ['foreign'] }, /child policies must be subset of parent/],
    [{ policies: ['root'] }, /root tokens may not be created without parent token being root/],
    [{ policies: ['ROOT '] }, /root tokens may not be created/],
    [{ no_parent: true }, /root or sudo privileges required to create orphan token/],
    [{ period: '1h' }, /root or sudo privileges required to create periodic token/],
    [{ id: 'a-token-of-my-own-1' }, /root or sudo privileges required to specify token id/],
    [{ type: 'batch' }, /only service tokens/],
    [{ entity_alias: 'x' }, /no entity alias/],
    [{ num_uses: -1 }, /cannot be negative/],
    [{ ttl: 'soon' }, /Field validation failed: error converting input for field "ttl"/],
  ]
  for (const [body, message] of REFUSED)
    t.match(await as(maker, 'POST', 'auth/token/create', body), { status: 400, body: { errors: [message] } }, String(message))
  t.match(authOf(await as(maker, 'POST', 'auth/token/create', { policies: ['Other'] })), { policies: ['default', 'other'] })
  t.match(authOf(await as(maker, 'POST', 'auth/token/create', { policies: ['other'], no_default_policy: true })), { policies: ['other'] })
  const boss = await child({ policies: ['boss'] })
  t.match(authOf(await as(boss, 'POST', 'auth/token/create', { policies: ['foreign'], no_parent: true })), { orphan: true })
  t.match((await as(boss, 'POST', 'auth/token/create', { policies: ['root'] })).body.errors, [/root tokens may not/])
  t.match(await as(boss, 'POST', 'auth/token/create', { id: 'short' }), { status: 400, body: { errors: [/at least 16/] } })
  const own = { id: 'a-token-of-my-own-1' }
  t.match(authOf(await as(boss, 'POST', 'auth/token/create', own)), { client_token: own.id })
  t.match((await as(boss, 'POST', 'auth/token/create', own)).body.errors, ['cannot create a token with a duplicate ID'])
  const short = await child({ ttl: 60 })
  t.match(authOf(await as(short, 'POST', 'auth/token/create', { no_parent: true })).lease_duration, 2_764_800, 'not for ever')
})

t.test('roles of tokens', async t => {
  const { ask, as, child } = await identityLab()
  const role = { allowed_policies: 'app,default', orphan: true, token_period: '1h', renewable: false, path_suffix: 'ci' }
  t.match(await ask('POST', 'auth/token/roles/app', role), { status: 204 })
  t.match((await ask('GET', 'auth/token/roles/app')).body.data, { allowed_policies: ['app', 'default'], orphan: true, token_period: 3600 })
  t.same((await ask('LIST', 'auth/token/roles')).body.data, { keys: ['app'] })
  await ask('PUT', 'sys/policies/acl/maker', { policy: 'path "auth/token/create/app" { capabilities = ["update"] }' })
  const maker = await child({ policies: ['maker'] })
  const made = authOf(await as(maker, 'POST', 'auth/token/create/app', {}))
  t.match(made, { policies: ['app', 'default'], orphan: true, lease_duration: 3600, renewable: false })
  t.match((await as(String(made.client_token), 'GET', 'auth/token/lookup-self')).body.data, {
    role: 'app',
    path: 'auth/token/create/app/ci',
  })
  t.match(await as(maker, 'POST', 'auth/token/create/app', { policies: ['maker'] }), { status: 400 })
  t.match(await as(maker, 'POST', 'auth/token/create', {}), DENIED)
  t.match(await ask('POST', 'auth/token/create/none', {}), { status: 400, body: { errors: ['unknown role none'] } })
  t.match(await ask('POST', 'auth/token/roles/bad', { allowed_policies: ['root'] }), { status: 400 })
  t.match(await ask('DELETE', 'auth/token/roles/app'), { status: 204 })
  t.match(await ask('GET', 'auth/token/roles/app'), { status: 404 })
})

t.test('roles of tokens by patterns and by older names', async t => {
  const { ask, child } = await identityLab()
  const role = {
    allowed_policies_glob: 'app-*',
    disallowed_policies_glob: 'app-x*',
    period: '1h',
    explicit_max_ttl: '2h',
    bound_cidrs: '127.0.0.1',
  }
  t.match(await ask('POST', 'auth/token/roles/app', role), { status: 204 })
  t.match((await ask('GET', 'auth/token/roles/app')).body.data, {
    ...{ allowed_policies_glob: ['app-*'], disallowed_policies_glob: ['app-x*'] },
    ...{ token_period: 3600, token_explicit_max_ttl: 7200, token_bound_cidrs: ['127.0.0.1'] },
  })
  const make = (policies: string) => ask('POST', 'auth/token/create/app', { policies })
  for (const [asked, given] of [
    ['1h', 3600],
    ['9h', 7200],
  ]) {
    const token = tokenOf(await ask('POST', 'auth/token/create/app', { policies: 'app-a', explicit_max_ttl: asked }))
    t.match((await ask('POST', 'auth/token/lookup', { token })).body.data, { explicit_max_ttl: given }, 'the tighter one')
  }
  t.match(authOf(await ask('POST', 'auth/token/create/app', { policies: 'app-a', period: '10m' })), { lease_duration: 600 })
  t.match(authOf(await make('app-a')), { policies: ['app-a', 'default'], lease_duration: 3600 })
  t.match(await make('app-x1'), { status: 400, body: { errors: ['token policy "app-x1" is disallowed by this role'] } })
  t.match(await make('other'), { status: 400, body: { errors: [/not among those that role app allows/] } })
  t.match(await ask('POST', 'auth/token/roles/batch', { token_type: 'batch' }), { status: 400 })
  await ask('POST', 'auth/token/roles/no-x', { disallowed_policies_glob: '*x' })
  t.match(await ask('POST', 'auth/token/create/no-x', { policies: 'x' }), { status: 400 })
  t.ok(await child())
})

t.test('who has not the policy default gives it to nobody', async t => {
  const { ask, as } = await identityLab()
  await ask('PUT', 'sys/policies/acl/maker', { policy: 'path "auth/token/create*" { capabilities = ["update"] }' })
  await ask('POST', 'auth/token/roles/any', {})
  const maker = tokenOf(await ask('POST', 'auth/token/create', { policies: 'maker', no_default_policy: true }))
  for (const path of ['auth/token/create', 'auth/token/create-orphan', 'auth/token/create/any']) {
    t.match(authOf(await as(maker, 'POST', path, {})).policies, ['maker'], path)
    t.same(authOf(await as(maker, 'POST', path, { policies: 'maker' })).policies, ['maker'], path)
    t.match(await as(maker, 'POST', path, { policies: 'default' }), { status: 400 }, path)
  }
})

t.test('a token is renewed as its role says today', async t => {
  const { ask, as, clock } = await identityLab()
  await ask('POST', 'auth/token/roles/r', { token_period: '1h' })
  const token = tokenOf(await ask('POST', 'auth/token/create/r', { policies: 'a' }))
  await ask('POST', 'auth/token/roles/r', { token_period: '10m' })
  t.match(authOf(await as(token, 'POST', 'auth/token/renew-self')), { lease_duration: 600 })
  await ask('POST', 'auth/token/roles/r', { token_explicit_max_ttl: '15m' })
  clock.ms += 500_000
  t.match(authOf(await as(token, 'POST', 'auth/token/renew-self')), { lease_duration: 400 })
  await ask('DELETE', 'auth/token/roles/r')
  t.match(await as(token, 'POST', 'auth/token/renew-self'), {
    status: 400,
    body: { errors: ['failed to renew entry: original token role "r" could not be found, not renewing'] },
  })
})

t.test('addresses that a token is bound to', async t => {
  const { ask, as } = await identityLab()
  await ask('POST', 'auth/token/roles/near', { token_bound_cidrs: ['10.0.0.0/8', '::1'] })
  const near = tokenOf(await ask('POST', 'auth/token/create/near', { policies: ['a'] }))
  const from = async (remoteAddress: string) => (await as(near, 'GET', 'auth/token/lookup-self', undefined, { remoteAddress })).status
  t.same(
    [await from('10.1.2.3'), await from('::ffff:10.1.2.3'), await from('::1'), await from('11.0.0.1'), await from('::2')],
    [200, 200, 200, 403, 403],
  )
  await ask('PUT', 'sys/policies/acl/maker', { policy: 'path "auth/token/create*" { capabilities = ["update"] }' })
  const place = { remoteAddress: '10.1.2.3' }
  const maker = tokenOf(await ask('POST', 'auth/token/create/near', { policies: ['maker'] }))
  const below = tokenOf(await as(maker, 'POST', 'auth/token/create', {}, place))
  t.match((await as(below, 'GET', 'auth/token/lookup-self', undefined, place)).body.data, { bound_cidrs: ['10.0.0.0/8', '::1'] })
  t.match(await as(below, 'GET', 'auth/token/lookup-self'), { status: 403 }, 'and so are those that it makes')
  t.match(await ask('POST', 'auth/token/roles/x', { token_bound_cidrs: ['10.0.0.0/33'] }), { status: 400 })
})

t.test('policies over the API', async t => {
  const { ask, as, child } = await identityLab()
  t.same((await ask('LIST', 'sys/policies/acl')).body.data, { keys: ['default', 'root'] })
  const policy = 'path "kv/+" { capabilities = ["read"] }'
  t.match(await ask('PUT', 'sys/policies/acl/Reader', { policy }), { status: 204 })
  t.match((await ask('GET', 'sys/policies/acl/reader')).body, { data: { name: 'reader', policy }, name: 'reader', policy })
  t.match((await ask('GET', 'sys/policy/reader')).body.data, { name: 'reader', rules: policy })
  t.same((await ask('GET', 'sys/policy')).body.data, { keys: ['default', 'reader', 'root'], policies: ['default', 'reader', 'root'] })
  t.match(await ask('PUT', 'sys/policies/acl/bad', { policy: 'path "a" {\n capabilities = ["raed"]\n}' }), {
    status: 400,
    body: { errors: [/^failed to parse policy: invalid capability "raed" in capabilities on line 2$/] },
  })
  t.match((await ask('PUT', 'sys/policies/acl/root', { policy })).body.errors, ['cannot update "root" policy'])
  t.match((await ask('DELETE', 'sys/policies/acl/default')).body.errors, ['cannot delete "default" policy'])
  t.match(await ask('GET', 'sys/policies/acl/none'), { status: 404, body: { errors: [] } })

  const reader = await child({ policies: ['reader'] })
  t.match(
    [await as(reader, 'GET', 'kv/a'), await as(reader, 'PUT', 'kv/a', {}), await as(reader, 'GET', 'kv/a/b')],
    [{ status: 200 }, DENIED, DENIED],
  )
  const asked = await as(reader, 'POST', 'sys/capabilities-self', { paths: ['kv/a', 'auth/token/lookup-self', 'x'] })
  t.match(asked.body.data, { 'kv/a': ['read'], 'auth/token/lookup-self': ['read'], x: ['deny'] })
  t.match((await ask('POST', 'sys/capabilities-self', { paths: ['kmip/config'] })).body, {
    ...{ 'kmip/config': ['root'], capabilities: ['root'], data: { capabilities: ['root'], 'kmip/config': ['root'] }, mount_type: 'system' },
  })
  t.match((await ask('POST', 'sys/capabilities', { token: reader, path: 'kv/a' })).body.data, { capabilities: ['read'] })
  const { accessor } = (await as(reader, 'GET', 'auth/token/lookup-self')).body.data
  t.match((await ask('POST', 'sys/capabilities-accessor', { accessor, path: 'kv/a' })).body.data, { capabilities: ['read'] })

  t.match(await ask('PUT', 'sys/policies/acl/team/on call', { policy: 'path "x" { capabilities = ["read"] }' }), { status: 204 })
  t.match((await ask('GET', 'sys/policy/Team/on call')).body.data, { name: 'team/on call' }, 'any name will do')
  await ask('DELETE', 'sys/policies/acl/team/on call')
  await ask('PUT', 'sys/policies/acl/reader', { policy: 'path "kv/+" { capabilities = ["create"] }' })
  t.match(
    [await as(reader, 'GET', 'kv/a'), await as(reader, 'PUT', 'kv/a', {}), await as(reader, 'PUT', 'kv/a', {})],
    [DENIED, { status: 204 }, DENIED],
  )
  await ask('DELETE', 'sys/policies/acl/reader')
  t.match(await as(reader, 'PUT', 'kv/b', {}), DENIED, 'a policy that is gone allows nothing')
  t.match(await as(reader, 'LIST', 'auth/token/accessors'), DENIED)
  await ask('PUT', 'sys/policies/acl/reader', { policy: 'path "auth/token/accessors" { capabilities = ["list"] }' })
  t.match(await as(reader, 'LIST', 'auth/token/accessors'), DENIED, 'sudo is needed')
  await ask('PUT', 'sys/policies/acl/reader', { policy: 'path "auth/token/accessors" { capabilities = ["list", "sudo"] }' })
  t.match(await as(reader, 'LIST', 'auth/token/accessors'), { status: 200 })
})

t.test('a response is handed over once', async t => {
  const { ask, as, clock, child, records } = await identityLab()
  const wrapped = wrapOf(await ask('GET', 'kv/secret', undefined, { wrap: '60s' }))
  t.match(wrapped, { ttl: 60, creation_path: 'kv/secret', creation_time: '2026-01-01T00:00:00.000Z', token: /^hvs\./, accessor: /./ })
  const token = String(wrapped.token)
  t.match(await as(token, 'GET', 'kv/secret'), UNKNOWN, 'it is no other token')
  t.match((await as('', 'POST', 'sys/wrapping/lookup', { token })).body.data, { creation_ttl: 60, creation_path: 'kv/secret' })
  const together = await Promise.all(Array.from({ length: 8 }, () => as(token, 'POST', 'sys/wrapping/unwrap')))
  const [got, ...others] = together.filter(({ status }) => status === 200)
  t.match(got?.body.data, { path: 'secret' })
  t.same(others, [])
  t.match(await as('', 'POST', 'sys/wrapping/unwrap', { token }), {
    status: 400,
    body: { errors: ['wrapping token is not valid or does not exist'] },
  })

  const made = wrapOf(await ask('POST', 'auth/token/create', { policies: ['a'] }, { wrap: '5m' }))
  t.match(String(made.wrapped_accessor), /^\w{24}$/)
  const again = wrapOf(await as(String(made.token), 'POST', 'sys/wrapping/rewrap'))
  t.match(again, { ttl: 300, creation_path: 'auth/token/create' })
  t.match(await as('', 'POST', 'sys/wrapping/unwrap', { token: made.token }), { status: 400 })
  t.match(authOf(await as('', 'POST', 'sys/wrapping/unwrap', { token: again.token })), { accessor: made.wrapped_accessor })

  const user = await child({ policies: ['a'] })
  const own = wrapOf(await as(user, 'POST', 'sys/wrapping/wrap', { any: 'thing' }, { wrap: '10' }))
  t.match((await as(user, 'POST', 'sys/wrapping/unwrap', { token: own.token })).body.data, { any: 'thing' })
  t.match(await as(user, 'POST', 'sys/wrapping/wrap', { any: 'thing' }), { status: 400 })
  const late = wrapOf(await ask('GET', 'kv/secret', undefined, { wrap: '10' }))
  clock.ms += 10_000
  const elsewhere = { remoteAddress: '10.0.0.1' }
  t.match(await as('', 'POST', 'sys/wrapping/unwrap', { token: late.token }, elsewhere), { status: 400 })
  t.equal((await records.find('identities', ['kind/wrapped'], { limit: 9 })).length, 1)
})

t.test('a wrapping token can be revoked', async t => {
  const { ask, as } = await identityLab()
  const revoked = wrapOf(await ask('GET', 'kv/secret', undefined, { wrap: '60' }))
  t.match(await ask('POST', 'auth/token/revoke', { token: revoked.token }), { status: 204 })
  t.match(await as('', 'POST', 'sys/wrapping/unwrap', { token: revoked.token }), { status: 400 })
  const named = wrapOf(await ask('GET', 'kv/secret', undefined, { wrap: '60' }))
  t.match(await ask('POST', 'auth/token/revoke-accessor', { accessor: named.accessor }), { status: 204 })
  t.match(await as('', 'POST', 'sys/wrapping/unwrap', { token: named.token }), { status: 400 }, 'by its accessor too')
  t.match(await ask('POST', 'auth/token/revoke-accessor', { accessor: named.accessor }), {
    status: 200,
    body: { warnings: ['No token found with this accessor'] },
  })
})

t.test('a stolen database shows no token, accessor, policy or name', async t => {
  const file = `${t.testdir()}/stolen.db`
  const store = await openSqlite({ path: file })
  const { ask, child, root } = await identityLab(store)
  await ask('PUT', 'sys/policies/acl/payroll-admins', { policy: 'path "kmip/scope/payroll" { capabilities = ["read"] }' })
  const token = await child({ policies: ['payroll-admins'], display_name: 'mallory', meta: { team: 'crimson' } })
  const { accessor } = (await ask('POST', 'auth/token/lookup', { token })).body.data
  const wrapped = wrapOf(await ask('PUT', 'sys/wrapping/wrap', { password: 'tiger-lily' }, { wrap: '60s' }))
  await ask('POST', 'sys/auth/robots', { type: 'approle' })
  await ask('POST', 'auth/robots/role/welder', { role_id: 'welder-role-id', token_policies: 'payroll-admins' })
  const { secret_id } = (await ask('POST', 'auth/robots/role/welder/secret-id', {})).body.data
  await ask('POST', 'sys/auth/people', { type: 'userpass' })
  await ask('POST', 'auth/people/users/gertrude', { password: 'correct horse battery' })
  await store.close()
  const stolen = Buffer.concat([file, `${file}-wal`].filter(existsSync).map(name => readFileSync(name))).toString('latin1')
  t.ok(stolen.includes('identities'), 'it is the database')
  const SECRETS = { root, token, accessor, wrapping: wrapped.token, secret_id, roleId: 'welder-role-id', user: 'gertrude', role: 'welder' }
  const WORDS = [...Object.values(SECRETS).map(String), 'payroll', 'mallory', 'crimson', 'tiger-lily', 'robots', 'battery', 'hvs.', 'auth/']
  for (const word of WORDS) t.notOk(stolen.includes(word), `no ${word.slice(0, 8)}`)
})
