import { Histogram } from './histogram.mjs'

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The servers in turns, each round one after the other, so that what else the machine does meets them alike. */
export class Bench {
  #load
  #ms
  #rounds

  /**
   * @param {import('./processes.mjs').Worker} load
   * @param {{ seconds: number, rounds: number }} options
   */
  constructor(load, { seconds, rounds }) {
    this.#load = load
    this.#ms = (seconds * 1000) / rounds
    this.#rounds = rounds
  }

  /**
   * The same load on several servers.
   * @param {{ name: string, objects: string, usage(): Promise<{ cpuUs: number }> }[]} servers
   * @param {{ operation: string, connections: number }[]} groups the first one is measured
   * @returns one result for each server; `ratio` is that of its rate to the last server's
   */
  async throughput(servers, groups) {
    const warmMs = Math.min(300, this.#ms * 0.2)
    const results = servers.map(() => ({ rates: [], cpu: [], clientCpu: [], histogram: new Histogram() }))
    for (let round = 0; round < this.#rounds; round++) {
      for (const [i, { name, objects, usage }] of servers.entries()) {
        await this.#load.do('open', { target: name, groups })
        const before = await usage()
        const { counts, answers, cpuUs } = await this.#load.do('load', { objects, groups, warmMs, ms: this.#ms })
        const after = await usage()
        await this.#load.do('close')
        const { rates, cpu, clientCpu, histogram } = results[i]
        const done = counts[0].reduce((sum, count) => sum + count, 0)
        histogram.add(counts[0])
        rates.push(done / (this.#ms / 1000))
        cpu.push((after.cpuUs - before.cpuUs) / answers)
        clientCpu.push(cpuUs / answers)
      }
    }
    const limit = results.at(-1)
    return results.map(({ rates, cpu, clientCpu, histogram }) => ({
      rate: median(rates),
      ratio: median(rates.map((rate, round) => rate / limit.rates[round])),
      p50Us: histogram.quantile(0.5),
      p99Us: histogram.quantile(0.99),
      cpuUs: median(cpu),
      clientCpuUs: median(clientCpu),
    }))
  }

  /** Let the servers and the client compile what the load needs. */
  async warm(servers, operation) {
    const groups = [{ operation, connections: 8 }]
    for (const { name, objects } of servers) {
      await this.#load.do('open', { target: name, groups })
      await this.#load.do('load', { objects, groups, warmMs: 0, ms: Math.min(1000, this.#ms) })
      await this.#load.do('close')
    }
  }

  /** New connections, each with a full handshake and one Get. @returns as `throughput` */
  async handshakes(servers, lanes) {
    const rates = servers.map(() => [])
    for (let round = 0; round < this.#rounds; round++)
      for (const [i, { name, objects }] of servers.entries())
        rates[i].push((await this.#load.do('handshakes', { target: name, objects, lanes, ms: this.#ms })) / (this.#ms / 1000))
    return rates.map(all => ({ rate: median(all), ratio: median(all.map((rate, round) => rate / rates.at(-1)[round])) }))
  }

  /** How much more memory a server has with idle connections. @returns bytes */
  async idleMemory({ name, objects, usage }, count) {
    const before = await usage()
    await this.#load.do('idle', { target: name, objects, count })
    const after = await usage()
    await this.#load.do('closeIdle')
    return { before: before.rss, more: after.rss - before.rss }
  }
}
