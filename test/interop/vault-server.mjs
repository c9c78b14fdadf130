// A `kmipd dev` of its own for one script: free ports, data in a directory that goes with it, asked over its API.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const MAIN = new URL('../../dist/cli/main.js', import.meta.url).pathname

export async function freePort() {
  const server = createServer()
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Start one; `stop` ends it and removes its data. */
export async function startServer() {
  const dir = mkdtempSync(join(tmpdir(), 'kmipd-vault-'))
  const child = spawn(process.execPath, [MAIN, 'dev', '--data-dir', dir, '--kmip-address', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk))
  const file = join(dir, 'listeners.json')
  for (let tries = 0; !existsSync(file); tries++) {
    if (child.exitCode !== null || tries > 600) throw new Error(`kmipd does not start:\n${output}`)
    await sleep(100)
  }
  const { admin, kmip } = JSON.parse(readFileSync(file, 'utf8'))
  const token = readFileSync(join(dir, 'root-token'), 'utf8').trim()
  return {
    ...{ dir, address: admin, token, kmip },
    ask: options => ask(admin, options),
    async stop() {
      child.kill()
      await new Promise(resolve => (child.exitCode === null ? child.once('exit', resolve) : resolve()))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** One request as it stands: no header but those given. The body of the answer is parsed where it is JSON. */
function ask(address, { method, target, headers = {}, body }) {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : `${JSON.stringify(body)}\n`
  return new Promise((resolve, reject) => {
    const fields = { ...headers, ...(text !== undefined && { 'Content-Length': Buffer.byteLength(text) }) }
    const verb = method === 'LIST' ? 'GET' : method
    const path = method === 'LIST' ? `${target}?list=true` : target
    const sent = request(new URL(address), { method: verb, path, headers: fields }, answer => {
      let content = ''
      answer.on('data', chunk => (content += chunk))
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: parsed(content) }))
    })
    sent.on('error', reject)
    sent.setTimeout(60_000, () => sent.destroy(new Error('no answer within a minute')))
    sent.end(text)
  })
}

function parsed(text) {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Counts checks, prints each that fails, and says the sums in the last line. */
export function tally() {
  let [passed, failed] = [0, 0]
  return {
    check(name, problem) {
      if (problem === undefined) passed++
      else {
        failed++
        console.log(`FAILED ${name}: ${problem}`)
      }
    },
    end() {
      console.log(`${passed} passed, ${failed} failed`)
      process.exitCode = failed > 0 ? 1 : 0
    },
  }
}
