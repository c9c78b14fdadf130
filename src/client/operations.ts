import { ENUM, MASK } from '../ttlv/enumerations.ts'
import {
  boolean,
  bytes,
  child,
  enumeration,
  type Item,
  integer,
  retag,
  type Structure,
  structure,
  TYPE,
  tagTitle,
  text,
} from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { ClientError, type KmipClient } from './client.ts'
import { type Operation, payloadOf, type RequestOptions, requestMessage, responseItems } from './message.ts'

// The operations that people do by hand, in KMIP 1.4. All fail with ClientError or KmipFailure.

/** Do one operation and return its response payload. */
export async function perform(client: KmipClient, operation: Operation, options: RequestOptions = {}): Promise<Structure> {
  const [item] = responseItems(await client.request(requestMessage([operation], options)))
  if (item === undefined) throw new ClientError('malformed', "the server's answer has no batch item")
  return payloadOf(item)
}

/** An Attribute of 1.x from an item under the attribute's own tag: `integer(TAG.CryptographicLength, 256)`. */
export const attribute = (value: Item): Structure => customAttribute(tagTitle(value.tag), value)

/** An Attribute of 1.x with any name; the tag of `value` does not matter. */
export const customAttribute = (name: string, value: Item): Structure =>
  structure(TAG.Attribute, [text(TAG.AttributeName, name), retag(value, TAG.AttributeValue)])

/** A Name, to be given to `attribute`. */
export const nameItem = (name: string): Structure =>
  structure(TAG.Name, [text(TAG.NameValue, name), enumeration(TAG.NameType, ENUM.NameType.UninterpretedTextString)])

const uniqueIdentifier = (id: string): Item => text(TAG.UniqueIdentifier, id)
const template = (attributes: readonly Item[]): Structure => structure(TAG.TemplateAttribute, attributes.map(attribute))

function textIn(payload: Item, tag: number): string {
  const item = child(payload, tag)
  if (item?.type !== TYPE.TextString) throw new ClientError('malformed', `the server's answer lacks ${tagTitle(tag)}`)
  return item.value
}

function bytesIn(payload: Item, tag: number): Buffer | undefined {
  const item = child(payload, tag)
  return item?.type === TYPE.ByteString ? item.value : undefined
}

export type QueryFunction = keyof typeof ENUM.QueryFunction

/** Query: the payload as the server gave it. Spec: KMIP 1.4 section 4.25 */
export const query = (
  client: KmipClient,
  functions: readonly QueryFunction[] = ['QueryOperations', 'QueryObjects', 'QueryServerInformation'],
): Promise<Structure> =>
  perform(client, { operation: 'Query', payload: functions.map(name => enumeration(TAG.QueryFunction, ENUM.QueryFunction[name])) })

export interface CreateOptions {
  readonly algorithm?: keyof typeof ENUM.CryptographicAlgorithm
  /** In bits. */
  readonly length?: number
  readonly usage?: number
  readonly name?: string
  /** More attributes, each under its own tag. */
  readonly attributes?: readonly Item[]
}

const ENCRYPT_DECRYPT = MASK.CryptographicUsageMask.Encrypt | MASK.CryptographicUsageMask.Decrypt

/** Create a symmetric key (AES-256 for encryption unless told) and return its unique identifier. Spec: KMIP 1.4 section 4.1 */
export async function create(client: KmipClient, options: CreateOptions = {}): Promise<string> {
  const { algorithm = 'AES', length = 256, usage = ENCRYPT_DECRYPT, name, attributes = [] } = options
  const payload = await perform(client, {
    operation: 'Create',
    payload: [
      enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey),
      template([
        enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm[algorithm]),
        integer(TAG.CryptographicLength, length),
        integer(TAG.CryptographicUsageMask, usage),
        ...(name === undefined ? [] : [nameItem(name)]),
        ...attributes,
      ]),
    ],
  })
  return textIn(payload, TAG.UniqueIdentifier)
}

/** Register a symmetric key of the client's and return its unique identifier. Spec: KMIP 1.4 section 4.3 */
export async function registerSymmetricKey(client: KmipClient, key: Buffer, options: Omit<CreateOptions, 'length'> = {}): Promise<string> {
  const { algorithm = 'AES', usage = ENCRYPT_DECRYPT, name, attributes = [] } = options
  const payload = await perform(client, {
    operation: 'Register',
    payload: [
      enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey),
      template([integer(TAG.CryptographicUsageMask, usage), ...(name === undefined ? [] : [nameItem(name)]), ...attributes]),
      structure(TAG.SymmetricKey, [
        structure(TAG.KeyBlock, [
          enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw),
          structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, key)]),
          enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm[algorithm]),
          integer(TAG.CryptographicLength, key.length * 8),
        ]),
      ]),
    ],
  })
  return textIn(payload, TAG.UniqueIdentifier)
}

/** Register a password or seed and return its unique identifier. Spec: KMIP 1.4 sections 2.2.7 and 4.3 */
export async function registerSecretData(
  client: KmipClient,
  secret: Buffer,
  options: { readonly kind?: keyof typeof ENUM.SecretDataType; readonly name?: string; readonly attributes?: readonly Item[] } = {},
): Promise<string> {
  const { kind = 'Password', name, attributes = [] } = options
  const payload = await perform(client, {
    operation: 'Register',
    payload: [
      enumeration(TAG.ObjectType, ENUM.ObjectType.SecretData),
      template([integer(TAG.CryptographicUsageMask, 0), ...(name === undefined ? [] : [nameItem(name)]), ...attributes]),
      structure(TAG.SecretData, [
        enumeration(TAG.SecretDataType, ENUM.SecretDataType[kind]),
        structure(TAG.KeyBlock, [
          enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Opaque),
          structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, secret)]),
        ]),
      ]),
    ],
  })
  return textIn(payload, TAG.UniqueIdentifier)
}

export interface FoundObject {
  readonly id: string
  readonly objectType: number
  /** The object's structure as the server gave it, such as Symmetric Key. */
  readonly object: Item
  /** Bytes of the key material, if it has that form. */
  readonly material: Buffer | undefined
}

/** Get an object. Spec: KMIP 1.4 section 4.11 */
export async function get(client: KmipClient, id: string): Promise<FoundObject> {
  const payload = await perform(client, { operation: 'Get', payload: [uniqueIdentifier(id)] })
  const objectType = child(payload, TAG.ObjectType)
  const object = payload.value.find(item => item.type === TYPE.Structure)
  if (objectType?.type !== TYPE.Enumeration || object === undefined)
    throw new ClientError('malformed', "the server's answer holds no object")
  const block = child(object, TAG.KeyBlock)
  const value = block && child(block, TAG.KeyValue)
  return {
    id: textIn(payload, TAG.UniqueIdentifier),
    objectType: objectType.value,
    object,
    material: (value && bytesIn(value, TAG.KeyMaterial)) ?? bytesIn(object, TAG.OpaqueDataValue) ?? bytesIn(object, TAG.CertificateValue),
  }
}

/**
 * Unique identifiers of the objects that have all these attributes, each given under its own tag; of all objects if there are none.
 * Spec: KMIP 1.4 section 4.9
 */
export async function locate(
  client: KmipClient,
  attributes: readonly Item[] = [],
  options: { readonly maximumItems?: number; readonly offsetItems?: number } = {},
): Promise<string[]> {
  const { maximumItems, offsetItems } = options
  const payload = await perform(client, {
    operation: 'Locate',
    payload: [
      ...(maximumItems === undefined ? [] : [integer(TAG.MaximumItems, maximumItems)]),
      ...(offsetItems === undefined ? [] : [integer(TAG.OffsetItems, offsetItems)]),
      ...attributes.map(attribute),
    ],
  })
  return payload.value.flatMap(item => (item.tag === TAG.UniqueIdentifier && item.type === TYPE.TextString ? [item.value] : []))
}

export interface NamedAttribute {
  readonly name: string
  readonly index: number
  /** Under the tag Attribute Value. */
  readonly value: Item
}

/** Attributes of an object: those named, or all. Spec: KMIP 1.4 section 4.12 */
export async function getAttributes(client: KmipClient, id: string, names: readonly string[] = []): Promise<NamedAttribute[]> {
  const payload = await perform(client, {
    operation: 'GetAttributes',
    payload: [uniqueIdentifier(id), ...names.map(name => text(TAG.AttributeName, name))],
  })
  return payload.value.flatMap(item => {
    const value = child(item, TAG.AttributeValue)
    if (item.tag !== TAG.Attribute || value === undefined) return []
    const index = child(item, TAG.AttributeIndex)
    return [{ name: textIn(item, TAG.AttributeName), index: index?.type === TYPE.Integer ? index.value : 0, value }]
  })
}

/** Spec: KMIP 1.4 section 4.19 */
export const activate = async (client: KmipClient, id: string): Promise<void> => {
  await perform(client, { operation: 'Activate', payload: [uniqueIdentifier(id)] })
}

/** Spec: KMIP 1.4 section 4.20 */
export async function revoke(
  client: KmipClient,
  id: string,
  reason: keyof typeof ENUM.RevocationReasonCode = 'CessationOfOperation',
  message?: string,
): Promise<void> {
  const fields = [enumeration(TAG.RevocationReasonCode, ENUM.RevocationReasonCode[reason])]
  if (message !== undefined) fields.push(text(TAG.RevocationMessage, message))
  await perform(client, { operation: 'Revoke', payload: [uniqueIdentifier(id), structure(TAG.RevocationReason, fields)] })
}

/** Spec: KMIP 1.4 section 4.21 */
export const destroy = async (client: KmipClient, id: string): Promise<void> => {
  await perform(client, { operation: 'Destroy', payload: [uniqueIdentifier(id)] })
}

/** How to encrypt; what is left out the server takes from the key's own Cryptographic Parameters. */
export interface CipherOptions {
  readonly mode?: keyof typeof ENUM.BlockCipherMode
  readonly padding?: keyof typeof ENUM.PaddingMethod
  /** Bytes of the tag of an authenticated mode. */
  readonly tagLength?: number
  readonly iv?: Buffer
  readonly additionalData?: Buffer
}

function parameters(options: CipherOptions, randomIv: boolean): Item[] {
  const { mode, padding, tagLength } = options
  const fields: Item[] = []
  if (mode !== undefined) fields.push(enumeration(TAG.BlockCipherMode, ENUM.BlockCipherMode[mode]))
  if (padding !== undefined) fields.push(enumeration(TAG.PaddingMethod, ENUM.PaddingMethod[padding]))
  if (randomIv) fields.push(boolean(TAG.RandomIV, true))
  if (tagLength !== undefined) fields.push(integer(TAG.TagLength, tagLength))
  return fields.length === 0 ? [] : [structure(TAG.CryptographicParameters, fields)]
}

export interface Encrypted {
  readonly data: Buffer
  /** The initialization vector that the server made, if it made one. */
  readonly iv: Buffer | undefined
  readonly tag: Buffer | undefined
}

/** Encrypt; without `iv` a mode that needs one gets a random one. Spec: KMIP 1.4 section 4.29 */
export async function encrypt(client: KmipClient, id: string, data: Buffer, options: CipherOptions = {}): Promise<Encrypted> {
  const needsIv = options.iv === undefined && options.mode !== undefined && !/^(ECB|NISTKeyWrap|AESKeyWrapPadding)$/.test(options.mode)
  const payload = await perform(client, {
    operation: 'Encrypt',
    payload: [
      uniqueIdentifier(id),
      ...parameters(options, needsIv),
      bytes(TAG.Data, data),
      ...(options.iv === undefined ? [] : [bytes(TAG.IVCounterNonce, options.iv)]),
      ...(options.additionalData === undefined ? [] : [bytes(TAG.AuthenticatedEncryptionAdditionalData, options.additionalData)]),
    ],
  })
  return {
    data: bytesIn(payload, TAG.Data) ?? Buffer.alloc(0),
    iv: bytesIn(payload, TAG.IVCounterNonce),
    tag: bytesIn(payload, TAG.AuthenticatedEncryptionTag),
  }
}

/** Decrypt. Spec: KMIP 1.4 section 4.30 */
export async function decrypt(
  client: KmipClient,
  id: string,
  data: Buffer,
  options: CipherOptions & { readonly tag?: Buffer } = {},
): Promise<Buffer> {
  const payload = await perform(client, {
    operation: 'Decrypt',
    payload: [
      uniqueIdentifier(id),
      ...parameters(options, false),
      bytes(TAG.Data, data),
      ...(options.iv === undefined ? [] : [bytes(TAG.IVCounterNonce, options.iv)]),
      ...(options.additionalData === undefined ? [] : [bytes(TAG.AuthenticatedEncryptionAdditionalData, options.additionalData)]),
      ...(options.tag === undefined ? [] : [bytes(TAG.AuthenticatedEncryptionTag, options.tag)]),
    ],
  })
  return bytesIn(payload, TAG.Data) ?? Buffer.alloc(0)
}
