import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { nodeCommand } from '../node-command.ts'

/** Start `writing-process.ts`: it says what was acknowledged, a line each. */
export const startWriting = (mode: 'load' | 'shared' | 'once', path: string): ChildProcess =>
  spawn(...nodeCommand(fileURLToPath(new URL('writing-process.js', import.meta.url)), mode, path), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
