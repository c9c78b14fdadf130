import type { RequestTrace } from '../admin/objects/object-routes.ts'
import { responseItems } from '../client/message.ts'
import type { Engine, Peer } from '../ops/engine.ts'
import type { Records } from '../seal/records.ts'
import { isConflict } from '../store/store.ts'
import { decode, TtlvError } from '../ttlv/binary.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { enumName, type Item } from '../ttlv/item.ts'
import { print } from '../ttlv/print.ts'

/** Longer than a scope's id, so that none can be it. */
const PARTITION = 'request-traces'
const KEPT = 50
/** Letters of a decoded request. */
const LONGEST = 8_000
const ATTEMPTS = 20

/**
 * Keeps the last refused requests of scopes that are traced, decoded and with secrets hidden, in sealed records: whatever process refused
 * them, administrators find them in one place. Answers do not wait for it.
 */
export class RequestTraces {
  readonly #records: Records
  readonly #now: () => number
  readonly #onError: (error: unknown) => void
  #writing: Promise<void> = Promise.resolve()
  #waiting = 0

  /** @param now milliseconds since 1970 */
  constructor(records: Records, now: () => number, onError: (error: unknown) => void) {
    this.#records = records
    this.#now = now
    this.#onError = onError
  }

  /** An engine whose refusals are traced, where the client's scope is. */
  over(engine: Engine): Engine {
    return {
      ...engine,
      answer: async (bytes, peer, channel, refused) => {
        const answer = await engine.answer(bytes, peer, channel, refused)
        if (peer.isTraced && answer.entries.some(({ status }) => status === 'OperationFailed'))
          this.#take(
            peer,
            () => treeOf(bytes),
            () => decode(answer.bytes),
          )
        return answer
      },
      answerItem: async (message, peer, refused) => {
        const reply = await engine.answerItem(message, peer, refused)
        if (peer.isTraced && reply.entries.some(({ status }) => status === 'OperationFailed'))
          this.#take(
            peer,
            () => print(message),
            () => reply.message,
          )
        return reply
      },
    }
  }

  /** Newest first. @throws StoreError, SealError */
  async read(scope: string): Promise<readonly RequestTrace[]> {
    const stored = await this.#records.get(PARTITION, scope)
    return stored ? JSON.parse(stored.body.toString('utf8')) : []
  }

  async forget(scope: string): Promise<void> {
    await this.#change(scope, () => [])
  }

  /** What was taken so far is stored. */
  settle(): Promise<void> {
    return this.#writing
  }

  #take(peer: Peer, request: () => string, response: () => Item): void {
    // A flood of refusals must not become a flood of writes.
    if (this.#waiting >= KEPT) return
    const { role, serial } = peer
    const problems = responseItems(response())
      .filter(({ status }) => status === ENUM.ResultStatus.OperationFailed)
      .map(({ operation, reason, message = '' }) => ({
        operation: operation === undefined ? '-' : enumName('Operation', operation),
        reason: reason === undefined ? '-' : enumName('ResultReason', reason),
        message,
      }))
    const tree = request()
    const trace: RequestTrace = {
      time: new Date(this.#now()).toISOString(),
      ...{ role, serial_number: serial, problems },
      request: tree.length > LONGEST ? `${tree.slice(0, LONGEST)}…` : tree,
    }
    this.#waiting++
    this.#writing = this.#writing
      .then(() => this.#change(peer.scope, known => [trace, ...known].slice(0, KEPT)))
      .then(undefined, this.#onError)
      .then(() => {
        this.#waiting--
      })
  }

  async #change(scope: string, change: (known: readonly RequestTrace[]) => readonly RequestTrace[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const expect = await this.#records.revision(PARTITION, scope)
      const traces = change(await this.read(scope))
      if (traces.length === 0 && expect === 0) return
      try {
        const body = traces.length > 0 ? { body: Buffer.from(JSON.stringify(traces)) } : {}
        await this.#records.commit([{ partition: PARTITION, id: scope, expect, ...body }])
        return
      } catch (error) {
        if (!isConflict(error) || attempt === ATTEMPTS) throw error
      }
    }
  }
}

/** What does not decode is shown by its length alone: nobody knows what is secret in it. */
function treeOf(bytes: Buffer): string {
  try {
    return print(decode(bytes))
  } catch (error) {
    if (error instanceof TtlvError) return `${bytes.length} bytes that are no TTLV: ${error.message}\n`
    throw error
  }
}
