#!/usr/bin/env node
// What products say to their KMIP server, and messages recorded from clients, against a running `kmipd dev`:
//   node test/interop/sequences.mjs DATA_DIR [FOLDER of captures]
// The captures are JSON lines, see `replay.mjs`. The products share a scope, each capture has one of its own.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Connection } from './connection.mjs'
import { PRODUCTS } from './products.mjs'
import { replay } from './replay.mjs'

const KMIPD = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const [data, captures] = process.argv.slice(2)
if (data === undefined) {
  console.error('usage: node test/interop/sequences.mjs DATA_DIR [FOLDER of captures]')
  process.exit(2)
}

const address = JSON.parse(readFileSync(join(data, 'listeners.json'), 'utf8')).kmip
const files = mkdtempSync(join(tmpdir(), 'kmipd-interop-'))
const counts = { passed: 0, failed: 0 }

function kmipd(...args) {
  return execFileSync(process.execPath, [KMIPD, ...args, '--data-dir', data], { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** A scope with a role and a credential: what a connection needs. */
function newScope(scope) {
  const folder = join(files, scope)
  kmipd('scope', 'create', scope)
  kmipd('role', 'write', scope, 'all', 'operation_all=true')
  kmipd('credential', 'generate', scope, 'all', '--out', folder)
  const [, host, port] = /^(.*):(\d+)$/.exec(address)
  const file = name => readFileSync(join(folder, name))
  return { host, port: Number(port), ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') }
}

/** Runs a sequence: its first step that fails ends it, since the next ones stand on it. */
async function run(title, place, sequence) {
  const open = []
  let current = 'connect'
  const lab = {
    async open(options) {
      const connection = await Connection.open(place, options)
      open.push(connection)
      return connection
    },
    async step(name, work) {
      current = name
      const result = await work()
      pass(`${title}: ${name}`)
      return result
    },
    /** A step that the others do not stand on. */
    async check(name, work) {
      try {
        await work()
        pass(`${title}: ${name}`)
      } catch (error) {
        fail(`${title}: ${name}`, error)
      }
    },
  }
  try {
    await sequence(lab)
  } catch (error) {
    fail(`${title}: ${current}`, error)
  } finally {
    for (const connection of open) connection.close()
  }
}

function pass(title) {
  counts.passed++
  console.log(`ok     ${title}`)
}

function fail(title, error) {
  counts.failed++
  console.log(`FAILED ${title}: ${error.message}`)
  const where = error.stack?.split('\n').find(line => /databases|systems/.test(line))
  if (where) console.log(`       ${where.trim()}`)
}

try {
  const products = newScope('products')
  for (const [title, sequence] of PRODUCTS) await run(title, products, sequence)
  const recorded = captures === undefined ? [] : readdirSync(captures).filter(name => name.endsWith('.jsonl'))
  for (const name of recorded.sort()) {
    const client = basename(name, '.jsonl')
    const lines = readFileSync(join(captures, name), 'utf8').trim().split('\n')
    const messages = lines.map(line => JSON.parse(line))
    await run(client, newScope(`recorded-${client}`), lab => replay(client, messages, lab))
  }
} finally {
  rmSync(files, { recursive: true, force: true })
}
console.log(`${counts.passed} passed, ${counts.failed} failed`)
if (counts.failed > 0 || counts.passed === 0) process.exitCode = 1
