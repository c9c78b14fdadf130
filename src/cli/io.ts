import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Argv } from 'yargs'

interface Output {
  /** Whether a person reads it. */
  readonly isTTY?: boolean
  write(text: string | Uint8Array): unknown
}

/** What a command may touch of the process around it; tests give their own. */
export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  readonly stdin: AsyncIterable<Buffer | string>
  readonly env: { readonly [name: string]: string | undefined }
  /** Ask the person at the terminal for a password, which is not shown; without a terminal, a line of standard input. */
  readonly askPassword?: (prompt: string) => Promise<string>
  /** Directory that relative names on the command line stand in. */
  readonly cwd: string
  /** Whether people read the output. */
  readonly isTerminal?: boolean
  /**
   * Resolves when the process shall end; `onReload` is called at each wish to read the configuration and files anew. Without it the process is no
   * server: it ends with its terminal, and with who reads its output.
   */
  untilStopped(onReload?: () => void): Promise<void>
}

/** A command, or a group of them, made for one run of the program. */
export interface Command {
  readonly command: string
  readonly aliases?: string[]
  readonly describe: string
  builder(y: Argv): Argv<object>
  /** What `builder` declares comes in here, so each command names its own type. */
  handler(argv: object): void | Promise<void>
}

export const printJson = (io: Io, value: unknown): void => {
  io.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)
}

export const printLines = (io: Io, lines: readonly string[]): void => {
  if (lines.length > 0) io.stdout.write(`${lines.join('\n')}\n`)
}

/** The bytes of a file, or of standard input when it is absent or `-`. */
export async function readInput(file: string | undefined, io: Io): Promise<Buffer> {
  // yargs gives a lone dash as an empty text.
  if (file !== undefined && file !== '' && file !== '-') return readFile(resolve(io.cwd, file))
  const chunks: Buffer[] = []
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
