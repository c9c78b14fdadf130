import { isDeepStrictEqual } from 'node:util'
import { decrypt, encrypt, isAuthenticated, randomIv } from '../crypto/cipher.ts'
import { rsaDecrypt, rsaEncrypt } from '../crypto/rsa.ts'
import { AttributeSet, keyOf } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { decode, encode, TtlvError } from '../ttlv/binary.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { bytes, child, type Item, structure, TYPE } from '../ttlv/item.ts'
import { isValue } from '../ttlv/known.ts'
import type { CryptographicParameters, KeyBlock, KeyWrappingData, KeyWrappingSpecification } from '../ttlv/payloads/structures.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { keyValue, materialItem } from './key-block.ts'
import { asymmetricKey, secretBytes } from './key-material.ts'
import { allOwnParameters, named, ownParameters } from './parameters.ts'
import { referenceFromTitle } from './reference-title.ts'

const { WrappingMethod, EncodingOption, State, ObjectType } = ENUM
const Usage = MASK.CryptographicUsageMask
const USUAL_TAG_BYTES = 16

// Keys that leave or arrive encrypted under another key. Spec: KMIP 1.4 section 2.1.5, 2.1.6, 2.1 section 7.18

/** @throws KmipError Key Wrap Type Not Supported (Feature Not Supported in 1.x) */
export function checkKeyWrapType(type: number | undefined): void {
  if (type !== undefined && !isValue('KeyWrapType', type)) throw new KmipError('KeyWrapTypeNotSupported', 'the Key Wrap Type is not known')
}

/** The key that wraps or unwraps. @throws KmipError with a reason of its own for each way in which it may not be used */
async function wrappingKey(id: string, usage: number, context: Context): Promise<ManagedObject> {
  const key = await context.unit.find(id)
  if (!key) throw new KmipError('WrappingObjectNotFound', 'the wrapping key does not exist')
  context.checkUse(key)
  if (key.archived) throw new KmipError('WrappingObjectArchived', 'the wrapping key is archived')
  if (key.destroyed) throw new KmipError('WrappingObjectDestroyed', 'the wrapping key is destroyed')
  if (key.type !== ObjectType.SymmetricKey && key.type !== ObjectType.PublicKey && key.type !== ObjectType.PrivateKey)
    throw new KmipError('InvalidObjectType', 'the wrapping key is not a key', { v1: 'IllegalOperation' })
  if (key.state(context.now()) !== State.Active) throw new KmipError('WrongKeyLifecycleState', 'the wrapping key is not Active')
  if (((key.attributes.number(TAG.CryptographicUsageMask) ?? 0) & usage) === 0)
    throw new KmipError('IncompatibleCryptographicUsageMask', 'the usage mask of the wrapping key does not allow this')
  return key
}

/**
 * Parameters of the wrapping: those given must be among the key's own, where it has some; none given, the first of its own.
 * @throws KmipError Item Not Found (Bad Cryptographic Parameters from 2.0 on)
 */
function wrappingParameters(key: ManagedObject, asked: CryptographicParameters | undefined): CryptographicParameters {
  const own = allOwnParameters(key)
  if (asked && own.length > 0 && !own.some(one => agree(one, asked)))
    throw new KmipError('BadCryptographicParameters', 'the wrapping key has no such Cryptographic Parameters', { v1: 'ItemNotFound' })
  const parameters = asked ?? own[0]
  if (!parameters)
    throw new KmipError('BadCryptographicParameters', 'neither the request nor the wrapping key says how to wrap', { v1: 'ItemNotFound' })
  const algorithm = parameters.cryptographicAlgorithm ?? key.attributes.number(TAG.CryptographicAlgorithm)
  return { ...parameters, cryptographicAlgorithm: algorithm }
}

const agree = (own: CryptographicParameters, asked: CryptographicParameters): boolean =>
  Object.entries(asked).every(([field, value]) => {
    const mine = own[field as keyof CryptographicParameters]
    return value === undefined || mine === undefined || isDeepStrictEqual(mine, value)
  })

/**
 * The key block with its key value wrapped as a client asked.
 * @throws KmipError
 */
export async function wrap(
  object: ManagedObject,
  block: KeyBlock,
  specification: KeyWrappingSpecification,
  context: Context,
): Promise<KeyBlock> {
  const { wrappingMethod, encryptionKeyInformation, encodingOption, attributeName } = specification
  if (wrappingMethod !== WrappingMethod.Encrypt || !encryptionKeyInformation)
    throw new KmipError(
      'FeatureNotSupported',
      'keys are wrapped by encryption only: Wrapping Method Encrypt, with Encryption Key Information',
    )
  if (encryptionKeyInformation.uniqueIdentifier === undefined)
    throw new KmipError('InvalidMessage', 'Encryption Key Information names no key')
  if (block.keyWrappingData)
    throw new KmipError('PermissionDenied', 'the key is stored wrapped; it cannot be wrapped again', { v1: 'IllegalOperation' })
  if (encodingOption !== undefined && !isValue('EncodingOption', encodingOption))
    throw new KmipError('EncodingOptionError', 'the Encoding Option is not known')
  const raw = encodingOption === EncodingOption.NoEncoding
  if (raw && attributeName.length > 0) throw new KmipError('EncodingOptionError', 'No Encoding leaves no room for attributes')
  const key = await wrappingKey(encryptionKeyInformation.uniqueIdentifier, Usage.WrapKey, context)
  const parameters = wrappingParameters(key, encryptionKeyInformation.cryptographicParameters)
  const plain = raw ? rawMaterial(block) : encode(withAttributes(object, block, attributeName, context))
  const { data, iv } = await seal(key, plain, parameters)
  return {
    ...block, // Without encoding the Key Value stays a structure around the wrapped material. Spec: KMIP 1.4 section 2.1.5
    keyValue: raw ? keyValue(bytes(TAG.KeyMaterial, data)) : bytes(TAG.KeyValue, data),
    keyWrappingData: {
      wrappingMethod,
      encryptionKeyInformation: {
        ...encryptionKeyInformation,
        cryptographicParameters: encryptionKeyInformation.cryptographicParameters ?? ownParameters(key),
      },
      macSignatureKeyInformation: undefined,
      ivCounterNonce: iv,
      encodingOption,
    },
  }
}

function rawMaterial(block: KeyBlock): Buffer {
  const material = materialItem(block)
  if (material?.type !== TYPE.ByteString)
    throw new KmipError('EncodingOptionError', 'a transparent key can be wrapped in TTLV Encoding only')
  return material.value
}

function withAttributes(object: ManagedObject, block: KeyBlock, names: readonly string[], context: Context): Item {
  if (block.keyValue?.type !== TYPE.Structure)
    throw new KmipError('KeyValueNotPresent', 'the key value of the object is not on this server')
  if (names.length === 0) return block.keyValue
  const wanted = names.map(name => keyOf(referenceFromTitle(name)))
  const instances = object.visible(context.now(), context.settings.leaseTime).filter(instance => wanted.includes(instance.key))
  const value = structure(TAG.KeyValue, [
    ...block.keyValue.value.filter(field => field.tag === TAG.KeyMaterial),
    AttributeSet.toItem(instances),
  ])
  return context.inDialect(value)
}

async function seal(
  key: ManagedObject,
  plain: Buffer,
  parameters: CryptographicParameters,
): Promise<{ data: Buffer; iv?: Buffer | undefined }> {
  const p = named(parameters)
  if (key.type !== ObjectType.SymmetricKey) return { data: rsaEncrypt(asymmetricKey(key), plain, p) }
  const iv = randomIv(p)
  const { data, tag } = encrypt(secretBytes(key), plain, p, iv ? { iv } : {})
  return { data: tag ? Buffer.concat([data, tag]) : data, iv }
}

/**
 * The key block with a wrapped key value opened, by the wrapping key that it names.
 * @throws KmipError
 */
export async function unwrap(block: KeyBlock, context: Context): Promise<KeyBlock> {
  const { keyWrappingData, ...rest } = block
  if (!keyWrappingData) return block
  const information = keyWrappingData.encryptionKeyInformation
  const id = information?.uniqueIdentifier
  const inside = materialItem(block)
  const sealed =
    inside?.type === TYPE.ByteString ? inside.value : block.keyValue?.type === TYPE.ByteString ? block.keyValue.value : undefined
  if (id === undefined || !sealed)
    throw new KmipError('WrappingObjectNotFound', 'the key is wrapped by a key that this server does not have')
  const key = await wrappingKey(id, Usage.UnwrapKey | Usage.WrapKey, context)
  const parameters = wrappingParameters(key, information?.cryptographicParameters)
  const plain = await open(key, sealed, keyWrappingData, parameters)
  if (keyWrappingData.encodingOption === EncodingOption.NoEncoding) return { ...rest, keyValue: keyValue(bytes(TAG.KeyMaterial, plain)) }
  try {
    const value = decode(plain)
    const material = child(value, TAG.KeyMaterial)
    if (material) return { ...rest, keyValue: keyValue(material) }
  } catch (error) {
    if (!(error instanceof TtlvError)) throw error
  }
  throw new KmipError('CryptographicFailure', 'what the wrapping key opens is no Key Value')
}

async function open(key: ManagedObject, sealed: Buffer, data: KeyWrappingData, parameters: CryptographicParameters): Promise<Buffer> {
  const p = named(parameters)
  if (key.type !== ObjectType.SymmetricKey) return rsaDecrypt(asymmetricKey(key), sealed, p)
  const iv = data.ivCounterNonce ? { iv: data.ivCounterNonce } : {}
  if (!isAuthenticated(p)) return decrypt(secretBytes(key), sealed, p, iv)
  // Key Wrapping Data has no field for the tag: it stands behind the wrapped key.
  const end = Math.max(0, sealed.length - (p.tagLength ?? USUAL_TAG_BYTES))
  return decrypt(secretBytes(key), sealed.subarray(0, end), p, { ...iv, tag: sealed.subarray(end) })
}
