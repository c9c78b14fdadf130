import { writeFileSync } from 'node:fs'

const whole = value => Math.round(value).toLocaleString('en-US')
const ms = us => (us / 1000).toFixed(2)
const ratio = value => value.toFixed(2)
const mb = bytes => `${(bytes / 2 ** 20).toFixed(0)} MB`

/** Prints results as they come, in tables of Markdown, and keeps them. */
export class Report {
  #results = {}
  #out

  /** @param {{ write(text: string): void }} out */
  constructor(out) {
    this.#out = out
  }

  /** @param {Record<string, unknown>} facts what was measured, and on what */
  start(facts) {
    this.#results.facts = facts
    this.#write(
      Object.entries(facts)
        .map(([name, value]) => `${name} ${value}`)
        .join(' · '),
    )
  }

  startOperations() {
    this.#table([
      'operation',
      'connections',
      'ops/s',
      'p50 ms',
      'p99 ms',
      'echo ops/s',
      'of echo',
      'CPU us',
      'echo CPU us',
      'client CPU us',
    ])
  }

  operation(operation, connections, own, echo) {
    this.#keep('operations', { operation, connections, kmipd: own, echo })
    this.#row([
      operation,
      connections,
      whole(own.rate),
      ms(own.p50Us),
      ms(own.p99Us),
      whole(echo.rate),
      ratio(own.ratio),
      own.cpuUs.toFixed(0),
      echo.cpuUs.toFixed(0),
      own.clientCpuUs.toFixed(0),
    ])
  }

  startVault() {
    this.#table([
      'operation',
      'workers',
      'connections',
      'strict ops/s',
      'of SQLite',
      'p99 ms',
      '1 s late ops/s',
      'of SQLite',
      'SQLite ops/s',
      'KV v2 writes/s',
      'of these',
    ])
  }

  vault(operation, workers, connections, strict, late, sqlite, raw) {
    this.#keep('vault', { operation, workers, connections, strict, late, sqlite, raw })
    this.#row([
      operation,
      workers,
      connections,
      whole(strict.rate),
      ratio(strict.ratio),
      ms(strict.p99Us),
      whole(late.rate),
      ratio(late.ratio),
      whole(sqlite.rate),
      raw === undefined ? '' : whole(raw),
      raw === undefined ? '' : ratio(strict.rate / raw),
    ])
  }

  starts(objects, first, again) {
    this.#keep('starts', { objects, first, again })
    this.#table(['start of a node', 'objects', 's', 's of CPU'])
    for (const [name, { ms: wall, cpuMs }] of [
      ['empty folder', first],
      ['once more', again],
    ])
      this.#row([name, whole(objects), ratio(wall / 1000), ratio(cpuMs / 1000)])
  }

  handshakes(connections, own, echo) {
    this.#keep('handshakes', { connections, kmipd: own, echo })
    this.#table(['new connections, each with one Get', 'per s', 'echo per s', 'of echo'])
    this.#row([`${connections} at once`, whole(own.rate), whole(echo.rate), ratio(own.ratio)])
  }

  startObjects([few, many]) {
    this.#table([
      'stored objects',
      'connections',
      `ops/s with ${whole(few)}`,
      `ops/s with ${whole(many)}`,
      'slower by',
      `p99 ms with ${whole(few)}`,
      `p99 ms with ${whole(many)}`,
    ])
  }

  objects(operation, connections, few, many) {
    this.#keep('objects', { operation, connections, few, many })
    this.#row([operation, connections, whole(few.rate), whole(many.rate), ratio(few.ratio), ms(few.p99Us), ms(many.p99Us)])
  }

  startTail() {
    this.#table(['Get beside writes', 'p50 ms alone', 'p99 ms alone', 'p50 ms beside', 'p99 ms beside', 'p99 longer by'])
  }

  tail(readers, writers, alone, beside) {
    const longer = beside.p99Us / alone.p99Us
    this.#keep('tail', { readers, writers, alone, beside, longer })
    this.#row([
      `${readers} connections, Create on ${writers}`,
      ms(alone.p50Us),
      ms(alone.p99Us),
      ms(beside.p50Us),
      ms(beside.p99Us),
      ratio(longer),
    ])
  }

  memory({ started, loaded, connections, own, echo }) {
    this.#keep('memory', { started, loaded, connections, kmipd: own, echo })
    this.#table(['memory (RSS)', 'kmipd', 'echo'])
    this.#row(['after the start', mb(started), mb(echo.before)])
    this.#row([`more with ${whole(connections)} idle connections`, mb(own.more), mb(echo.more)])
    if (loaded !== undefined) this.#row(['after all this', mb(loaded), ''])
  }

  /** @param {string} file */
  save(file) {
    writeFileSync(file, `${JSON.stringify(this.#results, undefined, 2)}\n`)
  }

  #keep(part, result) {
    this.#results[part] ??= []
    this.#results[part].push(result)
  }

  #widths = []

  #table(titles) {
    this.#widths = titles.map((title, i) => Math.max(title.length, i === 0 ? 12 : 6))
    this.#write('')
    this.#row(titles)
    this.#write(`|${this.#widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`)
  }

  #row(cells) {
    this.#write(`| ${cells.map((cell, i) => String(cell)[i === 0 ? 'padEnd' : 'padStart'](this.#widths[i])).join(' | ')} |`)
  }

  #write(line) {
    this.#out.write(`${line}\n`)
  }
}
