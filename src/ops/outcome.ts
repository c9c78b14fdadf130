import { KmipError, reasonFor } from '../objects/errors.ts'
import { StoreError } from '../store/store.ts'
import { responseTo } from '../ttlv/dialect.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import type { Version } from '../ttlv/spec.ts'
import type { AuditEntry } from './engine.ts'
import { failureOf } from './failures.ts'
import type { RequestItem, ResponseItem } from './message.ts'
import type { Source } from './remembered-answers.ts'
import { rulesOf } from './rules.ts'

const { ResultStatus } = ENUM

/** What became of a batch item. */
export interface Outcome {
  readonly response: ResponseItem
  readonly entry: AuditEntry
  /** As the context's. */
  readonly source?: Source | undefined
}

const isAway = (error: unknown): boolean => error instanceof StoreError && error.code === 'unavailable'
const STORE_AWAY = 'the store is not reachable; whether a change was stored is not known'
export const tooLarge = (limit: number): KmipError => new KmipError('ResponseTooLarge', `more than ${limit} bytes; ask for less`)

/** What we did not throw on purpose says nothing about itself to the client. */
export function failed(item: RequestItem, error: unknown, version: Version, entry: AuditEntry): Outcome {
  const known =
    failureOf(item.operation, error) ??
    new KmipError('GeneralFailure', isAway(error) ? STORE_AWAY : 'internal error; the server\u2019s log says more', { cause: error })
  const { cause } = known
  return {
    response: refusal(item, known, version),
    entry: {
      ...entry,
      status: 'OperationFailed',
      reason: reasonFor(known, version).name,
      ...(cause === undefined ? {} : { cause }),
    },
  }
}

export const refusal = (item: RequestItem, error: KmipError, version: Version): ResponseItem => ({
  operation: item.operation,
  uniqueBatchItemId: item.uniqueBatchItemId,
  status: ResultStatus.OperationFailed,
  reason: reasonFor(error, version).code,
  message: error.message,
  ...(error.payload && rulesOf(version).failuresTellFields ? { payload: responseTo(version, error.payload, item.requestPayload) } : {}),
})

export const undone = ({ response, entry }: Outcome): Outcome => ({
  response: { ...response, status: ResultStatus.OperationUndone },
  entry: { ...entry, status: 'OperationUndone' },
})
