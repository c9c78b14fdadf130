// Makes JavaScript of the tests, one file for each, in test-built: Node runs that without a loader in each of a hundred processes. They try
// what is built in dist, which is what users get; only the console, which is one script there, comes from its sources.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const CONSOLE = join(root, 'src', 'console')
const PLACES = [
  [join(root, 'src'), join(root, 'dist')],
  [join(root, 'test'), join(root, 'test-built')],
]

const placesOfImports = {
  name: 'places of imports',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
      const file = join(resolveDir, path)
      if (kind === 'entry-point' || file.startsWith(CONSOLE + sep)) return { path: file }
      const [from, to] = PLACES.find(([from]) => file.startsWith(from + sep))
      const builtDir = resolveDir.replace(...PLACES[1])
      return { path: `./${relative(builtDir, file.replace(from, to)).replace(/ts$/, 'js')}`, external: true }
    })
  },
}

// Not what the scripts of interop have installed beside them.
const sources = readdirSync(join(root, 'test'), { recursive: true })
  .filter(file => file.endsWith('.ts') && !file.includes('node_modules'))
  .map(file => join('test', file))

rmSync(join(root, 'test-built'), { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: sources,
  outdir: 'test-built',
  outbase: 'test',
  bundle: true,
  format: 'esm',
  platform: 'node',
  packages: 'external',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
  plugins: [placesOfImports],
})

// Tap without the plugins that put loaders into every process is built once after each installation: what a run builds by itself counts from the
// next one on.
const tap = join(root, 'node_modules', '@tapjs', 'test', 'test-built', 'dist', 'esm', 'index.js')
if (!existsSync(tap) || /@tapjs\/(typescript|mock)/.test(readFileSync(tap, 'utf8'))) {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs'), 'build'], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(1)
}
