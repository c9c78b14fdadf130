import { ENUM } from '../ttlv/enumerations.ts'
import { child, type Item, type Structure, TYPE, tagName, tagTitle, typeName } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { fieldOf, label, type Pattern, valueAt } from './pattern.ts'
import { DEPENDENT_STRUCTURES, OPTIONAL, QUERY_FREE, QUERY_PRESENT } from './rules.ts'
import { batchItems, everyItem, identifiersIn, numberIn } from './session.ts'
import { compareValue, type Difference, type Exchange, type Scope, show } from './values.ts'

const { Operation, CryptographicAlgorithm, PaddingMethod, ResultStatus } = ENUM
const { GetAttributes, GetAttributeList, Locate, Query, DiscoverVersions } = Operation

/** What a comparison found: a difference, or the values of the placeholders that it met. */
export type Comparison = { readonly difference: Difference } | { readonly difference?: never; readonly found: ReadonlyMap<string, Item> }

/**
 * Compare a server's response with a case's, up to the first difference.
 * Spec: KMIP Additional Message Encodings 1.0 section 8.4, Profiles 2.1 section 4.1
 */
export function compareResponse(expected: Pattern, actual: Item, exchange: Exchange): Comparison {
  const root = label(expected)
  if (actual.tag !== expected.tag || actual.type !== TYPE.Structure || expected.kind !== 'structure') {
    return { difference: { path: root, expected: root, actual: tagName(actual.tag) } }
  }
  const found = new Map<string, Item>()
  const scope: Scope = {
    ...exchange,
    version: versionIn(exchange.request),
    operation: undefined,
    ask: undefined,
    varies: false,
    title: undefined,
    inside: [],
    found,
  }
  const difference = compareMessage(expected, actual, root, scope)
  return difference === undefined ? { found } : { difference }
}

function compareMessage(expected: Pattern & { kind: 'structure' }, actual: Structure, root: string, scope: Scope): Difference | undefined {
  const isItem = (one: { tag: number }): boolean => one.tag === TAG.BatchItem
  const rest = compareFields(
    expected.fields.filter(field => !isItem(field)),
    actual.value.filter(field => !isItem(field)),
    root,
    scope,
  )
  // A failure says more than the count of items in the header does.
  const wanted = expected.fields.filter(isItem)
  const asked = batchItems(scope.request)
  const answers = batchItems(actual)
  for (const [index, item] of wanted.entries()) {
    const answer = answers[index]
    const path = `${root}/BatchItem[${index + 1}]`
    if (answer === undefined) return { path, expected: 'a batch item', actual: 'nothing' }
    const ask = asked[index]
    const here = { ...scope, operation: numberIn(answer, TAG.Operation), ask, varies: varies(answer, ask, answers.slice(0, index), scope) }
    const difference = compare(item, answer, path, here)
    if (difference !== undefined) return withMessage(difference, answer)
  }
  if (answers.length > wanted.length) return { path: root, expected: `${wanted.length} batch items`, actual: String(answers.length) }
  return rest
}

/** Put the server's own words to a result that should have been another. */
function withMessage(difference: Difference, answer: Item): Difference {
  const message = child(answer, TAG.ResultMessage)
  const reason = child(answer, TAG.ResultReason)
  if (numberIn(answer, TAG.ResultStatus) === ResultStatus.Success || !/Result(Status|Reason)$/.test(difference.path)) return difference
  const words = [reason, message].flatMap(item => (item === undefined ? [] : [show(item)])).join(': ')
  return { ...difference, actual: words === '' ? difference.actual : `${difference.actual} (${words})` }
}

function versionIn(request: Item): number {
  const header = child(request, TAG.RequestHeader)
  const version = header && child(header, TAG.ProtocolVersion)
  return version === undefined
    ? 0
    : (numberIn(version, TAG.ProtocolVersionMajor) ?? 0) * 10 + (numberIn(version, TAG.ProtocolVersionMinor) ?? 0)
}

/** Whether values in this answer follow from what the server made or from chance, so that no case can foretell them. */
function varies(answer: Item, ask: Item | undefined, earlier: readonly Item[], { session }: Exchange): boolean {
  const isForeign = (id: Item): boolean => session.originOf(String(id.value))?.registered !== true
  const operation = numberIn(answer, TAG.Operation)
  if (operation === Operation.RNGRetrieve) return true
  if (operation === Operation.Hash || ask === undefined) return false
  const payload = child(answer, TAG.ResponsePayload)
  const request = child(ask, TAG.RequestPayload)
  const ids = [payload, request].flatMap(fields => (fields === undefined ? [] : identifiersIn(fields)))
  // Without an identifier the object is that of the latest item which named one.
  for (const item of earlier.toReversed()) {
    const before = ids.length === 0 ? child(item, TAG.ResponsePayload) : undefined
    if (before !== undefined) ids.push(...identifiersIn(before))
  }
  if (ids.some(isForeign)) return true
  const algorithm = session.originOf(String(ids[0]?.value))?.algorithm
  if (operation === Operation.Encrypt && algorithm === CryptographicAlgorithm.RSA) return true
  // The server made the IV, by parameters that the key carries.
  const hasIv = (fields: Item | undefined): boolean => fields !== undefined && child(fields, TAG.IVCounterNonce) !== undefined
  if (operation === Operation.Encrypt && hasIv(payload) && !hasIv(request)) return true
  if (operation === Operation.Sign && algorithm !== CryptographicAlgorithm.RSA) return true
  for (const item of everyItem(request ?? ask)) {
    if (item.tag === TAG.RandomIV && item.value === true) return true
    if (item.tag === TAG.EncryptionKeyInformation || item.tag === TAG.MACSignatureKeyInformation) {
      if (identifiersIn(item).some(isForeign)) return true
    }
    if (item.tag === TAG.PaddingMethod && item.value === PaddingMethod.PSS && operation === Operation.Sign) return true
  }
  return false
}

function compare(expected: Pattern, actual: Item, path: string, scope: Scope): Difference | undefined {
  if (OPTIONAL.has(expected.tag) || scope.defect?.free?.has(expected.tag)) return undefined
  if (expected.kind !== 'structure') return compareValue(expected, actual, path, scope)
  if (scope.varies && (DEPENDENT_STRUCTURES.has(expected.tag) || (expected.tag === TAG.KeyValue && actual.type !== TYPE.Structure)))
    return undefined
  if (actual.type !== TYPE.Structure) return { path, expected: 'a structure', actual: typeName(actual.type) }
  if (expected.tag === TAG.RandomNumberGenerator || scope.title === 'Random Number Generator') return undefined
  const title = valueAt(expected, TAG.AttributeName)
  const isAttributes = scope.inside.at(-1) === TAG.Attributes
  const inner: Scope = {
    ...scope,
    inside: [...scope.inside, expected.tag],
    title: typeof title === 'string' ? title : isAttributes ? tagTitle(expected.tag) : scope.title,
  }
  if (expected.tag === TAG.ResponsePayload && scope.operation === Query) return compareQuery(expected, actual, path, inner)
  return compareFields(expected.fields, actual.value, path, inner)
}

/** Whether fields with this tag are a set, and whether the set may be larger than the case's. */
function setRule(tag: number, { operation, version, inside, ask }: Scope): 'exact' | 'larger' | undefined {
  const parent = inside.at(-1)
  // What servers ask: they may send more attributes with an object, and want to know more of a client.
  if (parent === TAG.RequestPayload && tag === TAG.Attribute) return operation === Operation.Put ? 'larger' : 'exact'
  if (parent === TAG.RequestPayload && tag === TAG.QueryFunction) return 'larger'
  if (parent === TAG.Attributes) return operation === GetAttributes || operation === Operation.Export ? 'larger' : 'exact'
  if (parent !== TAG.ResponsePayload) return parent !== undefined && TEMPLATES.has(parent) ? 'exact' : undefined
  if (tag === TAG.Attribute) return operation === GetAttributes || operation === Operation.Export ? 'larger' : 'exact'
  if ((tag === TAG.AttributeName || tag === TAG.AttributeReference) && operation === GetAttributeList) return 'larger'
  if (tag === TAG.UniqueIdentifier && operation === Locate && version < 20) return 'exact'
  if (tag === TAG.ProtocolVersion && operation === DiscoverVersions) {
    const request = ask && child(ask, TAG.RequestPayload)
    return request !== undefined && child(request, TAG.ProtocolVersion) !== undefined ? undefined : 'larger'
  }
  return undefined
}
const TEMPLATES: ReadonlySet<number> = new Set([TAG.Template, TAG.KeyValue])

function compareFields(expected: readonly Pattern[], actual: readonly Item[], path: string, scope: Scope): Difference | undefined {
  let at = 0
  let index = 0
  const skipExtras = (): void => {
    while (at < actual.length && isExtra(actual[at]!, scope) && actual[at]!.tag !== expected[index]?.tag) at++
  }
  while (index < expected.length) {
    const field = expected[index]!
    const rule = setRule(field.tag, scope)
    skipExtras()
    if (rule !== undefined) {
      // Attributes of 2.x are a set of different tags; elsewhere a set is a run of one tag.
      const belongs = (tag: number): boolean => scope.inside.at(-1) === TAG.Attributes || tag === field.tag
      const wanted: Pattern[] = []
      while (index < expected.length && belongs(expected[index]!.tag)) wanted.push(expected[index++]!)
      const given: Item[] = []
      while (at < actual.length && belongs(actual[at]!.tag)) given.push(actual[at++]!)
      const difference = compareSet(wanted, given, rule, path, scope)
      if (difference !== undefined) return difference
      continue
    }
    index++
    const here = `${path}/${label(field)}`
    if (actual[at]?.tag === field.tag) {
      const difference = compare(field, actual[at]!, here, scope)
      if (difference !== undefined) return difference
      at++
    } else if (!mayBeAbsent(field, scope)) {
      return { path: here, expected: field.kind === 'value' ? show(field.item, scope.title) : 'present', actual: given(actual[at]) }
    }
  }
  skipExtras()
  const extra = actual[at]
  return extra === undefined ? undefined : { path: `${path}/${nameOf(extra)}`, expected: 'nothing', actual: given(extra) }
}

const given = (item: Item | undefined): string =>
  item === undefined ? 'nothing' : `${nameOf(item)} ${item.type === TYPE.Structure ? '' : show(item)}`.trim()

function nameOf(item: Item): string {
  const title = child(item, TAG.AttributeName)?.value
  return item.tag === TAG.Attribute && typeof title === 'string' ? `Attribute(${title})` : tagName(item.tag)
}

function compareSet(
  wanted: readonly Pattern[],
  items: readonly Item[],
  rule: 'exact' | 'larger',
  path: string,
  scope: Scope,
): Difference | undefined {
  const rest = [...items]
  for (const field of wanted) {
    let nearest: Difference | undefined
    const match = rest.findIndex(item => {
      if (item.tag !== field.tag) return false
      const trial = { ...scope, found: new Map(scope.found) }
      const difference = compare(field, item, `${path}/${label(field)}`, trial)
      if (difference === undefined) for (const [name, value] of trial.found) scope.found.set(name, value)
      else if (nearest === undefined || nameOf(item) === label(field)) nearest = difference
      return difference === undefined
    })
    if (match >= 0) {
      rest.splice(match, 1)
    } else if (!mayBeAbsent(field, scope)) {
      const hasNamesake = rest.some(item => item.tag === field.tag && (item.tag !== TAG.Attribute || nameOf(item) === label(field)))
      if (hasNamesake && nearest !== undefined && field.kind === 'structure') return nearest
      return {
        path: `${path}/${label(field)}`,
        expected: field.kind === 'value' ? show(field.item) : field.kind === 'placeholder' ? `$${field.placeholder.name}` : 'present',
        actual: items.length === 0 ? 'nothing' : rest.map(given).slice(0, 8).join(', ') || 'nothing more',
      }
    }
  }
  const extra = rule === 'larger' ? undefined : rest.find(item => !isExtra(item, scope))
  return extra === undefined ? undefined : { path: `${path}/${nameOf(extra)}`, expected: 'nothing', actual: given(extra) }
}

/** A field that servers may leave out. */
function mayBeAbsent(field: Pattern, scope: Scope): boolean {
  if (OPTIONAL.has(field.tag) || scope.defect?.free?.has(field.tag)) return true
  if (field.tag === TAG.AttributeIndex) return field.kind === 'value' && field.item.value === 0
  const title =
    field.tag === TAG.Attribute
      ? valueAt(field, TAG.AttributeName)
      : field.kind === 'value' && field.tag === TAG.AttributeName && field.item.value
  if (typeof title !== 'string')
    return field.tag === TAG.ObjectGroup && field.kind === 'value' && !scope.session.texts.has(String(field.item.value))
  if (title.startsWith('y-')) return true
  if (title !== 'Object Group') return false
  const value = fieldOf(field, TAG.AttributeValue)
  return value?.kind === 'value' ? !scope.session.texts.has(String(value.item.value)) : true
}

/** A field that servers may add. */
function isExtra(item: Item, scope: Scope): boolean {
  if (OPTIONAL.has(item.tag) || scope.defect?.free?.has(item.tag)) return true
  if (item.tag === TAG.AttributeIndex) return item.value === 0
  if (item.tag !== TAG.Attribute) return false
  const title = String(child(item, TAG.AttributeName)?.value)
  return title.startsWith('y-') || title === 'Object Group'
}

/** A Query answer: lists may be longer than the case's, most content is the server's own, the order of the fields counts. */
function compareQuery(expected: Pattern & { kind: 'structure' }, actual: Structure, path: string, scope: Scope): Difference | undefined {
  let last = 0
  const order = new Map<number, number>()
  for (const field of expected.fields) if (!order.has(field.tag)) order.set(field.tag, order.size)
  for (const item of actual.value) {
    const place = order.get(item.tag) ?? last
    if (place < last) return { path: `${path}/${tagName(item.tag)}`, expected: 'earlier in the answer', actual: 'later' }
    last = place
  }
  for (const field of expected.fields) {
    if (QUERY_FREE.has(field.tag) || scope.defect?.free?.has(field.tag)) continue
    const items = actual.value.filter(item => item.tag === field.tag)
    const here = `${path}/${label(field)}`
    if (QUERY_PRESENT.has(field.tag)) {
      if (items.length === 0) return { path: here, expected: 'present', actual: 'nothing' }
      continue
    }
    if (field.kind !== 'value' || items.some(item => item.value === field.item.value)) continue
    if (field.tag === TAG.ObjectType && items.length > 0) continue
    if (field.tag === TAG.Operation && items.length > 0 && !scope.required.has(Number(field.item.value))) continue
    return { path: here, expected: show(field.item), actual: items.length === 0 ? 'nothing' : 'not in the list' }
  }
  return undefined
}
