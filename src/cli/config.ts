import type { Command, Io } from './io.ts'
import { printJson } from './io.ts'
import { type PlaceArguments, placeOptions } from './options.ts'
import { loadConfig } from './settings.ts'

/** kmipd config: look at the configuration file. */
export const configCommand = (io: Io): Command => ({
  command: 'config',
  describe: 'Check and show the configuration file',
  builder: y =>
    y
      .command([check(io), show(io), schema(io)])
      .demandCommand(1, 'say what to do with the configuration')
      .example('$0 config check --config /etc/kmipd/kmipd.yaml', ''),
  handler() {},
})

const check = (io: Io): Command => ({
  command: 'check',
  describe: 'Say whether the configuration is right, and where it is not',
  builder: y => placeOptions(y).example('$0 config check --config /etc/kmipd/kmipd.yaml', ''),
  async handler(argv: PlaceArguments) {
    const { file, isThere } = await loadConfig(argv, io)
    io.stdout.write(isThere ? `${file} is right\n` : `there is no ${file}: everything is at its default\n`)
  },
})

const show = (io: Io): Command => ({
  command: 'show',
  describe: 'Print the configuration with its defaults, without secrets',
  builder: y =>
    placeOptions(y)
      .option('json', { type: 'boolean', describe: 'print JSON' })
      .example('$0 config show --data-dir kmipd-data', 'what the server there listens on, and the rest'),
  async handler(argv: PlaceArguments & { readonly json?: boolean }) {
    const { config } = await loadConfig(argv, io)
    const { written } = await import('../config/written.ts')
    const plain = written(config)
    if (argv.json) return printJson(io, plain)
    const { stringify } = await import('yaml')
    io.stdout.write(stringify(plain))
  },
})

const schema = (io: Io): Command => ({
  command: 'schema',
  describe: 'Print the JSON Schema of the configuration file, for editors',
  builder: y => y.example('$0 config schema > kmipd.schema.json', ''),
  async handler() {
    const { jsonSchema } = await import('../config/describe.ts')
    printJson(io, jsonSchema())
  },
})
