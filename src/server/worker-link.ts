import cluster from 'node:cluster'
import { AddressError, type Sockets } from '../admin/kmip/engine.ts'
import { RemoteCopy } from '../store/remote-copy.ts'
import { RemoteWriter } from '../store/remote-writer.ts'
import type { StoreOwner } from '../store/store-owner.ts'
import type { Addresses } from './daemon.ts'
import { type KesCall, Siblings } from './kes-siblings.ts'
import type { Logger } from './log.ts'
import { type Answers, changes, type FromWorker, type Question, type Start, type ToWorker } from './worker-messages.ts'

type About<W extends Question['what']> = Extract<Question, { readonly what: W }>

/** What a worker process does when the primary process tells it. */
export interface Told {
  stop(): void
  readonly answers: {
    readonly [what in Exclude<keyof Answers, 'kes'>]: (question: About<what>) => Promise<Answers[what]> | Answers[what]
  }
}

/** Set for the processes that the primary process makes. */
export const WORKER_VARIABLE = 'KMIPD_WORKER'

/** Whether this process is one that a primary process made to answer clients. */
export const isWorker = (): boolean => cluster.isWorker && process.env[WORKER_VARIABLE] !== undefined

/**
 * The side of a worker process of what is said between it and the primary process. When the primary process ends, this one does: it could
 * not store anything any more. Its signals are the primary's to handle, except that it stops when it is told to.
 */
export class WorkerLink {
  /** Resolves with what the primary process has for its workers. */
  readonly started: Promise<Start & { readonly store: StoreOwner }>
  readonly #writer: RemoteWriter
  #copy: RemoteCopy | undefined
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #call = 0
  #kes: Siblings | undefined
  #told: Told | undefined
  readonly #serving: Promise<Told>
  #serve: (told: Told) => void = () => undefined
  #isToStop = false

  constructor() {
    this.#writer = new RemoteWriter((parcel, units) => send({ kind: 'units', parcel, units }))
    this.#serving = new Promise(resolve => {
      this.#serve = resolve
    })
    this.started = new Promise(resolve => {
      process.on('message', (message: ToWorker) => {
        if (message.kind === 'start')
          resolve({ ...message, store: this.#storeAt(message.copy), ticketKeys: Buffer.from(message.ticketKeys) })
        else this.#take(message)
      })
    })
    // The primary process gets the same signal where a terminal or a supervisor sends it to all, and tells the workers.
    process.on('SIGHUP', () => undefined)
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => this.#stop())
    send({ kind: 'here' })
  }

  /** The others that serve the KES door. */
  kes({ ticketKeys }: Start, count: number): Siblings {
    this.#kes = new Siblings({ ticketKeys, count, call: call => this.#ask(call) })
    return this.#kes
  }

  /** The listeners accept: from now on do what the primary process tells. */
  serve(addresses: Addresses, told: Told): void {
    this.#told = told
    this.#serve(told)
    send({ kind: 'ready', addresses })
    if (this.#isToStop) told.stop()
  }

  /** The listeners accept at other addresses. */
  moved(addresses: Addresses): void {
    if (process.connected) send({ kind: 'ready', addresses })
  }

  /** Say no more, so that the process can end. */
  close(): void {
    if (process.connected) process.disconnect()
  }

  #storeAt(path: string | undefined): StoreOwner {
    const writer = this.#writer
    if (path === undefined) return { writer }
    this.#copy = new RemoteCopy(path, question => send({ kind: 'look', question }))
    return { writer, copy: this.#copy }
  }

  #take(message: ToWorker): void {
    if (message.kind === 'verdict') this.#writer.settle(message.parcel, message.verdicts)
    else if (message.kind === 'looked') this.#copy?.settle(message.question, message.answer)
    else if (message.kind === 'moved') this.#copy?.move(message.copy)
    else if (message.kind === 'stop') this.#stop()
    else if (message.kind === 'ask') void this.#answer(message.id, message.question)
    else if (message.kind === 'return') {
      const call = this.#calls.get(message.id)
      this.#calls.delete(message.id)
      if (message.failure === undefined) call?.resolve(message.value)
      else call?.reject(new Error(message.failure))
    }
  }

  /** Have the primary process do something. */
  #ask(call: KesCall): Promise<unknown> {
    const id = this.#call++
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject })
      send({ kind: 'call', id, call })
    })
  }

  #stop(): void {
    this.#isToStop = true
    this.#told?.stop()
  }

  async #answer(id: number, question: Question): Promise<void> {
    const value = await this.#valueFor(question)
    send({ kind: 'answer', id, value })
  }

  async #valueFor(question: Question): Promise<unknown> {
    if (question.what === 'kes') return this.#kes?.answer(question.question)
    const told = changes(question) ? await this.#serving : this.#told
    if (told === undefined) return 'it is starting'
    // Each question goes to the answer of its name.
    const answer = told.answers[question.what] as (question: Question) => unknown
    return answer(question)
  }
}

const send = (message: FromWorker): void => {
  // Without the primary process nothing is to be said any more.
  if (process.connected) process.send?.(message)
}

/** Have the listeners be as the rows of a mount say. @returns why they cannot; nothing if they are */
export async function applied(sockets: Sockets, mount: string, log: Logger): Promise<string | undefined> {
  try {
    await sockets.apply(mount)
    return undefined
  } catch (err) {
    if (err instanceof AddressError) return err.message
    log.error({ err }, 'the listeners cannot be changed')
    return 'a worker could not change its listeners; its log says more'
  }
}

/** Do as the configuration says now. @returns why not; nothing if it does */
export async function reloaded(reload: () => Promise<void>, log: Pick<Logger, 'error'>): Promise<string | undefined> {
  try {
    await reload()
    return undefined
  } catch (err) {
    log.error({ err }, 'not reloaded; the worker goes on as it was')
    return err instanceof Error ? err.message : String(err)
  }
}
