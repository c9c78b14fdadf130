import { copyFileSync, mkdirSync } from 'node:fs'
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
  async pair(count) {
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
  async kmipd(name, count, { store = this.#options.store, workers = this.#options.workers[0] } = {}) {
    const { dist, dir, nodeFlags } = this.#options
    const server = await startKmipd({ dist, dir: join(dir, name), store, workers, nodeFlags })
    this.#closing.push(server.close)
    const started = (await server.usage()).rss
    await this.#load.do('target', { name, port: server.port, ...server.client })
    const firstId = await this.#load.do('populate', { target: name, count })
    return { ...server, name, objects: name, started, firstId }
  }

  /**
   * Start one more node on the store of `first`, and end it.
   * @param name of its folder; what is in it already stays
   * @returns milliseconds until it listened, and of the processor since it was started
   */
  async start(name, first, store) {
    const { dist, dir, nodeFlags } = this.#options
    mkdirSync(join(dir, name), { recursive: true })
    copyFileSync(join(dir, first, 'root.key'), join(dir, name, 'root.key'))
    const began = performance.now()
    const server = await startKmipd({ dist, dir: join(dir, name), store, nodeFlags })
    const ms = performance.now() - began
    const cpuMs = server.cpuMs()
    await server.close()
    return { ms, cpuMs }
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
