import type { ObjectServices } from '../admin/objects/object-routes.ts'
import type { Config } from '../config/schema.ts'
import type { Engine } from '../ops/engine.ts'
import type { Records } from '../seal/records.ts'
import type { Audit } from './audit.ts'
import { auditLine, auditSubject } from './audit-record.ts'
import { searchAudit } from './audit-search.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { RequestTraces } from './request-traces.ts'

interface Parts {
  readonly records: Records
  readonly engine: Engine
  readonly clients: Engine
  readonly audit: Audit
  readonly metrics: Metrics
  readonly log: Logger
  readonly file: Config['audit']['file']
  readonly traces: RequestTraces
}

/** What administrators look at objects with, of a server that runs. */
export const objectServices = ({ records, engine, clients, audit, metrics, log, file, traces }: Parts): ObjectServices => ({
  records,
  kmip: engine,
  clients,
  record({ address, ...who }, entries) {
    // Of the administrators' connections none has a number.
    const subject = auditSubject({ ...who, may: () => true }, address, 0)
    const time = new Date().toISOString()
    audit.write(entries.map(entry => auditLine(time, subject, entry)).join(''))
    for (const { operation, status, latencyMs, object, cause } of entries) {
      metrics.request(operation, status, latencyMs)
      if (cause !== undefined) log.error({ operation, object, err: cause }, 'an operation failed')
    }
  },
  history: async query => (file === '-' ? { entries: [] } : searchAudit(file, query)),
  traces: partition => traces.read(partition),
  forgetTraces: partition => traces.forget(partition),
  now: () => BigInt(Math.floor(Date.now() / 1000)),
})
