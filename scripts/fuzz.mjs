// node scripts/fuzz.mjs [--runs N] [--target ttlv|json|xml|engine] [--seed N]: bends recorded messages (fixtures/clients) as bytes, as text and as
// items, and gives them to the decoders and to the whole engine: 10,000 inputs for each target unless told otherwise. What breaks a promise
// is printed and kept under .fuzz/found, to become a test beside the code that it concerns.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '10000' }, target: { type: 'string' }, seed: { type: 'string' } },
})
const run = (...command) => {
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
run('scripts/ready.mjs')
run('scripts/tests.mjs')
for (const target of values.target ? [values.target] : ['ttlv', 'json', 'xml', 'engine'])
  run('test-built/fuzz/run.js', target, values.runs, ...(values.seed ? [values.seed] : []))
