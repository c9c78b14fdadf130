import type { ObjectServices } from '../admin/objects/object-routes.ts'
import type { Config } from '../config/schema.ts'
import type { Engine } from '../ops/engine.ts'
import type { Records } from '../seal/records.ts'
import type { Audit } from './audit.ts'
import { auditLine, auditSubject } from './audit-record.ts'
import { searchAudit } from './audit-search.ts'
import type { RequestTraces } from './request-traces.ts'

interface Parts {
  readonly records: Records
  readonly engine: Engine
  readonly audit: Audit
  readonly file: Config['audit']['file']
  readonly traces: RequestTraces
}

/** What administrators look at objects with, of a server that runs. */
export const objectServices = ({ records, engine, audit, file, traces }: Parts): ObjectServices => ({
  records,
  kmip: engine,
  record({ scope, scopeName, role, address }, entries) {
    // Of the administrators' connections none has a number.
    const subject = auditSubject({ scope, scopeName, role, serial: '-', may: () => true }, address, 0)
    const time = new Date().toISOString()
    audit.write(entries.map(entry => auditLine(time, subject, entry)).join(''))
  },
  history: async query => (file === '-' ? [] : searchAudit(file, query)),
  traces: partition => traces.read(partition),
  forgetTraces: partition => traces.forget(partition),
  now: () => BigInt(Math.floor(Date.now() / 1000)),
})
