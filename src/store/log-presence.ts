import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { HEAD, inLanes } from './log-paths.ts'
import type { Slots } from './slots.ts'
import { StoreError } from './store.ts'

const NODES = 'node'
const BEAT_MS = 10_000
/** Who has not said for so long that it is there has gone. */
const GONE_MS = 35_000

/** `shared`: beside others; `alone`: nobody else may use the store meanwhile. */
export type Presence = 'shared' | 'alone'

interface Node {
  readonly name: string
  readonly timeMs: number
  readonly presence: Presence
  readonly id: string
}

/**
 * Says in the store that a process uses it, as long as it does, so that what must be alone can be. Names have time, kind and a random
 * value; each beat makes a new entry and removes the one before.
 */
export class NodePresence {
  readonly #slots: Slots
  readonly #presence: Presence
  readonly #id = randomBytes(8).toString('hex')
  #timer: NodeJS.Timeout | undefined
  #name: string | undefined
  #beating: Promise<void> = Promise.resolve()

  private constructor(slots: Slots, presence: Presence) {
    this.#slots = slots
    this.#presence = presence
  }

  /**
   * @param lost is told when somebody else is there who must not be
   * @throws StoreError `unavailable`: somebody uses the store whom this cannot be done beside; SlotsError
   */
  static async announce(slots: Slots, presence: Presence, lost: (error: StoreError) => void): Promise<NodePresence> {
    const node = new NodePresence(slots, presence)
    try {
      await node.#beat()
      await node.#refuseOthers()
    } catch (e) {
      await node.close()
      throw e
    }
    node.#timer = setInterval(() => {
      node.#beating = node.#beatOn(lost)
    }, BEAT_MS).unref()
    return node
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#beating
    // Vault may be away: then the entry tells nothing any more after a while.
    if (this.#name !== undefined) await this.#slots.remove(`${NODES}/${this.#name}`).catch(() => undefined)
  }

  async #beatOn(lost: (error: StoreError) => void): Promise<void> {
    try {
      await this.#beat()
      await this.#refuseOthers()
    } catch (e) {
      // Without an answer nothing is known; the next beat asks again.
      if (e instanceof StoreError) lost(e)
    }
  }

  async #beat(): Promise<void> {
    const { nowMs } = await this.#slots.read(HEAD)
    const name = `${Math.floor(nowMs / 1000)}-${this.#presence}-${this.#id}`
    if (name === this.#name) return
    await this.#slots.create(`${NODES}/${name}`, JSON.stringify({ host: hostname(), pid: process.pid }))
    const before = this.#name
    this.#name = name
    if (before !== undefined) await this.#slots.remove(`${NODES}/${before}`)
  }

  async #refuseOthers(): Promise<void> {
    const { nowMs } = await this.#slots.read(HEAD)
    const nodes = (await this.#slots.list(NODES)).flatMap(nodeOf)
    const gone = nodes.filter(({ timeMs }) => nowMs - timeMs > GONE_MS)
    await inLanes(gone.length, i => this.#slots.remove(`${NODES}/${gone[i]!.name}`))
    const other = nodes.find(
      node => node.id !== this.#id && !gone.includes(node) && (node.presence === 'alone' || this.#presence === 'alone'),
    )
    if (other) throw new StoreError('unavailable', await this.#refusal(other))
  }

  async #refusal({ name, presence }: Node): Promise<string> {
    const { slot } = await this.#slots.read(`${NODES}/${name}`)
    const who = slot ? whoIn(slot.text) : 'another process'
    const { single } = this.#slots
    const why = single === undefined ? '' : ` (${single})`
    if (presence === 'alone')
      return `${who} has the store for itself alone${why}: wait until it has ended, or for half a minute if it was killed`
    return `${who} uses the store, and this must be done alone: stop it first, or wait for half a minute if it was killed`
  }
}

function nodeOf(name: string): Node[] {
  const [, seconds, presence, id] = /^(\d+)-(shared|alone)-([0-9a-f]+)$/.exec(name) ?? []
  if (seconds === undefined || id === undefined) return []
  return [{ name, timeMs: Number(seconds) * 1000, presence: presence === 'alone' ? 'alone' : 'shared', id }]
}

function whoIn(text: string): string {
  const value: unknown = JSON.parse(text)
  const { host, pid } = typeof value === 'object' && value !== null && 'host' in value && 'pid' in value ? value : { host: '?', pid: '?' }
  return `process ${String(pid)} on ${String(host).replace(/[^\w.-]/g, '?')}`
}
