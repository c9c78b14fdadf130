// Several nodes on one log, while they are killed at every step, stopped for longer than the log is kept, and while Vault loses its leader, is
// sealed, answers late or not at all. Nothing that was acknowledged may be lost, nothing half-done, nothing done twice.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openLog } from '../../dist/store/log-open.js'
import { KvV2Slots } from '../../dist/store/vault-slots.js'
import { connectVault } from '../../dist/vault/client.js'

const NODE = fileURLToPath(new URL('vault-chaos-node.mjs', import.meta.url))
/** Small, so that all of it happens in a short time. */
const COMPACTION = { entries: 150, retentionMs: 8_000, graceMs: 3_000, jitterMs: 300 }
const FENCE_MS = 3_000
/** Besides those that kill themselves. */
const KILL_MS = 6_000

const FAILPOINTS = [
  'create log',
  'create blob',
  'create snap',
  'create node',
  'read log',
  'read head',
  'replace head',
  'remove log',
  'remove snap',
]
  .map(text => text.split(' '))
  .flatMap(([call, path]) => ['before', 'during', 'after'].map(when => ({ call, path, when })))

class Crew {
  acknowledged = new Set()
  fatal = []
  kills = 0
  #count = 0
  #nodes = new Map()
  constructor(options) {
    this.options = options
  }

  start(failpoint) {
    const name = `n${++this.#count}`
    const { servers, token, prefix, dir, clients } = this.options
    const argument = JSON.stringify({
      servers,
      token,
      prefix,
      dir,
      name,
      clients,
      failpoint,
      compaction: COMPACTION,
      fenceMs: FENCE_MS,
      deadlineMs: 4_000,
    })
    const child = spawn(process.execPath, [NODE, argument], { stdio: ['ignore', 'pipe', 'ignore'] })
    const ended = new Promise(resolve => child.once('close', resolve))
    this.#nodes.set(name, { child, ended })
    createInterface(child.stdout).on('line', line => {
      const [kind, rest] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
      if (kind === 'ack') this.acknowledged.add(rest)
      if (kind === 'fatal') this.fatal.push(rest)
    })
    void ended.then(() => {
      this.#nodes.delete(name)
      if (this.isEnding) return
      // Whatever killed it, another one takes its place, from nothing.
      if (child.signalCode === 'SIGKILL') this.kills++
      if (this.#nodes.size < this.options.nodes) this.start(this.#nextFailpoint())
    })
    return name
  }

  /** Each kind of step in turn, at a random one of its kind. */
  #nextFailpoint() {
    const kind = FAILPOINTS[this.#count % FAILPOINTS.length]
    const isRare = kind.call !== 'read' && !(kind.call === 'create' && kind.path === 'log')
    return { ...kind, nth: 1 + Math.floor(Math.random() * (isRare ? 3 : 150)) }
  }

  any() {
    const nodes = [...this.#nodes.values()]
    return nodes[Math.floor(Math.random() * nodes.length)]?.child
  }

  async end() {
    this.isEnding = true
    const nodes = [...this.#nodes.values()]
    for (const { child } of nodes) child.kill('SIGTERM')
    const killAll = () => {
      for (const { child } of nodes) child.kill('SIGKILL')
    }
    const late = setTimeout(killAll, 15_000)
    await Promise.all(nodes.map(({ ended }) => ended))
    clearTimeout(late)
  }
}

/** So many commits say something; until then it goes on for longer than it should, where the machine is slow. */
const LEAST_COMMITS = 300
const PATIENCE = 4

/**
 * @param {object} options  `lab`, `commits` after which it ends, `limitMs` after which it ends with fewer, `trouble` from outside meanwhile
 */
export async function chaos({ lab, checks, title, commits, limitMs, trouble, servers = lab.addresses, clients = 8 }) {
  const prefix = `chaos-${randomBytes(4).toString('hex')}`
  const dir = mkdtempSync(join(tmpdir(), 'kmipd-chaos-'))
  const token = await lab.storeToken({ mount: 'kv', version: 2, prefix })
  const crew = new Crew({ servers, token, prefix, dir, nodes: 3, clients })
  const began = performance.now()
  for (let i = 0; i < 3; i++) crew.start(undefined)
  const stopper = new AbortController()
  const kept = trouble?.(crew, stopper.signal).catch(error => {
    if (!stopper.signal.aborted) checks.ok(false, `${title}: ${error}`)
  })
  const least = Math.min(commits, LEAST_COMMITS)
  const goesOn = elapsedMs => crew.acknowledged.size < (elapsedMs < limitMs ? commits : least) && elapsedMs < PATIENCE * limitMs
  for (let last = performance.now(); goesOn(performance.now() - began); await wait(100)) {
    if (performance.now() - last < KILL_MS) continue
    last = performance.now()
    crew.any()?.kill('SIGKILL')
  }
  stopper.abort()
  await kept
  await crew.end()
  const seconds = (performance.now() - began) / 1000
  const found = await look({ lab, prefix, token, dir })
  const lost = [...crew.acknowledged].filter(unit => !found.units.has(unit))
  const extra = [...found.units.keys()].filter(unit => !crew.acknowledged.has(unit))
  checks.ok(crew.acknowledged.size >= least, `${title}: only ${crew.acknowledged.size} commits in ${seconds.toFixed(0)} s`)
  checks.equal(lost.slice(0, 5), [], `${title}: acknowledged and lost`)
  checks.equal(found.sum, 0, `${title}: the accounts do not add up, so a commit was done by half`)
  checks.equal(found.wrong.slice(0, 5), [], `${title}: counters that do not fit their units: a commit was done twice, or over another`)
  checks.equal(crew.fatal, [], `${title}: nodes that took a sound log for a broken one`)
  console.log(
    `${title}: ${crew.acknowledged.size} commits acknowledged in ${seconds.toFixed(0)} s, ${lost.length} lost, ${extra.length} done whose answer was lost, ${crew.kills} kills, entries from ${found.first} to ${found.at}`,
  )
  rmSync(dir, { recursive: true, force: true })
}

/** What a node that begins now sees. */
async function look({ lab, prefix, token, dir }) {
  let client = await connectVault({ servers: lab.addresses, login: { kind: 'token', token } })
  const slots = new KvV2Slots({ client, mount: 'kv', prefix, deadlineMs: 5_000, version: 2 })
  const { slot } = await slots.read('head')
  const store = await openLog({ slots, dir, expect: 'there', fenceMs: FENCE_MS })
  const units = new Map()
  const counters = new Map()
  const values = new Map()
  const wrong = []
  let sum = 0
  for (let before; ; ) {
    const page = await store.find('chaos', [], before === undefined ? { limit: 1000 } : { before, limit: 1000 })
    for (const { id } of page) {
      const text = (await store.get('chaos', id)).body.toString('latin1')
      if (id.startsWith('counter')) counters.set(id, Number(text))
      else if (id.startsWith('account')) sum += Number(text)
      else {
        units.set(id, text.length)
        const [counter, value] = text.split(' ')
        if (values.has(`${counter} ${value}`)) wrong.push(`${counter} ${value} by ${id} and another`)
        values.set(`${counter} ${value}`, id)
      }
    }
    if (page.length < 1000) break
    before = page.at(-1).sequence
  }
  let expected = 0
  for (const [counter, count] of counters) {
    expected += count
    for (let value = 1; value <= count; value++) if (!values.has(`${counter} ${value}`)) wrong.push(`${counter} has no ${value}`)
  }
  if (expected !== units.size) wrong.push(`${expected} counted, and ${units.size} units`)
  const { first } = JSON.parse(slot.text)
  const at = Math.max(...(await lab.call('LIST', `kv/metadata/${prefix}/log/${JSON.parse(slot.text).store}`)).body.data.keys.map(Number))
  await store.close()
  client = undefined
  return { units, sum, wrong, first, at }
}

/** A node sleeps for longer than the log is kept. */
export async function sleeper(crew, signal) {
  while (!signal.aborted) {
    await wait(1_000, undefined, { signal })
    const child = crew.any()
    child?.kill('SIGSTOP')
    await wait(12_000, undefined, { signal }).finally(() => child?.kill('SIGCONT'))
    await wait(3_000, undefined, { signal })
  }
}
