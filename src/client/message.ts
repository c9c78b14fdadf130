import { ENUM } from '../ttlv/enumerations.ts'
import {
  boolean,
  bytes,
  child,
  dateTime,
  enumeration,
  enumName,
  type Item,
  integer,
  type Structure,
  structure,
  TYPE,
  text,
} from '../ttlv/item.ts'
import type { Version } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { ClientError } from './client.ts'

type OperationName = keyof typeof ENUM.Operation

/** One operation of a request. */
export interface Operation {
  /** XML name or number of the operation. */
  readonly operation: OperationName | number
  /** Fields of the request payload in the order of the specification. */
  readonly payload: readonly Item[]
  /** Unique Batch Item ID; made up when several operations go in one message. */
  readonly id?: Buffer
  /** A Message Extension structure. */
  readonly extension?: Item
}

export interface RequestOptions {
  /** Protocol version as major * 10 + minor; 14 unless told. */
  readonly version?: Version
  /** Bytes of TTLV that the answer may have. */
  readonly maximumResponseSize?: number
  readonly clientCorrelationValue?: string
  /** Credential structures, see `passwordCredential`. */
  readonly credentials?: readonly Item[]
  readonly errorContinuation?: 'Continue' | 'Stop' | 'Undo'
  readonly batchOrder?: boolean
  /** Seconds since 1970. */
  readonly timeStamp?: bigint
}

/**
 * A request message. The fields of the header stand in the order of the specification, Batch Count last.
 * Spec: KMIP 1.4 section 7.2, 2.1 section 8.3
 */
export function requestMessage(operations: readonly Operation[], options: RequestOptions = {}): Structure {
  const { version = 14, maximumResponseSize, clientCorrelationValue, credentials = [], errorContinuation, batchOrder, timeStamp } = options
  const header: Item[] = [
    structure(TAG.ProtocolVersion, [
      integer(TAG.ProtocolVersionMajor, Math.floor(version / 10)),
      integer(TAG.ProtocolVersionMinor, version % 10),
    ]),
  ]
  if (maximumResponseSize !== undefined) header.push(integer(TAG.MaximumResponseSize, maximumResponseSize))
  if (clientCorrelationValue !== undefined) header.push(text(TAG.ClientCorrelationValue, clientCorrelationValue))
  if (credentials.length > 0) header.push(structure(TAG.Authentication, credentials))
  if (errorContinuation !== undefined) {
    header.push(enumeration(TAG.BatchErrorContinuationOption, ENUM.BatchErrorContinuationOption[errorContinuation]))
  }
  if (batchOrder !== undefined) header.push(boolean(TAG.BatchOrderOption, batchOrder))
  if (timeStamp !== undefined) header.push(dateTime(TAG.TimeStamp, timeStamp))
  header.push(integer(TAG.BatchCount, operations.length))
  const items = operations.map((one, index) => {
    const fields: Item[] = [enumeration(TAG.Operation, typeof one.operation === 'number' ? one.operation : ENUM.Operation[one.operation])]
    const id = one.id ?? (operations.length > 1 ? Buffer.from([index + 1]) : undefined)
    if (id !== undefined) fields.push(bytes(TAG.UniqueBatchItemID, id))
    fields.push(structure(TAG.RequestPayload, one.payload))
    if (one.extension !== undefined) fields.push(one.extension)
    return structure(TAG.BatchItem, fields)
  })
  return structure(TAG.RequestMessage, [structure(TAG.RequestHeader, header), ...items])
}

/** A Credential of type Username and Password. Spec: KMIP 1.4 section 2.1.2 */
export const passwordCredential = (username: string, password: string): Structure =>
  structure(TAG.Credential, [
    enumeration(TAG.CredentialType, ENUM.CredentialType.UsernameAndPassword),
    structure(TAG.CredentialValue, [text(TAG.Username, username), text(TAG.Password, password)]),
  ])

/** One batch item of a response. */
export interface ResponseItem {
  readonly operation: number | undefined
  readonly id: Buffer | undefined
  readonly status: number
  readonly reason: number | undefined
  readonly message: string | undefined
  readonly asynchronousCorrelationValue: Buffer | undefined
  readonly payload: Structure | undefined
}

/** An operation that the server did not complete. `reason` is the XML name of the Result Reason. */
export class KmipFailure extends Error {
  override readonly name = 'KmipFailure'
  readonly operation: string
  readonly status: string
  readonly reason: string
  readonly item: ResponseItem
  constructor(item: ResponseItem) {
    const operation = item.operation === undefined ? 'request' : enumName('Operation', item.operation)
    const status = enumName('ResultStatus', item.status)
    const reason = item.reason === undefined ? status : enumName('ResultReason', item.reason)
    super(`${operation} failed: ${reason}${item.message === undefined ? '' : `: ${item.message}`}`)
    this.operation = operation
    this.status = status
    this.reason = reason
    this.item = item
  }
}

/**
 * The batch items of a response message.
 * @throws ClientError `malformed` when it is none
 */
export function responseItems(message: Item): ResponseItem[] {
  if (message.tag !== TAG.ResponseMessage || message.type !== TYPE.Structure) {
    throw new ClientError('malformed', "the server's answer is no response message")
  }
  return message.value.filter(item => item.tag === TAG.BatchItem).map(responseItem)
}

function responseItem(item: Item): ResponseItem {
  const status = child(item, TAG.ResultStatus)
  if (status?.type !== TYPE.Enumeration) throw new ClientError('malformed', 'a batch item of the answer has no result status')
  const operation = child(item, TAG.Operation)
  const id = child(item, TAG.UniqueBatchItemID)
  const reason = child(item, TAG.ResultReason)
  const note = child(item, TAG.ResultMessage)
  const correlation = child(item, TAG.AsynchronousCorrelationValue)
  const payload = child(item, TAG.ResponsePayload)
  return {
    operation: operation?.type === TYPE.Enumeration ? operation.value : undefined,
    id: id?.type === TYPE.ByteString ? id.value : undefined,
    status: status.value,
    reason: reason?.type === TYPE.Enumeration ? reason.value : undefined,
    message: note?.type === TYPE.TextString ? note.value : undefined,
    asynchronousCorrelationValue: correlation?.type === TYPE.ByteString ? correlation.value : undefined,
    payload: payload?.type === TYPE.Structure ? payload : undefined,
  }
}

/** The payload of an item that succeeded. @throws KmipFailure */
export function payloadOf(item: ResponseItem): Structure {
  if (item.status !== ENUM.ResultStatus.Success) throw new KmipFailure(item)
  return item.payload ?? structure(TAG.ResponsePayload, [])
}
