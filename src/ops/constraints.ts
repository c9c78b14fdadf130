import { checkAttribute } from '../objects/attribute-rules.ts'
import { type AttributeSet, titleOf } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import { filtersOf, matches } from '../objects/filter.ts'
import { OBJECT_TAG } from '../objects/managed-object.ts'
import { ENUM, MASK_OF_TAG } from '../ttlv/enumerations.ts'
import { type Item, TYPE } from '../ttlv/item.ts'
import { GetConstraintsResponse, SetConstraintsRequest } from '../ttlv/payloads/policies.ts'
import { Nothing } from '../ttlv/payloads/sessions.ts'
import { TAG } from '../ttlv/tags.ts'
import { operation } from './operation.ts'
import type { Constraint, Policy } from './policies.ts'

const { Operation } = ENUM
/** More would make each creation slow. */
const MAX_ENTRIES = 100

/** Set Constraints: what objects that are made from now on must be like, in place of what was set before. Spec: KMIP 2.1 section 6.1.52 */
export const setConstraints = operation({
  code: Operation.SetConstraints,
  name: 'SetConstraints',
  since: 21,
  request: SetConstraintsRequest,
  response: Nothing,
  async run({ constraints }, context) {
    const list = constraints?.constraint ?? []
    checkCount(list)
    for (const { objectTypes, attributes } of list) {
      checkTypes(objectTypes?.objectType ?? [])
      for (const item of itemsOf(attributes)) checkAttribute(item)
    }
    await context.environment.policies.change(context.unit, { constraints: list })
    return {}
  },
})

/** Get Constraints. Spec: KMIP 2.1 section 6.1.22 */
export const getConstraints = operation({
  code: Operation.GetConstraints,
  name: 'GetConstraints',
  since: 21,
  request: Nothing,
  response: GetConstraintsResponse,
  async run(_request, context) {
    const { constraints } = await context.policy()
    return { constraints: { constraint: constraints } }
  },
})

/** @throws KmipError Invalid Field: there are too many entries */
export function checkCount(list: readonly unknown[]): void {
  if (list.length > MAX_ENTRIES) throw new KmipError('InvalidField', `a scope may have ${MAX_ENTRIES} of these at most`)
}

/** @throws KmipError Invalid Object Type */
export function checkTypes(types: readonly number[]): void {
  for (const type of types) if (OBJECT_TAG[type] === undefined) throw new KmipError('InvalidObjectType', 'an Object Type is not known')
}

/** The attributes of an Attributes structure. */
export const itemsOf = (attributes: Item | undefined): readonly Item[] => (attributes?.type === TYPE.Structure ? attributes.value : [])

/**
 * Whether a new object may be made. The specification leaves open what several constraints mean together: those that name one of the
 * object's groups go before those that name none, and of these the object must satisfy one as a whole, so that alternatives can be told.
 * Spec: KMIP 2.1 section 7.6
 * @throws KmipError Constraint Violation
 */
export function checkConstraints({ constraints }: Policy, type: number, attributes: AttributeSet): void {
  if (constraints.length === 0) return
  const groups = groupsOf([...attributes].map(instance => instance.item))
  const ofType = constraints.filter(({ objectTypes }) => !objectTypes || objectTypes.objectType.includes(type))
  const ofGroup = ofType.filter(({ objectGroups }) => objectGroups?.objectGroup.some(group => groups.has(group)))
  const applying = ofGroup.length > 0 ? ofGroup : ofType.filter(({ objectGroups }) => !objectGroups)
  if (applying.length === 0) return
  const broken = applying.map(constraint => firstBroken(constraint, attributes))
  const [first] = broken
  if (first && broken.every(item => item !== undefined))
    throw new KmipError('ConstraintViolation', `${titleOf(first.tag)} is not as the constraints of this scope demand`)
}

/** Values of Object Group among attributes. */
export const groupsOf = (items: readonly Item[]): ReadonlySet<string> =>
  new Set(items.filter(item => item.tag === TAG.ObjectGroup).map(item => String(item.value)))

function firstBroken(constraint: Constraint, attributes: AttributeSet): Item | undefined {
  const instances = [...attributes]
  return itemsOf(constraint.attributes).find(item => {
    // A mask says what is allowed, not what is demanded.
    if (MASK_OF_TAG.has(item.tag) && item.type === TYPE.Integer) {
      const mask = attributes.number(item.tag)
      return mask === undefined || (mask & ~item.value) !== 0
    }
    return !matches(filtersOf([item]), instances)
  })
}
