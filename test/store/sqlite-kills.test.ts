import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { openSqlite } from '../../src/store/sqlite.ts'
import { startWriting } from './start-writing.ts'

// The lines that a process printed before it was killed are promises.
t.test('a server that is killed under load loses nothing and leaves nothing half-done', async t => {
  const dir = t.testdir()
  // Beside each other: most of the time goes by in waiting for processes to start.
  await Promise.all(['one', 'two'].map(name => killOften(t, join(dir, `${name}.db`), 'load', 25)))
})
t.test('nor does one that writes for other processes', t => killOften(t, join(t.testdir(), 'store.db'), 'shared', 10))

async function killOften(t: Test, path: string, mode: 'load' | 'shared', kills: number): Promise<void> {
  let counted = new Map<string, number>()
  let newest = 0
  for (let kill = 0; kill < kills; kill++) {
    const acknowledged = await killAfter(path, mode, 1 + Math.floor(Math.random() * 150))
    const store = await openSqlite({ path, directWriter: true })
    const counts = new Map<string, number>()
    const expected = new Set<string>()
    for (const [lane, last] of acknowledged) {
      const count = Number((await store.get('s', `counter-${lane}`))?.body ?? 0)
      counts.set(lane, count)
      if (count < last) t.fail(`lane ${lane} lost a unit: it counts ${count} of ${last}`)
      for (let i = (counted.get(lane) ?? 0) + 1; i <= count; i++) expected.add(`${lane}-${i}-a`).add(`${lane}-${i}-b`)
    }
    const all = await store.find('s', [Buffer.from('unit')], { limit: 1_000_000 })
    const found = all.filter(({ sequence }) => sequence > newest)
    t.same(new Set(found.map(({ id }) => id)), expected, `${expected.size / 2} units`)
    for (const { id } of found) if ((await store.get('s', id))?.body.length !== 500) t.fail(`${id} has no body`)
    newest = all[0]?.sequence ?? 0
    counted = counts
    await store.close()
  }
}

/** Start a process that writes, kill it after so many acknowledgements. @returns the last acknowledged unit of each lane */
async function killAfter(path: string, mode: 'load' | 'shared', lines: number): Promise<Map<string, number>> {
  const child = startWriting(mode, path)
  const closed = once(child, 'close')
  const last = new Map(Array.from({ length: 8 }, (_, lane) => [`${lane}`, 0]))
  let seen = 0
  for await (const line of createInterface(child.stdout!)) {
    const [lane, count] = line.split(' ')
    if (count) last.set(lane!, Number(count))
    if (++seen === lines) child.kill('SIGKILL')
  }
  await closed
  return last
}
