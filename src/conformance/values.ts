import { child, type Item, TYPE, typeName } from '../ttlv/item.ts'
import { subjectOf } from '../ttlv/notation.ts'
import type { Version } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { valueText } from '../ttlv/xml.ts'
import type { Defect } from './defects.ts'
import type { Pattern, Placeholder } from './pattern.ts'
import { CORRELATIONS, DEPENDENT, IDENTIFIERS } from './rules.ts'
import type { Session } from './session.ts'

/** Where a response is not what the case says. */
export interface Difference {
  readonly path: string
  readonly expected: string
  readonly actual: string
}

/** What the comparison of one response needs to know. */
export interface Exchange {
  readonly session: Session
  /** Values of placeholders so far; a comparison adds to it. */
  readonly bindings: ReadonlyMap<string, Item>
  readonly request: Item
  /** Seconds since 1970: when the run began, and now. */
  readonly began: bigint
  readonly now: bigint
  readonly defect: Defect | undefined
  /** Operations that a Query response must list if the case does. */
  readonly required: ReadonlySet<number>
}

/** Where in the response a comparison is. */
export interface Scope extends Exchange {
  readonly version: Version
  readonly operation: number | undefined
  readonly ask: Item | undefined
  /** The object of the operation came from the server, or chance is in the result. */
  readonly varies: boolean
  /** Name of the attribute, of 1.x or by its tag, that the item is part of. */
  readonly title: string | undefined
  /** Tags of the structures around. */
  readonly inside: readonly number[]
  /** What this comparison binds; nothing of it counts if it fails. */
  readonly found: Map<string, Item>
}

// Placeholders that stand for the value of the latest response and not of the first.
const LATEST =
  /^(CORRELATION_VALUE|ASYNCHRONOUS_CORRELATION_VALUE|SERVER_CORRELATION_VALUE|SIGNATURE_DATA|MAC_DATA|DATA(_\d+)?|IV_COUNTER_NONCE|AUTHENTICATED_ENCRYPTION_TAG|TICKET_VALUE)$/
// Clocks of server and test may differ by this many seconds.
const TOLERANCE = 5n

/** Compare one value, or what stands for it, with the server's. */
export function compareValue(
  expected: Exclude<Pattern, { kind: 'structure' }>,
  actual: Item,
  path: string,
  scope: Scope,
): Difference | undefined {
  const type = expected.kind === 'value' ? expected.item.type : expected.type
  if (scope.varies && DEPENDENT.has(expected.tag) && actual.type !== type) return undefined
  if (actual.type !== type) return { path, expected: typeName(type), actual: typeName(actual.type) }
  if (expected.kind === 'placeholder') return comparePlaceholder(expected.placeholder, actual, path, scope)
  return sameValue(expected.item, actual) || mayDiffer(expected.item, actual, scope)
    ? undefined
    : { path, expected: show(expected.item, scope.title), actual: show(actual, scope.title) }
}

function comparePlaceholder({ name, offset }: Placeholder, actual: Item, path: string, scope: Scope): Difference | undefined {
  if (name === 'NOW') {
    const expected = `$NOW${offset === 0 ? '' : offset > 0 ? `+${offset}` : offset}`
    const from = scope.began + BigInt(offset) - TOLERANCE
    const to = scope.now + BigInt(offset) + TOLERANCE
    const isNear = typeof actual.value === 'bigint' && actual.value >= from && actual.value <= to
    return isNear ? undefined : { path, expected, actual: show(actual) }
  }
  const known = scope.found.get(name) ?? scope.bindings.get(name)
  if (known !== undefined && !LATEST.test(name)) {
    return sameValue(known, actual) ? undefined : { path, expected: `$${name}, which is ${show(known)}`, actual: show(actual) }
  }
  scope.found.set(name, actual)
  return undefined
}

/** Whether a value that is not the case's is right as well. */
function mayDiffer(expected: Item, actual: Item, scope: Scope): boolean {
  const { session, title, inside, varies } = scope
  const { tag } = expected
  if (scope.defect?.lengthOnly?.has(tag) && Buffer.isBuffer(expected.value) && Buffer.isBuffer(actual.value)) {
    return learn(expected, actual, scope, expected.value.length === actual.value.length)
  }
  if (expected.type === TYPE.DateTime) return learn(expected, actual, scope, tag === TAG.TimeStamp || !session.dates.has(expected.value))
  if (tag === TAG.UniqueBatchItemID) {
    const asked = scope.ask && child(scope.ask, tag)
    return asked !== undefined && sameValue(asked, actual)
  }
  if (tag === TAG.ProtocolVersionMinor && scope.defect?.echoVersion === true) return actual.value === scope.version % 10
  if (IDENTIFIERS.has(tag) || (title === 'Unique Identifier' && tag === TAG.AttributeValue)) {
    const known = session.samples.get(sampleKey(expected))
    return known === undefined ? learn(expected, actual, scope, true) : sameValue(known, actual)
  }
  if (CORRELATIONS.has(tag)) return learn(expected, actual, scope, true)
  if (!varies) return false
  const inDigest = inside.includes(TAG.Digest) || title === 'Digest'
  if (tag === TAG.HashingAlgorithm && inDigest) return true
  if (tag === TAG.KeyFormatType) return scope.version < 20 && !asksFor(TAG.KeyFormatType, scope)
  if (title === 'Certificate Length') return true
  if (!DEPENDENT.has(tag)) return false
  const isRawKey = tag === TAG.KeyMaterial && inside.includes(TAG.SymmetricKey)
  const hasLength =
    !isRawKey || !Buffer.isBuffer(expected.value) || !Buffer.isBuffer(actual.value) || actual.value.length === expected.value.length
  return learn(expected, actual, scope, hasLength)
}

function asksFor(tag: number, { ask }: Scope): boolean {
  const request = ask && child(ask, TAG.RequestPayload)
  return request !== undefined && child(request, tag) !== undefined
}

/** Remember what the server made of a sample value, for later requests that quote it. */
function learn(expected: Item, actual: Item, scope: Scope, accepted: boolean): boolean {
  if (accepted) scope.session.samples.set(sampleKey(expected), actual)
  return accepted
}

/** Key of a value among the samples of a session. */
// A date is a sample of its own field: several fields of a case show the same date.
export const sampleKey = (item: Item): string =>
  item.type === TYPE.DateTime
    ? `${item.tag}@${item.value}`
    : Buffer.isBuffer(item.value)
      ? `0x${item.value.toString('hex')}`
      : String(item.value)

/** Equal type and value, whatever the tags of the outer items are. */
function sameValue(one: Item, other: Item): boolean {
  if (one.type !== other.type) {
    const bothText = typeof one.value === 'string' && typeof other.value === 'string'
    return bothText && one.value === other.value
  }
  if (one.type === TYPE.Structure && other.type === TYPE.Structure) {
    return (
      one.value.length === other.value.length &&
      one.value.every((field, i) => field.tag === other.value[i]!.tag && sameValue(field, other.value[i]!))
    )
  }
  if (Buffer.isBuffer(one.value) && Buffer.isBuffer(other.value)) return one.value.equals(other.value)
  return one.value === other.value
}

/** A value as a difference shows it. */
export function show(item: Item, title?: string): string {
  if (item.type === TYPE.Structure) return 'a structure'
  const shown = valueText(item, subjectOf(item.tag, title))
  return shown.length > 100 ? `${shown.slice(0, 100)}… (${shown.length} characters)` : shown
}
