import { type Command, type Io, printJson, printLines } from './io.ts'
import { jsonOption, type PlaceArguments, placeOptions } from './options.ts'

interface CreateRootArguments extends PlaceArguments {
  readonly json?: boolean
}

/** kmipd token: who may administer. */
export const tokenCommand = (io: Io): Command => ({
  command: 'token',
  describe: 'Make a root token in place of a lost one',
  builder: y => y.command([createRoot(io)]).demandCommand(1, 'say what to do with tokens'),
  handler() {},
})

const createRoot = (io: Io): Command => ({
  command: 'create-root',
  describe: 'Make another root token, on the data directory; the server may run',
  builder: y => jsonOption(placeOptions(y)).example('$0 token create-root --config /etc/kmipd/kmipd.yaml', 'where the first one was lost'),
  async handler({ json, ...place }: CreateRootArguments) {
    const { withData } = await import('./open.ts')
    const { newRootToken } = await import('./root-token.ts')
    const token = await withData(place, io, newRootToken)
    json ? printJson(io, { token }) : printLines(io, [token])
  },
})
