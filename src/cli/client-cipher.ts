import type { CipherOptions } from '../client/operations.ts'
import { type ConnectionArguments, connectionOptions, withClient } from './client-connection.ts'
import { type Command, type Io, printJson, readInput } from './io.ts'
import { UsageError } from './usage-error.ts'

const MODES = ['GCM', 'CBC', 'CTR', 'ECB'] as const
type Mode = (typeof MODES)[number]

interface CipherArguments extends ConnectionArguments {
  readonly id: string
  readonly file?: string
  readonly mode: Mode
}

/** What `encrypt` prints and `decrypt` reads; the bytes in base64. */
interface Sealed {
  readonly mode: Mode
  readonly data: string
  readonly iv?: string
  readonly tag?: string
}

// What has no padding of its own gets one.
const OPTIONS: { readonly [mode in Mode]: CipherOptions } = {
  GCM: { mode: 'GCM', tagLength: 16 },
  CBC: { mode: 'CBC', padding: 'PKCS5' },
  CTR: { mode: 'CTR' },
  ECB: { mode: 'ECB', padding: 'PKCS5' },
}

export const encryptCommand = (io: Io): Command => ({
  command: 'encrypt <id> [file]',
  describe: 'Encrypt with a key of the server; prints JSON with data, IV and tag in base64',
  builder: y =>
    connectionOptions(y)
      .positional('id', { type: 'string', demandOption: true, describe: 'unique identifier of the key' })
      .positional('file', { type: 'string', describe: 'what to encrypt; absent or -: standard input' })
      .option('mode', { choices: MODES, default: 'GCM' as const, describe: 'block cipher mode' })
      .example('$0 client encrypt 6a2e… note.txt > note.json', ''),
  async handler(argv: CipherArguments) {
    const { encrypt } = await import('../client/operations.ts')
    const plain = await readInput(argv.file, io)
    await withClient(argv, io, async client => {
      const { data, iv, tag } = await encrypt(client, argv.id, plain, OPTIONS[argv.mode])
      printJson(io, { mode: argv.mode, data: data.toString('base64'), iv: iv?.toString('base64'), tag: tag?.toString('base64') } satisfies {
        [field in keyof Sealed]: Sealed[field] | undefined
      })
    })
  },
})

export const decryptCommand = (io: Io): Command => ({
  command: 'decrypt <id> [file]',
  describe: 'Decrypt what encrypt printed; with --json its data is in base64',
  builder: y =>
    connectionOptions(y)
      .positional('id', { type: 'string', demandOption: true, describe: 'unique identifier of the key' })
      .positional('file', { type: 'string', describe: 'JSON as encrypt prints it; absent or -: standard input' })
      .example('$0 client decrypt 6a2e… note.json', ''),
  async handler(argv: CipherArguments) {
    const { decrypt } = await import('../client/operations.ts')
    const { mode, data, iv, tag } = sealedOf(await readInput(argv.file, io))
    const options = {
      ...OPTIONS[mode],
      ...(iv !== undefined && { iv: Buffer.from(iv, 'base64') }),
      ...(tag !== undefined && { tag: Buffer.from(tag, 'base64') }),
    }
    await withClient(argv, io, async client => {
      const plain = await decrypt(client, argv.id, Buffer.from(data, 'base64'), options)
      argv.json ? printJson(io, { data: plain.toString('base64') }) : io.stdout.write(plain)
    })
  },
})

function sealedOf(bytes: Buffer): Sealed {
  const text = bytes.toString('utf8').trim()
  const value: unknown = text.startsWith('{') ? JSON.parse(text) : undefined
  if (!isSealed(value)) throw new UsageError('give the JSON that kmipd client encrypt printed')
  return value
}

function isSealed(value: unknown): value is Sealed {
  if (typeof value !== 'object' || value === null) return false
  const { mode, data, iv, tag } = value as { readonly [field: string]: unknown }
  const optional = [iv, tag].every(field => field === undefined || typeof field === 'string')
  return MODES.some(known => known === mode) && typeof data === 'string' && optional
}
