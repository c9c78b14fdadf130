import type { KesSettings } from '../kes/settings.ts'
import type { KesCredential } from '../server/kes-credential.ts'
import type { KesStateOptions } from '../server/kes-state.ts'
import { inTurn } from './in-turn.ts'
import type { Command, Io } from './io.ts'
import { loadKesConfig } from './kes-config.ts'
import { automaticProcesses } from './processes.ts'
import { UsageError } from './usage-error.ts'
import { version } from './version.ts'

interface ServerArguments {
  readonly config?: string
  readonly addr?: string
  readonly dev?: boolean
  readonly key?: string
  readonly cert?: string
  readonly auth?: string
  readonly root?: string
  readonly mlock?: boolean
  readonly quiet?: boolean
  readonly workers?: string
}

/** kmipd kes server: KES's server, by its own configuration file. */
export const kesServerCommand = (io: Io): Command => ({
  command: 'server',
  describe: 'Run a server for clients of KES by their configuration file; SIGHUP reloads it, SIGTERM stops',
  builder: y =>
    y
      .option('config', { type: 'string', requiresArg: true, describe: "KES's configuration file, of any release since v0.5" })
      .option('addr', { type: 'string', requiresArg: true, describe: 'address to listen on, instead of that of the file' })
      .option('workers', {
        type: 'string',
        requiresArg: true,
        describe: 'processes that answer: a number, or auto: one for each processor but one',
      })
      .option('dev', { type: 'boolean', describe: 'without a file: keys in memory, and a new API key that may everything' })
      .option('key', { type: 'string', requiresArg: true, describe: 'file with the private key of TLS, if the configuration names none' })
      .option('cert', { type: 'string', requiresArg: true, describe: 'file with the TLS certificate, if the configuration names none' })
      .option('auth', {
        type: 'string',
        describe: 'on or off: whether client certificates are verified, if the configuration does not say',
      })
      .option('root', { type: 'string', requiresArg: true, describe: 'identity of the admin, if the configuration names none' })
      .option('mlock', { type: 'boolean', describe: 'accepted, as older releases of KES had it' })
      .option('quiet', { type: 'boolean', alias: 'q', describe: 'print nothing at the start' })
      .conflicts('config', 'dev')
      .example('$0 kes server --config config.yml', '')
      .example('$0 kes server --dev', 'for trying out'),
  async handler(argv: ServerArguments) {
    if (argv.config === undefined && argv.dev !== true) throw new UsageError('say --config FILE, or --dev')
    await run(argv, io)
  },
})

interface Setup {
  read(): Promise<KesSettings>
  readonly credential?: KesCredential
  readonly apiKey?: string
}

/** A door that is open, here or in other processes. */
export interface OpenDoor {
  readonly address: string
  readonly store: { readonly description: string }
  readonly settings: KesSettings
  reload(): Promise<void>
  stop(): Promise<void>
}

async function run(argv: ServerArguments, io: Io): Promise<void> {
  const count = processesOf(argv.workers)
  const { isWorker } = await import('../server/worker-link.ts')
  const several = count > 1 ? await import('./kes-server-workers.ts') : undefined
  if (several && isWorker()) return several.serveAsWorker(count, io)
  for (const warning of warningsOf(argv)) io.stderr.write(`warning: ${warning}\n`)
  const { config: file } = argv
  const setup: Setup = file === undefined ? await devSetup(argv, io) : { read: () => loadKesConfig(file, io, overridesOf(argv)) }
  const { openKeyStore } = await import('../keystore/open.ts')
  const { credential } = setup
  const options: KesStateOptions = {
    async read() {
      const settings = await setup.read()
      for (const warning of settings.warnings) io.stderr.write(`warning: ${warning}\n`)
      return settings
    },
    ...(credential && { readCredential: () => credential }),
    openKeyStore: settings => openKeyStore(settings, { onEvent: event => io.stderr.write(`${JSON.stringify(event)}\n`) }),
  }
  const server = several ? await several.startWorkers(count, options) : await startAlone(options, io)
  try {
    const reload = inTurn(() => server.reload())
    const stopped = io.untilStopped(() => {
      io.stderr.write('SIGHUP signal received. Reloading configuration...\n')
      reload().then(undefined, (error: unknown) => {
        io.stderr.write(`not reloaded; the server goes on as it was: ${textOf(error)}\n`)
      })
    })
    if (argv.quiet !== true) io.stdout.write(banner(server, setup.apiKey))
    await stopped
    if (argv.quiet !== true) io.stdout.write('\n=> Stopping server... Goodbye.\n')
  } finally {
    await server.stop()
  }
}

async function startAlone(options: KesStateOptions, io: Io): Promise<OpenDoor> {
  const { KesServer } = await import('../server/kes-door.ts')
  const { kesSinks } = await import('./kes-sinks.ts')
  return KesServer.start({ ...options, sinks: kesSinks(io), version: version() })
}

const MOST_PROCESSES = 64

/** @throws UsageError */
function processesOf(text = '1'): number {
  if (text === 'auto') return Math.min(automaticProcesses(), MOST_PROCESSES)
  const count = Number(text)
  if (!/^\d+$/.test(text) || count < 1 || count > MOST_PROCESSES) throw new UsageError(`--workers ${text}: 1 to ${MOST_PROCESSES}, or auto`)
  return count
}

const overridesOf = ({ addr, key, cert, auth, root }: ServerArguments) => ({
  ...(addr !== undefined && { address: addr }),
  ...(key !== undefined && { key }),
  ...(cert !== undefined && { cert }),
  ...(auth !== undefined && auth !== '' && { auth }),
  ...(root !== undefined && { root }),
})

/** Flags that today's KES has no more, or that do nothing. */
function warningsOf({ key, cert, auth, root, mlock, quiet }: ServerArguments): string[] {
  const OLD: [flag: string, isGiven: boolean, instead: string][] = [
    ['key', key !== undefined, 'say tls.key in the configuration, which counts more'],
    ['cert', cert !== undefined, 'say tls.cert in the configuration, which counts more'],
    ['auth', auth !== undefined, 'say tls.auth in the configuration, which counts more'],
    ['root', root !== undefined, 'say admin.identity in the configuration, which counts more'],
    ['mlock', mlock === true, 'memory is not locked; switch swap off or encrypt it'],
    ['quiet', quiet === true, 'it only keeps the start quiet'],
  ]
  return OLD.filter(([, isGiven]) => isGiven).map(([flag, , instead]) => `--${flag} is a flag of older releases of KES: ${instead}`)
}

/** A certificate and an API key that live as long as the process. */
async function devSetup({ addr = '127.0.0.1:7373' }: ServerArguments, io: Io): Promise<Setup> {
  const { randomBytes } = await import('node:crypto')
  const { readKesConfig } = await import('../kes/config.ts')
  const { apiKeyOf, identityOfApiKey } = await import('../kes/identity.ts')
  const { ephemeralCredential } = await import('../server/kes-credential.ts')
  const apiKey = apiKeyOf(randomBytes(32))
  const text = JSON.stringify({
    admin: { identity: identityOfApiKey(apiKey) },
    tls: { key: 'none', cert: 'none' },
    keystore: { memory: {} },
  })
  return { read: async () => readKesConfig(text, io.env, { address: addr }), credential: await ephemeralCredential(), apiKey }
}

function banner({ store, address, settings: { admin = '', log } }: OpenDoor, apiKey?: string): string {
  const rows: [name: string, value: string][] = [
    ['Version', `kmipd ${version()}`],
    ['Runtime', `node ${process.version} ${process.platform}/${process.arch}`],
    ['License', 'Apache-2.0'],
    ['', ''],
    ['KMS', store.description],
    ['API', `· https://${address}`],
    ['', ''],
    ...(apiKey === undefined ? [] : ([['API Key', apiKey]] as [string, string][])),
    ['Admin', admin],
    ['Logs', `error=stderr level=${levelText(log.error)}`],
    ...(log.audit <= 0 ? ([['', `audit=stdout level=${levelText(log.audit)}`]] as [string, string][]) : []),
  ]
  return `${rows.map(([name, value]) => `${name.padEnd(34)}${value}`.trimEnd()).join('\n')}\n\n=> Server is up and running...\n\n`
}

/** As Go's slog writes a level. */
function levelText(level: number): string {
  const [name, base] = level < 0 ? ['DEBUG', -4] : level < 4 ? ['INFO', 0] : level < 8 ? ['WARN', 4] : ['ERROR', 8]
  return level === base ? name : `${name}${level > base ? '+' : ''}${level - base}`
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
