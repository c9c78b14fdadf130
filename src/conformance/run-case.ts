import { randomBytes, randomUUID } from 'node:crypto'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, dateTime, type Item, TYPE } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { type Case, nearestCase, operationOf, type Sender, type Step } from './case.ts'
import { cleanUp } from './clean-up.ts'
import { compareResponse } from './compare.ts'
import { defectOf, isSlow, setupOf } from './defects.ts'
import type { Asked, Endpoint } from './endpoint.ts'
import { fieldsOf, type Pattern, type Placeholder, resolve } from './pattern.ts'
import { requiredOperations } from './rules.ts'
import { batchItems, identifiersIn, numberIn, Session } from './session.ts'
import { type Difference, type Exchange, sampleKey } from './values.ts'

/** How a message reaches the server: TTLV over TLS, or any other encoding. */
export interface Transport {
  /** Send a request with the certificate of `sender` and wait for the response message. */
  exchange(sender: Sender, request: Item): Promise<Item>
}

export interface RunOptions {
  readonly transport: Transport
  /** Where the server's own requests come to; without it, cases in which the server asks are skipped. */
  readonly endpoint?: Endpoint
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly sleep: (milliseconds: number) => Promise<void>
  /** Every case there is, for set-ups and alternatives. */
  readonly cases: readonly Case[]
  /** Leave out cases that wait for minutes. */
  readonly skipSlow?: boolean
  /** How long a step is repeated, in seconds; unless told 30, and 180 in cases that wait for minutes. */
  readonly repeatSeconds?: number
}

export interface CaseResult {
  readonly name: string
  readonly version: number
  readonly status: 'passed' | 'failed' | 'skipped'
  /** Why the case was skipped, or could not go on. */
  readonly reason?: string
  /** The step, from 1, that went wrong, and how. */
  readonly step?: number
  readonly difference?: Difference
  readonly milliseconds: number
}

/** Run one case, after those that set it up, and destroy what it leaves behind. Never rejects. */
export async function runCase(one: Case, options: RunOptions): Promise<CaseResult> {
  const { now, cases, skipSlow = false } = options
  const started = now()
  const outcome = (status: CaseResult['status'], more: Partial<CaseResult> = {}): CaseResult => ({
    name: one.name,
    version: one.version,
    milliseconds: now() - started,
    ...more,
    status,
  })
  if (skipSlow && isSlow(one.stem)) return outcome('skipped', { reason: 'waits for minutes' })
  const slip = defectOf(one.name)
  if (slip?.contradictsSpecification) return outcome('skipped', { reason: slip.reason })
  const { endpoint } = options
  const serverAsks = one.steps.some(step => step.serverToClient)
  if (serverAsks && endpoint === undefined) return outcome('skipped', { reason: 'needs a connection from the server' })
  const missing = setupOf(one.stem).find(stem => nearestCase(cases, stem, one.version) === undefined)
  if (missing !== undefined) return outcome('skipped', { reason: `the case ${missing} that sets it up is not in the folder` })

  const alternatives = defectOf(one.name)?.contradiction === true ? siblingsOf(one, cases) : []
  let first: CaseResult | undefined
  for (const script of [one, ...alternatives]) {
    const failure = await runWatched(script, options)
    if (failure === undefined) return outcome('passed')
    first ??= outcome('failed', failure)
  }
  return first!
}

/** The cases that contradict this one, in its version. */
function siblingsOf(one: Case, cases: readonly Case[]): Case[] {
  const family = one.stem.replace(/-\d+$/, '')
  return cases.filter(
    other =>
      other !== one && other.version === one.version && other.stem.startsWith(family) && defectOf(other.name)?.contradiction === true,
  )
}

/** Keep the server's own requests for the case, if there are any in it. */
async function runWatched(one: Case, options: RunOptions): Promise<Failure | undefined> {
  const { endpoint } = options
  if (endpoint === undefined || !one.steps.some(step => step.serverToClient)) return runScript(one, options)
  // A server asks what its client can do when it connects.
  if (one.steps[0]!.serverToClient) endpoint.hangUp()
  endpoint.watch(one.version)
  try {
    return await runScript(one, options)
  } finally {
    endpoint.watch(undefined)
  }
}

type Failure = Pick<CaseResult, 'reason' | 'step' | 'difference'>

async function runScript(one: Case, options: RunOptions): Promise<Failure | undefined> {
  const session = new Session()
  const began = BigInt(Math.floor(options.now() / 1000))
  try {
    for (const stem of setupOf(one.stem)) {
      const setup = nearestCase(options.cases, stem, one.version)
      if (setup === undefined) return { reason: `the case ${stem} that sets it up is missing` }
      const failure = await runSteps(setup, session, began, options)
      if (failure !== undefined) return { ...failure, reason: `while ${setup.name} sets it up` }
    }
    return await runSteps(one, session, began, options)
  } catch (error) {
    return { reason: (error as Error).message }
  } finally {
    await cleanUp(session.left, options.transport)
  }
}

async function runSteps(one: Case, session: Session, began: bigint, options: RunOptions): Promise<Failure | undefined> {
  const { transport, now, sleep } = options
  const seconds = options.repeatSeconds ?? (isSlow(one.stem) ? 180 : 30)
  const bindings = new Map<string, Item>()
  const defect = defectOf(one.name)
  const required = requiredOperations(one.stem)
  for (const [index, step] of one.steps.entries()) {
    if (step.serverToClient) {
      const failure = await serveStep(step, { session, bindings, began, defect, required }, options)
      if (failure !== undefined) return { step: index + 1, ...failure }
      continue
    }
    const until = now() + seconds * 1000
    for (;;) {
      let request: Item
      try {
        request = fill(step.request, bindings, session, BigInt(Math.floor(now() / 1000)))
      } catch (error) {
        return { step: index + 1, reason: (error as Error).message }
      }
      session.sent(request)
      let response: Item
      try {
        response = await transport.exchange(step.sender, request)
      } catch (error) {
        return { step: index + 1, reason: `no answer: ${(error as Error).message}` }
      }
      session.received(request, response, step.sender, one.version)
      const exchange = { session, bindings, request, began, now: BigInt(Math.floor(now() / 1000)), defect, required }
      const comparison = compareResponse(step.response, response, exchange)
      if (comparison.difference === undefined) {
        for (const [name, value] of comparison.found) bindings.set(name, value)
        break
      }
      if (!mayChange(step, response) || now() > until) return { step: index + 1, difference: comparison.difference }
      await sleep(250)
    }
  }
  return undefined
}

/** Wait for what the server asks, compare it, and give the case's answer. */
async function serveStep(
  step: Step,
  known: Omit<Exchange, 'request' | 'now' | 'bindings'> & { readonly bindings: Map<string, Item> },
  { endpoint, now }: RunOptions,
): Promise<Failure | undefined> {
  for (;;) {
    const asked: Asked | undefined = await endpoint?.next(SERVER_ASKS_WITHIN_MS)
    if (endpoint === undefined || asked === undefined) return { reason: 'the server did not ask' }
    if (!isMeant(step, asked.message, known.session)) {
      asked.answer(endpoint.usualAnswer(asked.message))
      continue
    }
    const time = BigInt(Math.floor(now() / 1000))
    const comparison = compareResponse(step.request, asked.message, { ...known, request: asked.message, now: time })
    if (comparison.difference !== undefined) {
      asked.answer(endpoint.usualAnswer(asked.message))
      return { difference: comparison.difference }
    }
    for (const [name, value] of comparison.found) known.bindings.set(name, value)
    asked.answer(fill(step.response, known.bindings, known.session, time))
    return undefined
  }
}
// A server that found nobody there tries again after a while.
const SERVER_ASKS_WITHIN_MS = 40_000

/** Whether a request of the server's is about this step: the same operation, on an object of the case. */
function isMeant(step: Step, message: Item, session: Session): boolean {
  const [wanted] = fieldsOf(step.request, TAG.BatchItem)
  const [item] = batchItems(message)
  const payload = item && child(item, TAG.RequestPayload)
  if (wanted === undefined || item === undefined || payload === undefined || numberIn(item, TAG.Operation) !== operationOf(wanted))
    return false
  return identifiersIn(payload).every(id => session.originOf(String(id.value)) !== undefined)
}

/** Whether the expected response may still come: an operation that has failed will not succeed later. */
function mayChange(step: Step, response: Item): boolean {
  return step.repeat && batchItems(response).every(item => numberIn(item, TAG.ResultStatus) !== ENUM.ResultStatus.OperationFailed)
}

/**
 * The request to send: placeholders filled, sample values replaced by what the server made of them.
 * @throws Error for a placeholder that nothing has bound
 */
function fill(request: Pattern, bindings: Map<string, Item>, session: Session, now: bigint): Item {
  const value = ({ name, offset }: Placeholder, tag: number, type: number): Item => {
    if (name === 'NOW') return dateTime(tag, now + BigInt(offset))
    if (name.includes('_RANDOM_')) {
      // What the client makes up stays the same to the end of the case.
      const known = bindings.get(name) ?? random(tag, type)
      bindings.set(name, known)
      return known
    }
    const known = bindings.get(name) ?? session.last.get(tag)
    if (known === undefined) throw new Error(`no response has shown $${name}`)
    // The type is the case's, as 3.0 has several for the same text; a key may be a structure in spite of it.
    return { ...known, tag, ...(typeof known.value === 'string' && { type }) } as Item
  }
  return resolve(request, value, item => {
    const sample = session.samples.get(sampleKey(item))
    return sample !== undefined && sample.type === item.type ? ({ ...sample, tag: item.tag } as Item) : item
  })
}

const random = (tag: number, type: number): Item =>
  type === TYPE.ByteString ? { tag, type, value: randomBytes(32) } : ({ tag, type, value: randomUUID() } as Item)
