#!/usr/bin/env node
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Argv } from 'yargs'
import yargs from 'yargs'
import { auditCommand } from './audit.ts'
import { backupCommand } from './backup.ts'
import { caCommand } from './ca.ts'
import { clientCommand } from './client.ts'
import { configCommand } from './config.ts'
import { conformanceCommand } from './conformance.ts'
import { credentialCommand } from './credential.ts'
import { decodeCommand } from './decode.ts'
import { devCommand } from './dev.ts'
import { doctorCommand } from './doctor.ts'
import { checkGiven } from './given-arguments.ts'
import { importCommand } from './import.ts'
import { initCommand } from './init.ts'
import type { Command, Io } from './io.ts'
import { kesCommand } from './kes.ts'
import { KesCommandError } from './kes-error.ts'
import { listenerCommand } from './listener.ts'
import { policyCommand } from './policy.ts'
import { processIo } from './process-io.ts'
import { restoreCommand } from './restore.ts'
import { roleCommand } from './role.ts'
import { scopeCommand } from './scope.ts'
import { sealCommand } from './seal.ts'
import { serverCommand } from './server.ts'
import { storeCommand } from './store.ts'
import { tokenCommand } from './token.ts'
import { UsageError } from './usage-error.ts'
import { version } from './version.ts'

/** In the order of the help. */
const COMMANDS: readonly ((io: Io) => Command)[] = [
  devCommand,
  initCommand,
  serverCommand,
  configCommand,
  doctorCommand,
  backupCommand,
  restoreCommand,
  storeCommand,
  importCommand,
  sealCommand,
  auditCommand,
  tokenCommand,
  policyCommand,
  listenerCommand,
  caCommand,
  scopeCommand,
  roleCommand,
  credentialCommand,
  clientCommand,
  kesCommand,
  decodeCommand,
  conformanceCommand,
]

/** The parser of the whole command line. */
export function commandLine(io: Io): Argv {
  return withWholeExamples(yargs())
    .scriptName('kmipd')
    .usage('$0 <command>\n\nA KMIP key-management server.')
    .command(COMMANDS.map(command => command(io)))
    .example('$0 dev', 'a server for trying out, with its data in ./kmipd-data')
    .demandCommand(1, 'say which command')
    .recommendCommands()
    .strictCommands()
    .strict()
    .wrap(100)
    .locale('en')
    .middleware(checkGiven, true)
    .completion('completion', 'Print a completion script for bash or zsh, to be sourced')
    .help()
    .alias('help', 'h')
    .version(version())
    .epilogue('Exit codes: 0 done, 1 failed, 2 wrong usage. Each command has --help.')
    .exitProcess(false)
    .fail((message, error) => {
      // For wrong usage yargs gives a text only, or an error of its own where an option lacks its value.
      throw error === undefined || error.name === 'YError' ? new UsageError(message ?? error?.message) : error
    })
}

/** Each example on a line of its own, to be pasted, below what it does: yargs would break both into columns. */
function withWholeExamples(y: Argv): Argv {
  const example = y.example.bind(y)
  return Object.assign(y, {
    example(command: string, text: string) {
      if (text !== '') example(`# ${text}`, '')
      return example(command, '')
    },
  })
}

/**
 * Run one command line.
 * @param argv without the interpreter and the program
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  // Scripts that call KES's commands know its ways: help goes to stderr with status 2, and all that fails has status 1.
  const isKes = argv[0] === 'kes'
  let helped = false
  try {
    await commandLine(io).parseAsync([...argv], (_error: unknown, _argv: unknown, output: string) => {
      if (output === '') return
      helped = output !== version()
      ;(isKes && helped ? io.stderr : io.stdout).write(`${output}\n`)
    })
    return isKes && helped ? 2 : 0
  } catch (error) {
    // A group without a command shows its help.
    if (isKes && error instanceof UsageError && error.message.startsWith('say ')) return main([...argv, '--help'], io)
    io.stderr.write(isKes ? `Error: ${explainKes(error, argv, io)}\n` : `kmipd: ${explain(error, io)}\n`)
    return error instanceof UsageError && !isKes ? 2 : 1
  }
}

/** The same, in the form of KES's own command. */
function explainKes(error: unknown, argv: readonly string[], io: Io): string {
  if (!(error instanceof UsageError)) return error instanceof KesCommandError ? error.message : explain(error, io)
  const [, unknown] = /^Unknown command: (.+)$/.exec(error.message) ?? []
  const group = argv.filter(word => /^[a-z]+$/.test(word) && word !== unknown).slice(0, 2)
  const see = `See 'kmipd ${group.join(' ')} --help'`
  return unknown === undefined ? `${error.message.replace(/[^?]$/, '$&.')} ${see}` : `"${unknown}" is not a ${group.at(-1)} command. ${see}`
}

/** Errors that say what to do are shown as they are; a fault of the program shows where it is. */
function explain(error: unknown, io: Io): string {
  if (error instanceof UsageError) return `${error.message}\nTry: kmipd --help`
  if (!(error instanceof Error)) return String(error)
  const expected = 'code' in error || 'reason' in error
  if (expected && io.env.KMIPD_TRACE === undefined) return withCauses(error)
  return error.stack ?? error.message
}

/** What to do about what the system says. */
const ADVICE: { readonly [code: string]: string } = {
  EADDRINUSE: 'another program listens there; stop it, or give another address',
  EADDRNOTAVAIL: 'this machine has no such address; give one of its own, or 0.0.0.0 or [::] for all',
  ENOTFOUND: 'no address is known for this name',
}

function withCauses(error: Error): string {
  if (error.message.includes('Could not locate the bindings file')) return 'the SQLite driver is not built; run: npm rebuild better-sqlite3'
  if (error.message.includes("Cannot find package 'better-sqlite3'"))
    return 'the SQLite driver is missing: with a C++ compiler, make and Python 3 at hand install kmipd again, or use Node 24'
  const advice = 'syscall' in error && 'code' in error ? ADVICE[String(error.code)] : undefined
  if (advice !== undefined) return `${error.message}: ${advice}`
  const cause = error.cause instanceof Error ? withCauses(error.cause) : ''
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}

const started = process.argv[1]
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2), processIo())
