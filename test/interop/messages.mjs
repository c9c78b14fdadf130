// Short names for the parts of requests, for the tables of sequences.
import { ENUM, MASK } from '../../dist/ttlv/enumerations.js'
import { boolean, bytes, dateTime, enumeration, integer, retag, structure, tagTitle, text } from '../../dist/ttlv/item.js'
import { TAG } from '../../dist/ttlv/tags.js'

export { boolean, bytes, dateTime, enumeration, integer, structure, TAG, text }

export const op = (operation, payload = [], id = undefined) => ({ operation, payload, ...(id === undefined ? {} : { id }) })
export const uid = id => text(TAG.UniqueIdentifier, id)
export const objectType = name => enumeration(TAG.ObjectType, ENUM.ObjectType[name])
export const algorithm = name => enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm[name])
export const length = bits => integer(TAG.CryptographicLength, bits)
export const mask = (...names) =>
  integer(
    TAG.CryptographicUsageMask,
    names.reduce((sum, name) => sum | (typeof name === 'number' ? name : MASK.CryptographicUsageMask[name]), 0),
  )
export const state = name => enumeration(TAG.State, ENUM.State[name])
export const named = value =>
  structure(TAG.Name, [text(TAG.NameValue, value), enumeration(TAG.NameType, ENUM.NameType.UninterpretedTextString)])
export const group = value => text(TAG.ObjectGroup, value)

/** An Attribute of an item under the attribute's own tag. */
export const attribute = (item, index) => custom(tagTitle(item.tag), item, index)
export const custom = (name, item, index) =>
  structure(TAG.Attribute, [
    text(TAG.AttributeName, name),
    ...(index === undefined ? [] : [integer(TAG.AttributeIndex, index)]),
    retag(item, TAG.AttributeValue),
  ])
export const x = (name, value) =>
  custom(name, typeof value === 'number' ? integer(TAG.AttributeValue, value) : text(TAG.AttributeValue, value))
export const attributes = (...items) => items.map(item => (item.tag === TAG.Attribute ? item : attribute(item)))
export const template = (...items) => templateAs(TAG.TemplateAttribute, ...items)
export const templateAs = (tag, ...items) => structure(tag, attributes(...items))
export const attributeName = name => text(TAG.AttributeName, name)

export const keyBlock = ({ format = 'Raw', material, algorithm: name, bits, compression }) =>
  structure(TAG.KeyBlock, [
    enumeration(TAG.KeyFormatType, ENUM.KeyFormatType[format]),
    ...(compression === undefined ? [] : [enumeration(TAG.KeyCompressionType, compression)]),
    structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, material)]),
    ...(name === undefined ? [] : [algorithm(name)]),
    ...(bits === undefined ? [] : [length(bits)]),
  ])
export const symmetricKey = (material, more = {}) =>
  structure(TAG.SymmetricKey, [keyBlock({ material, algorithm: 'AES', bits: material.length * 8, ...more })])
export const secretData = (kind, material, more = {}) =>
  structure(TAG.SecretData, [enumeration(TAG.SecretDataType, ENUM.SecretDataType[kind]), keyBlock({ format: 'Opaque', material, ...more })])
export const revocation = (code, message) =>
  structure(TAG.RevocationReason, [
    enumeration(TAG.RevocationReasonCode, ENUM.RevocationReasonCode[code]),
    ...(message === undefined ? [] : [text(TAG.RevocationMessage, message)]),
  ])
export const queryFunctions = (...names) => names.map(name => enumeration(TAG.QueryFunction, ENUM.QueryFunction[name]))
export const protocolVersion = (major, minor) =>
  structure(TAG.ProtocolVersion, [integer(TAG.ProtocolVersionMajor, major), integer(TAG.ProtocolVersionMinor, minor)])
export const cbc = structure(TAG.CryptographicParameters, [
  enumeration(TAG.BlockCipherMode, ENUM.BlockCipherMode.CBC),
  enumeration(TAG.PaddingMethod, ENUM.PaddingMethod.PKCS5),
  algorithm('AES'),
])
export const rsaSha256 = structure(TAG.CryptographicParameters, [
  enumeration(TAG.PaddingMethod, ENUM.PaddingMethod.PKCS1V1_5),
  enumeration(TAG.HashingAlgorithm, ENUM.HashingAlgorithm.SHA_256),
  algorithm('RSA'),
])
/** Seconds since 1970, as the clients put them into their headers. */
export const now = () => BigInt(Math.floor(Date.now() / 1000))
