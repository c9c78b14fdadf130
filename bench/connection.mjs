import { connect } from 'node:tls'
import { ANSWER, RESULT_STATUS } from './messages.mjs'

/**
 * A TLS connection with one request under way at most. It reads into one buffer, and looks at nothing but the length and the status of an
 * answer, so that the client costs as little as it can.
 */
export class Connection {
  /** The first bytes of the last answer. */
  head = Buffer.alloc(ANSWER.head)
  startedAt = 0
  #got = 0
  #socket

  onOpen = () => {}
  onAnswer = () => {}
  /** @type {(error: Error) => void} */
  onError = () => {}

  /**
   * @param {{ port: number, secureContext: import('node:tls').SecureContext }} target
   * @param {number} bufferBytes
   */
  constructor(target, bufferBytes = 16_384) {
    this.#socket = connect({
      ...target,
      host: '127.0.0.1',
      servername: 'localhost',
      onread: { buffer: Buffer.allocUnsafeSlow(bufferBytes), callback: (n, buffer) => this.#receive(n, buffer) },
    })
    this.#socket.setNoDelay(true)
    this.#socket.once('secureConnect', () => this.onOpen())
    this.#socket.once('error', error => this.onError(error))
    this.#socket.once('close', () => this.onError(new Error('the server closed a connection')))
  }

  /** @param {Buffer} bytes not to be changed until the answer is there */
  send(bytes) {
    this.#got = 0
    this.startedAt = performance.now()
    this.#socket.write(bytes)
  }

  close() {
    this.onError = () => {}
    this.#socket.destroy()
  }

  #receive(n, buffer) {
    const { head } = this
    if (this.#got < head.length) buffer.copy(head, this.#got, 0, Math.min(n, head.length - this.#got))
    this.#got += n
    if (this.#got < 8 || this.#got < 8 + head.readUInt32BE(4)) return true
    if (head.readUInt32BE(ANSWER.statusTag) === RESULT_STATUS && head.readUInt32BE(ANSWER.status) === 0) this.onAnswer()
    else this.onError(new Error(`the server answered a failure: ${head.latin1Slice(0, this.#got).replace(/[^ -~]+/g, ' ')}`))
    return true
  }
}
