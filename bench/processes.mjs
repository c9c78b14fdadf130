import { fork, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const WAIT_MS = 60_000
/** In which Linux counts the time of processes. */
const TICK_MS = 10

/** A process of this folder that answers commands. */
export class Worker {
  #child
  #waiting = new Map()
  #id = 0

  /** @param {string} file */
  constructor(file) {
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), { stdio: 'inherit' })
    this.#child.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) resolve(result)
      else reject(new Error(error))
    })
    this.#child.once('exit', code => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file} ended with ${code}`))
    })
  }

  /** @param {string} command @param {object} fields */
  do(command, fields = {}) {
    return new Promise((resolve, reject) => {
      const id = this.#id++
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ id, command, ...fields })
    })
  }

  close() {
    this.#child.disconnect()
  }
}

/** The echo server, which shows a chain as long as kmipd's and accepts the same client certificate. */
export async function startEcho({ dist, client }) {
  const load = name => import(pathToFileURL(`${dist}/pki/${name}.js`).href)
  const [{ issueServer, makeAuthority }, { certificatePem }, { generateKey, privateKeyPem, spkiOf }, { encodeName }] = await Promise.all(
    ['authority', 'certificate', 'keys', 'name'].map(load),
  )
  const nowMs = Date.now()
  const key = await generateKey({ type: 'ec', bits: 256 })
  const { root, intermediate } = await makeAuthority({ type: 'ec', bits: 256 }, 'echo', nowMs)
  const certificate = issueServer(
    { name: encodeName([['CN', 'echo-intermediate']]), key: intermediate.key },
    { hostnames: ['localhost'], ips: ['127.0.0.1', '::1'] },
    { spki: spkiOf(key), nowMs, lifeMs: 86_400_000 },
  )
  const chain = [certificate, intermediate.certificate].map(certificatePem).join('\n')
  const worker = new Worker('echo.mjs')
  const port = await worker.do('listen', { cert: chain, key: privateKeyPem(key), ca: client.ca })
  return { worker, port, ca: certificatePem(root.certificate), usage: () => worker.do('usage'), close: () => worker.close() }
}

/**
 * Start `kmipd dev` in a directory.
 * @param {{ dist: string, dir: string, store: 'sqlite' | 'memory' | object, workers?: number, nodeFlags: readonly string[] }} options  `store`: also as a
 *   configuration has it
 */
export async function startKmipd({ dist, dir, store, workers = 1, nodeFlags }) {
  mkdirSync(dir, { recursive: true })
  // All connections of the client have one certificate.
  const config = {
    kmip: { maxConnectionsPerIdentity: 10_000 },
    log: { level: 'warn', format: 'json' },
    ...(typeof store === 'object' && { store }),
    ...(store !== 'memory' && { workers }),
  }
  writeFileSync(join(dir, 'kmipd.yaml'), JSON.stringify(config))
  const flags = [...nodeFlags, join(dist, 'cli/main.js'), 'dev', '--data-dir', dir, '--kmip-address', '127.0.0.1:0']
  if (store === 'memory') flags.push('--ephemeral')
  const child = spawn(process.execPath, flags, { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise(resolve => child.once('exit', resolve))
  const listeners = join(dir, 'listeners.json')
  for (const from = Date.now(); !existsSync(listeners); ) {
    if (child.exitCode !== null) throw new Error(`kmipd ended with ${child.exitCode} before it listened`)
    if (Date.now() - from > WAIT_MS) throw new Error('kmipd does not listen')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const { kmip, metrics } = JSON.parse(readFileSync(listeners, 'utf8'))
  const file = name => readFileSync(join(dir, 'clients/default', name), 'utf8')
  return {
    port: Number(kmip.split(':').at(-1)),
    client: { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') },
    async usage() {
      const text = await (await fetch(`http://${metrics}/metrics`)).text()
      const value = name => Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)[1])
      return { cpuUs: value('process_cpu_seconds_total') * 1e6, rss: value('process_resident_memory_bytes') }
    },
    /** Of the processor, since it was started; its own metric begins later. */
    cpuMs() {
      const [user, system] = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ').at(-1).split(' ').slice(11, 13)
      return (Number(user) + Number(system)) * TICK_MS
    },
    async close() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
