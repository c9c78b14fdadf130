import { writeSync } from 'node:fs'
import { openSqlite } from '../../src/store/sqlite.ts'
import type { Change, Store } from '../../src/store/store.ts'

// A process of its own that writes to a store. Arguments: `load` or `once`, and the file.
// load: a server's store; lanes write one unit after the other until the process is killed. Each unit makes two records and counts
// in the lane's counter; a line with lane and count says that it was acknowledged.
// once: one record, as a command beside a server would write it.

const LANES = 8

const put = (id: string, expect: number, body: Buffer, ...terms: string[]): Change => ({
  partition: 's',
  id,
  expect,
  body,
  terms: terms.map(term => Buffer.from(term)),
})

async function write(store: Store, lane: number): Promise<never> {
  const counter = `counter-${lane}`
  const stored = await store.get('s', counter)
  let count = Number(stored?.body ?? 0)
  let revision = stored?.revision ?? 0
  for (;;) {
    const body = Buffer.alloc(500, `${++count}`)
    await store.commit([
      put(`${lane}-${count}-a`, 0, body, 'unit'),
      put(counter, revision++, Buffer.from(`${count}`)),
      put(`${lane}-${count}-b`, 0, body, 'unit'),
    ])
    writeSync(1, `${lane} ${count}\n`)
  }
}

const [mode, path] = process.argv.slice(2)
if (mode === 'load') {
  const store = await openSqlite({ path: path! })
  await Promise.all(Array.from({ length: LANES }, (_, lane) => write(store, lane)))
} else {
  const store = await openSqlite({ path: path!, directWriter: true })
  await store.commit([put('once', 0, Buffer.from('from another process'), 'unit')])
  await store.close()
}
