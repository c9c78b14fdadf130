import { sizeOf } from '../ttlv/binary.ts'
import { type Structure, structure } from '../ttlv/item.ts'
import type { Version } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { isFailure, type Request, type RequestItem, type ResponseItem, responseItem, responseMessage } from './message.ts'
import { failed, type Outcome, refusal, tooLarge } from './outcome.ts'

/** Bytes of the answers to a batch of several items at most: each of a hundred items could ask for the largest object. */
const MOST_BATCH_BYTES = 1 << 24

/**
 * Watches Maximum Response Size, and the most that is answered at once, so that an answer that would not fit fails before its effect is
 * stored. Spec: KMIP 1.4 section 6.3
 */
export class ResponseBudget {
  static readonly unlimited = new ResponseBudget()
  readonly limit: number
  #left: number
  #kept = 0
  /** Until what is answered at once, whatever the client would take. */
  #room: number
  readonly #header: number

  constructor(request?: Request, now = 0n, serverHashedPassword?: Buffer) {
    this.limit = request?.header.maximumResponseSize ?? Number.POSITIVE_INFINITY
    const { major, minor } = request?.header.protocolVersion ?? { major: 0, minor: 0 }
    const clientCorrelationValue = request?.header.clientCorrelationValue
    this.#header = Number.isFinite(this.limit)
      ? sizeOf(responseMessage({ major, minor, timeStamp: now, clientCorrelationValue, serverHashedPassword }, []))
      : 0
    this.#left = this.limit - this.#header
    this.#room = request !== undefined && request.items.length > 1 ? MOST_BATCH_BYTES : Number.POSITIVE_INFINITY
  }

  /** Keep room for the refusal of items that come next: what is done now must still be told when they fail. */
  keepFor(items: readonly RequestItem[], from: number, to: number, version: Version): void {
    if (!Number.isFinite(this.limit)) return
    this.#kept = 0
    for (const item of items.slice(from, to)) this.#kept += sizeOf(responseItem(refusal(item, tooLarge(this.limit), version)))
  }

  /** @param spent bytes of the answers before it that leave with it or not at all */
  check(item: RequestItem, outcome: Outcome, version: Version, spent = 0): Outcome {
    if (!this.#isBounded) return outcome
    const size = sizeOf(responseItem(outcome.response))
    if (size + this.#kept > this.#left) return failed(item, tooLarge(this.limit), version, outcome.entry)
    if (spent + size > this.#room && !isFailure(outcome.response)) return failed(item, tooLarge(MOST_BATCH_BYTES), version, outcome.entry)
    return outcome
  }

  spend(response: ResponseItem): void {
    if (!this.#isBounded) return
    const size = sizeOf(responseItem(response))
    this.#left -= size
    this.#room -= size
  }

  get #isBounded(): boolean {
    return Number.isFinite(this.#left) || Number.isFinite(this.#room)
  }

  fits(items: readonly Structure[]): boolean {
    return !Number.isFinite(this.limit) || this.#header + sizeOf(structure(TAG.ResponseMessage, items)) - 8 <= this.limit
  }
}
