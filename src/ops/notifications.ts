import { AttributeSet, type Instance, referenceOf, sameItem } from '../objects/attribute-set.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import type { ObjectChange } from '../objects/unit-of-work.ts'
import { indexMark, responseTo } from '../ttlv/dialect.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { dateTime, type Item, structure, TYPE } from '../ttlv/item.ts'
import { NotifyRequest, PutRequest } from '../ttlv/payloads/notifications.ts'
import { type Version, write } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { linksOf } from './creation.ts'
import { whyNotLeave } from './get.ts'

const { PutFunction, LinkType } = ENUM
const NO_REQUEST = structure(TAG.RequestPayload, [])

/**
 * Fields of the Put that hands a new object to a client; nothing if the object is not new, has no content or may not leave the server.
 * @param now seconds since 1970
 * @param leaseTime seconds; 0: no leases
 * Spec: KMIP 1.4 section 5.2, 2.1 section 6.2.3
 */
export function putFields({ before, after }: ObjectChange, version: Version, now: bigint, leaseTime: number): readonly Item[] | undefined {
  if (before !== undefined || after?.object === undefined || whyNotLeave(after, false)) return undefined
  const [replaced] = linksOf(after, LinkType.ReplacedObjectLink)
  const payload = {
    uniqueIdentifier: after.id,
    putFunction: replaced === undefined ? PutFunction.New : PutFunction.Replace,
    replacedUniqueIdentifier: replaced,
    object: after.object,
    attributes: AttributeSet.toItem(after.visible(now, leaseTime)),
  }
  return responseTo(version, write(payload, PutRequest, version), NO_REQUEST)
}

/**
 * Fields of the Notify that tells a client which attributes changed, and which are no longer set; nothing if none did. Last Change Date is
 * always among them.
 * @param now seconds since 1970
 * Spec: KMIP 1.4 section 5.1, 2.1 section 6.2.2
 */
export function notifyFields({ before, after }: ObjectChange, version: Version, now: bigint): readonly Item[] | undefined {
  if (before === undefined) return undefined
  const old = told(before, now)
  const own = after === undefined ? [] : told(after, now)
  const changed = own.filter(one => !old.some(other => isSame(one, other)))
  const deleted = old.filter(one => find(own, one) === undefined && one.key !== TAG.LastChangeDate)
  if (changed.length === 0 && deleted.length === 0) return undefined
  // It is the same where less than a second has passed.
  const lastChange = {
    key: TAG.LastChangeDate,
    index: 0,
    item: after?.attributes.get(TAG.LastChangeDate) ?? dateTime(TAG.LastChangeDate, now),
  }
  // 2.x names an attribute that is gone altogether; of one that has fewer values now, it tells those that are left.
  const rest = own.filter(one => version >= 20 && !changed.includes(one) && deleted.some(({ key }) => key === one.key))
  const gone = version < 20 ? [] : [...new Set(deleted.map(({ key }) => key))].filter(key => !own.some(one => one.key === key))
  const payload = {
    uniqueIdentifier: before.id,
    attributes: AttributeSet.toItem([...changed.filter(({ key }) => key !== TAG.LastChangeDate), lastChange, ...rest]),
    attributeReference: gone.map(referenceOf),
  }
  const fields = responseTo(version, write(payload, NotifyRequest, version), NO_REQUEST)
  return version < 20 ? [...fields, ...deleted.flatMap(one => withoutValue(one, version))] : fields
}

/** What is told of an object: a Destroy Date says no more than the State and the Last Change Date, with which it comes. */
const told = (object: ManagedObject, now: bigint): Instance[] => object.visible(now, 0).filter(({ key }) => key !== TAG.DestroyDate)

const find = (instances: readonly Instance[], { key, index }: Instance): Instance | undefined =>
  instances.find(one => one.key === key && one.index === index)

const isSame = (one: Instance, other: Instance): boolean =>
  one.key === other.key && one.index === other.index && sameItem(one.item, other.item)

/** An Attribute of 1.x that is no longer set: its name, and its index where that is not 0. */
function withoutValue({ key, index }: Instance, version: Version): Item[] {
  const [name] = responseTo(version, [referenceOf(key)], NO_REQUEST)
  return name?.type === TYPE.TextString ? [structure(TAG.Attribute, [name, ...(index === 0 ? [] : [indexMark(index)])])] : []
}
