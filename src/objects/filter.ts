import { encode } from '../ttlv/binary.ts'
import { child, type Item, TYPE } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { type AttributeKey, type Instance, keyOf, sameItem } from './attribute-set.ts'

// How Locate compares. Spec: KMIP 1.4 section 4.9, 2.1 section 6.1.28

/** The largest Date-Time stands for "the attribute is not set". */
const NOT_SET = 0x7fff_ffff_ffff_ffffn

/** Attributes that match when the object's value has at least what is asked for. */
const SUPERSET: ReadonlySet<number> = new Set<number>([TAG.CryptographicUsageMask, TAG.ProtectionStorageMask])

export interface Filter {
  readonly key: AttributeKey
  /** Values that are all asked for; two dates are a range. */
  readonly wanted: readonly Item[]
}

export function filtersOf(attributes: readonly Item[]): Filter[] {
  const filters = new Map<AttributeKey, Item[]>()
  for (const item of attributes) {
    const key = keyOf(item)
    const wanted = filters.get(key)
    if (wanted) wanted.push(item)
    else filters.set(key, [item])
  }
  return [...filters].map(([key, wanted]) => ({ key, wanted }))
}

/** Whether an object with these attributes is one that the filters ask for. */
export function matches(filters: readonly Filter[], instances: readonly Instance[]): boolean {
  return filters.every(({ key, wanted }) => {
    const values = instances.filter(instance => instance.key === key).map(instance => instance.item)
    const [first, second] = wanted
    if (first?.type === TYPE.DateTime && second?.type === TYPE.DateTime && wanted.length === 2)
      return inRange(values, first.value, second.value)
    return wanted.every(item => (isNotSet(item) ? values.length === 0 : values.some(value => fits(value, item))))
  })
}

const isNotSet = (item: Item): boolean => item.type === TYPE.DateTime && item.value === NOT_SET

function inRange(values: readonly Item[], one: bigint, other: bigint): boolean {
  const [from, to] = one <= other ? [one, other] : [other, one]
  return values.some(value => value.type === TYPE.DateTime && value.value >= from && value.value <= to)
}

function fits(value: Item, wanted: Item): boolean {
  if (SUPERSET.has(wanted.tag) && value.type === TYPE.Integer && wanted.type === TYPE.Integer)
    return (value.value & wanted.value) === wanted.value
  if (wanted.tag === TAG.UsageLimits) return hasUsage(value, wanted)
  if (value.type === TYPE.Structure && wanted.type === TYPE.Structure)
    return wanted.value.every(field =>
      value.value.some(own => own.tag === field.tag && (sameItem(own, field) || encode(own).equals(encode(field)))),
    )
  return sameItem(value, wanted)
}

/** Usage Limits: at least as much is left. */
function hasUsage(value: Item, wanted: Item): boolean {
  const atLeast = (tag: number): boolean => {
    const asked = child(wanted, tag)?.value
    const own = child(value, tag)?.value
    return asked === undefined || (typeof asked === 'bigint' && typeof own === 'bigint' && own >= asked)
  }
  const unit = child(wanted, TAG.UsageLimitsUnit)?.value
  return (
    atLeast(TAG.UsageLimitsTotal) &&
    atLeast(TAG.UsageLimitsCount) &&
    (unit === undefined || unit === child(value, TAG.UsageLimitsUnit)?.value)
  )
}
