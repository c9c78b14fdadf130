import type { Command, Io } from './io.ts'
import { printLines } from './io.ts'
import { nameOf } from './opened-store.ts'
import { type PlaceArguments, placeOptions } from './options.ts'
import { loadConfig } from './settings.ts'

/** kmipd init: what a server needs before its first start. */
export const initCommand = (io: Io): Command => ({
  command: 'init',
  describe: 'Make what a server needs and is not there yet: key file, database, CA, root token',
  builder: y =>
    placeOptions(y).example('$0 init --config /etc/kmipd/kmipd.yaml', '').example('$0 init --data-dir data', 'everything at its default'),
  async handler(argv: PlaceArguments) {
    const { config } = await loadConfig(argv, io)
    const { makeKeyFiles, openData, storeFields } = await import('./data.ts')
    const keys = await makeKeyFiles(config)
    const { firstRootToken } = await import('./root-token.ts')
    const data = await openData(config, 'first')
    let token: string | undefined
    try {
      await storeFields(config, data.mounts)
      await (await data.mounts.scopesAt('kmip/')).serverCertificate()
      token = await firstRootToken(data)
    } finally {
      await data.close()
    }
    const database = config.store.kind === 'memory' ? [] : [`database ${nameOf(config.store)}`]
    const root = token === undefined ? [] : [`root token ${token}: may do everything and is shown this once, so keep it in a safe place`]
    printLines(io, [
      ...keys.map(file => `key file ${file}: keep a copy in a safe place, apart from the database`),
      ...database,
      ...root,
      'ready',
    ])
  },
})
