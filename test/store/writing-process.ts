import { fork } from 'node:child_process'
import { writeSync } from 'node:fs'
import { type ParcelVerdict, RemoteWriter } from '../../src/store/remote-writer.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import type { UnitsMessage } from '../../src/store/sqlite-message.ts'
import type { Change, Store } from '../../src/store/store.ts'

// A process of its own that writes to a store. Arguments: `load` or `once`, and the file.
// load: a server's store; lanes write one unit after the other until the process is killed. Each unit makes two records and counts
// in the lane's counter; a line with lane and count says that it was acknowledged.
// shared: the same, but the lanes are in two processes of their own, for which this one writes.
// remote: one of those; its number is the third argument.
// once: one record, as a command beside a server would write it.

const LANES = 8

const put = (id: string, expect: number, body: Buffer, ...terms: string[]): Change => ({
  partition: 's',
  id,
  expect,
  body,
  terms: terms.map(term => Buffer.from(term)),
})

/** Where the reader is behind, the pipe may refuse a line. */
async function say(line: string): Promise<void> {
  for (;;) {
    try {
      writeSync(1, line)
      return
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      await new Promise(resolve => setImmediate(resolve))
    }
  }
}

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
    await say(`${lane} ${count}\n`)
  }
}

const [mode, path, part] = process.argv.slice(2)
const PARTS = 2
if (mode === 'shared') {
  const store = await openSqlite({ path: path! })
  for (let i = 0; i < PARTS; i++) {
    const child = fork(process.argv[1]!, ['remote', path!, String(i)], { serialization: 'advanced' })
    child.on('message', ({ parcel, units }: { parcel: number; units: UnitsMessage }) => {
      void store.forward(units).then(verdicts => child.connected && child.send({ parcel, verdicts }))
    })
  }
} else if (mode === 'remote') {
  const writer = new RemoteWriter((parcel, units) => process.send!({ parcel, units }))
  process.on('message', ({ parcel, verdicts }: { parcel: number; verdicts: ParcelVerdict }) => writer.settle(parcel, verdicts))
  process.on('disconnect', () => process.exit())
  const store = await openSqlite({ path: path!, writer })
  const lanes = Array.from({ length: LANES }, (_, lane) => lane).filter(lane => lane % PARTS === Number(part))
  await Promise.all(lanes.map(lane => write(store, lane)))
} else if (mode === 'load') {
  const store = await openSqlite({ path: path! })
  await Promise.all(Array.from({ length: LANES }, (_, lane) => write(store, lane)))
} else {
  const store = await openSqlite({ path: path!, directWriter: true })
  await store.commit([put('once', 0, Buffer.from('from another process'), 'unit')])
  await store.close()
}
