import { afterChange, checkAdd, checkModify, readOnly } from '../objects/attribute-rules.ts'
import { type AttributeKey, keyOf, titleOf } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { attributeOfTag } from '../ttlv/attributes.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, type Item, structure, TYPE } from '../ttlv/item.ts'
import { AdjustAttributeRequest, SetAttributeRequest, UniqueIdentifierResponse } from '../ttlv/payloads/objects.ts'
import { TAG } from '../ttlv/tags.ts'
import { singleAttribute } from './attributes.ts'
import type { Context } from './context.ts'
import { completeNamespace } from './creation.ts'
import { operation } from './operation.ts'

const { Operation, AdjustmentType } = ENUM

/** Set Attribute: add, or change the only value. Spec: KMIP 2.1 section 6.1.51 */
export const setAttribute = operation({
  code: Operation.SetAttribute,
  name: 'SetAttribute',
  since: 20,
  request: SetAttributeRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const object = await context.edit(request.uniqueIdentifier)
    await put(object, completeNamespace(singleAttribute(request.newAttribute), context), context)
    return { uniqueIdentifier: object.id }
  },
})

/** Adjust Attribute: add to, take from, or turn round a value; one that is not set counts as 0 or false. Spec: KMIP 2.1 section 6.1.3 */
export const adjustAttribute = operation({
  code: Operation.AdjustAttribute,
  name: 'AdjustAttribute',
  since: 20,
  request: AdjustAttributeRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const object = await context.edit(request.uniqueIdentifier)
    const key = keyOf(request.attributeReference)
    const current = object.attributes.get(key)
    checkAdjustable(key, current !== undefined)
    const value = current?.tag === TAG.Attribute ? child(current, TAG.AttributeValue) : (current ?? zero(key))
    if (!value) throw new KmipError('AttributeNotFound', `${titleOf(key)} is not set, and there is no value to begin with`)
    const adjusted = adjust(value, request.adjustmentType, amount(request.adjustmentValue))
    const item =
      current?.tag === TAG.Attribute && current.type === TYPE.Structure
        ? structure(
            TAG.Attribute,
            current.value.map(field => (field.tag === TAG.AttributeValue ? adjusted : field)),
          )
        : adjusted
    await put(object, item, context)
    return { uniqueIdentifier: object.id }
  },
})

/** @throws KmipError Unsupported Attribute; Read Only Attribute, whether a number or not */
function checkAdjustable(key: AttributeKey, isSet: boolean): void {
  if (typeof key === 'string') return
  const row = attributeOfTag(key)
  if (!row) throw new KmipError('UnsupportedAttribute', `${titleOf(key)} is no attribute`)
  if (isSet ? !row.modify : row.setBy !== 'client') throw readOnly(key)
}

const AMOUNTS: ReadonlySet<number> = new Set([TYPE.Integer, TYPE.LongInteger, TYPE.Interval, TYPE.DateTime])

/** By how much: 1 unless the request says. @throws KmipError Invalid Data Type */
function amount(by: Item | undefined): bigint {
  if (!by) return 1n
  if (!AMOUNTS.has(by.type)) throw new KmipError('InvalidDataType', 'the Adjustment Value is no number')
  return BigInt(by.value as number | bigint)
}

/** What an attribute that is not set begins with: numbers and intervals at 0, Booleans false, others with nothing. Spec: KMIP 2.1 section 6.1.3 */
function zero(key: number | string): Item | undefined {
  const row = typeof key === 'number' ? attributeOfTag(key) : undefined
  switch (row?.type) {
    case TYPE.Boolean:
      return { tag: row.tag, type: TYPE.Boolean, value: false }
    case TYPE.Integer:
    case TYPE.Interval:
      return { tag: row.tag, type: row.type, value: 0 }
    default:
      return undefined
  }
}

const RANGE: Readonly<Record<number, readonly [least: bigint, most: bigint]>> = {
  [TYPE.Integer]: [-0x8000_0000n, 0x7fff_ffffn],
  [TYPE.Interval]: [0n, 0xffff_ffffn],
  [TYPE.LongInteger]: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
  [TYPE.DateTime]: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
}

function adjust(value: Item, type: number, by: bigint): Item {
  if (type === AdjustmentType.Negate && value.type === TYPE.Boolean) return { ...value, value: !value.value }
  const range = RANGE[value.type]
  if (!range || (typeof value.value !== 'number' && typeof value.value !== 'bigint'))
    throw new KmipError('InvalidDataType', 'the attribute is no number that could be adjusted, and no Boolean that could be negated')
  const before = BigInt(value.value)
  const results: Readonly<Record<number, bigint>> = {
    [AdjustmentType.Increment]: before + by,
    [AdjustmentType.Decrement]: before - by,
    [AdjustmentType.Negate]: -before,
  }
  const result = results[type]
  if (result === undefined) throw new KmipError('InvalidField', 'the Adjustment Type is not known')
  if (result < range[0] || result > range[1]) throw new KmipError('NumericRange', 'the adjusted value is out of the range of its type')
  return { ...value, value: typeof value.value === 'number' ? Number(result) : result } as Item
}

async function put(object: ManagedObject, item: Item, context: Context): Promise<void> {
  const key = keyOf(item)
  const instances = object.attributes.all(key)
  const [only] = instances
  if (instances.length > 1) throw new KmipError('MultiValuedAttribute', `${titleOf(key)} has several values; use Modify Attribute`)
  if (only) checkModify(object, item, context.now())
  else checkAdd(object, item, context.now())
  if (item.tag === TAG.Name) await context.unit.checkName(item, object.id, 'IllegalOperation')
  if (only) object.attributes.replace(only, item)
  else object.attributes.add(item)
  afterChange(object, item, context.now())
  object.touch(context.now())
}
