// The real command line of Vault against kmipd: the 45 commands that were recorded, the steps of the KMIP tutorial among them, each with what
// it printed then. In their midst PyKMIP uses the credential that they made, and is cut off when they revoke it.
// usage: node vault-cli.mjs <vault program> <directory of the recordings> [<python with PyKMIP>]
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort, startServer, tally } from './vault-server.mjs'

const [vault, folder, python] = process.argv.slice(2)
if (!vault || !folder) throw new Error('say where the vault program and the recordings are')
const { check, end } = tally()
const { commands } = JSON.parse(readFileSync(join(folder, 'cli-bao.json'), 'utf8'))
const server = await startServer()
const home = mkdtempSync(join(tmpdir(), 'vault-home-'))
const [port, other] = [await freePort(), await freePort()]
/** What stands in the recording, and what this server has instead. */
const known = new Map([
  ['0.0.0.0:5696', `127.0.0.1:${port}`],
  ['0.0.0.0:5697', `127.0.0.1:${other}`],
])
const translated = text => [...known].reduce((said, [from, to]) => said.replaceAll(from, to), text)

/** What is made anew each time becomes its kind; columns lose their width. */
const plain = text =>
  text
    .replace(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g, '<$1>')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, '<uuid>')
    .replace(/\b\d{20,}\b/g, '<serial>')
    .split('\n')
    .map(line => line.replaceAll(/-{4,}/g, '--').replaceAll(/\s+/g, ' ').trim().replace(/,$/, ''))

/** Lines that the recorded server printed and this one shall not, by command: a pattern and why. */
const OTHER = [
  [
    'write -f kmip/scope/finance/role/accounting/credential/generate',
    /^certificate /,
    'a bundle is the default of the server, not of its pages',
  ],
  ['read -format=json kmip/scope/finance/role/accounting/credential/lookup', /^"certificate"/, 'a bundle is the default'],
  [
    'write kmip/listener/l1',
    /^(additional_client_cas|server_hostnames) /,
    'a list is a list, where the recorded stand-in gave the text back',
  ],
  ['status', /^(Storage Type|Cluster ID) /, 'which server it is'],
  ['token lookup', /^(accessor|creation_time|id) /, 'which token it is'],
  ['secrets list', /^(cubbyhole|identity|sys)\/ /, 'what else is mounted'],
  ['secrets list -detailed', /^(Path|cubbyhole|identity|kmip2|sys|-- )/, 'columns of another version, and what else is mounted'],
]

function run(args) {
  const env = { PATH: process.env.PATH, HOME: home, VAULT_ADDR: server.address, VAULT_TOKEN: server.token, VAULT_CLI_NO_COLOR: '1' }
  const { status, stdout, stderr } = spawnSync(vault, args, { encoding: 'utf8', env, cwd: home, timeout: 60_000 })
  return { status, stdout, stderr }
}

function compare({ cmd, exit, stdout, stderr }, got) {
  if (got.status !== exit) return `exit code ${got.status}, recorded ${exit}: ${got.stderr}`
  const [out, err] = [new Set(plain(got.stdout)), new Set(plain(got.stderr))]
  const skipped = OTHER.filter(([name]) => cmd.startsWith(name)).map(([, pattern]) => pattern)
  const lost = plain(translated(stdout)).find(line => line !== '' && !out.has(line) && !skipped.some(pattern => pattern.test(line)))
  if (lost !== undefined) return `does not print ${JSON.stringify(lost)} but ${JSON.stringify(got.stdout)}`
  const silent = plain(translated(stderr)).find(line => line !== '' && !err.has(line))
  return silent === undefined ? undefined : `does not say ${JSON.stringify(silent)} but ${JSON.stringify(got.stderr)}`
}

/** PyKMIP with a credential: it works, and then it is cut off within a second. */
async function clientCutOff(credential, caPem, revoke) {
  const file = (name, text) => {
    writeFileSync(join(home, name), text)
    return join(home, name)
  }
  const files = [file('cert.pem', credential.certificate), file('key.pem', credential.private_key), file('ca.pem', caPem)]
  const script = new URL('vault-pykmip.py', import.meta.url).pathname
  const child = spawn(python, ['-W', 'ignore', script, String(port), ...files], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const deadline = setTimeout(() => child.kill(), 60_000)
  const first = (await lines.next()).value
  check('PyKMIP makes and gets a key with the credential', first === 'ready' ? undefined : `it said ${first}`)
  const startedMs = performance.now()
  revoke()
  const revokedMs = performance.now()
  const second = (await lines.next()).value
  const afterMs = performance.now() - revokedMs
  clearTimeout(deadline)
  child.kill()
  check('PyKMIP is cut off within a second', second === 'cut' && afterMs < 1000 ? undefined : `it said ${second} after ${afterMs} ms`)
  console.log(`revoked in ${Math.round(revokedMs - startedMs)} ms, cut off ${Math.round(afterMs)} ms later`)
}

try {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', '/dev/null', '-nodes', '-subj', '/CN=x']
  spawnSync('openssl', ['req', '-new', ...key, '-out', join(home, 'my.csr')])
  // What `dev` has made is not in the recording.
  run(['delete', 'kmip/scope/default', 'force=true'])
  let credential
  let caPem = ''
  for (const [index, command] of commands.entries()) {
    const { cmd } = command
    // The recorded stand-in did not look whether the CAs are there.
    if (cmd.startsWith('write kmip/listener'))
      for (const name of ['a', 'b']) run(['write', `kmip/ca/${name}/generate`, 'key_type=ec', 'key_bits=256'])
    const step = () => {
      const got = run(translated(cmd).split(' '))
      const problem = compare(command, got)
      check(`${index + 1} vault ${cmd}`, problem)
      if (problem === undefined) console.log(`as recorded: vault ${cmd}`)
      return got
    }
    if (python && cmd.includes('credential/revoke')) {
      await clientCutOff(credential, caPem, step)
      continue
    }
    const got = step()
    if (cmd === 'read -field=ca_pem kmip/ca') caPem = got.stdout
    if (cmd.includes('-format=json') && cmd.includes('credential/generate')) {
      credential = JSON.parse(got.stdout).data
      known.set(JSON.parse(command.stdout).data.serial_number, credential.serial_number)
    }
  }
} finally {
  await server.stop()
  rmSync(home, { recursive: true, force: true })
}
end()
