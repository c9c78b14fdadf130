import { closeSync, createReadStream, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { backupLines, refuseProblems } from './backup.ts'
import { type Command, type Io, printLines } from './io.ts'
import { type PlaceArguments, placeOptions } from './options.ts'
import { fileConfig } from './stored-config.ts'
import { UsageError } from './usage-error.ts'

interface RestoreArguments extends PlaceArguments {
  readonly file: string
}

/** kmipd restore: a store from a backup. */
export const restoreCommand = (io: Io): Command => ({
  command: 'restore <file>',
  describe: 'Make the data of a server from a backup, where there is none yet',
  builder: y =>
    placeOptions(y)
      .positional('file', { type: 'string', demandOption: true, describe: 'the backup' })
      .example('$0 restore /backup/kmipd-monday --data-dir /var/lib/kmipd-new', 'after the key file was put there'),
  async handler({ file, ...place }: RestoreArguments) {
    const config = await fileConfig(place, io)
    const { path } = config.store
    if (existsSync(path)) throw new UsageError(`there is data in ${path} already; restore into another directory`)
    const { closeAll, providersOf } = await import('./data.ts')
    const { openSqlite } = await import('../store/sqlite.ts')
    const { restoreBackup } = await import('../seal/backup.ts')
    const { storedTerms } = await import('./stored-terms.ts')
    const providers = await providersOf(config)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // Only a restore that came to its end gives the file its name; what a killed one left behind is begun anew.
    const partial = `${path}.restoring`
    clear(partial)
    let isWhole = false
    try {
      const store = await openSqlite({ path: partial, directWriter: true })
      let report: Awaited<ReturnType<typeof restoreBackup>>
      try {
        report = await restoreBackup(createReadStream(resolve(io.cwd, file)), { store, providers, termsOf: storedTerms })
      } finally {
        await store.close()
      }
      renameSync(partial, path)
      sync(dirname(path))
      isWhole = true
      printLines(io, [...backupLines(report), `restored to ${path}`])
      refuseProblems(report.problems.length)
    } finally {
      closeAll(providers)
      if (!isWhole) clear(partial)
      rmSync(`${partial}-lock`, { force: true })
    }
  },
})

function clear(path: string): void {
  for (const end of ['', '-wal', '-shm', '-lock']) rmSync(`${path}${end}`, { force: true })
}

function sync(directory: string): void {
  const handle = openSync(directory, 'r')
  fsyncSync(handle)
  closeSync(handle)
}
