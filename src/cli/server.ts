import type { Command, Io } from './io.ts'
import { type PlaceArguments, placeOptions } from './options.ts'
import { loadConfig } from './settings.ts'

/** kmipd server: run by a configuration file. */
export const serverCommand = (io: Io): Command => ({
  command: 'server',
  describe: 'Run the server by a configuration file; SIGHUP reloads it, SIGTERM stops',
  builder: y => placeOptions(y).example('$0 server --config /etc/kmipd/kmipd.yaml', ''),
  async handler(argv: PlaceArguments) {
    const { config } = await loadConfig(argv, io)
    const { serve } = await import('./serve.ts')
    await serve({ config, reload: async () => (await loadConfig(argv, io)).config, io })
  },
})
