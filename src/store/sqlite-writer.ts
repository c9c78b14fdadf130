import { parentPort, workerData } from 'node:worker_threads'
import { connectWriter } from './sqlite-connection.ts'
import { type FromWriter, type ToWriter, unpackUnits } from './sqlite-message.ts'
import { UnitWriter, type Verdict } from './sqlite-units.ts'
import { type Change, StoreError } from './store.ts'

// The thread that writes. Whatever arrived while a transaction was being made durable becomes the next transaction.

/** Bounds how long the first unit of a transaction waits for the last one. */
const MAX_UNITS = 1_000

const port = parentPort!
const db = connectWriter((workerData as { path: string }).path)
const writer = new UnitWriter(db)
const waiting: Change[][] = []
let isScheduled = false
let isClosing = false

port.on('message', (message: ToWriter) => {
  if (message === 'close') isClosing = true
  else waiting.push(...unpackUnits(message))
  if (!isScheduled) setImmediate(run)
  isScheduled = true
})

function run(): void {
  isScheduled = false
  while (waiting.length > 0) {
    const units = waiting.splice(0, MAX_UNITS)
    port.postMessage(verdicts(units) satisfies FromWriter)
  }
  if (!isClosing) return
  db.close()
  port.close()
}

function verdicts(units: Change[][]): Verdict[] {
  try {
    return writer.commit(units)
  } catch (e) {
    if (!(e instanceof StoreError)) throw e
    const { code, message } = e
    return units.map(() => ({ code, message }))
  }
}
