import { generateSymmetricKey } from '../crypto/random.ts'
import { checkAttribute } from '../objects/attribute-rules.ts'
import { KmipError } from '../objects/errors.ts'
import { type Filter, filtersOf, matches } from '../objects/filter.ts'
import { filterTerms, isDecided, STATUS_MARKS } from '../objects/index-terms.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { enumeration, type Item, integer, TYPE } from '../ttlv/item.ts'
import { isKnown, isValue } from '../ttlv/known.ts'
import { LocateRequest, LocateResponse } from '../ttlv/payloads/objects.ts'
import type { Value } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { symmetricKeyItem } from './create.ts'
import { makeObject, requestedAttributes } from './creation.ts'
import { operation } from './operation.ts'

const { StorageStatusMask } = MASK
const COUNT_LIMIT = 10_000
const FRESH_BITS = 256

/**
 * Locate: identifiers of the objects that have all the attributes, newest first.
 * Spec: KMIP 1.4 section 4.9, 2.1 section 6.1.28
 */
export const locate = operation({
  code: ENUM.Operation.Locate,
  name: 'Locate',
  since: 10,
  request: LocateRequest,
  response: LocateResponse,
  async run(request, context) {
    const wanted = await filterItems(request, context)
    const filters = filtersOf(wanted)
    const offset = request.offsetItems ?? 0
    const maximum = request.maximumItems ?? Number.POSITIVE_INFINITY
    if (offset < 0 || maximum < 0) throw new KmipError('InvalidField', 'Offset Items and Maximum Items cannot be negative')
    if (request.objectGroupMember !== undefined && !isValue('ObjectGroupMember', request.objectGroupMember))
      throw new KmipError('InvalidField', 'the Object Group Member option is not known')
    const search: Search = {
      filters,
      terms: filterTerms(wanted.filter(isExact)),
      // On which objects a ticket may be used, the index does not tell.
      decided: request.objectGroupMember !== ENUM.ObjectGroupMember.GroupMemberFresh && !context.inner.rights && wanted.every(isDecided),
      request,
      offset,
      limit: Math.min(maximum, context.settings.locatePage),
    }
    const { found, located } = await (request.objectGroupMember === undefined
      ? searchAll(search, context)
      : searchGroup(search, wanted, context))
    if (search.decided && request.objectGroupMember === undefined) context.source = 'scope'
    // More than one match empties the placeholder unless the client asked for one. Spec: KMIP 1.4 section 4.9
    const [only] = found
    context.batch.placeholder = only !== undefined && found.length === 1 && (located === 1 || maximum === 1) ? only : undefined
    if (context.batch.placeholder !== undefined) context.subject = only
    return { locatedItems: located, uniqueIdentifier: found }
  },
})

interface Search {
  readonly filters: readonly Filter[]
  readonly terms: readonly string[]
  /** The terms and the status say all, of objects that are marked so. */
  readonly decided: boolean
  readonly request: Value<typeof LocateRequest>
  readonly offset: number
  readonly limit: number
}

interface Result {
  readonly found: readonly string[]
  /** How many match in all, where it was counted to the end. */
  readonly located: number | undefined
}

async function searchAll({ filters, terms, decided, request, offset, limit }: Search, context: Context): Promise<Result> {
  const found: string[] = []
  const seen = new Set<string>()
  let looked = 0
  const { unit } = context
  const candidates = decided ? unit.markedCandidates(terms, STATUS_MARKS) : unit.candidates(terms)
  for await (const candidate of candidates) {
    // Counting all that match is for the count alone once the page is full; past this many objects it is not worth the time.
    if (++looked > COUNT_LIMIT && found.length === limit && seen.size > offset + 1) return { found, located: undefined }
    if (seen.has(candidate.id)) continue
    if ('mark' in candidate) {
      if (!isAskedFor(MARKED_STATUS[candidate.mark]!, request.storageStatusMask)) continue
    } else if (!context.mayUse(candidate) || !isAsked(candidate, filters, request, context)) continue
    seen.add(candidate.id)
    if (seen.size > offset && found.length < limit) found.push(candidate.id)
  }
  return { found, located: seen.size }
}

/** Fresh members of a group, one being made where the server keeps some ready; or the one that is the group's default now. */
async function searchGroup(search: Search, wanted: readonly Item[], context: Context): Promise<Result> {
  const all =
    search.request.objectGroupMember === ENUM.ObjectGroupMember.GroupMemberDefault
      ? { ...search, limit: context.settings.locatePage }
      : search
  const { found, located } = await searchAll(all, context)
  const group = wanted.find(item => item.tag === TAG.ObjectGroup)
  if (group?.type !== TYPE.TextString) return { found, located }
  if (search.request.objectGroupMember === ENUM.ObjectGroupMember.GroupMemberFresh) {
    if (found.length > 0 || search.limit === 0 || !context.settings.freshGroups.includes(group.value)) return { found, located }
    return { found: [(await makeFresh(group, context)).id], located: 1 }
  }
  const next = context.environment.groups.next(context.peer.scope, group.value, found.toReversed())
  return next === undefined ? { found: [], located: 0 } : { found: [next], located: 1 }
}

function makeFresh(group: Item, context: Context): Promise<ManagedObject> {
  const { AES } = ENUM.CryptographicAlgorithm
  const mask = MASK.CryptographicUsageMask.Encrypt | MASK.CryptographicUsageMask.Decrypt
  return makeObject(context, {
    type: ENUM.ObjectType.SymmetricKey,
    object: symmetricKeyItem(generateSymmetricKey('AES', FRESH_BITS), AES, FRESH_BITS),
    requested: [
      enumeration(TAG.CryptographicAlgorithm, AES),
      integer(TAG.CryptographicLength, FRESH_BITS),
      integer(TAG.CryptographicUsageMask, mask),
      group,
    ],
    serverMade: true,
  })
}

async function filterItems(request: Value<typeof LocateRequest>, context: Context): Promise<Item[]> {
  const { attributes } = request
  if (attributes?.type !== TYPE.Structure) return []
  const templates = attributes.value.some(item => item.tag === TAG.Template)
  const items = templates
    ? await requestedAttributes([attributes], context)
    : attributes.value.filter(item => item.tag !== TAG.AttributeIndex)
  for (const item of items) if (!PARTIAL.has(item.tag)) checkAttribute(item)
  return items
}

/** Structures of which a filter may give some fields only. */
const PARTIAL: ReadonlySet<number> = new Set<number>([
  TAG.Name,
  TAG.Link,
  TAG.UsageLimits,
  TAG.ApplicationSpecificInformation,
  TAG.CryptographicParameters,
  TAG.CryptographicDomainParameters,
  TAG.AlternativeName,
  TAG.KeyValueLocation,
  TAG.RotateName,
])

/** Values that the index finds: all but masks and dates, and what is made up when an object is read. */
const DERIVED: ReadonlySet<number> = new Set<number>([TAG.UniqueIdentifier, TAG.State, TAG.LeaseTime])
const isExact = (item: Item): boolean => item.type !== TYPE.DateTime && !DERIVED.has(item.tag)

function isAsked(object: ManagedObject, filters: readonly Filter[], request: Value<typeof LocateRequest>, context: Context): boolean {
  if (!hasStorageStatus(object, request.storageStatusMask) || !isKnown('ObjectType', object.type, context.version)) return false
  if (request.objectGroupMember === ENUM.ObjectGroupMember.GroupMemberFresh && object.attributes.flag(TAG.Fresh) !== true) return false
  return matches(filters, object.visible(context.now(), context.settings.leaseTime))
}

function hasStorageStatus(object: ManagedObject, mask: number | undefined): boolean {
  const { DestroyedStorage, ArchivalStorage, OnLineStorage } = StorageStatusMask
  return isAskedFor(object.destroyed ? DestroyedStorage : object.archived ? ArchivalStorage : OnLineStorage, mask)
}

const MARKED_STATUS: Readonly<Record<string, number>> = {
  [STATUS_MARKS[0]]: StorageStatusMask.OnLineStorage,
  [STATUS_MARKS[1]]: StorageStatusMask.ArchivalStorage,
  [STATUS_MARKS[2]]: StorageStatusMask.DestroyedStorage,
}

/** Without a mask only what is on-line is found, as 2.x says and the published cases of 1.x show. Spec: KMIP 1.4 section 9.1.3.3.2, 2.1 section 12.3 */
const isAskedFor = (status: number, mask: number | undefined): boolean => ((mask ?? StorageStatusMask.OnLineStorage) & status) !== 0
