import { ENUM } from '../ttlv/enumerations.ts'
import type { Turn } from './turn.ts'

/** Writes that are begun in one turn of the event loop. One takes some 50 µs of this thread until it waits for the disk. */
const PER_TURN = 16
/** The same while clients read: more turns for each write, and so less time for a read to wait. */
const PER_TURN_BESIDE_READS = 2
/** For so many turns after a read another one is expected. */
const TURNS_AFTER_READ = 32

/** Operations whose requests overtake: they change no object and take little time. */
const READS: ReadonlySet<number> = new Set(
  (
    [
      'Locate',
      'Check',
      'Get',
      'GetAttributes',
      'GetAttributeList',
      'Query',
      'DiscoverVersions',
      'Encrypt',
      'Decrypt',
      'MAC',
      'MACVerify',
      'RNGRetrieve',
      'Hash',
    ] as const
  ).map(name => ENUM.Operation[name]),
)

/** Tag and type of Operation, and how far behind them its value begins. */
const OPERATION = 0x42005c05
const VALUE = 8
/** Where the first Operation stands behind a header with version and count alone. */
const USUAL_PLACE = 80
/** Longer headers than this are not searched. */
const HEADER_BYTES = 1024

/**
 * Lets reads overtake writes. Many clients that write are answered together when their writes are on the disk, and so send their next ones
 * together; a read that came behind all of them would wait for all. So only some are begun in each turn, and the others, in the order in
 * which they came, in the turns that follow.
 */
export class WriteLane {
  #begun = 0
  /** Turns that are left until reads have become rare. */
  #beside = 0
  #isScheduled = false
  readonly #waiting: (() => void)[] = []
  readonly #turn: Turn

  constructor(turn: Turn) {
    this.#turn = turn
  }

  /** Whether a message may be begun now; if not, give it to `wait`. */
  mayBegin(message: Buffer): boolean {
    if (isRead(message)) {
      this.#beside = TURNS_AFTER_READ
      return true
    }
    if (this.#begun >= this.#perTurn || this.#waiting.length > 0) return false
    this.#begun++
    this.#schedule()
    return true
  }

  wait(begin: () => void): void {
    this.#waiting.push(begin)
    this.#schedule()
  }

  get #perTurn(): number {
    return this.#beside > 0 ? PER_TURN_BESIDE_READS : PER_TURN
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#turn.take(this.#goOn)
  }

  readonly #goOn = (): void => {
    this.#isScheduled = false
    const next = this.#waiting.splice(0, this.#perTurn)
    if (this.#beside > 0) this.#beside--
    this.#begun = next.length
    if (next.length > 0) this.#schedule()
    for (const begin of next) begin()
  }
}

/** Whether the first operation of a message is one that overtakes. */
function isRead(message: Buffer): boolean {
  const at = firstOperation(message)
  return at !== undefined && READS.has(message.readUInt32BE(at + VALUE))
}

function firstOperation(message: Buffer): number | undefined {
  const end = Math.min(message.length, HEADER_BYTES) - VALUE - 4
  if (end >= USUAL_PLACE && message.readUInt32BE(USUAL_PLACE) === OPERATION) return USUAL_PLACE
  // Items begin at multiples of eight.
  for (let at = 0; at <= end; at += 8) if (message.readUInt32BE(at) === OPERATION) return at
  return undefined
}
