import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { openAudit } from '../../src/server/audit.ts'
import { type Anchor, anchorsIn, auditKey, writeAnchor } from '../../src/server/audit-anchors.ts'
import { AuditChain, linkIn } from '../../src/server/audit-chain.ts'
import { verifyAudit } from '../../src/server/audit-verification.ts'
import { MemoryStore } from '../../src/store/memory.ts'

const START = Date.parse('2026-01-01T00:00:00Z')
const key = randomBytes(32)
let ticks = 0
const line = (remark: string): string =>
  `${JSON.stringify({ type: 'audit', time: new Date(START + ticks++ * 1000).toISOString(), remark })}\n`
const verify = (files: readonly string[], anchors: readonly Anchor[] = []) => verifyAudit({ files, key, anchors, isCurrent: true })
const linesOf = (file: string): string[] => readFileSync(file, 'utf8').trimEnd().split('\n')

/** A log of two processes, five writes of one or three lines each, in turn. */
function twoProcesses(file: string): { readonly anchors: Anchor[] } {
  const chains = [new AuditChain(key), new AuditChain(key)]
  const audits = chains.map(chain => openAudit({ file, chain }))
  for (let i = 0; i < 10; i++)
    audits[i % 2]!.write(i % 3 === 0 ? line(`a${i}`) : `${line(`a${i}`)}${line(`b${i}`)}${line('é\\ " ,"chain":"')}`)
  for (const audit of audits) audit.close()
  return { anchors: chains.map(chain => ({ ...chain.head!, timeMs: START + ticks * 1000 })) }
}

t.test('a log is verified as it was written, and nothing can be changed unseen', async t => {
  const file = join(t.testdir(), 'audit.log')
  const { anchors } = twoProcesses(file)
  const good = linesOf(file)
  for (const text of good) t.equal(JSON.parse(text).type, 'audit')
  t.same(await verify([file], anchors), { lines: good.length, links: 10, chains: 2, problems: [], continued: [] })

  const tampered = async (lines: readonly string[], known = anchors) => {
    writeFileSync(file, `${lines.join('\n')}\n`)
    return (await verify([file], known)).problems
  }
  for (let i = 0; i < good.length; i++) {
    t.not((await tampered(good.filter((_, at) => at !== i))).length, 0, `line ${i + 1} removed`)
    t.not(
      (await tampered(good.map((text, at) => (at === i ? text.replace('"a', '"z').replace('"b', '"z').replace('é', 'e') : text)))).length,
      0,
      `line ${i + 1} changed`,
    )
    t.not((await tampered([...good.slice(0, i), line('new').trimEnd(), ...good.slice(i)])).length, 0, `a line put before line ${i + 1}`)
    const last = good[i + 1]
    // Two whole writes of different processes may as well have come in the other order.
    if (last !== undefined && !(linkIn(good[i]!) && linkIn(last)))
      t.not((await tampered([...good.slice(0, i), last, good[i]!, ...good.slice(i + 2)])).length, 0, `lines ${i + 1} and ${i + 2} swapped`)
    if (i > 0) t.not((await tampered(good.slice(0, i))).length, 0, `cut before line ${i + 1}`)
    if (i > 0) t.not((await tampered(good.slice(i))).length, 0, `cut off up to line ${i}`)
  }
  const own = linkIn(good[0]!)!.chain
  const without = await tampered(good.filter(text => linkIn(text)?.chain !== own))
  t.ok(
    without.some(
      ({ problem }) => problem === `chain ${own} is missing, which had 5 links at ${new Date(anchors[0]!.timeMs).toISOString()}`,
    ),
    'a chain removed',
  )
  t.match(await tampered([...good, line('x').trimEnd()]), [{ line: good.length + 1, problem: /a line that no link covers/ }])
  t.match(await tampered(good, [{ ...anchors[0]!, link: 9 }]), [{ problem: /it had 5 links more at/ }])
  t.match(await tampered(good, [{ ...anchors[0]!, hash: 'A'.repeat(43) }]), [{ problem: /is not the one that the store remembers/ }])
  writeFileSync(file, '')
  t.match((await verify([file], anchors)).problems, [{ problem: /chain .* is missing/ }, { problem: /chain .* is missing/ }])
  const forged = new AuditChain(randomBytes(32))
  t.match(await tampered([forged.link(line('x')).text.trimEnd()], []), [{ line: 1, problem: /was changed/ }])
  writeFileSync(file, `${good.join('\n')}\n{"type":"aud`)
  t.match((await verify([file], anchors)).problems, [{ problem: /does not end/ }])
})

t.test('over rotation and restart', async t => {
  const file = join(t.testdir(), 'audit.log')
  const chain = new AuditChain(key)
  const audit = openAudit({ file, chain })
  t.equal(chain.head, undefined)
  audit.write(line('1'))
  audit.write(line('2'))
  renameSync(file, `${file}.1`)
  audit.write(line('3'))
  audit.reopen()
  audit.write(line('4'))
  audit.write(line('5'))
  audit.close()
  const again = openAudit({ file, chain: new AuditChain(key) })
  again.write(line('6'))
  again.close()
  t.match(await verify([`${file}.1`, file]), { lines: 6, links: 6, chains: 2, problems: [], continued: [] })
  const alone = await verify([file])
  t.match(alone, { problems: [], continued: [chain.head?.chain] }, 'the newer file by itself')
  t.match(await verifyAudit({ files: [`${file}.1`], key, anchors: [{ ...chain.head!, timeMs: Date.now() }], isCurrent: false }), {
    problems: [],
  })
  writeFileSync(`${file}.1`, `${linesOf(`${file}.1`).slice(0, 2).join('\n')}\n`)
  t.match((await verify([`${file}.1`, file])).problems, [{ file, line: 1, problem: /1 links of chain .* are missing before/ }])
})

t.test('a line that a full disk or a crash cut off spoils none behind it, after a restart and a rotation too', async t => {
  const file = join(t.testdir(), 'audit.log')
  const chain = new AuditChain(key)
  const audit = openAudit({ file, chain })
  audit.write(line('1'))
  const torn = '{"type":"audit","time":"2026-01-0'
  writeFileSync(file, torn, { flag: 'a' })
  const again = openAudit({ file, chain: new AuditChain(key) })
  again.write(line('2'))
  again.write(line('3'))
  again.close()
  t.match((await verify([file])).problems, [{ line: 2, problem: /a line that no link covers/ }], 'but what was cut off is told')
  t.same([linesOf(file).length, linesOf(file)[1]], [4, torn])
  writeFileSync(file, `${line('x')}${torn}`)
  audit.reopen()
  audit.write(line('4'))
  audit.close()
  t.match(JSON.parse(linesOf(file)[2]!), { remark: '4' })

  // Several processes may end the same line.
  const other = join(t.testdir(), 'audit.log')
  writeFileSync(other, torn)
  for (const audit of [1, 2].map(() => openAudit({ file: other, chain: new AuditChain(key) }))) audit.write(line('5'))
  t.match(await verify([other]), { lines: 3, links: 2, problems: [{ line: 1, problem: /a line that no link covers/ }] })
})

t.test('key and anchors are kept in the sealed store', async t => {
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const [one, two] = await Promise.all([auditKey(records), auditKey(records)])
  t.same(one, two)
  t.equal(one.length, 32)
  const head = { chain: 'abcdefgh', link: 1, hash: 'x' }
  await writeAnchor(records, head, 5)
  await writeAnchor(records, { ...head, link: 2 }, 6)
  t.same(await anchorsIn(records), [{ ...head, link: 2, timeMs: 6 }])
  for (let i = 0; i < 205; i++) await writeAnchor(records, { ...head, chain: `chain${i}` }, i)
  const kept = await anchorsIn(records)
  t.same([kept.length, kept[0]?.chain], [200, 'chain204'])
})
