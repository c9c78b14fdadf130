import { hkdfSync, randomBytes } from 'node:crypto'
import { vendorKey } from '../objects/attribute-set.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { keyBlockOf, materialItem } from '../ops/key-block.ts'
import { decryptGcm, encryptGcm, NONCE_BYTES } from '../seal/aead.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { bytes, child, dateTime, enumeration, type Item, integer, structure, TYPE, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import type { StoredKey } from './keystore.ts'
import { readTime, splitTime, writeTime } from './moment.ts'
import { isKeyName } from './names.ts'

// A key of the KES door as a KMIP Symmetric Key. What KES knows of a key and KMIP has no attribute for stands in attributes of vendor y,
// which are the server's own: clients see them and cannot change them. Spec: KMIP 1.4 section 3.39

const { ObjectType, State } = ENUM
const Usage = MASK.CryptographicUsageMask
const VENDOR = 'y'
const KEY_BYTES = 32
const VERSION = '1'

/** Names of the attributes; those without a value are left out. */
const OWN = {
  /** Says that the key was stored by the KES door, and how; without it, a KMIP client made the key. */
  version: 'kes-version',
  /** RFC 3339 with nanoseconds. */
  createdAt: 'kes-created-at',
  createdBy: 'kes-created-by',
  /** The HMAC key under a key made of the key itself: who may get the key may have it, and nobody once the key is destroyed. */
  hmacKey: 'kes-hmac-key',
} as const

const ALGORITHMS: readonly (readonly [algorithm: StoredKey['algorithm'], kmip: number])[] = [
  ['AES256', ENUM.CryptographicAlgorithm.AES],
  ['ChaCha20', ENUM.CryptographicAlgorithm.ChaCha20],
]

const HMAC_INFO = 'kmipd: the HMAC key of a KES key, 1'

/** What the object holds is no key that this module wrote. */
export class DamagedObject extends Error {
  override readonly name = 'DamagedObject'
  readonly code = 'damaged'
}

/** The name as an attribute. */
export const nameItem = (name: string): Item =>
  structure(TAG.Name, [text(TAG.NameValue, name), enumeration(TAG.NameType, ENUM.NameType.UninterpretedTextString)])

/** Fields of an Import request for a key, in the form of KMIP 2.1. @param now seconds; the key is Active from then on */
export function importFields(id: string, name: string, stored: StoredKey, now: bigint): Item[] {
  const { algorithm, key, hmacKey, createdAtNs, createdBy } = stored
  const kmip = ALGORITHMS.find(([known]) => known === algorithm)?.[1] ?? 0
  const created = createdAtNs === undefined ? undefined : splitTime(createdAtNs).seconds
  return [
    text(TAG.UniqueIdentifier, id),
    enumeration(TAG.ObjectType, ObjectType.SymmetricKey),
    structure(TAG.Attributes, [
      nameItem(name),
      integer(TAG.CryptographicUsageMask, Usage.Encrypt | Usage.Decrypt),
      dateTime(TAG.ActivationDate, now),
      ...(created === undefined ? [] : [dateTime(TAG.OriginalCreationDate, created)]),
      own(OWN.version, text(TAG.AttributeValue, VERSION)),
      ...(createdAtNs === undefined ? [] : [own(OWN.createdAt, text(TAG.AttributeValue, writeTime(createdAtNs)))]),
      ...(createdBy === undefined ? [] : [own(OWN.createdBy, text(TAG.AttributeValue, createdBy))]),
      ...(hmacKey === undefined ? [] : [own(OWN.hmacKey, bytes(TAG.AttributeValue, covered(hmacKey, key)))]),
    ]),
    structure(TAG.SymmetricKey, [
      structure(TAG.KeyBlock, [
        enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw),
        structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, key)]),
        enumeration(TAG.CryptographicAlgorithm, kmip),
        integer(TAG.CryptographicLength, KEY_BYTES * 8),
      ]),
    ]),
  ]
}

/** Names of the object that KES can ask for. */
export const keyNamesOf = (object: ManagedObject): string[] =>
  object.attributes.all(TAG.Name).flatMap(({ item }) => {
    const name = child(item, TAG.NameValue)?.value
    return typeof name === 'string' && isKeyName(name) ? [name] : []
  })

/**
 * Why the KES door does not show an object, for the log; nothing: it shows it. KES both protects and processes with each key, so the key
 * must be one that KMIP allows both. @param now seconds
 */
export function hiddenBecause(object: ManagedObject, now: bigint): string | undefined {
  const { attributes, type } = object
  if (type !== ObjectType.SymmetricKey) return 'it is no symmetric key'
  const state = object.state(now)
  if (state !== State.Active) return `its state is ${Object.entries(State).find(([, value]) => value === state)?.[0] ?? state}`
  if (object.archived) return 'it is archived'
  if (object.owner !== undefined) return 'it belongs to a user'
  const mask = attributes.number(TAG.CryptographicUsageMask) ?? 0
  const both = Usage.Encrypt | Usage.Decrypt
  if ((mask & both) !== both && (mask & Usage.Unrestricted) === 0) return 'its usage mask does not allow to encrypt and to decrypt'
  if (attributes.has(TAG.UsageLimits)) return 'its use is limited'
  const from = attributes.date(TAG.ProcessStartDate)
  if (from !== undefined && from > now) return 'its Process Start Date has not come'
  const until = attributes.date(TAG.ProtectStopDate)
  if (until !== undefined && until <= now) return 'its Protect Stop Date has passed'
  if (algorithmOf(object) === undefined || materialOf(object) === undefined) return 'it is no whole 256-bit key for AES or ChaCha20'
  return undefined
}

/** The key that a shown object holds. @throws DamagedObject */
export function keyOfObject(object: ManagedObject): StoredKey {
  const algorithm = algorithmOf(object)
  const key = materialOf(object)
  if (algorithm === undefined || key === undefined) throw new DamagedObject('the object holds no key')
  const version = ownText(object, OWN.version)
  if (version === undefined) {
    const seconds = object.attributes.date(TAG.OriginalCreationDate) ?? object.attributes.date(TAG.InitialDate)
    return { algorithm, key, ...(seconds !== undefined && { createdAtNs: seconds * 1_000_000_000n }) }
  }
  if (version !== VERSION) throw new DamagedObject('the key was stored by a newer version of kmipd')
  const createdAt = ownText(object, OWN.createdAt)
  const createdAtNs = createdAt === undefined ? undefined : readTime(createdAt)
  if (createdAt !== undefined && createdAtNs === undefined) throw new DamagedObject(`${OWN.createdAt} is no time`)
  const createdBy = ownText(object, OWN.createdBy)
  const hidden = ownValue(object, OWN.hmacKey)
  const hmacKey = Buffer.isBuffer(hidden) ? uncovered(hidden, key) : undefined
  if (hidden !== undefined && hmacKey === undefined) throw new DamagedObject(`${OWN.hmacKey} does not belong to the key`)
  return {
    algorithm,
    key,
    ...(hmacKey && { hmacKey }),
    ...(createdAtNs !== undefined && { createdAtNs }),
    ...(createdBy !== undefined && { createdBy }),
  }
}

const own = (name: string, value: Item): Item =>
  structure(TAG.Attribute, [text(TAG.VendorIdentification, VENDOR), text(TAG.AttributeName, name), value])

function ownValue(object: ManagedObject, name: string): Item['value'] | undefined {
  const item = object.attributes.get(vendorKey(VENDOR, name))
  return item && child(item, TAG.AttributeValue)?.value
}

function ownText(object: ManagedObject, name: string): string | undefined {
  const value = ownValue(object, name)
  return typeof value === 'string' ? value : undefined
}

function algorithmOf(object: ManagedObject): StoredKey['algorithm'] | undefined {
  const kmip = object.attributes.number(TAG.CryptographicAlgorithm)
  return ALGORITHMS.find(([, known]) => known === kmip)?.[0]
}

/** The bytes of an unwrapped key of 256 bits. */
function materialOf({ object }: ManagedObject): Buffer | undefined {
  const block = object && keyBlockOf(object)
  if (!block || block.keyWrappingData) return undefined
  const material = materialItem(block)
  const key = material?.type === TYPE.Structure ? child(material, TAG.Key) : material
  return key?.type === TYPE.ByteString && key.value.length === KEY_BYTES ? key.value : undefined
}

const coverKey = (key: Buffer): Buffer => Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), HMAC_INFO, KEY_BYTES))
const CONTEXT = Buffer.from(HMAC_INFO)

function covered(hmacKey: Buffer, key: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  return Buffer.concat([nonce, ...encryptGcm(coverKey(key), nonce, CONTEXT, hmacKey)])
}

function uncovered(value: Buffer, key: Buffer): Buffer | undefined {
  if (value.length < NONCE_BYTES) return undefined
  return decryptGcm(coverKey(key), value.subarray(0, NONCE_BYTES), CONTEXT, value.subarray(NONCE_BYTES))
}
