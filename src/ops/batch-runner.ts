import { KmipError, reasonFor } from '../objects/errors.ts'
import type { ObjectCache } from '../objects/object-cache.ts'
import { type ObjectChange, type OnCommit, UnitOfWork } from '../objects/unit-of-work.ts'
import type { Records } from '../seal/records.ts'
import { isConflict } from '../store/store.ts'
import { sizeOf } from '../ttlv/binary.ts'
import { requestFrom, responseTo } from '../ttlv/dialect.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, enumName, type Item, type Structure } from '../ttlv/item.ts'
import { read, type Version, write } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { authenticate, CERTIFICATE_ALONE, hasRight, ownerOf } from './authentication.ts'
import { type Asking, Batch, Context, type Environment } from './context.ts'
import type { AuditEntry, Channel, Peer, Reply } from './engine.ts'
import { kmipErrorOf } from './failures.ts'
import { isFailure, type Request, type RequestItem, responseItem, responseMessage } from './message.ts'
import type { Operation } from './operation.ts'
import { failed, type Outcome, tooLarge, undone } from './outcome.ts'
import { remember, resolveReferences } from './references.ts'
import type { Source } from './remembered-answers.ts'
import { ResponseBudget } from './response-budget.ts'
import { endFresh } from './served-marks.ts'
import { findUser } from './stored-users.ts'
import { Turns } from './turns.ts'

const { ResultStatus, BatchErrorContinuationOption } = ENUM

/** How often work is done again because another client changed the same object meanwhile. */
const ATTEMPTS = 50
const CORRELATION_BYTES = 16

/** Objects that a client changed in its scope, in one commit. */
export interface Change {
  /** Its id, as it partitions the store. */
  readonly scope: string
  readonly scopeName: string
  readonly objects: readonly ObjectChange[]
}

/** An answer, and what that to a plain request of one item follows from, if from nothing else. */
export interface Sourced extends Reply {
  readonly source?: Source | undefined
}

/** Runs the items of a request in order, each as one unit of work, or all as one under Undo. Spec: KMIP 1.4 section 4 and 6.13 */
export class BatchRunner {
  readonly #environment: Environment
  readonly #records: Records
  readonly #cache: ObjectCache
  readonly #operations: ReadonlyMap<number, Operation>
  readonly #turns = new Turns()
  readonly #onChange: ((change: Change) => void) | undefined

  /** @param onChange is told of what was stored, at once and in order; it must not throw */
  constructor(environment: Environment, records: Records, cache: ObjectCache, onChange?: (change: Change) => void) {
    this.#onChange = onChange
    this.#environment = environment
    this.#records = records
    this.#cache = cache
    this.#operations = new Map(environment.operations.map(operation => [operation.code, operation]))
  }

  async run(request: Request, peer: Peer, channel?: Channel, refused?: KmipError): Promise<Sourced> {
    const option = request.header.batchErrorContinuationOption ?? BatchErrorContinuationOption.Stop
    const undo = option === BatchErrorContinuationOption.Undo && request.items.length > 1
    const critical = request.items.find(hasCriticalExtension)
    if (critical) return this.#reject(critical, request)
    const { authentication } = request.header
    const asking: Asking =
      authentication === undefined || refused !== undefined
        ? { peer, inner: CERTIFICATE_ALONE, channel, refused }
        : await this.#identify(authentication, peer, channel)
    const { serverHashedPassword } = asking.inner
    const budget = new ResponseBudget(request, this.#environment.now(), serverHashedPassword)
    const outcomes = undo
      ? await this.#runAsOne(request, asking, budget)
      : await this.#runEach(request, asking, budget, option === BatchErrorContinuationOption.Continue)
    const items = outcomes.map(outcome => responseItem(outcome.response))
    const entries = outcomes.map(outcome => outcome.entry)
    const source = isPlain(request) ? outcomes[0]?.source : undefined
    if (budget.fits(items)) return { message: this.#respond(request, items, serverHashedPassword), entries, source }
    const { code, name } = reasonFor(tooLarge(budget.limit), request.version)
    const item = responseItem({ status: ResultStatus.OperationFailed, reason: code, message: tooLarge(budget.limit).message })
    return {
      message: this.#respond(request, [item]),
      entries: [...entries, { operation: '-', status: 'OperationFailed', reason: name, latencyMs: 0 }],
    }
  }

  #respond({ header }: Request, items: readonly Structure[], serverHashedPassword?: Buffer): Structure {
    const { protocolVersion, clientCorrelationValue } = header
    const { major, minor } = protocolVersion
    return responseMessage({ major, minor, timeStamp: this.#environment.now(), clientCorrelationValue, serverHashedPassword }, items)
  }

  /** Who asks inside the request; credentials that are wrong fail every item. */
  async #identify(authentication: Item, peer: Peer, channel: Channel | undefined): Promise<Asking> {
    const { settings, tickets, hashedPasswords, now } = this.#environment
    try {
      const users = (name: string) => findUser(new UnitOfWork(this.#records, this.#cache, peer.scope), name)
      const known = { accounts: settings.accounts, tickets, users, hashedPasswords }
      return { peer, inner: await authenticate(authentication, peer, known, now()), channel }
    } catch (error) {
      const refused = kmipErrorOf(error)
      if (refused === undefined) throw error
      return { peer, inner: CERTIFICATE_ALONE, channel, refused }
    }
  }

  /** A critical extension that we do not know rejects the whole message, before any of it is done. Spec: KMIP 1.4 section 6.16 */
  #reject(item: RequestItem, request: Request): Sourced {
    const error = new KmipError('FeatureNotSupported', 'the request has a critical Message Extension, and no extension is known here')
    const operation = this.#operations.get(item.operation)?.name ?? `0x${item.operation.toString(16)}`
    const { response, entry } = failed(item, error, request.version, { operation, status: 'OperationFailed', latencyMs: 0 })
    return { message: this.#respond(request, [responseItem(response)]), entries: [entry] }
  }

  async #runEach(request: Request, asking: Asking, budget: ResponseBudget, goOn: boolean): Promise<Outcome[]> {
    const { items } = request
    const batch = new Batch(items.length)
    const outcomes: Outcome[] = []
    const later = isAsynchronous(request) && !asking.refused
    for (let at = 0; at < items.length; at++) {
      const item = items[at]!
      budget.keepFor(items, at + 1, goOn ? items.length : at + 2, request.version)
      const outcome =
        later && this.#operations.get(item.operation)?.immediate !== true
          ? this.#putOff(item, request.version, asking)
          : await this.#runAlone(item, request.version, asking, batch, budget)
      outcomes.push(outcome)
      budget.spend(outcome.response)
      if (isFailure(outcome.response) && !goOn) break
    }
    return outcomes
  }

  /** Promise to do an item later, and tell by which value the client can ask for the outcome. Spec: KMIP 1.4 section 6.7, 2.1 section 9.2 */
  #putOff(item: RequestItem, version: Version, asking: Asking): Outcome {
    const { jobs, now, randomBytes, defer } = this.#environment
    const name = this.#operations.get(item.operation)?.name ?? `0x${item.operation.toString(16)}`
    const entry: AuditEntry = { operation: name, status: 'OperationPending', latencyMs: 0 }
    try {
      const job = jobs.submit({
        correlation: randomBytes(CORRELATION_BYTES),
        owner: ownerOf(asking),
        operation: item.operation,
        submitted: now(),
        bytes: sizeOf(item.requestPayload),
        run: async refusal => {
          const outcome = await this.#runAlone(item, version, asking, new Batch(1), ResponseBudget.unlimited)
          const error = refusal(outcome.response)
          return (error ? failed(item, error, version, outcome.entry) : outcome).response
        },
      })
      defer(() => jobs.run(job))
      const { operation, uniqueBatchItemId } = item
      return { response: { operation, uniqueBatchItemId, status: ResultStatus.OperationPending, correlation: job.correlation }, entry }
    } catch (error) {
      return failed(item, error, version, entry)
    }
  }

  /** One item, in a unit of work of its own that is durable before the answer is given. */
  #runAlone(item: RequestItem, version: Version, asking: Asking, batch: Batch, budget: ResponseBudget): Promise<Outcome> {
    const { placeholder } = batch
    const [answered, given] = [batch.identifiers.length, batch.results.length]
    return this.#untilStored(asking.peer.scope, async (attempt, last) => {
      const unit = this.#unitFor(asking.peer, attempt)
      batch.placeholder = placeholder
      batch.identifiers.length = answered
      batch.results.length = given
      const outcome = await this.#runItem(item, version, asking, batch, unit)
      const checked = budget.check(item, outcome, version)
      if (isFailure(checked.response)) return checked
      if (!unit.isChanged) {
        this.#noteServed(unit, asking.peer, outcome.source)
        return checked
      }
      try {
        await this.#commit(unit)
        return outcome
      } catch (error) {
        return isConflict(error) && !last ? undefined : failed(item, error, version, outcome.entry)
      }
    })
  }

  async #commit(unit: UnitOfWork): Promise<void> {
    for (const { id } of unit.served) endFresh(await unit.edit(id))
    await unit.commit()
  }

  /** @param source of the answer that served an object alone */
  #noteServed({ served }: UnitOfWork, peer: Peer, source?: Source): void {
    for (const object of served) this.#environment.marks.note(object, () => this.#unitFor(peer, 1), source === 'scope' ? undefined : source)
  }

  #unitFor({ scope, scopeName }: Peer, attempt: number): UnitOfWork {
    const onChange = this.#onChange
    const onCommit: OnCommit | undefined = onChange && (objects => onChange({ scope, scopeName, objects }))
    return new UnitOfWork(this.#records, this.#cache, scope, attempt > 1, onCommit)
  }

  /** Do work again as long as other clients change the same objects meanwhile: it says so by answering nothing. */
  async #untilStored<T>(scope: string, work: (attempt: number, last: boolean) => Promise<T | undefined>): Promise<T> {
    let endTurn: (() => void) | undefined
    try {
      for (let attempt = 1; ; attempt++) {
        const result = await work(attempt, attempt >= ATTEMPTS)
        if (result !== undefined) return result
        endTurn ??= await this.#turns.take(scope)
      }
    } finally {
      endTurn?.()
    }
  }

  /** All items in one unit of work: when one fails, none happened. Spec: KMIP 1.4 section 11.43, BL-M-2 of the 2.1 profiles */
  #runAsOne(request: Request, asking: Asking, budget: ResponseBudget): Promise<Outcome[]> {
    return this.#untilStored(asking.peer.scope, async (attempt, stop) => {
      const unit = this.#unitFor(asking.peer, attempt)
      const batch = new Batch(request.items.length)
      const outcomes: Outcome[] = []
      let spent = 0
      for (const item of request.items) {
        const outcome = budget.check(item, await this.#runItem(item, request.version, asking, batch, unit), request.version, spent)
        outcomes.push(outcome)
        spent += sizeOf(responseItem(outcome.response))
        if (isFailure(outcome.response)) return [...outcomes.slice(0, -1).map(undone), outcome]
      }
      if (!budget.fits(outcomes.map(outcome => responseItem(outcome.response)))) return outcomes.map(undone)
      try {
        if (unit.isChanged) await this.#commit(unit)
        else this.#noteServed(unit, asking.peer)
        return outcomes
      } catch (error) {
        if (isConflict(error) && !stop) return undefined
        const last = outcomes.at(-1)!
        return [...outcomes.slice(0, -1).map(undone), failed(request.items.at(-1)!, error, request.version, last.entry)]
      }
    })
  }

  async #runItem(item: RequestItem, version: Version, asking: Asking, batch: Batch, unit: UnitOfWork): Promise<Outcome> {
    const started = performance.now()
    const operation = this.#operations.get(item.operation)
    const name = operation?.name ?? `0x${item.operation.toString(16)}`
    const context = new Context(this.#environment, asking, batch, unit, version, item)
    const entry = (status: string): AuditEntry => ({
      operation: name,
      object: context.subject,
      user: asking.inner.user,
      remark: context.remark,
      status,
      latencyMs: performance.now() - started,
    })
    try {
      if (!operation || version < operation.since)
        throw new KmipError('OperationNotSupported', 'this operation is not supported in this version of the protocol')
      if (asking.refused) throw asking.refused
      if (!asking.peer.may(name)) throw new KmipError('PermissionDenied', `the role may not do ${name}`)
      if (!hasRight(asking.inner, item.operation)) throw new KmipError('NotAuthorised', `the ticket does not cover ${name}`)
      const canonical = requestFrom(version, item.operation, item.requestPayload)
      const typed = read(resolveReferences(canonical, batch), operation.request)
      if (operation.answer) {
        const response = await operation.answer(typed, context)
        return {
          response: { ...response, uniqueBatchItemId: item.uniqueBatchItemId },
          entry: entry(enumName('ResultStatus', response.status)),
        }
      }
      const payload = await operation.run(typed, context)
      const fields = write(payload, operation.response, version)
      if (batch.size > 1) remember(operation, fields, batch)
      return {
        response: {
          operation: item.operation,
          uniqueBatchItemId: item.uniqueBatchItemId,
          status: ResultStatus.Success,
          payload: responseTo(version, isEphemeral(item) ? fields.filter(field => field.tag !== TAG.Data) : fields, item.requestPayload),
        },
        entry: entry('Success'),
        source: context.source,
      }
    } catch (error) {
      return failed(item, error, version, entry('OperationFailed'))
    }
  }
}

/** One item, and nothing in the header that could make its answer another one the next time. */
const isPlain = ({ header, items }: Request): boolean =>
  items.length === 1 &&
  header.authentication === undefined &&
  header.asynchronousIndicator === undefined &&
  header.timeStamp === undefined &&
  header.clientCorrelationValue === undefined

/** Asynchronous Indicator: a Boolean in 1.x, where True lets the server choose, an enumeration from 2.0 on. Spec: KMIP 1.4 section 6.7 */
function isAsynchronous({ header, version }: Request): boolean {
  const value = header.asynchronousIndicator?.value
  return version < 20 ? value === true : value === ENUM.AsynchronousIndicator.Mandatory
}

const hasCriticalExtension = (item: RequestItem): boolean =>
  item.messageExtension.some(extension => child(extension, TAG.CriticalityIndicator)?.value === true)

/** Data does not go to the client: True in 2.x, an enumeration in 3.0. Spec: KMIP 2.1 section 8.3 */
const isEphemeral = ({ ephemeral }: RequestItem): boolean => ephemeral?.value === true || ephemeral?.value === ENUM.Ephemeral.Data
