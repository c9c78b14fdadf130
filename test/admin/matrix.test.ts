import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { apiMounts } from '../../src/admin/api.ts'
import { Acl } from '../../src/admin/auth/acl.ts'
import { createGuard } from '../../src/admin/auth/guard.ts'
import { parsePolicy } from '../../src/admin/auth/policy.ts'
import type { Operation } from '../../src/admin/route.ts'
import { createEngine } from '../../src/ops/create-engine.ts'
import { openMounts } from '../../src/scopes/mounts.ts'
import { identityLab, START } from './identity-lab.ts'
import { doorLab } from './lab.ts'

/**
 * A model of what policies allow, written without a look at the code: every rule that matches is put in order by the sentences of the
 * documentation, and the last one decides.
 */
interface Rule {
  readonly path: string
  readonly capabilities: readonly string[]
}

function matches(rule: string, path: string): boolean {
  const isGlob = rule.endsWith('*')
  const source = (isGlob ? rule.slice(0, -1) : rule)
    .split('/')
    .map(part => (part === '+' ? '[^/]*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('/')
  return new RegExp(`^${source}${isGlob ? '.*' : ''}$`).test(path)
}

/** How exact a rule is, as keys to compare one after another; the greatest decides. */
function exactness(rule: string): readonly (number | string)[] {
  const parts = rule.split('/')
  const pluses = parts.filter(part => part === '+').length
  const isGlob = rule.endsWith('*')
  const plus = parts.includes('+') ? rule.indexOf('+') : Number.POSITIVE_INFINITY
  const wild = Math.min(plus, isGlob ? rule.length - 1 : Number.POSITIVE_INFINITY)
  return [wild === Number.POSITIVE_INFINITY ? 1 : 0, wild, isGlob ? 0 : 1, -pluses, rule.length, rule]
}

function isMoreExact(a: string, b: string): boolean {
  const [left, right] = [exactness(a), exactness(b)]
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return left[i]! > right[i]!
  return false
}

function decides(rules: readonly Rule[], path: string, fitsToo = (_rule: string) => false): readonly string[] | undefined {
  const paths = [...new Set(rules.map(rule => rule.path))].filter(rule => matches(rule, path) || fitsToo(rule))
  const best = paths.reduce<string | undefined>(
    (known, rule) => (known === undefined || isMoreExact(rule, known) ? rule : known),
    undefined,
  )
  if (best === undefined) return undefined
  const all = rules.filter(rule => rule.path === best).flatMap(rule => rule.capabilities)
  return all.includes('deny') ? [] : all
}

function modelAllows(rules: readonly Rule[], operation: Operation, path: string): boolean {
  if (operation !== 'list') return decides(rules, path)?.includes(operation) ?? false
  // Exact rules come first, with a slash and without; then those with wildcards, by the path with a slash. One with + may leave it out.
  const hasPlus = (rule: string): boolean => rule.split('/').includes('+')
  const isExact = (rule: Rule): boolean => !hasPlus(rule.path) && !rule.path.endsWith('*')
  const [exact, wild] = [rules.filter(isExact), rules.filter(rule => !isExact(rule))]
  const says = (rule: string): boolean => wild.some(({ path, capabilities }) => path === rule && /list|deny/.test(capabilities.join()))
  const found =
    decides(exact, `${path}/`) ??
    decides(exact, path) ??
    decides(wild, `${path}/`, rule => !rule.endsWith('*') && says(rule) && matches(rule, path))
  return found?.includes('list') ?? false
}

/** The same sequence each time, so that a failure can be looked at again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const RULES = [
  ...[
    'kv/a',
    'kv/a/',
    'kv/b',
    'kv/ab',
    'kv/a/b',
    'kv/a/b/c',
    'kv/*',
    'kv/a*',
    'kv/a/*',
    'kv/ab*',
    '*',
    'kv/+',
    'kv/+/b',
    'kv/+/+',
    'kv/a/+',
  ],
  ...['kv/+/b*', 'kv/+/*', '+/a', '+/+/b', 'kv/+/b/c', 'kv/+/+/c', 'kv/a/+/c', 'kv/+/+/*', 'k*', 'kv/a+', 'kv', 'kv/+/'],
]
const PATHS = ['kv/a', 'kv/b', 'kv/ab', 'kv/abc', 'kv/a/b', 'kv/b/b', 'kv/a/bc', 'kv/a/b/c', 'kv/x/y/c', 'kv/x/y/z/w', 'kv', 'other/a']
const OPERATIONS = ['create', 'read', 'update', 'patch', 'delete', 'list'] as const satisfies Operation[]
const CAPABILITIES = [...OPERATIONS, 'sudo', 'deny'] as const

/** Two or three policies of some rules each. */
function policiesFrom(random: (below: number) => number): Rule[][] {
  return Array.from({ length: 1 + random(3) }, () =>
    Array.from({ length: 1 + random(5) }, () => ({
      path: RULES[random(RULES.length)]!,
      // Deny is rare, or nothing else would be seen.
      capabilities: CAPABILITIES.filter(capability => random(capability === 'deny' ? 12 : 3) === 0),
    })),
  )
}

const textOf = (rules: readonly Rule[]): string =>
  rules.map(({ path, capabilities }) => `path "${path}" { capabilities = ${JSON.stringify(capabilities)} }`).join('\n')

t.test('policies allow what a small model of them allows', async t => {
  const random = randomFrom(20_260_101)
  let [allowed, denied] = [0, 0]
  for (let round = 0; round < 500; round++) {
    const policies = policiesFrom(random)
    const acl = new Acl(policies.map((rules, i) => parsePolicy(`p${i}`, textOf(rules))))
    const rules = policies.flat()
    for (const path of PATHS)
      for (const operation of OPERATIONS) {
        const expected = modelAllows(rules, operation, path)
        if (acl.allows({ operation, path, parameters: {} }) !== expected)
          t.fail(`${operation} ${path} is ${expected ? 'refused' : 'allowed'} by\n${textOf(rules)}`)
        expected ? allowed++ : denied++
      }
  }
  t.ok(allowed > 3000 && denied > 3000, `${allowed} allowed, ${denied} denied`)
})

t.test('token by path by method, through the door', async t => {
  const lab = await identityLab()
  const random = randomFrom(7)
  const METHODS: readonly (readonly [method: string, suffix: string, operation: Operation])[] = [
    ['GET', '', 'read'],
    ['PUT', '', 'update'],
    ['POST', '', 'update'],
    ['DELETE', '', 'delete'],
    ['GET', '?list=true', 'list'],
    ['LIST', '', 'list'],
  ]
  const paths = PATHS.filter(path => path.startsWith('kv/'))
  const written = new Set<string>()
  let [open, closed] = [0, 0]
  for (let round = 0; round < 5; round++) {
    const policies = policiesFrom(random)
    const names = await Promise.all(
      policies.map(async (rules, i) => {
        const name = `round-${round}-${i}`
        t.match(await lab.ask('PUT', `sys/policies/acl/${name}`, { policy: textOf(rules) }), { status: 204 })
        return name
      }),
    )
    const token = await lab.child({ policies: names })
    for (const path of paths)
      for (const [method, suffix, asked] of METHODS) {
        const operation = asked === 'update' && !written.has(path) ? 'create' : asked
        const expected = modelAllows(policies.flat(), operation, path)
        const { status } = await lab.as(token, method, `${path}${suffix}`, asked === 'update' ? {} : undefined)
        if ((status !== 403) !== expected) t.fail(`${method} ${path}${suffix} (${operation}) answers ${status}\n${textOf(policies.flat())}`)
        if (expected && asked === 'update') written.add(path.slice(0))
        expected ? open++ : closed++
      }
  }
  t.ok(open > 50 && closed > 50, `${open} open, ${closed} closed`)
  t.same(lab.errors, [])
})

t.test('nothing is open without a token but what must be, in the whole API', async t => {
  const lab = await identityLab()
  const { identities, records } = lab
  const never = async (): Promise<never> => {
    throw new Error('this is not for everybody')
  }
  const engine = createEngine({ records, now: () => 0n, randomBytes, newId: randomUUID })
  const engines = await openMounts({ records, now: () => START })
  const mounts = apiMounts({
    ...{ mounts: engines, identities, version: '0.0.0', now: () => START, newId: randomUUID },
    sockets: { apply: never },
    unready: () => undefined,
    live: { overview: never, kes: () => undefined },
    objects: {
      ...{ records, history: never, traces: never, forgetTraces: never, now: () => 0n, record: () => undefined },
      ...{ kmip: engine, clients: engine },
    },
  })
  const door = doorLab(mounts, { guard: createGuard(identities) })
  const ask = async (token: string, method: string, path: string, verb: string) =>
    (await door.ask(method, `/v1/${path}`, verb === 'write' ? {} : undefined, { 'x-vault-token': token })).status
  const OPEN = [
    ...[
      'auth/approle/login',
      'auth/cert/login',
      'auth/userpass/login/:username',
      'sys/health',
      'sys/init',
      'sys/leader',
      'sys/seal-status',
    ],
    ...['kmip/ca/:name/crl', 'kmip/ca/:name/crl/pem', 'kmip/crl', 'kmip/crl/pem'],
    ...['sys/wrapping/lookup', 'sys/wrapping/rewrap', 'sys/wrapping/unwrap'],
  ]
  for (const type of ['approle', 'cert', 'userpass']) await lab.ask('POST', `sys/auth/${type}`, { type })
  const nobody = await lab.child({ policies: ['nothing'], no_default_policy: true })
  const METHODS = { read: 'GET', write: 'PUT', delete: 'DELETE', list: 'LIST', patch: 'PATCH' } as const
  const open: string[] = []
  let closed = 0
  for (const mount of await mounts())
    for (const { path, access, actions } of mount.routes) {
      const whole = `${mount.path}${path}`
      if (access === 'open') {
        open.push(whole)
        continue
      }
      const target = whole.replace(/:\w+\+?/g, 'x')
      for (const verb of Object.keys(actions) as (keyof typeof METHODS)[]) {
        if (verb === 'patch') continue
        closed++
        t.equal(await ask('', METHODS[verb], target, verb), 403, `${METHODS[verb]} ${target} without a token`)
        t.equal(await ask(nobody, METHODS[verb], target, verb), 403, `${METHODS[verb]} ${target} without a right`)
      }
    }
  t.same(open.sort(), OPEN.sort())

  // Who has nothing to do with an engine does not see that it is there.
  await engines.enable('team-a/', {})
  await engines.enable('team-b/', {})
  await lab.ask('PUT', 'sys/policies/acl/a', {
    policy: 'path "team-a/scope/+" { capabilities = ["read"] } path "team-b/*" { capabilities = ["deny"] }',
  })
  const member = await lab.child({ policies: ['a'] })
  const see = async (path: string) => await door.ask('GET', `/v1/sys/internal/ui/mounts${path}`, undefined, { 'x-vault-token': member })
  const { auth, secret } = (await see('')).body.data as Record<'auth' | 'secret', object>
  t.same([Object.keys(auth), Object.keys(secret)], [['token/'], ['team-a/', 'sys/']])
  t.match(
    [await see('/team-a/scope/x'), await see('/team-b/scope/x'), await see('/kmip')],
    [{ status: 200 }, { status: 403 }, { status: 403 }],
  )
  t.ok(closed > 100, `${closed} requests`)
  t.same(door.errors, [])
})
