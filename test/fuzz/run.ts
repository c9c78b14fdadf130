// One fuzzer: `node run.js TARGET RUNS SEED`, started by scripts/fuzz.mjs. Prints what broke a promise, and at the end how many inputs ran.
import { randomInt } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { decode, encode } from '../../src/ttlv/binary.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { type Draw, MUTATIONS, mutate, mutateBytes, VALUES } from './mutations.ts'
import { isTarget, messagesFor, seedsFor, type Target, WRITTEN } from './seeds.ts'
import { engine, json, ttlv, xml } from './targets.ts'

const SOON_MS = 1000
const MOST_BYTES = 16_384
const SEED_RANGE = 2 ** 31

const targets = { ttlv, json, xml, engine }

/** A reproducible stream of numbers (xorshift32). */
function drawing(seed: number): Draw {
  let state = seed || 1
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % Math.max(1, below)
  }
}

const [name = '', runs = '10000', given = String(randomInt(1, SEED_RANGE))] = process.argv.slice(2)
if (!isTarget(name)) throw new Error(`the targets are ${Object.keys(targets).join(', ')}`)
const draw = drawing(Number(given))
const tags = Object.values(TAG)

const messages = messagesFor(name)
const seeds = seedsFor(name)
const items = messages.filter(bytes => bytes.length > 0).flatMap(bytes => (name === 'ttlv' ? [] : [decode(bytes)]))

function next(): Buffer {
  if (items.length > 0 && draw(2) === 0) {
    let item = items[draw(items.length)]!
    for (let left = 1 + draw(3); left > 0; left--)
      item = mutate(item, {
        at: draw(SEED_RANGE),
        value: VALUES[draw(VALUES.length)]!,
        tag: tags[draw(tags.length)]!,
        what: MUTATIONS[draw(MUTATIONS.length)]!,
      })
    // Not every item can be written in the other encodings; then the bytes are bent.
    try {
      return WRITTEN[name as Target](encode(item))
    } catch {
      return seeds[draw(seeds.length)]!
    }
  }
  return mutateBytes(seeds[draw(seeds.length)]!, seeds, draw).subarray(0, MOST_BYTES)
}

let found = 0
for (let at = 0; at < Number(runs); at++) {
  const input = next()
  const began = process.cpuUsage()
  try {
    await targets[name](input)
    // Of the processor: a busy machine makes every input slow.
    const { user, system } = process.cpuUsage(began)
    if (user + system > SOON_MS * 1000) throw new Error(`it took ${Math.round((user + system) / 1000)} ms`)
  } catch (error) {
    mkdirSync(`.fuzz/found/${name}`, { recursive: true })
    const file = `.fuzz/found/${name}/${given}-${at}`
    writeFileSync(file, input)
    console.log(`${file}: ${error instanceof Error ? error.stack : String(error)}`)
    if (++found === 20) break
  }
}
console.log(`${name}: ${runs} inputs from seed ${given}, ${found} found`)
process.exitCode = found > 0 ? 1 : 0
