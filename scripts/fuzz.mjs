// node scripts/fuzz.mjs [--runs N] [--target ttlv|json|xml|engine] [--seed N]: bends recorded messages (fixtures/clients) as bytes, as text and as
// items, and gives them to the decoders and to the whole engine: 10,000 inputs for each target unless told otherwise. What breaks a promise
// is printed and kept under .fuzz/found, to become a test beside the code that it concerns.
// With --coverage SECONDS each target is driven for so long by jsfuzz, which npx fetches, towards code that no input has reached yet.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    target: { type: 'string' },
    seed: { type: 'string' },
    coverage: { type: 'string' },
  },
})
const run = (command, ...argv) => {
  const { status } = spawnSync(command, argv, { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}

/** One file that jsfuzz can instrument, and messages to begin with. */
async function guided(target, seconds) {
  const { build } = await import('esbuild')
  const { seedsFor } = await import('../test-built/fuzz/seeds.js')
  const corpus = `.fuzz/corpus/${target}`
  await build({
    stdin: { contents: `export { ${target} as fuzz } from './test/fuzz/targets.ts'`, resolveDir: '.', loader: 'ts' },
    outfile: `.fuzz/${target}.cjs`,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    external: ['better-sqlite3'],
    logLevel: 'error',
  })
  rmSync(corpus, { recursive: true, force: true })
  mkdirSync(corpus, { recursive: true })
  for (const [i, seed] of seedsFor(target).entries()) writeFileSync(`${corpus}/${i}`, seed)
  // It goes on until it finds something.
  const jsfuzz = ['npx', '--yes', 'jsfuzz@1.0.15', '--versifier=false', `.fuzz/${target}.cjs`, corpus]
  const { status } = spawnSync('timeout', [seconds, ...jsfuzz], { stdio: 'inherit' })
  if (status !== 124) process.exitCode = 1
}

run(process.execPath, 'scripts/ready.mjs')
run(process.execPath, 'scripts/tests.mjs')
for (const target of values.target ? [values.target] : ['ttlv', 'json', 'xml', 'engine'])
  if (values.coverage) await guided(target, values.coverage)
  else run(process.execPath, 'test-built/fuzz/run.js', target, values.runs, ...(values.seed ? [values.seed] : []))
