import type { KeyObject } from 'node:crypto'
import type { KeyComponents, KeyKind } from '../crypto/components.ts'
import { CryptoError } from '../crypto/errors.ts'
import { isTransparent, parseKey, writeKey } from '../crypto/key-formats.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { bigInteger, bytes, child, enumeration, enumName, type Item, structure, TYPE } from '../ttlv/item.ts'
import type { KeyBlock } from '../ttlv/payloads/structures.ts'
import { TAG } from '../ttlv/tags.ts'
import { keyBlockOf, keyValue, materialItem } from './key-block.ts'

const { KeyFormatType, ObjectType } = ENUM

// Key Material between KMIP's items and the keys of node:crypto. Spec: KMIP 1.4 section 2.1.3 to 2.1.7, 2.1 section 3

const COMPONENT_TAGS = {
  modulus: TAG.Modulus,
  privateExponent: TAG.PrivateExponent,
  publicExponent: TAG.PublicExponent,
  p: TAG.P,
  q: TAG.Q,
  g: TAG.G,
  j: TAG.J,
  primeExponentP: TAG.PrimeExponentP,
  primeExponentQ: TAG.PrimeExponentQ,
  crtCoefficient: TAG.CRTCoefficient,
  recommendedCurve: TAG.RecommendedCurve,
  d: TAG.D,
  qString: TAG.QString,
  x: TAG.X,
  y: TAG.Y,
} as const satisfies Record<keyof KeyComponents, number>

/** An unsigned number as a Big Integer: two's complement, a multiple of eight bytes. */
export function signed(unsigned: Uint8Array): Buffer {
  let start = 0
  while (start < unsigned.length && unsigned[start] === 0) start++
  const digits = unsigned.subarray(start)
  const length = Math.max(8, Math.ceil((digits.length + (digits[0] !== undefined && digits[0] >= 0x80 ? 1 : 0)) / 8) * 8)
  const result = Buffer.alloc(length)
  result.set(digits, length - digits.length)
  return result
}

/** The digits of a positive Big Integer, without sign bytes. */
export function unsignedOf(value: Buffer): Buffer {
  let start = 0
  while (start < value.length - 1 && value[start] === 0) start++
  return value.subarray(start)
}

/** Components in the order that the specification's tables give them. */
function componentItems(components: KeyComponents): Item {
  const items = (Object.keys(COMPONENT_TAGS) as (keyof KeyComponents)[]).flatMap(name => {
    const value = components[name]
    const tag = COMPONENT_TAGS[name]
    if (value === undefined) return []
    if (typeof value === 'string') return [enumeration(tag, ENUM.RecommendedCurve[value as keyof typeof ENUM.RecommendedCurve])]
    return [name === 'qString' ? bytes(tag, Buffer.from(value)) : bigInteger(tag, signed(value))]
  })
  return structure(TAG.KeyMaterial, items)
}

function componentsOf(material: Item): KeyComponents {
  const components: Record<string, unknown> = {}
  for (const [name, tag] of Object.entries(COMPONENT_TAGS)) {
    const value = child(material, tag)?.value
    if (value !== undefined) components[name] = typeof value === 'number' ? enumName('RecommendedCurve', value) : value
  }
  return components
}

/** The unwrapped key material of an object. @throws KmipError if it is destroyed, elsewhere or wrapped */
export function materialOf(object: ManagedObject): { block: KeyBlock; material: Item } {
  const block = object.object && keyBlockOf(object.object)
  if (!block) {
    if (object.destroyed) throw new KmipError('ObjectDestroyed', 'the object is destroyed', { v1: 'PermissionDenied' })
    throw new KmipError('InvalidObjectType', 'the object is not a key', { v1: 'PermissionDenied' })
  }
  const material = materialItem(block)
  if (block.keyWrappingData) throw new KmipError('PermissionDenied', 'the key is stored wrapped, and cannot be used so')
  if (!material) throw new KmipError('KeyValueNotPresent', 'the key value of the object is not on this server')
  return { block, material }
}

/** Bytes of a symmetric key or of secret data. @throws KmipError */
export function secretBytes(object: ManagedObject): Buffer {
  const { material } = materialOf(object)
  if (material.type === TYPE.ByteString) return material.value
  const key = child(material, TAG.Key)
  if (key?.type !== TYPE.ByteString)
    throw new KmipError('InvalidObjectType', 'the object is not a symmetric key', { v1: 'PermissionDenied' })
  return key.value
}

const KEYS = new WeakMap<Item, KeyObject>()
const kindOf = (object: ManagedObject): KeyKind | undefined =>
  object.type === ObjectType.PrivateKey ? 'private' : object.type === ObjectType.PublicKey ? 'public' : undefined

/** A private or public key for node:crypto. @throws KmipError, CryptoError */
export function asymmetricKey(object: ManagedObject): KeyObject {
  const kind = kindOf(object)
  if (kind && object.destroyed) throw new KmipError('ObjectDestroyed', 'the key is destroyed', { v1: 'PermissionDenied' })
  if (!kind || !object.object) throw new KmipError('InvalidObjectType', 'the object is not an asymmetric key', { v1: 'PermissionDenied' })
  const known = KEYS.get(object.object)
  if (known) return known
  const { block, material } = materialOf(object)
  const key = parseMaterial(kind, block, material, curveOf(object))
  KEYS.set(object.object, key)
  return key
}

const curveOf = (object: ManagedObject): string | undefined => {
  const domain = object.attributes.get(TAG.CryptographicDomainParameters)
  const curve = domain && child(domain, TAG.RecommendedCurve)?.value
  return typeof curve === 'number' ? enumName('RecommendedCurve', curve) : undefined
}

export function parseMaterial(kind: KeyKind, block: KeyBlock, material: Item, curve?: string): KeyObject {
  const format = enumName('KeyFormatType', block.keyFormatType)
  const { cryptographicAlgorithm: algorithm } = block
  const hint = { algorithm: algorithm === undefined ? undefined : enumName('CryptographicAlgorithm', algorithm), curve }
  return parseKey(kind, format, material.type === TYPE.ByteString ? material.value : componentsOf(material), hint)
}

/** What parsing the key tells about it; nothing when the server cannot read the key, which it then only keeps. */
export function tryParse(kind: KeyKind, block: KeyBlock): KeyObject | undefined {
  const material = block.keyWrappingData ? undefined : materialItem(block)
  if (!material) return undefined
  try {
    return parseMaterial(kind, block, material)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

/** A Key Value with the key in this format. @throws CryptoError `unsupported` */
export function keyValueIn(key: KeyObject, format: number, compression?: number): Item {
  const options = compression === undefined ? {} : { compression: enumName('KeyCompressionType', compression) }
  const written = writeKey(key, enumName('KeyFormatType', format), options)
  return keyValue(Buffer.isBuffer(written) ? bytes(TAG.KeyMaterial, written) : componentItems(written as KeyComponents))
}

const SYMMETRIC_FORMATS: readonly number[] = [KeyFormatType.Raw, KeyFormatType.TransparentSymmetricKey]

/**
 * The key block in another Key Format Type or Key Compression Type.
 * @throws KmipError Key Format Type Not Supported, Key Compression Type Not Supported
 */
export function convert(object: ManagedObject, block: KeyBlock, format: number | undefined, compression: number | undefined): KeyBlock {
  const wanted = format ?? block.keyFormatType
  const sameForm =
    wanted === block.keyFormatType &&
    (compression === undefined || compression === block.keyCompressionType || isUncompressed(block, compression))
  if (sameForm) return block
  if (block.keyWrappingData) throw new KmipError('KeyFormatTypeNotSupported', 'a key that is stored wrapped cannot be converted')
  const kind = kindOf(object)
  if (!kind) {
    if (compression !== undefined) throw new KmipError('KeyCompressionTypeNotSupported', 'only points of elliptic curves can be compressed')
    // A block cipher key registered as Opaque is the same bytes as Raw.
    if (!SYMMETRIC_FORMATS.includes(wanted) && wanted !== KeyFormatType.Opaque) throw notSupported(wanted)
    const raw = secretBytes(object)
    const material =
      wanted === KeyFormatType.TransparentSymmetricKey ? structure(TAG.KeyMaterial, [bytes(TAG.Key, raw)]) : bytes(TAG.KeyMaterial, raw)
    return { ...block, keyFormatType: wanted, keyValue: keyValue(material) }
  }
  try {
    const value = keyValueIn(asymmetricKey(object), wanted, compression)
    return { ...block, keyFormatType: wanted, keyCompressionType: compression ?? block.keyCompressionType, keyValue: value }
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error
    if (format === undefined) throw new KmipError('KeyCompressionTypeNotSupported', 'the key has no such compressed form', { cause: error })
    throw notSupported(wanted, error)
  }
}

const isUncompressed = (block: KeyBlock, compression: number): boolean =>
  compression === ENUM.KeyCompressionType.ECPublicKeyTypeUncompressed &&
  block.keyCompressionType === undefined &&
  !isTransparent(enumName('KeyFormatType', block.keyFormatType))

const notSupported = (format: number, cause?: unknown): KmipError =>
  new KmipError('KeyFormatTypeNotSupported', `the key cannot be given as ${enumName('KeyFormatType', format)}`, { cause })
