import t from 'tap'
import { readKesConfig } from '../../src/kes/config.ts'
import { ROUTES } from '../../src/kes/door.ts'
import { oddityOf } from '../../src/kes/policy.ts'

/** As KES refers to the environment. */
const ref = (name: string): string => `$${`{${name}}`}`
const ID = 'a'.repeat(64)
const PARTS: { readonly [name: string]: string } = {
  version: 'version: v1',
  address: 'address: 127.0.0.1:7373',
  admin: `admin: { identity: ${ID} }`,
  tls: 'tls: { key: server.key, cert: server.crt }',
  keystore: 'keystore: { fs: { path: keys } }',
}
const config = (parts: { readonly [name: string]: string } = {}): string => Object.values({ ...PARTS, ...parts }).join('\n')
const read = (parts: { readonly [name: string]: string } = {}, env = {}) => readKesConfig(config(parts), env)
const vault = (text: string): { keystore: string } => ({ keystore: `keystore: { vault: { ${text} } }` })
const APPROLE = 'approle: { id: i, secret: s }'

t.test('what a minimal file means', async t => {
  t.same(read(), {
    address: { host: '127.0.0.1', port: 7373 },
    admin: ID,
    tls: { key: 'server.key', cert: 'server.crt', auth: false },
    policies: [],
    cache: { anyMs: 300_000, unusedMs: 30_000, offlineMs: 0 },
    api: {},
    log: { error: 0, audit: 0 },
    keys: [],
    keystore: { kind: 'fs', path: 'keys' },
    oldTexts: false,
    oldListings: false,
    warnings: [],
  })
})

t.test('names and values are merged from other places', async t => {
  const rules = (policy: string, more = '') => {
    const found = read({ policy, more }).policies.at(-1)
    return { allow: found?.allow.map(({ pattern }) => pattern), deny: found?.deny.map(({ pattern }) => pattern) }
  }
  const base = 'base: &base { allow: [/v1/key/create/*], deny: [/v1/key/create/x] }'
  const other = 'other: &other { allow: [/version], deny: [/v1/api] }'
  const merged = { allow: ['/v1/key/create/*'], deny: ['/v1/key/create/x'] }
  t.same(rules(`policy: { ${base}, app: { <<: *base, identities: [b] } }`), merged)
  t.same(rules(`policy: { ${base}, ${other}, app: { <<: [*base, *other] } }`), merged, 'the first place counts')
  t.same(rules(`policy: { ${base}, app: { <<: *base, deny: [] } }`), { ...merged, deny: [] }, 'what stands there itself counts more')
  t.same(rules(`policy: { ${base}, two: &two { <<: *base, allow: [/version] }, app: { <<: *two } }`), { ...merged, allow: ['/version'] })
  t.same(rules(`policy: { ${base}, app: { "<<": *base } }`), { allow: [], deny: [] }, 'in quotes it is a name')
  t.same(rules('policy: { app: &app { allow: [/version], <<: *app } }'), { allow: ['/version'], deny: [] }, 'into itself')
  t.throws(() => rules('policy: { app: { <<: /version } }'), { code: 'kes_config', message: /^policy\.app \(line \d+\): << has to name/ })
})

t.test('what is refused', async t => {
  const CASES: [name: string, parts: { readonly [name: string]: string }, text: string | RegExp][] = [
    ['version', { version: 'version: v2' }, "edge: invalid server config version 'v2'"],
    ['no admin', { admin: '' }, 'kesconf: invalid admin identity: no admin identity'],
    ['an empty admin', { admin: 'admin: { identity: "" }' }, 'kesconf: invalid admin identity: no admin identity'],
    ['no keystore', { keystore: '' }, /^kesconf: no keystore specified; there are fs, vault/],
    [
      'two keystores',
      { keystore: 'keystore: { fs: { path: k }, vault: { endpoint: e } }' },
      'kesconf: invalid keystore config: more than once keystore specified',
    ],
    ['fs without path', { keystore: 'keystore: { fs: { path: "" } }' }, 'kesconf: invalid fs keystore: no path specified'],
    [
      'an unset variable',
      { admin: `admin: { identity: "${ref('KES_NOPE')}" }` },
      "kesconf: referenced env. variable 'KES_NOPE' in line '3' not found",
    ],
    [
      'in two policies',
      { policy: `policy: { p: { identities: [b] }, q: { identities: [b] } }` },
      "kes: cannot assign policy 'q' to 'b': identity already has a policy",
    ],
    [
      'twice in one',
      { policy: `policy: { p: { identities: [b, b] } }` },
      "kes: cannot assign policy 'p' to 'b': identity already has a policy",
    ],
    [
      'the admin in a policy',
      { policy: `policy: { p: { identities: [${ID}] } }` },
      `kesconf: invalid policy 'p': identity '${ID}' is already admin`,
    ],
    [
      'an identity that is none',
      { policy: 'policy: { p: { identities: ["a:b"] } }' },
      "kes: identity 'a:b' is empty, too long or contains invalid characters",
    ],
    [
      'an empty identity',
      { policy: 'policy: { p: { identities: [""] } }' },
      "kes: identity '' is empty, too long or contains invalid characters",
    ],
    ['the name of a policy', { policy: 'policy: { a.b: {} }' }, "kes: policy name 'a.b' is empty, too long or contains invalid characters"],
    ['tls.auth', { tls: 'tls: { key: k, cert: c, auth: maybe }' }, "kesconf: invalid tls config: invalid auth 'maybe'"],
    ['no key', { tls: 'tls: { cert: c }' }, 'kesconf: invalid tls config: no private key'],
    ['no certificate', { tls: 'tls: { key: k }' }, 'kesconf: invalid tls config: no certificate'],
    [
      'the admin as a proxy',
      { tls: `tls: { key: k, cert: c, proxy: { identities: [${ID}] } }` },
      `kesconf: invalid tls proxy: identity '${ID}' is already admin`,
    ],
    ['a level', { log: 'log: { audit: verbose }' }, /no log level/],
    ['a suffix of a level', { log: 'log: { audit: WARN+x }' }, /^kesconf: invalid log level suffix 'X'/],
    ['a negative time', { cache: 'cache: { expiry: { any: -1s } }' }, "kesconf: invalid cache expiry '-1s'"],
    ['a time without unit', { cache: 'cache: { expiry: { any: 5 } }' }, /is no duration/],
    ['a negative timeout', { api: 'api: { /v1/ready: { timeout: -1s } }' }, "kesconf: invalid timeout '-1000000000' for API '/v1/ready'"],
    ['a key twice', { keys: 'keys: [{ name: a }, { name: a }]' }, "kesconf: invalid key config: key 'a' is defined multiple times"],
    ['an empty key', { keys: 'keys: [{ name: "" }]' }, /key name ''/],
    ['a list', { version: '- a', address: '', admin: '', tls: '', keystore: '' }, /has to begin with names/],
    ['nothing', { version: '', address: '', admin: '', tls: '', keystore: '' }, /is empty/],
    ['a tab', { address: 'address:\t{\n\t}' }, /./],
    ['a name twice', { again: 'version: v1' }, /^yaml: line 6: /],
    ['no port', { address: 'address: 127.0.0.1' }, 'address 127.0.0.1: missing port in address'],
    ['vault without endpoint', vault(APPROLE), 'kesconf: invalid vault keystore: no endpoint specified'],
    ['vault without login', vault('endpoint: e'), 'kesconf: invalid vault keystore: no authentication method specified'],
    [
      'vault with two',
      vault(`endpoint: e, ${APPROLE}, kubernetes: { role: r, jwt: j }`),
      'kesconf: invalid vault keystore: more than one authentication method specified',
    ],
    [
      'vault, half a login',
      vault('endpoint: e, approle: { id: i }'),
      'kesconf: invalid vault keystore: invalid approle config: no approle secret specified',
    ],
    ['vault version', vault(`endpoint: e, version: v3, ${APPROLE}`), "vault: invalid engine API version 'v3'"],
    [
      'vault transit',
      vault(`endpoint: e, transit: { engine: t }, ${APPROLE}`),
      'kesconf: invalid vault keystore: invalid transit config: no key name specified',
    ],
    [
      'vault tls',
      vault(`endpoint: e, tls: { key: k }, ${APPROLE}`),
      'kesconf: invalid vault keystore: invalid tls config: no TLS certificate provided',
    ],
    [
      'entrust',
      { keystore: 'keystore: { entrust: { keycontrol: { endpoint: e, vault_id: v, box_id: b, credentials: { username: u } } } }' },
      'kesconf: invalid Entrust KeyControl keystore: no password specified',
    ],
    [
      'another keystore',
      { keystore: 'keystore: { aws: { secretsmanager: { region: x } } }' },
      /^the keystore aws \(AWS Secrets Manager\) in line 5 is not supported: there are fs, vault, entrust.keycontrol and native/,
    ],
  ]
  for (const [name, parts, message] of CASES) t.throws(() => read(parts), { name: 'KesConfigError', message }, name)
})

t.test('what is read', async t => {
  const CASES: [name: string, parts: { readonly [name: string]: string }, expected: object][] = [
    ['a variable', { admin: `admin: { identity: "${ref(' ADMIN ')}" }` }, { admin: 'me' }],
    [
      'no variable in a policy',
      { policy: `policy: { p: { allow: ["${ref('ADMIN')}"] } }` },
      { policies: [{ allow: [{ pattern: ref('ADMIN'), line: 6 }] }] },
    ],
    ['all addresses', { address: 'address: ":7373"' }, { address: { host: '0.0.0.0', port: 7373 } }],
    ['IPv6', { address: 'address: "[::1]:0"' }, { address: { host: '::1', port: 0 } }],
    ['a host', { address: 'address: localhost:1' }, { address: { host: 'localhost', port: 1 } }],
    ['no address', { address: '' }, { address: { host: '0.0.0.0', port: 7373 } }],
    ['levels', { log: 'log: { error: WARN, audit: off }' }, { log: { error: 4, audit: 9 } }],
    ['levels by number', { log: 'log: { error: -4, audit: info+2 }' }, { log: { error: -4, audit: 2 } }],
    [
      'the cache',
      { cache: 'cache: { expiry: { any: 1m30s, unused: 500ms, offline: 1h } }' },
      { cache: { anyMs: 90_000, unusedMs: 500, offlineMs: 3_600_000 } },
    ],
    [
      'the API',
      { api: 'api: { /v1/ready: { skip_auth: true, timeout: 5s } }' },
      { api: { '/v1/ready': { skipAuth: true, timeoutMs: 5000 } } },
    ],
    ['keys', { keys: 'keys: [{ name: a }, { name: b }]' }, { keys: ['a', 'b'] }],
    [
      'a proxy',
      { tls: 'tls: { key: k, cert: c, auth: on, ca: ca.crt, password: p, proxy: { identities: [x], header: { cert: X-Cert } } }' },
      { tls: { auth: true, ca: 'ca.crt', password: 'p', proxy: { identities: ['x'], header: 'x-cert' } } },
    ],
    [
      'our own',
      { kmipd: 'kmipd: { error_texts: v0.17, listings: ndjson, prefer: http/1.1 }' },
      { oldTexts: true, oldListings: true, prefer: 'http/1.1' },
    ],
    ['native', { keystore: 'keystore: { native: { scope: s } }' }, { keystore: { kind: 'native', scope: 's' } }],
    ['native, as usual', { keystore: 'keystore: { native: }' }, { keystore: { kind: 'native', scope: 'kes' } }],
    [
      'an alias',
      { policy: 'policy: { p: { allow: &rules [/version] }, q: { allow: *rules } }' },
      { policies: [{}, { name: 'q', allow: [{ pattern: '/version' }] }] },
    ],
    [
      'vault',
      vault(
        `endpoint: e, engine: secret, version: v2, namespace: n, prefix: p, ${APPROLE}, transit: { key: k }, status: { ping: 10s }, tls: { ca: c }`,
      ),
      {
        keystore: {
          kind: 'vault',
          engine: 'secret',
          version: 'v2',
          namespace: 'n',
          prefix: 'p',
          transit: { engine: 'transit', key: 'k' },
          pingMs: 10_000,
          tls: { ca: 'c' },
        },
      },
    ],
    [
      'vault by Kubernetes',
      vault('endpoint: e, kubernetes: { role: r, jwt: /t, namespace: n }'),
      { keystore: { kubernetes: { engine: 'kubernetes', role: 'r', jwt: '/t', namespace: 'n' } } },
    ],
  ]
  for (const [name, parts, expected] of CASES) t.match(read(parts, { ADMIN: 'me' }), expected, name)
})

t.test('files of older releases', async t => {
  const old = readKesConfig(
    `
address: 0.0.0.0:7373
root: ${ID}
tls:
  key:  kes-tls.key
  cert: kes-tls.crt
policy:
  minio:
    paths:
    - /v1/key/create/minio-*
    - /v1/key/generate/*/x
    identities:
    - ${'B'.repeat(64)}
cache:
  expiry:
    all:    5m0s
    unused: 20s
log:
  error:
    file: [a.log]
keys:
  vault:
    address: https://127.0.0.1:8200
    name:    minio
    approle: { id: i, secret: s, retry: 15s }
    status: { ping: 10s }
`,
    {},
  )
  t.match(old, {
    admin: ID,
    policies: [{ name: 'minio', allow: [{ pattern: '/v1/key/create/minio-*', line: 10 }, {}] }],
    cache: { anyMs: 300_000, unusedMs: 20_000 },
    keys: [],
    keystore: { kind: 'vault', endpoint: 'https://127.0.0.1:8200', prefix: 'minio', version: 'v1' },
  })
  for (const part of [
    /^root \(line 3\)/,
    /^policy.minio.paths \(line 10\)/,
    /line 11.*never matches/,
    /is nobody/,
    /^log.error/,
    /^keys \(line \d+\).*keystore/,
  ])
    t.ok(
      old.warnings.some(warning => part.test(warning)),
      String(part),
    )
  const without = config({ admin: '' })
  t.match(
    readKesConfig(without, {}, { root: 'disabled', address: ':1', key: 'other', auth: 'on' }),
    { admin: 'disabled', address: { port: 1 }, tls: { key: 'server.key', auth: true } },
    'the command line',
  )
})

t.test('rules that are odd', async t => {
  const paths = ROUTES.map(({ path }) => path)
  const CASES: [rule: string, oddity: RegExp | undefined][] = [
    ['/v1/key/create/my-*', undefined],
    ['/v1/key/create/my-key', undefined],
    ['/v1/key/list/*', undefined],
    ['/v1/status', undefined],
    ['/v1/key/bulk/decrypt/my-*', undefined],
    ['/version', undefined],
    ['*', undefined],
    ['/v1/key/*', /matches all of \d+ paths/],
    ['/v1/key/*/my-*', /never matches/],
    ['/v1/identity/assign/a/*/*', /never matches/],
    ['/v1/key/list', /write \/v1\/key\/list\/\*/],
    ['/v1/key/list/', /write \/v1\/key\/list\/\*/],
    ['/v1/key/create/', /never matches a name/],
    ['/v1/key/unknown/x', /there is no such path/],
    ['/v1/statu', /there is no such path/],
    ['key/create/x', /there is no such path/],
  ]
  for (const [rule, oddity] of CASES)
    oddity ? t.match(oddityOf(rule, paths), oddity, rule) : t.equal(oddityOf(rule, paths), undefined, rule)
})
