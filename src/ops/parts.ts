import { KmipError } from '../objects/errors.ts'
import type { Context } from './context.ts'

const CORRELATION_BYTES = 16

interface PartRequest {
  readonly data?: Buffer | undefined
  readonly correlationValue?: Buffer | undefined
  readonly initIndicator?: boolean | undefined
  readonly finalIndicator?: boolean | undefined
}

interface Work<S, A> {
  /** All data in one request. */
  whole(): Promise<A> | A
  /** The state for data in parts, and what the first answer tells of it. */
  begin(): { stream: S; first: A }
  update(stream: S, part: Buffer): A
  /** Bytes of data that the state keeps until the end; absent: none. */
  held?(stream: S): number
  final(stream: S, part: Buffer): Promise<A> | A
}

const NO_BYTES = Buffer.alloc(0)

/**
 * Run an operation whose data comes whole or in parts: Init Indicator begins, the Correlation Value of the answer continues, Final
 * Indicator ends; both in one request without a Correlation Value mean the whole. Spec: KMIP 1.4 section 4 (streaming), 6.20
 */
export function inParts<S, A extends object>(
  request: PartRequest,
  what: { operation: string; object: string | undefined },
  context: Context,
  work: Work<S, A>,
): Promise<A & { correlationValue?: Buffer }> | (A & { correlationValue?: Buffer }) {
  const { correlationValue, initIndicator = false, finalIndicator = false } = request
  if (correlationValue === undefined && (!initIndicator || finalIndicator)) return work.whole()
  return context.environment.streams.once(context.item, () => onePart(request, what, context, work))
}

async function onePart<S, A extends object>(
  request: PartRequest,
  what: { operation: string; object: string | undefined },
  context: Context,
  work: Work<S, A>,
): Promise<A & { correlationValue?: Buffer }> {
  const { correlationValue, initIndicator = false, finalIndicator = false, data = NO_BYTES } = request
  const { streams, randomBytes } = context.environment
  const { owner } = context
  if (correlationValue === undefined) {
    const { stream, first } = work.begin()
    const answer = { ...first, ...work.update(stream, data) }
    const correlation = randomBytes(CORRELATION_BYTES)
    streams.open(correlation, owner, { ...what, work: stream }, context.now())
    streams.weigh(correlation, work.held?.(stream) ?? 0)
    return { ...answer, correlationValue: correlation }
  }
  if (initIndicator) throw new KmipError('InvalidField', 'Init Indicator and a Correlation Value cannot both be given')
  const held = streams.continue(correlationValue, owner, what.operation, context.now())
  if (held.object !== what.object) throw new KmipError('InvalidCorrelationValue', 'the Correlation Value belongs to work with another key')
  const stream = held.work as S
  if (!finalIndicator) {
    const answer = work.update(stream, data)
    streams.weigh(correlationValue, work.held?.(stream) ?? 0)
    return { ...answer, correlationValue }
  }
  streams.close(correlationValue)
  return work.final(stream, data)
}

/** A check in parts: what is expected may come with any of them. */
export interface Expecting<S> {
  readonly stream: S
  expected: Buffer | undefined
}

/** @throws KmipError Invalid Message: nothing to compare with came with any part */
export function expectedOf(expected: Buffer | undefined, field: string): Buffer {
  if (!expected) throw new KmipError('InvalidMessage', `${field} is missing`)
  return expected
}
