import type { Item } from '../ttlv/item.ts'
import { type ConnectionArguments, connectionOptions, withClient } from './client-connection.ts'
import { type Command, type Io, printJson, printLines, readInput } from './io.ts'
import { named } from './named.ts'
import { UsageError } from './usage-error.ts'

interface ObjectArguments extends ConnectionArguments {
  readonly id: string
}

const ID = { type: 'string', demandOption: true, describe: 'unique identifier' } as const

export const queryCommand = (io: Io): Command => ({
  command: 'query',
  describe: 'Ask what the server can do',
  builder: y => connectionOptions(y).example('$0 client query', ''),
  handler: (argv: ObjectArguments) =>
    withClient(argv, io, async client => {
      const { query } = await import('../client/operations.ts')
      const payload = await query(client)
      if (argv.json) io.stdout.write(`${(await import('../ttlv/json.ts')).encodeJson(payload, { indent: 2 })}\n`)
      else io.stdout.write((await import('../ttlv/print.ts')).print(payload))
    }),
})

interface CreateArguments extends ObjectArguments {
  readonly name?: string
  readonly algorithm: string
  readonly length: number
  readonly usage: string
  readonly activate?: boolean
}

export const createCommand = (io: Io): Command => ({
  command: 'create',
  describe: 'Create a symmetric key and print its identifier',
  builder: y =>
    connectionOptions(y)
      .option('name', { type: 'string', requiresArg: true, describe: 'its name' })
      .option('algorithm', { type: 'string', default: 'AES', describe: 'cryptographic algorithm' })
      .option('length', { type: 'number', default: 256, describe: 'bits' })
      .option('usage', { type: 'string', default: 'Encrypt,Decrypt', describe: 'what it may be used for' })
      .option('activate', { type: 'boolean', describe: 'activate it too' })
      .example('$0 client create --name backup --activate', ''),
  async handler(argv: CreateArguments) {
    const { activate, create } = await import('../client/operations.ts')
    const options = { ...(await keyOptions(argv)), length: argv.length }
    await withClient(argv, io, async client => {
      const id = await create(client, options)
      if (argv.activate) await activate(client, id)
      showId(id, argv, io)
    })
  },
})

interface RegisterArguments extends Omit<CreateArguments, 'length'> {
  readonly file?: string
  readonly secret?: boolean
}

export const registerCommand = (io: Io): Command => ({
  command: 'register [file]',
  describe: 'Register a symmetric key or a secret that you have, and print its identifier',
  builder: y =>
    connectionOptions(y)
      .positional('file', { type: 'string', describe: 'the key as bytes; absent or -: standard input' })
      .option('secret', { type: 'boolean', describe: 'it is a secret such as a password, and no key' })
      .option('name', { type: 'string', requiresArg: true, describe: 'its name' })
      .option('algorithm', { type: 'string', default: 'AES', describe: 'cryptographic algorithm of a key' })
      .option('usage', { type: 'string', default: 'Encrypt,Decrypt', describe: 'what a key may be used for' })
      .option('activate', { type: 'boolean', describe: 'activate it too' })
      .example('$0 client register key.bin --name backup', '')
      .example('printf %s "$PASSWORD" | $0 client register --secret --name db', ''),
  async handler(argv: RegisterArguments) {
    const { activate, registerSecretData, registerSymmetricKey } = await import('../client/operations.ts')
    const bytes = await readInput(argv.file, io)
    if (bytes.length === 0) throw new UsageError('there is nothing to register')
    const { algorithm, usage, name } = await keyOptions(argv)
    const naming = name === undefined ? {} : { name }
    await withClient(argv, io, async client => {
      const id = argv.secret
        ? await registerSecretData(client, bytes, naming)
        : await registerSymmetricKey(client, bytes, { algorithm, usage, ...naming })
      if (argv.activate) await activate(client, id)
      showId(id, argv, io)
    })
  },
})

export const getCommand = (io: Io): Command => ({
  command: 'get <id>',
  describe: 'Get an object; its key material is shown',
  builder: y =>
    connectionOptions(y)
      .positional('id', ID)
      .option('raw', { type: 'boolean', describe: 'only the key material, as bytes' })
      .conflicts('raw', 'json')
      .example('$0 client get 6a2e…', '')
      .example('$0 client get 6a2e… --raw > key.bin', ''),
  handler: (argv: ObjectArguments & { readonly raw?: boolean }) =>
    withClient(argv, io, async client => {
      const { get } = await import('../client/operations.ts')
      const { enumName } = await import('../ttlv/item.ts')
      const { id, objectType, object, material } = await get(client, argv.id)
      if (argv.raw) {
        if (material === undefined) throw new UsageError('this object has no material in bytes; leave --raw out')
        io.stdout.write(material)
      } else if (argv.json) printJson(io, { id, objectType: enumName('ObjectType', objectType), material: material?.toString('hex') })
      else io.stdout.write((await import('../ttlv/print.ts')).print(object, { secrets: true }))
    }),
})

interface LocateArguments extends ObjectArguments {
  readonly name?: string
  readonly type?: string
  readonly state?: string
  readonly limit?: number
}

export const locateCommand = (io: Io): Command => ({
  command: 'locate',
  describe: 'Print the identifiers of the objects that have these attributes',
  builder: y =>
    connectionOptions(y)
      .option('name', { type: 'string', requiresArg: true, describe: 'their name' })
      .option('type', { type: 'string', requiresArg: true, describe: 'their type, such as SymmetricKey' })
      .option('state', { type: 'string', requiresArg: true, describe: 'their state, such as Active' })
      .option('limit', { type: 'number', describe: 'so many at most' })
      .example('$0 client locate --name backup --state Active', ''),
  async handler(argv: LocateArguments) {
    const { locate } = await import('../client/operations.ts')
    const filters = await filtersOf(argv)
    const ids = await withClient(argv, io, client => locate(client, filters, argv.limit === undefined ? {} : { maximumItems: argv.limit }))
    argv.json ? printJson(io, ids) : printLines(io, ids)
  },
})

async function filtersOf({ name, type, state }: LocateArguments): Promise<Item[]> {
  const { nameItem } = await import('../client/operations.ts')
  const { ENUM } = await import('../ttlv/enumerations.ts')
  const { enumeration } = await import('../ttlv/item.ts')
  const { TAG } = await import('../ttlv/tags.ts')
  return [
    ...(type === undefined ? [] : [enumeration(TAG.ObjectType, ENUM.ObjectType[await named(ENUM.ObjectType, type, 'object type')])]),
    ...(name === undefined ? [] : [nameItem(name)]),
    ...(state === undefined ? [] : [enumeration(TAG.State, ENUM.State[await named(ENUM.State, state, 'state')])]),
  ]
}

export const attributesCommand = (io: Io): Command => ({
  command: 'attributes <id> [names..]',
  describe: 'Show attributes of an object: those named, or all',
  builder: y =>
    connectionOptions(y)
      .positional('id', ID)
      .positional('names', { type: 'string', array: true, default: [], describe: 'such as State or "Cryptographic Length"' })
      .example('$0 client attributes 6a2e… State Name', ''),
  handler: (argv: ObjectArguments & { readonly names: readonly string[] }) =>
    withClient(argv, io, async client => {
      const { customAttribute, getAttributes } = await import('../client/operations.ts')
      const found = await getAttributes(client, argv.id, argv.names)
      if (argv.json) {
        const { encodeJson } = await import('../ttlv/json.ts')
        return printJson(
          io,
          found.map(({ name, index, value }) => ({ name, index, value: valueIn(encodeJson(customAttribute(name, value))) })),
        )
      }
      const { print } = await import('../ttlv/print.ts')
      for (const { name, value } of found) io.stdout.write(print(customAttribute(name, value)))
    }),
})

/** The value of an attribute in KMIP's JSON: only beside its name can it be written with the names of enumerations. */
function valueIn(attribute: string): unknown {
  const { value } = JSON.parse(attribute) as { readonly value: readonly { readonly tag: string; readonly value: unknown }[] }
  return value.find(({ tag }) => tag === 'AttributeValue')?.value
}

async function keyOptions(argv: Pick<CreateArguments, 'name' | 'algorithm' | 'usage'>) {
  const { ENUM, MASK } = await import('../ttlv/enumerations.ts')
  const masks = await Promise.all(argv.usage.split(',').map(name => named(MASK.CryptographicUsageMask, name.trim(), 'usage')))
  return {
    algorithm: await named(ENUM.CryptographicAlgorithm, argv.algorithm, 'algorithm'),
    usage: masks.reduce((mask, name) => mask | MASK.CryptographicUsageMask[name], 0),
    ...(argv.name !== undefined && { name: argv.name }),
  }
}

const showId = (id: string, { json }: { readonly json?: boolean }, io: Io): void => (json ? printJson(io, { id }) : printLines(io, [id]))
