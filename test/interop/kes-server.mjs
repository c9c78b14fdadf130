// Servers of one script, their files in a directory of its own, and what clients of KES need to speak to one.
import { execFileSync, spawn } from 'node:child_process'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

export const MAIN = new URL('../../dist/cli/main.js', import.meta.url).pathname

/** Until `test` gives something, for so many seconds. */
export async function until(what, seconds, test) {
  for (const end = Date.now() + seconds * 1000; ; await wait(200)) {
    const result = await test()
    if (result) return result
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`)
  }
}

/** Whether somebody listens. */
const listens = port =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

export class Processes {
  #running = new Set()
  constructor(dir) {
    this.dir = dir
  }

  /** What it prints goes to a file. */
  start(name, command, args, env = {}) {
    const log = join(this.dir, `${name}.log`)
    const out = openSync(log, 'a')
    const child = spawn(command, args, { stdio: ['ignore', out, out], env: { ...process.env, ...env } })
    const alive = () => this.#running.has(child)
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    return { name, child, log, alive }
  }

  /** Wait until a process that was started listens on its port. */
  answering({ name, log, alive }, port) {
    return until(name, 60, () => {
      if (!alive()) throw new Error(`${name} has ended:\n${readFileSync(log, 'utf8')}`)
      return listens(port)
    })
  }

  async stop({ child, alive }, signal = 'SIGTERM') {
    if (!alive()) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
    await ended
    clearTimeout(timer)
  }

  stopAll = () => Promise.all([...this.#running].map(child => this.stop({ child, alive: () => this.#running.has(child) })))
}

/** An API key of KES and the identity that it has. */
export function apiKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  return {
    key: `kes:v1:${Buffer.concat([Buffer.from([0]), seed]).toString('base64')}`,
    identity: createHash('sha256').update(spki).digest('hex'),
  }
}

/** A certificate for this machine that signs itself, and its key. */
export function tlsFiles(dir) {
  const [key, cert] = [join(dir, 'kes.key'), join(dir, 'kes.crt')]
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost'
  const options = `-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kes -addext ${names}`
  execFileSync('openssl', ['req', '-x509', ...options.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { key, cert }
}
