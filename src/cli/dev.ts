import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { devNull, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Address } from '../config/value-types.ts'
import { addressArgument, listenerArgument } from './address-argument.ts'
import type { Command, Io } from './io.ts'
import { DEV_DIR, loadConfig } from './settings.ts'
import { UsageError } from './usage-error.ts'

interface DevArguments {
  readonly dataDir?: string
  readonly kmipAddress?: string
  readonly kmipHttpsAddress?: string
  readonly metricsAddress?: string
  readonly kesAddress?: string
  readonly adminAddress?: string
  readonly ephemeral?: boolean
  readonly conformance?: boolean
  readonly notify?: string
}

/** kmipd dev: a server for trying out and for tests, with everything made at its first start. */
export const devCommand = (io: Io): Command => ({
  command: 'dev',
  describe: 'Run a server for trying out; makes all it needs, a credential too',
  builder: y =>
    y
      .option('data-dir', { type: 'string', alias: 'd', requiresArg: true, describe: `directory for its data; default ./${DEV_DIR}` })
      .option('kmip-address', { type: 'string', requiresArg: true, describe: 'host:port; port 0: any free one, see listeners.json' })
      .option('kmip-https-address', {
        type: 'string',
        requiresArg: true,
        describe: 'host:port or off; KMIP over HTTPS, in JSON and XML too',
      })
      .option('kes-address', {
        type: 'string',
        requiresArg: true,
        describe: 'host:port of a door for clients of KES, such as MinIO; prints an API key',
      })
      .option('metrics-address', { type: 'string', requiresArg: true, describe: 'host:port or off' })
      .option('admin-address', { type: 'string', requiresArg: true, describe: "host:port or off; Vault's API and the console" })
      .option('ephemeral', {
        type: 'boolean',
        describe: 'keep everything in memory; only client files and addresses are written',
      })
      .option('conformance', { type: 'boolean', describe: 'with what the OASIS test cases presuppose; not for use' })
      .option('notify', {
        type: 'string',
        requiresArg: true,
        describe: 'host:port where the client of the scope default takes Put and Notify; with --conformance once in each version',
      })
      .example('$0 dev', '')
      .example('$0 dev --ephemeral --kmip-address 127.0.0.1:0 --data-dir DIR', 'for the tests of another project'),
  async handler(argv: DevArguments) {
    if (argv.dataDir === '') throw new UsageError('--data-dir is empty: write a directory')
    const isTemporary = argv.ephemeral && argv.dataDir === undefined
    const dataDir = isTemporary ? mkdtempSync(join(tmpdir(), 'kmipd-')) : resolve(io.cwd, argv.dataDir ?? DEV_DIR)
    try {
      await run(argv, dataDir, io)
    } finally {
      if (isTemporary) rmSync(dataDir, { recursive: true })
    }
  },
})

async function run(argv: DevArguments, dir: string, io: Io): Promise<void> {
  const read = async (): Promise<Config> => devConfig((await loadConfig({ dataDir: dir }, io)).config, argv)
  const config = await read()
  const { dataDir } = config
  const kmip = argv.kmipAddress === undefined ? undefined : await listenerArgument('kmip-address', argv.kmipAddress)
  if (argv.kesAddress !== undefined) await listenerArgument('kes-address', argv.kesAddress)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const { serve } = await import('./serve.ts')
  const { devKes, kesGuide } = await import('./dev-kes.ts')
  const door = argv.kesAddress === undefined ? undefined : await devKes(argv.kesAddress, dataDir, io)
  const { keptRootToken } = await import('./root-token.ts')
  const { makeClients } = await import('./default-client.ts')
  const { guide, writeClientConfigs } = await import('./client-guide.ts')
  const { CONFORMANCE } = await import('./conformance-settings.ts')
  let tokenFile = ''
  await serve({
    config,
    io,
    reload: read,
    ...(kmip && { kmip: [kmip] }),
    ...(door && { kes: door.source }),
    ...(argv.conformance === true && { settings: CONFORMANCE }),
    async prepare(data) {
      const { scopes } = (await data.mounts.at('kmip/')) ?? (await data.mounts.enable('kmip/', {}))
      await makeClients(scopes, dataDir, argv.conformance ? ['default', 'b', 'c'] : ['default'])
      tokenFile = await keptRootToken(data, dataDir)
    },
    async ready({ kmip, https, metrics, admin, kes }) {
      const client = join(dataDir, 'clients', 'default')
      writeClientConfigs(client, kmip)
      // npm has its programs in no PATH but that of its own scripts.
      const program = io.env.npm_command === undefined ? 'kmipd' : 'npx kmipd'
      io.stdout.write(
        guide({
          program,
          dataDir,
          client,
          kmip,
          https,
          metrics,
          admin,
          tokenFile,
          isEphemeral: argv.ephemeral === true,
          isConformance: argv.conformance === true,
        }),
      )
      if (kes !== undefined && door) io.stdout.write(kesGuide(kes, door.file, join(client, 'ca.pem'), program))
    },
  })
}

/** The configuration of the directory, with what the command line says. */
async function devConfig(config: Config, argv: DevArguments): Promise<Config> {
  const { ephemeral, conformance, notify, kmipAddress, kmipHttpsAddress, metricsAddress, adminAddress } = argv
  // Who asks for any free port wants several servers side by side.
  const usual = kmipAddress?.endsWith(':0') === true ? '127.0.0.1:0' : undefined
  const [metrics, admin] = [metricsAddress ?? usual, adminAddress ?? usual]
  return {
    ...config,
    ...(ephemeral && { store: { kind: 'memory' }, audit: { file: devNull, fsync: false } }),
    kmip: {
      ...config.kmip,
      ...(conformance && { leaseTime: 3_600_000 }),
      ...(kmipHttpsAddress !== undefined && { https: await addressArgument('kmip-https-address', kmipHttpsAddress) }),
    },
    ...(notify !== undefined && { notifications: targets(await addressArgument('notify', notify), conformance === true) }),
    ...(admin !== undefined && { admin: { ...config.admin, listen: await addressArgument('admin-address', admin) } }),
    ...(metrics !== undefined && { metrics: { listen: await addressArgument('metrics-address', metrics) } }),
  }
}

const targets = (address: Address | undefined, inEachVersion: boolean): Config['notifications'] =>
  (address === undefined ? [] : inEachVersion ? (['1.0', '1.1', '1.2', '1.3', '1.4', '2.0', '2.1'] as const) : (['1.4'] as const)).map(
    version => ({
      scope: 'default',
      address,
      version,
      put: true,
      notify: true,
    }),
  )
