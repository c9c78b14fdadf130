import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { neededForProcesses } from '../config/processes.ts'
import type { Config } from '../config/schema.ts'
import type { Address } from '../config/value-types.ts'
import type { Settings } from '../ops/context.ts'
import type { KeyProvider } from '../seal/provider.ts'
import { type Addresses, Daemon } from '../server/daemon.ts'
import type { KesSource } from '../server/kes-in-daemon.ts'
import { createLog, type Logger } from '../server/log.ts'
import { refusalOf, unseal } from '../server/unseal.ts'
import { isWorker } from '../server/worker-link.ts'
import type { Workers } from '../server/workers.ts'
import { closeAll, type Data, makeKeyFiles, providersOf, storeFields, unsealData } from './data.ts'
import { followAddresses } from './follow-addresses.ts'
import { inTurn } from './in-turn.ts'
import type { Io } from './io.ts'
import { loadKesConfig } from './kes-config.ts'
import { automaticProcesses } from './processes.ts'
import { UsageError } from './usage-error.ts'
import { version } from './version.ts'

export interface ServeOptions {
  readonly config: Config
  readonly io: Io
  /** Reads the configuration anew. */
  reload(): Promise<Config>
  /** Instead of those of the configuration. */
  readonly kmip?: readonly Address[]
  /** More settings of the operations than a configuration has. */
  readonly settings?: Partial<Settings>
  /** The KES door, instead of that of the configuration. */
  readonly kes?: KesSource
  /** What to do between opening the data and listening. */
  prepare?(data: Data): Promise<void>
  /** What to do once all listeners accept. */
  ready?(addresses: Addresses, data: Data): Promise<void>
}

const LISTENERS_NAME = 'listeners.json'

const USUAL: readonly Address[] = [{ host: '127.0.0.1', port: 5696 }]

/** Run a server until it is told to stop. @throws whatever keeps it from starting */
export async function serve(options: ServeOptions): Promise<void> {
  const { config, io, kmip } = options
  const { level, format } = config.log
  const log = createLog({ level, ...(format !== 'auto' && { pretty: format === 'pretty' }) })
  const count = processesOf(config)
  if (isWorker()) return (await import('./serve-clients.ts')).serveClients(options, count, log)
  const stop = new AbortController()
  /** Of the server that runs; absent while it starts, or its data is sealed. */
  let reload: (() => Promise<void>) | undefined
  let isDue = false
  const reloadInTurn = inTurn(async () => {
    isDue = reload === undefined
    if (reload) await reload()
    else log.info('the configuration and files are read anew once the server runs')
  })
  const reloadNow = (): void => {
    // A configuration that is wrong now must not end a server that runs by a right one.
    reloadInTurn().then(undefined, (err: unknown) => log.error({ err }, 'not reloaded; the server goes on as it was'))
  }
  // At once: until then SIGHUP ends the process, and as the first of a container it is deaf to SIGTERM.
  const stopped = io.untilStopped(reloadNow).then(() => stop.abort())
  await makeKeyFiles(config)
  const all = await providersOf(config, ({ level, message, code }) => log[level](code === undefined ? {} : { code }, message))
  const place = {
    clients: [...(kmip ?? config.kmip.listen ?? USUAL), ...(config.kmip.https ? [config.kmip.https] : [])],
    metrics: config.metrics.listen,
    version: version(),
    log,
  }
  try {
    for (let providers = all; ; ) {
      const data = await unsealData(config, {
        ...{ as: 'server', providers },
        notice: (message, err) => log.warn(err === undefined ? {} : { err }, message),
        through: open => unseal(open, stop.signal, place),
      })
      if (!data) return
      const outcome = await run(data, all, {
        ...options,
        count,
        log,
        stopped,
        onReload: use => {
          reload = use
          if (isDue) reloadNow()
        },
      })
      reload = undefined
      if (outcome === 'stopped') return
      providers = [outcome]
    }
  } finally {
    closeAll(all)
  }
}

interface RunOptions extends ServeOptions {
  /** Of processes. */
  readonly count: number
  readonly log: Logger
  readonly stopped: Promise<void>
  onReload(reload: () => Promise<void>): void
}

/** Serve open data. @returns why that is over: the server is to stop, or this provider refuses to open the seal any more */
async function run(data: Data, providers: readonly KeyProvider[], options: RunOptions): Promise<'stopped' | KeyProvider> {
  const { config, io, count, kmip, settings, kes, prepare, ready, log, stopped } = options
  const end = new AbortController()
  try {
    await storeFields(config, data.mounts)
    await prepare?.(data)
    const workers = count > 1 ? await makeWorkers(count, data, log) : undefined
    const source = kes ?? kesOf(config, io)
    let server: Daemon | undefined
    let unfollow = (): void => undefined
    try {
      server = await Daemon.start({
        ...{ config, data, log, version: version(), ...builtConsole() },
        ...(source && { kes: source }),
        ...(kmip && { kmip }),
        ...(settings && { settings }),
        ...(workers && { part: { does: 'rest', workers } }),
      })
      options.onReload(refresh)
      const started = server
      const { addresses } = started
      writeListeners(config.dataDir, addresses)
      unfollow = followAddresses(
        () => started.addresses,
        moved => void rewriteListeners(moved),
      )
      log.info(addresses, 'ready')
      await ready?.(addresses, data)
      const refused = providers.flatMap((provider, i) => {
        const entry = config.seal[i]
        const everyMs = entry?.kind === 'vault' ? entry.recheck : 0
        return everyMs === 0
          ? []
          : [refusalOf({ everyMs, prove: () => data.prove(provider) }, end.signal).then(error => ({ provider, error }))]
      })
      const outcome = await Promise.race([stopped, ...refused])
      if (outcome === undefined) log.info('stopping')
      else log.error({ code: outcome.error.code }, `the data is closed and sealed again: ${outcome.error.message}`)
      return outcome?.provider ?? 'stopped'
    } finally {
      unfollow()
      rmSync(join(config.dataDir, LISTENERS_NAME), { force: true })
      await workers?.stop(config.kmip.drain)
      await server?.stop()
    }

    function rewriteListeners(moved: Addresses): Promise<void> {
      return Promise.resolve(moved)
        .then(addresses => writeListeners(config.dataDir, addresses))
        .then(undefined, (err: unknown) => log.error({ err }, `${LISTENERS_NAME} cannot be written; it names addresses of before`))
    }

    async function refresh(): Promise<void> {
      const next = await options.reload()
      await storeFields(next, data.mounts)
      await server?.reload(next)
      await workers?.reload()
      log.level = next.log.level
      const later = needRestart(config, next)
      log.info(later.length > 0 ? { later } : {}, later.length > 0 ? 'reloaded; some changes need a restart' : 'reloaded')
    }
  } finally {
    end.abort()
    await data.close()
  }
}

/** By the file that the configuration names. */
const kesOf = ({ kes }: Config, io: Io): KesSource | undefined => kes && { read: () => loadKesConfig(kes.config, io) }

/** Where the build puts the console: beside this file's folder. */
function builtConsole(): { readonly console?: string } {
  const console = fileURLToPath(new URL('../console', import.meta.url))
  return existsSync(join(console, 'index.html')) ? { console } : {}
}

/** How many processes answer clients. @throws UsageError: more than one, where the command line took away what they need */
function processesOf(config: Config): number {
  const { workers } = config
  const wanted = workers === 'auto' ? automaticProcesses() : workers
  if (wanted === 1) return 1
  const needed = neededForProcesses(config)
  if (needed === undefined) return wanted
  if (workers === 'auto') return 1
  throw new UsageError(`workers: ${workers} needs ${needed}: write workers: 1`)
}

/** They start with the server that they are a part of. */
async function makeWorkers(count: number, { mounts, shared }: Data, log: Logger): Promise<Workers> {
  const { Workers } = await import('../server/workers.ts')
  if (shared === undefined) throw new UsageError('the store is not one that other processes can write to')
  // Made once, before several processes would each make one.
  for (const { scopes } of await mounts.list()) {
    await scopes.resume()
    await scopes.serverCertificate()
  }
  return new Workers({ count, log, store: shared })
}

/** Sections that differ and are read at the start only. */
function needRestart(before: Config, after: Config): string[] {
  const sections = ['dataDir', 'workers', 'kmip', 'store', 'seal', 'audit', 'metrics', 'admin', 'kes', 'notifications', 'accounts'] as const
  return sections.filter(section => atStart(before, section) !== atStart(after, section))
}

function atStart({ kmip, ...rest }: Config, section: keyof Config): string {
  // The listeners follow these.
  const { listen: _listen, tlsMinVersion: _version, serverHostnames: _names, serverIps: _ips, ...fixed } = kmip
  return JSON.stringify({ ...rest, kmip: fixed }[section])
}

/** The file appears when everything accepts, and whole; it follows listeners that move. */
function writeListeners(dir: string, addresses: Addresses): void {
  const file = join(dir, LISTENERS_NAME)
  writeFileSync(`${file}.new`, `${JSON.stringify(addresses)}\n`)
  renameSync(`${file}.new`, file)
}
