import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { nodeCommand } from '../node-command.ts'

// Servers as processes of their own: as they are built, since each process would take long to start from source.

const WAIT_MS = 60_000

/** What `look` finds, sooner or later. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const from = Date.now(); Date.now() - from < WAIT_MS; ) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error(`${what} did not come`)
}

export const portOf = (address: string): number => Number(address.split(':').at(-1))

export interface Server {
  readonly process: ChildProcess
  readonly port: number
  readonly metrics: string
  /** Port of the KES door; 0: there is none. */
  readonly kes: number
  /** Lines of its log. */
  readonly logged: string[]
}

/** A server for trying out, by the configuration in its directory. */
export async function startDev(dir: string): Promise<Server> {
  const child = spawn(...nodeCommand('dist/cli/main.js', 'dev', '--data-dir', dir, '--kmip-address', '127.0.0.1:0'), {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const logged: string[] = []
  createInterface(child.stderr!).on('line', line => logged.push(line))
  const file = join(dir, 'listeners.json')
  await until('the listeners', () => {
    if (child.exitCode !== null) throw new Error(logged.join('\n'))
    return existsSync(file) || undefined
  })
  const { kmip, metrics, kes = ':0' } = JSON.parse(readFileSync(file, 'utf8')) as { kmip: string; metrics: string; kes?: string }
  return { process: child, port: portOf(kmip), metrics, kes: portOf(kes), logged }
}
