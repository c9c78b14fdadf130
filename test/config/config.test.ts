// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are the subject here
import { readFileSync } from 'node:fs'
import t from 'tap'
import { jsonSchema, settings } from '../../src/config/describe.ts'
import { GO_UNITS, readDuration } from '../../src/config/duration.ts'
import type { ConfigError } from '../../src/config/error.ts'
import { nearest } from '../../src/config/nearest.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { formatAddress, formatDuration, parseAddress, parseDuration } from '../../src/config/value-types.ts'
import { vaultBoolean, vaultSeconds } from '../../src/config/vault-values.ts'
import { written } from '../../src/config/written.ts'

const FILES: Record<string, string> = { '/run/key': 'c2VjcmV0\n' }
const SOURCES = {
  env: { HOST: '0.0.0.0', PORT: '7000', COUNT: '7', YES: 'true', LISTISH: '[1, 2]', QUOTED: "a'b" },
  readFile(path: string): string {
    const text = FILES[path]
    if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    return text
  },
}
const parse = (text: string) => parseConfig(text, '/etc/kmipd/kmipd.yaml', SOURCES)

t.test('an empty file is everything at its default', async t => {
  const config = parse('')
  t.match(config, {
    dataDir: '/etc/kmipd',
    kmip: {
      maxMessage: 1_048_576,
      maxBatch: 100,
      maxConnections: 10_000,
      maxConnectionsPerIdentity: 100,
      handshake: 10_000,
      partial: 30_000,
      idle: 600_000,
      leaseTime: 0,
      locatePage: 1000,
      https: undefined,
    },
    store: { kind: 'sqlite', path: '/etc/kmipd/kmipd.db' },
    seal: [{ kind: 'local', keyFile: '/etc/kmipd/root.key' }],
    audit: { file: '/etc/kmipd/audit.log', fsync: false },
    log: { level: 'info', format: 'auto' },
    metrics: { listen: { host: '127.0.0.1', port: 9696 } },
  })
  t.same([config.kmip.listen, config.ca, config.credentials], [undefined, {}, {}], 'what the store may say is left open')
  t.same(parse('# only a comment\n'), config)
})

const GOOD: [name: string, text: string, expected: object][] = [
  ['a section of its own', 'kmip:\n  idle: 1h\n', { kmip: { idle: 3_600_000, partial: 30_000 } }],
  [
    'files stand in dataDir',
    'dataDir: /var/lib/kmipd\naudit: {file: /log/a}\n',
    { store: { path: '/var/lib/kmipd/kmipd.db' }, audit: { file: '/log/a' } },
  ],
  [
    'a relative dataDir stands beside the file',
    'dataDir: data\n',
    { dataDir: '/etc/kmipd/data', seal: [{ keyFile: '/etc/kmipd/data/root.key' }] },
  ],
  ['the audit log on standard output', 'audit: {file: "-"}\n', { audit: { file: '-' } }],
  ['environment variables in a text', 'kmip: {listen: "${HOST}:${PORT}"}\n', { kmip: { listen: [{ host: '0.0.0.0', port: 7000 }] } }],
  ['an environment variable as a number', 'kmip:\n  maxBatch: ${COUNT}\n', { kmip: { maxBatch: 7 } }],
  ['an environment variable as a truth value', 'audit:\n  fsync: ${YES}\n', { audit: { fsync: true } }],
  ['a default for a variable', 'log:\n  level: ${LEVEL:-debug}\n', { log: { level: 'debug' } }],
  ['a doubled dollar sign', 'audit: {file: "/log/$${HOST}"}\n', { audit: { file: '/log/${HOST}' } }],
  ['what a variable holds is not YAML', 'audit:\n  file: /log/${LISTISH}\n', { audit: { file: '/log/[1, 2]' } }],
  ['a secret from a file', 'seal:\n  - kind: local\n    key: file:/run/key\n', { seal: [{ kind: 'local', key: 'c2VjcmV0' }] }],
  ['file: elsewhere is a text', 'audit: {file: "file:x"}\n', { audit: { file: '/etc/kmipd/file:x' } }],
  ['memory', 'store: {kind: memory}\n', { store: { kind: 'memory' } }],
  ['client certificates', 'credentials: {ttl: 1h, keyType: rsa}\n', { credentials: { ttl: 3_600_000, keyType: 'rsa' } }],
  ['HTTPS', 'kmip: {https: "0.0.0.0:9443"}\n', { kmip: { https: { host: '0.0.0.0', port: 9443 } } }],
  ['metrics off', 'metrics: {listen: off}\n', { metrics: { listen: undefined } }],
  ['an rsa authority', 'ca: {keyType: rsa, keyBits: 3072}\n', { ca: { keyType: 'rsa', keyBits: 3072 } }],
  [
    'a list of addresses',
    'kmip: {listen: ["a:1", "b:2"]}\n',
    {
      kmip: {
        listen: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    },
  ],
  ['IPv6', 'kmip: {listen: "[::]:5696"}\n', { kmip: { listen: [{ host: '::', port: 5696 }] } }],
]
for (const [name, text, expected] of GOOD) t.test(`good: ${name}`, async t => t.match(parse(text), expected))

const BAD: [name: string, text: string, problems: [path: string, line: number, column: number, message: RegExp][]][] = [
  ['an unknown key names the nearest', 'kmip:\n  lisen: a:1\n', [['kmip.lisen', 2, 3, /nearest known one is kmip\.listen$/]]],
  ['at the top', 'log: {level: info}\nkmp: {}\n', [['kmp', 2, 1, /nearest known one is kmip$/]]],
  ['in the wrong section', 'maxBatch: 3\n', [['maxBatch', 1, 1, /nearest known one is kmip\.maxBatch$/]]],
  [
    'in a list',
    'seal:\n  - kind: local\n    keyfile: x\n',
    [
      ['seal[0].keyfile', 3, 5, /nearest known one is seal\[\]\.keyFile$/],
      ['seal[0]', 2, 5, /exactly one of/],
    ],
  ],
  [
    'all problems at once',
    'kmip:\n  maxBatch: 0\n  idle: soon\n',
    [
      ['kmip.maxBatch', 2, 13, /./],
      ['kmip.idle', 3, 9, /write a duration/],
    ],
  ],
  ['a wrong type', 'kmip:\n  maxBatch: many\n', [['kmip.maxBatch', 2, 13, /must be a number/]]],
  ['a list for a section', 'kmip: [1]\n', [['kmip', 1, 7, /must be a section/]]],
  ['a wrong choice', 'log: {level: loud}\n', [['log.level', 1, 14, /must be one of fatal, error/]]],
  ['an unknown kind', 'store:\n  kind: mysql\n', [['store.kind', 2, 9, /must be one of sqlite, vault, memory/]]],
  ['no kind', 'store:\n  path: x\n', [['store.kind', 1, 1, /must be there, and one of sqlite, vault, memory/]]],
  ['bits that do not fit', 'ca:\n  keyType: rsa\n  keyBits: 256\n', [['ca.keyBits', 3, 12, /rsa keys 2048/]]],
  ['an empty seal', 'seal: []\n', [['seal', 1, 7, /./]]],
  ['two keys', 'seal: [{kind: local, key: a, keyFile: b}]\n', [['seal[0]', 1, 8, /exactly one of/]]],
  ['a variable that is not set', 'kmip:\n  listen: ${NOWHERE}\n', [['kmip.listen', 2, 11, /variable NOWHERE is not set/]]],
  ['an open reference', 'audit: {file: "${x"}\n', [['audit.file', 1, 15, /\$\$ for a dollar sign/]]],
  ['a secret file that is not there', 'seal: [{kind: local, key: file:/no}]\n', [['seal[0].key', 1, 27, /cannot be read \(ENOENT\)/]]],
  ['a timer of nothing', 'kmip: {idle: 0s}\n', [['kmip.idle', 1, 14, /longer than nothing/]]],
  ['a timer that would overflow', 'kmip: {idle: 25d}\n', [['kmip.idle', 1, 14, /not be longer than 24d/]]],
  ['no port', 'kmip: {listen: 127.0.0.1}\n', [['kmip.listen', 1, 16, /host:port/]]],
  ['a host name with a space', 'kmip: {serverHostnames: [a, b c]}\n', [['kmip.serverHostnames[1]', 1, 29, /host name/]]],
  ['broken YAML', 'kmip:\n  idle: "1h\n', [['', 3, 1, /./]]],
  ['a key twice', 'kmip: {}\nkmip: {}\n', [['', 2, 1, /unique/]]],
  ['no mapping', '- a\n', [['', 1, 1, /key: value/]]],
  ['an alias of nothing', 'kmip: *there\n', [['', 1, 7, /no anchor &there/]]],
  ['a key that is a number', 'kmip: {}\n1: 2\n', [['1', 2, 1, /unknown setting/]]],
  ['a number too small', 'workers: 0\n', [['workers', 1, 10, /must be at least 1$/]]],
  ['an empty name', 'store: { kind: sqlite, path: "" }\n', [['store.path', 1, 30, /must not be empty$/]]],
  ['no server', 'store: { kind: vault, token: t }\n', [['store.server', 1, 1, /must be there, and one of url, list of url/]]],
  ['half of a form', 'admin: { tls: { certificate: a } }\n', [['admin.tls.key', 1, 10, /is missing/]]],
  ['one of a list', 'kmip: { listen: ["a:1", b] }\n', [['kmip.listen[1]', 1, 25, /write host:port/]]],
  [
    'a user twice',
    'accounts: [{ name: a, password: x }, { name: a, password: y }]\n',
    [['accounts', 1, 11, /two users have the same name/]],
  ],
]
for (const [name, text, problems] of BAD)
  t.test(`bad: ${name}`, async t => {
    const error = t.throws(() => parse(text), { name: 'ConfigError', code: 'config_invalid' }) as unknown as ConfigError
    t.equal(error.problems.length, problems.length, error.message)
    for (const [index, [path, line, column, message]] of problems.entries())
      t.match(error.problems[index], { path, line, column, message }, `problem ${index}`)
    if (problems[0]![1] > 0) t.match(error.message, `/etc/kmipd/kmipd.yaml:${problems[0]![1]}:${problems[0]![2]}: `)
  })

t.test('the nearest key, by a swap, by case, by place', async t => {
  t.equal(nearest('kmip.idel', ['kmip.listen', 'kmip.idle', 'log.level']), 'kmip.idle')
  t.equal(nearest('kmip.LISTEN', ['metrics.listen', 'kmip.listen']), 'kmip.listen')
  t.equal(nearest('metrics.lsten', ['kmip.listen', 'metrics.listen']), 'metrics.listen')
})

t.test('durations as Go and KES write them', async t => {
  const CASES: [text: string, ms: number | undefined][] = [
    ['5m0s', 300_000],
    ['1h2m3.5s', 3_723_500],
    ['1m1ms', 60_001],
    ['-1s', -1000],
    ['+1.s', 1000],
    ['.5s', 500],
    ['0', 0],
    ['1us', 0.001],
    ['1\u00b5s', 0.001],
    ['1\u03bcs', 0.001],
    ['5', undefined],
    ['.s', undefined],
    ['5x', undefined],
    ['1d', undefined],
    ['1constructor', undefined],
    ['5m ', undefined],
    ['', undefined],
  ]
  for (const [text, ms] of CASES) t.equal(readDuration(text, GO_UNITS), ms, text)
})

t.test('durations as Vault takes them', async t => {
  const CASES: [value: unknown, seconds: number | undefined][] = [
    [300, 300],
    ['300', 300],
    ['', 0],
    ['-5', -5],
    ['-5m', -300],
    ['1h30m', 5400],
    ['14d', 1_209_600],
    ['1999ms', 1],
    ['soon', undefined],
    ['-', undefined],
    [true, undefined],
    [null, undefined],
    [Number.NaN, undefined],
    [`${'9'.repeat(19)}w`, undefined],
  ]
  for (const [value, seconds] of CASES) t.equal(vaultSeconds(value), seconds, String(value))
})

t.test('booleans as Vault takes them', async t => {
  const CASES: [value: unknown, read: boolean | undefined][] = [
    [true, true],
    ['True', true],
    ['t', true],
    [2, true],
    [0, false],
    ['', false],
    ['FALSE', false],
    ['tRUE', undefined],
    ['yes', undefined],
    [null, undefined],
    [[], undefined],
  ]
  for (const [value, read] of CASES) t.equal(vaultBoolean(value), read, String(value))
})

t.test('durations and addresses are written as they are read', async t => {
  for (const text of ['0s', '1ms', '1500ms', '30s', '10m', '5h', '14d']) t.equal(formatDuration(parseDuration(text)), text)
  t.equal(formatDuration(parseDuration('336h')), '14d')
  for (const text of ['', '1', '-1s', '1.5h', '1w', '9999999999s']) t.throws(() => parseDuration(text), { name: 'RangeError' }, text)
  for (const text of ['localhost:0', '127.0.0.1:5696', '[::1]:65535']) t.equal(formatAddress(parseAddress(text)), text)
  for (const text of ['', ':1', 'a:', 'a:65536', '::1:5', '[a]:1', 'a b:1'])
    t.throws(() => parseAddress(text), { name: 'RangeError' }, text)
})

t.test('aliases of aliases are refused with the name of the file', async t => {
  const lines = ['a: &l0 [x, x, x, x, x, x, x, x, x, x]']
  for (let i = 1; i < 4; i++)
    lines.push(
      `b${i}: &l${i} [${Array(10)
        .fill(`*l${i - 1}`)
        .join(', ')}]`,
    )
  t.throws(() => parse(lines.join('\n')), { name: 'ConfigError', message: /^\/etc\/kmipd\/kmipd\.yaml: aliases of aliases/ })
})

t.test('all relative names stand in dataDir, those of secrets and of the KES door too', async t => {
  const text = 'dataDir: ${DIR}\naccounts: [{ name: a, password: file:pw }]\nkes: { config: kes.yml }\n'
  const config = parseConfig(text, '/etc/kmipd/kmipd.yaml', { env: { DIR: '../data' }, readFile: path => `content of ${path}` })
  t.match(config, { dataDir: '/etc/data', accounts: [{ password: 'content of /etc/data/pw' }], kes: { config: '/etc/data/kes.yml' } })
})

t.test('what is shown holds no secret, and is read again as it is', async t => {
  const login = 'server: https://a, approle: { id: r, secret: SECRET }, transit: { key: k }'
  const texts = [
    'accounts: [{ name: a, password: SECRET }]',
    'seal: [{ kind: local, key: SECRET }, { kind: passphrase, passphrase: SECRET-and-more }]',
    `seal: [{ kind: vault, ${login} }]`,
    `store: { kind: vault, ${login} }`,
    'store: { kind: vault, server: https://a, token: SECRET }',
    'store: { kind: vault, server: https://a, kubernetes: { role: r, jwt: SECRET } }',
    `hsm: { vault: { ${login} } }`,
  ]
  const shown = texts.map(text => JSON.stringify(written(parse(text))))
  for (const [i, text] of shown.entries()) t.notMatch(text, 'SECRET', `config ${i}`)
  const others = 'admin: { listen: "[::1]:1", tls: own }\nkmip: { listen: a:1 }\nkes: { config: /k }\nmetrics: { listen: off }\n'
  const config = parse(others)
  t.match(written(config).admin, { listen: '[::1]:1', tls: 'own' })
  t.same(parse(JSON.stringify(written(config))), config)
})

t.test('each setting is documented, and has a default or needs none', async t => {
  const all = settings()
  for (const { path, text, type } of all) {
    t.match(text, /[.:]/, `${path} says what it is`)
    t.not(type, '', `${path} says what can be written`)
  }
  t.match(jsonSchema(), { title: String, additionalProperties: false, properties: { kmip: { additionalProperties: false } } })
  const open = all.filter(setting => setting.default === undefined && setting.type !== 'section').map(setting => setting.path)
  // How Vault is reached is optional in its parts, and the same wherever it is written.
  const isOfVault = /^(store|seal\[\]|hsm(\.hashicorp)?\.vault)\.(server|namespace|token|approle|kubernetes|tls|transit)\b/
  t.same(
    open.filter(path => !isOfVault.test(path)),
    [
      'version',
      'accounts[].name',
      'accounts[].password',
      'accounts[].device.deviceSerialNumber',
      'accounts[].device.deviceIdentifier',
      'accounts[].device.networkIdentifier',
      'accounts[].device.machineIdentifier',
      'accounts[].device.mediaIdentifier',
      'store.kind',
      'seal[].kind',
      'seal[].keyFile',
      'seal[].key',
      'seal[].passphrase',
      'admin.tls',
      'kes.config',
      'notifications[].scope',
      'notifications[].role',
      'notifications[].address',
    ],
  )
})

t.test('the examples are right, and the unit names their files', async t => {
  const read = (name: string) => parseConfig(readFileSync(name, 'utf8'), `/etc/kmipd/${name.split('/').at(-1)}`, SOURCES)
  const example = read('examples/kmipd.yaml')
  const unit = readFileSync('deploy/kmipd.service', 'utf8')
  const writable = [...unit.matchAll(/^(State|Logs)Directory=(.+)$/gm)].map(
    ([, kind, name]) => `${kind === 'State' ? '/var/lib' : '/var/log'}/${name}/`,
  )
  if (example.store.kind !== 'sqlite') throw new Error('the example has another store')
  for (const file of [example.store.path, example.audit.file, `${example.dataDir}/`])
    t.ok(
      writable.some(directory => file.startsWith(directory)),
      `the unit lets kmipd write ${file}`,
    )
  t.match(unit, 'server --config /etc/kmipd/kmipd.yaml')
  t.match(example.seal, [{ kind: 'local', keyFile: /^\/etc\/kmipd\// }])
  const stop = /^TimeoutStopSec=(.+)$/m.exec(unit)?.[1] ?? ''
  t.ok(parseDuration(stop) > example.kmip.drain, 'the unit waits longer than the drain takes')
  t.match(read('deploy/container.yaml'), { audit: { file: '-' }, log: { level: 'info' }, dataDir: '/var/lib/kmipd' })
})

t.test('a seal in Vault', async t => {
  const { seal } = parse(`
seal:
  - kind: local
    keyFile: root.key
  - kind: vault
    server: [https://a:8200, https://b:8200/]
    namespace: ns-1/team
    approle: { id: role, secret: 'file:secret-id', wrapped: true, engine: roles/kms, namespace: /, retry: 15s }
    tls: { ca: ca.pem, cert: c.pem, key: /k.pem }
    status: { ping: 5s }
    transit: { key: kmipd-seal, path: my/transit }
    recheck: 5m
`)
  t.match(seal, [
    { kind: 'local', keyFile: '/etc/kmipd/root.key' },
    {
      kind: 'vault',
      server: ['https://a:8200', 'https://b:8200/'],
      namespace: 'ns-1/team',
      approle: { id: 'role', secret: 'file:/etc/kmipd/secret-id', wrapped: true, engine: 'roles/kms', namespace: '/', retry: 15_000 },
      tls: { ca: '/etc/kmipd/ca.pem', cert: '/etc/kmipd/c.pem', key: '/k.pem' },
      status: { ping: 5000 },
      transit: { key: 'kmipd-seal', path: 'my/transit' },
      recheck: 300_000,
    },
  ])
  const usual = parse('seal: [{ kind: vault, server: https://a, kubernetes: { role: r }, transit: { key: k } }]').seal[0]
  t.match(usual, {
    kubernetes: { jwt: '/var/run/secrets/kubernetes.io/serviceaccount/token', engine: 'kubernetes' },
    transit: { path: 'transit' },
  })
})

t.test('the block of MinIO KMS', async t => {
  const block = `
    server: https://vault.example.net:8200
    approle: { id: 1b2c, secret: very-secret, namespace: ns-1, path: approle }
    transit: { key: aistor-key-manager-hsm, namespace: ns-1, path: transit }`
  const expected = {
    kind: 'vault',
    server: ['https://vault.example.net:8200'],
    approle: { id: '1b2c', secret: 'very-secret', namespace: 'ns-1', engine: 'approle', wrapped: false },
    transit: { key: 'aistor-key-manager-hsm', namespace: 'ns-1', path: 'transit' },
  }
  t.match(parse(`hsm:\n  vault:${block}`).seal, [expected])
  t.match(parse(`version: v1\n\nhsm:\n  vault:${block}`).seal, [expected])
  t.throws(() => parse('version: v2'), { message: /version/ })
  const other = parse(`hsm:\n  hashicorp:\n    vault:${block.replaceAll('\n', '\n  ')}`)
  t.match(other.seal, [expected])
  const both = parse(`seal: [{ kind: local, keyFile: root.key }]\nhsm:\n  vault:${block}`)
  t.match(both.seal, [{ kind: 'local' }, expected], 'beside what is written under seal')
  t.notMatch(JSON.stringify(written(both)), 'very-secret')
  const kubernetes = parse(
    'hsm: { vault: { server: https://a, kubernetes: { role: r, jwt: /jwt, namespace: n, path: k8s }, transit: { key: k } } }',
  )
  t.match(kubernetes.seal, [{ kubernetes: { role: 'r', jwt: '/jwt', namespace: 'n', engine: 'k8s' } }])
})

t.test('what is wrong with a seal in Vault', async t => {
  const login = 'approle: { id: a, secret: b }'
  const CASES: readonly [yaml: string, message: RegExp][] = [
    [`server: https://a/v1, ${login}, transit: { key: k }`, /server.*without a path/],
    [`server: https://a, transit: { key: k }`, /exactly one of approle, kubernetes and token/],
    [`server: https://a, ${login}, token: t, transit: { key: k }`, /exactly one of approle, kubernetes and token/],
    [`server: https://a, ${login}, transit: { key: '../k' }`, /transit\.key/],
    [`server: https://a, ${login}, transit: { key: k, path: a/../b }`, /transit\.path/],
    [`server: https://a, ${login}, namespace: 'a b', transit: { key: k }`, /namespace/],
    [`server: https://a, ${login}`, /transit: is missing/],
  ]
  for (const [yaml, message] of CASES) t.throws(() => parse(`seal: [{ kind: vault, ${yaml} }]`), { message }, yaml)
  t.throws(() => parse(`hsm: { vault: { server: https://a, ${login}, transit: { key: k }, tls: {} } }`), { message: /unknown setting/ })
})
