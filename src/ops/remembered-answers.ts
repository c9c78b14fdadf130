import { RecentMap } from '../seal/recent-map.ts'
import type { Records } from '../seal/records.ts'
import type { Answer, AuditEntry, Peer } from './engine.ts'

/** Of keys some 50 MB. */
const DEFAULT_CAPACITY = 65_536
/** Requests that are longer are not looked up. */
const MAX_REQUEST_BYTES = 400
/** Answers that are longer are not kept. */
const MAX_ANSWER_BYTES = 2_048
/** Where the value of Time Stamp stands in an answer: behind the Response Message, its header and the Protocol Version. */
const TIME_STAMP = 64

/** One object at its revision. */
export interface ObjectSource {
  readonly id: string
  /** Goes on when the object gets another revision from which the same answer follows; 0: the answer shall not be given again. */
  revision: number
}

/** What an answer follows from, besides the request: one object, or whatever is stored in the scope. */
export type Source = ObjectSource | 'scope'

interface Remembered {
  /** The answer as a text of its bytes: one value, where a buffer of its own is several, and a piece of memory that is kept apart. */
  readonly bytes: string
  readonly operation: string
  readonly entry: AuditEntry
  readonly source: Source
  /** Version of the store at which the answer was last known to be true. */
  checked: number
}

/**
 * Answers of operations that follow from the bytes of the request and from what is stored alone, so that the same question need not be
 * read, worked out and written again. One is given only while the store says that nothing changed, or that its object did not: a revoked
 * or destroyed key is never served from here. Whether the role allows the operation is asked each time.
 */
export class RememberedAnswers {
  readonly #records: Records
  readonly #now: () => bigint
  readonly #answers: RecentMap<Remembered>

  /**
   * @param now seconds since 1970
   * @param capacity answers kept at most; those given longest ago go first
   */
  constructor(records: Records, now: () => bigint, capacity = DEFAULT_CAPACITY) {
    this.#records = records
    this.#now = now
    this.#answers = new RecentMap(capacity)
  }

  /** The answer, if nothing at all was stored since it was true. */
  recall(request: Buffer, peer: Peer): Answer | undefined {
    const started = performance.now()
    const found = this.#find(request, peer)
    return found !== undefined && found.checked === this.#records.version() ? this.#answer(found, started) : undefined
  }

  /** The answer, if there was one and its object is still the same. */
  recallChecked(request: Buffer, peer: Peer): Promise<Answer | undefined> | undefined {
    const started = performance.now()
    const found = this.#find(request, peer)
    return found && this.#checked(found, peer, started)
  }

  async #checked(found: Remembered, peer: Peer, started: number): Promise<Answer | undefined> {
    const { source } = found
    const version = this.#records.version()
    if (found.checked !== version) {
      if (source === 'scope' || (await this.#records.revision(peer.scope, source.id)) !== source.revision) return undefined
      found.checked = version
    }
    return this.#answer(found, started)
  }

  /** @param version of the store before the answer was worked out */
  remember(request: Buffer, peer: Peer, { bytes, entries }: Answer, source: Source, version: number): void {
    const [entry] = entries
    if (entry === undefined || request.length > MAX_REQUEST_BYTES || bytes.length > MAX_ANSWER_BYTES) return
    const kept = { bytes: bytes.toString('latin1'), operation: entry.operation, entry, source, checked: version }
    this.#answers.set(keyOf(request, peer), kept)
  }

  #find(request: Buffer, peer: Peer): Remembered | undefined {
    if (request.length > MAX_REQUEST_BYTES) return undefined
    const found = this.#answers.get(keyOf(request, peer))
    if (found === undefined || !peer.may(found.operation)) return undefined
    return found.source === 'scope' || found.source.revision > 0 ? found : undefined
  }

  #answer(found: Remembered, started: number): Answer {
    const bytes = Buffer.from(found.bytes, 'latin1')
    bytes.writeBigInt64BE(this.#now(), TIME_STAMP)
    return { bytes, close: false, entries: [{ ...found.entry, latencyMs: performance.now() - started }] }
  }
}

const keyOf = (request: Buffer, peer: Peer): string => `${peer.scope}\0${request.toString('latin1')}`
