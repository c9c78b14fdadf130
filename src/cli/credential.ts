import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Argv } from 'yargs'
import type { CredentialAnswer } from '../scopes/credentials.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { type AdministrationArguments, withScopes } from './open.ts'
import { administrationOptions, jsonOption } from './options.ts'
import { UsageError } from './usage-error.ts'

interface CredentialArguments extends AdministrationArguments {
  readonly scope: string
  readonly role: string
  readonly serial?: string
  readonly certificate?: string
  readonly csr: string
  readonly format: 'pem' | 'pem_bundle' | 'der'
  readonly out?: string
}

/** kmipd credential: client certificates. */
export const credentialCommand = (io: Io): Command => ({
  command: 'credential',
  describe: 'Generate, sign, list, look up and revoke client certificates',
  builder: y =>
    y
      .command([generate(io), sign(io), list(io), lookup(io), revoke(io)])
      .demandCommand(1, 'say what to do with credentials')
      .example('$0 credential generate finance accounting --json > credential.json', ''),
  handler() {},
})

const generate = (io: Io): Command => ({
  command: 'generate <scope> <role>',
  describe: 'Make a key and a certificate for a client; the key is shown once and not kept',
  builder: y =>
    outputOptions(roleOptions(y))
      .example('$0 credential generate finance accounting --out finance-client', 'files for a client, in a directory')
      .example('$0 credential generate finance accounting --format pem_bundle > client.pem', 'key, certificate and chain in one file')
      .example('$0 credential generate finance accounting --json > credential.json', ''),
  handler: ({ scope, role, format, ...rest }: CredentialArguments) =>
    withScopes(rest, io, async scopes => {
      const how = { format: formatFor(format, rest) }
      if (rest.out !== undefined) (await import('./client-files.ts')).refuseKeys(resolve(io.cwd, rest.out))
      await show(await scopes.generateCredential(scope, role, how), rest, io)
    }),
})

const sign = (io: Io): Command => ({
  command: 'sign <scope> <role>',
  describe: 'Certify a key that the client keeps to itself, by its signing request',
  builder: y =>
    outputOptions(roleOptions(y))
      .option('csr', { type: 'string', demandOption: true, requiresArg: true, describe: 'file with the request (PKCS#10, PEM)' })
      .example('$0 credential sign finance accounting --csr client.csr > cert.pem', ''),
  handler: ({ scope, role, csr, format, ...rest }: CredentialArguments) =>
    withScopes(rest, io, async scopes => {
      const request = readFileSync(resolve(io.cwd, csr), 'utf8')
      await show(await scopes.signRequest(scope, role, { csr: request, format: formatFor(format, rest) }), rest, io)
    }),
})

const list = (io: Io): Command => ({
  command: 'list <scope> <role>',
  describe: 'List the serial numbers of the certificates of a role, and when they end',
  builder: y => jsonOption(roleOptions(y)).example('$0 credential list finance accounting', ''),
  handler: ({ scope, role, ...place }: CredentialArguments) =>
    withScopes(place, io, async (scopes, { json }) => {
      const found = (await scopes.listCredentials(scope, role)).map(({ serial_number, createdMs, notAfterMs }) => ({
        serial_number,
        created: new Date(createdMs).toISOString(),
        ends: new Date(notAfterMs).toISOString(),
      }))
      if (json) printJson(io, found)
      else
        printLines(
          io,
          found.map(({ serial_number, ends }) => `${serial_number}  ends ${ends}`),
        )
    }),
})

const lookup = (io: Io): Command => ({
  command: 'lookup <scope> <role> <serial>',
  describe: 'Show a certificate by its serial number',
  builder: y =>
    outputOptions(roleOptions(y))
      .positional('serial', SERIAL)
      .demandOption('serial')
      .example('$0 credential lookup finance accounting 728181095563584845125173905844944137943705466376', ''),
  handler: ({ scope, role, serial, format, ...rest }: CredentialArguments) =>
    withScopes(rest, io, async scopes => {
      const answer = await scopes.lookupCredential(scope, role, { serial_number: serial!, format: formatFor(format, rest) })
      await show(answer, rest, io)
    }),
})

const revoke = (io: Io): Command => ({
  command: 'revoke <scope> <role> [serial]',
  describe: 'Revoke a certificate; connections that use it are closed within a second',
  builder: y =>
    roleOptions(y)
      .positional('serial', SERIAL)
      .option('certificate', {
        type: 'string',
        requiresArg: true,
        describe: 'file with the certificate (PEM), instead of its serial number',
      })
      .conflicts('serial', 'certificate')
      .example('$0 credential revoke finance accounting 728181095563584845125173905844944137943705466376', '')
      .example('$0 credential revoke finance accounting --certificate cert.pem', ''),
  handler: ({ scope, role, serial, certificate, ...place }: CredentialArguments) => {
    if (serial === undefined && certificate === undefined) throw new UsageError('say which: a serial number or --certificate FILE')
    return withScopes(place, io, async scopes => {
      const pem = certificate === undefined ? undefined : readFileSync(resolve(io.cwd, certificate), 'utf8')
      await scopes.revokeCredential(scope, role, pem === undefined ? { serial_number: serial } : { certificate: pem })
      io.stdout.write('the certificate is revoked\n')
    })
  },
})

// As a number it would lose its last digits.
const SERIAL = { type: 'string', describe: 'serial number, in decimal' } as const

const roleOptions = <T>(y: Argv<T>) =>
  administrationOptions(y)
    .positional('scope', { type: 'string', demandOption: true, describe: 'name of the scope' })
    .positional('role', { type: 'string', demandOption: true, describe: 'name of the role' })

const outputOptions = <T>(y: Argv<T>) =>
  jsonOption(y)
    .option('format', {
      choices: ['pem', 'pem_bundle', 'der'] as const,
      default: 'pem' as const,
      describe: 'pem_bundle puts key, certificate and chain into one text; der is base64 of DER, for --json',
    })
    .option('out', {
      type: 'string',
      requiresArg: true,
      describe: 'write the files ca.pem, cert.pem, key.pem and client.pem into this directory',
    })
    .conflicts('out', 'json')

/** Files are written in PEM, each from a field of its own. */
function formatFor(format: CredentialArguments['format'], { out, json }: Pick<CredentialArguments, 'out' | 'json'>): string {
  if (format === 'der' && !json) throw new UsageError('--format der goes with --json')
  return out === undefined ? format : 'pem'
}

async function show(answer: CredentialAnswer, { out, json }: Pick<CredentialArguments, 'out' | 'json'>, io: Io): Promise<void> {
  if (json) return printJson(io, answer)
  if (out !== undefined) {
    const { writeClientFiles } = await import('./client-files.ts')
    const files = writeClientFiles(resolve(io.cwd, out), answer)
    return printLines(io, [`serial number ${answer.serial_number}`, ...files])
  }
  const { ca_chain, certificate, private_key } = answer
  // A bundle holds the others already.
  const bundled = certificate.split('-----BEGIN').length > 2
  printLines(io, bundled ? [certificate] : [...(private_key === undefined ? [] : [private_key]), certificate, ...ca_chain])
}
