import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { backupLines, refuseProblems } from './backup.ts'
import { type Command, type Io, printLines } from './io.ts'
import { type PlaceArguments, placeOptions } from './options.ts'
import { keptConfig } from './stored-config.ts'

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
    const config = await keptConfig(place, io)
    const { withProviders } = await import('./data.ts')
    const { nameOf, openStore } = await import('./opened-store.ts')
    const { restoreBackup } = await import('../seal/backup.ts')
    const { storedTerms } = await import('./stored-terms.ts')
    await withProviders(config, async providers => {
      const opened = await openStore(config, 'new')
      try {
        const { store } = opened
        const report = await restoreBackup(createReadStream(resolve(io.cwd, file)), { store, providers, termsOf: storedTerms })
        await opened.finish()
        printLines(io, [...backupLines(report), `restored to ${nameOf(config.store)}`])
        refuseProblems(report.problems.length)
      } finally {
        await opened.close()
      }
    })
  },
})
