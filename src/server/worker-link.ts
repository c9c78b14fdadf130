import cluster from 'node:cluster'
import { AddressError, type Sockets } from '../admin/kmip/engine.ts'
import { RemoteCopy } from '../store/remote-copy.ts'
import { RemoteWriter } from '../store/remote-writer.ts'
import type { StoreOwner } from '../store/store-owner.ts'
import type { Addresses } from './daemon.ts'
import type { Logger } from './log.ts'
import type { Answers, FromWorker, ToWorker } from './worker-messages.ts'

/** What a worker process does when the primary process tells it. */
export interface Told {
  reload(): void
  stop(): void
  readonly answers: { readonly [what in keyof Answers]: (mount: string) => Promise<Answers[what]> | Answers[what] }
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
  /** Resolves with what the primary process has for its workers: the store, and the keys of TLS session tickets that all share. */
  readonly started: Promise<{ readonly store: StoreOwner; readonly ticketKeys: Buffer }>
  readonly #writer: RemoteWriter
  #copy: RemoteCopy | undefined
  #told: Told | undefined
  #isToStop = false

  constructor() {
    this.#writer = new RemoteWriter((parcel, units) => send({ kind: 'units', parcel, units }))
    this.started = new Promise(resolve => {
      process.on('message', (message: ToWorker) => {
        if (message.kind === 'start') resolve({ store: this.#storeAt(message.copy), ticketKeys: Buffer.from(message.ticketKeys) })
        else this.#take(message)
      })
    })
    // The primary process gets the same signal where a terminal or a supervisor sends it to all, and tells the workers.
    process.on('SIGHUP', () => undefined)
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => this.#stop())
    send({ kind: 'here' })
  }

  /** The listeners accept: from now on do what the primary process tells. */
  serve(addresses: Addresses, told: Told): void {
    this.#told = told
    send({ kind: 'ready', addresses })
    if (this.#isToStop) told.stop()
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
    else if (message.kind === 'reload') this.#told?.reload()
    else if (message.kind === 'ask') void this.#answer(message.id, message.what, message.mount ?? '')
  }

  #stop(): void {
    this.#isToStop = true
    this.#told?.stop()
  }

  async #answer(id: number, what: keyof Answers, mount: string): Promise<void> {
    const value = await this.#told?.answers[what](mount)
    if (process.connected) send({ kind: 'answer', id, value: this.#told ? value : 'it is starting' })
  }
}

const send = (message: FromWorker): void => {
  process.send?.(message)
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
