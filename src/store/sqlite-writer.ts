import { parentPort, workerData } from 'node:worker_threads'
import { connectWriter } from './sqlite-connection.ts'
import { type FromWriter, type ToWriter, type Unit, unpackUnits } from './sqlite-message.ts'
import { UnitWriter } from './sqlite-units.ts'
import { StoreError } from './store.ts'

// The thread that writes. Whatever arrived while a transaction was being made durable becomes the next transaction.

/** Bounds how long the first unit of a transaction waits for the last one. */
const MAX_UNITS = 1_000

const port = parentPort!
const db = connectWriter((workerData as { path: string }).path)
const writer = new UnitWriter(db)
const waiting: Unit[] = []
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
    port.postMessage(verdicts(units))
  }
  if (!isClosing) return
  db.close()
  port.close()
}

function verdicts(units: readonly Unit[]): FromWriter {
  try {
    const verdicts = writer.commit(units)
    return verdicts.some(verdict => verdict) ? verdicts : units.length
  } catch (e) {
    if (!(e instanceof StoreError)) throw e
    const { code, message } = e
    return units.map(() => ({ code, message }))
  }
}
