import type { Outcome, Trail } from '../admin/guard.ts'
import type { Answer, Caller, LogicalRequest } from '../admin/route.ts'
import { isoTime } from '../http/iso-time.ts'
import type { Audit } from './audit.ts'

export interface TrailOptions {
  readonly audit: Audit
  /** A keyed hash: the same for the same text, and nobody without the key can try texts. */
  hash(text: string): string
  /** Milliseconds since 1970. */
  now(): number
}

/** What is nested deeper is hashed as a whole. */
const DEEPEST = 8

/**
 * Writes what administrators ask and get to the audit log: one record before anything is done, one before the answer leaves. Texts are
 * hashed, since any of them may be a secret; names of fields, numbers and truth values are not. `sys/audit-hash` gives the hash of a text to
 * look for. While the log cannot be written, nothing is done.
 */
export function adminTrail({ audit, hash, now }: TrailOptions): Trail {
  const hidden = (text: string): string => `hmac-sha256:${hash(text)}`

  function masked(value: unknown, depth = 0): unknown {
    if (typeof value === 'string') return hidden(value)
    if (typeof value !== 'object' || value === null) return value
    if (depth === DEEPEST) return hidden(JSON.stringify(value))
    if (Array.isArray(value)) return value.map(item => masked(item, depth + 1))
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, masked(item, depth + 1)]))
  }

  const subject = (request: LogicalRequest, caller: Caller | undefined) => ({
    ...{ type: 'audit', time: isoTime(now()), door: 'admin' },
    ...{ request: request.id, operation: request.operation, path: request.path, address: request.remoteAddress },
    ...(request.namespace !== undefined && { namespace: request.namespace }),
    ...(caller
      ? { displayName: caller.displayName, policies: caller.policies, accessor: hidden(caller.accessor) }
      : request.token !== undefined && { token: hidden(request.token) }),
  })

  const write = (record: object): void => audit.write(`${JSON.stringify(record)}\n`)

  return {
    async asked(request, caller, refusal) {
      write({
        ...subject(request, caller),
        ...(Object.keys(request.data).length > 0 && { data: masked(request.data) }),
        ...(request.wrapTtl > 0 && { wrapTtl: request.wrapTtl }),
        ...(refusal === undefined ? { event: 'asked' } : { event: 'refused', problem: refusal }),
      })
    },
    async answered(request, caller, answer, outcome) {
      write({ ...subject(request, caller), event: 'answered', ...outcomeOf(outcome), ...answerOf(answer) })
    },
  }

  function answerOf(answer: Answer | undefined) {
    if (!answer) return {}
    const { data, auth, wrapInfo, warnings = [] } = answer
    return {
      ...(data && { data: masked(data) }),
      ...(auth && {
        auth: {
          ...auth,
          client_token: hidden(auth.client_token),
          ...maskedField('accessor', auth.accessor),
          metadata: masked(auth.metadata),
        },
      }),
      ...(wrapInfo && {
        wrapInfo: {
          ...wrapInfo,
          token: hidden(wrapInfo.token),
          ...maskedField('accessor', wrapInfo.accessor),
          ...maskedField('wrapped_accessor', wrapInfo.wrapped_accessor),
        },
      }),
      ...(warnings.length > 0 && { warnings }),
    }
  }

  function maskedField(name: string, value: unknown) {
    return value === undefined ? {} : { [name]: masked(value) }
  }
}

const outcomeOf = ({ status, errors }: Outcome) => ({ status, ...(errors.length > 0 && { errors }) })
