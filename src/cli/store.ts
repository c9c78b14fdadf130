import { refuseProblems } from './backup.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { jsonOption, type PlaceArguments, placeOptions } from './options.ts'
import { storedConfig } from './stored-config.ts'

interface StoreArguments extends PlaceArguments {
  readonly json?: boolean
}

/** kmipd store: the sealed data as a whole. */
export const storeCommand = (io: Io): Command => ({
  command: 'store',
  describe: 'Check the stored data',
  builder: y => y.command([verify(io)]).demandCommand(1, 'say what to do with the store'),
  handler() {},
})

const verify = (io: Io): Command => ({
  command: 'verify',
  describe: 'Open each record and compare its index with its content; changes nothing, and the server may run',
  builder: y => jsonOption(placeOptions(y)).example('$0 store verify --config /etc/kmipd/kmipd.yaml', ''),
  async handler({ json, ...place }: StoreArguments) {
    const config = await storedConfig(place, io)
    const { closeAll, openStore, providersOf } = await import('./data.ts')
    const { SqliteContents } = await import('../store/sqlite-contents.ts')
    const { checkStore } = await import('../seal/check.ts')
    const { storedTerms } = await import('./stored-terms.ts')
    const providers = await providersOf(config)
    const { store, close } = await openStore(config, 'command')
    try {
      const contents = SqliteContents.open(config.store.path, 'moment')
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
