import { closeSync, createReadStream, existsSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { BackupReport } from '../seal/backup.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { jsonOption, type PlaceArguments, placeOptions } from './options.ts'
import { loadConfig } from './settings.ts'
import { storedConfig } from './stored-config.ts'
import { UsageError } from './usage-error.ts'
import { version } from './version.ts'

interface BackupArguments extends PlaceArguments {
  readonly file: string
  readonly all?: boolean
  readonly json?: boolean
}

/** kmipd backup: all records in one file, sealed as they are. */
export const backupCommand = (io: Io): Command => ({
  command: 'backup',
  describe: 'Write a backup, also while the server runs, and check one',
  builder: y => y.command([create(io), verify(io)]).demandCommand(1, 'say where to write the backup'),
  handler() {},
})

const create = (io: Io): Command => ({
  command: '$0 <file>',
  describe: 'Write all data to a new file, sealed as it is; the server may run',
  builder: y =>
    placeOptions(y)
      .positional('file', { type: 'string', demandOption: true, describe: 'a file that is not there yet' })
      .example('$0 backup /backup/kmipd-monday --config /etc/kmipd/kmipd.yaml', 'what opens the seal is not in it: keep that elsewhere'),
  async handler({ file: given, ...place }: BackupArguments) {
    const file = resolve(io.cwd, given)
    if (existsSync(file)) throw new UsageError(`${file} is there already; a backup does not overwrite`)
    const config = await storedConfig(place, io)
    const { closeAll, providersOf } = await import('./data.ts')
    const { openStore } = await import('./opened-store.ts')
    const { backupOf } = await import('../seal/backup.ts')
    const providers = await providersOf(config)
    const opened = await openStore(config, 'reader')
    try {
      const contents = await opened.contents('moment')
      try {
        const made = { program: `kmipd ${version()}`, created: new Date().toISOString() }
        const records = contents.count
        const bytes = await writeWhole(file, backupOf(contents, providers, made))
        io.stdout.write(`${file}: ${records} records, ${bytes} bytes; try it with: kmipd backup verify ${given}\n`)
      } finally {
        contents.close()
      }
    } finally {
      await opened.close()
      closeAll(providers)
    }
  },
})

/** The file appears when it is whole, and is on the disk with its name. @returns its size */
async function writeWhole(file: string, chunks: AsyncIterable<Buffer>): Promise<number> {
  const partial = `${file}.partial`
  const handle = openSync(partial, 'w', 0o600)
  let size = 0
  let isWhole = false
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) at += writeSync(handle, chunk, at)
      size += chunk.length
    }
    fsyncSync(handle)
    isWhole = true
  } finally {
    closeSync(handle)
    if (!isWhole) rmSync(partial, { force: true })
  }
  renameSync(partial, file)
  const { syncFolder } = await import('../store/durable-files.ts')
  syncFolder(dirname(file))
  return size
}

const verify = (io: Io): Command => ({
  command: 'verify <file>',
  describe: 'Check that a backup is whole, unseal it, and open a hundred of its records, or all',
  builder: y =>
    jsonOption(placeOptions(y))
      .positional('file', { type: 'string', demandOption: true, describe: 'the backup' })
      .option('all', { type: 'boolean', describe: 'open each record, and compare its index terms' })
      .example('$0 backup verify /backup/kmipd-monday --all', 'with the keys that the configuration names under seal'),
  async handler({ file, all = false, json, ...place }: BackupArguments) {
    const { config } = await loadConfig(place, io)
    const { withProviders } = await import('./data.ts')
    const { verifyBackup } = await import('../seal/backup.ts')
    const { storedTerms } = await import('./stored-terms.ts')
    const report = await withProviders(config, providers =>
      verifyBackup(createReadStream(resolve(io.cwd, file)), { providers, termsOf: storedTerms, all }),
    )
    if (json) printJson(io, report)
    else printLines(io, backupLines(report))
    refuseProblems(report.problems.length)
  },
})

/** What is said of a backup that was read to its end. */
export const backupLines = ({ manifest, records, opened, problems }: BackupReport): string[] => [
  `made ${manifest.created} by ${manifest.program}, sealed by ${manifest.sealedBy.map(({ provider, key }) => `${provider} ${key}`).join(', ')}`,
  ...problems.map(({ partition, id, problem }) => `record ${id} of ${partition}: ${problem}`),
  `${records} records, ${opened} opened, ${problems.length} with problems`,
]

/** A report with problems was printed; the command has failed all the same. */
export function refuseProblems(count: number): void {
  if (count > 0)
    throw new ProblemsError(`${count} ${count === 1 ? 'problem was' : 'problems were'} found; restore a backup from before them`)
}

class ProblemsError extends Error {
  override readonly name = 'ProblemsError'
  readonly code = 'problems'
}
