import cluster from 'node:cluster'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import type { Io } from './io.ts'

/** The process itself. SIGTERM and SIGINT stop, SIGHUP reloads. */
export function processIo(): Io {
  let isServing = cluster.isWorker
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', error => {
      // A server goes on without its reader, and without room for what it says.
      if (isServing) return
      if (!('code' in error && error.code === 'EPIPE')) throw error
      // Who reads has read enough: `kmipd … | head -1`.
      process.exit()
    })
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    askPassword,
    cwd: process.cwd(),
    isTerminal: process.stdout.isTTY === true,
    untilStopped: onReload =>
      new Promise(resolve => {
        let isStopping = false
        if (onReload !== undefined) {
          isServing = true
          // Listened to until the end, since SIGHUP would end what is still answered.
          process.on('SIGHUP', () => {
            if (!isStopping) onReload()
          })
        }
        const stop = (): void => {
          isStopping = true
          // A second signal ends the process at once, as it would without us.
          for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, stop)
          resolve()
        }
        for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
      }),
  }
}

async function askPassword(prompt: string): Promise<string> {
  process.stderr.write(prompt)
  // What is typed goes to an output that shows nothing.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY === true })
  try {
    return await lines.question('')
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
