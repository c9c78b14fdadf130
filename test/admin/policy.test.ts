import t from 'tap'
import { type Access, Acl } from '../../src/admin/auth/acl.ts'
import { parseHcl } from '../../src/admin/auth/hcl.ts'
import { parsePolicy } from '../../src/admin/auth/policy.ts'

const acl = (...texts: readonly string[]): Acl => new Acl(texts.map((text, i) => parsePolicy(`p${i}`, text)))
const ask = (operation: Access['operation'], path: string, more: Partial<Access> = {}): Access => ({
  ...{ operation, path, parameters: {} },
  ...more,
})

t.test('HCL as policies are written in', async t => {
  const text = `
# a comment
path "a/*" { // another
  capabilities = ["read", "list",] /* over
  two lines */
  allowed_parameters = { "x" = [1, -2.5, true, null], y = [] }
  note = <<-END
    one
    two
    END
}
"quoted" = "a\\"\\u0041\\n"`
  const [path, quoted] = parseHcl(text).entries
  t.match(path, { key: 'path', labels: ['a/*'], line: 3 })
  t.match(path!.value, {
    entries: [
      { key: 'capabilities', value: ['read', 'list'], line: 4 },
      {
        key: 'allowed_parameters',
        value: {
          entries: [
            { key: 'x', value: [1, -2.5, true, null] },
            { key: 'y', value: [] },
          ],
        },
        line: 6,
      },
      { key: 'note', value: 'one\ntwo\n', line: 7 },
    ],
  })
  t.match(quoted, { key: 'quoted', value: 'a"A\n', line: 12 })
  t.same(parseHcl('{"a": {"b": [1]}}').entries[0]?.value, { entries: [{ key: 'b', labels: [], value: [1], line: 1 }] })

  const BROKEN: readonly (readonly [text: string, message: string])[] = [
    ['path "a" {\n capabilities = ["read"\n}', 'unexpected "}" where ] was expected on line 3'],
    ['path "a" {', 'end of the text where } was expected on line 1'],
    ['a = \n"b', 'a text that does not end on line 2'],
    ['a = 1\n/* b', 'a comment that does not end on line 2'],
    ['a = $x', 'unexpected "$" on line 1'],
    ['a = b', 'unexpected "b" where a value was expected on line 1'],
    ['a 1', 'unexpected "1" where = or { was expected on line 1'],
    ['a = 5x', 'unexpected "5" on line 1'],
    ['a = "\\q"', 'unknown escape \\q in a text on line 1'],
    ['a = 1 }', 'unexpected "}" where a key was expected on line 1'],
    [`a = ${'['.repeat(30)}`, 'nested too deeply on line 1'],
  ]
  for (const [text, message] of BROKEN) t.throws(() => parseHcl(text), { name: 'HclError', message }, message)
})

t.test('policies are read as written, in HCL and in JSON', async t => {
  const hcl = parsePolicy('p', 'path "/kmip/scope/+" { capabilities = ["read"]\n min_wrapping_ttl = "1m30s" max_wrapping_ttl = 100 }')
  const json = parsePolicy(
    'p',
    '{"path": {"kmip/scope/+": {"capabilities": ["read"], "min_wrapping_ttl": "90", "max_wrapping_ttl": "100s"}}}',
  )
  t.same(hcl, json)
  t.match(hcl.rules[0], { path: 'kmip/scope/+', minWrappingSeconds: 90, maxWrappingSeconds: 100 })
  t.same(
    parsePolicy('p', '{"path": [{"a": {"policy": "read"}}, {"b": {"capabilities": ["read", "deny"]}}]}').rules.map(
      ({ path, capabilities }) => [path, [...capabilities]],
    ),
    [
      ['a', ['read', 'list']],
      ['b', ['deny']],
    ],
  )
  t.same(parsePolicy('p', '').rules, [])

  const BROKEN: readonly (readonly [text: string, message: RegExp])[] = [
    ['path "a" {\n capabilities = ["raed"] }', /invalid capability "raed" in capabilities on line 2/],
    ['path "a" { control_group = {} }', /path "a": invalid key "control_group" on line 1/],
    ['paths "a" {}', /invalid key "paths" on line 1/],
    ['path "a/+*" {}', /'\+\*' is forbidden/],
    ['path "a" { min_wrapping_ttl = "10s" max_wrapping_ttl = "5s" }', /cannot be less/],
    ['path "a" { policy = "all" }', /invalid policy "all"/],
    ['path "a" { allowed_parameters = { x = "1" } }', /the values of x must be a list/],
    ['path "a" { max_wrapping_ttl = "soon" }', /a duration is needed in max_wrapping_ttl/],
    ['path {', /end of the text where } was expected/],
    ['path "a" "b" {}', /a path needs a name and a block/],
  ]
  for (const [text, message] of BROKEN) t.throws(() => parsePolicy('p', text), { name: 'PolicyError', message }, String(message))
})

t.test('the most exact path decides', async t => {
  /** Two paths that both match, the one that decides first. */
  const PAIRS: readonly (readonly [winner: string, loser: string, path: string])[] = [
    ['a/b', 'a/*', 'a/b'],
    ['a/b', 'a/+', 'a/b'],
    ['a/b*', 'a/*', 'a/bc'],
    ['a/*', '*', 'a/bc'],
    ['a/b/+/d', 'a/+/c/d', 'a/b/c/d'],
    ['a/+/c', 'a/+/c*', 'a/b/c'],
    ['a/+/c/*', 'a/+/+/*', 'a/b/c/d'],
    ['a/+/cd*', 'a/+/c*', 'a/b/cde'],
    ['a/b*', 'a/+/c', 'a/b/c'],
    ['+/b', '*', 'a/b'],
    ['a/+', 'a/*', 'a/b'],
  ]
  for (const [winner, loser, path] of PAIRS) {
    const rule = (path: string, capability: string): string => `path "${path}" { capabilities = ["${capability}"] }`
    for (const texts of [
      [rule(winner, 'read'), rule(loser, 'delete')],
      [rule(loser, 'delete'), rule(winner, 'read')],
    ]) {
      t.same(
        [acl(...texts).capabilities(path), acl(texts.join('\n')).capabilities(path)],
        [['read'], ['read']],
        `${winner} before ${loser}`,
      )
    }
  }
  const MISSES: readonly (readonly [pattern: string, path: string])[] = [
    ['a/+', 'a/b/c'],
    ['a/+', 'a'],
    ['a/+/c', 'a/b/d'],
    ['a/+/c*', 'a/b'],
    ['a*b', 'axb'],
    ['a+', 'ab'],
    ['a/*', 'a'],
  ]
  for (const [pattern, path] of MISSES)
    t.same(acl(`path "${pattern}" { capabilities = ["read"] }`).capabilities(path), ['deny'], `${pattern} is not ${path}`)
})

t.test('what a policy reaches', t => {
  const CASES: readonly (readonly [rule: string, reached: readonly string[]])[] = [
    ['kmip/scope/x', ['kmip/']],
    ['kmip', ['kmip/']],
    ['*', ['kmip/', 'team/a/', 'team/b/']],
    ['te*', ['team/a/', 'team/b/']],
    ['team/a/scope/*', ['team/a/']],
    ['+/scope', ['kmip/']],
    ['+/scope*', ['kmip/']],
    ['team/+/scope', ['team/a/', 'team/b/']],
    ['+/a*', ['kmip/', 'team/a/']],
    ['+/+', ['kmip/', 'team/a/', 'team/b/']],
    ['tea', []],
  ]
  const places = ['kmip/', 'team/a/', 'team/b/']
  for (const [rule, reached] of CASES) {
    const found = acl(`path "${rule}" { capabilities = ["read"] }`)
    t.same(
      places.filter(place => found.reaches(place)),
      reached,
      rule,
    )
    t.notOk(acl(`path "${rule}" { capabilities = ["deny"] }`).reaches('kmip/'), `${rule} denied`)
  }
  t.end()
})

t.test('several policies are one, and deny wins', async t => {
  const both = acl('path "a" { capabilities = ["read"] }', 'path "a" { capabilities = ["update", "sudo"] }')
  t.same(both.capabilities('a'), ['read', 'sudo', 'update'])
  t.ok(both.isSudo('a'))
  const denied = acl(
    'path "a" { capabilities = ["read"] }',
    'path "a" { capabilities = ["deny"] }',
    'path "a" { capabilities = ["update"] }',
  )
  t.same(denied.capabilities('a'), ['deny'])
  t.notOk(denied.allows(ask('update', 'a')))
  const root = new Acl([{ name: 'root', rules: [] }])
  t.same([root.capabilities('x'), root.isSudo('x'), root.allows(ask('delete', 'x'))], [['root'], true, true])
  t.notOk(acl().allows(ask('read', 'a')))
  t.ok(acl().allows(ask('help', 'a')))
  t.ok(acl('path "a" { capabilities = ["list"] }').allows(ask('list', 'a/')), 'a list with a slash at its end')
  t.notOk(acl('path "a" { capabilities = ["read"] }').allows(ask('read', 'a/')))
})

t.test('a list goes by the rules of its path with the slash', t => {
  const CASES: readonly (readonly [name: string, text: string, path: string, isAllowed: boolean])[] = [
    ['deny below', 'path "a/*" { capabilities = ["list"] } path "a/b/*" { capabilities = ["deny"] }', 'a/b', false],
    ['list below', 'path "a/*" { capabilities = ["read"] } path "a/b/*" { capabilities = ["list"] }', 'a/b', true],
    ['list below a deny', 'path "a/*" { capabilities = ["deny"] } path "a/b/*" { capabilities = ["list"] }', 'a/b', true],
    ['another right at +', 'path "a/*" { capabilities = ["list"] } path "a/+" { capabilities = ["update"] }', 'a/b', true],
    ['list at +, which Vault does not see', 'path "a/*" { capabilities = ["read"] } path "a/+" { capabilities = ["list"] }', 'a/b', true],
    ['deny at +, which Vault does not see', 'path "a/*" { capabilities = ["list"] } path "a/+" { capabilities = ["deny"] }', 'a/b', false],
    ['a part that is empty', 'path "a/+" { capabilities = ["list"] }', 'a', true],
  ]
  for (const [name, text, path, isAllowed] of CASES) t.equal(acl(text).allows(ask('list', path)), isAllowed, name)
  t.end()
})

t.test('parameters and wrapping are bounded', async t => {
  const text = `path "a" {
    capabilities = ["create", "update", "list", "delete"]
    required_parameters = ["Format"]
    allowed_parameters = { "format" = ["pem*", "der"], "ttl" = [60, "2*"], "flag" = [true], "note" = [] }
    denied_parameters = { "note" = ["*x*"] }
  }`
  const CASES: readonly (readonly [parameters: Access['parameters'], isAllowed: boolean])[] = [
    [{ format: 'pem' }, true],
    [{ format: 'pem_bundle' }, true],
    [{ FORMAT: 'pem' }, false],
    [{ format: null }, false],
    [{ format: 'der' }, true],
    [{ format: 'xml' }, false],
    [{}, false],
    [{ format: 'pem', ttl: 60 }, true],
    [{ format: 'pem', ttl: '60' }, true],
    [{ format: 'pem', ttl: '200' }, true],
    [{ format: 'pem', ttl: 61 }, false],
    [{ format: 'pem', flag: 'true' }, true],
    [{ format: 'pem', flag: false }, false],
    [{ format: 'pem', note: { any: 'thing' } }, true],
    [{ format: 'pem', note: 'axe' }, false],
    [{ format: 'pem', other: 1 }, false],
  ]
  for (const [parameters, isAllowed] of CASES)
    t.equal(acl(text).allows(ask('update', 'a', { parameters })), isAllowed, JSON.stringify(parameters))
  t.ok(acl(text).allows(ask('list', 'a')), 'not for list')
  t.ok(acl(text).allows(ask('delete', 'a')), 'nor for delete')

  const denied = acl('path "a" { capabilities = ["update"] denied_parameters = { "*" = [] } }')
  t.same([denied.allows(ask('update', 'a')), denied.allows(ask('update', 'a', { parameters: { x: 1 } }))], [true, false])
  const others = acl('path "a" { capabilities = ["update"] allowed_parameters = { "*" = [], x = ["1"] } }')
  t.same(
    [{ y: 2 }, { x: 1 }, { x: 2 }].map(parameters => others.allows(ask('update', 'a', { parameters }))),
    [true, true, false],
  )

  const wrapped = acl('path "a" { capabilities = ["read"] min_wrapping_ttl = "10s" max_wrapping_ttl = "1m" }')
  const [shorter, first, last, longer, none] = [9, 10, 60, 61, undefined].map(wrapSeconds =>
    wrapped.allows(ask('read', 'a', { wrapSeconds })),
  )
  const twice = acl(`path "a" {
    capabilities = ["update"]
    denied_parameters = { x = ["1"] x = ["2"] }
    denied_parameters = { y = [] }
    required_parameters = ["z"]
    required_parameters = ["w"]
  }`)
  t.same(
    [{}, { x: 1 }, { x: 2 }, { y: 1 }, { x: 3 }].map(parameters =>
      twice.allows(ask('update', 'a', { parameters: { w: 1, z: 1, ...parameters } })),
    ),
    [true, false, false, false, true],
    'what stands twice counts twice',
  )
  t.notOk(twice.allows(ask('update', 'a', { parameters: { w: 1 } })))
  const narrow = acl('path "a" { capabilities = ["update"] allowed_parameters = { x = [] x = ["1"] } }')
  t.same(
    [{ x: 1 }, { x: 2 }].map(parameters => narrow.allows(ask('update', 'a', { parameters }))),
    [true, false],
  )
  const nested = acl('path "a" { capabilities = ["update"] allowed_parameters = { x = [["1", "2"]] } }')
  t.same(
    [{ x: ['1', '2'] }, { x: ['1'] }, { x: '1' }].map(parameters => nested.allows(ask('update', 'a', { parameters }))),
    [true, false, false],
    'a list among the values',
  )
  for (const value of ['[["x"]]', '[]']) t.throws(() => acl(`path "a" { allowed_parameters = ${value} }`), { name: 'PolicyError' }, value)
  t.same({ shorter, first, last, longer, none }, { shorter: false, first: true, last: true, longer: false, none: false })
})
