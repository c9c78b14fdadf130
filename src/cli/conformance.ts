import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ConnectOptions } from '../client/client.ts'
import type { EncodingName } from '../client/https-client.ts'
import type { Endpoint } from '../conformance/endpoint.ts'
import type { CaseResult } from '../conformance/run-case.ts'
import { addressArgument } from './address-argument.ts'
import type { Command, Io } from './io.ts'
import { UsageError } from './usage-error.ts'

interface ConformanceArguments {
  readonly folder: string
  readonly host: string
  readonly port: number
  readonly clients?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly certB?: string
  readonly keyB?: string
  readonly certC?: string
  readonly keyC?: string
  readonly serverName?: string
  readonly encoding: EncodingName
  readonly https?: boolean
  readonly path: string
  readonly versions?: string
  readonly only?: readonly string[]
  readonly skipSlow?: boolean
  readonly listen?: string
  readonly junit?: string
  readonly json?: string
}

/** The server answered some case otherwise than it should. */
class CasesFailed extends Error {
  override readonly name = 'CasesFailed'
  readonly code = 'cases_failed'
}

/** kmipd conformance: run the published cases against any KMIP server. */
export const conformanceCommand = (io: Io): Command => ({
  command: 'conformance <folder>',
  describe: 'Run a folder of OASIS test cases against any KMIP server',
  builder: y =>
    y
      .positional('folder', {
        type: 'string',
        demandOption: true,
        describe: 'folder of cases, XML files below it, named as OASIS names them',
      })
      .option('host', { type: 'string', requiresArg: true, default: '127.0.0.1', describe: 'host of the server' })
      .option('port', { type: 'number', requiresArg: true, default: 5696, describe: 'port of the server' })
      .option('clients', {
        type: 'string',
        requiresArg: true,
        describe: 'directory as kmipd dev makes it: default, b and c, each with ca.pem, cert.pem and key.pem',
      })
      .option('ca', { type: 'string', requiresArg: true, describe: 'certificates that the one of the server leads to, PEM' })
      .option('cert', { type: 'string', requiresArg: true, describe: 'certificate of the client, PEM' })
      .option('key', { type: 'string', requiresArg: true, describe: 'key of the client, PEM' })
      .option('cert-b', {
        type: 'string',
        requiresArg: true,
        describe: 'certificate of a second client that some cases have; without it the first one stands in',
      })
      .option('key-b', { type: 'string', requiresArg: true, describe: 'its key' })
      .option('cert-c', { type: 'string', requiresArg: true, describe: 'certificate of a third client' })
      .option('key-c', { type: 'string', requiresArg: true, describe: 'its key' })
      .option('server-name', {
        type: 'string',
        requiresArg: true,
        describe: 'name to find in the certificate of the server, if not its host',
      })
      .option('encoding', { choices: ['ttlv', 'json', 'xml'] as const, default: 'ttlv' as const, describe: 'json and xml go over HTTPS' })
      .option('https', { type: 'boolean', describe: 'TTLV over HTTPS too' })
      .option('path', { type: 'string', requiresArg: true, default: '/kmip', describe: 'path of the HTTPS requests' })
      .option('versions', { type: 'string', requiresArg: true, describe: 'such as 1.4,2.1; all unless told' })
      .option('only', { type: 'string', array: true, requiresArg: true, describe: 'names of cases, or their beginnings' })
      .option('listen', {
        type: 'string',
        requiresArg: true,
        describe: 'host:port where the server was told to send Put and Notify, for the cases in which the server asks',
      })
      .option('skip-slow', { type: 'boolean', describe: 'leave out cases that wait for minutes' })
      .option('junit', { type: 'string', requiresArg: true, describe: 'write a JUnit report to this file' })
      .option('json', { type: 'string', requiresArg: true, describe: 'write a JSON report to this file' })
      .implies('cert', 'key')
      .implies('cert-b', 'key-b')
      .implies('cert-c', 'key-c')
      .conflicts('clients', ['ca', 'cert', 'key', 'cert-b', 'key-b', 'cert-c', 'key-c'])
      .example('$0 conformance cases/v1.4 --clients kmipd-data/clients', 'against the server of kmipd dev --conformance')
      .example('$0 conformance cases --host kms --ca ca.pem --cert c.pem --key c.key --junit report.xml', ''),
  async handler(argv: ConformanceArguments) {
    const results = await run(argv, io)
    const failed = results.filter(({ status }) => status === 'failed').length
    if (failed > 0) throw new CasesFailed(`${failed} of ${results.length} cases failed`)
  },
})

async function run(argv: ConformanceArguments, io: Io): Promise<CaseResult[]> {
  const { setTimeout: sleep } = await import('node:timers/promises')
  const { readCases } = await import('../conformance/folder.ts')
  const { jsonReport, junitReport, line, summary } = await import('../conformance/report.ts')
  const { choose, runCases, versionsIn } = await import('../conformance/run-cases.ts')
  const { openTransport } = await import('../conformance/transport.ts')
  const { folder, encoding, https, path, skipSlow = false } = argv
  const cases = readCases(resolve(io.cwd, folder))
  const versions = argv.versions === undefined ? undefined : versionsIn(argv.versions)
  if (argv.versions !== undefined && versions === undefined)
    throw new UsageError(`--versions ${argv.versions}: write a list such as 1.0,1.4,2.1`)
  const chosen = choose(cases, { ...(versions && { versions }), ...(argv.only && { only: argv.only }) })
  if (chosen.length === 0)
    throw new UsageError(
      cases.length === 0 ? `there are no test cases in ${folder}` : `none of the ${cases.length} cases in ${folder} is meant`,
    )
  const clients = clientsOf(argv, io)
  const transport = openTransport(clients, {
    encoding,
    path,
    ...(https !== undefined && { https: https || encoding !== 'ttlv' }),
  })
  const endpoint = argv.listen === undefined ? undefined : await listen(argv.listen, clients.A)
  try {
    const options = { transport, cases, now: Date.now, sleep, skipSlow, ...(endpoint && { endpoint }) }
    const results = await runCases(chosen, options, result => {
      io.stdout.write(`${line(result)}\n`)
    })
    io.stdout.write(`\n${summary(results).join('\n')}\n`)
    if (argv.junit !== undefined) writeFileSync(resolve(io.cwd, argv.junit), junitReport(results))
    if (argv.json !== undefined) writeFileSync(resolve(io.cwd, argv.json), jsonReport(results))
    return results
  } finally {
    endpoint?.close()
    transport.close()
  }
}

/** Where the server's own requests come to, with the credential of the first client. */
async function listen(address: string, { cert, key, ca }: ConnectOptions): Promise<Endpoint> {
  const { Endpoint } = await import('../conformance/endpoint.ts')
  const place = await addressArgument('listen', address)
  if (place === undefined) throw new UsageError('--listen: write host:port')
  return Endpoint.listen({ ...place, cert: cert!, key: key!, ca: ca! }, Date.now)
}

/** Who each letter of the cases is. */
function clientsOf(argv: ConformanceArguments, io: Io): Readonly<Record<'A' | 'B' | 'C', ConnectOptions>> {
  const { host, port, serverName, clients, ca, cert, key } = argv
  const place = { host, port, ...(serverName !== undefined && { serverName }) }
  const read = (name: string): Buffer => readFileSync(resolve(io.cwd, name))
  if (clients !== undefined) {
    const inside = (name: string): ConnectOptions => {
      const dir = join(clients, name)
      return { ...place, ca: read(join(dir, 'ca.pem')), cert: read(join(dir, 'cert.pem')), key: read(join(dir, 'key.pem')) }
    }
    return { A: inside('default'), B: inside('b'), C: inside('c') }
  }
  if (ca === undefined || cert === undefined || key === undefined)
    throw new UsageError('say who the client is: --ca, --cert and --key, or --clients')
  const own = { ...place, ca: read(ca) }
  const A = { ...own, cert: read(cert), key: read(key) }
  const other = (cert: string | undefined, key: string | undefined): ConnectOptions =>
    cert === undefined || key === undefined ? A : { ...own, cert: read(cert), key: read(key) }
  return { A, B: other(argv.certB, argv.keyB), C: other(argv.certC, argv.keyC) }
}
