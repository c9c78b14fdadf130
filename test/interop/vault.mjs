// A real Vault or OpenBao for tests: started by the lab of the reference material, and the calls that tests make besides kmipd's own.
import { spawn } from 'node:child_process'
import { createServer, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { storePermissions } from '../../dist/store/vault-permissions.js'
import { policyText } from '../../dist/vault/policy.js'

/** Counts checks, and says what failed. */
export class Checks {
  passed = 0
  failed = 0
  ok(isSo, what) {
    if (isSo) this.passed++
    else {
      this.failed++
      console.log(`FAILED: ${what}`)
    }
    return isSo
  }
  equal(value, expected, what) {
    const [a, b] = [JSON.stringify(value), JSON.stringify(expected)]
    this.ok(a === b, `${what}: ${a?.slice(0, 300)} instead of ${b?.slice(0, 300)}`)
  }
  /** Run a section; what it throws is one failure. */
  async section(title, work) {
    const [began, passed, failed] = [performance.now(), this.passed, this.failed]
    try {
      await work()
    } catch (error) {
      this.ok(false, `${title}: ${error.stack ?? error}`)
    }
    const counts = `${this.passed - passed} passed, ${this.failed - failed} failed`
    console.log(`${title}: ${counts} (${((performance.now() - began) / 1000).toFixed(1)} s)`)
  }
  end() {
    console.log(`${this.passed} passed, ${this.failed} failed`)
    process.exitCode = this.failed > 0 ? 1 : 0
  }
}

/** @param {{ tools: string, bin: string, args?: string[] }} options */
export async function startLab({ tools, bin, args = [] }) {
  const child = spawn(process.execPath, [`${tools}/vault-lab.mjs`, '--bin', bin, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const line = await new Promise((resolve, reject) => {
    let text = ''
    child.stdout.on('data', chunk => {
      text += chunk
      if (text.includes('\n')) resolve(text)
    })
    child.once('exit', code => reject(new Error(`the lab ended with code ${code}`)))
  })
  return new Lab(JSON.parse(line), child)
}

export class Lab {
  constructor(facts, child) {
    Object.assign(this, facts)
    this.child = child
  }

  call(method, path, json, { token = this.root_token, address = this.addresses[0], wrap } = {}) {
    return new Promise((resolve, reject) => {
      const body = json && JSON.stringify(json)
      const headers = { 'x-vault-token': token, ...(wrap && { 'x-vault-wrap-ttl': wrap }) }
      const sent = request(`${address}/v1/${path}`, { method, headers, timeout: 10_000 }, answer => {
        let text = ''
        answer
          .on('data', chunk => (text += chunk))
          .on('end', () => resolve({ status: answer.statusCode, body: text ? JSON.parse(text) : undefined }))
      })
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error('timeout')))
      sent.end(body)
    })
  }

  async #done(method, path, json) {
    const { status, body } = await this.call(method, path, json)
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`)
    return body
  }

  /** A token that may do what a store needs and nothing else. */
  async storeToken(place) {
    const name = `store-${Math.random().toString(36).slice(2)}`
    await this.#done('PUT', `sys/policies/acl/${name}`, { policy: policyText(storePermissions(place)) })
    return (await this.#done('POST', 'auth/token/create', { policies: [name], period: '1h' })).auth.client_token
  }

  /** The address of one that is not active. */
  async standby() {
    for (const address of this.addresses) if ((await this.call('GET', 'sys/health', undefined, { address })).status === 429) return address
    throw new Error('no server is a standby')
  }

  seal = () => this.#done('PUT', 'sys/seal')
  unseal = () => this.#done('PUT', 'sys/unseal', { key: this.unseal_key })
  rotate = key => this.#done('POST', `transit/keys/${key}/rotate`)
  configureKey = (key, json) => this.#done('POST', `transit/keys/${key}/config`, json)

  async stop() {
    if (this.child.exitCode !== null) return
    const ended = new Promise(resolve => this.child.once('exit', resolve))
    this.child.kill('SIGTERM')
    await Promise.race([ended, wait(20_000)])
    this.child.kill('SIGKILL')
  }
}

/** Between a client and Vault: passes requests on, late or without their answers; `state.seen` is told of each before. */
export async function startProxy(target) {
  const url = new URL(target)
  const state = { latencyMs: 0, cut: 0, cuts: 0, seen: undefined }
  const server = createServer((incoming, outgoing) => {
    const chunks = []
    incoming.on('data', chunk => chunks.push(chunk))
    incoming.on('end', async () => {
      state.seen?.(`${incoming.method} ${incoming.url}`)
      if (state.latencyMs > 0) await wait(Math.random() * state.latencyMs)
      const options = { host: url.hostname, port: url.port, method: incoming.method, path: incoming.url, headers: incoming.headers }
      const passed = request(options, answer => {
        if (Math.random() < state.cut) {
          state.cuts++
          answer.resume()
          outgoing.destroy()
          return
        }
        outgoing.writeHead(answer.statusCode, answer.headers)
        answer.pipe(outgoing)
      })
      passed.on('error', () => outgoing.destroy())
      passed.end(Buffer.concat(chunks))
    })
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    ...{ state, address: `http://127.0.0.1:${server.address().port}` },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
