import { bytes, dateTimeExtended, enumeration, type Fields, optional, repeated, struct } from '../spec.ts'
import { TAG } from '../tags.ts'

// Payloads of the operations about operations that are done later. Spec: KMIP 1.4 section 4.27 and 4.28, 2.1 section 6.1.5, 6.1.37 to 6.1.41

export const CorrelationRequest = { asynchronousCorrelationValue: bytes(TAG.AsynchronousCorrelationValue) } as const satisfies Fields
export const CancelResponse = {
  asynchronousCorrelationValue: bytes(TAG.AsynchronousCorrelationValue),
  cancellationResult: enumeration(TAG.CancellationResult),
} as const satisfies Fields
export const QueryAsynchronousRequestsRequest = {
  asynchronousCorrelationValues: optional(
    struct(TAG.AsynchronousCorrelationValues, { value: repeated(bytes(TAG.AsynchronousCorrelationValue)) }),
  ),
  operations: optional(struct(TAG.Operations, { operation: repeated(enumeration(TAG.Operation)) })),
} as const satisfies Fields
export const QueryAsynchronousRequestsResponse = {
  asynchronousRequest: repeated(
    struct(TAG.AsynchronousRequest, {
      asynchronousCorrelationValue: bytes(TAG.AsynchronousCorrelationValue),
      operation: enumeration(TAG.Operation),
      submissionDate: dateTimeExtended(TAG.SubmissionDate),
      processingStage: enumeration(TAG.ProcessingStage),
    }),
  ),
} as const satisfies Fields
