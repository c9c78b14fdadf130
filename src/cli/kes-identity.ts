import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, type Io, printLines } from './io.ts'
import { jsonFlag, type KesArguments, kesOptions, withKes } from './kes-connection.ts'
import { KesCommandError } from './kes-error.ts'
import { kesFormerIdentityCommands } from './kes-former.ts'
import { kesMigrateCommand } from './kes-migrate.ts'
import { newIdentity } from './kes-new-identity.ts'
import { columns, isTerminal, listLines, momentOf } from './kes-print.ts'

interface IdentityArguments extends KesArguments {
  readonly what?: string
  readonly json?: boolean
}

/** kmipd kes identity: identities, and the API keys and certificates behind them. */
export const kesIdentityCommand = (io: Io): Command => ({
  command: 'identity',
  describe: 'Make API keys and certificates, and see whose they are',
  builder: y => y.command([bare(io), newIdentity(io), of(io), info(io), list(io), ...kesFormerIdentityCommands()]),
  handler() {},
})

/** kmipd kes tool: what was under `identity` later. */
export const kesToolCommand = (io: Io): Command => ({
  command: 'tool',
  describe: 'The name of kes identity and kes migrate before 2022',
  builder: y => y.command([toolIdentity(io), kesMigrateCommand(io)]).demandCommand(1, 'say which tool'),
  handler() {},
})

const toolIdentity = (io: Io): Command => ({
  command: 'identity',
  describe: 'Make API keys and certificates, and see whose they are',
  builder: y => y.command([newIdentity(io, { key: 'private.key', cert: 'public.crt' }), of(io)]).demandCommand(1, 'say new or of'),
  handler() {},
})

const bare = (io: Io): Command => ({
  command: '$0 [what]',
  describe: 'Of an API key or a certificate its identity, of a private key its API key; without any, a new API key',
  builder: y => y.positional('what', { type: 'string', describe: 'API key, or file of a certificate or private key' }),
  async handler({ what }: IdentityArguments) {
    if (what !== undefined) return printOne(io, await identityOrKeyIn(what, io))
    const { apiKeyOfKey, newKey } = await import('./kes-credential.ts')
    const key = newKey()
    if (!isTerminal(io)) return printOne(io, apiKeyOfKey(key))
    const apiKey = apiKeyOfKey(key)
    printLines(io, framed(apiKey, await identityOf(apiKey)))
  },
})

/** In a frame of blanks, as KES shows what must not be lost. */
const framed = (apiKey: string, identity: string): string[] =>
  [
    '',
    'Your API key:',
    '',
    `   ${apiKey}`,
    '',
    'This is the only time it is shown. Keep it secret and secure!',
    '',
    "Your API key's identity:",
    '',
    `   ${identity}`,
    '',
    'The identity is not a secret and can be shared securely.',
    'Peers need your identity in order to verify your API key.',
    '',
    'This identity can be re-computed again via:',
    '',
    `  $ kmipd kes identity ${apiKey}`,
    '',
  ].map(line => ` ${line}`.padEnd(70))

const of = (io: Io): Command => ({
  command: 'of [what]',
  describe: 'Print the identity of an API key or a certificate',
  builder: y =>
    y
      .positional('what', { type: 'string', describe: 'API key, or file of a certificate' })
      .option('json', { type: 'boolean', hidden: true })
      .example('$0 kes identity of client.crt', ''),
  async handler({ what }: IdentityArguments) {
    if (what === undefined) throw new KesCommandError("no API key or certificate specified. See 'kmipd kes identity of --help'")
    const identity = await identityOf(what, io)
    if (isTerminal(io)) printLines(io, ['Identity:', '', `   ${identity}`])
    else io.stdout.write(identity)
  },
})

const info = (io: Io): Command => ({
  command: 'info [what]',
  describe: 'Print what a server knows of an identity, or of your own',
  builder: y =>
    jsonFlag(kesOptions(y))
      .positional('what', { type: 'string', describe: 'the identity; default: your own' })
      .example('$0 kes identity info', ''),
  handler: (argv: IdentityArguments) =>
    withKes(argv, io, async client => {
      const { what, json } = argv
      const path = what === undefined ? '/v1/identity/self/describe' : `/v1/identity/describe/${encodeURIComponent(what)}`
      const found = await client.json('GET', path)
      if (json) io.stdout.write(`${JSON.stringify(found)}\n`)
      else {
        const { identity = what, admin, policy, created_at, created_by } = found
        const rows: (readonly [string, string | undefined])[] = [
          ['Identity', textOf(identity)],
          ['Policy', textOf(policy)],
          ['Created At', momentOf(created_at)],
          ['Role', admin === true ? 'Admin' : 'User'],
          ['Created By', textOf(created_by)],
        ]
        printLines(
          io,
          columns(
            rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
            2,
          ),
        )
      }
    }),
})

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

const list = (io: Io): Command => ({
  command: 'ls [what]',
  aliases: ['list'],
  describe: 'List the identities that a server knows',
  builder: y =>
    jsonFlag(kesOptions(y)).positional('what', { type: 'string', describe: 'what they begin with' }).example('$0 kes identity ls', ''),
  handler: (argv: IdentityArguments) =>
    withKes(argv, io, async client => {
      const identities = await client.list('identity', argv.what ?? '')
      if (argv.json) io.stdout.write(`${JSON.stringify(identities)}\n`)
      printLines(io, listLines('Identity', identities))
    }),
})

const printOne = (io: Io, text: string): void => {
  io.stdout.write(isTerminal(io) ? `${text}\n` : text)
}

/** Of an API key, or of the certificate in a file. @throws KesCommandError */
async function identityOf(what: string, io?: Io): Promise<string> {
  const { isApiKey, keyOfApiKey } = await import('./kes-credential.ts')
  const { identityOf, identityOfKey } = await import('../kes/identity.ts')
  const { spkiOf } = await import('../pki/keys.ts')
  const file = io && resolve(io.cwd, what)
  if (isApiKey(what) || file === undefined || !existsSync(file)) return identityOfKey(spkiOf(keyOfApiKey(what)))
  const pem = readFileSync(file, 'latin1')
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new KesCommandError(`failed to parse certificate in '${what}': there is no certificate in it`)
  return identityOf(new X509Certificate(pem))
}

/** The same, and of the Ed25519 private key in a file its API key. */
async function identityOrKeyIn(what: string, io: Io): Promise<string> {
  const file = resolve(io.cwd, what)
  if (!existsSync(file)) return identityOf(what, io)
  const pem = readFileSync(file, 'latin1')
  if (!/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(pem)) return identityOf(what, io)
  const { apiKeyOfKey } = await import('./kes-credential.ts')
  const isEncrypted = pem.includes('ENCRYPTED')
  const passphrase = isEncrypted ? await io.askPassword?.(`Enter password for private key '${what}': `) : undefined
  const key = createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) })
  if (key.asymmetricKeyType !== 'ed25519') throw new KesCommandError(`the private key in '${what}' is no Ed25519 key`)
  return apiKeyOfKey(key)
}
