import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export const OPERATIONS = ['get', 'create', 'fresh', 'locate', 'encrypt', 'register', 'mixed']
export const KES_OPERATIONS = ['generate', 'decrypt', 'encrypt', 'create', 'status']
const PARTS = [...OPERATIONS, 'handshakes', 'objects', 'tail', 'memory', 'start']

const HELP = `npm run bench -- [options]

Measures kmipd beside a bare TLS echo server that answers the same bytes, in turns, with the same client.
Only the ratios say something about kmipd; the rest says more about the machine.

  --quick               about 20 seconds, for a look whether it still runs
  --only LIST           of ${PARTS.join(', ')}
  --connections LIST    default 1,8,64
  --objects LIST        stored objects to compare; default 1000,100000
  --seconds N           for each line and server; default 3
  --rounds N            turns that these seconds are divided into; default 3
  --kes                 the door for clients of KES instead, beside a bare HTTP server of Node's; --only takes of
                        ${KES_OPERATIONS.join(', ')}
  --store sqlite|memory default sqlite; or vault, with:
  --vault FILE          JSON with the addresses and root_token of a Vault or OpenBao that has a KV v2 engine at kv/: then get, locate and
                        create are measured on Vault, strict and with a staleness of a second, on SQLite, and beside bare writes to KV v2,
                        and start: of a node, with the larger count of objects
  --workers N           processes of kmipd that answer, and with --kes of the bare server too; default 1, with Vault 1,2
  --dir DIR             where the data is kept while it runs; default the system's folder for temporary files
  --json FILE           write the results there too
  --dist DIR            the build to measure; default dist
  --node-flags FLAGS    flags of Node for kmipd, such as --cpu-prof (the profile is left in --dir)
`

const numbers = (name, text) =>
  text.split(',').map(part => {
    const value = Number(part)
    if (!(value > 0)) throw new Error(`--${name} ${text}: positive numbers were expected`)
    return value
  })

/**
 * What the command line says.
 * @param {string[]} args
 * @returns nothing when only help was asked for
 */
export function readOptions(args) {
  const text = { type: 'string' }
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      kes: { type: 'boolean', default: false },
      only: text,
      connections: { type: 'string', default: '1,8,64' },
      objects: text,
      seconds: text,
      rounds: text,
      store: { type: 'string', default: 'sqlite' },
      vault: text,
      workers: text,
      dir: { type: 'string', default: tmpdir() },
      json: text,
      dist: { type: 'string', default: fileURLToPath(new URL('../dist', import.meta.url)) },
      'node-flags': { type: 'string', default: '' },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return undefined
  }
  const { quick, kes } = values
  const parts = kes ? KES_OPERATIONS : PARTS
  const only = values.only?.split(',') ?? parts
  const unknown = only.find(part => !parts.includes(part))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: it is none of ${parts.join(', ')}`)
  if (!['sqlite', 'memory', 'vault'].includes(values.store))
    throw new Error(`--store ${values.store}: sqlite, memory or vault was expected`)
  if ((values.store === 'vault') !== (values.vault !== undefined)) throw new Error('--store vault and --vault FILE go together')
  const single = (name, usual) => (values[name] === undefined ? usual : numbers(name, values[name])[0])
  return {
    kes,
    only: new Set(only),
    operations: OPERATIONS.filter(operation => only.includes(operation)),
    connections: numbers('connections', values.connections),
    objects: numbers('objects', values.objects ?? (quick ? '1000,4000' : '1000,100000')),
    seconds: single('seconds', quick ? 0.25 : 3),
    rounds: single('rounds', quick ? 1 : 3),
    idleConnections: quick ? 200 : 1000,
    store: values.store,
    workers: numbers('workers', values.workers ?? (values.store === 'vault' ? '1,2' : '1')),
    vault: values.vault === undefined ? undefined : JSON.parse(readFileSync(values.vault, 'utf8')),
    dir: resolve(values.dir),
    json: values.json,
    dist: resolve(values.dist),
    nodeFlags: values['node-flags'].split(' ').filter(flag => flag !== ''),
  }
}
