// The contract of the store, as `npm test` checks it for the other backends, on a log in Vault. Prints TAP.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import ts from 'typescript'
import { openLog } from '../../dist/store/log-open.js'
import { KvV1Slots, KvV2Slots } from '../../dist/store/vault-slots.js'
import { connectVault } from '../../dist/vault/client.js'

const { servers, token, version, prefix } = JSON.parse(process.argv[2])
const root = fileURLToPath(new URL('../..', import.meta.url))
const source = readFileSync(join(root, 'test/store/contract.ts'), 'utf8')
// Below the project, so that what it imports is found.
mkdirSync(join(root, '.tap'), { recursive: true })
const dir = mkdtempSync(join(root, '.tap/contract-'))
const file = join(dir, 'contract.mjs')
writeFileSync(
  file,
  ts.transpileModule(source, { compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext } }).outputText,
)
const { contract } = await import(pathToFileURL(file).href)
t.teardown(() => rmSync(dir, { recursive: true, force: true }))

let count = 0
contract(t, {
  name: `Vault, KV v${version}`,
  async open() {
    const client = await connectVault({ servers, login: { kind: 'token', token } })
    const place = { client, mount: version === 1 ? 'kv1' : 'kv', prefix: `${prefix}/${++count}`, deadlineMs: 5_000, version }
    const slots = version === 1 ? new KvV1Slots(place) : new KvV2Slots(place)
    return openLog({ slots, dir, expect: 'any', presence: version === 1 ? 'alone' : 'shared', deadlineMs: 10_000 })
  },
})
