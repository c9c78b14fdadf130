import type { MigrationReport } from '../keystore/migrate.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { KesCommandError } from './kes-error.ts'
import { isTerminal } from './kes-print.ts'
import { openNamedKeyStore } from './key-stores.ts'

interface MigrateArguments {
  readonly pattern?: string
  readonly from?: string
  readonly to?: string
  readonly scope: string
  readonly force?: boolean
  readonly merge?: boolean
  readonly json?: boolean
  readonly quiet?: boolean
}

const PROGRESS_MS = 500

/** kmipd kes migrate: copy keys between two key stores. */
export const kesMigrateCommand = (io: Io): Command => ({
  command: 'migrate [pattern]',
  describe: 'Copy keys from one key store to another; what is there already is not copied again',
  builder: y =>
    y
      .positional('pattern', { type: 'string', describe: 'names of keys: * is any characters, ? is one; default: all' })
      .option('from', { type: 'string', requiresArg: true, describe: 'configuration file of KES, or of kmipd for its KMIP objects' })
      .option('to', { type: 'string', requiresArg: true, describe: 'the same' })
      .option('scope', {
        type: 'string',
        requiresArg: true,
        default: 'kes',
        describe: 'scope of the KMIP objects, where a configuration of kmipd is given',
      })
      .option('force', { type: 'boolean', alias: 'f', describe: 'replace keys of the target that are other keys' })
      .option('merge', { type: 'boolean', describe: 'leave keys of the target that are other keys as they are' })
      .option('quiet', { type: 'boolean', alias: 'q', describe: 'no progress' })
      .option('json', { type: 'boolean', describe: 'print the report as JSON' })
      .example('$0 kes migrate --from kes.yml --to /etc/kmipd/kmipd.yaml', 'keys of KES become KMIP objects')
      .example('$0 kes migrate --from fs.yml --to vault.yml "minio-*"', ''),
  handler: (argv: MigrateArguments) => migrate(argv, io),
})

async function migrate(argv: MigrateArguments, io: Io): Promise<void> {
  const { from, to, scope, force = false, merge = false, json = false, pattern } = argv
  if (from === undefined) throw new KesCommandError("no key store to copy from. Set the '--from' flag")
  if (to === undefined) throw new KesCommandError("no key store to copy to. Set the '--to' flag")
  if (force && merge) throw new KesCommandError("'--force' and '--merge' must not be used at the same time")
  const { migrateKeys } = await import('../keystore/migrate.ts')
  const source = await openNamedKeyStore(from, scope, io)
  try {
    const target = await openNamedKeyStore(to, scope, io)
    try {
      const existing = force ? 'overwrite' : merge ? 'keep' : 'refuse'
      const report = await migrateKeys(source.store, target.store, {
        existing,
        ...(pattern !== undefined && { pattern }),
        ...(json || argv.quiet ? {} : { onProgress: progress(io) }),
      })
      if (json) printJson(io, report)
      else printLines(io, reportLines(report))
      if (report.failed.length > 0) throw new KesCommandError(`${report.failed.length} keys were not migrated`)
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** A line now and then; on a terminal one that changes. */
function progress(io: Io): (report: MigrationReport) => void {
  printLines(io, ['Starting key migration:', ''])
  let lastMs = performance.now()
  return ({ migrated, present, kept, failed }) => {
    const nowMs = performance.now()
    if (nowMs - lastMs < PROGRESS_MS) return
    lastMs = nowMs
    const done = migrated + present + kept.length + failed.length
    io.stdout.write(`Migrated ${String(done).padStart(6)} keys ...${isTerminal(io) ? '\r' : '\n'}`)
  }
}

const reportLines = ({ migrated, present, kept, failed }: MigrationReport): string[] => [
  ...failed.map(({ name, reason }) => `${name} was not migrated: ${reason}`),
  ...(kept.length === 0 ? [] : [`Left as they are in the target, where they are other keys: ${kept.join(', ')}`]),
  ...(present === 0 ? [] : [`There already ${present} keys`]),
  `Migrated ${String(migrated).padStart(6)} keys${failed.length === 0 ? ' successfully!' : ''}`,
]
