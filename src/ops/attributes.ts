import { afterChange, checkAdd, checkModify, checkRemove } from '../objects/attribute-rules.ts'
import { type AttributeKey, AttributeSet, type Instance, keyOf, referenceOf, sameItem, titleOf } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { indexMark } from '../ttlv/dialect.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { type Item, structure, TYPE } from '../ttlv/item.ts'
import {
  AddAttributeRequest,
  AttributeResponse,
  DeleteAttributeRequest,
  GetAttributeListResponse,
  GetAttributesRequest,
  GetAttributesResponse,
  ModifyAttributeRequest,
  UniqueIdentifierRequest,
} from '../ttlv/payloads/objects.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { completeNamespace } from './creation.ts'
import { operation } from './operation.ts'

const { Operation } = ENUM

/** Get Attributes: those named, or all; what is unknown or not set is left out. Spec: KMIP 1.4 section 4.12, 2.1 section 6.1.20 */
export const getAttributes = operation({
  code: Operation.GetAttributes,
  name: 'GetAttributes',
  since: 10,
  request: GetAttributesRequest,
  response: GetAttributesResponse,
  async run(request, context) {
    const object = await context.readArchived(request.uniqueIdentifier, context.rules.attributesOfNothing)
    const wanted = request.attributeReference.map(keyOf)
    const twice = wanted.find((key, at) => wanted.indexOf(key) !== at)
    if (twice !== undefined) throw new KmipError('InvalidMessage', `${titleOf(twice)} is asked for more than once`)
    const instances = object.visible(context.now(), context.settings.leaseTime)
    const chosen = wanted.length === 0 ? instances : wanted.flatMap(key => instances.filter(instance => instance.key === key))
    return { uniqueIdentifier: object.id, attributes: AttributeSet.toItem(chosen) }
  },
})

/** Get Attribute List: the names of the attributes that are set. Spec: KMIP 1.4 section 4.13, 2.1 section 6.1.21 */
export const getAttributeList = operation({
  code: Operation.GetAttributeList,
  name: 'GetAttributeList',
  since: 10,
  request: UniqueIdentifierRequest,
  response: GetAttributeListResponse,
  async run(request, context) {
    const object = await context.readArchived(request.uniqueIdentifier)
    const keys = new Set(object.visible(context.now(), context.settings.leaseTime).map(instance => instance.key))
    return { uniqueIdentifier: object.id, attributeReference: [...keys].map(referenceOf) }
  },
})

/** Add Attribute: a first value, or another instance. Spec: KMIP 1.4 section 4.14, 2.1 section 6.1.2 */
export const addAttribute = operation({
  code: Operation.AddAttribute,
  name: 'AddAttribute',
  since: 10,
  request: AddAttributeRequest,
  response: AttributeResponse,
  async run(request, context) {
    if (request.attributeIndex !== undefined && request.attributeIndex !== 0)
      throw new KmipError('InvalidField', 'a new attribute has no Attribute Index yet')
    const object = await context.edit(request.uniqueIdentifier)
    const item = completeNamespace(singleAttribute(request.newAttribute), context)
    checkAdd(object, item, context.now())
    if (item.tag === TAG.Name) await context.unit.checkName(item, undefined, 'IllegalOperation')
    const instance = object.attributes.add(item)
    return changed(object, instance, context)
  },
})

/**
 * Modify Attribute: another value in the place of an instance, which 1.x selects by index (0 if none is given) and 2.x by its value.
 * Spec: KMIP 1.4 section 4.15, 2.1 section 6.1.34
 */
export const modifyAttribute = operation({
  code: Operation.ModifyAttribute,
  name: 'ModifyAttribute',
  since: 10,
  request: ModifyAttributeRequest,
  response: AttributeResponse,
  async run(request, context) {
    const object = await context.edit(request.uniqueIdentifier)
    const item = completeNamespace(singleAttribute(request.newAttribute), context)
    checkModify(object, item, context.now())
    const current = request.currentAttribute && singleAttribute(request.currentAttribute)
    const instance = selected(object, keyOf(item), { current, index: request.attributeIndex }, context, 'InvalidField')
    if (item.tag === TAG.Name) await context.unit.checkName(item, object.id, 'IllegalOperation')
    return changed(object, object.attributes.replace(instance, item), context, request.attributeIndex !== undefined)
  },
})

/** Delete Attribute: one instance, or in 2.x by reference all. Spec: KMIP 1.4 section 4.16, 2.1 section 6.1.13 */
export const deleteAttribute = operation({
  code: Operation.DeleteAttribute,
  name: 'DeleteAttribute',
  since: 10,
  request: DeleteAttributeRequest,
  response: AttributeResponse,
  async run(request, context) {
    const object = await context.edit(request.uniqueIdentifier)
    const current = request.currentAttribute && singleAttribute(request.currentAttribute)
    const named = current ?? request.attributeReference
    if (!named) throw new KmipError('InvalidMessage', 'neither Current Attribute nor Attribute Reference is given')
    const key = keyOf(named)
    checkRemove(object, key)
    if (request.attributeReference && !context.rules.attributesHaveIndex) {
      if (!object.attributes.has(key)) throw new KmipError('AttributeNotFound', `${titleOf(key)} is not set`)
      object.attributes.remove(key)
      object.touch(context.now())
      return { uniqueIdentifier: object.id }
    }
    const instance = selected(object, key, { current, index: request.attributeIndex }, context, 'ItemNotFound')
    object.attributes.remove(key, instance)
    object.touch(context.now())
    return { uniqueIdentifier: object.id, attributes: answered([instance], request.attributeIndex !== undefined) }
  },
})

/** The one attribute of a New Attribute or Current Attribute structure. */
export function singleAttribute(attribute: Item): Item {
  const items = attribute.type === TYPE.Structure ? attribute.value : []
  const [item] = items
  if (!item || items.length !== 1) throw new KmipError('InvalidMessage', 'exactly one attribute must be given')
  return item
}

interface Selection {
  readonly current: Item | undefined
  readonly index: number | undefined
}

function selected(
  object: ManagedObject,
  key: AttributeKey,
  by: Selection,
  context: Context,
  v1: 'InvalidField' | 'ItemNotFound',
): Instance {
  const instances = object.attributes.all(key)
  const [first] = instances
  if (!first) throw new KmipError('AttributeNotFound', `${titleOf(key)} is not set`, { v1 })
  const { current, index = 0 } = by
  if (!context.rules.attributesHaveIndex && !current) {
    if (instances.length > 1)
      throw new KmipError('MultiValuedAttribute', `${titleOf(key)} has several values; say which by Current Attribute`)
    return first
  }
  const instance = current ? instances.find(one => sameItem(one.item, current)) : instances.find(one => one.index === index)
  if (!instance) throw new KmipError('AttributeInstanceNotFound', `${titleOf(key)} has no such instance`)
  return instance
}

function changed(object: ManagedObject, { key, index }: Instance, context: Context, indexWasGiven = false) {
  const put = object.attributes.all(key).find(instance => instance.index === index)
  if (put) afterChange(object, put.item, context.now())
  object.touch(context.now())
  // The server may have completed the value, as it does with Usage Limits.
  return {
    uniqueIdentifier: object.id,
    attributes: answered(
      object.attributes.all(key).filter(instance => instance.index === index),
      indexWasGiven,
    ),
  }
}

/** An index of 0 may be left out (KMIP 1.4 section 2.1.1), but programs that use PyKMIP read back the one that they sent. */
function answered(instances: readonly Instance[], indexWasGiven: boolean): Item {
  const attributes = AttributeSet.toItem(instances)
  return indexWasGiven && instances[0]?.index === 0 ? structure(TAG.Attributes, [indexMark(0), ...attributes.value]) : attributes
}
