import cluster, { type Worker } from 'node:cluster'
import { randomBytes } from 'node:crypto'
import { AddressError, type Sockets } from '../admin/kmip/engine.ts'
import { answerLook } from '../store/remote-copy.ts'
import type { SharedStore } from '../store/store-owner.ts'
import type { Addresses } from './daemon.ts'
import type { HubMembers, KesHub } from './kes-hub.ts'
import type { KesQuestion } from './kes-siblings.ts'
import type { Logger } from './log.ts'
import { WORKER_VARIABLE } from './worker-link.ts'
import { type Answers, changes, type FromWorker, type MetricValues, type Question, type ToWorker } from './worker-messages.ts'

export interface WorkersOptions {
  readonly count: number
  readonly log: Pick<Logger, 'error'>
  /** Absent: there is no store of ours. */
  readonly store?: SharedStore
}

/** A worker could not be started. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError'
  readonly code = 'worker_failed'
}

const TICKET_KEY_BYTES = 48
const ASK_MS = 2_000
/** To do as rows or the configuration say. */
const CHANGE_MS = 10_000
/** A worker that dies is replaced so much later, and one that lived for less than a second after a longer time. */
const RESTART_MS = 100
const SHORT_LIFE_MS = 1_000
/** Beyond the time that it has to answer what is in flight. */
const STOP_MS = 5_000

interface Member {
  readonly worker: Worker
  readonly startedMs: number
  readonly asked: Map<number, (value: Answers[keyof Answers]) => void>
  /** What waits until it can hear, since it would be lost before; absent: it hears. */
  untold: ToWorker[] | undefined
  isReady: boolean
}

const newMember = (worker: Worker): Member => ({ worker, startedMs: performance.now(), asked: new Map(), untold: [], isReady: false })

/**
 * The processes that answer clients, as the primary process sees them: they share its listeners (node:cluster), and it writes for all of
 * them. One that dies is replaced.
 */
export class Workers implements Sockets, HubMembers {
  readonly #options: WorkersOptions
  readonly #members = new Set<Member>()
  readonly #ticketKeys = randomBytes(TICKET_KEY_BYTES)
  #kes: KesHub | undefined
  #addresses: Addresses | undefined
  #isStopping = false
  #question = 0

  constructor(options: WorkersOptions) {
    this.#options = options
    cluster.setupPrimary({ serialization: 'advanced' })
    options.store?.copy?.onMove(copy => {
      // Who does not hear yet is told where it is as it starts.
      for (const member of this.#members) if (!member.untold) tell(member, { kind: 'moved', copy })
    })
  }

  /**
   * Start them, and return once all accept.
   * @param kes what holds their KES doors together; absent: they have none
   * @throws WorkerError
   */
  async start(kes?: KesHub): Promise<void> {
    this.#kes = kes
    try {
      await Promise.all(Array.from({ length: this.#options.count }, () => this.#spawn()))
    } catch (error) {
      await this.stop(0)
      throw error
    }
  }

  get addresses(): Addresses {
    if (this.#addresses === undefined) throw new WorkerError('no worker accepts connections')
    return this.#addresses
  }

  /** Have all do as the configuration says now. One that cannot goes on as it was, and says why in its log. */
  async reload(): Promise<void> {
    const all = await Promise.all([...this.#members].map(member => this.#ask(member, { what: 'reload' })))
    if (all.includes(NO_ANSWER)) this.#options.log.error({}, 'a worker did not say whether it reloaded')
  }

  /** Have them answer what is in flight, and wait for their end. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true
    const ended = [...this.#members].map(member => {
      tell(member, { kind: 'stop' })
      const { worker } = member
      return new Promise<void>(resolve => {
        const late = setTimeout(() => worker.process.kill('SIGKILL'), drainMs + STOP_MS)
        worker.once('exit', () => {
          clearTimeout(late)
          resolve()
        })
      })
    })
    await Promise.all(ended)
  }

  /** The metrics of each of them that answers. */
  async metrics(): Promise<(readonly MetricValues[])[]> {
    const all = await Promise.all([...this.#members].map(member => this.#ask(member, { what: 'metrics' })))
    return all.flatMap(one => (Array.isArray(one) ? [one] : []))
  }

  async askKes(question: KesQuestion): Promise<ReadonlyMap<number, unknown>> {
    const all = await Promise.all(
      [...this.#members].map(async member => [member.worker.id, await this.#ask(member, { what: 'kes', question })] as const),
    )
    return new Map(all.filter(([, answer]) => answer !== NO_ANSWER))
  }

  async askOneOfKes(worker: number, question: KesQuestion): Promise<unknown> {
    const member = [...this.#members].find(member => member.worker.id === worker)
    return member && this.#ask(member, { what: 'kes', question })
  }

  async apply(mount: string): Promise<void> {
    const all = await Promise.all([...this.#members].map(member => this.#ask(member, { what: 'apply', mount })))
    const reason = all.find(one => typeof one === 'string')
    if (reason === NO_ANSWER) throw new WorkerError('a worker did not answer; it looks again in a minute')
    if (typeof reason === 'string') throw new AddressError(reason)
  }

  /** Why clients cannot be answered now; nothing if they can: by all. */
  async unready(): Promise<string | undefined> {
    const ready = [...this.#members].filter(({ isReady }) => isReady)
    if (ready.length < this.#options.count) return 'a worker is starting'
    const reasons = await Promise.all(
      ready.map(member => this.#ask(member, { what: 'unready' }).then(value => (value === NO_ANSWER ? 'a worker does not answer' : value))),
    )
    return reasons.find(reason => typeof reason === 'string')
  }

  #spawn(): Promise<void> {
    const worker = cluster.fork({ [WORKER_VARIABLE]: '1' })
    const member = newMember(worker)
    this.#members.add(member)
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') {
          this.#addresses = message.addresses
          member.isReady = true
          resolve()
        } else this.#take(member, message)
      })
      worker.once('exit', (code, signal) => {
        this.#members.delete(member)
        this.#kes?.left(worker.id)
        for (const answer of member.asked.values()) answer(NO_ANSWER)
        reject(new WorkerError(signal ? `a worker that was starting was ended by ${signal}` : FAILED))
        if (member.isReady) this.#replace(member, signal ?? code)
      })
    })
  }

  #replace({ worker, startedMs }: Member, how: string | number): void {
    if (this.#isStopping) return
    const { log } = this.#options
    log.error({ worker: worker.id, pid: worker.process.pid, how }, 'a worker has ended; it is replaced')
    setTimeout(
      () => {
        if (this.#isStopping) return
        this.#spawn().catch((err: unknown) => {
          if (this.#isStopping) return
          log.error({ err }, 'a worker could not be replaced; it is tried again')
          this.#replace(newMember(worker), 'failed to start')
        })
      },
      performance.now() - startedMs < SHORT_LIFE_MS ? SHORT_LIFE_MS : RESTART_MS,
    )
  }

  #take(member: Member, message: FromWorker): void {
    const { forward, copy } = this.#options.store ?? {}
    if (message.kind === 'here') {
      const { untold = [] } = member
      member.untold = undefined
      tell(member, { kind: 'start', ticketKeys: this.#ticketKeys, hasKes: this.#kes !== undefined, ...(copy && { copy: copy.path }) })
      for (const message of untold) tell(member, message)
    } else if (message.kind === 'answer') {
      member.asked.get(message.id)?.(message.value)
      member.asked.delete(message.id)
    } else if (message.kind === 'units') {
      const { parcel, units } = message
      void forward?.(units).then(verdicts => tell(member, { kind: 'verdict', parcel, verdicts }))
    } else if (message.kind === 'look' && copy) {
      const { question } = message
      void answerLook(copy).then(answer => tell(member, { kind: 'looked', question, answer }))
    } else if (message.kind === 'call') {
      const { id, call } = message
      this.#kes?.answer(call, member.worker.id).then(
        value => tell(member, { kind: 'return', id, value }),
        (error: unknown) => tell(member, { kind: 'return', id, failure: error instanceof Error ? error.message : String(error) }),
      )
    }
  }

  #ask(member: Member, question: Question): Promise<Answers[keyof Answers]> {
    const id = this.#question++
    const isChange = changes(question)
    // It has served nobody yet, and knows nothing: what changes is all that it has to be told.
    if (member.untold && !isChange) return Promise.resolve(NO_ANSWER)
    return new Promise(resolve => {
      const late = setTimeout(() => answer(NO_ANSWER), isChange ? CHANGE_MS : ASK_MS)
      const answer = (value: Answers[keyof Answers]): void => {
        clearTimeout(late)
        member.asked.delete(id)
        resolve(value)
      }
      member.asked.set(id, answer)
      tell(member, { kind: 'ask', id, question })
    })
  }
}

const NO_ANSWER = 'no answer'
const FAILED = 'a worker could not be started; what it wrote before says why'

/** A worker that is gone is told nothing; it is replaced. */
function tell({ worker, untold }: Member, message: ToWorker): void {
  if (untold) untold.push(message)
  else if (worker.isConnected()) worker.send(message, undefined, () => undefined)
}
