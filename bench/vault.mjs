import { randomBytes } from 'node:crypto'
import { cpus } from 'node:os'
import { median } from './measures.mjs'
import { Report } from './report.mjs'

const OPERATIONS = ['get', 'locate', 'create']

/**
 * kmipd on Vault beside kmipd on SQLite, and beside the writes that the same client makes to KV v2 alone.
 * @param {import('./setup.mjs').Setup} setup
 */
export async function runVault(setup, { only, workers, connections, objects, seconds, rounds, json, dist, vault }) {
  const report = new Report(process.stdout)
  report.start({ node: process.version, cpu: `${cpus().length} x ${cpus()[0].model.trim()}`, vault: vault.version ?? '', seconds, rounds })
  const bench = await setup.alone()
  const store = (name, maxStaleness) => ({
    kind: 'vault',
    server: vault.addresses,
    token: vault.root_token,
    prefix: `kmipd/bench-${name}-${randomBytes(4).toString('hex')}`,
    maxStaleness,
  })
  const operations = OPERATIONS.filter(name => only.has(name))
  if (operations.length > 0) {
    const raw = await rawWriter(dist, vault)
    report.startVault()
    for (const count of workers) {
      const start = (name, store) => setup.kmipd(`${name}-${count}`, objects[0], { store, workers: count })
      const servers = [
        await start('strict', store('strict', '0s')),
        await start('late', store('late', '1s')),
        await start('sqlite', 'sqlite'),
      ]
      for (const operation of operations) {
        await bench.warm(servers, operation)
        for (const lanes of connections) {
          const writes = operation === 'create' ? median(await times(rounds, () => raw.rate(lanes, (seconds * 1000) / rounds))) : undefined
          report.vault(operation, count, lanes, ...(await bench.throughput(servers, [{ operation, connections: lanes }])), writes)
        }
      }
      for (const { close } of servers) await close()
    }
    raw.close()
  }
  if (only.has('start')) {
    const many = store('many', '0s')
    await setup.kmipd('many', objects[1], { store: many })
    report.starts(objects[1], await setup.start('other', 'many', many), await setup.start('other', 'many', many))
  }
  if (json !== undefined) report.save(json)
}

/** Creates in KV v2, as many at once as there are connections, of the size that an object has. */
async function rawWriter(dist, { addresses, root_token }) {
  const { connectVault } = await import(`${dist}/vault/client.js`)
  const client = await connectVault({ servers: addresses, login: { kind: 'token', token: root_token } })
  const kv = await client.kv('kv')
  const folder = `kmipd/bench-raw-${randomBytes(4).toString('hex')}`
  const text = randomBytes(750).toString('base64')
  let made = 0
  return {
    async rate(lanes, ms) {
      const before = made
      const end = performance.now() + ms
      const lane = async () => {
        while (performance.now() < end) {
          const n = made++
          await kv.create(`${folder}/${n}`, { text })
        }
      }
      await Promise.all(Array.from({ length: lanes }, lane))
      return ((made - before) / ms) * 1000
    },
    close: () => client.close(),
  }
}

async function times(count, work) {
  const results = []
  for (let i = 0; i < count; i++) results.push(await work())
  return results
}
