import type { Peer } from '../ops/engine.ts'
import { decode, encode } from '../ttlv/binary.ts'
import type { Item } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import type { TurnedLine } from './notifier.ts'

const HEADER = 8
const MAX_ANSWER = 1 << 20
const EMPTY: Buffer = Buffer.alloc(0)

/** What is done with the connection underneath. */
export interface Underneath {
  readonly id: number
  readonly address: string
  send(bytes: Buffer): void
  answered(): void
  peer(): Promise<Peer | undefined>
  /** @param problem what the client did wrong */
  close(problem?: string): void
  /** @param rest what the client sent since, as the client again */
  turnBack(rest: Buffer): void
}

interface Waiting {
  resolve(answer: Item): void
  reject(error: Error): void
}

/** A client's connection with the roles swapped: one request of the server's at a time, and its answer. Spec: KMIP 2.1 section 6.1.54 */
export class TurnedConnection implements TurnedLine {
  readonly id: number
  readonly address: string
  readonly ended: Promise<void>
  closed = false
  readonly #under: Underneath
  #end: () => void = () => {}
  #waiting: Waiting | undefined
  #bytes = EMPTY

  constructor(under: Underneath) {
    this.id = under.id
    this.address = under.address
    this.#under = under
    this.ended = new Promise(resolve => {
      this.#end = resolve
    })
  }

  request(message: Item): Promise<Item> {
    return new Promise((resolve, reject) => {
      if (this.#bytes.length > 0) this.#break('a client sent an answer that nobody asked for')
      if (this.closed) reject(new Error('the connection is closed'))
      else {
        this.#waiting = { resolve, reject }
        this.#under.send(encode(message))
      }
    })
  }

  async peer(): Promise<Peer> {
    const peer = await this.#under.peer()
    if (peer === undefined) throw new Error('the client may no longer be here')
    return peer
  }

  /** Take in what the client sent. */
  receive(chunk: Buffer): void {
    if (this.closed) return
    if (this.#waiting === undefined) {
      this.#break('a client sent something that nobody asked for, on a connection where the server asks')
      return
    }
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    if (this.#bytes.length < HEADER) return
    const size = HEADER + this.#bytes.readUInt32BE(4)
    if (this.#bytes.readUIntBE(0, 3) !== TAG.ResponseMessage || size > MAX_ANSWER) {
      this.#break('a client sent no answer, or one that is too long, on a connection where the server asks')
      return
    }
    if (this.#bytes.length < size) return
    let answer: Item
    try {
      answer = decode(this.#bytes.subarray(0, size))
    } catch {
      // What is wrong with it, the client's log says better.
      this.#break('a client sent an answer that cannot be decoded')
      return
    }
    this.#bytes = this.#bytes.subarray(size)
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#under.answered()
    waiting.resolve(answer)
  }

  turnBack(): void {
    if (this.closed) return
    const rest = this.#bytes
    this.#bytes = EMPTY
    this.#finish()
    this.#under.turnBack(rest)
  }

  close(): void {
    if (!this.closed) this.#under.close()
    this.end()
  }

  /** The connection is gone. */
  end(): void {
    if (!this.closed) this.#finish()
  }

  #break(problem: string): void {
    this.#under.close(problem)
    this.end()
  }

  #finish(): void {
    this.closed = true
    this.#waiting?.reject(new Error('the client closed the connection, or did not answer'))
    this.#waiting = undefined
    this.#end()
  }
}
