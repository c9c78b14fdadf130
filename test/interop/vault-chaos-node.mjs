// A process of the chaos test: it follows a log in Vault, changes it with several clients at once, and says on its standard output what
// was acknowledged. Its clients add to counters, and move amounts between two accounts, each time in one commit.
import { USUAL_COMPACTION } from '../../dist/store/log-compaction.js'
import { openLog } from '../../dist/store/log-open.js'
import { KvV2Slots } from '../../dist/store/vault-slots.js'
import { connectVault } from '../../dist/vault/client.js'

const { servers, token, prefix, dir, name, clients, failpoint, compaction, fenceMs, deadlineMs } = JSON.parse(process.argv[2])
const COUNTERS = 200
const ACCOUNTS = 1_000
const P = 'chaos'

/** Dies before or after the n-th call of a kind: every step that is seen from outside is one. */
function dying(slots) {
  if (!failpoint) return slots
  let left = failpoint.nth
  return new Proxy(slots, {
    get(target, method) {
      const call = Reflect.get(target, method)
      if (typeof call !== 'function') return call
      return async (...args) => {
        const isIt = method === failpoint.call && args[0].startsWith(failpoint.path) && --left === 0
        if (isIt && failpoint.when === 'before') process.kill(process.pid, 'SIGKILL')
        const sent = call.apply(target, args)
        if (isIt && failpoint.when === 'during') setImmediate(() => process.kill(process.pid, 'SIGKILL'))
        const result = await sent
        if (isIt) process.kill(process.pid, 'SIGKILL')
        return result
      }
    },
  })
}

const client = await connectVault({ servers, login: { kind: 'token', token } })
const slots = dying(new KvV2Slots({ client, mount: 'kv', prefix, deadlineMs: 2_500, version: 2 }))
const store = await openLog({
  ...{ slots, dir, expect: 'any', presence: 'shared', follow: true, deadlineMs, fenceMs },
  compaction: { ...USUAL_COMPACTION, ...compaction },
  notice: (message, cause) => process.stderr.write(`${name}: ${message}: ${cause}\n`),
})
console.log(`ready ${name}`)

const read = async id => {
  const found = await store.get(P, id)
  return { expect: found?.revision ?? 0, value: found ? Number(found.body) : 0 }
}
const change = (id, { expect }, value) => ({ partition: P, id, expect, body: Buffer.from(`${value}`), terms: [Buffer.from('t')] })
const pick = count => Math.floor(Math.random() * count)
let isEnding = false

async function run(of) {
  for (let i = 1; !isEnding; ) {
    try {
      await store.settle()
      const counter = `counter-${pick(COUNTERS)}`
      const [a, b] = [pick(ACCOUNTS), pick(ACCOUNTS)]
      if (a === b) continue
      const [count, from, to] = [await read(counter), await read(`account-${a}`), await read(`account-${b}`)]
      const unit = `unit-${name}-${of}-${i}`
      const large = Math.random() < 0.01 ? 150_000 : 0
      await store.commit([
        change(counter, count, count.value + 1),
        { partition: P, id: unit, expect: 0, body: Buffer.concat([Buffer.from(`${counter} ${count.value + 1} `), Buffer.alloc(large)]) },
        change(`account-${a}`, from, from.value - 7),
        change(`account-${b}`, to, to.value + 7),
      ])
      console.log(`ack ${unit}`)
      i++
    } catch (error) {
      if (error.code === 'conflict') continue
      // Whether it was stored is not known: the next one has another name.
      i++
      if (error.code === 'damaged' || error.code === 'closed') {
        console.log(`fatal ${name} ${error.message}`)
        return
      }
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

process.on('SIGTERM', () => (isEnding = true))
await Promise.all(Array.from({ length: clients }, (_, i) => run(i)))
await store.close()
console.log(`ended ${name}`)
process.exit(0)
