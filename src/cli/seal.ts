import { resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { KeyProvider } from '../seal/provider.ts'
import type { ProviderStatus } from '../seal/reseal.ts'
import type { Store } from '../store/store.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import type { OpenedStore } from './opened-store.ts'
import { jsonOption, type PlaceArguments, placeOptions } from './options.ts'
import { storedConfig } from './stored-config.ts'
import { UsageError } from './usage-error.ts'

interface SealArguments extends PlaceArguments {
  readonly json?: boolean
  readonly file?: string
  readonly kind: string
  readonly key: string
}

/** kmipd seal: who can open the store. */
export const sealCommand = (io: Io): Command => ({
  command: 'seal',
  describe: 'Show and change what opens the sealed data: key files, passphrases and keys in Vault',
  builder: y =>
    y
      .command([status(io), generateKey(io), add(io), remove(io), rotate(io), rewrap(io)])
      .demandCommand(1, 'say what to do with the seal')
      .example('$0 seal status --config /etc/kmipd/kmipd.yaml', ''),
  handler() {},
})

const status = (io: Io): Command => ({
  command: 'status',
  describe: 'Show who seals the store and who is configured, and try whether each opens it',
  builder: y => jsonOption(placeOptions(y)).example('$0 seal status --config /etc/kmipd/kmipd.yaml', ''),
  handler: ({ json, ...place }: SealArguments) =>
    withStore(place, io, async (store, providers) => {
      const { sealStatus } = await import('../seal/reseal.ts')
      const answer = await sealStatus(store, providers)
      if (json) return printJson(io, answer)
      printLines(io, answer.providers.map(statusLine))
      if (answer.rotating) io.stdout.write('a rotation of the root key was cut short; finish it with: kmipd seal rotate\n')
    }),
})

const statusLine = ({ provider, key, seals, configured, opens, problem, keyVersion }: ProviderStatus): string => {
  const state = !configured
    ? 'seals the store; not configured'
    : !seals
      ? 'configured; does not seal the store yet, see: kmipd seal add'
      : opens
        ? `seals the store, and opens it${keyVersion === undefined ? '' : ` (key version ${keyVersion})`}`
        : `seals the store, but does not open it: ${problem}`
  return `${provider} ${key}  ${state}`
}

const generateKey = (io: Io): Command => ({
  command: 'generate-key [file]',
  describe: 'Make a new key for a provider of kind local, in a file or on standard output',
  builder: y =>
    y
      .positional('file', { type: 'string', describe: 'a file that is not there yet; it gets mode 0600' })
      .example('$0 seal generate-key /etc/kmipd/second.key', '')
      .example('$0 seal generate-key', 'print it, for a secret store'),
  async handler({ file }: SealArguments) {
    const { createLocalKeyFile, newLocalKey } = await import('../seal/local-provider.ts')
    if (file === undefined) return void io.stdout.write(`${newLocalKey()}\n`)
    createLocalKeyFile(resolve(io.cwd, file))
    io.stdout.write(`${file} is made: keep a copy in a safe place, apart from the database\n`)
  },
})

const add = (io: Io): Command => ({
  command: 'add',
  describe: 'Let all configured keys open the store; one of them must open it now',
  builder: y => placeOptions(y).example('$0 seal add', 'after a second key was written under seal in the configuration'),
  handler: (place: SealArguments) =>
    withStore(place, io, async (store, providers) => {
      const { addProvider, sealedBy } = await import('../seal/reseal.ts')
      const before = await sealedBy(store)
      const added = providers.filter(({ kind, key }) => !before.some(entry => entry.provider === kind && entry.key === key))
      for (const provider of added) await addProvider(store, providers, provider)
      printLines(
        io,
        added.length === 0
          ? ['nothing to add: all that are configured seal the store']
          : added.map(({ kind, key }) => `${kind} ${key} opens the store from now on`),
      )
    }),
})

const remove = (io: Io): Command => ({
  command: 'remove <kind> <key>',
  describe: 'Let a key open the store no more; refused unless another configured one opens it',
  builder: y =>
    placeOptions(y)
      .positional('kind', { type: 'string', demandOption: true, describe: 'as seal status shows it, such as local' })
      .positional('key', { type: 'string', demandOption: true, describe: 'as seal status shows it' })
      .example('$0 seal remove local 5f0c2b7d9a1e4c38', ''),
  handler: ({ kind, key, ...place }: SealArguments) =>
    withStore(place, io, async (store, providers) => {
      const { removeProvider, sealedBy } = await import('../seal/reseal.ts')
      const entries = await sealedBy(store)
      if (!entries.some(entry => entry.provider === kind && entry.key === key))
        throw new UsageError(`${kind} ${key} does not seal the store; see: kmipd seal status`)
      await removeProvider(store, providers, { provider: kind, key })
      printLines(io, [
        `${kind} ${key} opens the store no more; take it out of the configuration`,
        'backups and copies from before still open with it, and show the root key: kmipd seal rotate makes another one',
      ])
    }),
})

const rotate = (io: Io): Command => ({
  command: 'rotate',
  describe: 'Make a new root key and seal everything anew with it; the server must be stopped',
  builder: y =>
    placeOptions(y).example('$0 seal rotate --config /etc/kmipd/kmipd.yaml', 'if it is cut short, nothing is lost: run it again'),
  async handler(place: SealArguments) {
    const config = await storedConfig(place, io)
    const { closeAll, providersOf } = await import('./data.ts')
    const { openStore } = await import('./opened-store.ts')
    const { rotateRootKey } = await import('../seal/rotate.ts')
    const { storedTerms } = await import('./stored-terms.ts')
    const providers = await providersOf(config)
    const { store, contents: contentsOf, close } = await openStore(config, 'alone')
    try {
      const contents = await contentsOf('current')
      try {
        const { records, before } = await rotateRootKey({ store, providers, contents, termsOf: storedTerms })
        const resumed = before > 0 ? `, ${before} of them before it was cut short` : ''
        io.stdout.write(`the store has a new root key: ${records} records were sealed anew${resumed}\n`)
      } finally {
        contents.close()
      }
    } finally {
      await close()
      closeAll(providers)
    }
  },
})

const rewrap = (io: Io): Command => ({
  command: 'rewrap',
  describe: 'Wrap the root key and data keys anew with the newest version of the keys in Vault; the server may run',
  builder: y =>
    placeOptions(y).example('$0 seal rewrap --config /etc/kmipd/kmipd.yaml', 'after: vault write -f transit/keys/kmipd-seal/rotate'),
  handler: (place: SealArguments) =>
    withStore(place, io, async (store, providers, { rewrap }) => {
      const { rewrapEntries } = await import('../seal/reseal.ts')
      const done = await rewrapEntries(store, providers)
      const lines = done.map(({ provider, key }) => `${provider} ${key}: the root key is wrapped with the newest version`)
      const data = await rewrap?.()
      if (data && data.rewrapped > 0) lines.push(`${data.rewrapped} of ${data.keys} data keys are wrapped with the newest version`)
      printLines(io, lines.length === 0 ? ['nothing to do: all is wrapped with the newest version'] : lines)
    }),
})

async function withStore(
  place: PlaceArguments,
  io: Io,
  use: (store: Store, providers: KeyProvider[], opened: OpenedStore) => Promise<void>,
): Promise<void> {
  const config: Config = await storedConfig(place, io)
  const { closeAll, providersOf } = await import('./data.ts')
  const { openStore } = await import('./opened-store.ts')
  const providers = await providersOf(config)
  const opened = await openStore(config, 'command')
  try {
    await use(opened.store, providers, opened)
  } finally {
    await opened.close()
    closeAll(providers)
  }
}
