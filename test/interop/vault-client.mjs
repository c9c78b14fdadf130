// Runs a client of Vault on a server of its own: its last two arguments are the server's address and its root token.
// usage: node vault-client.mjs <program> [<argument>...]
import { spawnSync } from 'node:child_process'
import { startServer } from './vault-server.mjs'

const [program, ...args] = process.argv.slice(2)
if (!program) throw new Error('say what to run')
const server = await startServer()
try {
  const { status } = spawnSync(program, [...args, server.address, server.token], { stdio: 'inherit', timeout: 100_000 })
  process.exitCode = status ?? 1
} finally {
  await server.stop()
}
