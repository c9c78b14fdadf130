import { titleOf } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, type Item, structure, TYPE } from '../ttlv/item.ts'
import { RegisterRequest, UniqueIdentifierResponse } from '../ttlv/payloads/objects.ts'
import { Certificate, CertificateRequest, KEY_OBJECTS, type KeyBlock, KeyValue, OpaqueObject } from '../ttlv/payloads/structures.ts'
import { type Fields, read } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { addCertificateFacts } from './certificates.ts'
import type { Context } from './context.ts'
import { makeObject, requestedAttributes, setLink, tagOfType } from './creation.ts'
import { keyBlockOf } from './key-block.ts'
import { factsOfKey } from './key-facts.ts'
import { tryParse } from './key-material.ts'
import { operation } from './operation.ts'
import { isPkcs12, registerPkcs12 } from './pkcs12.ts'
import { withFreeNames } from './placeholder-names.ts'
import { requireStorage } from './protection-storage.ts'

const { ObjectType, LinkType } = ENUM

/**
 * Register: keep an object that the client made, exactly as it came; a key without a Key Value is metadata of a key kept elsewhere.
 * Spec: KMIP 1.4 section 4.3, 2.1 section 6.1.43
 */
export const register = operation({
  code: ENUM.Operation.Register,
  name: 'Register',
  since: 10,
  request: RegisterRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const { objectType, object } = request
    requireStorage(request.protectionStorageMasks)
    if (!object) throw new KmipError('InvalidMessage', 'the object to register is missing')
    if (object.tag !== tagOfType(objectType))
      throw new KmipError('InvalidField', 'the object is not of the Object Type that the request names')
    const own = objectType === ObjectType.Template ? templateNames(object) : undefined
    const requested = await withFreeNames(objectType, await requestedAttributes([request.attributes, own], context), context)
    if (isPkcs12(object)) {
      const { id } = await registerPkcs12(object, requested, context)
      context.place(id)
      return { uniqueIdentifier: id }
    }
    checkAgreement(object, requested)
    const made = await makeObject(context, {
      type: objectType,
      object,
      requested: [...requested, ...missingFacts(objectType, object, requested)],
      serverMade: false,
    })
    addCertificateFacts(made)
    if (context.rules.linksWrappingKey) await linkWrappingKey(made, object, context)
    context.place(made.id)
    return { uniqueIdentifier: made.id }
  },
})

/** A wrapped object is linked to its wrapping key, where that is here and the client may know of it. Spec: KMIP 2.1 section 6.1.43 */
async function linkWrappingKey(made: ManagedObject, object: Item, context: Context): Promise<void> {
  const wrapping = keyBlockOf(object)?.keyWrappingData
  const information = wrapping?.encryptionKeyInformation ?? wrapping?.macSignatureKeyInformation
  const key = information?.uniqueIdentifier === undefined ? undefined : await context.unit.find(information.uniqueIdentifier)
  if (key && context.mayUse(key)) setLink(made, LinkType.WrappingKeyLink, key.id)
}

/**
 * Names that a Template carries among its own attributes, for clients that name it so. The specification refuses that (KMIP 1.4 section
 * 11.4); the storage array profile of 1.0 to 1.2 does it.
 */
function templateNames(template: Item): Item {
  const attributes = child(template, TAG.Attributes)
  return structure(TAG.Attributes, attributes?.type === TYPE.Structure ? attributes.value.filter(item => item.tag === TAG.Name) : [])
}

const { EC, ECDSA, ECDH, ECMQV, DES3 } = ENUM.CryptographicAlgorithm
/** Names for keys on the same curves: EC came in 1.2. */
const CURVE_KEYS: readonly unknown[] = [EC, ECDSA, ECDH, ECMQV]
const areOnCurves = (...algorithms: readonly unknown[]): boolean => algorithms.every(one => CURVE_KEYS.includes(one))

/**
 * What the request says of a key must be what its key block says. Lengths of 3DES count the parity bits or not. Spec: KMIP 1.4 section 2.1.3
 * @throws KmipError Invalid Attribute Value
 */
function checkAgreement(object: Item, requested: readonly Item[]): void {
  const block = keyBlockOf(object)
  if (!block) return
  const told: Readonly<Record<number, number | undefined>> = {
    [TAG.KeyFormatType]: block.keyFormatType,
    [TAG.CryptographicAlgorithm]: block.cryptographicAlgorithm,
    [TAG.CryptographicLength]: block.cryptographicAlgorithm === DES3 ? undefined : block.cryptographicLength,
  }
  const other = requested.find(({ tag, value }) => {
    const mine = told[tag]
    return mine !== undefined && mine !== value && !(tag === TAG.CryptographicAlgorithm && areOnCurves(mine, value))
  })
  if (other) throw new KmipError('InvalidAttributeValue', `the key block has another ${titleOf(other.tag)} than the request`)
}

const CONTENT: Readonly<Record<number, Fields>> = {
  ...KEY_OBJECTS,
  [TAG.Certificate]: Certificate,
  [TAG.CertificateRequest]: CertificateRequest,
  [TAG.OpaqueObject]: OpaqueObject,
}

/**
 * Check an object's structure and tell what the request left to the key itself to say: algorithm and length.
 * @throws MessageError if the object is malformed
 */
export function missingFacts(objectType: number, object: Item, requested: readonly Item[]): Item[] {
  const fields = CONTENT[object.tag]
  if (fields) read(object, fields)
  const kind = objectType === ObjectType.PrivateKey ? 'private' : objectType === ObjectType.PublicKey ? 'public' : undefined
  const block = keyBlockOf(object)
  if (block) checkKeyValue(block)
  if (!block || !kind) return []
  const key = tryParse(kind, block)
  return key ? factsOfKey(key).filter(fact => !requested.some(item => item.tag === fact.tag) && !inBlock(block, fact.tag)) : []
}

/** Bytes if it is wrapped, or a file of keys; otherwise a structure around the key material. Spec: KMIP 1.4 section 2.1.3, 2.1 section 3.1 */
function checkKeyValue({ keyValue, keyWrappingData, keyFormatType }: KeyBlock): void {
  if (keyValue === undefined) return
  const isWhole = keyWrappingData !== undefined || keyFormatType === ENUM.KeyFormatType.PKCS_12
  if (!isWhole || keyValue.type !== TYPE.ByteString) read(keyValue, KeyValue)
}

const inBlock = (block: { cryptographicAlgorithm?: number | undefined; cryptographicLength?: number | undefined }, tag: number): boolean =>
  (tag === TAG.CryptographicAlgorithm && block.cryptographicAlgorithm !== undefined) ||
  (tag === TAG.CryptographicLength && block.cryptographicLength !== undefined)
