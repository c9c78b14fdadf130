import type { Json } from '../client/kes-client.ts'
import { type Command, type Io, printLines } from './io.ts'
import { jsonFlag, type KesArguments, kesOptions, withKes } from './kes-connection.ts'
import { KesCommandError } from './kes-error.ts'
import { columns, listLines, momentOf, printFields } from './kes-print.ts'

interface KeyArguments extends KesArguments {
  readonly names?: readonly string[]
  readonly name?: string
  readonly text?: string | readonly string[]
  readonly context?: string
  readonly json?: boolean
}

/** kmipd kes key: keys of a KES server. */
export const kesKeyCommand = (io: Io): Command => ({
  command: 'key',
  describe: 'Create, import, list, remove and use keys',
  builder: y =>
    y
      .command([create(io), importKey(io), info(io), list(io), remove(io), encrypt(io), decrypt(io), dek(io), hmac(io)])
      .demandCommand(1, 'say what to do with keys'),
  handler() {},
})

/** A text as it is part of a command's failure. */
const about = async <T>(what: string, act: Promise<T>): Promise<T> => {
  return act.then(
    value => value,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'refused')
        throw new KesCommandError(`${what}: ${error.message}`, { cause: error })
      throw error
    },
  )
}

const target = (verb: string, name: string): string => `/v1/key/${verb}/${encodeURIComponent(name)}`

function required(value: string | undefined, what: string, command: string): string {
  if (value === undefined || value === '') throw new KesCommandError(`no ${what} specified. See 'kmipd kes key ${command} --help'`)
  return value
}

function namesIn({ names = [] }: KeyArguments, command: string): readonly string[] {
  if (names.length === 0) throw new KesCommandError(`no key name specified. See 'kmipd kes key ${command} --help'`)
  return names
}

const namesOption = { type: 'string', array: true, describe: 'names of keys' } as const
const nameOption = { type: 'string', describe: 'name of the key' } as const
const contextOption = { type: 'string', describe: 'base64; must be the same when the data is decrypted' } as const

const create = (io: Io): Command => ({
  command: 'create [names..]',
  describe: 'Create keys',
  builder: y => kesOptions(y).positional('names', namesOption).example('$0 kes key create my-key', ''),
  handler: (argv: KeyArguments) =>
    withKes(argv, io, async client => {
      for (const name of namesIn(argv, 'create')) await about(`failed to create key "${name}"`, client.text('PUT', target('create', name)))
    }),
})

const importKey = (io: Io): Command => ({
  command: 'import [name] [text]',
  describe: 'Import a key of 32 bytes for AES-256',
  builder: y =>
    kesOptions(y)
      .positional('name', nameOption)
      .positional('text', { type: 'string', describe: 'the key, in base64' })
      .example('$0 kes key import my-key "$(head -c 32 /dev/urandom | base64)"', ''),
  async handler(argv: KeyArguments) {
    const name = required(argv.name, 'key name', 'import')
    const key = await base64(required(oneText(argv), 'crypto key', 'import'), 'invalid key')
    await withKes(argv, io, client =>
      about(`failed to import "${name}"`, client.text('PUT', target('import', name), { key, cipher: 'AES256' })),
    )
  },
})

const info = (io: Io): Command => ({
  command: 'info [name]',
  describe: 'Print what is known of a key',
  builder: y => jsonFlag(kesOptions(y)).positional('name', nameOption).example('$0 kes key info my-key', ''),
  handler: (argv: KeyArguments) =>
    withKes(argv, io, async client => {
      const name = required(argv.name, 'key name', 'info')
      const key = await about('failed to describe keys', client.json('GET', target('describe', name)))
      if (argv.json) io.stdout.write(`${JSON.stringify(withoutDefault(key))}\n`)
      else {
        const { algorithm, created_at, created_by } = key
        const rows: [string, string][] = [
          ['Name', name],
          ...(typeof algorithm === 'string' ? [['Algorithm', algorithm] as [string, string]] : []),
          ['Date', momentOf(created_at)],
          ...(typeof created_by === 'string' ? [['Owner', created_by] as [string, string]] : []),
        ]
        io.stdout.write(columns(rows, 3).join('\n') + (io.stdout.isTTY === true ? '\n' : ''))
      }
    }),
})

/** KES's command leaves out the algorithm that is the first in its table. */
const withoutDefault = ({ algorithm, ...rest }: Json): Json => ({
  ...pick(rest, 'name'),
  ...(algorithm !== 'AES256' && { algorithm }),
  ...rest,
})
const pick = (fields: Json, name: string): Json => (name in fields ? { [name]: fields[name] } : {})

const list = (io: Io): Command => ({
  command: 'ls [name]',
  aliases: ['list'],
  describe: 'List the names of keys',
  builder: y =>
    jsonFlag(kesOptions(y)).positional('name', { type: 'string', describe: 'what they begin with' }).example('$0 kes key ls my-', ''),
  handler: (argv: KeyArguments) =>
    withKes(argv, io, async client => {
      const names = await about('failed to list keys', client.list('key', argv.name ?? ''))
      if (argv.json) io.stdout.write(`${JSON.stringify(names)}\n`)
      printLines(io, listLines('Key', names))
    }),
})

const remove = (io: Io): Command => ({
  command: 'rm [names..]',
  aliases: ['delete'],
  describe: 'Delete keys: what they encrypted can never be decrypted again',
  builder: y => kesOptions(y).positional('names', namesOption).example('$0 kes key rm my-key', ''),
  handler: (argv: KeyArguments) =>
    withKes(argv, io, async client => {
      for (const name of namesIn(argv, 'rm')) await about(`failed to remove key "${name}"`, client.text('DELETE', target('delete', name)))
    }),
})

const encrypt = (io: Io): Command => ({
  command: 'encrypt [name] [text..]',
  describe: 'Encrypt a message',
  builder: y =>
    kesOptions(y)
      .positional('name', nameOption)
      .positional('text', { type: 'string', array: true, describe: 'the message' })
      .example("$0 kes key encrypt my-key 'Hello World'", ''),
  handler: (argv: KeyArguments) =>
    withKes(argv, io, async client => {
      const name = required(argv.name, 'key name', 'encrypt')
      const plaintext = Buffer.from(messageIn(argv, 'encrypt')).toString('base64')
      const { ciphertext } = await about('failed to encrypt message', client.json('PUT', target('encrypt', name), { plaintext }))
      printFields(io, [['ciphertext', String(ciphertext)]])
    }),
})

const decrypt = (io: Io): Command => ({
  command: 'decrypt [name] [text] [context]',
  describe: 'Decrypt a ciphertext',
  builder: y =>
    kesOptions(y)
      .positional('name', nameOption)
      .positional('text', { type: 'string', describe: 'the ciphertext, in base64' })
      .positional('context', contextOption)
      .example('$0 kes key decrypt my-key Y7vmM3c4…', ''),
  handler: (argv: KeyArguments) =>
    withKes(argv, io, async client => {
      const name = required(argv.name, 'key name', 'decrypt')
      const ciphertext = await base64(required(oneText(argv), 'ciphertext', 'decrypt'), 'invalid ciphertext')
      const body = { ciphertext, ...(await contextOf(argv)) }
      const { plaintext } = await about('failed to decrypt ciphertext', client.json('PUT', target('decrypt', name), body))
      printFields(io, [['plaintext', String(plaintext)]])
    }),
})

const dek = (io: Io): Command => ({
  command: 'dek [name] [context]',
  aliases: ['derive'],
  describe: 'Generate a data key, in clear and encrypted',
  builder: y => kesOptions(y).positional('name', nameOption).positional('context', contextOption).example('$0 kes key dek my-key', ''),
  handler: (argv: KeyArguments) =>
    withKes(argv, io, async client => {
      const name = required(argv.name, 'key name', 'dek')
      const { plaintext, ciphertext } = await about(
        'failed to generate key',
        client.json('PUT', target('generate', name), await contextOf(argv)),
      )
      printFields(io, [
        ['plaintext', String(plaintext)],
        ['ciphertext', String(ciphertext)],
      ])
    }),
})

const hmac = (io: Io): Command => ({
  command: 'hmac [name] [text..]',
  describe: 'Compute the HMAC-SHA256 of a message',
  builder: y =>
    kesOptions(y)
      .positional('name', nameOption)
      .positional('text', { type: 'string', array: true, describe: 'the message' })
      .example("$0 kes key hmac my-key 'Hello World'", ''),
  handler: (argv: KeyArguments) =>
    withKes(argv, io, async client => {
      const name = required(argv.name, 'key name', 'hmac')
      const message = Buffer.from(messageIn(argv, 'hmac')).toString('base64')
      const { hmac } = await about('failed to compute HMAC', client.json('PUT', target('hmac', name), { message }))
      printFields(io, [['hmac', String(hmac)]])
    }),
})

/** A message may be empty, but it has to be there. */
const messageIn = ({ text }: KeyArguments, command: string): string =>
  Array.isArray(text) && text.length > 0 ? text.join(' ') : required(undefined, 'message', command)
const oneText = ({ text }: KeyArguments): string | undefined => (typeof text === 'string' ? text : text?.join(' '))
const contextOf = async ({ context }: KeyArguments): Promise<Json> =>
  context === undefined ? {} : { context: await base64(context, 'invalid context') }

async function base64(text: string, what: string): Promise<string> {
  const { fromBase64 } = await import('../keystore/stored-key.ts')
  if (fromBase64(text) !== undefined) return text
  throw new KesCommandError(`${what}: it is not in base64`)
}
