import { checkDates, checkValue } from '../objects/attribute-rules.ts'
import { AttributeSet } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import { ManagedObject, OBJECT_TAG } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { dateTime, enumeration, type Item, TYPE } from '../ttlv/item.ts'
import { isValue } from '../ttlv/known.ts'
import { ImportRequest, UniqueIdentifierResponse } from '../ttlv/payloads/objects.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { finish } from './creation.ts'
import { keyBlockOf, withKeyBlock } from './key-block.ts'
import { checkKeyWrapType, unwrap } from './key-wrapping.ts'
import { operation } from './operation.ts'
import { missingFacts } from './register.ts'

const { State, KeyWrapType } = ENUM
/** Told by other attributes or by the object itself, and not stored. */
const DERIVED: ReadonlySet<number> = new Set<number>([
  TAG.UniqueIdentifier,
  TAG.ObjectType,
  TAG.State,
  TAG.LeaseTime,
  TAG.ShortUniqueIdentifier,
  TAG.ObjectClass,
])

/**
 * Import: an object under the identifier that the client gives, with all its attributes, those too that only a server sets.
 * Spec: KMIP 1.4 section 4.41, 2.1 section 6.1.25
 */
export const importObject = operation({
  code: ENUM.Operation.Import,
  name: 'Import',
  since: 14,
  request: ImportRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const { uniqueIdentifier: id, object } = request
    context.subject = id
    if (!/^[\w.:-]{1,127}$/.test(id))
      throw new KmipError('InvalidField', 'a Unique Identifier may hold letters, digits and _ . : - only, 127 at most')
    checkKeyWrapType(request.keyWrapType)
    const type = Number(Object.keys(OBJECT_TAG).find(key => OBJECT_TAG[Number(key)] === object.tag))
    if (request.objectType !== undefined && request.objectType !== type)
      throw new KmipError('InvalidField', 'the object is not of the Object Type that the request names')
    const existing = await context.unit.find(id)
    if (existing && request.replaceExisting !== true)
      throw new KmipError('ObjectAlreadyExists', 'an object with this Unique Identifier exists')
    if (existing) context.checkUse(existing)
    if (existing) await context.unit.remove(id)
    const content = request.keyWrapType === KeyWrapType.NotWrapped ? await unwrapped(object, context) : object
    const given = request.attributes?.type === TYPE.Structure ? request.attributes.value : []
    const items = [...given, ...missingFacts(type, content, given)]
    const attributes = importedAttributes(items, context)
    const block = keyBlockOf(content)
    if (block) attributes.set(enumeration(TAG.KeyFormatType, block.keyFormatType))
    const made = await finish(context, { type, object: content, requested: items, serverMade: false, id }, attributes)
    const kept = existing ? new ManagedObject(id, type, attributes, content, existing.revision, existing.owner) : made
    // Of what was destroyed elsewhere its attributes alone come over.
    if (kept.destroyed) kept.object = undefined
    if (existing) context.unit.add(kept)
    context.place(id)
    return { uniqueIdentifier: id }
  },
})

async function unwrapped(object: Item, context: Context): Promise<Item> {
  const block = keyBlockOf(object)
  return block?.keyWrappingData ? withKeyBlock(object, await unwrap(block, context)) : object
}

/** The attributes as they came, who may set them aside; the state of the object is told by its dates. */
function importedAttributes(items: readonly Item[], context: Context): AttributeSet {
  const attributes = new AttributeSet()
  for (const item of items) {
    const row = checkValue(item)
    if (DERIVED.has(item.tag)) continue
    if (!row.multi && attributes.has(item.tag))
      throw new KmipError('AttributeSingleValued', `${row.title} may stand only once`, { v1: 'InvalidField' })
    attributes.add(item)
  }
  const state = items.find(item => item.tag === TAG.State)?.value
  if (state !== undefined && !isValue('State', Number(state))) throw new KmipError('InvalidAttributeValue', 'the State is not known')
  const implied = DATES_OF_STATE[Number(state)]
  for (const tag of implied ?? []) if (!attributes.has(tag)) attributes.set(dateTime(tag, context.now()))
  checkDates(attributes, context.now())
  return attributes
}

/** Dates that an object in a state must have. */
const DATES_OF_STATE: Readonly<Record<number, readonly number[]>> = {
  [State.Active]: [TAG.ActivationDate],
  [State.Deactivated]: [TAG.ActivationDate, TAG.DeactivationDate],
  [State.Compromised]: [TAG.CompromiseDate],
  [State.Destroyed]: [TAG.DestroyDate],
  [State.DestroyedCompromised]: [TAG.DestroyDate, TAG.CompromiseDate],
}
