import { openAudit } from '../server/audit.ts'
import { AuditLines } from '../server/audit-lines.ts'
import type { KesSinks } from '../server/kes-door.ts'
import type { Io } from './io.ts'

/**
 * The standard streams, as KES has it.
 * @param wholeBytes that the system writes in one piece, where other processes write to the same streams
 */
export function kesSinks(io: Io, wholeBytes?: number): KesSinks {
  const audit = new AuditLines(openAudit(wholeBytes === undefined ? {} : { wholeBytes }))
  return {
    audit: (_, line) => (line === undefined ? undefined : audit.add(line)),
    log: (_level, _message, _asked, line) => io.stderr.write(line),
  }
}
