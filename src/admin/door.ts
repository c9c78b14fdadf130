import type { HttpHandler, HttpResponse } from '../http/exchange.ts'
import { envelopeOf, inNamespace, refusal, responseTo } from './envelope.ts'
import { AdminError, unsupportedOperation, unsupportedPath } from './error.ts'
import { failureOf } from './failure.ts'
import { readFields } from './fields.ts'
import type { Guard, Trail } from './guard.ts'
import { helpAnswer } from './help.ts'
import { type Match, matchOf, mountOf } from './match.ts'
import { type Asked, PREFIX, readRequest } from './read-request.ts'
import type { Answer, Call, Caller, LogicalRequest, Mounted, Operation, Verb } from './route.ts'

export interface DoorOptions {
  /** What is mounted now; asked for each request. */
  mounts(): readonly Mounted[] | Promise<readonly Mounted[]>
  readonly guard: Guard
  readonly trail: Trail
  /** A new UUID. */
  newId(): string
  /** Bytes of a request's body. */
  readonly maxBody: number
  /** Told of each error that was not foreseen; the client hears nothing of it. */
  onError(error: unknown, request: LogicalRequest): void
  /** What is not below `/v1/`; nothing is there unless told. */
  readonly outside?: HttpHandler
}

/** Vault's HTTP API over the tables of all mounts. */
export function createDoor(options: DoorOptions): HttpHandler {
  return async http => {
    if (!http.target.startsWith(PREFIX)) return (await options.outside?.(http)) ?? refusal(404, [])
    if (http.truncated || http.body.length > options.maxBody) return refusal(413, ['http: request body too large'])
    let asked: Asked
    try {
      asked = readRequest(http, options.newId())
    } catch (error) {
      if (!(error instanceof AdminError)) throw error
      return refusal(error.status, error.errors)
    }
    return inNamespace(await serve(asked, options), asked.namespace)
  }
}

/** A request on its way: what it was found to be so far. */
interface Passage {
  request: LogicalRequest
  caller: Caller | undefined
}

async function serve(asked: Asked, options: DoorOptions): Promise<HttpResponse> {
  const { guard, trail, onError } = options
  let mounts: readonly Mounted[]
  try {
    mounts = await options.mounts()
  } catch (error) {
    const failure = failureOf(error)
    onError(error, { ...asked, mount: '', mountType: '' })
    return refusal(failure.status, failure.errors)
  }
  const mount = mountOf(mounts, asked.path)
  const match = mount && matchOf(mount.routes, asked.path.slice(mount.path.length))
  const passage: Passage = { request: { ...asked, mount: mount?.path ?? '', mountType: mount?.type ?? '' }, caller: undefined }
  let begun = false
  let answer: Answer | undefined
  try {
    try {
      await admit(passage, match, guard)
    } catch (error) {
      await trail.asked(passage.request, passage.caller, error instanceof AdminError ? error.message : 'internal error')
      begun = true
      throw error
    }
    await trail.asked(passage.request, passage.caller, undefined)
    begun = true
    answer = await run(passage, mount, match)
    if (answer && isToBeWrapped(passage, match, answer))
      answer = { wrapInfo: await guard.wrap(passage.caller, passage.request, answer.bare ?? envelopeOf(passage.request, answer)) }
    const response = responseTo(passage.request, answer)
    await trail.answered(passage.request, passage.caller, answer, { status: response.status, errors: [] })
    return response
  } catch (error) {
    const failure = failureOf(error)
    if (!failure.foreseen) onError(error, passage.request)
    if (begun)
      try {
        await trail.answered(passage.request, passage.caller, undefined, failure)
      } catch (untold) {
        onError(untold, passage.request)
      }
    return refusal(failure.status, failure.errors)
  }
}

/** What everybody may read is not: each asking would leave a record in the store. */
function isToBeWrapped({ request }: Passage, match: Match | undefined, answer: Answer): boolean {
  if (request.wrapTtl === 0 || answer.raw || answer.wrapInfo) return false
  return match?.route.access !== 'open' || request.operation !== 'read'
}

async function admit(passage: Passage, match: Match | undefined, guard: Guard): Promise<void> {
  if (match?.route.access === 'open') return
  passage.caller = await guard.authenticate(passage.request)
  if (match) passage.request = { ...passage.request, operation: await operationOf(passage, match) }
  await guard.authorize(passage.caller, passage.request, {
    sudo: match?.route.access === 'sudo',
    stored: storedPath(passage.request, match),
  })
}

function storedPath({ path, mount }: LogicalRequest, match: Match | undefined): string {
  return match?.route.caseless ? mount + path.slice(mount.length).toLowerCase() : path
}

async function operationOf({ request, caller }: Passage, { route, params }: Match): Promise<Operation> {
  if (request.operation !== 'update' || !route.exists || !route.actions.write) return request.operation
  return (await route.exists({ request, caller, params, fields: {} }, undefined)) ? 'update' : 'create'
}

const VERBS: Readonly<Record<Exclude<Operation, 'help'>, Verb>> = {
  create: 'write',
  update: 'write',
  read: 'read',
  delete: 'delete',
  list: 'list',
  patch: 'patch',
}

async function run({ request, caller }: Passage, mount: Mounted | undefined, match: Match | undefined): Promise<Answer | undefined> {
  if (!mount) throw new AdminError(404, `no handler for route ${JSON.stringify(request.path)}. route entry not found.`)
  if (request.operation === 'help') return helpAnswer(mount, request.path, match)
  if (!match) throw unsupportedPath()
  const { route, params } = match
  const action = route.actions[VERBS[request.operation]]
  if (!action) throw unsupportedOperation()
  const call: Call = { request, caller, params, fields: readFields(route.fields, request.data) }
  const answer = await action.run(call, undefined)
  return answer && withWarnings(answer, match, request.data)
}

/** Parameters that nobody reads are told of, but only where there is an answer to say it in. */
function withWarnings(answer: Answer, { route, params }: Match, data: Readonly<Record<string, unknown>>): Answer {
  if (answer.raw || answer.bare) return answer
  const names = Object.keys(data).sort()
  const [ignored, replaced] = [
    names.filter(name => !Object.hasOwn(route.fields, name) && !Object.hasOwn(params, name)),
    names.filter(name => Object.hasOwn(params, name)),
  ]
  const warnings = [...(answer.warnings ?? [])]
  if (ignored.length > 0) warnings.push(`Endpoint ignored these unrecognized parameters: [${ignored.join(' ')}]`)
  if (replaced.length > 0)
    warnings.push(
      `Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [${replaced.join(' ')}]`,
    )
  return warnings.length > 0 ? { ...answer, warnings } : answer
}
