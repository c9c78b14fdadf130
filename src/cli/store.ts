import { refuseProblems } from './backup.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { jsonOption, type PlaceArguments, placeOptions } from './options.ts'
import { keptConfig, storedConfig } from './stored-config.ts'

interface MigrateArguments {
  readonly from: string
  readonly to: string
}

interface StoreArguments extends PlaceArguments {
  readonly json?: boolean
}

/** kmipd store: the sealed data as a whole. */
export const storeCommand = (io: Io): Command => ({
  command: 'store',
  describe: 'Check the stored data, and move it to another store',
  builder: y =>
    y
      .command([verify(io), migrate(io)])
      .demandCommand(1, 'say what to do with the store')
      .example('$0 store verify --config /etc/kmipd/kmipd.yaml', ''),
  handler() {},
})

const verify = (io: Io): Command => ({
  command: 'verify',
  describe: 'Open each record and compare its index with its content; changes nothing, and the server may run',
  builder: y => jsonOption(placeOptions(y)).example('$0 store verify --config /etc/kmipd/kmipd.yaml', ''),
  async handler({ json, ...place }: StoreArguments) {
    const config = await storedConfig(place, io)
    const { closeAll, providersOf } = await import('./data.ts')
    const { openStore } = await import('./opened-store.ts')
    const { checkStore } = await import('../seal/check.ts')
    const { storedTerms } = await import('./stored-terms.ts')
    const providers = await providersOf(config)
    const { store, contents: contentsOf, close } = await openStore(config, 'reader')
    try {
      const contents = await contentsOf('moment')
      try {
        const file = contents.problems()
        const { records, problems } = await checkStore({ store, contents, providers, termsOf: storedTerms })
        const count = file.length + problems.length
        if (json) printJson(io, { records, file, problems })
        else
          printLines(io, [
            ...file,
            ...problems.map(({ partition, id, problem }) => `record ${id} of ${partition}: ${problem}`),
            `${records} records, ${count} ${count === 1 ? 'problem' : 'problems'}`,
          ])
        refuseProblems(count)
      } finally {
        contents.close()
      }
    } finally {
      await close()
      closeAll(providers)
    }
  },
})

const migrate = (io: Io): Command => ({
  command: 'migrate',
  describe:
    'Copy everything to an empty store: objects, scopes, roles, credentials, CA; SQLite and Vault both ways. The server must be stopped',
  builder: y =>
    y
      .option('from', { type: 'string', demandOption: true, requiresArg: true, describe: 'configuration file of the store that is there' })
      .option('to', { type: 'string', demandOption: true, requiresArg: true, describe: 'configuration file with the new store' })
      .example('$0 store migrate --from kmipd.yaml --to kmipd-vault.yaml', 'if it is cut short, run it again'),
  async handler({ from, to }: MigrateArguments) {
    const [source, target] = [await storedConfig({ config: from }, io), await keptConfig({ config: to }, io)]
    const { openStore, nameOf } = await import('./opened-store.ts')
    const { copyStore } = await import('../seal/copy.ts')
    const { withProviders } = await import('./data.ts')
    const { storedTerms } = await import('./stored-terms.ts')
    const old = await openStore(source, 'alone')
    try {
      const fresh = await openStore(target, 'new')
      try {
        const records = await withProviders(target, providers =>
          copyStore({ from: old, to: fresh, providers, termsOf: storedTerms, progress: done => showProgress(io, done) }),
        )
        await fresh.finish()
        printLines(io, [`${records} records were copied to ${nameOf(target.store)}, and compared with those in ${nameOf(source.store)}`])
      } finally {
        await fresh.close()
      }
    } finally {
      await old.close()
    }
  },
})

function showProgress(io: Io, { records, of }: { readonly records: number; readonly of: number }): void {
  io.stderr.write(`${records} of ${of} records (${of === 0 ? 100 : Math.floor((records / of) * 100)} %)\n`)
}
