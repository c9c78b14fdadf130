// Every call of KES's own SDK for Go against two nodes of the KES door on one key store, one of which ends meanwhile.
// node test/interop/kes-sdk.mjs PROGRAM (of test/interop/kes-go) [PROCESSES of each node]
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { apiKey, MAIN, Processes, tlsFiles } from './kes-server.mjs'
import { freePort } from './vault-server.mjs'

const [program, workers = '1'] = process.argv.slice(2)
if (!program) throw new Error('say where the program is')
const dir = mkdtempSync(join(tmpdir(), 'kmipd-kes-sdk-'))
const processes = new Processes(dir)
const tls = tlsFiles(dir)
const [admin, app, stranger] = [apiKey(), apiKey(), apiKey()]
const config = join(dir, 'config.yml')
writeFileSync(
  config,
  `
admin: { identity: ${admin.identity} }
tls: { key: ${tls.key}, cert: ${tls.cert} }
policy:
  app:
    allow: [ /v1/key/generate/app-*, /v1/key/encrypt/app-*, /v1/key/decrypt/app-*, /v1/key/hmac/app-* ]
    identities: [ ${app.identity} ]
api: { /version: { skip_auth: true } }
keystore: { fs: { path: ${join(dir, 'keys')} } }
`,
)

async function node(name) {
  const port = await freePort()
  const args = ['kes', 'server', '--config', config, '--addr', `127.0.0.1:${port}`, '--workers', workers]
  const started = processes.start(name, process.execPath, [MAIN, ...args])
  await processes.answering(started, port)
  return { ...started, url: `https://127.0.0.1:${port}` }
}

try {
  const [first, second] = [await node('first'), await node('second')]
  const sdk = spawn(program, [first.url, second.url, admin.key, app.key, stranger.key], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise(resolve => sdk.once('exit', resolve))
  for await (const line of createInterface({ input: sdk.stdout })) {
    if (line === 'end the second node') {
      await processes.stop(second, 'SIGKILL')
      sdk.stdin.end('it has ended\n')
    } else console.log(line)
  }
  process.exitCode = (await ended) ?? 1
} finally {
  await processes.stopAll()
  rmSync(dir, { recursive: true, force: true })
}
