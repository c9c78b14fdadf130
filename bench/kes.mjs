// npm run bench -- --kes: the KES door beside a bare HTTP server of Node's of the same version, in turns, with the same client. The bare
// server answers bodies of the same size, so what is above 1/ratio is what the door costs.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLane } from './http-lanes.mjs'

const VERSIONS = ['http/1.1', 'h2']
const CONTEXT = Buffer.from('{"bucket":"bucket/object"}').toString('base64')
/** Before each line, so that it is not Node's compiler that is measured. */
const WARM_MS = 500
/** Ticks of the processor's clock in a second, as /proc counts. */
const TICKS = 100

/** @param {{ dist: string, dir: string, seconds: number, rounds: number, connections: number[], only: Set<string>, workers: number[], json?: string, nodeFlags: string[] }} options */
export async function benchKes({ dist, dir: parent, seconds, rounds, connections, only, workers: [workers], json, nodeFlags }) {
  const dir = mkdtempSync(join(parent, 'kmipd-bench-kes-'))
  const processes = []
  try {
    const client = await makeClient(dist)
    const kes = await startKes({ dist, dir, client, workers, nodeFlags, processes })
    const bare = {}
    for (const version of VERSIONS) bare[version] = await startBare({ version, client, workers, processes })
    process.stdout.write(
      `node ${process.version}, ${cpus().length} x ${cpus()[0].model.trim()}, key store: files, processes: ${workers}; ${seconds} s for each line and server\n`,
    )
    process.stdout.write(
      `${'operation'.padEnd(10)}${'version'.padEnd(10)}${'conns'.padEnd(7)}${'KES door/s'.padStart(11)}${'bare/s'.padStart(11)}${'ratio'.padStart(8)}${'p99 ms'.padStart(9)}${'bare'.padStart(8)}${'µs CPU'.padStart(9)}${'bare'.padStart(8)}\n`,
    )
    const results = []
    for (const [operation, make] of Object.entries(await operations(kes, client)).filter(([name]) => only.has(name)))
      for (const version of VERSIONS)
        for (const count of connections) {
          const sums = [sum(), sum()]
          for (const target of [kes, bare[version]]) await measure({ target, version, client, count, make, ms: WARM_MS, into: sum() })
          for (let round = 0; round < rounds; round++)
            for (const [i, target] of [kes, bare[version]].entries())
              await measure({ target, version, client, count, make, ms: (seconds * 1000) / rounds, into: sums[i] })
          const line = { operation, version, connections: count, door: figures(sums[0]), bare: figures(sums[1]) }
          results.push(line)
          print(line)
        }
    if (json !== undefined) writeFileSync(json, JSON.stringify({ node: process.version, results }, undefined, 2))
  } finally {
    for (const child of processes) child.kill('SIGTERM')
    await Promise.all(processes.map(child => new Promise(resolve => (child.exitCode === null ? child.once('exit', resolve) : resolve()))))
    rmSync(dir, { recursive: true })
  }
}

const sum = () => ({ requests: 0, seconds: 0, cpu: 0, times: [] })

/** Requests one after the other on each of some connections. */
async function measure({ target, version, client, count, make, ms, into }) {
  const lanes = await Promise.all(Array.from({ length: count }, () => openLane(version, { port: target.port, ...client })))
  const cpu = cpuOf(target.pid)
  const began = performance.now()
  await Promise.all(
    lanes.map(async lane => {
      while (performance.now() - began < ms) {
        const sent = performance.now()
        const { status, body } = await lane.ask(make())
        if (status !== 200) throw new Error(`${status} ${body}`)
        into.times.push(performance.now() - sent)
      }
    }),
  )
  into.seconds += (performance.now() - began) / 1000
  into.cpu += cpuOf(target.pid) - cpu
  for (const lane of lanes) lane.close()
}

function figures({ times, seconds, cpu }) {
  times.sort((a, b) => a - b)
  return { perSecond: times.length / seconds, p99: times[Math.floor(times.length * 0.99)], cpuMicroseconds: (cpu * 1e6) / times.length }
}

function print({ operation, version, connections, door, bare }) {
  const number = (value, width, digits = 0) => value.toFixed(digits).padStart(width)
  process.stdout.write(
    `${operation.padEnd(10)}${version.padEnd(10)}${String(connections).padEnd(7)}${number(door.perSecond, 11)}${number(bare.perSecond, 11)}${number(door.perSecond / bare.perSecond, 8, 2)}${number(door.p99, 9, 2)}${number(bare.p99, 8, 2)}${number(door.cpuMicroseconds, 9)}${number(bare.cpuMicroseconds, 8)}\n`,
  )
}

/** Seconds of the processor that a process and those that it made used. Linux alone tells; elsewhere none. */
function cpuOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ')
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Number)
    return children.reduce((sum, child) => sum + cpuOf(child), (Number(fields[11]) + Number(fields[12])) / TICKS)
  } catch {
    return 0
  }
}

/** What is asked, made anew where it must be; `x-size` is for the bare server. */
async function operations({ port }, client) {
  const lane = await openLane('http/1.1', { port, ...client })
  const ask = async (method, path, body = '') => (await lane.ask({ method, path, headers: {}, body })).body
  await ask('PUT', '/v1/key/create/bench')
  const plaintext = Buffer.alloc(32, 7).toString('base64')
  const dek = JSON.parse(await ask('PUT', '/v1/key/generate/bench', `{"context":"${CONTEXT}"}`))
  const fixed = async (method, path, body) => {
    const request = { method, path, body, headers: { 'x-size': (await ask(method, path, body)).length } }
    return () => request
  }
  let created = 0
  const all = {
    generate: await fixed('PUT', '/v1/key/generate/bench', `{"context":"${CONTEXT}"}`),
    decrypt: await fixed('PUT', '/v1/key/decrypt/bench', `{"ciphertext":"${dek.ciphertext}","context":"${CONTEXT}"}`),
    encrypt: await fixed('PUT', '/v1/key/encrypt/bench', `{"plaintext":"${plaintext}","context":"${CONTEXT}"}`),
    status: await fixed('GET', '/v1/status', ''),
    create: () => ({ method: 'PUT', path: `/v1/key/create/bench-${created++}`, body: '', headers: { 'x-size': 2 } }),
  }
  lane.close()
  return all
}

async function startKes({ dist, dir, client, workers, nodeFlags, processes }) {
  mkdirSync(join(dir, 'keys'))
  writeFileSync(join(dir, 'server.key'), client.key)
  writeFileSync(join(dir, 'server.crt'), client.cert)
  const config = {
    address: '127.0.0.1:0',
    admin: { identity: 'disabled' },
    tls: { key: join(dir, 'server.key'), cert: join(dir, 'server.crt') },
    policy: {
      bench: {
        allow: ['/v1/status', ...['create', 'generate', 'decrypt', 'encrypt'].map(verb => `/v1/key/${verb}/bench*`)],
        identities: [client.identity],
      },
    },
    cache: { expiry: { any: '1h', unused: '1h' } },
    log: { audit: 'off' },
    keystore: { fs: { path: join(dir, 'keys') } },
  }
  writeFileSync(join(dir, 'config.yml'), JSON.stringify(config))
  const args = ['kes', 'server', '--config', join(dir, 'config.yml'), '--workers', String(workers)]
  const child = spawn(process.execPath, [...nodeFlags, join(dist, 'cli/main.js'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  return started(child, processes)
}

function startBare({ version, client, workers, processes }) {
  const env = { ...process.env, KMIPD_BENCH: JSON.stringify({ version, workers, ...client }) }
  const child = spawn(process.execPath, [fileURLToPath(new URL('kes-bare.mjs', import.meta.url))], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return started(child, processes)
}

/** A process that says where it listens. */
async function started(child, processes) {
  processes.push(child)
  const port = await new Promise((resolve, reject) => {
    let text = ''
    child.stdout.on('data', chunk => {
      text += chunk
      const found = /127\.0\.0\.1:(\d+)/.exec(text)
      if (found) resolve(Number(found[1]))
    })
    child.once('exit', () => reject(new Error('a server does not start')))
  })
  return { port, pid: child.pid }
}

async function makeClient(dist) {
  const { ephemeralCredential } = await import(`${dist}/server/kes-credential.js`)
  const { identityOf } = await import(`${dist}/kes/identity.js`)
  const { X509Certificate } = await import('node:crypto')
  const { certificate: cert, key } = await ephemeralCredential()
  return { cert, key, identity: identityOf(new X509Certificate(cert)) }
}
