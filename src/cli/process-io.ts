import type { Io } from './io.ts'

/** The process itself. SIGTERM and SIGINT stop, SIGHUP reloads. */
export function processIo(): Io {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    isTerminal: process.stdout.isTTY === true,
    untilStopped: onReload =>
      new Promise(resolve => {
        process.on('SIGHUP', onReload)
        const stop = (): void => {
          process.off('SIGHUP', onReload)
          // A second signal ends the process at once, as it would without us.
          for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, stop)
          resolve()
        }
        for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
      }),
  }
}
