import { main } from '../../src/cli/main.ts'

export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface Surroundings {
  readonly cwd: string
  readonly stdin?: string | Buffer
  readonly env?: { readonly [name: string]: string }
}

/** Run one command line in this process. */
export async function run(argv: readonly string[], { cwd, stdin, env = {} }: Surroundings): Promise<Outcome> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  const code = await main(argv, {
    stdout: { write: part => out.push(Buffer.from(part)) },
    stderr: { write: part => err.push(Buffer.from(part)) },
    stdin: (async function* () {
      if (stdin !== undefined) yield stdin
    })(),
    env,
    cwd,
    untilStopped: async () => undefined,
  })
  return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }
}

export interface Running {
  /** What it printed once it was ready. */
  readonly out: string
  reload(): void
  /** Stop it, and wait for its end. */
  stop(): Promise<number>
}

/**
 * Run a server in this process.
 * @param hears called once the server can be told to reload, which is before it is ready
 * @throws when it ends before it is ready
 */
export async function start(argv: readonly string[], cwd: string, hears?: (reload: () => void) => void): Promise<Running> {
  let out = ''
  let err = ''
  let reload = (): void => undefined
  let stop = (): void => undefined
  let ready = (): void => undefined
  const isReady = new Promise<void>(resolve => {
    ready = resolve
  })
  const ended = main(argv, {
    stdout: {
      write(part) {
        out += Buffer.from(part).toString()
        ready()
      },
    },
    stderr: {
      write(part) {
        err += Buffer.from(part).toString()
      },
    },
    stdin: (async function* () {})(),
    env: {},
    cwd,
    untilStopped: onReload => {
      if (onReload !== undefined) {
        reload = onReload
        hears?.(onReload)
      }
      return new Promise(resolve => {
        stop = resolve
      })
    },
  })
  await Promise.race([
    isReady,
    ended.then(code => {
      throw new Error(`it ended with ${code}: ${err}`)
    }),
  ])
  return {
    get out() {
      return out
    },
    reload: () => reload(),
    stop: () => {
      stop()
      return ended
    },
  }
}
