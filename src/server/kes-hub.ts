import { type Counts, type Figures, NO_COUNTS, sumOfCounts, sumOfSystems } from '../kes/figures.ts'
import type { KesSettings } from '../kes/settings.ts'
import { STREAMS, type Stream } from '../kes/telemetry.ts'
import type { KeyStore } from '../keystore/keystore.ts'
import { answerStoreCall, type StoreAnswer, type StoreCall } from '../keystore/remote.ts'
import { type Heard, type KesCall, type KesQuestion, type KesReturns, sentCredential } from './kes-siblings.ts'
import { closeLater, type KesState, type KesStateOptions, openState, readCredential } from './kes-state.ts'
import { systemNow } from './kes-system.ts'

/** The processes that serve the door. */
export interface HubMembers {
  /** Ask all of them. @returns what those said that answered in time, by the numbers of the processes */
  askKes(question: KesQuestion): Promise<ReadonlyMap<number, unknown>>
  /** Ask one, if it is there. */
  askOneOfKes(worker: number, question: KesQuestion): Promise<unknown>
}

export interface KesHubOptions extends KesStateOptions {
  readonly members: HubMembers
}

/**
 * Holds together a KES door that several processes serve: reads the configuration and opens the key store, once for all; tells all when a key
 * is another one; sums what they count; and brings the lines of their streams to whoever listens.
 */
export class KesHub {
  readonly #options: KesHubOptions
  readonly #startedMs = performance.now()
  #state: KesState
  readonly #listeners: { readonly [stream in Stream]: Set<number> } = { audit: new Set(), errors: new Set() }
  #telling: Promise<unknown> = Promise.resolve()
  /** What processes counted when they were asked last. */
  readonly #counts = new Map<number, Counts>()
  /** What processes counted that are no more. */
  #gone = NO_COUNTS

  private constructor(options: KesHubOptions, state: KesState) {
    this.#options = options
    this.#state = state
  }

  /** @throws KesConfigError, KeyStoreError, the system's error */
  static async open(options: KesHubOptions): Promise<KesHub> {
    return new KesHub(options, await openState(options))
  }

  get settings(): KesSettings {
    return this.#state.settings
  }

  get store(): KeyStore {
    return this.#state.store
  }

  /** Read configuration and certificates anew; the processes are told by whoever calls. @throws what is wrong, and all is as before */
  async reload(): Promise<void> {
    const old = this.#state
    this.#state = await openState(this.#options)
    closeLater(old.store, old.settings)
  }

  async stop(): Promise<void> {
    await this.#state.store.close()
  }

  /** Do what a process cannot do itself. @param worker its number */
  async answer(call: KesCall, worker: number): Promise<KesReturns[KesCall['do']]> {
    switch (call.do) {
      case 'settings':
        // The keys of the configuration are there already.
        return { settings: { ...this.settings, keys: [] }, store: this.store.description }
      case 'credential':
        return sentCredential(await readCredential(this.#options, this.settings))
      case 'store':
        return this.#store(call.call)
      case 'figures':
        return this.#figures()
      case 'join':
        return this.#heard
      case 'listen':
        return this.#listen(worker, call.stream, call.isHeard)
      case 'pass':
        return this.#pass(worker, call.stream, call.lines)
    }
  }

  /** A process has ended. */
  left(worker: number): void {
    this.#gone = sumOfCounts(this.#gone, { ...(this.#counts.get(worker) ?? NO_COUNTS), active: 0 })
    this.#counts.delete(worker)
    for (const stream of STREAMS) if (this.#listeners[stream].delete(worker)) void this.#tellHeard()
  }

  /** When somebody knows that a key was made or deleted, no process goes on by what was before. */
  async #store(call: StoreCall): Promise<StoreAnswer> {
    const answer = await answerStoreCall(this.store, call)
    if (call.ask === 'delete' || (call.ask === 'create' && 'value' in answer))
      await this.#options.members.askKes({ do: 'forget', name: call.name })
    return answer
  }

  async #figures(): Promise<Figures> {
    let system = systemNow(this.#startedMs)
    for (const [worker, answer] of await this.#options.members.askKes({ do: 'figures' })) {
      if (answer === undefined) continue
      const figures = answer as Figures
      system = sumOfSystems(system, figures.system)
      this.#counts.set(worker, figures.counts)
    }
    return { counts: [...this.#counts.values()].reduce(sumOfCounts, this.#gone), system }
  }

  async #listen(worker: number, stream: Stream, isHeard: boolean): Promise<undefined> {
    if (isHeard) this.#listeners[stream].add(worker)
    else this.#listeners[stream].delete(worker)
    await this.#tellHeard()
  }

  /** One after the other, so that the last word is the last one for all. */
  async #tellHeard(): Promise<void> {
    this.#telling = this.#telling.then(() => this.#options.members.askKes({ do: 'listen', heard: this.#heard }))
    await this.#telling
  }

  get #heard(): Heard {
    return { audit: this.#listeners.audit.size > 0, errors: this.#listeners.errors.size > 0 }
  }

  async #pass(worker: number, stream: Stream, lines: string): Promise<undefined> {
    const others = [...this.#listeners[stream]].filter(listener => listener !== worker)
    await Promise.all(others.map(listener => this.#options.members.askOneOfKes(listener, { do: 'pass', stream, lines })))
  }
}
