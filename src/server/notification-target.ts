import { setTimeout as sleep } from 'node:timers/promises'
import { requestMessage, responseItems } from '../client/message.ts'
import type { ObjectChange } from '../objects/unit-of-work.ts'
import type { AuditEntry, Peer } from '../ops/engine.ts'
import { notifyFields, putFields } from '../ops/notifications.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { enumeration, enumName, type Item, TYPE } from '../ttlv/item.ts'
import { SetEndpointRole } from '../ttlv/payloads/notifications.ts'
import { type Version, write } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { auditSubject } from './audit-record.ts'
import type { Logger } from './log.ts'

const { EndpointRole, Operation, QueryFunction, ResultStatus } = ENUM

/** A connection on which requests can be sent to a client. */
export interface Line {
  /** @throws Error when the connection breaks or the client is silent for too long */
  request(message: Item): Promise<Item>
  /** The client as it is known at this moment. @throws Error if it may no longer be here */
  peer(): Promise<Peer>
  /** `host:port`, and the number of the connection, 0 if the server made it: for the audit log. */
  readonly address: string
  readonly id: number
  readonly ended: Promise<void>
  readonly closed: boolean
  close(): void
}

/** What became of one message: `unsupported` when the client said that it does not do the operation, `forbidden` when its role may not see it. */
export type Outcome = 'success' | 'failed' | 'dropped' | 'unsupported' | 'forbidden'

export interface TargetOptions {
  /** For log and metrics. */
  readonly name: string
  readonly version: Version
  readonly put: boolean
  readonly notify: boolean
  /** Seconds. */
  readonly leaseTime: number
  /** Changes that wait at most; then the oldest are dropped. */
  readonly queued: number
  /** First and longest wait before something is tried again. */
  readonly retryMs: number
  readonly retryMostMs: number
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  count(operation: string, outcome: Outcome): void
  /** Write an audit record: nothing leaves without one. @throws AuditError */
  audit(subject: string, entry: AuditEntry): void
}

/** How often a message is sent again that the client refuses. */
const ATTEMPTS = 3
/** First version in which a server may ask what a client can do. Spec: KMIP 1.3 section 5.3 */
const ASKING_SINCE = 13
const QUESTIONS = [
  QueryFunction.QueryOperations,
  QueryFunction.QueryObjects,
  QueryFunction.QueryServerInformation,
  QueryFunction.QueryAttestationTypes,
  QueryFunction.QueryProfiles,
  QueryFunction.QueryCapabilities,
]

/** Changes on their way to one client, in order: at most one message is in flight. */
export class NotificationTarget {
  readonly #options: TargetOptions
  readonly #stop = new AbortController()
  readonly #queue: { change: ObjectChange }[] = []
  #overflowing = false
  #wake: (() => void) | undefined
  #line: Line | undefined

  constructor(options: TargetOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#queue.length
  }

  get connected(): boolean {
    return this.#line !== undefined
  }

  /** Take changes in; returns at once. */
  offer(changes: readonly ObjectChange[]): void {
    const { name, queued, log } = this.#options
    for (const change of changes) {
      // Key material that is destroyed on the server must not leave it any more.
      const gone = change.after?.object === undefined ? change.before?.id : undefined
      if (gone !== undefined)
        for (const waiting of this.#queue)
          if (waiting.change.after?.id === gone) waiting.change = { ...waiting.change, after: withoutObject(waiting.change.after) }
      this.#queue.push({ change })
    }
    const over = this.#queue.length - queued
    if (over > 0) {
      this.#queue.splice(0, over)
      for (let i = 0; i < over; i++) this.#options.count('-', 'dropped')
      if (!this.#overflowing)
        log.warn({ target: name, queued }, 'notifications are dropped, the oldest first: the target does not take them')
    }
    this.#overflowing = over > 0
    this.#wake?.()
  }

  /** Connect by `open`, send what waits, and begin anew whenever that fails, until `stop`. Never rejects. */
  async run(open: () => Promise<Line>): Promise<void> {
    const { name, log, retryMs, retryMostMs } = this.#options
    let failures = 0
    while (!this.#stop.signal.aborted) {
      try {
        const line = await open()
        failures = 0
        await this.serve(line).finally(() => line.close())
      } catch (err) {
        failures++
        if (!this.#stop.signal.aborted)
          log.warn(
            { target: name, cause: (err as Error).message, failures },
            'a target of notifications cannot be reached; it is tried again',
          )
      }
      await this.#pause(Math.min(retryMostMs, retryMs * 2 ** Math.max(0, failures - 1)))
    }
  }

  /**
   * Ask the client what it can do and send what waits, until the line or the target ends.
   * @returns `useless` when the client takes nothing of what would be sent
   * @throws Error when the line breaks
   */
  async serve(line: Line, whenUseless: 'stay' | 'leave' = 'stay'): Promise<'useless' | 'ended'> {
    const { name, log } = this.#options
    if (this.#stop.signal.aborted) line.close()
    this.#line = line
    try {
      const can = await this.#learn(line)
      const takes = (operation: number): boolean => can === undefined || can.has(operation)
      log.info({ target: name, put: takes(Operation.Put), notify: takes(Operation.Notify) }, 'a target of notifications is connected')
      if (!takes(Operation.Put) && !takes(Operation.Notify) && whenUseless === 'leave') return 'useless'
      while (!line.closed && !this.#stop.signal.aborted) {
        const [waiting] = this.#queue
        if (waiting === undefined) await this.#idle(line)
        else {
          await this.#tell(waiting.change, line, takes)
          // It may have been dropped meanwhile.
          if (this.#queue[0] === waiting) this.#queue.shift()
        }
      }
      return 'ended'
    } finally {
      this.#line = undefined
    }
  }

  /** Have the client be the client again. @throws Error when it does not want to. Spec: KMIP 2.1 section 6.2.5 */
  async giveBack(line: Line): Promise<void> {
    const payload = write({ endpointRole: EndpointRole.Client }, SetEndpointRole, this.#options.version)
    const request = requestMessage([{ operation: Operation.SetEndpointRole, payload }], this.#options)
    const [answer] = responseItems(await line.request(request))
    if (answer?.status !== ResultStatus.Success) throw new Error('the client refused to be the client again')
  }

  stop(): void {
    this.#stop.abort()
    this.#line?.close()
    this.#wake?.()
  }

  async #tell(change: ObjectChange, line: Line, takes: (operation: number) => boolean): Promise<void> {
    const { version, put, notify, leaseTime, now } = this.#options
    const seconds = BigInt(Math.floor(now() / 1000))
    const object = put ? putFields(change, version, seconds, leaseTime) : undefined
    if (object) await this.#send(Operation.Put, 'Get', object, line, takes)
    const attributes = notify ? notifyFields(change, version, seconds) : undefined
    if (attributes) await this.#send(Operation.Notify, 'GetAttributes', attributes, line, takes)
  }

  async #send(
    operation: number,
    right: 'Get' | 'GetAttributes',
    payload: readonly Item[],
    line: Line,
    takes: (operation: number) => boolean,
  ): Promise<void> {
    const { name, version, log, count, audit, retryMs } = this.#options
    const object = String(payload[0]?.value)
    const title = enumName('Operation', operation)
    if (!takes(operation)) return count(title, 'unsupported')
    for (let attempt = 1; ; attempt++) {
      const peer = await line.peer()
      if (!peer.may(right)) return count(title, 'forbidden')
      audit(auditSubject(peer, line.address, line.id), { operation: title, object, status: 'Sent', latencyMs: 0 })
      const [answer] = responseItems(await line.request(requestMessage([{ operation, payload }], { version })))
      if (answer?.status === ResultStatus.Success) return count(title, 'success')
      count(title, 'failed')
      log.warn({ target: name, operation: title, reason: answer?.reason, attempt }, 'a target refused a notification')
      if (attempt >= ATTEMPTS) return count(title, 'dropped')
      await this.#pause(retryMs * attempt)
    }
  }

  /** Operations that the client says it supports; nothing if it does not say. Spec: KMIP 1.4 section 5.3 and 5.4, 2.1 section 6.2.1 and 6.2.4 */
  async #learn(line: Line): Promise<ReadonlySet<number> | undefined> {
    const { name, version, log } = this.#options
    if (version < ASKING_SINCE) return undefined
    const ask = async (operation: number, payload: readonly Item[]) =>
      responseItems(await line.request(requestMessage([{ operation, payload }], { version })))[0]
    const versions = await ask(Operation.DiscoverVersions, [])
    const spoken = versions?.payload?.value.flatMap(item => versionIn(item)) ?? []
    if (versions?.status === ResultStatus.Success && spoken.length > 0 && !spoken.includes(version))
      log.warn({ target: name, version, spoken }, 'a target of notifications does not list the version that it is configured for')
    const answer = await ask(
      Operation.Query,
      QUESTIONS.map(one => enumeration(TAG.QueryFunction, one)),
    )
    if (answer?.status !== ResultStatus.Success) return undefined
    const operations = answer.payload?.value.flatMap(item =>
      item.tag === TAG.Operation && typeof item.value === 'number' ? [item.value] : [],
    )
    return operations === undefined || operations.length === 0 ? undefined : new Set(operations)
  }

  /** Until something is to be sent, or the line or the target ends. */
  async #idle(line: Line): Promise<void> {
    const woken = new Promise<void>(resolve => {
      this.#wake = resolve
    })
    await Promise.race([woken, line.ended])
    this.#wake = undefined
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#stop.signal.aborted) return
    // Spread, so that servers that lost the same target do not all come back at once.
    const wait = milliseconds * (0.75 + Math.random() / 2)
    // Rejects for one reason: `stop`.
    await sleep(wait, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined)
  }
}

const withoutObject = <T extends NonNullable<ObjectChange['after']>>(object: T) => {
  const copy = object.copy()
  copy.object = undefined
  return copy
}

function versionIn(item: Item): Version[] {
  if (item.tag !== TAG.ProtocolVersion || item.type !== TYPE.Structure) return []
  const [major, minor] = item.value.map(field => Number(field.value))
  return major === undefined || minor === undefined ? [] : [major * 10 + minor]
}
