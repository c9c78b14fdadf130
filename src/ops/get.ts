import { isTransparent } from '../crypto/key-formats.ts'
import { AttributeSet } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { enumName, type Item } from '../ttlv/item.ts'
import { ExportResponse, GetRequest, GetResponse } from '../ttlv/payloads/objects.ts'
import type { Value } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { keyBlockOf, withKeyBlock } from './key-block.ts'
import { asymmetricKey, convert } from './key-material.ts'
import { encodedFormats } from './key-pair.ts'
import { checkKeyWrapType, unwrap, wrap } from './key-wrapping.ts'
import { operation } from './operation.ts'
import { asPkcs12 } from './pkcs12.ts'

const { Operation, KeyWrapType, KeyFormatType, ObjectType } = ENUM
type Getting = Value<typeof GetRequest>

/** Get: the object, its key in the format asked for, wrapped if asked for. Spec: KMIP 1.4 section 4.11, 2.1 section 6.1.19 */
export const get = operation({
  code: Operation.Get,
  name: 'Get',
  since: 10,
  request: GetRequest,
  response: GetResponse,
  async run(request, context) {
    const found = await context.read(request.uniqueIdentifier)
    const object = await outgoing(found, request, context)
    await context.serve(found)
    if (found.attributes.has(TAG.ObjectGroup)) context.environment.groups.serve(context.peer.scope, found)
    else if (!context.unit.isChanged && !dependsOnOthers(request)) context.source = { id: found.id, revision: found.revision }
    return { objectType: found.type, uniqueIdentifier: found.id, object }
  },
})

/** Whether other objects or chance have a part in the answer. */
const dependsOnOthers = (request: Getting): boolean =>
  request.keyWrappingSpecification !== undefined || request.keyWrapType !== undefined || request.keyFormatType === KeyFormatType.PKCS_12

/** Export: Get with all attributes; of a destroyed object these alone. Spec: KMIP 1.4 section 4.40, 2.1 section 6.1.18 */
export const exportObject = operation({
  code: Operation.Export,
  name: 'Export',
  since: 14,
  request: GetRequest,
  response: ExportResponse,
  async run(request, context) {
    const found = await context.readArchived(request.uniqueIdentifier)
    const object = found.destroyed ? undefined : await outgoing(found, request, context)
    context.place(found.id)
    const attributes = AttributeSet.toItem(found.visible(context.now(), context.settings.leaseTime))
    return { objectType: found.type, uniqueIdentifier: found.id, attributes, object }
  },
})

/** The object as it may leave the server. @throws KmipError */
async function outgoing(found: ManagedObject, request: Getting, context: Context): Promise<Item> {
  if (found.destroyed) throw new KmipError('ObjectDestroyed', 'the object is destroyed', { v1: 'ItemNotFound' })
  checkKeyWrapType(request.keyWrapType)
  const object = found.object
  if (!object) throw new KmipError('KeyValueNotPresent', 'the object has no content on this server')
  const block = keyBlockOf(object)
  const specification = request.keyWrappingSpecification
  if (request.keyFormatType === KeyFormatType.PKCS_12) {
    if (specification) throw new KmipError('IllegalOperation', 'a PKCS#12 file is protected by its password, and cannot be wrapped')
    checkMayLeave(found, false)
    return asPkcs12(found, context)
  }
  checkMayLeave(found, specification !== undefined || block?.keyWrappingData !== undefined)
  if (!block) {
    if (specification) throw new KmipError('IllegalOperation', 'an object without a key cannot be wrapped')
    if (request.keyFormatType !== undefined && found.type !== ObjectType.Certificate && found.type !== ObjectType.OpaqueObject)
      throw new KmipError('KeyFormatTypeNotSupported', 'the object is no key')
    return object
  }
  if (block.keyValue === undefined) {
    if (specification || (request.keyFormatType !== undefined && request.keyFormatType !== block.keyFormatType))
      throw new KmipError('KeyValueNotPresent', 'the key value of the object is not on this server')
    return object
  }
  const opened = request.keyWrapType === KeyWrapType.NotWrapped && block.keyWrappingData ? await unwrap(block, context) : block
  if (opened !== block) checkMayLeave(found, false)
  const converted = convert(found, opened, request.keyFormatType ?? usualFormat(found, opened, context), request.keyCompressionType)
  const last = specification ? await wrap(found, converted, specification, context) : converted
  return last === block ? object : withKeyBlock(object, last)
}

function checkMayLeave(object: ManagedObject, wrapped: boolean): void {
  const why = whyNotLeave(object, wrapped)
  if (why) throw why
}

/** Spec: KMIP 1.4 section 3.48, 3.50: a sensitive key leaves only wrapped, one that is not extractable not at all. */
export function whyNotLeave(object: ManagedObject, wrapped: boolean): KmipError | undefined {
  if (object.type === ObjectType.PasswordCredential) return new KmipError('Sensitive', 'a password does not leave the server')
  if (object.attributes.flag(TAG.Extractable) === false) return new KmipError('NotExtractable', 'the object is not extractable')
  if (!wrapped && object.attributes.flag(TAG.Sensitive) === true)
    return new KmipError('Sensitive', 'the object is sensitive; ask for it wrapped')
  return undefined
}

/**
 * What a client registered comes back as it was. A key that the server made for a client of 2.x may be in a format of numbers, which
 * older clients do not know, or do not read: they get it as a key that they had made themselves. Spec: KMIP 2.1 section 4.26
 */
function usualFormat(object: ManagedObject, block: { keyFormatType: number }, context: Context): number | undefined {
  if (context.rules.defaultFormats || !isTransparent(enumName('KeyFormatType', block.keyFormatType))) return undefined
  const made = object.attributes.date(TAG.OriginalCreationDate) === object.attributes.date(TAG.InitialDate)
  if (!made) return undefined
  if (object.type === ObjectType.PrivateKey) return encodedFormats(asymmetricKey(object)).private
  return object.type === ObjectType.PublicKey ? encodedFormats(asymmetricKey(object)).public : undefined
}
