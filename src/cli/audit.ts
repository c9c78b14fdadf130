import { resolve } from 'node:path'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { jsonOption, type PlaceArguments, placeOptions } from './options.ts'
import { UsageError } from './usage-error.ts'

interface AuditArguments extends PlaceArguments {
  readonly files: readonly string[]
  readonly json?: boolean
}

/** An audit log that does not stand as it was written. */
class TamperedError extends Error {
  override readonly name = 'TamperedError'
  readonly code = 'tampered'
}

/** kmipd audit: the record of what was asked and done. */
export const auditCommand = (io: Io): Command => ({
  command: 'audit',
  describe: 'Verify the audit log',
  builder: y =>
    y
      .command([verify(io)])
      .demandCommand(1, 'say what to do with the audit log')
      .example('$0 audit verify --config /etc/kmipd/kmipd.yaml', ''),
  handler() {},
})

const verify = (io: Io): Command => ({
  command: 'verify [files..]',
  describe: 'Tell whether the audit log stands as it was written: no line changed, moved, put in or missing',
  builder: y =>
    jsonOption(placeOptions(y))
      .positional('files', {
        type: 'string',
        array: true,
        default: [],
        describe: 'logs, oldest first; without them the one that is written now',
      })
      .example('$0 audit verify --config /etc/kmipd/kmipd.yaml', '')
      .example('$0 audit verify -c /etc/kmipd/kmipd.yaml audit.log.1 audit.log', 'with an older one'),
  async handler({ files, json, ...place }: AuditArguments) {
    const { withData } = await import('./open.ts')
    const { anchorsIn, auditKey } = await import('../server/audit-anchors.ts')
    const { verifyAudit } = await import('../server/audit-verification.ts')
    await withData(place, io, async ({ records }, { audit }) => {
      if (files.length === 0 && audit.file === '-')
        throw new UsageError('the audit log goes to standard output: name the file that it was kept in')
      const read = files.length === 0 ? [audit.file] : files.map(file => resolve(io.cwd, file))
      // What was remembered before the log is read cannot be ahead of it.
      const anchors = await anchorsIn(records)
      const isCurrent = read.at(-1) === audit.file
      const verdict = await verifyAudit({ files: read, key: await auditKey(records), anchors, isCurrent })
      const { lines, links, chains, problems, continued } = verdict
      if (json) printJson(io, verdict)
      else
        printLines(io, [
          ...problems.map(({ file, line, problem }) => `${file}${line > 0 ? `:${line}` : ''}: ${problem}`),
          ...(continued.length > 0 ? [`begun in older files: ${continued.length} of ${chains} chains`] : []),
          `${lines} lines, ${links} links in ${chains} chains, ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`,
        ])
      if (problems.length > 0) throw new TamperedError('the audit log does not stand as it was written')
    })
  },
})
