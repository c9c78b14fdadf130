import { join } from 'node:path'
import { Bench } from './measures.mjs'
import { ANSWER, messages, nameOf, REQUEST_OPERATION } from './messages.mjs'
import { startEcho, startKmipd, Worker } from './processes.mjs'

const SAMPLE_NAMES = 2_000_000_000

/** The processes of one run: the client, the echo server, and as many servers as are asked for. */
export class Setup {
  #options
  #load = new Worker('load.mjs')
  #closing = []

  /** @param {{ dist: string, dir: string, store: 'sqlite' | 'memory', nodeFlags: readonly string[], seconds: number, rounds: number }} options */
  constructor(options) {
    this.#options = options
  }

  /** kmipd with `count` objects, and echo, which has learned the answers of this kmipd. */
  async start(count) {
    const { dist } = this.#options
    await this.#load.do('prepare', { dist })
    const { started, firstId, ...kmipd } = await this.kmipd('kmipd', count)
    const server = await startEcho({ dist, client: kmipd.client })
    this.#closing.push(server.close)
    await this.#load.do('target', { name: 'echo', port: server.port, ...kmipd.client, ca: server.ca })
    await this.#teach(server, kmipd, firstId)
    return { kmipd, started, echo: { name: 'echo', objects: 'kmipd', usage: server.usage }, bench: new Bench(this.#load, this.#options) }
  }

  /** Another kmipd with `count` objects. `started`: bytes of its memory before they were made */
  async kmipd(name, count, store = this.#options.store) {
    const { dist, dir, workers, nodeFlags } = this.#options
    const server = await startKmipd({ dist, dir: join(dir, name), store, workers, nodeFlags })
    this.#closing.push(server.close)
    const started = (await server.usage()).rss
    await this.#load.do('target', { name, port: server.port, ...server.client })
    const firstId = await this.#load.do('populate', { target: name, count })
    return { ...server, name, objects: name, started, firstId }
  }

  /** The client alone, for servers that are measured beside each other. */
  async alone() {
    await this.#load.do('prepare', { dist: this.#options.dist })
    return new Bench(this.#load, this.#options)
  }

  async close() {
    this.#load.close()
    for (const close of this.#closing.toReversed()) await close()
  }

  async #teach(echo, { port, client }, id) {
    const { KmipClient } = await import(`${this.#options.dist}/client/client.js`)
    const connection = await KmipClient.connect({ host: '127.0.0.1', port, ...client })
    for (const [i, [operation, { bytes, at, holdsId }]] of Object.entries(await messages(this.#options.dist)).entries()) {
      bytes.latin1Write(holdsId ? id : nameOf(operation === 'locate' ? 0 : SAMPLE_NAMES + i), at)
      const answer = await connection.send(bytes)
      if (answer.readUInt32BE(ANSWER.status) !== 0) throw new Error(`the server cannot do ${operation}: ${answer.toString('latin1')}`)
      await echo.worker.do('answer', { operation: bytes.readUInt32BE(REQUEST_OPERATION), base64: answer.toString('base64') })
    }
    connection.close()
  }
}
