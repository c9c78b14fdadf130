import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Found, ImportReport } from '../migration/importer.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { withData } from './open.ts'
import { jsonOption, type PlaceArguments, placeOptions } from './options.ts'
import { UsageError } from './usage-error.ts'

interface ImportArguments extends PlaceArguments {
  readonly scope: string
  readonly json?: boolean
}

interface PykmipArguments extends ImportArguments {
  readonly file: string
  readonly owner?: string
}

interface KmipArguments extends ImportArguments {
  readonly host: string
  readonly port: number
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly serverName?: string
}

/** kmipd import: objects of other servers. */
export const importCommand = (io: Io): Command => ({
  command: 'import',
  describe: 'Take over the objects of another server, under the identifiers that they have there',
  builder: y =>
    y
      .command([pykmip(io), kmip(io)])
      .demandCommand(1, 'say where to import from')
      .example('$0 import pykmip /tmp/pykmip.database --scope legacy', ''),
  handler() {},
})

const pykmip = (io: Io): Command => ({
  command: 'pykmip <file>',
  describe: 'Import the objects in the database of a PyKMIP server',
  builder: y =>
    jsonOption(placeOptions(y))
      .positional('file', { type: 'string', demandOption: true, describe: 'its SQLite database; stop the server first' })
      .option('scope', { type: 'string', demandOption: true, requiresArg: true, describe: 'a scope that is there' })
      .option('owner', { type: 'string', requiresArg: true, describe: 'only the objects of this owner: the CN of a certificate there' })
      .example('$0 import pykmip /tmp/pykmip.database --scope legacy', 'run it again, and what is there already is skipped'),
  async handler({ file: given, owner, scope, json, ...place }: PykmipArguments) {
    const file = resolve(io.cwd, given)
    if (!existsSync(file)) throw new UsageError(`there is no ${file}`)
    const { ForeignDatabase } = await import('../store/foreign-database.ts')
    const { pykmipObjects } = await import('../migration/pykmip.ts')
    const database = new ForeignDatabase(file)
    try {
      await importInto(scope, pykmipObjects(database, owner), place, io, json)
    } finally {
      database.close()
    }
  },
})

const kmip = (io: Io): Command => ({
  command: 'kmip',
  describe: 'Import the objects that a client can locate and get from a KMIP server',
  builder: y =>
    jsonOption(placeOptions(y))
      .option('host', { type: 'string', demandOption: true, requiresArg: true, describe: 'of the other server' })
      .option('port', { type: 'number', default: 5696, requiresArg: true, describe: 'of the other server' })
      .option('ca', { type: 'string', demandOption: true, requiresArg: true, describe: 'PEM file to know the server by' })
      .option('cert', { type: 'string', demandOption: true, requiresArg: true, describe: 'PEM file with the certificate of a client' })
      .option('key', { type: 'string', demandOption: true, requiresArg: true, describe: 'PEM file with its private key' })
      .option('server-name', {
        type: 'string',
        requiresArg: true,
        describe: 'name to find in the certificate of the server, if not its host',
      })
      .option('scope', { type: 'string', demandOption: true, requiresArg: true, describe: 'a scope that is there' })
      .example('$0 import kmip --host old --ca ca.pem --cert cert.pem --key key.pem --scope legacy', ''),
  async handler({ host, port, ca, cert, key, serverName, scope, json, ...place }: KmipArguments) {
    const { KmipClient } = await import('../client/client.ts')
    const { objectsOf, versionSpoken } = await import('../migration/kmip-server.ts')
    const pem = (file: string): Buffer => {
      const bytes = readFileSync(resolve(io.cwd, file))
      if (!bytes.includes('-----BEGIN ')) throw new UsageError(`${file} is no file in PEM`)
      return bytes
    }
    const credential = { ca: pem(ca), cert: pem(cert), key: pem(key) }
    const client = await KmipClient.connect({ host, port, ...credential, ...(serverName !== undefined && { serverName }) })
    try {
      await importInto(scope, objectsOf(client, await versionSpoken(client)), place, io, json)
    } finally {
      client.close()
    }
  },
})

async function importInto(
  scope: string,
  objects: AsyncIterable<Found> | Iterable<Found>,
  place: PlaceArguments,
  io: Io,
  json = false,
): Promise<void> {
  const { createEngine } = await import('../ops/create-engine.ts')
  const { importObjects } = await import('../migration/importer.ts')
  const report = await withData(place, io, async ({ records, mounts }) => {
    const { partition } = await (await mounts.scopesAt('kmip/')).readScope(scope)
    const engine = createEngine({ records, now: () => BigInt(Math.floor(Date.now() / 1000)), randomBytes, newId: randomUUID })
    const peer = { scope: partition, scopeName: scope, role: '-', serial: '-', may: () => true }
    return importObjects(objects, { engine, records, peer })
  })
  if (json) printJson(io, report)
  else printLines(io, linesOf(report, scope))
  if (report.left.length > 0) throw new IncompleteError(`${report.left.length} objects were not imported`)
}

const linesOf = ({ imported, present, left, notes }: ImportReport, scope: string): string[] => [
  ...notes.map(({ id, text }) => `${id}: ${text}`),
  ...left.map(({ id, text }) => `${id} was not imported: ${text}`),
  `${imported} objects imported into ${scope}, ${present} were there already, ${left.length} were not imported`,
]

class IncompleteError extends Error {
  override readonly name = 'IncompleteError'
  readonly code = 'incomplete'
}
