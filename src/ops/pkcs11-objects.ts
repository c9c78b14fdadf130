import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { boolean, child, dateTime, enumeration, type Item, integer, structure, TYPE, text } from '../ttlv/item.ts'
import { ATTRIBUTE as A, CLASS, KEY_TYPE } from '../ttlv/pkcs11.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { asymmetricKey, secretBytes } from './key-material.ts'
import { flag, Pkcs11Error, type TemplateItem, ulong } from './pkcs11-wire.ts'

// Managed objects as PKCS#11 sees them. All are token objects: none goes with a session.

const { ObjectType, CryptographicAlgorithm: Algorithm } = ENUM
const Usage = MASK.CryptographicUsageMask

const CLASS_OF_TYPE: Readonly<Record<number, number>> = {
  [ObjectType.SymmetricKey]: CLASS.SECRET_KEY,
  [ObjectType.SecretData]: CLASS.SECRET_KEY,
  [ObjectType.PublicKey]: CLASS.PUBLIC_KEY,
  [ObjectType.PrivateKey]: CLASS.PRIVATE_KEY,
  [ObjectType.Certificate]: CLASS.CERTIFICATE,
  [ObjectType.OpaqueObject]: CLASS.DATA,
}
const KEY_TYPE_OF: Readonly<Record<number, number>> = {
  [Algorithm.AES]: KEY_TYPE.AES,
  [Algorithm.DES3]: KEY_TYPE.DES3,
  [Algorithm.RSA]: KEY_TYPE.RSA,
  [Algorithm.DSA]: KEY_TYPE.DSA,
  [Algorithm.EC]: KEY_TYPE.EC,
  [Algorithm.ECDSA]: KEY_TYPE.EC,
  [Algorithm.ECDH]: KEY_TYPE.EC,
  [Algorithm.ChaCha20]: KEY_TYPE.CHACHA20,
  [Algorithm.HMAC_SHA1]: KEY_TYPE.SHA_1_HMAC,
  [Algorithm.HMAC_SHA224]: KEY_TYPE.SHA224_HMAC,
  [Algorithm.HMAC_SHA256]: KEY_TYPE.SHA256_HMAC,
  [Algorithm.HMAC_SHA384]: KEY_TYPE.SHA384_HMAC,
  [Algorithm.HMAC_SHA512]: KEY_TYPE.SHA512_HMAC,
}
const ALGORITHM_OF: ReadonlyMap<number, number> = new Map<number, number>([
  [KEY_TYPE.AES, Algorithm.AES],
  [KEY_TYPE.DES3, Algorithm.DES3],
  [KEY_TYPE.CHACHA20, Algorithm.ChaCha20],
  [KEY_TYPE.GENERIC_SECRET, Algorithm.HMAC_SHA256],
  [KEY_TYPE.SHA_1_HMAC, Algorithm.HMAC_SHA1],
  [KEY_TYPE.SHA224_HMAC, Algorithm.HMAC_SHA224],
  [KEY_TYPE.SHA256_HMAC, Algorithm.HMAC_SHA256],
  [KEY_TYPE.SHA384_HMAC, Algorithm.HMAC_SHA384],
  [KEY_TYPE.SHA512_HMAC, Algorithm.HMAC_SHA512],
])
const MASK_OF: readonly (readonly [attribute: number, mask: number])[] = [
  [A.ENCRYPT, Usage.Encrypt],
  [A.DECRYPT, Usage.Decrypt],
  [A.WRAP, Usage.WrapKey],
  [A.UNWRAP, Usage.UnwrapKey],
  [A.SIGN, Usage.Sign | Usage.MACGenerate],
  [A.VERIFY, Usage.Verify | Usage.MACVerify],
  [A.DERIVE, Usage.DeriveKey],
]

/** Whether PKCS#11 has objects of this kind. */
export const isVisible = (object: ManagedObject): boolean =>
  CLASS_OF_TYPE[object.type] !== undefined && !object.destroyed && !object.archived

/** Value of an attribute; `sensitive`: there is one, and it does not leave; nothing: the object has no such attribute. */
export function attributeValue(object: ManagedObject, type: number, mayGet: boolean): Buffer | 'sensitive' | undefined {
  const { attributes } = object
  const usage = MASK_OF.find(([attribute]) => attribute === type)
  if (usage) return isKey(object) ? flag(((attributes.number(TAG.CryptographicUsageMask) ?? 0) & usage[1]) !== 0) : undefined
  switch (type) {
    case A.CLASS:
      return ulong(CLASS_OF_TYPE[object.type]!)
    case A.TOKEN:
    case A.PRIVATE:
    case A.MODIFIABLE:
    case A.DESTROYABLE:
      return flag(true)
    case A.LABEL: {
      const name = attributes.get(TAG.Name)
      return Buffer.from(String((name && child(name, TAG.NameValue)?.value) ?? ''))
    }
    case A.ID:
    case A.UNIQUE_ID:
      return Buffer.from(object.id)
    case A.CERTIFICATE_TYPE:
      return object.type === ObjectType.Certificate ? ulong(0) : undefined
    case A.VALUE:
      return contentOf(object, mayGet)
    default:
      return isKey(object) ? keyValueOf(object, type) : undefined
  }
}

const isKey = ({ type }: ManagedObject): boolean => type !== ObjectType.Certificate && type !== ObjectType.OpaqueObject
const isSecret = ({ type }: ManagedObject): boolean => type === ObjectType.SymmetricKey || type === ObjectType.SecretData

function keyValueOf(object: ManagedObject, type: number): Buffer | undefined {
  const { attributes } = object
  const bits = attributes.number(TAG.CryptographicLength)
  switch (type) {
    case A.KEY_TYPE:
      return ulong(KEY_TYPE_OF[attributes.number(TAG.CryptographicAlgorithm) ?? 0] ?? KEY_TYPE.GENERIC_SECRET)
    case A.VALUE_LEN:
      return isSecret(object) && bits !== undefined ? ulong(Math.ceil(bits / 8)) : undefined
    case A.SENSITIVE:
      return flag(attributes.flag(TAG.Sensitive) ?? false)
    case A.ALWAYS_SENSITIVE:
      return flag(attributes.flag(TAG.AlwaysSensitive) ?? false)
    case A.EXTRACTABLE:
      return flag(attributes.flag(TAG.Extractable) ?? true)
    case A.NEVER_EXTRACTABLE:
      return flag(attributes.flag(TAG.NeverExtractable) ?? false)
    case A.LOCAL:
      return flag(attributes.has(TAG.OriginalCreationDate))
    case A.MODULUS:
    case A.MODULUS_BITS:
    case A.PUBLIC_EXPONENT:
      return rsaValueOf(object, type)
    default:
      return undefined
  }
}

function rsaValueOf(object: ManagedObject, type: number): Buffer | undefined {
  if (isSecret(object) || object.attributes.number(TAG.CryptographicAlgorithm) !== Algorithm.RSA) return undefined
  const key = asymmetricKey(object)
  if (type === A.MODULUS_BITS) return ulong(key.asymmetricKeyDetails?.modulusLength ?? 0)
  const { n, e } = key.export({ format: 'jwk' })
  return Buffer.from((type === A.MODULUS ? n : e) ?? '', 'base64url')
}

function contentOf(object: ManagedObject, mayGet: boolean): Buffer | 'sensitive' | undefined {
  const { attributes, object: content } = object
  if (isSecret(object)) {
    if (!mayGet || attributes.flag(TAG.Sensitive) === true || attributes.flag(TAG.Extractable) === false) return 'sensitive'
    return secretBytes(object)
  }
  if (!content || isKey(object)) return undefined
  const value = (child(content, TAG.CertificateValue) ?? child(content, TAG.OpaqueDataValue))?.value
  return Buffer.isBuffer(value) ? (mayGet ? value : 'sensitive') : undefined
}

/** Whether an object has all the values of a template. */
export const fits = (object: ManagedObject, template: readonly TemplateItem[], mayGet: boolean): boolean =>
  template.every(({ type, value }) => {
    const own = attributeValue(object, type, mayGet)
    return value !== undefined && Buffer.isBuffer(own) && own.equals(value)
  })

/** A template as PKCS#11 writes one, to be asked for values. */
export class Template {
  readonly #items: ReadonlyMap<number, Buffer | undefined>
  constructor(items: readonly TemplateItem[]) {
    this.#items = new Map(items.map(({ type, value }) => [type, value]))
    if (this.#items.size < items.length) throw new Pkcs11Error('TEMPLATE_INCONSISTENT')
    if (this.flag(A.TOKEN) === false) throw new Pkcs11Error('TEMPLATE_INCONSISTENT')
    for (const type of this.#items.keys()) if (!SETTABLE.has(type)) throw new Pkcs11Error('ATTRIBUTE_TYPE_INVALID')
  }
  bytes(type: number): Buffer | undefined {
    return this.#items.get(type)
  }
  /** @throws Pkcs11Error Template Incomplete */
  needed(type: number): Buffer {
    const value = this.#items.get(type)
    if (!value) throw new Pkcs11Error('TEMPLATE_INCOMPLETE')
    return value
  }
  ulong(type: number): number | undefined {
    const value = this.#items.get(type)
    return value && Number(value.readBigUInt64BE())
  }
  flag(type: number): boolean | undefined {
    const value = this.#items.get(type)
    return value && value[0] !== 0
  }
  /** Algorithm of the key that the template describes. @throws Pkcs11Error Attribute Value Invalid */
  algorithm(): number {
    const algorithm = ALGORITHM_OF.get(Number(this.needed(A.KEY_TYPE).readBigUInt64BE()))
    if (algorithm === undefined) throw new Pkcs11Error('ATTRIBUTE_VALUE_INVALID')
    return algorithm
  }

  /** Attributes of KMIP for a new object, which PKCS#11 uses at once: it is Active. */
  attributes(context: Context, more: readonly Item[], usual = 0): Item {
    const items: Item[] = [...more, dateTime(TAG.ActivationDate, context.now())]
    const label = this.bytes(A.LABEL)?.toString()
    if (label)
      items.push(structure(TAG.Name, [text(TAG.NameValue, label), enumeration(TAG.NameType, ENUM.NameType.UninterpretedTextString)]))
    const chosen = MASK_OF.filter(([type]) => this.flag(type) === true).reduce((mask, [, bits]) => mask | bits, 0)
    const mask = MASK_OF.some(([type]) => this.flag(type) !== undefined) ? chosen : usual
    if (mask !== 0) items.push(integer(TAG.CryptographicUsageMask, mask))
    for (const [type, tag] of [
      [A.SENSITIVE, TAG.Sensitive],
      [A.EXTRACTABLE, TAG.Extractable],
    ] as const) {
      const value = this.flag(type)
      if (value !== undefined) items.push(boolean(tag, value))
    }
    return { tag: TAG.Attributes, type: TYPE.Structure, value: items }
  }
}

const SETTABLE: ReadonlySet<number> = new Set<number>([
  A.CLASS,
  A.TOKEN,
  A.PRIVATE,
  A.LABEL,
  A.VALUE,
  A.CERTIFICATE_TYPE,
  A.KEY_TYPE,
  A.SENSITIVE,
  A.VALUE_LEN,
  A.EXTRACTABLE,
  A.MODIFIABLE,
  A.DESTROYABLE,
  ...MASK_OF.map(([type]) => type),
])
