import { availableParallelism, cpus } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import type { System } from '../kes/figures.ts'

const PROCESSORS = cpus().length
/** Bytes of an object, for an estimate of their number. */
const OBJECT = 64

/** This process and the machine, now. @param startedMs of the clock that does not go back, `performance.now` */
export function systemNow(startedMs: number): System {
  const { used_heap_size: heapBytes } = getHeapStatistics()
  return {
    upTime: (performance.now() - startedMs) / 1000,
    cpus: PROCESSORS,
    usableCpus: availableParallelism(),
    // The main thread, and those of the pool of libuv unless it is configured.
    threads: 1 + Number(process.env.UV_THREADPOOL_SIZE ?? 4),
    heapBytes,
    heapObjects: Math.round(heapBytes / OBJECT),
    // What Node gives to the main thread unless it is configured.
    stackBytes: 984 * 1024,
  }
}
