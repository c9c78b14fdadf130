import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Identities } from '../../src/admin/auth/identities.ts'
import { openData } from '../../src/cli/data.ts'
import { keptRootToken } from '../../src/cli/root-token.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { openAudit } from '../../src/server/audit.ts'
import { auditKey, writeAnchor } from '../../src/server/audit-anchors.ts'
import { AuditChain } from '../../src/server/audit-chain.ts'
import { run } from './run.ts'

const TOKEN = /hvs\.[0-9A-Za-z]{24}/

async function made(dir: string) {
  const outcome = await run(['init', '--data-dir', '.'], { cwd: dir })
  const data = await openData(parseConfig('', join(dir, 'kmipd.yaml'), { env: {}, readFile: () => '' }), 'command')
  return { outcome, data, identities: await Identities.open({ records: data.records, now: Date.now }) }
}

t.test('init shows a root token once, and a lost one is replaced', async t => {
  const dir = t.testdir({})
  const { outcome, data, identities } = await made(dir)
  t.teardown(() => data.close())
  const [token = ''] = TOKEN.exec(outcome.out) ?? []
  t.match((await identities.tokens.find(token))?.row, { policies: ['root'], uses: 0 })
  t.notMatch((await run(['init', '--data-dir', '.'], { cwd: dir })).out, TOKEN)
  const another = (await run(['token', 'create-root', '--data-dir', '.'], { cwd: dir })).out.trim()
  t.match((await identities.tokens.find(another))?.row, { policies: ['root'] })
  t.not(another, token)
  await identities.tokens.revoke(identities.store.id('token', token))
  await identities.tokens.revoke(identities.store.id('token', another))
  t.match((await run(['init', '--data-dir', '.'], { cwd: dir })).out, TOKEN, 'when none is good any more')

  const file = await keptRootToken(data, dir)
  t.equal(statSync(file).mode & 0o777, 0o600)
  const kept = readFileSync(file, 'utf8')
  await keptRootToken(data, dir)
  t.equal(readFileSync(file, 'utf8'), kept)
  await identities.tokens.revoke(identities.store.id('token', kept.trim()))
  await keptRootToken(data, dir)
  t.not(readFileSync(file, 'utf8'), kept)
  t.match(
    await run(['store', 'verify', '--data-dir', '.'], { cwd: dir }),
    { code: 0, out: / records, 0 problems/ },
    'the index is as its rows say',
  )
})

t.test('audit verify', async t => {
  const dir = t.testdir({})
  const { data } = await made(dir)
  const file = join(dir, 'audit.log')
  const chain = new AuditChain(await auditKey(data.records))
  const audit = openAudit({ file, chain })
  for (const remark of ['one', 'two', 'three'])
    audit.write(`${JSON.stringify({ type: 'audit', time: new Date().toISOString(), remark })}\n`)
  audit.close()
  await writeAnchor(data.records, chain.head!, Date.now())
  await data.close()
  const verify = (...argv: string[]) => run(['audit', 'verify', '--data-dir', '.', ...argv], { cwd: dir })
  t.match(await verify(), { code: 0, out: '3 lines, 3 links in 1 chains, 0 problems\n' })
  t.match(JSON.parse((await verify('--json')).out), { lines: 3, problems: [] })
  const lines = readFileSync(file, 'utf8').split('\n')
  writeFileSync(file, lines.toSpliced(1, 1).join('\n'))
  t.match(await verify('audit.log'), { code: 1, out: /audit\.log:2: 1 links of chain/, err: /does not stand as it was written/ })
  writeFileSync(file, lines.toSpliced(2, 1).join('\n'))
  t.match(await verify(), { code: 1, out: /ends here, but it had 1 links more/ })
})

t.test('a credential overwrites no key, and is not made where it cannot be written', async t => {
  const dir = t.testdir({ taken: 'a file' })
  const kmipd = (...argv: string[]) => run([...argv, '--data-dir', '.'], { cwd: dir })
  await kmipd('init')
  const made = await kmipd('scope', 'create', 's', '--json')
  t.same(JSON.parse(made.out), { id: JSON.parse((await kmipd('scope', 'read', 's', '--json')).out).id, name: 's' })
  await kmipd('role', 'write', 's', 'r', 'operation_all=true')
  t.match(await kmipd('credential', 'generate', 's', 'r', '--out', 'client'), { code: 0 })
  const key = readFileSync(join(dir, 'client', 'key.pem'), 'utf8')
  t.match(await kmipd('credential', 'generate', 's', 'r', '--out', 'client'), { code: 2, err: /key\.pem is there already/ })
  t.equal(readFileSync(join(dir, 'client', 'key.pem'), 'utf8'), key)
  t.match(await kmipd('credential', 'generate', 's', 'r', '--out', 'taken'), { code: 1, err: /EEXIST/ })
  t.equal((await kmipd('credential', 'list', 's', 'r')).out.trim().split('\n').length, 1, 'one was made')
})
