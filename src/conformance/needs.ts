import { ENUM } from '../ttlv/enumerations.ts'
import { enumName } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { type Case, nearestCase, operationOf } from './case.ts'
import { setupOf } from './defects.ts'
import { fieldOf, fieldsOf, valueAt, walk } from './pattern.ts'

/** What a server must be able to do for a case, as far as its requests show it. */
export interface Needs {
  /** XML names of the operations that the client asks for. */
  readonly operations: readonly string[]
  readonly asynchronous: boolean
  /** Data in several parts, held together by a correlation value. */
  readonly streaming: boolean
  /** The server sends requests of its own. */
  readonly serverToClient: boolean
  /** Users that the request names, or certificates of other clients. */
  readonly credentials: boolean
  /** Encodings that the profile of the case is about, besides TTLV. */
  readonly encodings: readonly string[]
}

const ASYNCHRONOUS: ReadonlySet<number> = new Set([ENUM.Operation.Poll, ENUM.Operation.Cancel])
const STREAMING: ReadonlySet<number> = new Set([TAG.CorrelationValue, TAG.InitIndicator, TAG.FinalIndicator])

/** Needs of a case, those of the cases that set it up not counted. */
export function needs(one: Case): Needs {
  const operations = new Set<string>()
  let asynchronous = false
  let streaming = false
  let credentials = false
  for (const { request, sender, serverToClient } of one.steps) {
    const header = fieldOf(request, TAG.RequestHeader)
    const indicator = valueAt(header, TAG.AsynchronousIndicator)
    asynchronous ||= indicator === true || indicator === ENUM.AsynchronousIndicator.Mandatory
    credentials ||= sender !== 'A' || fieldOf(header, TAG.Authentication) !== undefined
    for (const item of fieldsOf(request, TAG.BatchItem)) {
      const operation = operationOf(item)
      if (operation === undefined) continue
      asynchronous ||= ASYNCHRONOUS.has(operation)
      if (!serverToClient) operations.add(enumName('Operation', operation))
      for (const field of walk(item)) streaming ||= STREAMING.has(field.tag)
    }
  }
  const encoding = /^MSGENC-(HTTPS|JSON|XML)/.exec(one.stem)?.[1]
  return {
    operations: [...operations].sort(),
    asynchronous,
    streaming,
    serverToClient: one.steps.some(step => step.serverToClient),
    credentials,
    encodings: encoding === undefined ? [] : [encoding],
  }
}

/** Whether a server with these operations, and nothing beyond them, should pass a case; `cases` are all there are. */
export function isWithin(one: Case, operations: ReadonlySet<string>, cases: readonly Case[]): boolean {
  const { asynchronous, streaming, serverToClient, credentials, ...rest } = needs(one)
  if (asynchronous || streaming || serverToClient || credentials || !rest.operations.every(name => operations.has(name))) return false
  const setups = setupOf(one.stem).map(stem => nearestCase(cases, stem, one.version))
  return setups.every(setup => setup !== undefined && isWithin(setup, operations, cases))
}
