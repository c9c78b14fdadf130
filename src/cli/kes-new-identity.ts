import { existsSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { GO_UNITS, readDuration } from '../config/duration.ts'
import { type Command, type Io, printLines } from './io.ts'
import { KesCommandError } from './kes-error.ts'

interface NewArguments {
  readonly name?: string
  readonly key?: string
  readonly cert?: string
  /** Several with commas, or the flag several times. */
  readonly ip?: string | readonly string[]
  readonly dns?: string | readonly string[]
  readonly expiry: string
  readonly encrypt?: boolean
  readonly force?: boolean
}

// 292 years: Go has no longer durations.
const LONGEST_MS = 2 ** 63 / 1e6

/** @param files where key and certificate go if nothing is said; absent: nowhere */
export const newIdentity = (io: Io, files: { readonly key?: string; readonly cert?: string } = {}): Command => ({
  command: 'new [name]',
  describe: 'Make an API key, or a private key and a certificate',
  builder: y =>
    y
      .positional('name', { type: 'string', describe: 'common name of the certificate' })
      .option('key', { type: 'string', requiresArg: true, ...defaultOf(files.key), describe: 'write the private key to this file' })
      .option('cert', { type: 'string', requiresArg: true, ...defaultOf(files.cert), describe: 'write the certificate to this file' })
      .option('ip', { type: 'string', requiresArg: true, describe: 'addresses that the certificate is for, with commas' })
      .option('dns', { type: 'string', requiresArg: true, describe: 'host names that the certificate is for, with commas' })
      .option('expiry', {
        type: 'string',
        alias: ['time', 't'],
        requiresArg: true,
        default: '720h',
        describe: 'how long the certificate is valid',
      })
      .option('encrypt', { type: 'boolean', describe: 'encrypt the private key with a password' })
      .option('server', { type: 'boolean', hidden: true, describe: 'certificates are for servers and clients' })
      .option('force', { type: 'boolean', alias: 'f', describe: 'overwrite files' })
      .example('$0 kes identity new', 'an API key for a client')
      .example('$0 kes identity new --key server.key --cert server.crt --ip 10.0.0.1 --dns kms.example.com', ''),
  handler: (argv: NewArguments) => make(argv, io),
})

const defaultOf = (value: string | undefined): { readonly default?: string } => (value === undefined ? {} : { default: value })

async function make(argv: NewArguments, io: Io): Promise<void> {
  const { key: keyName, cert: certName, name = '' } = argv
  const ips = partsOf(argv.ip)
  const wrong = ips.find(ip => isIP(ip) === 0)
  if (wrong !== undefined) throw new KesCommandError(`'${wrong}' is no IP address. See 'kmipd kes identity new --help'`)
  checkFiles(argv, io)
  const lifeMs = lifeOf(argv.expiry)
  const { apiKeyOfKey, newKey, selfSigned } = await import('./kes-credential.ts')
  const { identityOfKey } = await import('../kes/identity.ts')
  const { spkiOf } = await import('../pki/keys.ts')
  const key = newKey()
  const identity = identityOfKey(spkiOf(key))
  if (keyName !== undefined && certName !== undefined) {
    const password = argv.encrypt ? await newPassword(io) : undefined
    const cipher = password === undefined ? {} : { cipher: 'aes-256-cbc', passphrase: password }
    const wishes = {
      commonName: name,
      hostnames: partsOf(argv.dns),
      ips,
      lifeMs,
      purposes: ['clientAuth', 'serverAuth'] as const,
    }
    write(resolve(io.cwd, keyName), String(key.export({ type: 'pkcs8', format: 'pem', ...cipher })), 0o600)
    write(resolve(io.cwd, certName), selfSigned(key, wishes), 0o644)
  }
  const apiKey = apiKeyOfKey(key)
  printLines(io, [
    'Your API key:',
    '',
    `   ${apiKey}`,
    '',
    'This is the only time it is shown. Keep it secret and secure!',
    '',
    'Your Identity:',
    '',
    `   ${identity}`,
    '',
    'The identity is not a secret. It can be shared. Any peer',
    'needs this identity in order to verify your API key.',
    '',
    ...(certName === undefined
      ? []
      : [`The generated TLS private key is stored at: ${keyName}`, `The generated TLS certificate is stored at: ${certName}`, '']),
    'The identity can be computed again via:',
    '',
    `    kmipd kes identity of ${apiKey}`,
    ...(certName === undefined ? [''] : [`    kmipd kes identity of ${certName}`]),
  ])
}

const partsOf = (value: string | readonly string[] = []): string[] =>
  [value]
    .flat()
    .flatMap(text => text.split(','))
    .filter(part => part !== '')

function checkFiles({ key, cert, ip, dns, encrypt, force = false }: NewArguments, io: Io): void {
  const both = "requires a private key and certificate file. Set the '--cert' and '--key' flag"
  if (key === undefined || cert === undefined) {
    if (ip !== undefined) throw new KesCommandError(`'--ip' ${both}`)
    if (dns !== undefined) throw new KesCommandError(`'--dns' ${both}`)
    if (encrypt) throw new KesCommandError(`'--encrypt' ${both}`)
    if (key !== undefined) throw new KesCommandError("'--key' requires a certificate file. Set the '--cert' flag")
    if (cert !== undefined) throw new KesCommandError("'--cert' requires a private key file. Set the '--key' flag")
    return
  }
  if (force) return
  if (existsSync(resolve(io.cwd, key))) throw new KesCommandError('private key already exists. Use --force to overwrite it')
  if (existsSync(resolve(io.cwd, cert))) throw new KesCommandError('certificate already exists. Use --force to overwrite it')
}

function lifeOf(text: string): number {
  const lifeMs = readDuration(text, GO_UNITS) ?? 0
  if (lifeMs < 1000 || lifeMs > LONGEST_MS) throw new KesCommandError(`invalid duration '${text}': write hours, such as 720h`)
  return lifeMs
}

async function newPassword(io: Io): Promise<string> {
  if (io.askPassword === undefined) throw new KesCommandError('nobody can be asked for a password')
  const password = await io.askPassword('Enter password for private key: ')
  const again = await io.askPassword('Confirm password for private key: ')
  if (password === '') throw new KesCommandError('the password is empty')
  if (password !== again) throw new KesCommandError('passwords do not match')
  return password
}

const write = (file: string, text: string, mode: number): void => writeFileSync(file, text, { mode })
