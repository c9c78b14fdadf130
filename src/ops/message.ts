import { ENUM } from '../ttlv/enumerations.ts'
import {
  bytes,
  child,
  dateTime,
  enumeration,
  type Item,
  integer,
  type Structure,
  structure,
  TYPE,
  tagName,
  text,
  typeName,
} from '../ttlv/item.ts'
import { ProtocolVersion } from '../ttlv/payloads/structures.ts'
import {
  boolean,
  bytes as byteString,
  date,
  enumeration as enumerated,
  type Fields,
  item,
  MessageError,
  integer as number,
  optional,
  read,
  repeated,
  text as string,
  struct,
  type Value,
  type Version,
} from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'

// Headers and batch items. Spec: KMIP 1.4 section 6 and 7, 2.1 section 8 and 9

const RequestHeader = {
  protocolVersion: struct(TAG.ProtocolVersion, ProtocolVersion),
  maximumResponseSize: optional(number(TAG.MaximumResponseSize)),
  clientCorrelationValue: optional(string(TAG.ClientCorrelationValue)),
  serverCorrelationValue: optional(string(TAG.ServerCorrelationValue)),
  asynchronousIndicator: optional(item(TAG.AsynchronousIndicator)),
  attestationCapableIndicator: optional(boolean(TAG.AttestationCapableIndicator)),
  attestationType: repeated(enumerated(TAG.AttestationType)),
  authentication: optional(item(TAG.Authentication)),
  batchErrorContinuationOption: optional(enumerated(TAG.BatchErrorContinuationOption)),
  batchOrderOption: optional(boolean(TAG.BatchOrderOption)),
  timeStamp: optional(date(TAG.TimeStamp)),
  batchCount: optional(number(TAG.BatchCount)),
} as const satisfies Fields
export type RequestHeader = Value<typeof RequestHeader>

const RequestItem = {
  operation: enumerated(TAG.Operation),
  /** Boolean, from 3.0 on an enumeration. */
  ephemeral: optional(item(TAG.Ephemeral)),
  uniqueBatchItemId: optional(byteString(TAG.UniqueBatchItemID)),
  requestPayload: item(TAG.RequestPayload),
  messageExtension: repeated(item(TAG.MessageExtension)),
} as const satisfies Fields
export type RequestItem = Value<typeof RequestItem>

export interface Request {
  readonly version: Version
  readonly header: RequestHeader
  readonly items: readonly RequestItem[]
}

/** The version in a message's header, if the message is far enough in order to have one. */
export function versionOf(message: Item): { major: number; minor: number } | undefined {
  const header = child(message, TAG.RequestHeader)
  const version = header && child(header, TAG.ProtocolVersion)
  const major = version && child(version, TAG.ProtocolVersionMajor)
  const minor = version && child(version, TAG.ProtocolVersionMinor)
  return major?.type === TYPE.Integer && minor?.type === TYPE.Integer ? { major: major.value, minor: minor.value } : undefined
}

/** Bytes from the beginning of a message to the end of its protocol version, where that stands in its usual place. */
export const START_SIZE = 56
const VERSION_START = Buffer.from('420069010000002042006a0200000004', 'hex')

/**
 * The version of a message that does not decode, where its header still stands in the usual place: Request Message, Request Header,
 * Protocol Version, Major, Minor.
 */
export function versionInBytes(bytes: Buffer): { major: number; minor: number } | undefined {
  if (bytes.length < START_SIZE || bytes.readUIntBE(8, 3) !== 0x420077 || !bytes.subarray(16, 32).equals(VERSION_START)) return undefined
  return { major: bytes.readInt32BE(32), minor: bytes.readInt32BE(48) }
}

/**
 * A request message from its items.
 * @throws MessageError  Invalid Message, Invalid Field
 */
export function readRequest(message: Item): Request {
  if (message.tag !== TAG.RequestMessage || message.type !== TYPE.Structure)
    throw new MessageError('InvalidMessage', 'the message is no RequestMessage')
  const [first, ...rest] = message.value
  if (first?.tag !== TAG.RequestHeader) throw new MessageError('InvalidMessage', 'RequestHeader must come first in RequestMessage')
  const header = read(first, RequestHeader)
  const { major, minor } = header.protocolVersion
  const version = major * 10 + minor
  requireType(header.asynchronousIndicator, version < 20 ? TYPE.Boolean : TYPE.Enumeration)
  const items = rest.map(one => {
    if (one.tag !== TAG.BatchItem) throw new MessageError('InvalidMessage', 'RequestMessage may hold only its header and BatchItems')
    const requested = read(one, RequestItem)
    requireType(requested.ephemeral, version < 30 ? TYPE.Boolean : TYPE.Enumeration)
    return requested
  })
  if (items.length === 0) throw new MessageError('InvalidMessage', 'BatchItem is missing in RequestMessage')
  if (version < 20 && header.batchCount === undefined) throw new MessageError('InvalidMessage', 'BatchCount is missing in RequestHeader')
  if (header.batchCount !== undefined && header.batchCount !== items.length)
    throw new MessageError('InvalidMessage', `BatchCount is ${header.batchCount}, but there are ${items.length} BatchItems`)
  if (items.length > 1 && version < 30 && items.some(one => one.uniqueBatchItemId === undefined))
    throw new MessageError('InvalidMessage', 'UniqueBatchItemID is missing in a BatchItem: it is required where there are several')
  return { version, header, items }
}

/** The type of a field that changed with a version. @throws MessageError Invalid Message */
function requireType(field: Item | undefined, type: number): void {
  if (field && field.type !== type)
    throw new MessageError('InvalidMessage', `${tagName(field.tag)} must be of type ${typeName(type)} in this version of the protocol`)
}

export interface ResponseItem {
  readonly operation?: number | undefined
  readonly uniqueBatchItemId?: Buffer | undefined
  readonly status: number
  readonly reason?: number
  readonly message?: string
  readonly correlation?: Buffer
  readonly payload?: readonly Item[]
}

const { ResultStatus } = ENUM
export const isFailure = (item: ResponseItem): boolean => item.status === ResultStatus.OperationFailed

export function responseItem(item: ResponseItem): Structure {
  const fields: Item[] = []
  if (item.operation !== undefined) fields.push(enumeration(TAG.Operation, item.operation))
  if (item.uniqueBatchItemId) fields.push(bytes(TAG.UniqueBatchItemID, item.uniqueBatchItemId))
  fields.push(enumeration(TAG.ResultStatus, item.status))
  if (item.reason !== undefined) fields.push(enumeration(TAG.ResultReason, item.reason))
  if (item.message !== undefined) fields.push(text(TAG.ResultMessage, item.message))
  if (item.correlation) fields.push(bytes(TAG.AsynchronousCorrelationValue, item.correlation))
  if (item.payload) fields.push(structure(TAG.ResponsePayload, item.payload))
  return structure(TAG.BatchItem, fields)
}

export interface ResponseHeader {
  readonly major: number
  readonly minor: number
  readonly timeStamp: bigint
  readonly serverHashedPassword?: Buffer | undefined
  readonly clientCorrelationValue?: string | undefined
  readonly serverCorrelationValue?: string | undefined
}

/** A response message. Time Stamp stands in every one: most clients fail without it. */
export function responseMessage(header: ResponseHeader, items: readonly Structure[]): Structure {
  const { major, minor } = header
  const version = major * 10 + minor
  const fields: Item[] = [
    structure(TAG.ProtocolVersion, [integer(TAG.ProtocolVersionMajor, major), integer(TAG.ProtocolVersionMinor, minor)]),
    dateTime(TAG.TimeStamp, header.timeStamp),
  ]
  if (header.serverHashedPassword) fields.push(bytes(TAG.ServerHashedPassword, header.serverHashedPassword))
  if (version >= 14 && header.clientCorrelationValue !== undefined)
    fields.push(text(TAG.ClientCorrelationValue, header.clientCorrelationValue))
  if (version >= 14 && header.serverCorrelationValue !== undefined)
    fields.push(text(TAG.ServerCorrelationValue, header.serverCorrelationValue))
  if (version < 30) fields.push(integer(TAG.BatchCount, items.length))
  return structure(TAG.ResponseMessage, [structure(TAG.ResponseHeader, fields), ...items])
}
