// npm run bench: kmipd beside a bare TLS echo server. options.mjs says what it takes.
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { benchKes } from './kes.mjs'
import { readOptions } from './options.mjs'
import { Report } from './report.mjs'
import { Setup } from './setup.mjs'
import { runVault } from './vault.mjs'

const LANES = 8
const TAILS = [
  [8, 8],
  [8, 64],
  [64, 64],
]

let options
try {
  options = readOptions(process.argv.slice(2))
  if (options !== undefined && !existsSync(join(options.dist, 'cli/main.js')))
    throw new Error(`there is no kmipd in ${options.dist}; run first: npm run build`)
} catch (error) {
  process.stderr.write(`bench: ${error.message}\n`)
  process.exit(2)
}
if (options?.kes) await benchKes(options)
else if (options !== undefined) {
  const dir = mkdtempSync(join(options.dir, 'kmipd-bench-'))
  const setup = new Setup({ ...options, dir })
  try {
    if (options.vault) await runVault(setup, options)
    else await run(setup, options)
  } finally {
    await setup.close()
    keepProfiles(dir, options.dir)
    rmSync(dir, { recursive: true })
  }
}

async function run(setup, { only, operations, connections, objects, idleConnections, store, seconds, rounds, json }) {
  const report = new Report(process.stdout)
  report.start({ node: process.version, cpu: `${cpus().length} x ${cpus()[0].model.trim()}`, store, seconds, rounds })
  const { kmipd, echo, bench, started } = await setup.pair(objects[0])
  const pair = [kmipd, echo]
  const idle = only.has('memory')
    ? [await bench.idleMemory(kmipd, idleConnections), await bench.idleMemory(echo, idleConnections)]
    : undefined
  if (operations.length > 0) {
    report.startOperations()
    for (const operation of operations) {
      await bench.warm(pair, operation)
      for (const count of connections)
        report.operation(operation, count, ...(await bench.throughput(pair, [{ operation, connections: count }])))
    }
  }
  if (only.has('handshakes')) report.handshakes(LANES, ...(await bench.handshakes(pair, LANES)))
  if (only.has('tail')) {
    report.startTail()
    await bench.warm([kmipd], 'create')
    for (const [readers, writers] of TAILS) {
      const get = { operation: 'get', connections: readers }
      const [alone] = await bench.throughput([kmipd], [get])
      const [beside] = await bench.throughput([kmipd], [get, { operation: 'create', connections: writers }])
      report.tail(readers, writers, alone, beside)
    }
  }
  const loaded = (await kmipd.usage()).rss
  if (only.has('objects')) {
    const few = await setup.kmipd('few', objects[0])
    const many = await setup.kmipd('many', objects[1])
    report.startObjects(objects)
    for (const operation of ['get', 'locate']) {
      await bench.warm([few, many], operation)
      for (const count of connections)
        report.objects(operation, count, ...(await bench.throughput([few, many], [{ operation, connections: count }])))
    }
  }
  if (idle) report.memory({ started, loaded, connections: idleConnections, own: idle[0], echo: idle[1] })
  if (json !== undefined) report.save(json)
}

function keepProfiles(from, to) {
  for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' }))
    if (file.endsWith('.cpuprofile')) copyFileSync(join(from, file), join(to, file.replaceAll(/[\\/]/g, '-')))
}
